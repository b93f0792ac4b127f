"""Affines of FSL's FLIRT, which are those of two images and mean nothing without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..grid import Grid


def world_matrix(flirt: ArrayLike, moving: Grid, template: Grid) -> NDArray[np.float64]:
    """Make an affine in world coordinates of one that FLIRT wrote.

    FLIRT counts mm from the centre of the first voxel along the axes of the voxels. Where an
    image is stored neurologically (the determinant of its affine is above 0), it counts the first
    axis from its other end.

    Parameters
    ----------
    flirt : array, shape (4, 4)
        What ``flirt -in MOVING -ref TEMPLATE -omat FILE`` wrote.
    moving, template : Grid
        Of the two images.

    Returns
    -------
    array, shape (4, 4)
        From the moving image to the template, mm, RAS.

    Examples
    --------
    >>> moving = Grid((3, 3, 3), np.diag([-2.0, 2, 2, 1]))
    >>> template = Grid((3, 3, 3), np.diag([-1.0, 1, 1, 1]))
    >>> world_matrix(np.eye(4), moving, template).tolist()[0]
    [1.0, 0.0, 0.0, 0.0]
    """
    to_flirt = _flirt_mm(moving) @ np.linalg.inv(moving.affine)
    to_world = template.affine @ np.linalg.inv(_flirt_mm(template))
    return np.asarray(to_world @ np.asarray(flirt, np.float64) @ to_flirt)


def _flirt_mm(grid: Grid) -> NDArray[np.float64]:
    """Takes voxels of an image to the mm of FLIRT."""
    scale = np.diag([*grid.voxel_size, 1.0])
    if np.linalg.det(grid.affine[:3, :3]) > 0:
        scale[0, 0] *= -1
        scale[0, 3] = (grid.shape[0] - 1) * grid.voxel_size[0]
    return scale
