"""Values per region of interest: the mean signal of each volume, or the lesion load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..conditions import NONE, Conditions
from ..errors import InputError
from ..images import Series, labels_to_nifti
from ..loads import lesion_load
from .regions_of_interest import Rois

if TYPE_CHECKING:
    import pandas as pd

CAUTION = (
    "Regions that were chosen because two groups differ there show a difference between these "
    "groups that is too large: the choice used the same data (Kriegeskorte et al. 2009). Regions "
    "from other data show its size."
)


@dataclass(frozen=True, eq=False)
class RoiValues:
    """A number for each sample in each region of interest.

    Parameters
    ----------
    samples : tuple of str
        ``volume 1`` and so on, or patients.
    groups : tuple of str
        The condition or cohort of each sample; empty for none.
    names : tuple of str
        Of the regions of interest.
    values : array of float64, shape (samples, regions)
        NaN where a region holds no value.
    unit : str
        In words.
    """

    samples: tuple[str, ...]
    groups: tuple[str, ...]
    names: tuple[str, ...]
    values: NDArray[np.float64]
    unit: str

    @property
    def table(self) -> pd.DataFrame:
        """A row per sample: sample, group, and a column per region of interest."""
        import pandas as pd

        table = pd.DataFrame(self.values, columns=list(self.names))
        table.insert(0, "sample", list(self.samples))
        table.insert(1, "group", list(self.groups))
        return table

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups in the order of their first samples; samples of none are left out."""
        return tuple(dict.fromkeys(group for group in self.groups if group != NONE))

    def of_group(self, group: str, column: int) -> NDArray[np.float64]:
        """The values of a group in one region, NaN left out."""
        rows = np.array([own == group for own in self.groups], bool)
        values = self.values[rows, column]
        return values[~np.isnan(values)]

    @property
    def summary(self) -> pd.DataFrame:
        """A row per region and group: roi, group, n, mean, sd (of n - 1), median; NaN left out."""
        import pandas as pd

        rows = []
        for column, name in enumerate(self.names):
            for group in self.group_names:
                own = self.of_group(group, column)
                mean, median = (own.mean(), np.median(own)) if own.size else (np.nan, np.nan)
                sd = own.std(ddof=1) if own.size > 1 else np.nan
                rows.append((name, group, own.size, mean, sd, median))
        return pd.DataFrame(rows, columns=["roi", "group", "n", "mean", "sd", "median"])


def signal_in_rois(series: Series, conditions: Conditions, rois: Rois) -> RoiValues:
    """Mean signal of each volume in each region, by nilearn's `NiftiLabelsMasker`.

    Parameters
    ----------
    series : Series
    conditions : Conditions
        One for each volume.
    rois : Rois
        On the grid of the series.

    Returns
    -------
    RoiValues
        Volumes in their order, those without a condition included. The mean is over the voxels
        that are not NaN in that volume; in single precision where the series is.

    Raises
    ------
    InputError
        Where the grids differ, the conditions are another number, or there is no region.

    Examples
    --------
    >>> from lesion_dash import SeriesSource, RoiRecipe, Threshold, run_recipe
    >>> run = "sample_data/series/sub-01_task-pictures_run-1"
    >>> source = SeriesSource(f"{run}_bold.nii.gz", f"{run}_events.tsv", "face", "house")
    >>> lab = run_recipe(RoiRecipe(source, Threshold(5.0)))
    >>> values = signal_in_rois(lab.data.series, lab.data.conditions, lab.rois)
    >>> values.values.shape == (48, len(lab.rois)), values.group_names
    (True, ('face', 'house'))
    """
    if not series.grid.matches(rois.grid):
        problem = f"are not on the grid of the series: {rois.grid.difference(series.grid)}"
        raise InputError("regions of interest", problem, "make them from this series")
    if len(conditions.of_volume) != series.volumes:
        problem = f"{len(conditions.of_volume)} conditions for {series.volumes} volumes"
        raise InputError("conditions", problem, "give one for each volume")
    samples = tuple(f"volume {number}" for number in range(1, series.volumes + 1))
    values = _mean_signal(series, rois)
    return RoiValues(samples, conditions.of_volume, rois.names, values, "mean signal")


def _mean_signal(series: Series, rois: Rois) -> NDArray[np.float64]:
    from nilearn.image import new_img_like
    from nilearn.maskers import NiftiLabelsMasker

    labels = labels_to_nifti(rois.atlas.labels, rois.grid, "regions of interest")
    masker = NiftiLabelsMasker(labels, standardize=None, resampling_target=None, strategy="mean")
    image = series.to_nifti()
    if not np.isnan(series.array).any():
        return np.asarray(masker.fit_transform(image), np.float64)
    # nilearn writes 0 over NaN anywhere in the image, and a series is read-only: a copy is filled.
    filled = new_img_like(image, np.nan_to_num(series.array))
    means = np.asarray(masker.fit_transform(filled), np.float64)
    # With 0 for NaN the mean is too small, by the share of voxels that have a value.
    known = [~np.isnan(series.rows[:, part.mask.indices]) for part in rois]
    shares = np.stack([part.mean(axis=1) for part in known], axis=1)
    return np.divide(means, shares, out=np.full(means.shape, np.nan), where=shares > 0)


def load_in_rois(cohorts: tuple[Cohort, ...], rois: Rois) -> RoiValues:
    """Share of each region that is lesioned in each patient, in percent.

    Parameters
    ----------
    cohorts : tuple of Cohort
        On the grid of the regions; each is a group.
    rois : Rois

    Returns
    -------
    RoiValues
        Patients in the order of the cohorts.

    Raises
    ------
    InputError
        Where the grids differ, or there is no region.

    Examples
    --------
    >>> from lesion_dash import Threshold, find_rois, load_cohort, volume_stats
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> n = volume_stats(cohort, min_patients=1).n
    >>> rois = find_rois(Threshold(11).apply(n), n)
    >>> load_in_rois((cohort,), rois).values.shape == (40, len(rois))
    True
    """
    for cohort in cohorts:
        if not cohort.grid.matches(rois.grid):
            problem = f"are not on the grid of {cohort.name}: {rois.grid.difference(cohort.grid)}"
            raise InputError("regions of interest", problem, "make them from this cohort")
    loads = [lesion_load(cohort, rois.atlas) for cohort in cohorts]
    samples = tuple(patient.id for cohort in cohorts for patient in cohort.used)
    groups = tuple(cohort.name for cohort in cohorts for _ in cohort.used)
    values = 100 * np.concatenate([load.of_region for load in loads])
    return RoiValues(samples, groups, rois.names, values, "% of the region lesioned")
