"""How much larger a small volume of the moving image is in the template, place by place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from .transform import Transform

_MOST_POINTS = 2**20
_LARGEST = 1e30
"""Where a warp all but flattens space, what float32 can hold."""


def jacobian_map(transform: Transform, grid: Grid) -> NDArray[np.float32]:
    """Local change of volume from the moving image to the template.

    Parameters
    ----------
    transform : Transform
        From the moving image to the template.
    grid : Grid
        Of the template.

    Returns
    -------
    array of float32, shape of the grid
        Volume in the template per volume in the moving image, by central differences: above 1
        where the transform enlarges. Below 0 where it folds or mirrors space, 0 where it flattens.

    Examples
    --------
    >>> larger = Transform(np.diag([2.0, 1, 1, 1]))
    >>> float(jacobian_map(larger, Grid((2, 2, 2), np.eye(4)))[0, 0, 0])
    2.0
    """
    ratios = np.empty(grid.shape, np.float32)
    if transform.is_linear:
        ratios[:] = transform.volume_factor
        return ratios
    depth = max(_MOST_POINTS // (grid.shape[0] * grid.shape[1]), 1)
    for first in range(0, grid.shape[2], depth):
        last = min(first + depth, grid.shape[2])
        # A slice more on either side, so that differences are central there too.
        low, high = max(first - 1, 0), min(last + 1, grid.shape[2])
        determinants = _determinants(transform, grid, low, high)[..., first - low : last - low]
        shrunk = np.zeros_like(determinants)
        np.divide(1, determinants, out=shrunk, where=determinants != 0)
        ratios[..., first:last] = np.clip(shrunk, -_LARGEST, _LARGEST)
    return ratios


def _determinants(transform: Transform, grid: Grid, low: int, high: int) -> NDArray[np.float64]:
    """Volume in the moving image per volume in the template, for some slices."""
    spans = [np.arange(grid.shape[0]), np.arange(grid.shape[1]), np.arange(low, high)]
    voxels = np.stack(np.meshgrid(*spans, indexing="ij"), axis=-1)
    moved = transform.moving_points(grid.to_mm(voxels))
    along = [
        np.gradient(moved, axis=axis) if moved.shape[axis] > 1 else _constant(transform, grid, axis)
        for axis in range(3)
    ]
    edges = [np.broadcast_to(part, moved.shape) for part in along]
    volumes = np.einsum("...i,...i->...", edges[0], np.cross(edges[1], edges[2]))
    return np.asarray(volumes / np.linalg.det(grid.affine[:3, :3]))


def _constant(transform: Transform, grid: Grid, axis: int) -> NDArray[np.float64]:
    """A voxel's edge in the moving image by the linear part, along an axis of one voxel."""
    return np.asarray(np.linalg.solve(transform.matrix[:3, :3], grid.affine[:3, axis]))
