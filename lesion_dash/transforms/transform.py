"""Transforms: affines and displacement fields, composed, inverted, and their Jacobians."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ..core.errors import InputError
from ..core.grid import Grid

_ALL = slice(None)


def points_of(grid: Grid, i: slice = _ALL, j: slice = _ALL, k: slice = _ALL) -> NDArray[np.float64]:
    """Where the voxels of a part of a grid lie; mm, RAS, shape (x, y, z, 3)."""
    spans = [np.arange(n)[part] for n, part in zip(grid.shape, (i, j, k), strict=True)]
    return grid.to_mm(np.stack(np.meshgrid(*spans, indexing="ij"), axis=-1))


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
            raise InputError("displacement field", "holds a value that is not a number")

    @classmethod
    def of(cls, grid: Grid, move: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Field:
        """The field that moves the points of a grid as a function does.

        Parameters
        ----------
        grid : Grid
        move : callable
            Given points (mm, RAS, shape (..., 3)), returns where they go; called for a slice at
            a time, to keep memory small.
        """
        mm = np.empty((*grid.shape, 3), np.float32)
        for k in range(grid.shape[2]):
            points = points_of(grid, k=slice(k, k + 1))
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
            raise InputError("transform", f"is not a 4 x 4 matrix of numbers: shape {matrix.shape}")
        if not np.isfinite(matrix).all():
            raise InputError(
                "transform", "is not a 4 x 4 matrix of numbers: one is NaN or infinite"
            )
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
        return self._move(moving, self.matrix, self.to_template, "template", "moving image")

    def moving_points(self, template: ArrayLike) -> NDArray[np.float64]:
        """Where points of the template lie in the moving image; mm, RAS, shape (..., 3)."""
        matrix = np.linalg.inv(self.matrix)
        return self._move(template, matrix, self.to_moving, "moving image", "template")

    def _move(
        self, points: ArrayLike, matrix: NDArray, field: Field | None, known: str, unknown: str
    ) -> NDArray[np.float64]:
        if self.is_linear:
            return np.asarray(points, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
        if field is None:
            problem = f"is a displacement field that leads from the {known} to the {unknown} only"
            raise InputError("transform", problem, "give the file of its inverse")
        return field.move(points, matrix[:3, :3])

    def inverse(self) -> Transform:
        """The same with the roles of moving image and template exchanged."""
        inverse: NDArray = np.linalg.inv(self.matrix)
        return Transform(inverse, self.to_template, self.to_moving)


def chain_transforms(
    transforms: Sequence[Transform], moving: Grid | None = None, template: Grid | None = None
) -> Transform:
    """Make one transform of several.

    Parameters
    ----------
    transforms : sequence of Transform
        The first one starts at the moving image, the last one ends at the template.
    moving, template : Grid, optional
        On which fields are made, where a part is a displacement field. Without the moving grid,
        the way back stays unknown.

    Raises
    ------
    InputError
        Where a displacement field is among them, and the template's grid is not given.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash.scans import Transform
    >>> shift = np.eye(4)
    >>> shift[0, 3] = 5
    >>> chain_transforms([Transform(shift), Transform(np.diag([2.0, 1, 1, 1]))]).matrix[0].tolist()
    [2.0, 0.0, 0.0, 10.0]
    """
    matrix = np.eye(4)
    for part in transforms:
        matrix = part.matrix @ matrix
    if all(part.is_linear for part in transforms):
        return Transform(matrix)
    if template is None:
        problem = "a displacement field in a chain is brought to the template's grid"
        raise InputError("transforms", problem, "give the template")
    to_moving = Field.of(template, partial(_through, "moving_points", transforms[::-1]))
    to_template = None
    if moving is not None and all(part.leads_to_template for part in transforms):
        to_template = Field.of(moving, partial(_through, "template_points", transforms))
    return Transform(matrix, to_moving, to_template)


def _through(
    way: str, parts: Sequence[Transform], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    for part in parts:
        points = getattr(part, way)(points)
    return points


_MAX_POINTS = 2**20
"""Moved at a time; each takes some 200 bytes."""

_MAX_RATIO = 1e30
"""Where a warp all but flattens space: what float32 can hold."""


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
    depth = max(_MAX_POINTS // (grid.shape[0] * grid.shape[1]), 1)
    for first in range(0, grid.shape[2], depth):
        last = min(first + depth, grid.shape[2])
        # A slice more on either side, so that differences are central there too.
        low, high = max(first - 1, 0), min(last + 1, grid.shape[2])
        determinants = _determinants(transform, grid, low, high)[..., first - low : last - low]
        shrunk = np.zeros_like(determinants)
        np.divide(1, determinants, out=shrunk, where=determinants != 0)
        ratios[..., first:last] = np.clip(shrunk, -_MAX_RATIO, _MAX_RATIO)
    return ratios


def _determinants(transform: Transform, grid: Grid, low: int, high: int) -> NDArray[np.float64]:
    """Volume in the moving image per volume in the template, for some slices."""
    moved = transform.moving_points(points_of(grid, k=slice(low, high)))
    edges = []
    for axis in range(3):
        if moved.shape[axis] > 1:
            edges.append(np.gradient(moved, axis=axis))
        else:  # an axis of one voxel has no difference: its edge by the linear part
            edge = np.linalg.solve(transform.matrix[:3, :3], grid.affine[:3, axis])
            edges.append(np.broadcast_to(edge, moved.shape))
    volumes = np.einsum("...i,...i->...", edges[0], np.cross(edges[1], edges[2]))
    return np.asarray(volumes / np.linalg.det(grid.affine[:3, :3]))
