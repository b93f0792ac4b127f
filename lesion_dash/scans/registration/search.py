"""The search for a pose: initial poses, from coarse to fine, with SimpleITK's optimiser."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from ...core.errors import InputError
from ...core.grid import Grid
from ...transforms.transform import Transform, points_of
from .levels import Level, centre_of, make_level, sample
from .task import Report, Task, Volume

# SimpleITK's optimiser, given and giving a 4 x 4 matrix in RAS mm.
#
# ITK thinks in LPS; to it, any right-handed space is as good, so all stays in RAS.


Model = Literal["rigid", "affine"]

_BINS = 32  # of the joint histogram, as ITK's examples and ANTs have it
_RADIUS = 2  # voxels of the local correlation on either side; arbitrary
_NO_OVERLAP = (
    "All samples map outside",
    "No valid points were found",
    "No sample points were created",
    "must have 1 or more points",
    "point set has zero points",
    "PDF summed to zero",
)
"""How ITK says that too few points of the two images meet; it has no error class for it."""
_SEED = 1  # the regular samples are shifted within their voxels by random numbers


@dataclass(frozen=True)
class Steps:
    """How far a refinement moves.

    Parameters
    ----------
    first_mm, last_mm : float
        The step it begins with, and the one below which it ends.
    iterations : int
        At most.
    sampling : float
        Fraction of the template's voxels that is compared.
    similarity : str
        ``information`` (mutual) or ``correlation`` (local), which a bias field doesn't mislead.
    patience : float
        By how much the step shrinks where the direction turns. At 0.5 many starts end degrees
        away from where they lead; at 0.85 they get there.
    """

    first_mm: float
    last_mm: float
    iterations: int
    sampling: float = 1.0
    patience: float = 0.85
    similarity: Literal["information", "correlation"] = "information"


def maximise(
    level: Level, matrix: NDArray, model: Model, steps: Steps
) -> NDArray[np.float64] | None:
    """Move the image until it is most similar to the template.

    Voxels of the lesion, and those outside the template's foreground, don't count.

    Parameters
    ----------
    level : Level
    matrix : array, shape (4, 4)
        Where to begin, from the moving image to the template.
    model : str
        ``rigid`` or ``affine``.
    steps : Steps

    Returns
    -------
    array, shape (4, 4), or None
        None where the images part.

    Raises
    ------
    InputError
        Where ITK fails for any other reason, with what it said.
    """
    import SimpleITK

    itk: Any = SimpleITK
    method = itk.ImageRegistrationMethod()
    if steps.similarity == "information":
        method.SetMetricAsMattesMutualInformation(_BINS)
    else:
        method.SetMetricAsANTSNeighborhoodCorrelation(_RADIUS)
    if steps.sampling < 1:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(steps.sampling, _SEED)
    # Several threads add up a histogram in whichever order they end: the last bits would change.
    threads = 1 if steps.similarity == "information" else os.cpu_count() or 1
    itk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    method.SetInterpolator(itk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        steps.first_mm, steps.last_mm, steps.iterations, steps.patience, 1e-8
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetMetricFixedMask(_to_itk(level.foreground.astype(np.uint8), level.template.grid))
    if level.lesion is not None:
        known = (~level.lesion).astype(np.uint8)
        method.SetMetricMovingMask(_to_itk(known, level.moving.grid))
    transform = _to_itk_transform(matrix, level.centre, model)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        images = (_to_itk(image.array, image.grid) for image in (level.template, level.moving))
        method.Execute(*images)
    except RuntimeError as error:
        if any(text in str(error) for text in _NO_OVERLAP):
            return None
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        # What ITK says, without the place in its code.
        reason = lines[-1].rpartition("): ")[2] if lines else "it said nothing"
        problem = f"the engine failed: {reason}"
        is_memory = "allocate memory" in str(error).lower()  # ITK has no error class for it either
        coarser = "resample the images to coarser voxels first"
        remedy = coarser if is_memory else "try another engine"
        raise InputError("SimpleITK", problem, remedy, tuple(lines)) from error
    matrix = _matrix_of(transform)
    return matrix if np.isfinite(matrix).all() and abs(np.linalg.det(matrix)) > 1e-3 else None


def _to_itk(array: NDArray, grid: Grid) -> Any:
    import SimpleITK

    image: Any = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.T))
    affine, size = grid.affine, grid.voxel_size
    image.SetSpacing(size.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / size).ravel().tolist())
    return image


def _to_itk_transform(matrix: NDArray, centre: NDArray, model: Model) -> Any:
    """ITK's goes from the fixed image, the template, to the moving one."""
    import SimpleITK

    itk: Any = SimpleITK
    to_moving = np.linalg.inv(matrix)
    linear = to_moving[:3, :3]
    if model == "rigid":
        left, _, right = np.linalg.svd(linear)
        linear = left @ right
    made = itk.Euler3DTransform() if model == "rigid" else itk.AffineTransform(3)
    made.SetCenter(centre.tolist())
    made.SetMatrix(linear.ravel().tolist(), *([1e-6] if model == "rigid" else []))
    moved = to_moving[:3, :3] @ centre + to_moving[:3, 3]
    made.SetTranslation((moved - centre).tolist())
    return made


def _matrix_of(transform: Any) -> NDArray[np.float64]:
    to_moving = np.eye(4)
    to_moving[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    centre, shift = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    to_moving[:3, 3] = shift + centre - to_moving[:3, :3] @ centre
    return np.asarray(np.linalg.inv(to_moving), np.float64)


# Every place at once: where a template correlates with an image, by Fourier transform.


TURNS = (-15.0, 0.0, 15.0)
"""Degrees about each axis that are tried in all combinations: the refinement finds the rest."""

_MIN_OVERLAP = 0.6  # of the most that the two can share; arbitrary


def match_places(moving: Volume, template: Volume, step_mm: float, max_poses: int) -> list[NDArray]:
    """Poses of the moving image at which it correlates best with the template.

    For each of 27 rotations, all shifts by whole steps are compared: the squared correlation,
    over what both images know, of their intensities and of the lengths of their gradients. The
    square makes images of inverted contrast alike, and gradients those of another contrast.

    Parameters
    ----------
    moving, template : Volume
        NaN where nothing is known, such as outside the template's foreground.
    step_mm : float
        Between shifts.
    max_poses : int
        How many of the best are returned.

    Returns
    -------
    list of array, shape (4, 4)
        From the moving image to the template, mm; the best first.
    """
    target = _on_lattice(template, np.eye(4), step_mm)
    centre = centre_of(moving.grid)
    scored: list[tuple[float, NDArray]] = []
    for degrees in product(TURNS, repeat=3):
        turn = turn_about(centre, degrees)
        source = _on_lattice(moving, turn, step_mm)
        offset = target.grid.affine[:3, 3] - source.grid.affine[:3, 3]
        for feature in (np.asarray, _gradient_length):
            scores, shifts = _best_shifts(feature(source.array), feature(target.array))
            for score, shift in zip(scores, shifts, strict=True):
                pose = turn.copy()
                pose[:3, 3] += offset + shift * step_mm
                scored.append((score, pose))
    return _distinct(scored, centre, 2 * step_mm, max_poses)


def turn_about(centre: NDArray, degrees: Sequence[float]) -> NDArray[np.float64]:
    """A rotation about x, then y, then z (degrees), around a centre in mm: a 4 x 4 matrix."""
    from scipy.spatial.transform import Rotation

    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre
    return matrix


def _on_lattice(volume: Volume, matrix: NDArray, step_mm: float) -> Volume:
    """A volume, moved, on a lattice along the axes of the world that holds all of it."""
    corners = volume.grid.corners() @ matrix[:3, :3].T + matrix[:3, 3]
    low, high = corners.min(axis=0), corners.max(axis=0)
    shape = np.maximum(np.floor((high - low) / step_mm + 0.5) + 1, 2).astype(int)
    affine = np.diag([step_mm, step_mm, step_mm, 1.0])
    affine[:3, 3] = (low + high) / 2 - step_mm * (shape - 1) / 2
    grid = Grid(tuple(shape.tolist()), affine)
    return Volume(sample(volume, Transform(matrix), grid), grid)


def _gradient_length(array: NDArray) -> NDArray:
    """NaN next to what is not known."""
    return np.sqrt(sum(part**2 for part in np.gradient(array)))


def _best_shifts(source: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
    """The highest peaks of the squared correlation, and by how many steps the source moves."""
    score = _correlate(source, target)
    peaks = (score == ndimage.maximum_filter(score, 3)) & (score > 0)
    shifts, heights = np.argwhere(peaks), score[peaks]
    best = np.argsort(-heights, kind="stable")[:3]
    # Shift 0 lays the source's first voxel on the target's; beyond the source, the axes of a
    # Fourier transform have wrapped around.
    wrapped = np.where(shifts >= np.array(source.shape), shifts - score.shape, shifts)
    return heights[best], -wrapped[best]


def _correlate(source: NDArray, target: NDArray) -> NDArray[np.float32]:
    """Squared correlation at every shift of the target over the source, 0 where they part."""
    # Sums over what both know, for all shifts at once (Padfield 2012, masked correlation).
    sizes = zip(source.shape, target.shape, strict=True)
    shape = tuple(fft.next_fast_len(a + b, real=True) for a, b in sizes)
    known_a, a, squares_a = (fft.rfftn(part, shape) for part in _moments(source))
    known_b, b, squares_b = (np.conj(fft.rfftn(part, shape)) for part in _moments(target))

    def overlap(a: NDArray, b: NDArray) -> NDArray:
        return fft.irfftn(a * b, shape)

    count = np.maximum(overlap(known_a, known_b), 0)
    enough = count >= _MIN_OVERLAP * count.max()
    count = np.maximum(count, 1)
    sum_a, sum_b = overlap(a, known_b), overlap(known_a, b)
    covariance = overlap(a, b) - sum_a * sum_b / count
    spread_a = overlap(squares_a, known_b) - sum_a**2 / count
    spread_b = overlap(known_a, squares_b) - sum_b**2 / count
    enough &= (spread_a > 1e-3 * count) & (spread_b > 1e-3 * count)
    return np.where(enough, covariance**2 / np.where(enough, spread_a * spread_b, 1), 0)


def _moments(array: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Where it is known, its values there with mean 0 and SD 1, and their squares."""
    known = np.isfinite(array)
    values = np.where(known, array, 0).astype(np.float32)
    if known.any():
        inside = array[known].astype(np.float64)
        values[known] = (inside - inside.mean()) / (inside.std() or 1)
    return known.astype(np.float32), values, values**2


def _distinct(
    scored: list[tuple[float, NDArray]], centre: NDArray, within_mm: float, max_poses: int
) -> list[NDArray]:
    """The best poses that are not neighbours of a better one."""
    poses: list[NDArray] = []
    ends = centre + 50 * np.vstack([np.eye(3), -np.eye(3)])  # about the reach of a brain, mm
    for _, pose in sorted(scored, key=lambda pair: -pair[0]):
        inverse = np.linalg.inv(pose)
        if all(distance(inverse, np.linalg.inv(other), ends) > within_mm for other in poses):
            poses.append(pose)
        if len(poses) == max_poses:
            break
    return poses


# Where the search for a registration begins.


MATCHES = 6
"""Places found by matching that are followed. Arbitrary."""

CROP_MM = 25.0
"""How far beyond the template's box an image is kept where it is much larger than the template:
measured, a whole head on a small template is found to 0.6 to 0.9 mm so."""


def propose_starts(level: Level) -> dict[str, NDArray[np.float64]]:
    """Poses that the right one may be near to, by name; from the moving image to the template, mm.

    The headers' own (world coordinates); centres of mass upon each other, of all and of what lies
    within the template's box and 25 mm around it; centres of the fields of view; and the places
    where the template correlates best with the image.
    """
    moving, template = level.known_moving, level.template
    known = Volume(level.known_template, template.grid)
    target = _centre_of_mass(known)
    starts = {
        "world coordinates": np.eye(4),
        "centre of mass": _shift(target - _centre_of_mass(moving)),
        "centre of the field of view": _shift(centre_of(template.grid) - centre_of(moving.grid)),
    }
    if (near := _cropped(moving, template.grid)) is not None:
        starts["centre of mass near the template"] = _shift(target - _centre_of_mass(near))
    step_mm = float(template.grid.voxel_size.max())
    poses = match_places(moving, known, step_mm, MATCHES)
    return starts | {f"match {rank}": pose for rank, pose in enumerate(poses, start=1)}


def _centre_of_mass(volume: Volume) -> NDArray[np.float64]:
    """In mm, of what is brighter than the darkest."""
    array = volume.array
    weights = np.nan_to_num(array - np.nanmin(array), nan=0.0).astype(np.float64)
    sums = [weights.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    total = max(float(weights.sum()), 1e-12)
    return volume.grid.to_mm([float(line @ np.arange(line.size)) / total for line in sums])


def _cropped(moving: Volume, template: Grid) -> Volume | None:
    """What lies near the template's box by the headers; None if that is nothing, or all."""
    corners = template.corners()
    low, high = corners.min(axis=0) - CROP_MM, corners.max(axis=0) + CROP_MM
    points = points_of(moving.grid)
    near = ((points >= low) & (points <= high)).all(axis=-1)
    array = np.where(near, moving.array, np.float32(np.nan))
    return None if near.all() or not np.isfinite(array).any() else Volume(array, moving.grid)


def _shift(mm: NDArray) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return matrix


# The search from several starts, from coarse to fine.


COARSE_MM = 8.0
"""Voxels at the coarsest level, of a template as large as a head."""

FOLLOWED = 4
"""Ends of the coarse search that are followed at the finer level. Arbitrary."""

SAME_END_MM = 2.0
"""Ends that are no further apart are one: a quarter of a voxel of the coarsest level."""

COARSE_STEPS = Steps(first_mm=4, last_mm=0.1, iterations=200)
FINE_STEPS = Steps(first_mm=2, last_mm=0.05, iterations=200, sampling=0.5)
# Twelve numbers at once overshoot: steps of 1 mm blew brains up to four times their volume.
AFFINE_STEPS = Steps(first_mm=0.25, last_mm=0.02, iterations=200, sampling=0.5, patience=0.7)

_MIN_SIDE = 12  # voxels along the template's shortest side at the coarsest level; arbitrary
_FINEST_COARSE_MM = 4.0


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where the search from some starts ended.

    Parameters
    ----------
    matrix : array, shape (4, 4)
        From the moving image to the template, mm.
    score : float
        Mean squared local correlation, times the fraction of the foreground it was found in.
    starts : tuple of str
        Those that led to it.
    """

    matrix: NDArray[np.float64]
    score: float
    starts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PoseSearch:
    """The result of a search.

    Parameters
    ----------
    best : Optimum
    level : Level
        At which ends were compared.
    rivals : tuple of Optimum
        Others that were followed, the best first.
    starts : int
        How many there were.
    """

    best: Optimum
    level: Level
    rivals: tuple[Optimum, ...] = field(default=())
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
    max_ends: int = FOLLOWED,
) -> PoseSearch | None:
    """Find where the moving image lies on the template, to about a millimetre.

    Of the coarse search, the best `max_ends` ends are followed. None where no start led to images
    that meet.
    """
    sides = (np.ptp(np.argwhere(foreground), axis=0) + 1) * task.template.grid.voxel_size
    step_mm = float(np.clip(sides.min() / _MIN_SIDE, _FINEST_COARSE_MM, COARSE_MM))
    coarse = make_level(task, foreground, step_mm)
    fine = make_level(task, foreground, step_mm / 2)
    report(0.05, "places where the template fits")
    starts = propose_starts(coarse)
    ends = []
    for number, (name, start) in enumerate(starts.items(), start=1):
        report(0.2 + 0.4 * number / len(starts), f"search from {name}")
        pose = maximise(coarse, start, "rigid", COARSE_STEPS)
        if pose is not None:
            ends.append(Optimum(pose, fine.score(pose), (name,)))
    refined = []
    distinct = merge_ends(ends, fine.points(), step_mm)[:max_ends]
    for number, end in enumerate(distinct, start=1):
        report(0.6 + 0.4 * number / len(distinct), f"best places at {step_mm / 2:.2g} mm")
        pose = maximise(fine, end.matrix, "rigid", FINE_STEPS)
        if pose is not None and model == "affine":
            pose = fine.better(maximise(fine, pose, "affine", AFFINE_STEPS), pose)
        if pose is not None:
            refined.append(Optimum(pose, fine.score(pose), end.starts))
    merged = merge_ends(refined, fine.points(), SAME_END_MM)
    return PoseSearch(merged[0], fine, tuple(merged[1:]), len(starts)) if merged else None


def merge_ends(ends: list[Optimum], points: NDArray, within_mm: float) -> list[Optimum]:
    """Ends, the best first; those near a better one are counted with it."""
    merged: list[Optimum] = []
    for end in sorted(ends, key=lambda end: -end.score):
        for rank, better in enumerate(merged):
            if distance(end.matrix, better.matrix, points) <= within_mm:
                merged[rank] = replace(better, starts=better.starts + end.starts)
                break
        else:
            merged.append(end)
    return merged


def distance(first: NDArray, second: NDArray, points: NDArray) -> float:
    """Mean distance (mm) in the moving image of points (n, 3) of the template, by two poses."""
    moved = [Transform(matrix).moving_points(points) for matrix in (first, second)]
    return float(np.linalg.norm(moved[0] - moved[1], axis=1).mean())
