"""The nearest voxel of a region, and how far away it is, for places outside an atlas."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid, pieces

_SQUARE = 1e-6
"""Cosine between two axes of a grid up to which they count as square; arbitrary, above rounding."""


def distances_to(grid: Grid, is_inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance in mm from the centre of each voxel to that of the nearest voxel inside.

    Parameters
    ----------
    grid : Grid
    is_inside : array of bool, shape (voxels,)
        By linear positions, the first axis fastest.

    Returns
    -------
    array of float32, shape (voxels,)
        0 inside; infinite where no voxel is inside.

    Examples
    --------
    >>> distances_to(Grid((4, 1, 1), np.diag([2.0, 1, 1, 1])), np.array([True, False, False, True]))
    array([0., 2., 2., 0.], dtype=float32)
    """
    if not is_inside.any():
        return np.full(grid.size, np.inf, np.float32)
    if not _is_square(grid):
        return _by_search(grid, is_inside)
    from scipy.ndimage import distance_transform_edt

    outside = np.reshape(~is_inside, grid.shape, order="F")
    nearest = distance_transform_edt(
        outside, grid.voxel_size, return_distances=False, return_indices=True
    )
    distances = np.empty(grid.shape, np.float32, order="F")
    own = np.meshgrid(*(np.arange(size) for size in grid.shape[1:]), indexing="ij")
    for first in range(grid.shape[0]):  # slice by slice, as float64 of all takes much memory
        steps = [nearest[0, first] - first, nearest[1, first] - own[0], nearest[2, first] - own[1]]
        squares = [(step * size) ** 2 for step, size in zip(steps, grid.voxel_size, strict=True)]
        distances[first] = np.sqrt(sum(squares))
    return np.ravel(distances, order="F")


def _is_square(grid: Grid) -> bool:
    axes = grid.affine[:3, :3] / grid.voxel_size
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() < _SQUARE)


def _by_search(grid: Grid, is_inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The same on a sheared grid, whose steps along the axes are not distances."""
    from scipy.spatial import KDTree

    tree = KDTree(grid.mm_of_index(np.flatnonzero(is_inside)))
    distances = np.zeros(grid.size, np.float32)
    outside = np.flatnonzero(~is_inside)
    for piece in pieces(outside.size):
        distances[outside[piece]] = tree.query(grid.mm_of_index(outside[piece]))[0]
    return distances


def border_of(grid: Grid, is_inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Linear positions of the voxels inside that share a face with one outside, or an edge.

    The voxel inside that is nearest to a point outside is one of them: of any other, a neighbour is
    nearer. On a sheared grid that need not be so, and all voxels inside are given.

    Parameters
    ----------
    grid, is_inside
        See `distances_to`.
    """
    if not _is_square(grid):
        return np.flatnonzero(is_inside)
    from scipy.ndimage import binary_erosion

    inside = np.reshape(is_inside, grid.shape, order="F")
    return np.flatnonzero(np.ravel(inside & ~binary_erosion(inside), order="F"))


def nearest_of(tree: Any, mm: NDArray[np.float64], tie_mm: float) -> tuple[int, float]:
    """Which of some places is nearest to a world point, and its distance in mm.

    Of several that are equally near, the left one (then back, below).

    Parameters
    ----------
    tree : scipy.spatial.KDTree
        Of the places, at least one.
    mm : array, shape (3,)
    tie_mm : float
        Distances that differ by less are equal.

    Examples
    --------
    >>> from scipy.spatial import KDTree
    >>> nearest_of(KDTree([[1.0, 0, 0], [-1.0, 0, 0], [5.0, 0, 0]]), np.zeros(3), 0.001)
    (1, 1.0)
    """
    distance, _ = tree.query(mm)
    near = np.array(tree.query_ball_point(mm, distance + tie_mm))
    places = tree.data[near]
    chosen = int(np.lexsort(places.T[::-1])[0])
    return int(near[chosen]), float(np.linalg.norm(places[chosen] - mm))
