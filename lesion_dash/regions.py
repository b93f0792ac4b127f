"""How many voxels of a binary map lie in each region of an atlas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .atlas import OUTSIDE, LabelAtlas
from .grid import Grid
from .images import Mask, MaskLike, as_mask

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "region_counts.csv"

COLUMNS = (
    "label",
    "region",
    "voxels",
    "volume_mm3",
    "percent_of_map",
    "percent_of_region",
    "x_mm",
    "y_mm",
    "z_mm",
)


@dataclass(frozen=True, eq=False)
class RegionCounts:
    """A binary map counted region by region.

    Parameters
    ----------
    map_name, atlas_name : str
    map_voxels : int
        Voxels of the map; the column ``voxels`` adds up to it.
    rows : tuple of tuple
        In the order of `COLUMNS`, largest first, regions without a voxel of the map included; the
        last row is what lies outside the atlas.
    notes : tuple of str
        How the atlas was brought onto the map's grid, and what is unusual about it.
    """

    map_name: str
    atlas_name: str
    map_voxels: int
    rows: tuple[tuple[int, str, int, float, float, float, float, float, float], ...]
    notes: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """A row per region.

        ``voxels`` and ``volume_mm3`` of the map in the region; ``percent_of_map`` and
        ``percent_of_region`` (the region's size on the map's grid; NaN outside the atlas);
        ``x_mm, y_mm, z_mm``, a voxel of the map in the region near the middle of both.
        """
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=list(COLUMNS))


def count_regions(mask: MaskLike, atlas: LabelAtlas) -> RegionCounts:
    """Count the voxels of a binary map in each region of an atlas.

    Parameters
    ----------
    mask : Mask, path or nibabel image
        The map; its grid is the one that counts.
    atlas : LabelAtlas
        Brought onto the map's grid where it is on another one; see `LabelAtlas.on_grid`.

    Returns
    -------
    RegionCounts

    Raises
    ------
    InputError
        Where map and atlas do not overlap in space.

    Examples
    --------
    >>> from lesion_dash import load_atlas, load_cohort
    >>> mask = load_cohort("sample_data/cohort_a").at_least(5)
    >>> counts = count_regions(mask, load_atlas("sample_data/atlas/synthetic_atlas.nii.gz"))
    >>> int(counts.table["voxels"].sum()) == mask.voxels
    True
    """
    mask = as_mask(mask)
    local = atlas.on_grid(mask.grid)
    labels = np.ravel(local.labels, order="F")[mask.indices]
    found, counts = np.unique(labels, return_counts=True)
    voxels = dict(zip(found.tolist(), counts.tolist(), strict=True))
    places = _middle_voxels(mask.grid, mask.indices, labels, found)
    regions = [(region.label, region.name) for region in local.regions]
    inside = sorted(regions, key=lambda region: (-voxels.get(region[0], 0), region[0]))
    rows = tuple(
        _row(label, name, voxels.get(label, 0), mask, local.sizes.get(label, 0), places)
        for label, name in [*inside, (0, OUTSIDE)]
    )
    return RegionCounts(mask.name, atlas.name, mask.voxels, rows, local.notes)


def _row(
    label: int, name: str, voxels: int, mask: Mask, size: int, places: dict[int, NDArray]
) -> tuple[int, str, int, float, float, float, float, float, float]:
    nothing = float("nan")
    of_map = 100 * voxels / mask.voxels if mask.voxels else 0.0
    of_region = 100 * voxels / size if size and label else nothing
    x, y, z = places.get(label, (nothing,) * 3)
    volume = voxels * mask.grid.voxel_volume
    return label, name, voxels, volume, of_map, of_region, float(x), float(y), float(z)


def _middle_voxels(
    grid: Grid, indices: NDArray[np.int32], labels: NDArray, found: NDArray
) -> dict[int, NDArray]:
    """For each label, the voxel nearest to the mean of its voxels, in mm.

    The mean itself may lie outside a bent or two-sided region.
    """
    places = grid.mm_of_index(indices)
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], found, side="right")
    middles = {}
    for label, own in zip(found.tolist(), np.split(order, bounds[:-1]), strict=False):
        distance = np.linalg.norm(places[own] - places[own].mean(axis=0), axis=1)
        middles[label] = places[own[np.argmin(distance)]]
    return middles
