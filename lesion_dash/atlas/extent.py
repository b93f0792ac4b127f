"""Where in space a grid lies."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..grid import Grid


def check_boxes_meet(name: str, own: Grid, grid: Grid) -> None:
    """Raise InputError where an atlas and a map have no place in common."""
    if not _boxes_meet(own, grid):
        problem = f"atlas does not overlap the map: {_extent(own)} against {_extent(grid)}"
        raise InputError(name, problem, "choose an atlas of the same space")


def _boxes_meet(a: Grid, b: Grid) -> bool:
    (low_a, high_a), (low_b, high_b) = (
        (grid.corners().min(axis=0), grid.corners().max(axis=0)) for grid in (a, b)
    )
    return bool(np.all(low_a <= high_b) and np.all(low_b <= high_a))


def _extent(grid: Grid) -> str:
    low, high = grid.corners().min(axis=0), grid.corners().max(axis=0)
    return ", ".join(
        f"{axis} {a:.0f}..{b:.0f} mm" for axis, a, b in zip("xyz", low, high, strict=True)
    )
