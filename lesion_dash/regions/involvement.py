"""Which regions are lesioned in how many patients of a cohort, and how largely."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from ..atlas.levels import levels_of
from ..core.defaults import LEAST_PERCENT
from ..core.errors import InputError
from .load import LesionLoad

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "region_patients.csv"


@dataclass(frozen=True)
class RegionInvolvement:
    """How many patients of a cohort are lesioned in a region, and how largely.

    Parameters
    ----------
    label : int
    region, full_name, lobe, hemisphere : str
    patients : int
        Those with any lesioned voxel in the region: where its probability is not 0.
    percent_of_patients : float
        Of all patients of the cohort.
    patients_at_least : int
        Those of whom at least a stated share of the region is lesioned.
    max_patients_at_voxel : int
        The most patients that are lesioned at one voxel of the region.
    mean_percent_lesioned : float
        Mean, over the patients lesioned there, of the share of the region that is lesioned; NaN
        where nobody is. Of probabilities, a share of their sum.
    mean_volume_mm3 : float
        Mean of the lesioned volume of the region over the same patients.
    """

    label: int
    region: str
    full_name: str
    lobe: str
    hemisphere: str
    patients: int
    percent_of_patients: float
    patients_at_least: int
    max_patients_at_voxel: int
    mean_percent_lesioned: float
    mean_volume_mm3: float


@dataclass(frozen=True, eq=False)
class Involvement:
    """The regions of an atlas by the patients lesioned there.

    Parameters
    ----------
    load : LesionLoad
    least_percent : float
        The share of a region that `patients_at_least` counts.
    rows : tuple of RegionInvolvement
        Most patients first; of equally many, those with more at one voxel, then the larger share.
    """

    load: LesionLoad
    least_percent: float
    rows: tuple[RegionInvolvement, ...]

    @property
    def table(self) -> pd.DataFrame:
        """A row per region with the values of `RegionInvolvement`, and the least share."""
        import pandas as pd

        names = [field.name for field in fields(RegionInvolvement)]
        table = pd.DataFrame([vars(row) for row in self.rows], columns=names)
        place = names.index("patients_at_least") + 1
        table.insert(place, "least_percent", self.least_percent)
        return table


def region_involvement(load: LesionLoad, least_percent: float = LEAST_PERCENT) -> Involvement:
    """Count the patients lesioned in each region of an atlas, and measure how largely.

    A large region is lesioned in more patients than a small one, whatever the cause.

    Parameters
    ----------
    load : LesionLoad
    least_percent : float
        Of a region, above 0 and at most 100.

    Raises
    ------
    InputError
        Where `least_percent` is not such a share.

    Examples
    --------
    >>> from lesion_dash import lesion_load, load_atlas, load_cohort
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> rows = region_involvement(lesion_load(load_cohort("sample_data/cohort_a"), atlas)).rows
    >>> rows[0].patients >= rows[1].patients >= rows[1].max_patients_at_voxel
    True
    """
    if not 0 < least_percent <= 100:
        problem = f"is {least_percent}"
        raise InputError("least_percent", problem, "give a percentage above 0, 100 at most")
    cohort, regions = load.cohort, load.atlas.regions
    is_lesioned = load.voxels > 0
    patients = np.count_nonzero(is_lesioned, axis=0)
    of_region = 100 * np.nan_to_num(load.of_region)
    at_least = np.count_nonzero(of_region >= least_percent, axis=0)
    divisor = np.where(patients > 0, patients, np.nan)
    means = of_region.sum(axis=0) / divisor, load.volume_mm3.sum(axis=0) / divisor
    counts, maps = np.ravel(cohort.counts, order="F"), load.atlas.maps
    most = [
        int(counts[maps.indices[a:b][maps.data[a:b] > 0]].max(initial=0))
        for a, b in zip(maps.indptr[:-1], maps.indptr[1:], strict=True)
    ]
    rows = []
    for column, region in enumerate(regions):
        levels, count = levels_of(region), int(patients[column])
        rows.append(
            RegionInvolvement(
                region.label,
                region.name,
                levels.full_name,
                levels.lobe,
                levels.hemisphere,
                count,
                100 * count / cohort.n_patients,
                int(at_least[column]),
                most[column],
                float(means[0][column]),
                float(means[1][column]),
            )
        )
    rows.sort(key=_most_patients_first)
    return Involvement(load, least_percent, tuple(rows))


def _most_patients_first(row: RegionInvolvement) -> tuple[float, ...]:
    share = row.mean_percent_lesioned if row.patients else 0.0
    return -row.patients, -row.max_patients_at_voxel, -share, row.label
