"""The patients lesioned in a region, by how much of it their lesions take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..cohort.cohort import Cohort
from ..plotting.figures import ML
from ..regions.counts import RegionCount, RegionCounts, middle_of
from ..regions.load import LesionLoad
from .patients_at_voxel import PatientsAtVoxel, volumes_ml
from .places import Mm

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class RegionPatients(PatientsAtVoxel):
    """Who is lesioned in a region, the highest lesion load first.

    Parameters
    ----------
    of_region, of_lesion : array of float64, shape (patients here,)
        Share of the region that is lesioned, and of the lesion that lies in the region, 0 to 1.
    in_region_ml : array of float64
        Lesioned volume of the region.
    is_expected : bool
        Whether these are sums of a region's probabilities.
    """

    of_region: NDArray[np.float64]
    in_region_ml: NDArray[np.float64]
    of_lesion: NDArray[np.float64]
    is_expected: bool


def find_in_region(load: LesionLoad, table: pd.DataFrame, label: int) -> RegionPatients:
    """The patients of whose lesions any part lies in a region.

    Parameters
    ----------
    load : LesionLoad
        Of the cohort and the atlas.
    table : DataFrame
        The cohort's `used_table`, which takes long to make.
    label : int
        Of the region.
    """
    column = [region.label for region in load.atlas.regions].index(label)
    order = np.argsort(-load.voxels[:, column], kind="stable")
    rows = order[load.voxels[order, column] > 0]
    volumes = volumes_ml(load.cohort)
    return RegionPatients(
        load.cohort.name,
        f"in {load.atlas.regions[column].name}",
        table.iloc[rows],
        volumes[rows],
        volumes,
        load.of_region[rows, column],
        load.volume_mm3[rows, column] / ML,
        load.of_lesion[rows, column],
        load.atlas.is_probabilistic,
    )


def peak_mm(counts: RegionCounts, row: RegionCount, cohorts: list[Cohort]) -> Mm:
    """The place (mm) in a region where most patients are lesioned, among the voxels of a map.

    In an atlas of probabilities, where patients times probability is largest; of several voxels,
    the one nearest to the middle of the map in the region.

    Parameters
    ----------
    counts : RegionCounts
    row : RegionCount
        Of the region, with a voxel of the map.
    cohorts : list of Cohort
        On the map's grid; their patients are added up.
    """
    labels: list[int | None] = [region.label for region in counts.atlas.regions]
    column = labels.index(row.label)
    maps, mask = counts.atlas.maps, counts.mask
    part = slice(*maps.indptr[column : column + 2])
    # Column indices of a probabilistic atlas need not be in order.
    indices, _, at = np.intersect1d(mask.indices, maps.indices[part], return_indices=True)
    patients = sum(np.ravel(cohort.counts, order="F")[indices] for cohort in cohorts)
    weights = patients * maps.data[part][at]
    places = mask.grid.mm_of_index(indices[weights == weights.max()])
    middle = middle_of(mask.grid, indices, maps.data[part][at])
    x, y, z = places[np.argmin(np.linalg.norm(places - middle, axis=1))].tolist()
    return x, y, z
