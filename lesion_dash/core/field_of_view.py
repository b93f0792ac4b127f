"""Two grids whose voxels coincide, compared on one grid that holds both fields of view."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .grid import Grid, is_near
from .text import counted

_ONE_GRID = "resample both maps to one grid"


@dataclass(frozen=True, eq=False)
class FieldsOfView:
    """Where A, B and both have data.

    Parameters
    ----------
    grid : Grid
        With the axes of A and the voxels of both; that of A where B lies within it.
    a, b : Grid
        Of A and of B.
    """

    grid: Grid
    a: Grid
    b: Grid

    @property
    def is_one(self) -> bool:
        """Whether A and B have data of the same voxels."""
        return all(own.size == self.grid.size for own in (self.a, self.b))

    def places(self, own: Grid, indices: NDArray[np.integer]) -> NDArray[np.int32]:
        """Linear positions of voxels of A's grid, or B's, on the common one, in their order."""
        return np.asarray(move_voxels(indices, own, self.grid)[0], np.int32)

    def seen(self, own: Grid, indices: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether voxels of the common grid lie in the field of view of A, or of B."""
        return move_voxels(indices, self.grid, own)[1]

    @property
    def seen_by_both(self) -> NDArray[np.bool_]:
        """The voxels of the common grid of which A and B have data, its shape."""
        seen = np.zeros(self.grid.shape, bool)
        boxes = [_box_in(own, self.grid) for own in (self.a, self.b)]
        low, high = np.max([box[0] for box in boxes], axis=0), np.min([b[1] for b in boxes], axis=0)
        seen[tuple(slice(first, last + 1) for first, last in zip(low, high, strict=True))] = True
        return seen

    def notes(self, a: NDArray[np.integer], b: NDArray[np.integer]) -> tuple[str, ...]:
        """How many voxels of one lie where the other has no data.

        Parameters
        ----------
        a, b : array of int
            Linear positions on the common grid of the voxels of A, and of B.
        """
        notes = []
        for who, voxels, other, field in (("A", a, "B", self.b), ("B", b, "A", self.a)):
            if beyond := int((~self.seen(field, voxels)).sum()):
                which = f"{counted(beyond, 'voxel')} of {who} ({100 * beyond / voxels.size:.1f} %)"
                verb = "lies" if beyond == 1 else "lie"
                where = f"outside {other}'s field of view: {other} has no data there"
                notes.append(f"{which} {verb} {where}")
        return tuple(notes)


def fields_of_view(a: Grid, b: Grid, name_b: str, name_a: str = "the other map") -> FieldsOfView:
    """Bring the grids of A and B together without interpolation.

    Parameters
    ----------
    a, b : Grid
    name_b, name_a : str
        For the sentence of an error.

    Raises
    ------
    InputError
        Where voxel centres do not coincide, or no place lies in both fields of view.

    Examples
    --------
    >>> affine = np.diag([2.0, 2, 2, 1])
    >>> moved = affine.copy()
    >>> moved[0, 3] = -4
    >>> fields_of_view(Grid((5, 4, 4), affine), Grid((5, 4, 4), moved), "b").grid.shape
    (7, 4, 4)
    """
    if is_near(b, a):
        return FieldsOfView(a, a, a)
    problem = f"is not on the grid of {name_a}: {b.difference(a)}"
    if b.exact_steps(a) is None:
        raise InputError(name_b, problem, _ONE_GRID)
    low, high = _box_in(b, a)
    last = np.array(a.shape) - 1
    if np.any(low > last) or np.any(high < 0):
        problem += "; no place lies in both fields of view"
        raise InputError(name_b, problem, "compare images of one space")
    first = np.minimum(low, 0)
    shape = np.maximum(high, last) - first + 1
    if np.array_equal(shape, a.shape):
        return FieldsOfView(a, a, b)
    affine = a.affine.copy()
    affine[:3, 3] = a.to_mm(first)
    known: Any = tuple(shape.tolist())
    return FieldsOfView(replace(a, shape=known, affine=affine), a, b)


def _box_in(own: Grid, grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last voxel of a grid's field of view, counted on another grid."""
    corners = np.array(list(product(*[(0, n - 1) for n in own.shape]))).T
    steps = own.exact_steps(grid)
    if is_near(own, grid) or steps is None:
        return corners.min(axis=1), corners.max(axis=1)
    ends = steps[:, :3] @ corners + steps[:, 3:]
    return ends.min(axis=1), ends.max(axis=1)


def move_voxels(
    indices: NDArray[np.integer], own: Grid, grid: Grid
) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
    """Linear positions of voxels on another grid whose voxels coincide.

    Returns
    -------
    places : array of int
        In the order given, of those that lie in the field of view of `grid`.
    inside : array of bool, shape of `indices`
        Which of them do.

    Examples
    --------
    >>> wide = Grid((4, 1, 1), np.eye(4))
    >>> narrow = Grid((2, 1, 1), np.eye(4))
    >>> places, inside = move_voxels(np.array([1, 3]), wide, narrow)
    >>> places.tolist(), inside.tolist()
    ([1], [True, False])
    """
    steps = None if is_near(own, grid) else own.exact_steps(grid)
    if steps is None:  # the positions are the same
        return indices, np.ones(indices.size, bool)
    voxels = np.stack(np.unravel_index(indices, own.shape, order="F"))
    moved = steps[:, :3] @ voxels + steps[:, 3:]
    is_inside = (moved >= 0) & (moved < np.array(grid.shape)[:, None])
    inside = np.asarray(is_inside.all(axis=0), bool)
    return np.ravel_multi_index(tuple(moved[:, inside]), grid.shape, order="F"), inside
