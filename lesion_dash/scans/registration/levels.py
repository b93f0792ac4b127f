"""Both images at one resolution, and their local correlation there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...core.grid import Grid
from ...transforms.transform import Transform, points_of
from .task import Task, Volume

WINDOW_MM = 10.0
"""Edge of the cube within which two images are correlated. Arbitrary."""

_MIN_KNOWN = 0.5  # fraction of a window's voxels that both images must know; arbitrary
_FLAT = 1e-3  # of an image's standard deviation; a window that varies less is rounding alone


def squared_correlation(
    first: NDArray, second: NDArray, window: tuple[int, ...]
) -> NDArray[np.float32]:
    """The squared correlation of two images in the window around each voxel.

    It is 1 where one is a straight line of the other, rising or falling, so images of different
    contrast can be compared, and neither a bias field nor a scaling matters.

    Parameters
    ----------
    first, second : arrays of one shape
        NaN where an image knows nothing. Voxels that one of them doesn't know don't count.
    window : tuple of int
        Voxels along each axis, odd. Beyond the array nothing is known.

    Returns
    -------
    array of float32, shape of the images
        0 to 1. NaN where less than half of the window is known or ``first`` is flat in it;
        0 where ``second`` alone is flat.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((5, 5, 5))
    >>> float(squared_correlation(image, 3 - 2 * image, (3, 3, 3))[2, 2, 2])
    1.0
    """
    known = np.isfinite(first) & np.isfinite(second)
    # Standardised first: the variance as a difference of two means of squares is exact enough then.
    a, flat_a = _standardised(first, known)
    b, flat_b = _standardised(second, known)
    count = _window_mean(known.astype(np.float32), window)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_a, mean_b = _window_mean(a, window) / count, _window_mean(b, window) / count
        variance_a = _window_mean(a * a, window) / count - mean_a**2
        variance_b = _window_mean(b * b, window) / count - mean_b**2
        covariance = _window_mean(a * b, window) / count - mean_a * mean_b
        squared = np.clip(covariance**2 / (variance_a * variance_b), 0, 1)
        squared[variance_b < flat_b] = 0
        squared[(count < _MIN_KNOWN) | (variance_a < flat_a)] = np.nan
    return squared.astype(np.float32)


def _standardised(image: NDArray, known: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Mean 0 and SD 1 where known, 0 elsewhere; and the variance that counts as none."""
    values = image[known].astype(np.float64)
    result = np.zeros(image.shape)
    if values.size == 0 or (spread := values.std()) == 0:
        return result, np.inf
    result[known] = (values - values.mean()) / spread
    return result, _FLAT**2


def _window_mean(image: NDArray, window: tuple[int, ...]) -> NDArray[np.float64]:
    """With 0 beyond the array."""
    return ndimage.uniform_filter(image, window, output=np.float64, mode="constant")


# Volumes on other lattices: coarser ones, and one image at the points of another.


_SLAB = 2**21
"""Points that are moved at a time through a displacement field: some 100 MB. Arbitrary."""


def coarsen(volume: Volume, voxel_mm: float) -> Volume:
    """A volume, smoothed and sampled every so many mm along its own axes.

    An axis that is coarser already stays as it is; the outer borders of the volume stay where
    they are to within a new voxel.
    """
    own = volume.grid
    factors = np.maximum(voxel_mm / own.voxel_size, 1.0)
    if np.all(factors < 1.05):
        return volume
    shape = np.maximum(np.round(np.array(own.shape) / factors), 1).astype(int)
    affine = own.affine @ np.diag([*factors, 1.0])
    affine[:3, 3] = centre_of(own) - affine[:3, :3] @ ((shape - 1) / 2)
    grid = Grid(tuple(shape.tolist()), affine)
    sigma = np.where(factors > 1.05, 0.5 * factors, 0.0)
    smooth = ndimage.gaussian_filter(volume.array, sigma, mode="nearest", truncate=3)
    return Volume(resample(smooth, np.linalg.inv(own.affine) @ affine, grid, "nearest"), grid)


def centre_of(grid: Grid) -> NDArray[np.float64]:
    """The middle of a grid, mm."""
    return grid.to_mm((np.array(grid.shape) - 1) / 2)


def coarsen_mask(mask: NDArray[np.bool_], grid: Grid, coarse: Grid) -> NDArray[np.bool_]:
    """A mask on a coarser grid, or the same one: every voxel that it reaches into."""
    if coarse == grid:
        return mask
    factors = coarse.voxel_size / grid.voxel_size
    reach = 2 * np.floor(factors / 2 + 1e-6).astype(int) + 1
    spread = ndimage.maximum_filter(mask.astype(np.uint8), tuple(reach.tolist()))
    steps = np.linalg.inv(grid.affine) @ coarse.affine
    return resample(spread.astype(np.float32), steps, coarse, "nearest") > 0.01


def sample(volume: Volume, transform: Transform, grid: Grid) -> NDArray[np.float32]:
    """A moving volume at the points of a grid of the template, shape of the grid; NaN outside."""
    if transform.is_linear:
        to_own = np.linalg.inv(volume.grid.affine) @ np.linalg.inv(transform.matrix)
        return resample(volume.array, to_own @ grid.affine, grid, "constant", np.nan)
    sampled = np.empty(grid.shape, np.float32)
    nx, ny, nz = grid.shape
    slab = max(_SLAB // (ny * nz), 1)
    for begin in range(0, nx, slab):
        end = min(begin + slab, nx)
        points = transform.moving_points(points_of(grid, slice(begin, end)))
        voxels = np.moveaxis(volume.grid.to_voxel(points), -1, 0)
        sampled[begin:end] = ndimage.map_coordinates(
            volume.array, voxels, order=1, mode="constant", cval=np.nan
        )
    return sampled


def resample(
    array: NDArray[np.float32], steps: NDArray, grid: Grid, mode: str, outside: float = 0.0
) -> NDArray[np.float32]:
    """Linear interpolation at the voxels of a grid, which `steps` (4, 4) takes to the array's.

    The mode is that of `scipy.ndimage.affine_transform`.
    """
    return ndimage.affine_transform(
        array,
        steps[:3, :3],
        steps[:3, 3],
        grid.shape,
        order=1,
        mode=mode,
        cval=outside,
        output=np.float32,
    )


# Both images at one resolution, and how alike they are there.


FOREGROUND_RIM_MM = 5.0
"""How far beyond its bright voxels a template counts: its outline holds much. Arbitrary."""

MAX_VOXELS = 900_000
"""Of a template's foreground box at the finest level: the MNI152 brain at 2 mm has 600,000."""


@dataclass(frozen=True, eq=False)
class Level:
    """Both images at one resolution, the template cut to the box of its foreground."""

    moving: Volume
    template: Volume
    foreground: NDArray[np.bool_]
    lesion: NDArray[np.bool_] | None

    @cached_property
    def known_template(self) -> NDArray[np.float32]:
        """The template, NaN outside its foreground."""
        return np.where(self.foreground, self.template.array, np.float32(np.nan))

    @cached_property
    def known_moving(self) -> Volume:
        """The moving image, NaN in the lesion."""
        if self.lesion is None:
            return self.moving
        array = np.where(self.lesion, np.float32(np.nan), self.moving.array)
        return Volume(array, self.moving.grid)

    @property
    def centre(self) -> NDArray[np.float64]:
        """Of the template's foreground, mm."""
        return self.template.grid.to_mm(np.argwhere(self.foreground).mean(axis=0))

    def points(self) -> NDArray[np.float64]:
        """Some points (mm) all over the template's foreground, at which poses are compared."""
        voxels = np.argwhere(self.foreground)
        return self.template.grid.to_mm(voxels[:: max(len(voxels) // 500, 1)])

    def similarity(self, transform: Transform) -> tuple[float, float]:
        """Mean squared local correlation, and the fraction of the foreground it was found in.

        0 where nothing can be compared.
        """
        moved = sample(self.known_moving, transform, self.template.grid)
        # Odd, so that a window has a voxel at its centre.
        half = np.maximum(np.round((WINDOW_MM / self.template.grid.voxel_size - 1) / 2), 1)
        window = tuple((2 * half + 1).astype(int).tolist())
        squared = squared_correlation(self.known_template, moved, window)
        squared = squared[self.foreground & np.isfinite(moved) & np.isfinite(squared)]
        similarity = float(squared.mean(dtype=np.float64)) if squared.size else 0.0
        return similarity, float(np.isfinite(moved[self.foreground]).mean())

    def score(self, matrix: NDArray[np.float64]) -> float:
        """The similarity of a linear transform, times the fraction it was found in."""
        similarity, covered = self.similarity(Transform(matrix))
        return similarity * covered

    def better(
        self, refined: NDArray[np.float64] | None, before: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What a refinement gave, or what it began with where that fits better."""
        if refined is None or self.score(refined) < self.score(before):
            return before
        return refined

    def coverage(self, transform: Transform) -> float:
        """Fraction of the foreground that lies inside the moving image, its lesion too."""
        points = self.template.grid.to_mm(np.argwhere(self.foreground))
        voxels = self.moving.grid.to_voxel(transform.moving_points(points))
        shape = np.array(self.moving.grid.shape)
        return float(((voxels > -0.5) & (voxels < shape - 0.5)).all(axis=1).mean())


def make_level(task: Task, foreground: NDArray[np.bool_], voxel_mm: float) -> Level:
    """Smooth and sample both images, and cut the template to its foreground.

    Voxels of an image that is coarser already stay as they are.
    """
    moving, template = coarsen(task.moving, voxel_mm), coarsen(task.template, voxel_mm)
    foreground = coarsen_mask(foreground, task.template.grid, template.grid)
    lesion = task.lesion
    if lesion is not None:
        lesion = coarsen_mask(lesion, task.moving.grid, moving.grid)
    box = _foreground_box(foreground, template.grid)
    affine = template.grid.affine.copy()
    affine[:3, 3] = template.grid.to_mm([side.start for side in box])
    array = np.ascontiguousarray(template.array[box])
    return Level(moving, Volume(array, Grid(array.shape, affine)), foreground[box], lesion)


def finest_mm(task: Task, foreground: NDArray[np.bool_]) -> float:
    """The voxel size at which the template's foreground box has a bearable number of voxels."""
    shape = [side.stop - side.start for side in _foreground_box(foreground, task.template.grid)]
    volume = float(np.prod(shape, dtype=float)) * task.template.grid.voxel_volume
    own = task.template.grid.voxel_volume ** (1 / 3)
    return max(own, (volume / MAX_VOXELS) ** (1 / 3))


def foreground_of(template: Volume) -> NDArray[np.bool_]:
    """Where a template shows something: what is brighter than air, filled, with a rim.

    A skull-stripped template is recognised by its exact background; else the limit is half of
    Otsu's, since cerebrospinal fluid is darker than what Otsu's parts from air.
    """
    array = template.array
    low, high = float(array.min()), float(np.percentile(array, 99.5))
    # Air of a scanner is noise: hardly two voxels are equal.
    if np.mean(array == low) > 0.05:
        limit = low + 0.02 * (high - low)
    else:
        limit = low + (otsu_threshold(np.minimum(array, high), 128) - low) / 2
    bright = ndimage.binary_opening(array > limit) | (array > (limit + high) / 2)
    filled = ndimage.binary_fill_holes(bright)
    away = ndimage.distance_transform_edt(~filled, sampling=template.grid.voxel_size.tolist())
    return np.asarray(away <= FOREGROUND_RIM_MM)


def otsu_threshold(values: NDArray, bins: int, limits: tuple[float, float] | None = None) -> float:
    """The value that leaves the least variance on its two sides (Otsu 1979), by a histogram.

    Examples
    --------
    >>> round(otsu_threshold(np.array([0.0, 0.1, 0.2, 0.9, 1.0]), 10), 1)
    0.3
    """
    counts, edges = np.histogram(values, bins, limits)
    weights = counts * (edges[1:] + edges[:-1]) / 2
    below, low = np.cumsum(counts)[:-1], np.cumsum(weights)[:-1]
    above, high = counts[::-1].cumsum()[::-1][1:], weights[::-1].cumsum()[::-1][1:]
    # Least variance within is most between: the squared distance of the means, weighted.
    distance = low / np.maximum(below, 1) - high / np.maximum(above, 1)
    return float(edges[1:-1][np.argmax(below * above * distance**2)])


def box_around(mask: NDArray[np.bool_], margins: Sequence[int]) -> tuple[slice, ...]:
    """The smallest box that holds all voxels of a mask, and so many beyond them along each axis."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, size))
        for side, margin, size in zip(box, margins, mask.shape, strict=True)
    )


def _foreground_box(foreground: NDArray[np.bool_], grid: Grid) -> tuple[slice, ...]:
    """With room for a window of the local correlation."""
    return box_around(foreground, np.ceil(FOREGROUND_RIM_MM / grid.voxel_size).astype(int).tolist())
