"""Values of an image at the points where a transform finds a template's voxels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid
from .transform import Transform

_MAX_POINTS = 2**20
"""Points that are looked up at a time; each takes some 100 bytes."""

_MAX_STEPS = 8
"""Points across an edge of a voxel at which a mean is taken, at most. Arbitrary: 512 a voxel."""

_NEARLY = 0.25
"""How much larger than the image's a voxel of the template may be without taking a mean.
Arbitrary."""

_EDGE = 1e-6
"""How far beyond the outer faces of its voxels a point still is in the image, in voxels: what
rounding does."""


class Corners(NamedTuple):
    """What lies around some voxels of the template.

    Their linear indices, the first axis fastest, shape (n,); codes of the voxels of the image
    around each, and their weights for linear interpolation, both of shape (n, k).
    """

    indices: NDArray[np.int64]
    codes: NDArray[np.int32]
    weights: NDArray[np.float32]


class Sampling:
    """Where the voxels of a template lie in an image.

    Parameters
    ----------
    transform : Transform
        From the image to the template.
    own : Grid
        Of the image.
    grid : Grid
        Of the template.
    averages : bool
        Take the mean over each voxel of the template, at points about as far apart as the image's
        voxels, rather than the value at its centre.
    """

    def __init__(self, transform: Transform, own: Grid, grid: Grid, averages: bool = False) -> None:
        self.transform, self.own, self.grid = transform, own, grid
        # Takes voxels of the template to fractional ones of the image, by the linear part.
        self._to_own = np.linalg.inv(transform.matrix @ own.affine) @ grid.affine
        steps = np.ones(3, int)
        if averages:
            lengths = np.linalg.norm(self._to_own[:3, :3], axis=0)
            steps = np.clip(np.ceil(lengths - _NEARLY), 1, _MAX_STEPS).astype(int)
        spread = [(np.arange(n) + 0.5) / n - 0.5 for n in steps.tolist()]
        self._offsets = np.array(list(product(*spread)))

    def linear(self, array: NDArray[np.floating]) -> NDArray[np.floating]:
        """Values by linear interpolation, 0 outside the image; shape of the template's grid."""
        from scipy.ndimage import map_coordinates

        values = np.zeros(self.grid.size, array.dtype)
        low, high = _box_of_values(array)
        for indices in _parts(self.grid.size, _MAX_POINTS):
            for offset in self._offsets:
                voxels = self._voxels(indices, offset)
                # Most of a mask is 0: only points less than a voxel away from the rest count.
                near = np.all((voxels > low - 1) & (voxels < high + 1), axis=0)
                near &= self._is_inside(voxels)
                sampled = map_coordinates(array, voxels[:, near], order=1, mode="nearest")
                values[indices[near]] += sampled / len(self._offsets)
        return values.reshape(self.grid.shape, order="F")

    def corners(self, codes: NDArray[np.int32], background: int) -> Iterator[Corners]:
        """The codes around each voxel of the template, outside the image those of background."""
        # Voxels whose corners all hold one code, most of an image, need no weights.
        border = _is_border(codes)
        max_mixed = max(_MAX_POINTS // (2 * len(self._offsets)), 1)
        for indices in _parts(self.grid.size, _MAX_POINTS // 4):
            first = np.full(indices.size, background, np.int32)
            mixed = np.zeros(indices.size, bool)
            for number, offset in enumerate(self._offsets):
                voxels = self._voxels(indices, offset)
                inside = self._is_inside(voxels)
                index = tuple(self._clipped(np.floor(voxels)))
                code = np.where(inside, codes[index], np.int32(background))
                first = first if number else code
                mixed |= (border[index] & inside) | (code != first)
            same = np.flatnonzero(~mixed)
            yield Corners(indices[same], first[same, None], np.ones((same.size, 1), np.float32))
            rest = indices[mixed]
            for start in range(0, rest.size, max_mixed):
                part = rest[start : start + max_mixed]
                around = [
                    self._corners(codes, self._voxels(part, offset), background)
                    for offset in self._offsets
                ]
                both = (np.concatenate(arrays, axis=1) for arrays in zip(*around, strict=True))
                yield Corners(part, *both)

    def _corners(
        self, codes: NDArray[np.int32], voxels: NDArray[np.float64], background: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Codes of the eight voxels around each point, and their weights; both of shape (n, 8)."""
        lower = np.floor(voxels)
        upper_weight = voxels - lower
        around, weights = [], []
        for corner in product((0, 1), repeat=3):
            side = np.array(corner)[:, None]
            around.append(codes[tuple(self._clipped(lower + side))])
            weights.append(np.where(side, upper_weight, 1 - upper_weight).prod(axis=0))
        gathered = np.stack(around, axis=1)
        gathered[~self._is_inside(voxels)] = background
        return gathered, np.stack(weights, axis=1).astype(np.float32)

    def _clipped(self, voxels: NDArray[np.float64]) -> NDArray[np.intp]:
        """The nearest voxels of the image."""
        return np.clip(voxels, 0, np.array(self.own.shape)[:, None] - 1).astype(np.intp)

    def _voxels(self, indices: NDArray[np.int64], offset: NDArray) -> NDArray[np.float64]:
        """Fractional voxels of the image, shape (3, n), at an offset from voxels of the grid."""
        voxels = np.stack(np.unravel_index(indices, self.grid.shape, order="F")) + offset[:, None]
        if self.transform.is_linear:
            return np.asarray(self._to_own[:3, :3] @ voxels + self._to_own[:3, 3:])
        points = self.transform.moving_points(self.grid.to_mm(voxels.T))
        return np.ascontiguousarray(self.own.to_voxel(points).T)

    def _is_inside(self, voxels: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points lie within the faces of the image's voxels."""
        last = np.array(self.own.shape)[:, None] - 1
        margin = 0.5 + _EDGE
        return np.asarray(np.all((voxels >= -margin) & (voxels <= last + margin), axis=0))


def _parts(size: int, length: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, size, length):
        yield np.arange(start, min(start + length, size))


def _box_of_values(array: NDArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last voxel along each axis that is not 0; both of shape (3, 1)."""
    filled = [np.flatnonzero(array.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    ends = np.array([(part[0], part[-1]) if part.size else (0, -1) for part in filled])
    return ends[:, :1], ends[:, 1:]


def _is_border(codes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether a voxel and its seven upper neighbours differ."""
    low, high = codes, codes
    for axis in range(3):
        upper = np.minimum(np.arange(codes.shape[axis]) + 1, codes.shape[axis] - 1)
        low = np.minimum(low, np.take(low, upper, axis))
        high = np.maximum(high, np.take(high, upper, axis))
    return np.asarray(low != high)


# Images whose voxels a transform lays upon those of a template: no value is interpolated.


def placed_exactly(array: NDArray, own: Grid, transform: Transform, grid: Grid) -> NDArray | None:
    """Copy an image to a template's grid, 0 around it, where every voxel falls upon one of it.

    Parameters
    ----------
    array : array, shape of `own`
    own : Grid
        Of the image.
    transform : Transform
        From the image to the template.
    grid : Grid
        Of the template.

    Returns
    -------
    array of the same type, shape of `grid`, or None
        None where a value would have to be interpolated.

    Examples
    --------
    >>> own, grid = Grid((2, 1, 1), np.eye(4)), Grid((3, 1, 1), np.eye(4))
    >>> placed_exactly(np.array([[[1]], [[2]]]), own, Transform(), grid).ravel().tolist()
    [1, 2, 0]
    """
    if not transform.is_linear:
        return None
    steps = Grid(own.shape, transform.matrix @ own.affine).exact_steps(grid)
    if steps is None:
        return None
    order = np.abs(steps[:, :3]).argmax(axis=1)
    turned = array.transpose(order)
    signs = steps[np.arange(3), order]
    turned = turned[tuple(slice(None, None, int(sign)) for sign in signs)]
    # A mirrored axis ends where its first voxel falls.
    starts = np.where(signs > 0, steps[:, 3], steps[:, 3] - np.array(turned.shape) + 1)
    low = np.maximum(starts, 0)
    high = np.maximum(np.minimum(starts + turned.shape, grid.shape), low)
    placed = np.zeros(grid.shape, array.dtype)
    inner = tuple(map(slice, low - starts, high - starts))
    placed[tuple(map(slice, low, high))] = turned[inner]
    return placed


# A mask made of the fraction that a lesion has of each voxel: its partial volume.


HALF = 0.5
"""The fraction from which on a voxel belongs to a mask."""

ROUNDING = 2.0**-17
"""Fractions that differ by less are equal: weights are rounded otherwise in a mirrored image."""

_TOLERANCE = 0.01
"""By how much of the volume a mask may be off at one half. Arbitrary."""

_GOLDEN = (5**0.5 - 1) / 2
"""Its multiples, modulo 1, spread evenly however many there are."""


def voxels_by_partial_volume(
    partial_volume: NDArray[np.floating], volume: float | None = None
) -> tuple[NDArray[np.bool_], str]:
    """Choose the voxels of a mask so that it has the volume that it is to have.

    Voxels of at least one half, where they make the volume up to 1 % or to the nearest voxel.
    Otherwise those of the largest fractions; of equal ones those in the fuller neighbourhood, and
    where these are equal too, some spread evenly, so that no side is preferred.

    Parameters
    ----------
    partial_volume : array, shape (x, y, z)
        0 to 1.
    volume : float, optional
        In voxels; by default that of all fractions together.

    Returns
    -------
    mask : array of bool
    rule : str
        Which voxels were kept.

    Examples
    --------
    >>> thin = np.array([[[0.4, 0.4, 0.3, 0.0]]])
    >>> mask, rule = voxels_by_partial_volume(thin)
    >>> int(mask.sum()), rule
    (1, 'as many voxels kept as the volume needs, of at least 0.40')
    """
    if volume is None or not partial_volume.any():
        volume = float(partial_volume.sum(dtype=np.float64))
    mask = partial_volume >= HALF - ROUNDING
    if abs(np.count_nonzero(mask) - volume) <= max(_TOLERANCE * volume, HALF) and (
        mask.any() or not volume
    ):
        return mask, f"voxels of at least {HALF:.2f} kept"
    indices = _fullest_first(partial_volume)[: max(round(volume), 1)]
    mask = np.zeros(partial_volume.size, bool)
    mask[indices] = True
    smallest = float(partial_volume.ravel()[indices[-1]])
    rule = f"as many voxels kept as the volume needs, of at least {smallest:.2f}"
    return mask.reshape(partial_volume.shape), rule


def _fullest_first(partial_volume: NDArray[np.floating]) -> NDArray[np.intp]:
    """Linear indices of the voxels above 0, last axis fastest."""
    from scipy.ndimage import uniform_filter

    around = np.rint(uniform_filter(partial_volume, 3, mode="constant").ravel() / ROUNDING)
    steps = np.rint(partial_volume.ravel() / ROUNDING)
    indices = np.flatnonzero(steps)
    spread = indices * _GOLDEN % 1
    order = np.lexsort((spread, -around[indices], -steps[indices]))
    return np.asarray(indices[order])
