"""What a program that registers images is asked for, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from ..transforms import Transform
from .registration import Kind

Report = Callable[[float, str], None]
"""Told the share that is done, 0 to 1, and what is being done; what it raises ends the work."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Intensities of one image.

    Parameters
    ----------
    array : array of float32, shape of the grid
        Finite.
    grid : Grid
    """

    array: NDArray[np.float32]
    grid: Grid


@dataclass(frozen=True, eq=False)
class Task:
    """What an engine is asked for.

    Parameters
    ----------
    moving, template : Volume
    kind : str
        ``rigid``, ``affine`` or ``deformable``.
    start : Transform
        From the moving image to the template; close already. It is linear, and all that a
        deformable engine needs of a linear one.
    lesion : array of bool, shape of the moving grid, or None
        Voxels of the moving image whose intensities say nothing about where they belong.
    """

    moving: Volume
    template: Volume
    kind: Kind
    start: Transform
    lesion: NDArray[np.bool_] | None = None


class Engine(Protocol):
    """A program that refines a registration."""

    name: str
    kinds: tuple[Kind, ...]

    def version(self) -> str:
        """Its name and version; raises `SetupError` with the remedy where it is not installed."""

    def register(self, task: Task, report: Report) -> Transform:
        """From the moving image to the template, starting at `task.start`."""
