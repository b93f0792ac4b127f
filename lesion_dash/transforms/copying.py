"""Images whose voxels a transform lays upon those of a template: no value is interpolated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from .transform import Transform


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
