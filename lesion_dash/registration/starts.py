"""Where the search for a registration begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .engine import Volume
from .levels import Level
from .matching import match_places

MATCHES = 6
"""Places found by matching that are followed."""

CROP_MM = 25.0
"""How far beyond the template's box an image is kept where it is much larger than the template."""


@dataclass(frozen=True, eq=False)
class Start:
    """A pose to begin with.

    Parameters
    ----------
    name : str
    matrix : array, shape (4, 4)
        From the moving image to the template, mm.
    """

    name: str
    matrix: NDArray[np.float64]


def propose_starts(level: Level) -> list[Start]:
    """Poses that the right one may be near to.

    The headers' own (world coordinates); centres of mass upon each other, of all and of what lies
    within the template's box and 25 mm around it; centres of the fields of view; and the places
    where the template correlates best with the image.
    """
    moving, template = level.known_moving, level.template
    target = _centre_of_mass(Volume(level.known_template, template.grid))
    near = _cropped(moving, template)
    starts = [
        Start("world coordinates", np.eye(4)),
        Start("centre of mass", _shift(target - _centre_of_mass(moving))),
        Start("centre of the field of view", _shift(_middle(template) - _middle(moving))),
    ]
    if near is not None:
        starts.append(Start("centre of mass near the template", _shift(target - near)))
    step_mm = float(template.grid.voxel_size.max())
    known = Volume(level.known_template, template.grid)
    matched = match_places(moving, known, step_mm, MATCHES)
    starts += [Start(f"match {place}", pose) for place, pose in enumerate(matched, start=1)]
    return starts


def _centre_of_mass(volume: Volume) -> NDArray[np.float64]:
    """In mm, of what is brighter than the darkest."""
    array = volume.array
    weights = np.nan_to_num(array - np.nanmin(array), nan=0.0).astype(np.float64)
    sums = [weights.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    total = max(float(weights.sum()), 1e-12)
    voxel = [float(line @ np.arange(line.size)) / total for line in sums]
    return volume.grid.to_mm(voxel)


def _cropped(moving: Volume, template: Volume) -> NDArray[np.float64] | None:
    """Centre of mass of what lies near the template's box by the headers; None if nothing does."""
    corners = template.grid.corners()
    low, high = corners.min(axis=0) - CROP_MM, corners.max(axis=0) + CROP_MM
    voxels = np.moveaxis(np.indices(moving.grid.shape), 0, -1)
    points = moving.grid.to_mm(voxels)
    near = ((points >= low) & (points <= high)).all(axis=-1)
    kept = np.where(near, moving.array, np.float32(np.nan))
    if not np.isfinite(kept).any() or near.all():
        return None
    return _centre_of_mass(Volume(kept, moving.grid))


def _middle(volume: Volume) -> NDArray[np.float64]:
    return volume.grid.to_mm((np.array(volume.grid.shape) - 1) / 2)


def _shift(mm: NDArray) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return matrix
