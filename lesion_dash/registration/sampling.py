"""Volumes on other lattices: coarser ones, and one image at the points of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..grid import Grid
from ..transforms import Transform
from .engine import Volume

_SLAB = 2**21
"""Points that are moved at a time through a displacement field."""


def coarsen(volume: Volume, voxel_mm: float) -> Volume:
    """A volume, smoothed and sampled every so many mm along its own axes.

    An axis that is coarser already stays as it is; the outer borders of the volume stay where
    they are to within a new voxel.
    """
    factors = np.maximum(voxel_mm / volume.grid.voxel_size, 1.0)
    if np.all(factors < 1.05):
        return volume
    grid = coarse_grid(volume.grid, factors)
    sigma = np.where(factors > 1.05, 0.5 * factors, 0.0)
    smooth = ndimage.gaussian_filter(volume.array, sigma, mode="nearest", truncate=3)
    return Volume(_sample(smooth, np.linalg.inv(volume.grid.affine) @ grid.affine, grid), grid)


def coarse_grid(grid: Grid, factors: NDArray[np.float64]) -> Grid:
    """A grid with voxels so many times as long, about the same centre."""
    shape = np.maximum(np.round(np.array(grid.shape) / factors), 1).astype(int)
    affine = grid.affine.copy()
    affine[:3, :3] *= factors
    centre = grid.to_mm((np.array(grid.shape) - 1) / 2)
    affine[:3, 3] = centre - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid(tuple(shape.tolist()), affine)


def coarsen_mask(mask: NDArray[np.bool_], grid: Grid, coarse: Grid) -> NDArray[np.bool_]:
    """A mask on a coarser grid: every voxel that it reaches into."""
    factors = coarse.voxel_size / grid.voxel_size
    reach = 2 * np.floor(factors / 2 + 1e-6).astype(int) + 1
    spread = ndimage.maximum_filter(mask.astype(np.uint8), tuple(reach.tolist()))
    steps = np.linalg.inv(grid.affine) @ coarse.affine
    return _sample(spread.astype(np.float32), steps, coarse) > 0.01


def sample(volume: Volume, matrix: NDArray, grid: Grid) -> NDArray[np.float32]:
    """A moving volume at the points of a grid of the template; NaN outside it.

    Parameters
    ----------
    volume : Volume
    matrix : array, shape (4, 4)
        From the moving volume to the template, mm.
    grid : Grid
        In the template's space.
    """
    steps = np.linalg.inv(volume.grid.affine) @ np.linalg.inv(matrix) @ grid.affine
    return _sample(volume.array, steps, grid, np.nan)


def sample_moved(volume: Volume, transform: Transform, grid: Grid) -> NDArray[np.float32]:
    """The same through a transform that may hold displacement fields."""
    if transform.is_linear:
        return sample(volume, transform.matrix, grid)
    found = np.empty(grid.shape, np.float32)
    slab = max(_SLAB // (grid.shape[1] * grid.shape[2]), 1)
    for begin in range(0, grid.shape[0], slab):
        part = np.stack(
            np.meshgrid(
                np.arange(begin, min(begin + slab, grid.shape[0])),
                *(np.arange(n) for n in grid.shape[1:]),
                indexing="ij",
            ),
            axis=-1,
        )
        voxels = volume.grid.to_voxel(transform.moving_points(grid.to_mm(part)))
        found[begin : begin + slab] = ndimage.map_coordinates(
            volume.array, np.moveaxis(voxels, -1, 0), order=1, mode="constant", cval=np.nan
        )
    return found


def _sample(
    array: NDArray[np.float32], steps: NDArray, grid: Grid, outside: float | None = None
) -> NDArray[np.float32]:
    """Linear interpolation; the nearest voxel, or a given value, outside."""
    return ndimage.affine_transform(
        array,
        steps[:3, :3],
        steps[:3, 3],
        grid.shape,
        order=1,
        mode="nearest" if outside is None else "constant",
        cval=outside or 0.0,
        output=np.float32,
    )
