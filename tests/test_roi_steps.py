"""From a map to a mask: thresholds, masks, and morphology against scipy and against plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from atlases import probability_atlas
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import AFFINE
from scipy import ndimage

from lesion_dash.atlas.atlas import LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.rois.steps import (
    FillHoles,
    Morph,
    Threshold,
    Within,
    ball,
    fill_holes,
    mask_of_regions,
    morph_mask,
    run_steps,
)

SHAPE = (5, 6, 4)
GRID = Grid(SHAPE, AFFINE)
MASKS = hnp.arrays(bool, SHAPE)
SCIPY = {
    "dilate": ndimage.binary_dilation,
    "erode": ndimage.binary_erosion,
    "open": ndimage.binary_opening,
    "close": ndimage.binary_closing,
}
TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
GRIDS = {
    "even": np.diag([2.0, 2, 2]),
    "unequal edges": np.diag([3.1, 3.75, 1.5]),
    "mirrored": np.diag([-2.0, 2, 2]),
    "oblique": TURN @ np.diag([2.0, 3, 4]),
    "sheared": np.array([[2.0, 0.7, 0], [0, 2, 0.3], [0, 0, 2]]),
    "stored as float32": (TURN @ np.diag([2.2, 2.2, 2.2])).astype(np.float32).astype(float),
}


def mask_of(array, grid=GRID):
    return Mask.from_array(np.asarray(array), grid, "m")


def map_of(array, grid=GRID):
    return Map("t", np.asarray(array), grid, "", "")


def grid_of(matrix, shape=SHAPE):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, (-5, 7, 1)
    return Grid(shape, affine)


def near_voxels(grid, radius):
    """For each voxel the voxels whose centre is not farther, by measuring every distance."""
    voxels = np.array(list(np.ndindex(grid.shape)))
    mm = voxels @ grid.affine[:3, :3].T
    away = np.linalg.norm(mm[:, None] - mm[None], axis=2)
    return voxels, away <= radius + 1e-4


@given(
    MASKS,
    st.sampled_from(sorted(SCIPY)),
    st.sampled_from([(6, 1), (18, 2), (26, 3)]),
    st.integers(1, 3),
)
def test_morphology_by_voxels_is_that_of_scipy(array, operation, neighbours, radius):
    connectivity, shared = neighbours
    structure = ndimage.generate_binary_structure(3, shared)
    expected = SCIPY[operation](array, structure, iterations=radius)
    found = morph_mask(mask_of(array), operation, radius, "voxels", connectivity)
    np.testing.assert_array_equal(found.array, expected)


@given(MASKS, st.sampled_from(sorted(SCIPY)), st.sampled_from(sorted(GRIDS)))
def test_morphology_by_mm_is_that_of_scipy_with_the_ball(array, operation, name):
    grid = grid_of(GRIDS[name])
    expected = SCIPY[operation](array, ball(grid, 4.0))
    found = morph_mask(mask_of(array, grid), operation, 4.0, "mm")
    np.testing.assert_array_equal(found.array, expected)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("radius", [2.2, 3.0, 4.4, 6.0])
def test_a_ball_reaches_the_voxels_within_its_radius_in_any_grid(name, radius):
    grid = grid_of(GRIDS[name])
    voxels, near = near_voxels(grid, radius)
    array = np.random.default_rng(5).random(SHAPE) < 0.08
    of_mask = array[tuple(voxels.T)]
    if near.sum() > len(voxels):  # some voxel has a neighbour
        grown = morph_mask(mask_of(array, grid), "dilate", radius, "mm").array
        np.testing.assert_array_equal(grown[tuple(voxels.T)], (near & of_mask).any(axis=1))


@pytest.mark.parametrize("name", GRIDS)
def test_a_voxel_outlives_erosion_where_its_whole_ball_lies_in_the_mask(name):
    grid = grid_of(GRIDS[name], (9, 9, 9))
    inner = np.zeros(grid.shape, bool)
    inner[3:6, 3:6, 3:6] = np.random.default_rng(2).random((3, 3, 3)) < 0.2
    grown = morph_mask(mask_of(inner, grid), "dilate", 4.0, "mm").array
    voxels, near = near_voxels(grid, 4.0)
    inside = grown[tuple(voxels.T)]
    kept = (~near | inside).all(axis=1)
    # What lies beyond the image is empty: a ball that sticks out is not inside.
    kept &= near.sum(axis=1) == near.sum(axis=1).max()
    found = morph_mask(mask_of(grown, grid), "erode", 4.0, "mm").array
    np.testing.assert_array_equal(found[tuple(voxels.T)], kept)


@given(MASKS)
def test_holes_are_what_a_flood_from_outside_does_not_reach(array):
    padded = np.pad(array, 1)
    reached = np.zeros(padded.shape, bool)
    waiting = [(0, 0, 0)]
    while waiting:
        voxel = waiting.pop()
        inside = all(0 <= p < n for p, n in zip(voxel, padded.shape, strict=True))
        if not inside or padded[voxel] or reached[voxel]:
            continue
        reached[voxel] = True
        for axis, step in itertools.product(range(3), (-1, 1)):
            waiting.append(tuple(p + step * (axis == n) for n, p in enumerate(voxel)))
    expected = ~reached[1:-1, 1:-1, 1:-1]
    np.testing.assert_array_equal(fill_holes(mask_of(array)).array, expected)
    np.testing.assert_array_equal(expected, ndimage.binary_fill_holes(array))


@given(hnp.arrays(np.float32, SHAPE, elements=st.sampled_from([-3, -1, 0, 1, 3, np.nan])))
def test_a_threshold_takes_what_lies_beyond_and_never_nan(values):
    rules = {
        "above": lambda value: value > 1,
        "below": lambda value: value < 1,
        "both": lambda value: abs(value) > 1,
    }
    for side, rule in rules.items():
        found = Threshold(1, side).apply(map_of(values)).array
        for voxel in np.ndindex(SHAPE):
            assert found[voxel] == (not np.isnan(values[voxel]) and rule(float(values[voxel])))


def test_the_lowest_whole_number_is_farther_than_any_from_0():
    values = np.full(SHAPE, -128, np.int8)  # its absolute value is no int8
    assert Threshold(100, "both").apply(map_of(values)).voxels == values.size


@given(MASKS, MASKS)
def test_within_is_a_logical_and_on_coinciding_grids(array, other):
    mirrored = AFFINE @ np.array([[-1.0, 0, 0, 4], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for mask in (mask_of(other), mask_of(other[::-1], Grid(SHAPE, mirrored))):
        both = Within(mask).apply(mask_of(array))
        np.testing.assert_array_equal(both.array, array & other)
        assert both.grid is GRID


def test_within_refuses_another_grid():
    elsewhere = mask_of(np.ones(SHAPE), grid_of(np.diag([3.0, 3, 3])))
    with pytest.raises(InputError, match="not on the grid of the other map"):
        Within(elsewhere).apply(mask_of(np.ones(SHAPE)))


@given(hnp.arrays(np.float64, SHAPE, elements=st.floats(-5, 5)))
def test_steps_follow_one_another(values):
    steps = (Morph("dilate", 1), Within(mask_of(np.indices(SHAPE)[0] > 1)), FillHoles())
    masks = run_steps(map_of(values), Threshold(2), steps)
    arrays = [values > 2]
    arrays.append(ndimage.binary_dilation(arrays[-1]))
    arrays.append(arrays[-1] & (np.indices(SHAPE)[0] > 1))
    arrays.append(ndimage.binary_fill_holes(arrays[-1]))
    for mask, expected in zip(masks, arrays, strict=True):
        np.testing.assert_array_equal(mask.array, expected)
    # Undoing is leaving the last one out.
    shorter = run_steps(map_of(values), Threshold(2), steps[:-1])
    np.testing.assert_array_equal(shorter[-1].array, masks[-2].array)


def test_a_mask_of_regions_holds_every_voxel_of_them():
    labels = np.random.default_rng(1).integers(0, 4, SHAPE)
    regions = (Region(1, "insula"), Region(2, "cuneus"), Region(3, "insula"))
    found = mask_of_regions(LabelAtlas("a", GRID, labels, regions), ["insula"])
    np.testing.assert_array_equal(found.array, np.isin(labels, [1, 3]))
    maps = np.random.default_rng(1).choice([0, 0, 0.2, 0.7], (3, *SHAPE))
    likely = probability_atlas(maps, GRID, regions)
    found = mask_of_regions(likely, ["insula", "cuneus"])
    np.testing.assert_array_equal(found.array, (maps > 0).any(axis=0))


def test_a_region_that_is_not_there_is_named_with_the_one_that_was_meant():
    atlas = LabelAtlas("a", GRID, np.ones(SHAPE, int), (Region(1, "Insula L"),))
    with pytest.raises(InputError, match=r"no region 'Insul L'.*such as 'Insula L'"):
        mask_of_regions(atlas, ["Insul L"])
    with pytest.raises(InputError, match="no region is named"):
        mask_of_regions(atlas, [])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("grow",), "operation: is 'grow'"),
        (("dilate", 0), "radius: is 0"),
        (("dilate", float("nan")), "radius: is nan"),
        (("dilate", 1.5), "radius: is 1.5 voxels"),
        (("dilate", 1, "cm"), "unit: is 'cm'"),
        (("dilate", 1, "voxels", 8), "connectivity: is 8"),
        (("dilate", 1.0, "mm"), "nearest voxels are 2 mm off"),
        (("dilate", 1e6, "mm"), "give a smaller one"),
        (("dilate", 1e300, "mm"), "give a smaller one"),
    ],
)
def test_sizes_that_are_none_are_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        morph_mask(mask_of(np.ones(SHAPE)), *arguments)


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [(Threshold(np.nan), "threshold: is nan"), (Threshold(1, "left"), "side: is 'left'")],
)
def test_thresholds_that_are_none_are_refused(threshold, sentence):
    with pytest.raises(InputError, match=sentence):
        threshold.apply(map_of(np.ones(SHAPE)))


@pytest.mark.parametrize(("operation", "voxels"), [("dilate", np.prod(SHAPE)), ("erode", 0)])
def test_any_number_of_steps_ends_with_all_or_nothing(operation, voxels):
    array = np.zeros(SHAPE, bool)
    array[0, 0, 0] = True
    assert morph_mask(mask_of(array), operation, 1e300).voxels == voxels
