"""Differences of two cohorts in each region: who is lesioned there, and how largely."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import OUTSIDE, Atlas
from ..cohort.cohort import Cohort, check_min_patients
from ..core.defaults import MIN_PATIENTS
from ..core.field_of_view import FieldsOfView
from ..core.grid import Grid
from ..core.text import counted
from ..images.masks import Mask
from ..stats.differences import cohort_differences
from .counts import is_missed, middle_of, parts_of, probabilities_in
from .load import LesionLoad, lesion_load

if TYPE_CHECKING:
    import pandas as pd


FILE_NAME = "region_differences.csv"

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class RegionDifferences:
    """What cohort A has more of than cohort B, region by region; negative where B has more.

    A patient is lesioned in a region where any voxel of the lesion lies in it: in one of
    probabilities, where it is not 0.

    Parameters
    ----------
    names : tuple of str
        Of A and of B.
    sizes : tuple of int
        Patients of A and of B.
    min_patients : int
        Volumes are compared where at least this many patients of A, and of B, are lesioned.
    labels : tuple of int or None
        Of the regions, in the order of the atlas; the last is None, outside the atlas.
    regions : tuple of str
    n : tuple of array of int64, shape (regions,)
        Patients of A and of B lesioned there.
    means : tuple of array of float64, shape (regions,)
        Mean of their total lesion volumes in mm³, NaN where there is none.
    places : array of float64, shape (regions, 3)
        Where most patients of A and B together are lesioned in the region, in mm; NaN where none
        is. In a region of probabilities, patients times probability; of several such voxels, the
        one nearest to their middle.
    probabilistic : bool
        Whether the regions are maps of probabilities.
    notes : tuple of str
        How the atlas was brought onto the grids, and what is unusual about the pair.
    """

    names: tuple[str, str]
    sizes: tuple[int, int]
    min_patients: int
    labels: tuple[int | None, ...]
    regions: tuple[str, ...]
    n: tuple[NDArray[np.int64], NDArray[np.int64]]
    means: Pair
    places: NDArray[np.float64]
    probabilistic: bool
    notes: tuple[str, ...] = ()

    @property
    def percent(self) -> Pair:
        """Share of the patients of A, and of B, lesioned in each region."""
        a, b = (100 * n / size for n, size in zip(self.n, self.sizes, strict=True))
        return a, b

    @property
    def points(self) -> NDArray[np.float64]:
        """Per cent of A minus per cent of B, in percentage points."""
        return self.percent[0] - self.percent[1]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean volume of A minus that of B in mm³; NaN where A or B has too few patients."""
        enough = np.minimum(*self.n) >= self.min_patients
        return np.where(enough, self.means[0] - self.means[1], np.nan)

    @property
    def table(self) -> pd.DataFrame:
        """One row per region: patients and their mean total lesion volume, in A, in B, and A - B.

        The names and sizes of A and B and the minimum of patients are the same in every row.
        """
        import pandas as pd

        columns: dict[str, object] = {
            "label": pd.Series(self.labels, dtype=object),
            "region": self.regions,
        }
        for side, n, percent in zip("ab", self.n, self.percent, strict=True):
            columns |= {f"patients_{side}": n, f"percent_{side}": percent}
        columns["difference_percentage_points"] = self.points
        for side, mean in zip("ab", self.means, strict=True):
            columns[f"mean_volume_{side}_mm3"] = mean
        columns["difference_mean_volume_mm3"] = self.mean
        columns |= dict(zip(("x_mm", "y_mm", "z_mm"), self.places.T, strict=True))
        for side, name, size in zip("ab", self.names, self.sizes, strict=True):
            columns |= {f"cohort_{side}": name, f"of_{side}": size}
        columns["min_patients"] = self.min_patients
        return pd.DataFrame(columns)


def region_differences(
    a: Cohort, b: Cohort, atlas: Atlas, min_patients: int = MIN_PATIENTS
) -> RegionDifferences:
    """Subtract one cohort from another in each region: how many are lesioned, and how largely.

    With n the patients with any lesioned voxel in a region, N those of the cohort and v their
    total lesion volumes, of which the region holds but a part: 100 (n_A / N_A - n_B / N_B) in
    percentage points, and mean(v_A) - mean(v_B) in mm³, where n_A and n_B are at least
    `min_patients`. Exchanging A and B turns every sign, and no bit else.

    This describes; it tests nothing. A large region is lesioned in more patients than a small one,
    and so it is by larger lesions.

    Parameters
    ----------
    a, b : Cohort
        On one grid, or on grids whose voxels coincide, as for `cohort_differences`. A note tells
        which regions reach beyond the field of view of one: its patients lesioned there are not
        known.
    atlas : Atlas
        Brought onto the grid of each cohort, as `lesion_load` does.
    min_patients : int
        Volumes are compared where at least this many patients of each cohort are lesioned.

    Returns
    -------
    RegionDifferences

    Raises
    ------
    InputError
        Where voxels of the two grids do not coincide, where cohort and atlas do not overlap in
        space, or `min_patients` is not a whole number of at least 1.

    Examples
    --------
    >>> from lesion_dash import load_atlas, load_cohort
    >>> a, b = (load_cohort(f"sample_data/cohort_{side}") for side in "ab")
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> table = region_differences(a, b, atlas).table
    >>> len(table), table["region"].iloc[-1]
    (63, 'outside the atlas')
    """
    min_patients = check_min_patients(min_patients)
    voxelwise = cohort_differences(a, b, min_patients)
    loads = lesion_load(a, atlas), lesion_load(b, atlas)
    local = atlas.on_grid(voxelwise.grid)
    (n_a, mean_a), (n_b, mean_b) = map(_lesioned, loads)
    together = (voxelwise.n[0] + voxelwise.n[1]).astype(np.float64)
    beyond = _beyond_fields(local, voxelwise.fields)
    notes = dict.fromkeys((*voxelwise.notes, *beyond, *loads[0].notes, *loads[1].notes))
    return RegionDifferences(
        names=voxelwise.names,
        sizes=voxelwise.sizes,
        min_patients=min_patients,
        labels=(*(region.label for region in local.regions), None),
        regions=(*(region.name for region in local.regions), OUTSIDE),
        n=(n_a, n_b),
        means=(mean_a, mean_b),
        places=_places(local, voxelwise.indices, together),
        probabilistic=atlas.is_probabilistic,
        notes=tuple(notes),
    )


def _beyond_fields(atlas: Atlas, fields: FieldsOfView) -> tuple[str, ...]:
    """Which regions reach to where A, or B, has no data."""
    if fields.is_one:
        return ()
    notes = []
    for name, field in (("A", fields.a), ("B", fields.b)):
        is_seen = fields.seen(field, np.arange(fields.grid.size))
        is_beyond = [
            not is_seen[atlas.maps.indices[a:b]].all() for a, b in pairwise(atlas.maps.indptr)
        ]
        regions = [region.name for region, cut in zip(atlas.regions, is_beyond, strict=True) if cut]
        if regions:
            which = (
                f"{len(regions)} of {counted(len(atlas.regions), 'region')}, such as {regions[0]},"
            )
            where = f"beyond {name}'s field of view: its patients lesioned there are not known"
            notes.append(f"{which} {'reaches' if len(regions) == 1 else 'reach'} {where}")
    return tuple(notes)


def _lesioned(load: LesionLoad) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Patients of each region, the last outside the atlas, and their mean volume in mm³."""
    is_lesioned = np.column_stack([load.voxels > 0, _reach_outside(load)])
    n = np.count_nonzero(is_lesioned, axis=0)
    volumes = load.cohort.volumes @ is_lesioned.astype(np.int64)  # whole numbers of voxels
    mean = np.divide(volumes, n, out=np.full(n.size, np.nan), where=n > 0)
    return n, mean * load.cohort.grid.voxel_volume


def _reach_outside(load: LesionLoad) -> NDArray[np.bool_]:
    """Whether any voxel of each lesion is one where no region is possible."""
    cohort, is_inside = load.cohort, load.atlas.is_inside
    lesions = map(cohort.voxels, range(cohort.n_patients))
    return np.array([not is_inside[lesion].all() for lesion in lesions], bool)


def _places(
    atlas: Atlas, indices: NDArray[np.int32], patients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where most patients are lesioned in each region, and outside the atlas."""
    inside = probabilities_in(Mask(atlas.grid, indices, "lesioned"), atlas)
    # Of probabilities, a voxel counts as much as it is likely to belong to the region.
    rows = [
        _highest(atlas.grid, indices[voxels], patients[voxels] * likely)
        for voxels, likely in parts_of(inside)
    ]
    missed = is_missed(inside)
    return np.array([*rows, _highest(atlas.grid, indices[missed], patients[missed])])


def _highest(
    grid: Grid, indices: NDArray[np.int32], values: NDArray[np.float64]
) -> tuple[float, float, float]:
    """The place (mm) of the highest value; of several, the one nearest to their middle."""
    highest = indices[values == values.max(initial=0)]
    return middle_of(grid, highest, np.ones(highest.size))
