"""The two images of a deformable registration, brought together in the template's space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..grid import Grid
from ..transforms import Field, Transform
from .engine import Task, Volume

MOST_VOXELS = 1_200_000
"""Of the grid to work on: the MNI152 template at 2 mm, where a warp is known to 0.5 mm."""

BORDER = 4
"""Voxels around the template, so that its own border may move: SyN holds the outermost still."""

_TISSUE = 0.1
"""Share of the brightest intensity above which a voxel is not background."""

_TOUCHED = 0.05
"""Share of a voxel that is lesioned from which on it is left out."""


@dataclass(frozen=True, eq=False)
class WorkingPair:
    """Both images on one isotropic grid along the axes of the template's space.

    Parameters
    ----------
    grid : Grid
    subject, template : array of float32, shape of the grid
        The moving image placed by the affine it starts from, and the template; 0 to 1.
    unknown : array of bool, or None
        Voxels whose intensities say nothing: the lesion, and what lies outside one of the images
        where the other shows tissue there.
    """

    grid: Grid
    subject: NDArray[np.float32]
    template: NDArray[np.float32]
    unknown: NDArray[np.bool_] | None


def bring_together(task: Task, most_voxels: int = MOST_VOXELS) -> WorkingPair:
    """Place the moving image on the template, both on a grid that can be worked on."""
    grid = working_grid(task.template.grid, most_voxels)
    template = _sample(task.template, np.eye(4), grid)
    to_moving = np.linalg.inv(task.start.matrix)
    subject = _sample(task.moving, to_moving, grid)
    unknown = _uncovered(task.moving.grid, to_moving, grid, template)
    unknown |= _uncovered(task.template.grid, np.eye(4), grid, subject)
    if task.lesion is not None:
        lesion = Volume(task.lesion.astype(np.float32), task.moving.grid)
        unknown |= _sample(lesion, to_moving, grid) > _TOUCHED
    return WorkingPair(
        grid, _scaled(subject), _scaled(template), unknown if unknown.any() else None
    )


def working_grid(template: Grid, most_voxels: int = MOST_VOXELS) -> Grid:
    """An isotropic grid along the world's axes over a template, as fine as it is or coarser.

    Examples
    --------
    >>> grid = working_grid(Grid((100, 120, 100), np.diag([-1.0, 1, 1, 1])), 150_000)
    >>> grid.shape, grid.voxel_size.round(2).tolist()
    ((58, 68, 58), [2.0, 2.0, 2.0])
    """
    corners = template.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    edge = float(template.voxel_size.min())
    while True:
        shape = np.floor((high - low) / edge + 1 + 1e-6)
        if np.prod(shape) <= most_voxels:
            break
        edge *= max(1.01, float(np.prod(shape) / most_voxels) ** (1 / 3) * 0.99)
    shape += 2 * BORDER
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = (low + high - (shape - 1) * edge) / 2
    nx, ny, nz = shape.astype(int).tolist()
    return Grid((nx, ny, nz), affine)


def _sample(volume: Volume, matrix: NDArray, grid: Grid) -> NDArray[np.float32]:
    """An image above its darkest value, at the points a matrix gives for a grid's; 0 outside."""
    steps = np.linalg.inv(volume.grid.affine) @ matrix @ grid.affine
    # Averaged first where the grid is coarser: it would pick single voxels otherwise.
    coarser = np.linalg.norm(steps[:3, :3], axis=1)
    sigmas = np.sqrt(np.maximum(coarser**2 - 1, 0)) / np.sqrt(8 * np.log(2))
    # Its darkest value counts as that of the air around it, so that it goes over into the 0 there.
    array = volume.array - volume.array.min()
    smooth = ndimage.gaussian_filter(array, sigmas, mode="constant")
    return _interpolate(smooth, steps, grid)


def _interpolate(array: NDArray, steps: NDArray, grid: Grid) -> NDArray[np.float32]:
    return ndimage.affine_transform(
        array,
        steps[:3, :3],
        steps[:3, 3],
        output_shape=grid.shape,
        order=1,
        mode="grid-constant",
        output=np.float32,
    )


def _uncovered(
    own: Grid, matrix: NDArray, grid: Grid, other: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Where one image ends before the tissue of the other does; nowhere if it never does."""
    steps = np.linalg.inv(own.affine) @ matrix @ grid.affine
    outside = _interpolate(np.ones(own.shape, np.float32), steps, grid) < 1 - _TOUCHED
    tissue = other > _TISSUE * np.percentile(other, 99)
    return outside if (outside & tissue).any() else np.zeros(grid.shape, bool)


def _scaled(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """To about 0 to 1; single bright voxels do not set the scale."""
    high = float(np.percentile(array, 99.9)) or float(array.max()) or 1.0
    return np.clip(array / high, 0, 2).astype(np.float32)


def join(task: Task, to_template: Field, to_subject: Field) -> Transform:
    """The affine and a warp within the template's space as one transform.

    Parameters
    ----------
    task : Task
    to_template, to_subject : Field
        On the working grid: from points of the moving image, placed by the affine, to those of the
        template, and back.
    """
    start = task.start
    return Transform(
        start.matrix,
        Field.of(task.template.grid, lambda points: start.moving_points(to_subject.move(points))),
        Field.of(task.moving.grid, lambda points: to_template.move(start.template_points(points))),
    )
