"""Transforms one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..grid import Grid
from .transform import Field, Transform


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
    to_moving = _field(tuple(reversed(transforms)), template, "moving_points")
    leads_back = moving is not None and all(part.leads_to_template for part in transforms)
    to_template = _field(tuple(transforms), moving, "template_points") if leads_back else None
    return Transform(matrix, to_moving, to_template)


def _field(parts: Sequence[Transform], grid: Grid | None, way: str) -> Field:
    """The displacements of all parts together."""
    assert grid is not None, "the callers look"

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        for part in parts:
            points = getattr(part, way)(points)
        return points

    return Field.of(grid, move)
