"""The search from several starts, from coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .engine import Report, Task
from .levels import Level, make_level
from .optimiser import Model, Steps, maximise_information
from .starts import propose_starts

COARSE_MM = 8.0
"""Voxels at the coarsest level, of a template as large as a head."""

CARRIED = 4
"""Ends of the coarse search that are followed at the finer level."""

SAME_END_MM = 2.0
"""Ends that are no further apart are one."""

COARSE_STEPS = Steps(first_mm=4, last_mm=0.1, most=200)
FINE_STEPS = Steps(first_mm=2, last_mm=0.05, most=200, sampling=0.5)
# Twelve numbers at once overshoot: steps of 1 mm blew brains up to four times their volume.
AFFINE_STEPS = Steps(first_mm=0.25, last_mm=0.02, most=200, sampling=0.5, patience=0.7)

_LEAST_VOXELS = 12  # along the template's shortest side at the coarsest level
_FINEST_COARSE_MM = 4.0


@dataclass(frozen=True, eq=False)
class End:
    """Where the search from some starts ended.

    Parameters
    ----------
    matrix : array, shape (4, 4)
        From the moving image to the template, mm.
    score : float
        Mean squared local correlation, times the share of the foreground it was found in.
    starts : tuple of str
        That led here.
    """

    matrix: NDArray[np.float64]
    score: float
    starts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Search:
    """What the search found.

    Parameters
    ----------
    best : End
    level : Level
        At which ends were compared.
    rivals : tuple of End
        Others that were followed, the best first.
    starts : int
        How many there were.
    """

    best: End
    level: Level
    rivals: tuple[End, ...] = field(default=())
    starts: int = 0

    @property
    def agreeing(self) -> int:
        """Starts that ended within 2 mm of the best."""
        points = self.level.points()
        ends = (self.best, *self.rivals)
        return sum(
            len(end.starts)
            for end in ends
            if distance(end.matrix, self.best.matrix, points) <= SAME_END_MM
        )


def search_pose(
    task: Task,
    foreground: NDArray[np.bool_],
    model: Model,
    report: Report,
    most: int = CARRIED,
) -> Search | None:
    """Find where the moving image lies on the template, to about a millimetre.

    Parameters
    ----------
    task : Task
    foreground : array of bool, shape of the template
    model : str
        ``rigid`` or ``affine``.
    report : callable
    most : int
        Ends of the coarse search that are followed.

    Returns
    -------
    Search or None
        None where no start led to images that meet.
    """
    step_mm = coarsest_mm(task, foreground)
    coarse = make_level(task, foreground, step_mm)
    fine = make_level(task, foreground, step_mm / 2)
    report(0.05, "places where the template fits")
    starts = propose_starts(coarse)
    ends = []
    for number, start in enumerate(starts, start=1):
        report(0.2 + 0.4 * number / len(starts), f"search from {start.name}")
        found = maximise_information(coarse, start.matrix, "rigid", COARSE_STEPS)
        if found is not None:
            ends.append(_end(fine, found, (start.name,)))
    carried = []
    distinct = merge_ends(ends, fine.points(), step_mm)[:most]
    for number, end in enumerate(distinct, start=1):
        report(0.6 + 0.4 * number / len(distinct), f"best places at {step_mm / 2:.2g} mm")
        matrix = _follow(fine, end.matrix, model)
        if matrix is not None:
            carried.append(_end(fine, matrix, end.starts))
    merged = merge_ends(carried, fine.points(), SAME_END_MM)
    return Search(merged[0], fine, tuple(merged[1:]), len(starts)) if merged else None


def coarsest_mm(task: Task, foreground: NDArray[np.bool_]) -> float:
    """Voxel size at which the shortest side of the template's foreground has 12 voxels."""
    sides = np.ptp(np.argwhere(foreground), axis=0) + 1
    shortest = float((sides * task.template.grid.voxel_size).min())
    return float(np.clip(shortest / _LEAST_VOXELS, _FINEST_COARSE_MM, COARSE_MM))


def _follow(level: Level, matrix: NDArray, model: Model) -> NDArray[np.float64] | None:
    found = maximise_information(level, matrix, "rigid", FINE_STEPS)
    if found is None or model == "rigid":
        return found
    return level.better(maximise_information(level, found, "affine", AFFINE_STEPS), found)


def _end(level: Level, matrix: NDArray, starts: tuple[str, ...]) -> End:
    return End(matrix, level.score(matrix), starts)


def merge_ends(ends: list[End], points: NDArray, within_mm: float) -> list[End]:
    """Ends, the best first; those near a better one are counted with it."""
    kept: list[End] = []
    for end in sorted(ends, key=lambda end: -end.score):
        same = (
            place
            for place, other in enumerate(kept)
            if distance(end.matrix, other.matrix, points) <= within_mm
        )
        if (place := next(same, None)) is None:
            kept.append(end)
        else:
            kept[place] = replace(kept[place], starts=kept[place].starts + end.starts)
    return kept


def distance(one: NDArray, other: NDArray, points: NDArray) -> float:
    """Mean distance in mm between where two poses see points of the template.

    Parameters
    ----------
    one, other : array, shape (4, 4)
        From the moving image to the template.
    points : array, shape (n, 3)
        Of the template, mm.
    """
    ways = [np.linalg.inv(matrix) for matrix in (one, other)]
    first, second = (points @ way[:3, :3].T + way[:3, 3] for way in ways)
    return float(np.linalg.norm(first - second, axis=1).mean())
