"""A map of three blobs, atlases whose regions they touch, masks, series and a flood fill."""

from __future__ import annotations

from itertools import product

import numpy as np
import phantoms
from atlases import probability_atlas

from lesion_dash.atlas.atlas import LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.images.series import Series

SHAPE = (12, 13, 11)
AFFINE = np.array([[2.0, 0, 0, -11], [0, 2.0, 0, -12], [0, 0, 2.0, -10], [0, 0, 0, 1]])
GRID = Grid(SHAPE, AFFINE)
COARSE = Grid(
    (8, 9, 8), np.array([[3.0, 0, 0, -11], [0, 3, 0, -12.5], [0, 0, 3, -10], [0, 0, 0, 1]])
)
SMALL = Grid((5, 6, 4), phantoms.AFFINE)
REGIONS = (Region(4, "insula"), Region(7, "putamen"), Region(9, "cuneus"), Region(30, "absent"))


def blob(centre, width, height, grid=GRID, cut=0.05):
    """A Gaussian, cut off; centre and width in mm."""
    mm = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))
    values = height * np.exp(-((mm - np.array(centre)) ** 2).sum(axis=-1) / (2 * width**2))
    return np.where(values > cut * height, values, 0.0)


def chances(grid=GRID):
    made = [blob((-5, -4, 0), 3.5, 0.9, grid), blob((0, 1, 1), 4, 0.6, grid)]
    return [*made, blob((6, 6, 4), 3, 1.0, grid), np.zeros(grid.shape)]


def statistic(grid=GRID):
    """Two positive parts and a negative one."""
    positive = blob((-4, -3, 0), 2.5, 5, grid) + blob((7, 7, 3), 2, 3, grid)
    return positive - blob((6, -8, -6), 2.5, 4, grid)


def map_of(array, grid=GRID):
    return Map("made", np.asarray(array), grid, "", "")


def mask_of(array, grid=GRID):
    return Mask.from_array(np.asarray(array), grid, "made")


def series_of(values, grid=GRID, runs=None):
    """A series of values of shape (volumes, voxels), the first axis of the grid fastest."""
    array = np.asarray(values).T.reshape((*grid.shape, -1), order="F")
    return Series("series", grid, array, 2.5, runs or (array.shape[3],))


def likely_atlas(arrays=None, grid=GRID):
    return probability_atlas(chances() if arrays is None else arrays, grid, REGIONS)


LABELS = np.select([part > 0.2 for part in chances()], [4, 7, 9, 30], 0).astype(np.int32)


def label_atlas(labels=LABELS, grid=GRID):
    return LabelAtlas("labels", grid, labels, REGIONS)


def flood_fill(inside, connectivity):
    """Lists of voxels, in the order in which their first voxels come in C order."""
    reach = {6: 1, 18: 2, 26: 3}[connectivity]
    steps = [step for step in product((-1, 0, 1), repeat=3) if 0 < np.abs(step).sum() <= reach]
    free = {voxel for voxel in np.ndindex(inside.shape) if inside[voxel]}
    parts = []
    for voxel in np.ndindex(inside.shape):
        if voxel not in free:
            continue
        free.remove(voxel)
        part, waiting = [voxel], [voxel]
        while waiting:
            i, j, k = waiting.pop()
            near = {(i + a, j + b, k + c) for a, b, c in steps} & free
            free -= near
            part += near
            waiting += near
        parts.append(part)
    return parts
