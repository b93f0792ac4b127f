"""Displacement fields as ITK and ANTs keep them: NIfTI images of vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import AnyPath
from ..grid import Grid
from ..images import read_vectors
from .itk import FLIP
from .transform import Field, Transform

_MOST_FITTED = 20_000

_LIKE_PLACES = 0.5
"""By how much the numbers of a field grow along their axis, mm per mm: places by about 1.
Displacements in LPS do so only where x and y shrink to half, and z grows by half."""


def read_field(path: AnyPath) -> Transform:
    """Read a displacement field, which takes points of the template to the moving image.

    Parameters
    ----------
    path : path or URL
        NIfTI image of shape (x, y, z, 1, 3), mm, LPS.

    Returns
    -------
    Transform
        Its matrix is the affine that comes closest to the field. The way from the moving image to
        the template is another file, and not known.
    """
    grid, vectors = read_vectors(path)
    try:
        field = Field(grid, (vectors * np.diag(FLIP)[:3]).astype(np.float32))
        linear = linear_part(field)
        _check_displacements(linear)
        matrix = Transform(linear).inverse().matrix
    except InputError as error:
        raise InputError(path, error.reason) from None
    return Transform(matrix, field)


def _check_displacements(linear: NDArray[np.float64]) -> None:
    """Refuse what SPM writes: its ``y_`` files look the same, and hold places in RAS."""
    growth = np.diag(FLIP @ (linear - np.eye(4)))[:3]
    if (growth > _LIKE_PLACES).all():
        problem = "holds coordinates and no displacements, as SPM writes them"
        raise InputError("displacement field", problem, "give a field of ITK or ANTs")


def linear_part(field: Field) -> NDArray[np.float64]:
    """The affine that moves the points of a field almost as the field does, by least squares."""
    grid = field.grid
    step = max(round((grid.size / _MOST_FITTED) ** (1 / 3)), 1)
    voxels = np.stack(
        np.meshgrid(*[_spread(length, step) for length in grid.shape], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    points = grid.to_mm(voxels)
    moved = points + field.mm[tuple(voxels.T)]
    # About their centre, so that places far from 0 do not drown the matrix.
    centre = points.mean(axis=0)
    terms = np.column_stack([points - centre, np.ones(len(points))])
    solved = np.linalg.lstsq(terms, moved, rcond=None)[0].T
    matrix = np.eye(4)
    matrix[:3, :3] = solved[:, :3] if _is_spread(grid) else np.eye(3)
    matrix[:3, 3] = moved.mean(axis=0) - matrix[:3, :3] @ centre
    return matrix


def _spread(length: int, step: int) -> NDArray[np.intp]:
    return np.unique(np.append(np.arange(0, length, step), length - 1))


def _is_spread(grid: Grid) -> bool:
    """Whether the grid is no plane, of which no affine in space can be told."""
    return min(grid.shape) > 1
