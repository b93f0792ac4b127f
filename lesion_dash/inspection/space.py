"""An affine in plain words: where each axis of an image points, and how large its voxels are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid

DIRECTIONS = {
    "R": "to the right",
    "L": "to the left",
    "A": "to the front",
    "P": "to the back",
    "S": "upwards",
    "I": "downwards",
}
"""Where an axis grows, in the patient."""

_WORLD = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
_LEAST_ANGLE = 0.01  # degrees; affines are stored as float32, which turns them by about 1e-5
_MOST_WHOLE = 1e15
_NAMES = "ijk"


@dataclass(frozen=True)
class Axis:
    """One axis of an image.

    Parameters
    ----------
    name : str
        ``i``, ``j`` or ``k``.
    letter : str
        The direction in which it mainly grows: R, L, A, P, S or I.
    voxels : int
    edge_mm : float
        Distance of two neighbours along it.
    angle : float
        Degrees between the axis and that direction.
    """

    name: str
    letter: str
    voxels: int
    edge_mm: float
    angle: float

    @property
    def words(self) -> str:
        """Such as ``i grows to the left``."""
        return f"{self.name} grows {DIRECTIONS[self.letter]}"


@dataclass(frozen=True, eq=False)
class Space:
    """Where the voxels of an image are, for people.

    Parameters
    ----------
    grid : Grid
    orientation : str
        The letter of each axis, such as RAS; each world axis occurs once.

    Examples
    --------
    >>> mni = [[-2, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
    >>> for sentence in Space(Grid((91, 109, 91), mni), "LAS").sentences:
    ...     print(sentence)
    2 mm voxels
    i grows to the left, j to the front, k upwards (LAS)
    the first voxel, (0, 0, 0), is at (90, -126, -72) mm; the last, (90, 108, 90), at (-90, 90, 108) mm
    stored in radiological order: the determinant of M is negative
    """  # noqa: E501

    grid: Grid
    orientation: str

    @cached_property
    def axes(self) -> tuple[Axis, Axis, Axis]:
        """i, j and k."""
        i, j, k = (self._axis(place) for place in range(3))
        return i, j, k

    def _axis(self, place: int) -> Axis:
        column = self.grid.affine[:3, place]
        letter = self.orientation[place]
        world, sign = _WORLD[letter]
        aside = np.linalg.norm(np.delete(column, world))
        angle = float(np.degrees(np.arctan2(aside, sign * column[world])))
        edge = float(self.grid.voxel_size[place])
        return Axis(_NAMES[place], letter, self.grid.shape[place], edge, angle)

    @property
    def oblique_degrees(self) -> float:
        """The largest angle between an axis and the direction it is named after."""
        return max(axis.angle for axis in self.axes)

    @property
    def is_oblique(self) -> bool:
        """Whether the axes are turned against left-right, back-front and down-up."""
        return self.oblique_degrees >= _LEAST_ANGLE

    @cached_property
    def between_degrees(self) -> dict[str, float]:
        """The angle at which two axes meet, for ``ij``, ``ik`` and ``jk``; 90 without shear."""
        columns = self.grid.affine[:3, :3] / self.grid.voxel_size
        found = {}
        for a, b in combinations(range(3), 2):
            across = np.linalg.norm(np.cross(columns[:, a], columns[:, b]))
            angle = np.degrees(np.arctan2(across, columns[:, a] @ columns[:, b]))
            found[_NAMES[a] + _NAMES[b]] = float(angle)
        return found

    @property
    def is_mirrored(self) -> bool:
        """Whether i, j, k are to each other as the fingers of a left hand, as in LAS."""
        return bool(np.linalg.det(self.grid.affine[:3, :3]) < 0)

    @property
    def size_words(self) -> str:
        """Such as ``2 mm voxels`` or ``voxels of 1 x 1 x 5 mm``."""
        edges = [number(edge) for edge in self.grid.voxel_size]
        return f"{edges[0]} mm voxels" if len({*edges}) == 1 else f"voxels of {_times(edges)} mm"

    @property
    def axes_words(self) -> str:
        """Such as ``i grows to the left, j to the front, k upwards (LAS)``."""
        i, j, k = self.axes
        others = ", ".join(f"{axis.name} {DIRECTIONS[axis.letter]}" for axis in (j, k))
        mainly = "mainly " if self.is_oblique else ""
        return f"{i.name} grows {mainly}{DIRECTIONS[i.letter]}, {others} ({self.orientation})"

    @property
    def sentences(self) -> tuple[str, ...]:
        """The affine in words: size, axes, first and last voxel, and what is unusual."""
        said = [self.size_words, self.axes_words, self._ends()]
        if self.is_oblique:
            turned = ", ".join(f"{a.name} by {a.angle:.4g}°" for a in self.axes)
            said.append(
                f"oblique by {self.oblique_degrees:.4g}°: axes are turned against the directions "
                f"they are named after ({turned})"
            )
        said += [
            f"sheared: {pair[0]} and {pair[1]} meet at {angle:.4g}°, not at a right angle"
            for pair, angle in self.between_degrees.items()
            if abs(angle - 90) >= _LEAST_ANGLE
        ]
        if self.is_mirrored:
            said.append("stored in radiological order: the determinant of M is negative")
        return tuple(said)

    def _ends(self) -> str:
        last = [n - 1 for n in self.grid.shape]
        return (
            f"the first voxel, (0, 0, 0), is at {point(self.grid.to_mm((0, 0, 0)))} mm; "
            f"the last, {point(last)}, at {point(self.grid.to_mm(last))} mm"
        )

    @property
    def formula(self) -> tuple[str, ...]:
        """Voxel to mm, a line for each of x, y and z, with the numbers of the affine."""
        return _lines("xyz", "ijk", self.grid.affine)

    @property
    def inverse_formula(self) -> tuple[str, ...]:
        """Mm to voxel, a line for each of i, j and k."""
        return _lines("ijk", "xyz", np.linalg.inv(self.grid.affine))


def _lines(left: str, right: str, affine: NDArray) -> tuple[str, ...]:
    lines = []
    # What a rotation leaves of a 0, such as 6e-17, is not shown.
    for name, row in zip(left, affine[:3].round(10).tolist(), strict=True):
        terms = [f"{number(m)} {axis}" for m, axis in zip(row, right, strict=False)]
        lines.append(f"{name} = " + " + ".join([*terms, number(row[3])]).replace("+ -", "- "))
    return tuple(lines)


def number(value: float) -> str:
    """A number as people write it: whole numbers in full, others with six digits.

    Examples
    --------
    >>> number(2.0), number(-0.0), number(12345678), number(3.0999999), number(1e-9)
    ('2', '0', '12345678', '3.1', '1e-09')
    """
    is_whole = abs(value) < _MOST_WHOLE and float(value).is_integer()
    return f"{int(value)}" if is_whole else f"{value:.6g}"


def numbers(values: Iterable[float]) -> str:
    """Several of them, as in ``1, 2.5, 3``."""
    return ", ".join(number(value) for value in values)


def point(values: Iterable[float]) -> str:
    """A place, as in ``(1, 2.5, 3)``; to a ten-thousandth."""
    return f"({numbers(round(float(value), 4) for value in values)})"


def _times(edges: list[str]) -> str:
    return " x ".join(edges)
