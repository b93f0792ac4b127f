"""Where points of a moving image lie in the space of a template, and the other way round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ..errors import InputError
from ..grid import Grid


@dataclass(frozen=True, eq=False)
class Field:
    """How far each point of a grid is moved.

    Parameters
    ----------
    grid : Grid
        Of the points that are moved.
    mm : array, shape (x, y, z, 3)
        Displacement in mm, RAS: a point p of the grid goes to p + mm.
    """

    grid: Grid
    mm: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.mm.shape != (*self.grid.shape, 3):
            problem = f"array of shape {self.mm.shape} on a grid of {self.grid.shape}"
            raise InputError("displacement field", problem, "give three numbers a voxel")
        if not np.isfinite(self.mm).all():
            raise InputError("displacement field", "holds a value that is no number")

    @classmethod
    def of(cls, grid: Grid, move: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Field:
        """The field that moves the points of a grid as a function does.

        Parameters
        ----------
        grid : Grid
        move : callable
            Given points (mm, RAS, shape (..., 3)), says where they go; asked for a slice at a
            time, to keep memory small.
        """
        mm = np.empty((*grid.shape, 3), np.float32)
        for k in range(grid.shape[2]):
            spans = (np.arange(grid.shape[0]), np.arange(grid.shape[1]), [k])
            points = grid.to_mm(np.stack(np.meshgrid(*spans, indexing="ij"), axis=-1))
            mm[:, :, k] = (move(points) - points)[:, :, 0]
        return cls(grid, mm)

    def move(self, points: ArrayLike, linear: NDArray | None = None) -> NDArray[np.float64]:
        """Where points go.

        Parameters
        ----------
        points : array, shape (..., 3)
            mm, RAS. Beyond the grid, the displacement is that of the border.
        linear : array, shape (3, 3), optional
            Linear part of the field, which is carried on beyond the grid.
        """
        points = np.asarray(points, np.float64)
        voxels = self.grid.to_voxel(points.reshape(-1, 3))
        moved = [
            ndimage.map_coordinates(self.mm[..., axis], voxels.T, order=1, mode="nearest")
            for axis in range(3)
        ]
        displaced = np.stack(moved, axis=-1).astype(np.float64)
        if linear is not None:
            beyond = voxels - np.clip(voxels, 0, np.array(self.grid.shape) - 1)
            displaced += beyond @ ((linear - np.eye(3)) @ self.grid.affine[:3, :3]).T
        return points + displaced.reshape(points.shape)


@dataclass(frozen=True, eq=False)
class Transform:
    """Where points of the moving image lie in the template's space.

    Parameters
    ----------
    matrix : array, shape (4, 4)
        Takes a point of the moving image (mm, RAS) to the template's space (mm, RAS). With
        fields, their linear part.
    to_moving : Field, optional
        On the template's grid: takes its points to the moving image, the linear part included.
    to_template : Field, optional
        On the moving image's grid: takes its points to the template, the linear part included.
        Where one field comes alone, as in a file, the way back is not known.

    Raises
    ------
    InputError
        Where the matrix is none of an affine that can be inverted.

    Examples
    --------
    >>> shift = Transform([[1, 0, 0, 5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> shift.template_points([1, 2, 3]).tolist()
    [6.0, 2.0, 3.0]
    >>> shift.moving_points([6, 2, 3]).tolist()
    [1.0, 2.0, 3.0]
    >>> shift.volume_factor
    1.0
    """

    matrix: NDArray[np.float64] = field(default_factory=lambda: np.eye(4))
    to_moving: Field | None = None
    to_template: Field | None = None

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (4, 4):
            raise InputError("transform", f"is no 4 x 4 matrix of numbers: shape {matrix.shape}")
        if not np.isfinite(matrix).all():
            raise InputError("transform", "is no 4 x 4 matrix of numbers: one is NaN or infinite")
        if not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-9):
            raise InputError("transform", "last row is not 0 0 0 1", "give an affine in mm")
        if abs(np.linalg.det(matrix[:3, :3])) < 1e-6:
            raise InputError("transform", "flattens space: its determinant is 0")
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    @property
    def is_linear(self) -> bool:
        """Whether it is an affine alone."""
        return self.to_moving is None and self.to_template is None

    @property
    def leads_to_template(self) -> bool:
        """Whether it is known where points of the moving image go."""
        return self.is_linear or self.to_template is not None

    @property
    def volume_factor(self) -> float:
        """How much larger a volume of the moving image is in the template: the determinant."""
        return float(np.linalg.det(self.matrix[:3, :3]))

    def template_points(self, moving: ArrayLike) -> NDArray[np.float64]:
        """Where points of the moving image lie in the template; mm, RAS, shape (..., 3)."""
        if self.is_linear:
            return _apply(self.matrix, moving)
        if self.to_template is None:
            problem = (
                "is a displacement field that leads from the template to the moving image only"
            )
            raise InputError("transform", problem, "give the file of its inverse")
        return self.to_template.move(moving, self.matrix[:3, :3])

    def moving_points(self, template: ArrayLike) -> NDArray[np.float64]:
        """Where points of the template lie in the moving image; mm, RAS, shape (..., 3)."""
        if self.is_linear:
            return _apply(_inverse(self.matrix), template)
        if self.to_moving is None:
            problem = (
                "is a displacement field that leads from the moving image to the template only"
            )
            raise InputError("transform", problem, "give the file of its inverse")
        return self.to_moving.move(template, _inverse(self.matrix)[:3, :3])

    def inverse(self) -> Transform:
        """The same with the roles of moving image and template exchanged."""
        return Transform(_inverse(self.matrix), self.to_template, self.to_moving)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.inv(matrix).astype(np.float64, copy=False)


def _apply(matrix: NDArray[np.float64], points: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(points, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
