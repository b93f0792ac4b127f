"""Probabilistic atlases: how likely each voxel belongs to each region."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..grid import Grid
from ..label_tables import Region
from .extent import check_boxes_meet
from .labelled import OUTSIDE

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse

_ROUNDING = 1e-9
"""Interpolated values below this share of the largest one are what rounding left of a 0."""


@dataclass(frozen=True, eq=False)
class ProbabilityAtlas:
    """A map of probabilities for every region; maps may overlap.

    Parameters
    ----------
    name : str
    grid : Grid
    maps : sparse array of float64, shape (voxels of the grid, regions), by columns
        Probabilities between 0 and 1; voxels with the first axis fastest.
    regions : tuple of Region
        Of each column, in order.
    notes : tuple of str
        What is unusual about the images or their table, the scale that was found (0 to 1 or
        percent), and how the maps were brought onto their grid.
    sources : dict
        SHA-256 of images and label table, by path.
    """

    name: str
    grid: Grid
    maps: sparse.csc_array
    regions: tuple[Region, ...]
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> dict[int, str]:
        """Label to name."""
        return {region.label: region.name for region in self.regions}

    @cached_property
    def sizes(self) -> dict[int, float]:
        """Expected voxels of each region on this grid: the sum of its probabilities."""
        sums = np.asarray(self.maps.sum(axis=0)).ravel()
        return {region.label: float(size) for region, size in zip(self.regions, sums, strict=True)}

    @cached_property
    def voxel_counts(self) -> list[int]:
        """Voxels where each region is possible, in the order of the regions."""
        counts: list[int] = self.maps.count_nonzero(axis=0).tolist()
        return counts

    @property
    def table(self) -> pd.DataFrame:
        """A row per region: label, region, expected voxels on this grid, the table's columns."""
        import pandas as pd

        rows = [
            {
                "label": region.label,
                "region": region.name,
                "expected_voxels": self.sizes[region.label],
            }
            | region.extra
            for region in self.regions
        ]
        return pd.DataFrame(rows, columns=None if rows else ["label", "region", "expected_voxels"])

    def region_at(self, mm: ArrayLike) -> str:
        """Name of the likeliest region at a world point in mm."""
        voxel = self.grid.nearest_voxel(mm)
        if voxel is None:
            return OUTSIDE
        row = self._by_rows[[self.grid.linear_index(voxel)]]
        return self.regions[row.indices[np.argmax(row.data)]].name if row.nnz else OUTSIDE

    @cached_property
    def _by_rows(self) -> sparse.csr_array:
        return self.maps.tocsr()

    def on_grid(self, grid: Grid) -> ProbabilityAtlas:
        """Bring the maps onto a grid by linear interpolation in world coordinates.

        Where every voxel of the grid is one of the atlas's, as in a mirrored or permuted copy,
        the values are taken as they are.

        Raises
        ------
        InputError
            Where the atlas does not overlap the grid.
        """
        return _on_grid(self, grid)


@lru_cache(maxsize=8)
def _on_grid(atlas: ProbabilityAtlas, grid: Grid) -> ProbabilityAtlas:
    from scipy import sparse

    if atlas.grid.matches(grid):
        return atlas
    check_boxes_meet(atlas.name, atlas.grid, grid)
    bounds = atlas.maps.indptr.tolist()
    columns = [
        resample_sparse(atlas.maps.indices[a:b], atlas.maps.data[a:b], atlas.grid, grid)
        for a, b in pairwise(bounds)
    ]
    maps = sparse.csc_array(
        (
            np.concatenate([values for _, values in columns]),
            np.concatenate([rows for rows, _ in columns]),
            np.cumsum([0, *(rows.size for rows, _ in columns)]),
        ),
        shape=(grid.size, len(columns)),
    )
    return replace(atlas, grid=grid, maps=maps, notes=(*atlas.notes, _how(atlas.grid, grid)))


def resample_sparse(
    indices: NDArray[np.integer], values: NDArray[np.float64], own: Grid, grid: Grid
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Bring values at some voxels onto another grid by linear interpolation, 0 elsewhere.

    Parameters
    ----------
    indices : array of int, shape (voxels,)
        Linear positions on the grid `own`, the first axis fastest.
    values : array of float64, shape (voxels,)
    own, grid : Grid

    Returns
    -------
    indices : array of int32, ascending, on `grid`
    values : array of float64, not zero; nor below a billionth of the largest given value, so that
        rounding does not decide which voxels have one
    """
    from scipy.ndimage import affine_transform

    nothing = np.empty(0, np.int32), np.empty(0)
    if not len(indices):
        return nothing
    places = np.stack(np.unravel_index(indices, own.shape, order="F"))
    low, high = places.min(axis=1) - 1, places.max(axis=1) + 1
    box = np.zeros(high - low + 1)
    box[tuple(places - low[:, None])] = values
    first, last = _box_on(own, grid, low, high)
    if np.any(last < first):
        return nothing
    steps = _steps(grid, own)
    offset = steps[:3, :3] @ first + steps[:3, 3] - low
    found = affine_transform(
        box, steps[:3, :3], offset, tuple(last - first + 1), order=1, prefilter=False
    )
    found[np.abs(found) < _ROUNDING * np.abs(values).max()] = 0
    kept = np.nonzero(found.transpose(2, 1, 0))[::-1]
    rows = np.ravel_multi_index(
        tuple(axis + start for axis, start in zip(kept, first, strict=True)), grid.shape, order="F"
    )
    return rows.astype(np.int32), found[kept]


def _steps(grid: Grid, own: Grid) -> NDArray[np.float64]:
    """Takes voxels of `grid` to those of `own`; whole numbers where voxel centres coincide."""
    steps = np.linalg.inv(own.affine) @ grid.affine
    return np.rint(steps) if grid.exact_steps(own) is not None else steps


def _box_on(
    own: Grid, grid: Grid, low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last voxel on `grid` of what a box of voxels on `own` can reach."""
    corners = grid.to_voxel(own.to_mm(list(product(*zip(low, high, strict=True)))))
    first = np.ceil(corners.min(axis=0) - 1e-6).astype(np.int64)
    last = np.floor(corners.max(axis=0) + 1e-6).astype(np.int64)
    return np.maximum(first, 0), np.minimum(last, np.array(grid.shape) - 1)


def _how(own: Grid, grid: Grid) -> str:
    if own.exact_steps(grid) is not None and own.size == grid.size:
        return f"atlas reoriented from {own} onto the map's grid ({grid}): no value changes"
    return (
        f"probability maps resampled from {own} onto the map's grid ({grid}) by linear "
        "interpolation in world coordinates"
    )
