"""Both images at one resolution, and how alike they are there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..grid import Grid
from ..transforms import Transform
from .engine import Task, Volume
from .sampling import coarsen, coarsen_mask, sample_moved
from .similarity import mean_similarity, window_of

FOREGROUND_RIM_MM = 5.0
"""How far beyond its bright voxels a template is looked at: the outline tells much."""

MOST_VOXELS = 900_000
"""Of a template's foreground box at the finest level: the MNI152 brain at 2 mm has 600,000."""


@dataclass(frozen=True, eq=False)
class Level:
    """Both images at one resolution.

    Parameters
    ----------
    moving, template : Volume
        The template is cut to the box of its foreground.
    foreground : array of bool, shape of the template
    lesion : array of bool, shape of the moving image, or None
    """

    moving: Volume
    template: Volume
    foreground: NDArray[np.bool_]
    lesion: NDArray[np.bool_] | None

    @property
    def known_template(self) -> NDArray[np.float32]:
        """The template, NaN outside its foreground."""
        return np.where(self.foreground, self.template.array, np.float32(np.nan))

    @property
    def known_moving(self) -> Volume:
        """The moving image, NaN in the lesion."""
        if self.lesion is None:
            return self.moving
        array = np.where(self.lesion, np.float32(np.nan), self.moving.array)
        return Volume(array, self.moving.grid)

    @property
    def centre(self) -> NDArray[np.float64]:
        """Of the template's foreground, mm."""
        return self.template.grid.to_mm(np.argwhere(self.foreground).mean(axis=0))

    def points(self) -> NDArray[np.float64]:
        """Some points (mm) all over the template's foreground, at which poses are compared."""
        voxels = np.argwhere(self.foreground)
        return self.template.grid.to_mm(voxels[:: max(len(voxels) // 500, 1)])

    def similarity(self, transform: Transform) -> tuple[float, float]:
        """Mean squared local correlation, and the share of the foreground it was found in."""
        moved = sample_moved(self.known_moving, transform, self.template.grid)
        return self.similarity_of(moved), self.share_known(moved)

    def score(self, matrix: NDArray[np.float64]) -> float:
        """The similarity of a linear transform, times the share it was found in."""
        similarity, share = self.similarity(Transform(matrix))
        return similarity * share

    def better(
        self, found: NDArray[np.float64] | None, before: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What a refinement found, or what it began with where that fits better."""
        if found is None or self.score(found) < self.score(before):
            return before
        return found

    def similarity_of(self, moved: NDArray[np.float32]) -> float:
        """Mean squared local correlation with an image on the template's grid."""
        window = window_of(self.template.grid.voxel_size)
        return mean_similarity(self.known_template, moved, window)

    def share_known(self, moved: NDArray[np.float32]) -> float:
        """Share of the foreground where an image on the template's grid is known."""
        return float(np.isfinite(moved[self.foreground]).mean())

    def coverage(self, transform: Transform) -> float:
        """Share of the foreground that lies inside the moving image, its lesion too."""
        voxels = self.template.grid.to_mm(np.argwhere(self.foreground))
        places = self.moving.grid.to_voxel(transform.moving_points(voxels))
        shape = np.array(self.moving.grid.shape)
        return float(((places > -0.5) & (places < shape - 0.5)).all(axis=1).mean())


def make_level(task: Task, foreground: NDArray[np.bool_], voxel_mm: float) -> Level:
    """Smooth and sample both images, and cut the template to its foreground.

    Parameters
    ----------
    task : Task
    foreground : array of bool, shape of the template
    voxel_mm : float
        Voxels of an image that is coarser already stay as they are.
    """
    moving, template = coarsen(task.moving, voxel_mm), coarsen(task.template, voxel_mm)
    front = foreground
    if template.grid != task.template.grid:
        front = coarsen_mask(foreground, task.template.grid, template.grid)
    lesion = task.lesion
    if lesion is not None and moving.grid != task.moving.grid:
        lesion = coarsen_mask(lesion, task.moving.grid, moving.grid)
    box = _box_of(front, template.grid)
    return Level(moving, _cut(template, box), front[box], lesion)


def finest_mm(task: Task, foreground: NDArray[np.bool_]) -> float:
    """The voxel size at which the template's foreground box has a bearable number of voxels."""
    shape = [side.stop - side.start for side in _box_of(foreground, task.template.grid)]
    volume = float(np.prod(shape, dtype=float)) * task.template.grid.voxel_volume
    own = task.template.grid.voxel_volume ** (1 / 3)
    return max(own, (volume / MOST_VOXELS) ** (1 / 3))


def foreground_of(template: Volume) -> NDArray[np.bool_]:
    """Where a template shows something: what is brighter than air, filled, with a rim.

    A template that was skull-stripped is told by its exact background; else the limit is half of
    Otsu's, since cerebrospinal fluid is darker than what Otsu's parts from air.
    """
    array = template.array
    low, high = float(array.min()), float(np.percentile(array, 99.5))
    is_stripped = np.mean(array == low) > 0.05
    limit = low + 0.02 * (high - low) if is_stripped else low + (_otsu(array, high) - low) / 2
    bright = ndimage.binary_opening(array > limit) | (array > (limit + high) / 2)
    filled = ndimage.binary_fill_holes(bright)
    away = ndimage.distance_transform_edt(~filled, sampling=template.grid.voxel_size.tolist())
    return np.asarray(away <= FOREGROUND_RIM_MM)


def _otsu(array: NDArray, high: float) -> float:
    """The limit that leaves the least variance on its two sides."""
    counts, edges = np.histogram(np.minimum(array, high), 128)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1].astype(float)
    above = counts.sum() - below
    total = np.cumsum(counts * centres)
    means = total[:-1] / np.maximum(below, 1) - (total[-1] - total[:-1]) / np.maximum(above, 1)
    return float(edges[1 + int(np.argmax(below * above * means**2))])


def _box_of(foreground: NDArray[np.bool_], grid: Grid) -> tuple[slice, ...]:
    """The foreground's box with room for a window of the local correlation."""
    reach = np.ceil(FOREGROUND_RIM_MM / grid.voxel_size).astype(int)
    box = ndimage.find_objects(foreground.astype(np.uint8))[0]
    return tuple(
        slice(max(side.start - more, 0), min(side.stop + more, edge))
        for side, more, edge in zip(box, reach.tolist(), grid.shape, strict=True)
    )


def _cut(volume: Volume, box: tuple[slice, ...]) -> Volume:
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_mm([side.start for side in box])
    array = np.ascontiguousarray(volume.array[box])
    i, j, k = array.shape
    return Volume(array, Grid((i, j, k), affine))
