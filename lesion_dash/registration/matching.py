"""Every place at once: where a template correlates with an image, by Fourier transform."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from ..grid import Grid
from .engine import Volume
from .sampling import sample

TURNS = (-15.0, 0.0, 15.0)
"""Degrees about each axis that are tried in all combinations."""

_LEAST_OVERLAP = 0.6  # of the most that the two can share


def match_places(moving: Volume, template: Volume, step_mm: float, most: int) -> list[NDArray]:
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
    most : int
        How many of the best are returned.

    Returns
    -------
    list of array, shape (4, 4)
        From the moving image to the template, mm; the best first.
    """
    target = _on_lattice(template, np.eye(4), step_mm)
    centre = moving.grid.to_mm((np.array(moving.grid.shape) - 1) / 2)
    found: list[tuple[float, NDArray]] = []
    for degrees in product(TURNS, repeat=3):
        turn = turn_about(centre, degrees)
        source = _on_lattice(moving, turn, step_mm)
        for picture in (_as_is, _edges):
            score, shifts = _best_shifts(picture(source.array), picture(target.array))
            for height, shift in zip(score, shifts, strict=True):
                pose = turn.copy()
                offset = target.grid.affine[:3, 3] - source.grid.affine[:3, 3]
                pose[:3, 3] += offset + shift * step_mm
                found.append((height, pose))
    return _distinct(found, centre, step_mm, most)


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
    return Volume(sample(volume, matrix, grid), grid)


def _as_is(array: NDArray) -> NDArray:
    return array


def _edges(array: NDArray) -> NDArray:
    """Length of the gradient; NaN beside what is not known."""
    return np.sqrt(sum(part**2 for part in np.gradient(array)))


def _best_shifts(source: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
    """The highest peaks of the squared correlation, and by how many steps the source moves."""
    score = _correlate(source, target)
    peaks = (score == ndimage.maximum_filter(score, 3)) & (score > 0)
    places = np.argwhere(peaks)
    heights = score[peaks]
    best = np.argsort(-heights, kind="stable")[:3]
    # Place 0 is the source's first voxel on the target's first one; beyond the source, the axes
    # have wrapped around.
    wrapped = np.where(places >= np.array(source.shape), places - score.shape, places)
    return heights[best], -wrapped[best]


def _correlate(source: NDArray, target: NDArray) -> NDArray[np.float32]:
    """Squared correlation at every shift of the target over the source, 0 where they part."""
    sizes = zip(source.shape, target.shape, strict=True)
    shape = tuple(fft.next_fast_len(one + other, real=True) for one, other in sizes)
    ones, first, squares = (fft.rfftn(part, shape) for part in _parts(source))
    mask, second, squared = (np.conj(fft.rfftn(part, shape)) for part in _parts(target))

    def overlap(a: NDArray, b: NDArray) -> NDArray:
        return fft.irfftn(a * b, shape)

    count = np.maximum(overlap(ones, mask), 0)
    enough = count >= _LEAST_OVERLAP * count.max()
    count = np.maximum(count, 1)
    sum_one, sum_two = overlap(first, mask), overlap(ones, second)
    covariance = overlap(first, second) - sum_one * sum_two / count
    spread_one = overlap(squares, mask) - sum_one**2 / count
    spread_two = overlap(ones, squared) - sum_two**2 / count
    product_ = spread_one * spread_two
    enough &= (spread_one > 1e-3 * count) & (spread_two > 1e-3 * count)
    return np.where(enough, covariance**2 / np.where(enough, product_, 1), 0)


def _parts(array: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Where it is known, its values there with mean 0 and SD 1, and their squares."""
    known = np.isfinite(array)
    values = np.where(known, array, 0).astype(np.float32)
    if known.any():
        inside = array[known].astype(np.float64)
        values[known] = (inside - inside.mean()) / (inside.std() or 1)
    return known.astype(np.float32), values, values**2


def _distinct(
    found: list[tuple[float, NDArray]], centre: NDArray, step_mm: float, most: int
) -> list[NDArray]:
    """The best poses that are not neighbours of a better one."""
    kept: list[NDArray] = []
    reach = centre + 50 * np.vstack([np.eye(3), -np.eye(3)])
    for _, pose in sorted(found, key=lambda pair: -pair[0]):
        points = reach @ pose[:3, :3].T + pose[:3, 3]
        others = (reach @ other[:3, :3].T + other[:3, 3] for other in kept)
        if all(np.linalg.norm(points - other, axis=1).mean() > 2 * step_mm for other in others):
            kept.append(pose)
        if len(kept) == most:
            break
    return kept
