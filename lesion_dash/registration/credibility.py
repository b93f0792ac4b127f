"""Whether a registration that was found is to be believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..transforms import Transform
from .engine import Report, Task
from .levels import Level
from .matching import turn_about
from .search import End, Search, distance, search_pose

LEAST_COVERAGE = 0.3
"""Of the template's foreground inside the image. A slab of a third of the brain was still right."""

LEAST_SIMILARITY = 0.2
"""At the level of the search: noise, smooth or not, reaches 0.02 to 0.39; see also the next."""

LEAST_CONTRAST = 1.6
"""Similarity over the most that the same image reaches 15 or 30 mm, or 30 degrees, away. Noise
reaches 1.0 to 1.4, a wrong place of a head 1.1 to 2.2, the right one 2.5 and more."""

LARGEST_RIVAL = 0.85
"""Of the similarity, reached by an end of the search at another place: both cannot be right."""

RIVAL_MM = 15.0
"""How far away another place is; nearer ends are on their way to the same one."""

LARGEST_MIRRORED = 1.1
"""Similarity of the mirrored image over the image's own. Heads are alike to a few percent."""

LEAST_AGREEING = 3
"""Starts that end at the result. Of about ten, a wrong place has drawn one or two."""

CLEAR_CONTRAST = 2.3
"""From here on two starts are enough: where two led to a wrong place, the contrast was 1.9."""

STRETCH = (0.6, 1.7)
"""Of any direction. Adult brains are 1.0 to 1.7 litres and the MNI152 brain 1.9: along an axis a
brain is made 1.04 to 1.24 times as long, up to 1.6 for that of a newborn."""

DETERMINANT = (0.4, 4.0)
"""Of volumes: 1.9 / 1.0 litres for a small adult brain, 1.9 / 0.5 for that of a newborn."""

MOST_UNEVEN = 1.6
"""The largest stretch over the smallest: heads differ in shape by some 20 percent."""


@dataclass(frozen=True)
class Evidence:
    """What is known of how well a linear transform fits.

    Parameters
    ----------
    similarity, elsewhere, rival, mirrored : float
        Mean squared local correlation at the level of the search: of the result, the most of it
        moved away by 15 or 30 mm or turned by 30 degrees, of the best end at another place, and of
        the best place for the mirrored image.
    coverage : float
        Share of the template's foreground inside the image.
    stretches : tuple of float
        By how much the image is made longer, along the three directions in which that is extreme.
    starts, agreeing : int
    """

    similarity: float = 0.0
    elsewhere: float = 0.0
    rival: float = 0.0
    mirrored: float = 0.0
    coverage: float = 0.0
    stretches: tuple[float, ...] = (1.0, 1.0, 1.0)
    starts: int = 0
    agreeing: int = 0


def gather_evidence(search: Search, transform: Transform, mirrored: float) -> Evidence:
    """Measure what speaks for a linear transform, and against it."""
    level, matrix = search.level, transform.matrix
    similarity, _ = level.similarity(transform)
    points = level.points()
    ends = (search.best, *search.rivals)
    places = [end for end in ends if distance(end.matrix, matrix, points) > RIVAL_MM]
    return Evidence(
        similarity,
        max(_misplaced(level, matrix), default=0.0),
        max((_similarity_of(level, end) for end in places), default=0.0),
        mirrored,
        level.coverage(transform),
        tuple(np.linalg.svd(matrix[:3, :3], compute_uv=False).tolist()),
        search.starts,
        search.agreeing,
    )


def search_mirrored(task: Task, foreground: NDArray[np.bool_], report: Report) -> float:
    """Similarity at the best place of the image with its left and right exchanged."""
    mirrored = mirror_task(task)
    found = search_pose(mirrored, foreground, "affine", report, most=1)
    return _similarity_of(found.level, found.best) if found else 0.0


def mirror_task(task: Task) -> Task:
    """The same with left and right of the moving image exchanged, about the middle of its box."""
    corners = task.moving.grid.corners()
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = corners[:, 0].min() + corners[:, 0].max()
    grid = replace(task.moving.grid, affine=mirror @ task.moving.grid.affine)
    return replace(task, moving=replace(task.moving, grid=grid))


def doubts(evidence: Evidence) -> tuple[str, ...]:
    """Why a registration isn't to be believed, a sentence each; none where it is."""
    return (*_doubt_fit(evidence), *_doubt_place(evidence), *_doubt_shape(evidence.stretches))


def _doubt_fit(seen: Evidence) -> Iterator[str]:
    if seen.starts == 0 or seen.coverage == 0:
        yield "from no start do the two images come to lie on each other"
        return
    if seen.coverage < LEAST_COVERAGE:
        yield (
            f"the image covers {seen.coverage:.0%} of the template's foreground, "
            f"at least {LEAST_COVERAGE:.0%} needed"
        )
    if seen.similarity < LEAST_SIMILARITY:
        yield (
            f"local similarity is {seen.similarity:.2f} on a scale from 0 to 1, "
            f"at least {LEAST_SIMILARITY} needed"
        )
    if seen.similarity < LEAST_CONTRAST * seen.elsewhere:
        yield (
            f"similarity {seen.similarity:.2f} hardly stands out: the image reaches "
            f"{seen.elsewhere:.2f} where it is misplaced on purpose"
        )


def _doubt_place(seen: Evidence) -> Iterator[str]:
    if seen.rival > LARGEST_RIVAL * seen.similarity:
        yield (
            f"another place, more than {RIVAL_MM:g} mm away, fits about as well "
            f"(similarity {seen.rival:.2f} against {seen.similarity:.2f})"
        )
    if seen.mirrored > LARGEST_MIRRORED * seen.similarity:
        yield (
            f"the mirrored image fits better (similarity {seen.mirrored:.2f} against "
            f"{seen.similarity:.2f}): its header may exchange left and right"
        )
    is_clear = seen.similarity >= CLEAR_CONTRAST * seen.elsewhere
    needed = LEAST_AGREEING - 1 if is_clear else LEAST_AGREEING
    if seen.starts > 0 and seen.agreeing < needed:
        yield f"{seen.agreeing} of {seen.starts} starts led here, at least {needed} needed"


def _doubt_shape(stretches: tuple[float, ...]) -> Iterator[str]:
    low, high = min(stretches), max(stretches)
    volume = float(np.prod(stretches))
    if low < STRETCH[0] or high > STRETCH[1] or high > MOST_UNEVEN * low:
        yield (
            f"the image would be stretched {low:.2f} to {high:.2f} times; between {STRETCH[0]} "
            f"and {STRETCH[1]}, and no more than {MOST_UNEVEN} times unevenly, is possible"
        )
    if not DETERMINANT[0] <= volume <= DETERMINANT[1]:
        yield (
            f"volumes would change {volume:.2f} times; {DETERMINANT[0]} to {DETERMINANT[1]} "
            f"is possible"
        )


def _similarity_of(level: Level, end: End) -> float:
    return level.similarity(Transform(end.matrix))[0]


def _misplaced(level: Level, matrix: NDArray) -> Iterator[float]:
    for displacement in _displacements(level.centre):
        similarity, share = level.similarity(Transform(displacement @ matrix))
        if share >= LEAST_COVERAGE:
            yield similarity


def _displacements(centre: NDArray) -> Iterator[NDArray[np.float64]]:
    for axis in range(3):
        for sign in (-1, 1):
            for mm in (15.0, 30.0):
                shift = np.eye(4)
                shift[axis, 3] = sign * mm
                yield shift
            yield turn_about(centre, [30.0 * sign * (axis == place) for place in range(3)])
