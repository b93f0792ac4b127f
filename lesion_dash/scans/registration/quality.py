"""Find a transform by SimpleITK, refine it by any engine, and judge whether it is credible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ...core.defaults import Kind
from ...transforms.transform import Transform, jacobian_map
from .levels import Level, coarsen, coarsen_mask, finest_mm, foreground_of, make_level
from .search import (
    Model,
    PoseSearch,
    Steps,
    distance,
    maximise,
    search_pose,
    turn_about,
)
from .task import Engine, Quality, Report, Task, Volume, package_version

# Arbitrary; benchmarks/bench_register.py measures what they reach.
INFORMATION = Steps(first_mm=0.25, last_mm=0.005, iterations=100, sampling=0.25, patience=0.7)
CORRELATION = Steps(
    first_mm=0.2, last_mm=0.001, iterations=20, patience=0.5, similarity="correlation"
)


class SimpleITKEngine:
    """Mutual information, then a polish by local correlation.

    The polish takes the error from 0.4 to 0.07 mm. It isn't run where a lesion is masked: then it
    stops helping, and without the mask the lesion would pull.
    """

    name = "simpleitk"
    kinds: tuple[Kind, ...] = ("rigid", "affine")

    def __init__(self, polishes: bool = True) -> None:
        self.polishes = polishes  # not for the benchmark of mutual information alone

    def version(self) -> str:
        """Its name and version; raises `SetupError` where it is not installed."""
        return package_version("SimpleITK", "pip install SimpleITK")

    def register(self, task: Task, report: Report) -> Transform:
        """From the moving image to the template, starting at `task.start`."""
        foreground = foreground_of(task.template)
        model = cast("Model", task.kind)
        voxel_mm = finest_mm(task, foreground)
        level = make_level(task, foreground, voxel_mm)
        matrix = task.start.matrix
        report(0.1, f"mutual information at {voxel_mm:.2g} mm")
        matrix = level.better(maximise(level, matrix, model, INFORMATION), matrix)
        if self.polishes and level.lesion is None:
            report(0.3, f"local correlation at {voxel_mm:.2g} mm")
            matrix = level.better(maximise(level, matrix, model, CORRELATION), matrix)
        # The order in which threads add up differs with their number, in the last bits alone.
        return Transform(np.round(matrix, 9))


MIN_COVERAGE = 0.3
"""Of the template's foreground inside the image. A slab of a third of the brain was still right."""

MIN_SIMILARITY = 0.2
"""At the level of the search: noise, smooth or not, reaches 0.02 to 0.39; see also the next."""

MIN_CONTRAST = 1.6
"""Similarity over the most that the same image reaches 15 or 30 mm, or 30 degrees, away. Noise
reaches 1.0 to 1.4, a wrong place of a head 1.1 to 2.2, the right one 2.5 and more."""

MAX_RIVAL = 0.85
"""Of the similarity, reached by an end of the search at another place: both cannot be right."""

RIVAL_MM = 15.0
"""How far away another place is; nearer ends are on their way to the same one."""

MAX_MIRRORED = 1.1
"""Similarity of the mirrored image over the image's own. Heads are alike to a few percent."""

MIN_AGREEING = 3
"""Starts that end at the result. Of about ten, a wrong place has drawn one or two."""

CLEAR_CONTRAST = 2.3
"""From here on two starts are enough: where two led to a wrong place, the contrast was 1.9."""

STRETCH = (0.6, 1.7)
"""Of any direction. Adult brains are 1.0 to 1.7 litres and the MNI152 brain 1.9: along an axis a
brain is made 1.04 to 1.24 times as long, up to 1.6 for that of a newborn."""

DETERMINANT = (0.4, 4.0)
"""Of volumes: 1.9 / 1.0 litres for a small adult brain, 1.9 / 0.5 for that of a newborn."""

MAX_UNEVEN = 1.6
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


def gather_evidence(search: PoseSearch, transform: Transform, mirrored: float) -> Evidence:
    """Measure what speaks for a linear transform, and against it."""
    level, matrix = search.level, transform.matrix
    similarity, _ = level.similarity(transform)
    points = level.points()
    ends = (search.best, *search.rivals)
    rivals = [end for end in ends if distance(end.matrix, matrix, points) > RIVAL_MM]
    return Evidence(
        similarity,
        max(_misplaced(level, matrix), default=0.0),
        max((level.similarity(Transform(end.matrix))[0] for end in rivals), default=0.0),
        mirrored,
        level.coverage(transform),
        tuple(np.linalg.svd(matrix[:3, :3], compute_uv=False).tolist()),
        search.starts,
        search.agreeing,
    )


def search_mirrored(task: Task, foreground: NDArray[np.bool_], report: Report) -> float:
    """Similarity at the best place of the image with its left and right exchanged."""
    search = search_pose(mirror_task(task), foreground, "affine", report, max_ends=1)
    return search.level.similarity(Transform(search.best.matrix))[0] if search else 0.0


def mirror_task(task: Task) -> Task:
    """The same with left and right of the moving image exchanged, about the middle of its box."""
    corners = task.moving.grid.corners()
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = corners[:, 0].min() + corners[:, 0].max()
    grid = replace(task.moving.grid, affine=mirror @ task.moving.grid.affine)
    return replace(task, moving=replace(task.moving, grid=grid))


def doubts(evidence: Evidence) -> tuple[str, ...]:
    """Why a registration isn't credible, a sentence each; none where it is."""
    if evidence.starts == 0 or evidence.coverage == 0:
        return ("the two images do not align from any start",)
    return tuple(_doubts(evidence))


def _doubts(seen: Evidence) -> Iterator[str]:
    similarity = seen.similarity
    if seen.coverage < MIN_COVERAGE:
        covered, needed = f"{seen.coverage:.0%}", f"{MIN_COVERAGE:.0%}"
        yield f"the image covers {covered} of the template's foreground, at least {needed} needed"
    if similarity < MIN_SIMILARITY:
        needed = f"at least {MIN_SIMILARITY} needed"
        yield f"local similarity is {similarity:.2f} on a scale from 0 to 1, {needed}"
    if similarity < MIN_CONTRAST * seen.elsewhere:
        elsewhere = f"the image reaches {seen.elsewhere:.2f} where it is misplaced on purpose"
        yield f"similarity {similarity:.2f} hardly stands out: {elsewhere}"
    if seen.rival > MAX_RIVAL * similarity:
        both = f"(similarity {seen.rival:.2f} against {similarity:.2f})"
        yield f"another place, more than {RIVAL_MM:g} mm away, fits about as well {both}"
    if seen.mirrored > MAX_MIRRORED * similarity:
        both = f"(similarity {seen.mirrored:.2f} against {similarity:.2f})"
        yield f"the mirrored image fits better {both}: its header may exchange left and right"
    is_clear = similarity >= CLEAR_CONTRAST * seen.elsewhere
    min_agreeing = MIN_AGREEING - 1 if is_clear else MIN_AGREEING
    if seen.agreeing < min_agreeing:
        led = f"{seen.agreeing} of {seen.starts} starts led here"
        yield f"{led}, at least {min_agreeing} needed"
    low, high, volume = min(seen.stretches), max(seen.stretches), float(np.prod(seen.stretches))
    if low < STRETCH[0] or high > STRETCH[1] or high > MAX_UNEVEN * low:
        possible = f"between {STRETCH[0]} and {STRETCH[1]}, and no more than {MAX_UNEVEN} times"
        possible += " unevenly, is possible"
        yield f"the image would be stretched {low:.2f} to {high:.2f} times; {possible}"
    if not DETERMINANT[0] <= volume <= DETERMINANT[1]:
        possible = f"{DETERMINANT[0]} to {DETERMINANT[1]} is possible"
        yield f"volumes would change {volume:.2f} times; {possible}"


def _misplaced(level: Level, matrix: NDArray) -> Iterator[float]:
    """Similarities of the image moved away, where it still covers enough of the template."""
    for axis, sign in product(range(3), (-1, 1)):
        away = [np.eye(4), np.eye(4)]
        away[0][axis, 3], away[1][axis, 3] = sign * 15.0, sign * 30.0
        turn = turn_about(level.centre, [30.0 * sign * (axis == other) for other in range(3)])
        for displacement in (*away, turn):
            similarity, covered = level.similarity(Transform(displacement @ matrix))
            if covered >= MIN_COVERAGE:
                yield similarity


MAX_VOXELS = 16_000_000
"""Of either image as it is worked on; finer ones are averaged. A head at 1 mm has 11 million."""


class Fit(NamedTuple):
    """A transform, what speaks for its linear part, and how well it fits."""

    transform: Transform
    evidence: Evidence
    quality: Quality


def find_transform(task: Task, engine: Engine, report: Report) -> Fit:
    """Search from several starts, refine the best, and measure how well it fits.

    A deformable engine is started where an affine is credible, and only there.
    """
    whole, task = task, _bounded(task)
    foreground = foreground_of(task.template)
    model: Model = "rigid" if task.kind == "rigid" else "affine"
    search = search_pose(task, foreground, model, _part(report, 0.0, 0.2))
    if search is None:
        return Fit(Transform(), Evidence(), Quality(0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0, 0))
    mirrored = search_mirrored(task, foreground, _part(report, 0.2, 0.35))
    start = Transform(search.best.matrix)
    is_deformable = task.kind == "deformable"
    linear = replace(task, kind=model, start=start)
    refines: Engine = SimpleITKEngine() if is_deformable else engine
    transform = refines.register(linear, _part(report, 0.35, 0.45 if is_deformable else 0.95))
    evidence = gather_evidence(search, transform, mirrored)
    if is_deformable and not doubts(evidence):
        # Its fields lie on the grids of the images as they were given.
        deforming = replace(whole, start=transform)
        transform = engine.register(deforming, _part(report, 0.45, 0.95))
    report(0.97, "how well it fits")
    return Fit(transform, evidence, _measure(task, foreground, transform, evidence))


def _measure(
    task: Task, foreground: NDArray[np.bool_], transform: Transform, evidence: Evidence
) -> Quality:
    level = make_level(task, foreground, finest_mm(task, foreground))
    smallest = largest = transform.volume_factor
    if not transform.is_linear:
        ratios = jacobian_map(transform, task.template.grid)[foreground]
        smallest, largest = float(ratios.min()), float(ratios.max())
    return Quality(
        similarity_before=level.similarity(Transform())[0],
        similarity_after=level.similarity(transform)[0],
        coverage=evidence.coverage,
        determinant=transform.volume_factor,
        smallest_jacobian=smallest,
        largest_jacobian=largest,
        starts=evidence.starts,
        agreeing_starts=evidence.agreeing,
    )


def _bounded(task: Task) -> Task:
    """The same images with no more voxels than can be worked on."""
    moving, template = _bounded_volume(task.moving), _bounded_volume(task.template)
    lesion = task.lesion
    if lesion is not None:
        lesion = coarsen_mask(lesion, task.moving.grid, moving.grid)
    return replace(task, moving=moving, template=template, lesion=lesion)


def _bounded_volume(volume: Volume) -> Volume:
    if volume.grid.size <= MAX_VOXELS:
        return volume
    return coarsen(volume, (volume.grid.size * volume.grid.voxel_volume / MAX_VOXELS) ** (1 / 3))


def _part(report: Report, begin: float, end: float) -> Report:
    """Tell of a part of the work as a part of the whole."""
    return lambda done, label: report(begin + (end - begin) * done, label)
