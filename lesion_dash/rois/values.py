"""Regions of interest, and the values in each: signal of each volume, or lesion load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas, LabelAtlas
from ..atlas.formats import Region
from ..atlas.places import NamedPlace, name_place
from ..cohort.cohort import Cohort
from ..core.defaults import (
    CLUSTER_CONNECTIVITY,
    MIN_ROI_MM3,
    MIN_ROI_VOXELS,
    THRESHOLD_SIDE,
    Connectivity,
    ThresholdSide,
)
from ..core.errors import InputError
from ..core.field_of_view import fields_of_view
from ..core.grid import Grid
from ..images.events import NONE, Conditions
from ..images.maps import Map, labels_to_nifti
from ..images.masks import Mask
from ..images.series import Series
from ..regions.load import lesion_load
from ..stats.components import Component, find_components
from .steps import check_side

if TYPE_CHECKING:
    import pandas as pd


COLUMNS = (
    *("index", "name", "voxels", "volume_mm3", "peak_value", "peak_x_mm", "peak_y_mm", "peak_z_mm"),
    *("x_mm", "y_mm", "z_mm", "region", "region_full_name", "region_lobe"),
    *("nearest_region", "nearest_mm"),
)


@dataclass(frozen=True, eq=False)
class Roi:
    """One region of interest.

    Parameters
    ----------
    number : int
        From 1; its label in `Rois.atlas`.
    mask : Mask
    peak_mm : array of float64, shape (3,)
        Where the map is farthest beyond its threshold, (x, y, z) in mm; of several such voxels the
        one nearest to the middle.
    peak_value : float
        The map there; NaN where the map has no value in the region.
    centre_mm : array of float64, shape (3,)
        Centre of mass, every voxel counting the same, (x, y, z) in mm. It may lie outside.
    place : NamedPlace
        The region of an atlas at the peak; empty without an atlas.
    """

    number: int
    mask: Mask
    peak_mm: NDArray[np.float64]
    peak_value: float
    centre_mm: NDArray[np.float64]
    place: NamedPlace

    @property
    def name(self) -> str:
        """Such as ``ROI 1``."""
        return f"ROI {self.number}"

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return self.mask.voxels

    @property
    def volume_mm3(self) -> float:
        """Volume in mm³."""
        return self.mask.volume_mm3

    @property
    def row(self) -> tuple[object, ...]:
        """What `Rois.table` says of it: `COLUMNS`."""
        place = (*self.peak_mm.tolist(), *self.centre_mm.tolist())
        size = (self.voxels, self.volume_mm3)
        named = astuple(self.place)
        return (self.number, self.name, *size, self.peak_value, *place, *named)


@dataclass(frozen=True, eq=False)
class Rois:
    """Regions of interest on one grid.

    Parameters
    ----------
    name : str
        Of the map they were found in.
    grid : Grid
    parts : tuple of Roi
        In the order of their numbers, which is from the largest to the smallest.
    notes : tuple of str
        What was unusual about the masks, how many parts were too small, and how the atlas was
        brought onto the grid.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map
    >>> from lesion_dash.rois import Threshold, find_rois
    >>> values = np.zeros((6, 3, 3))
    >>> values[:2, 1, 1], values[4, 1, 1] = (4, 3), 9
    >>> stat_map = Map("t", values, Grid((6, 3, 3), np.diag([2.0, 2, 2, 1])), "", "")
    >>> rois = find_rois(Threshold(2).apply(stat_map), stat_map)
    >>> rois.names, rois.mask.voxels, rois.pick([2]).names
    (('ROI 1', 'ROI 2'), 3, ('ROI 2',))
    """

    name: str
    grid: Grid
    parts: tuple[Roi, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Roi]:
        return iter(self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of `parts`."""
        return tuple(part.name for part in self.parts)

    @cached_property
    def mask(self) -> Mask:
        """All of them together."""
        every = [np.zeros(0, np.int32), *(part.mask.indices for part in self.parts)]
        return Mask(self.grid, np.sort(np.concatenate(every)), self.name)

    @property
    def table(self) -> pd.DataFrame:
        """A row each: number, name, voxels, mm³, peak (value, mm), centre of mass, region.

        The region is that of the peak; outside the atlas, the nearest one and its distance tell.
        """
        import pandas as pd

        return pd.DataFrame([part.row for part in self.parts], columns=list(COLUMNS))

    @cached_property
    def atlas(self) -> LabelAtlas:
        """The regions as a labelled atlas; a voxel's label is the number of its region.

        Raises
        ------
        InputError
            Where there is no region.
        """
        if not self.parts:
            remedy = "lower the threshold, or leave out a step"
            raise InputError(self.name, "there is no region of interest", remedy)
        labels = np.zeros(self.grid.size, np.int32)
        for part in self.parts:
            labels[part.mask.indices] = part.number
        labels.setflags(write=False)
        array = labels.reshape(self.grid.shape, order="F")
        regions = tuple(Region(part.number, part.name) for part in self.parts)
        return LabelAtlas("mask_atlas", self.grid, array, regions)

    def pick(self, numbers: Sequence[int]) -> Rois:
        """Some of the regions; they keep their numbers.

        Raises
        ------
        InputError
            Where a number is none of them.
        """
        known = [part.number for part in self.parts]
        if unknown := [number for number in numbers if number not in known]:
            choices = f"choose from {', '.join(map(str, known[:12]))}"
            remedy = choices if known else "nothing is beyond the threshold"
            raise InputError(self.name, f"has no region of interest {unknown[0]}", remedy)
        return replace(self, parts=tuple(part for part in self.parts if part.number in numbers))


def find_rois(
    mask: Mask,
    stat_map: Map,
    *,
    side: ThresholdSide = THRESHOLD_SIDE,
    connectivity: Connectivity = CLUSTER_CONNECTIVITY,
    min_voxels: int = MIN_ROI_VOXELS,
    min_mm3: float = MIN_ROI_MM3,
    atlas: Atlas | None = None,
) -> Rois:
    """Separate a mask into its connected parts.

    Parameters
    ----------
    mask : Mask
    stat_map : Map
        The map the mask was made from, on its grid.
    side : {"above", "below", "both"}
        Of the threshold the mask was made with: where the map is highest, lowest, or farthest from
        0 is the peak of a part. Voxels without a value (NaN), which dilation may add, are not peak.
    connectivity : {6, 18, 26}
        Voxels of one part share a face, an edge too, or a corner too.
    min_voxels : int
        Parts of fewer voxels are left out.
    min_mm3 : float
        And so are those of a smaller volume.
    atlas : Atlas, optional
        To name the region at each peak.

    Returns
    -------
    Rois
        Numbered from 1, the largest first; of equally large ones the one whose first voxel comes
        first in the file, the first axis fastest.

    Raises
    ------
    InputError
        Where mask and map are not on one grid, or an argument is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map
    >>> from lesion_dash.rois import Threshold
    >>> values = np.zeros((6, 3, 3))
    >>> values[:2, 1, 1], values[4, 1, 1] = (4, 3), 9
    >>> stat_map = Map("t", values, Grid((6, 3, 3), np.diag([2.0, 2, 2, 1])), "", "")
    >>> rois = find_rois(Threshold(2).apply(stat_map), stat_map)
    >>> rois.table[["index", "voxels", "volume_mm3", "peak_value", "peak_x_mm"]].values.tolist()
    [[1.0, 2.0, 16.0, 4.0, 0.0], [2.0, 1.0, 8.0, 9.0, 8.0]]
    """
    if not mask.grid.matches(stat_map.grid):
        problem = f"is not on the grid of the map: {mask.grid.difference(stat_map.grid)}"
        raise InputError(mask.name, problem, "resample both to one grid")
    check_side(side)
    if min_voxels < 1:
        raise InputError("min voxels", f"is {min_voxels}", "give a number of at least 1")
    components = find_components(mask, 0.0, "positive", connectivity, min_voxels - 1, min_mm3)
    ordered = sorted(components, key=lambda part: (-part.voxels, int(part.indices[0])))
    local = atlas.on_grid(mask.grid) if atlas is not None and ordered else None
    flat = np.ravel(stat_map.array, order="F")
    parts = tuple(
        _describe(number, part, flat[part.indices].astype(np.float64), side, local)
        for number, part in enumerate(ordered, 1)
    )
    how = local.notes if local is not None else ()
    return Rois(mask.name, mask.grid, parts, (*components.notes, *how))


def _describe(
    number: int,
    part: Component,
    values: NDArray[np.float64],
    side: ThresholdSide,
    atlas: Atlas | None,
) -> Roi:
    heights = {"above": values, "below": -values, "both": np.abs(values)}[side]
    # A voxel without a value is not a peak, unless there is no other.
    heights = np.where(np.isnan(heights), -np.inf, heights)
    peak = Component(number, 1, part.grid, part.indices, heights)
    value = float(values[np.searchsorted(part.indices, peak.peak_index)])
    mask = Mask(part.grid, part.indices, f"ROI {number}")
    place = name_place(atlas, peak.peak_mm)
    return Roi(number, mask, peak.peak_mm, value, peak.centroid_mm, place)


# Values per region of interest: the mean signal of each volume, or the lesion load.


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

    Examples
    --------
    >>> from lesion_dash import load_cohort, volume_stats
    >>> from lesion_dash.rois import Threshold, find_rois, load_in_rois
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> n = volume_stats(cohort, min_patients=1).n
    >>> rois = find_rois(Threshold(11).apply(n), n, min_voxels=10)
    >>> values = load_in_rois((cohort,), rois)
    >>> values.unit
    '% of the region lesioned'
    >>> values.summary.round(1)
         roi     group   n  mean    sd  median
    0  ROI 1  cohort_a  40  30.8  42.7     0.0
    1  ROI 2  cohort_a  40  30.0  46.4     0.0
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
    >>> from lesion_dash.rois import SeriesSource, RoiRecipe, Threshold, run_recipe
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
    fractions = np.stack([part.mean(axis=1) for part in known], axis=1)
    return np.divide(means, fractions, out=np.full(means.shape, np.nan), where=fractions > 0)


def load_in_rois(cohorts: tuple[Cohort, ...], rois: Rois) -> RoiValues:
    """Share of each region that is lesioned in each patient, in percent.

    Parameters
    ----------
    cohorts : tuple of Cohort
        On the grid of the regions, or on one whose voxels coincide; each is a group. Of a region
        that reaches beyond the field of view of a cohort, the part within it counts.
    rois : Rois

    Returns
    -------
    RoiValues
        Patients in the order of the cohorts.

    Raises
    ------
    InputError
        Where voxels of the grids do not coincide, or there is no region.

    Examples
    --------
    >>> from lesion_dash import load_cohort, volume_stats
    >>> from lesion_dash.rois import Threshold, find_rois
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> n = volume_stats(cohort, min_patients=1).n
    >>> rois = find_rois(Threshold(11).apply(n), n)
    >>> load_in_rois((cohort,), rois).values.shape == (40, len(rois))
    True
    """
    for cohort in cohorts:
        fields_of_view(cohort.grid, rois.grid, "regions of interest", cohort.name)
    loads = [lesion_load(cohort, rois.atlas) for cohort in cohorts]
    samples = tuple(patient.id for cohort in cohorts for patient in cohort.used)
    groups = tuple(cohort.name for cohort in cohorts for _ in cohort.used)
    values = 100 * np.concatenate([load.of_region for load in loads])
    return RoiValues(samples, groups, rois.names, values, "% of the region lesioned")
