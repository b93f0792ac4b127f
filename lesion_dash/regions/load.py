"""Lesion load: how much of each region every patient's lesion takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import OUTSIDE, Atlas
from ..atlas.levels import Levels, levels_of
from ..cohort.cohort import Cohort
from .counts import SUM_TOLERANCE, sum_notes

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse


Measure = Literal["region", "lesion", "mm3"]

MEASURES: dict[Measure, str] = {
    "region": "share of the region that is lesioned",
    "lesion": "share of the lesion in the region",
    "mm3": "lesioned volume in the region, mm³",
}
"""What a lesion load can be given as."""

FILE_NAMES: dict[Measure, str] = {
    "region": "lesion_load_region.csv",
    "lesion": "lesion_load_lesion.csv",
    "mm3": "lesion_load_mm3.csv",
}

_PIECE = 2**22  # arbitrary: voxel positions that are multiplied together, about 50 MB


@dataclass(frozen=True, eq=False)
class LesionLoad:
    """Patients x regions: how much of each region every lesion takes.

    Parameters
    ----------
    cohort : Cohort
        Rows are its used patients, in their order.
    atlas : Atlas
        On the cohort's grid; columns are its regions, in their order.
    voxels : array of float64, shape (patients, regions)
        Lesioned voxels of each region; the sum of its probabilities over the lesion, which for a
        labelled atlas is a whole number.
    outside : array of float64, shape (patients,)
        Voxels of the lesion outside the atlas: of each voxel, what the regions leave of 1.
    notes : tuple of str
        How the atlas was brought onto the cohort's grid, and what is unusual about it.

    Examples
    --------
    >>> from lesion_dash import lesion_load, load_atlas, load_cohort
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> load = lesion_load(load_cohort("sample_data/cohort_a"), atlas)
    >>> load.of_region.shape, float(load.volume_mm3.max())
    ((40, 62), 23656.0)
    >>> len(load.table) == 40 * (62 + 1)
    True
    """

    cohort: Cohort
    atlas: Atlas
    voxels: NDArray[np.float64]
    outside: NDArray[np.float64]
    notes: tuple[str, ...]

    @property
    def of_region(self) -> NDArray[np.float64]:
        """Share of each region that is lesioned, 0 to 1; NaN for a region without voxels."""
        return self.values("region")

    @property
    def of_lesion(self) -> NDArray[np.float64]:
        """Share of each lesion that lies in the region, 0 to 1; NaN for an empty mask."""
        return self.values("lesion")

    @property
    def volume_mm3(self) -> NDArray[np.float64]:
        """Lesioned volume of each region in mm³."""
        return self.values("mm3")

    def values(self, measure: Measure) -> NDArray[np.float64]:
        """One of `MEASURES`, shape (patients, regions)."""
        sizes = [self.atlas.sizes.get(region.label, 0) for region in self.atlas.regions]
        return self._as(measure, self.voxels, np.array(sizes, float))

    def outside_values(self, measure: Measure) -> NDArray[np.float64]:
        """The same outside the atlas, shape (patients,); NaN as a share of a region."""
        return self._as(measure, self.outside[:, None], np.zeros(1))[:, 0]

    def _as(self, measure: Measure, voxels: NDArray, sizes: NDArray) -> NDArray[np.float64]:
        """Voxels as one of `MEASURES`; NaN where there is nothing to divide by."""
        if measure == "mm3":
            return voxels * self.cohort.grid.voxel_volume
        whole = sizes if measure == "region" else self.cohort.volumes[:, None].astype(float)
        return np.divide(voxels, whole, out=np.full(voxels.shape, np.nan), where=whole > 0)

    @property
    def table(self) -> pd.DataFrame:
        """A row per patient and region, the one outside the atlas last of each patient.

        Columns: patient, label, region, full_name, lobe, voxels, volume_mm3, share_of_region,
        share_of_lesion; see `levels.Levels`.
        """
        import pandas as pd

        people, regions = self.cohort.used, self.atlas.regions
        labels = [*(region.label for region in regions), None]
        names = [*(region.name for region in regions), OUTSIDE]
        levels = [*map(levels_of, regions), Levels()]
        columns = {
            "patient": np.repeat([patient.id for patient in people], len(names)),
            "label": pd.Series(labels * len(people), dtype=object),
            "region": names * len(people),
            "full_name": [level.full_name for level in levels] * len(people),
            "lobe": [level.lobe for level in levels] * len(people),
            "voxels": np.column_stack([self.voxels, self.outside]).ravel(),
        }
        for name, measure in _COLUMNS.items():
            both = [self.values(measure), self.outside_values(measure)]
            columns[name] = np.column_stack(both).ravel()
        return pd.DataFrame(columns)

    def wide(self, measure: Measure) -> pd.DataFrame:
        """A row per patient and a column per region: one of `MEASURES`.

        Columns: patient, lesion_voxels, lesion_volume_mm3, then ``label_name`` for every region,
        and ``outside the atlas`` where the measure is defined there; those of the cohort's
        participants table come last.
        """
        import pandas as pd

        used = self.cohort.used_table
        own = pd.DataFrame(
            {
                "patient": used["patient"],
                "lesion_voxels": self.cohort.volumes,
                "lesion_volume_mm3": self.cohort.volumes * self.cohort.grid.voxel_volume,
            }
        )
        names = [f"{region.label}_{region.name}" for region in self.atlas.regions]
        loads = pd.DataFrame(self.values(measure), columns=names)
        if measure != "region":
            loads[OUTSIDE] = self.outside_values(measure)
        people = used.drop(columns=list(self.cohort.files_table.columns))
        return pd.concat([own, loads, people], axis=1)


_COLUMNS: dict[str, Measure] = {
    "volume_mm3": "mm3",
    "share_of_region": "region",
    "share_of_lesion": "lesion",
}


def lesion_load(cohort: Cohort, atlas: Atlas) -> LesionLoad:
    """Measure how much of each region every patient's lesion takes.

    The lesions as a matrix patients x voxels of 0 and 1 times the atlas as one of voxels x regions
    of probabilities (1 in the voxels of a labelled region).

    Parameters
    ----------
    cohort : Cohort
        Its grid is the one that counts; multiplied in blocks of patients, so that its voxel
        positions may lie on disk.
    atlas : Atlas
        Brought onto the cohort's grid where it is on another one; see their `on_grid`.

    Returns
    -------
    LesionLoad

    Raises
    ------
    InputError
        Where cohort and atlas do not overlap in space.

    Examples
    --------
    >>> from lesion_dash import load_atlas, load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> load = lesion_load(cohort, load_atlas("sample_data/atlas/synthetic_atlas.nii.gz"))
    >>> load.of_region.shape
    (40, 62)
    >>> bool((load.voxels.sum(axis=1) + load.outside == cohort.volumes).all())
    True
    """
    local = atlas.on_grid(cohort.grid)
    chances = local.maps.tocsr()
    sums = np.asarray(chances.sum(axis=1)).ravel()
    covered = np.minimum(sums, 1.0)
    voxels, outside = [np.empty((0, len(local.regions)))], [np.empty(0)]
    for lesions in _blocks(cohort):
        voxels.append((lesions @ chances).toarray())
        # Probabilities that sum to 1 leave nothing, but for the last bits of their sum.
        outside.append(np.maximum(lesions.sum(axis=1) - lesions @ covered, 0))
    crowded = int((sums > 1 + SUM_TOLERANCE).sum())
    notes = (
        *local.notes,
        *sum_notes(crowded, "loads of a lesion there add up to more than the lesion"),
    )
    return LesionLoad(cohort, local, np.concatenate(voxels), np.concatenate(outside), notes)


def _blocks(cohort: Cohort) -> Iterator[sparse.csr_array]:
    """The cohort as matrices patients x voxels, some patients at a time."""
    from scipy import sparse

    ends = np.cumsum(cohort.volumes)
    first = 0
    while first < cohort.n_patients:
        before = ends[first] - cohort.volumes[first]
        last = max(int(np.searchsorted(ends, before + _PIECE, side="right")), first + 1)
        indices = np.concatenate([cohort.voxels(patient) for patient in range(first, last)])
        starts = np.append(0, ends[first:last] - before).astype(np.int32)
        yield sparse.csr_array(
            (np.ones(indices.size), indices, starts), shape=(last - first, cohort.grid.size)
        )
        first = last
