"""The block of voxels that the browser holds: cut to the brain, its axes in the order of RAS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.grid import Grid
from ...images.template import grid_of, template_on

_MARGIN = 3  # voxels around the brain, so that an outline at its surface is not cut off


@dataclass(frozen=True, eq=False)
class Frame:
    """The block of a grid that the browser holds, its axes in the order and direction of RAS.

    Half of an image is air around the head: without it, all that is done voxel by voxel takes half
    as long.

    Parameters
    ----------
    grid : Grid
    low, high : tuple of int
        First voxel along x, y and z, and the one after the last.
    """

    grid: Grid
    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @classmethod
    def around(cls, grid: Grid, voxels: Iterable[NDArray[np.integer]] = ()) -> Frame:
        """The block of a grid that holds the brain and some voxels, as linear positions."""
        whole = cls.whole(grid)
        brain = _box_of(whole.oriented(template_for(grid)))
        boxes = [box for box in (brain, *map(whole.box, voxels)) if box is not None]
        if not boxes:
            return whole
        low = np.clip(np.min([box[0] for box in boxes], axis=0) - _MARGIN, 0, None)
        high = np.minimum(np.max([box[1] for box in boxes], axis=0) + _MARGIN, whole.high)
        return cls(grid, _triple(low), _triple(high))

    @classmethod
    def whole(cls, grid: Grid) -> Frame:
        """All voxels of a grid."""
        high = np.empty(3, int)
        high[list(_axes_of(grid)[0])] = grid.shape
        return cls(grid, (0, 0, 0), _triple(high))

    def holds(self, other: Frame) -> bool:
        """Whether another block of the same grid lies inside."""
        return (
            self.grid == other.grid
            and all(a <= b for a, b in zip(self.low, other.low, strict=True))
            and all(a >= b for a, b in zip(self.high, other.high, strict=True))
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        return _triple(np.subtract(self.high, self.low))

    @cached_property
    def affine(self) -> NDArray[np.float64]:
        """Takes a voxel of the block to the middle of that voxel in mm."""
        order, signs = _axes_of(self.grid)
        affine = np.eye(4)
        first = [0 if sign > 0 else n - 1 for sign, n in zip(signs, self.grid.shape, strict=True)]
        affine[:3, list(order)] = self.grid.affine[:3, :3] * signs
        affine[:3, 3] = self.grid.to_mm(first) + affine[:3, :3] @ self.low
        return affine

    def oriented(self, array: NDArray) -> NDArray:
        """The part of an image of the grid that lies in the block."""
        order, signs = _axes_of(self.grid)
        flips = tuple(slice(None, None, int(sign)) for sign in signs)
        turned = np.transpose(array[flips], np.argsort(order))
        return turned[tuple(slice(a, b) for a, b in zip(self.low, self.high, strict=True))]

    def places(self, indices: NDArray[np.integer]) -> NDArray[np.int64]:
        """Voxels along x, y and z of linear positions on the grid, shape (3, voxels)."""
        nx, ny, _ = self.grid.shape
        rest, i = np.divmod(np.asarray(indices, np.int64), nx)
        k, j = np.divmod(rest, ny)
        places = np.empty((3, i.size), np.int64)
        order, signs = _axes_of(self.grid)
        for own, axis, sign, n in zip((i, j, k), order, signs, self.grid.shape, strict=True):
            places[axis] = (own if sign > 0 else n - 1 - own) - self.low[axis]
        return places

    def positions(self, indices: NDArray[np.integer]) -> NDArray[np.int64]:
        """Linear positions in the block, x fastest, of linear positions on the grid."""
        x, y, z = self.places(indices)
        nx, ny, _ = self.shape
        return x + nx * (y + ny * z)

    def box(self, indices: NDArray[np.integer]) -> tuple[NDArray, NDArray] | None:
        """The first voxel of the smallest block that holds all, and the one after its last."""
        if not indices.size:
            return None
        places = self.places(indices)
        return places.min(axis=1), places.max(axis=1) + 1

    def sampled(self, grid: Grid, indices: NDArray[np.integer]) -> tuple[NDArray, NDArray]:
        """What of voxels of a grid lies where in the block.

        Of another grid, each voxel of the block shows the one that its middle lies in.

        Returns
        -------
        positions : array of int
            Linear positions in the block, ascending.
        rows : array of int
            Which of the voxels is there.
        """
        if grid == self.grid:
            positions = self.positions(indices)
            rows = np.arange(positions.size)
            if np.any(positions[1:] < positions[:-1]):
                rows = np.argsort(positions)
            return positions[rows], rows
        row_of = np.full(grid.size + 1, -1, np.int64)  # the last one is outside
        row_of[indices] = np.arange(indices.size)
        rows = row_of[self._nearest(grid)]
        positions = np.flatnonzero(rows >= 0)
        return positions, rows[positions]

    def _nearest(self, grid: Grid) -> NDArray[np.int64]:
        """For each voxel of the block, the one of a grid; its size where there is none."""
        to_other = np.linalg.inv(grid.affine) @ self.affine
        x, y, z = np.ix_(*map(np.arange, self.shape))
        result = np.zeros(self.shape, np.int64)
        outside = np.zeros(self.shape, bool)
        stride = 1
        for axis, n in enumerate(grid.shape):
            a, b, c, d = to_other[axis]
            own = np.floor(a * x + b * y + c * z + d + 0.5).astype(np.int64)
            outside |= (own < 0) | (own >= n)
            result += stride * own
            stride *= n
        result[outside] = grid.size
        return result.reshape(-1, order="F")


def template_for(grid: Grid) -> NDArray[np.uint8]:
    """The MNI152 brain on a grid, an oblique one as well."""
    template = template_on(grid)
    array, own = np.asarray(template.dataobj), grid_of(template)
    if own.matches(grid):
        return array
    return np.asarray(resample(array, own, grid.affine, grid.shape), np.uint8)


def resample(
    array: NDArray, grid: Grid, affine: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """An image on other voxels, linearly interpolated, 0 outside."""
    from scipy.ndimage import affine_transform

    matrix = np.linalg.inv(grid.affine) @ affine
    values = np.nan_to_num(np.asarray(array, np.float32))
    return np.asarray(affine_transform(values, matrix, output_shape=shape, order=1))


def _axes_of(grid: Grid) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """For each axis of a grid, the one of x, y and z that it runs along, and 1 or -1."""
    cosines = grid.affine[:3, :3] / grid.voxel_size
    order = max(permutations(range(3)), key=lambda axes: np.abs(cosines[axes, range(3)]).sum())
    return order, np.where(cosines[order, range(3)] < 0, -1.0, 1.0)


def _box_of(array: NDArray) -> tuple[NDArray, NDArray] | None:
    low, high = [], []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        hit = np.flatnonzero(array.any(axis=others))
        if not hit.size:
            return None
        low.append(hit[0])
        high.append(hit[-1] + 1)
    return np.array(low), np.array(high)


def _triple(values: Any) -> tuple[int, int, int]:
    a, b, c = (int(v) for v in values)
    return a, b, c
