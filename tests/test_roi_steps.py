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

import lesion_dash as ld
from lesion_dash.atlas.formats import Region
from lesion_dash.core.grid import Grid
from lesion_dash.rois.steps import ball

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
MATRICES = {
    "even": np.diag([2.0, 2, 2]),
    "unequal edges": np.diag([3.1, 3.75, 1.5]),
    "mirrored": np.diag([-2.0, 2, 2]),
    "oblique": TURN @ np.diag([2.0, 3, 4]),
    "sheared": np.array([[2.0, 0.7, 0], [0, 2, 0.3], [0, 0, 2]]),
    "stored as float32": (TURN @ np.diag([2.2, 2.2, 2.2])).astype(np.float32).astype(float),
}


def mask_of(array, grid=GRID):
    return ld.Mask.from_array(np.asarray(array), grid, "m")


def map_of(array):
    return ld.Map("t", np.asarray(array), GRID, "", "")


def grid_of(name, shape=SHAPE):
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = MATRICES[name], (-5, 7, 1)
    return Grid(shape, affine)


def near_voxels(grid, radius):
    """For each voxel the voxels whose centre is not farther, by measuring every distance."""
    voxels = np.array(list(np.ndindex(grid.shape)))
    mm = voxels @ grid.affine[:3, :3].T
    return voxels, np.linalg.norm(mm[:, None] - mm[None], axis=2) <= radius + 1e-4


@given(MASKS, st.sampled_from(sorted(SCIPY)), st.sampled_from([6, 18, 26]), st.integers(1, 3))
def test_morphology_by_voxels_is_that_of_scipy(array, operation, connectivity, radius):
    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])
    expected = SCIPY[operation](array, structure, iterations=radius)
    changed = ld.rois.morph_mask(mask_of(array), operation, radius, "voxels", connectivity)
    np.testing.assert_array_equal(changed.array, expected)


@given(MASKS, st.sampled_from(sorted(SCIPY)), st.sampled_from(sorted(MATRICES)))
def test_morphology_by_mm_is_that_of_scipy_with_the_ball(array, operation, name):
    grid = grid_of(name)
    changed = ld.rois.morph_mask(mask_of(array, grid), operation, 4.0, "mm")
    np.testing.assert_array_equal(changed.array, SCIPY[operation](array, ball(grid, 4.0)))


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("radius", [2.2, 3.0, 4.4, 6.0])
def test_a_ball_reaches_the_voxels_within_its_radius_in_any_grid(name, radius):
    grid = grid_of(name)
    voxels, near = near_voxels(grid, radius)
    array = np.random.default_rng(5).random(SHAPE) < 0.08
    if near.sum() > len(voxels):  # some voxel has a neighbour
        grown = ld.rois.morph_mask(mask_of(array, grid), "dilate", radius, "mm").array
        np.testing.assert_array_equal(grown.ravel(), (near & array.ravel()).any(axis=1))


@pytest.mark.parametrize("name", MATRICES)
def test_a_voxel_outlives_erosion_where_its_whole_ball_lies_in_the_mask(name):
    grid = grid_of(name, (9, 9, 9))
    inner = np.zeros(grid.shape, bool)
    inner[3:6, 3:6, 3:6] = np.random.default_rng(2).random((3, 3, 3)) < 0.2
    grown = ld.rois.morph_mask(mask_of(inner, grid), "dilate", 4.0, "mm")
    _, near = near_voxels(grid, 4.0)
    expected = (~near | grown.array.ravel()).all(axis=1)
    # What lies beyond the image is empty: a ball that sticks out is not inside.
    expected &= near.sum(axis=1) == near.sum(axis=1).max()
    eroded = ld.rois.morph_mask(grown, "erode", 4.0, "mm")
    np.testing.assert_array_equal(eroded.array.ravel(), expected)


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
    np.testing.assert_array_equal(ld.rois.fill_holes(mask_of(array)).array, expected)
    np.testing.assert_array_equal(expected, ndimage.binary_fill_holes(array))


@given(hnp.arrays(np.float32, SHAPE, elements=st.sampled_from([-3, -1, 0, 1, 3, np.nan])))
def test_a_threshold_takes_what_lies_beyond_and_never_nan(values):
    rules = {
        "above": lambda value: value > 1,
        "below": lambda value: value < 1,
        "both": lambda value: abs(value) > 1,
    }
    for side, rule in rules.items():
        inside = ld.rois.Threshold(1, side).apply(map_of(values)).array
        for voxel in np.ndindex(SHAPE):
            assert inside[voxel] == (not np.isnan(values[voxel]) and rule(float(values[voxel])))


def test_the_lowest_whole_number_is_farther_than_any_from_0():
    values = np.full(SHAPE, -128, np.int8)  # its absolute value is no int8
    assert ld.rois.Threshold(100, "both").apply(map_of(values)).voxels == values.size


@given(MASKS, MASKS)
def test_within_is_a_logical_and_on_coinciding_grids(array, other):
    mirrored = AFFINE @ np.array([[-1.0, 0, 0, 4], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for mask in (mask_of(other), mask_of(other[::-1], Grid(SHAPE, mirrored))):
        both = ld.rois.Within(mask).apply(mask_of(array))
        np.testing.assert_array_equal(both.array, array & other)
        assert both.grid is GRID
    with pytest.raises(ld.InputError, match="not on the grid of the other map"):
        ld.rois.Within(mask_of(other, grid_of("unequal edges"))).apply(mask_of(np.ones(SHAPE)))


@given(hnp.arrays(np.float64, SHAPE, elements=st.floats(-5, 5)))
def test_steps_follow_one_another(values):
    steps = (
        ld.rois.Morph("dilate", 1),
        ld.rois.Within(mask_of(np.indices(SHAPE)[0] > 1)),
        ld.rois.FillHoles(),
    )
    arrays = [values > 2]
    arrays.append(ndimage.binary_dilation(arrays[-1]))
    arrays.append(arrays[-1] & (np.indices(SHAPE)[0] > 1))
    arrays.append(ndimage.binary_fill_holes(arrays[-1]))
    for mask, expected in zip(
        ld.rois.run_steps(map_of(values), ld.rois.Threshold(2), steps), arrays, strict=True
    ):
        np.testing.assert_array_equal(mask.array, expected)


def test_a_mask_of_regions_holds_every_voxel_of_them():
    labels = np.random.default_rng(1).integers(0, 4, SHAPE)
    regions = (Region(1, "insula"), Region(2, "cuneus"), Region(3, "insula"))
    atlas = ld.LabelAtlas("a", GRID, labels, regions)
    np.testing.assert_array_equal(
        ld.rois.mask_of_regions(atlas, ["insula"]).array, np.isin(labels, [1, 3])
    )
    maps = np.random.default_rng(1).choice([0, 0, 0.2, 0.7], (3, *SHAPE))
    likely = ld.rois.mask_of_regions(probability_atlas(maps, GRID, regions), ["insula", "cuneus"])
    np.testing.assert_array_equal(likely.array, (maps > 0).any(axis=0))
    with pytest.raises(ld.InputError, match=r"no region 'insul'.*such as 'insula'"):
        ld.rois.mask_of_regions(atlas, ["insul"])
    with pytest.raises(ld.InputError, match="no region is named"):
        ld.rois.mask_of_regions(atlas, [])


@pytest.mark.parametrize(
    "arguments",
    [
        ("grow",),
        ("dilate", 0),
        ("dilate", float("nan")),
        ("dilate", 1.5),
        ("dilate", 1, "cm"),
        ("dilate", 1, "voxels", 8),
        ("dilate", 1.0, "mm"),
        ("dilate", 1e6, "mm"),
        ("dilate", 1e300, "mm"),
        (np.nan,),
        (1, "left"),
    ],
)
def test_sizes_and_thresholds_that_cannot_be_are_refused(arguments, message):
    is_size = isinstance(arguments[0], str)
    step = (ld.rois.Morph if is_size else ld.rois.Threshold)(*arguments)
    with pytest.raises(ld.InputError, match=" is ") as error:
        step.apply(mask_of(np.ones(SHAPE)) if is_size else map_of(np.ones(SHAPE)))
    message(error.value)


@pytest.mark.parametrize(("operation", "voxels"), [("dilate", np.prod(SHAPE)), ("erode", 0)])
def test_any_number_of_steps_ends_with_all_or_nothing(operation, voxels):
    array = np.zeros(SHAPE, bool)
    array[0, 0, 0] = True
    assert ld.rois.morph_mask(mask_of(array), operation, 1e300).voxels == voxels
