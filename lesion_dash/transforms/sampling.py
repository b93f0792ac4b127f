"""Values of an image at the points where a transform finds a template's voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid
from .transform import Transform

_MOST_POINTS = 2**20
"""Places that are looked up at a time; each takes some 100 bytes."""

_MOST_STEPS = 8
"""Places across an edge of a voxel at which a mean is taken, at most."""

_NEARLY = 0.25
"""How much larger than the image's a voxel of the template may be without taking a mean."""

_EDGE = 1e-6
"""How far beyond the outer faces of its voxels a place still is in the image, in voxels."""


@dataclass(frozen=True, eq=False)
class Corners:
    """What lies around some voxels of the template.

    Parameters
    ----------
    places : array of int, shape (n,)
        Linear positions of those voxels, the first axis fastest.
    codes : array of int32, shape (n, k)
        Of the voxels of the image around them.
    weights : array of float32, shape (n, k)
        Of each, for linear interpolation.
    """

    places: NDArray[np.int64]
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
        Take the mean over each voxel of the template, at places about as far apart as the image's
        voxels, rather than the value at its centre.
    """

    def __init__(self, transform: Transform, own: Grid, grid: Grid, averages: bool = False) -> None:
        self.transform, self.own, self.grid = transform, own, grid
        steps = _steps(transform, own, grid) if averages else (1, 1, 1)
        spread = [(np.arange(n) + 0.5) / n - 0.5 for n in steps]
        self._offsets = np.array(list(product(*spread)))

    def linear(self, array: NDArray[np.floating]) -> NDArray[np.floating]:
        """Values by linear interpolation, 0 outside the image; shape of the template's grid."""
        from scipy.ndimage import map_coordinates

        values = np.zeros(self.grid.size, array.dtype)
        low, high = _box_of_values(array)
        for places in _parts(self.grid.size, _MOST_POINTS):
            for offset in self._offsets:
                voxels = self._voxels(places, offset)
                near = self._is_inside(voxels) & _is_between(voxels, low, high)
                found = map_coordinates(array, voxels[:, near], order=1, mode="nearest")
                values[places[near]] += found / len(self._offsets)
        return values.reshape(self.grid.shape, order="F")

    def corners(self, codes: NDArray[np.int32], background: int) -> Iterator[Corners]:
        """The codes around each voxel of the template, outside the image those of background."""
        border = _is_border(codes)
        for places in _parts(self.grid.size, _MOST_POINTS // 4):
            first = np.full(places.size, background, np.int32)
            mixed = np.zeros(places.size, bool)
            for number, offset in enumerate(self._offsets):
                code, on_border = self._lower(codes, border, places, offset, background)
                first = first if number else code
                mixed |= on_border | (code != first)
            rest = np.flatnonzero(~mixed)
            yield Corners(places[rest], first[rest, None], np.ones((rest.size, 1), np.float32))
            yield from self._mixed_corners(codes, places[mixed], background)

    def _lower(
        self,
        codes: NDArray[np.int32],
        border: NDArray[np.bool_],
        places: NDArray[np.int64],
        offset: NDArray,
        background: int,
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """The code below each place, and whether others are next to it."""
        voxels = self._voxels(places, offset)
        inside = self._is_inside(voxels)
        index = tuple(self._clipped(np.floor(voxels)))
        return np.where(inside, codes[index], np.int32(background)), border[index] & inside

    def _mixed_corners(
        self, codes: NDArray[np.int32], mixed: NDArray[np.int64], background: int
    ) -> Iterator[Corners]:
        most = max(_MOST_POINTS // (2 * len(self._offsets)), 1)
        for start in range(0, mixed.size, most):
            places = mixed[start : start + most]
            found = [
                self._corners(codes, self._voxels(places, offset), background)
                for offset in self._offsets
            ]
            around = np.concatenate([part for part, _ in found], axis=1)
            yield Corners(places, around, np.concatenate([part for _, part in found], axis=1))

    def _corners(
        self, codes: NDArray[np.int32], voxels: NDArray[np.float64], background: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
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

    def _voxels(self, places: NDArray[np.int64], offset: NDArray) -> NDArray[np.float64]:
        """Fractional voxels of the image, shape (3, n), at an offset from voxels of the grid."""
        voxels = np.stack(np.unravel_index(places, self.grid.shape, order="F")) + offset[:, None]
        if self.transform.is_linear:
            to_own = _to_own(self.transform, self.own, self.grid)
            return np.asarray(to_own[:3, :3] @ voxels + to_own[:3, 3:])
        points = self.transform.moving_points(self.grid.to_mm(voxels.T))
        return np.ascontiguousarray(self.own.to_voxel(points).T)

    def _is_inside(self, voxels: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether places lie within the faces of the image's voxels."""
        last = np.array(self.own.shape)[:, None] - 1
        margin = 0.5 + _EDGE
        return np.asarray(np.all((voxels >= -margin) & (voxels <= last + margin), axis=0))


def _parts(size: int, most: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, size, max(most, 1)):
        yield np.arange(start, min(start + most, size))


def _to_own(transform: Transform, own: Grid, grid: Grid) -> NDArray[np.float64]:
    """Takes voxels of the template to fractional ones of the image, by the linear part."""
    return np.asarray(np.linalg.inv(transform.matrix @ own.affine) @ grid.affine)


def _steps(transform: Transform, own: Grid, grid: Grid) -> tuple[int, ...]:
    """At how many places along each of its edges a voxel of the template is looked at."""
    lengths = np.linalg.norm(_to_own(transform, own, grid)[:3, :3], axis=0)
    return tuple(np.clip(np.ceil(lengths - _NEARLY), 1, _MOST_STEPS).astype(int).tolist())


def _box_of_values(array: NDArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last voxel along each axis that is not 0."""
    filled = [np.flatnonzero(array.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    ends = [(part[0], part[-1]) if part.size else (0, -1) for part in filled]
    low, high = np.array(ends).T
    return low, high


def _is_between(
    voxels: NDArray[np.float64], low: NDArray[np.intp], high: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Whether places are less than a voxel away from a box of voxels."""
    near = (voxels > low[:, None] - 1) & (voxels < high[:, None] + 1)
    return np.asarray(np.all(near, axis=0))


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


# A mask made of the share that a lesion has of each voxel.


HALF = 0.5
"""The share from which on a voxel belongs to a mask."""

ROUNDING = 2.0**-17
"""Shares that differ by less are equal: weights are rounded otherwise in a mirrored image."""

_VOLUME_KEPT = 0.01
"""By how much of the volume a mask may be off at one half."""

_GOLDEN = (5**0.5 - 1) / 2


def voxels_by_share(
    shares: NDArray[np.floating], volume: float | None = None
) -> tuple[NDArray[np.bool_], str]:
    """Choose the voxels of a mask so that it has the volume that it is to have.

    Voxels of at least one half, where they make the volume up to 1 % or to the nearest voxel.
    Otherwise those of the largest shares; of equal ones those in the fuller neighbourhood, and
    where these are equal too, some spread evenly, so that no side is preferred.

    Parameters
    ----------
    shares : array, shape (x, y, z)
        0 to 1.
    volume : float, optional
        In voxels; by default what all shares make together.

    Returns
    -------
    kept : array of bool
    how : str
        Which voxels were kept.

    Examples
    --------
    >>> thin = np.array([[[0.4, 0.4, 0.3, 0.0]]])
    >>> kept, how = voxels_by_share(thin)
    >>> int(kept.sum()), how
    (1, 'as many voxels kept as the volume needs, of at least 0.40')
    """
    if volume is None or not shares.any():
        volume = float(shares.sum(dtype=np.float64))
    kept = shares >= HALF - ROUNDING
    if abs(np.count_nonzero(kept) - volume) <= max(_VOLUME_KEPT * volume, HALF) and (
        kept.any() or not volume
    ):
        return kept, f"voxels of at least {HALF:.2f} kept"
    order = _fullest_first(shares)[: max(round(volume), 1)]
    chosen = np.zeros(shares.size, bool)
    chosen[order] = True
    kept = chosen.reshape(shares.shape)
    least = float(shares.ravel()[order[-1]])
    return kept, f"as many voxels kept as the volume needs, of at least {least:.2f}"


def _fullest_first(shares: NDArray[np.floating]) -> NDArray[np.intp]:
    """Linear positions of the voxels with a share, last axis fastest."""
    from scipy.ndimage import uniform_filter

    around = np.rint(uniform_filter(shares, 3, mode="constant").ravel() / ROUNDING)
    steps = np.rint(shares.ravel() / ROUNDING)
    places = np.flatnonzero(steps)
    spread = places * _GOLDEN % 1
    order = np.lexsort((spread, -around[places], -steps[places]))
    return np.asarray(places[order])
