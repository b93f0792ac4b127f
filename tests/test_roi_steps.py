"""From a map to a mask: thresholds, masks, and morphology against scipy and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from atlases import probability_atlas
from blobs import SMALL, map_of, mask_of
from grids import affine, flipped, rotation
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

import lesion_dash as ld
from lesion_dash.atlas.formats import Region
from lesion_dash.core.grid import Grid

SHAPE = SMALL.shape
MASKS = hnp.arrays(bool, SHAPE)
SCIPY = {
    "dilate": ndimage.binary_dilation,
    "erode": ndimage.binary_erosion,
    "open": ndimage.binary_opening,
    "close": ndimage.binary_closing,
}
ORIGIN = (-5, 7, 1)
GRIDS = {
    "even": affine((2, 2, 2), ORIGIN),
    "unequal edges": affine((3.1, 3.75, 1.5), ORIGIN),
    "mirrored": affine((-2, 2, 2), ORIGIN),
    "oblique": affine((2, 3, 4), ORIGIN, rotation(z=37)),
    "sheared": [[2, 0.7, 0, -5], [0, 2, 0.3, 7], [0, 0, 2, 1], [0, 0, 0, 1]],
    "stored as float32": affine((2.2, 2.2, 2.2), ORIGIN, rotation(z=37)).astype(np.float32),
}
OPERATIONS = st.sampled_from(sorted(SCIPY))


@given(MASKS, OPERATIONS, st.sampled_from([6, 18, 26]), st.integers(1, 3))
def test_morphology_by_voxels_is_that_of_scipy(array, operation, connectivity, radius):
    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])
    expected = SCIPY[operation](array, structure, iterations=radius)
    changed = ld.rois.morph_mask(mask_of(array, SMALL), operation, radius, "voxels", connectivity)
    np.testing.assert_array_equal(changed.array, expected)


@given(
    hnp.arrays(bool, (8, 7, 6), fill=st.booleans()),
    OPERATIONS,
    st.sampled_from(sorted(GRIDS)),
    st.sampled_from([3.75, 4.0, 4.4, 6.0]),
)
def test_morphology_by_mm_is_that_of_scipy_with_every_voxel_within_the_radius(
    array, operation, name, radius
):
    grid = Grid(array.shape, GRIDS[name])
    # Of every voxel that a ball of 6 mm could reach, the distance is measured.
    offsets = np.moveaxis(np.mgrid[-6:7, -6:7, -6:7], 0, -1)
    ball = np.linalg.norm(offsets @ grid.affine[:3, :3].T, axis=-1) <= radius + 1e-4
    changed = ld.rois.morph_mask(mask_of(array, grid), operation, radius, "mm")
    np.testing.assert_array_equal(changed.array, SCIPY[operation](array, ball))


@given(MASKS)
def test_holes_are_what_is_not_connected_to_the_outside(array):
    parts, _ = ndimage.label(np.pad(~array, 1, constant_values=True))
    expected = (parts != parts[0, 0, 0])[1:-1, 1:-1, 1:-1]
    np.testing.assert_array_equal(ld.rois.fill_holes(mask_of(array, SMALL)).array, expected)


@given(hnp.arrays(np.float32, SHAPE, elements=st.sampled_from([-3, -1, 0, 1, 3, np.nan])))
def test_a_threshold_takes_what_lies_beyond_and_never_nan(values):
    beyond = {"above": values > 1, "below": values < 1, "both": np.abs(values) > 1}
    for side, expected in beyond.items():
        mask = ld.rois.Threshold(1, side).apply(map_of(values, SMALL))
        np.testing.assert_array_equal(mask.array, expected)


def test_the_lowest_whole_number_is_farther_than_any_from_0():
    values = np.full(SHAPE, -128, np.int8)  # its absolute value is not an int8
    assert ld.rois.Threshold(100, "both").apply(map_of(values, SMALL)).voxels == values.size


@given(hnp.arrays(np.float64, SHAPE, elements=st.floats(-5, 5)), MASKS)
def test_steps_follow_one_another_and_coinciding_grids_may_be_mirrored(values, other):
    mirrored = mask_of(other[::-1], flipped(SMALL, 0))
    steps = (ld.rois.Morph("dilate", 1), ld.rois.Within(mirrored), ld.rois.FillHoles())
    arrays = [values > 2]
    arrays.append(ndimage.binary_dilation(arrays[-1]))
    arrays.append(arrays[-1] & other)
    arrays.append(ndimage.binary_fill_holes(arrays[-1]))
    masks = ld.rois.run_steps(map_of(values, SMALL), ld.rois.Threshold(2), steps)
    for mask, expected in zip(masks, arrays, strict=True):
        np.testing.assert_array_equal(mask.array, expected)
        assert mask.grid is SMALL


def test_a_mask_of_regions_holds_every_voxel_of_them():
    labels = np.random.default_rng(1).integers(0, 4, SHAPE)
    regions = (Region(1, "insula"), Region(2, "cuneus"), Region(3, "insula"))
    atlas = ld.LabelAtlas("a", SMALL, labels, regions)
    insula = ld.rois.mask_of_regions(atlas, ["insula"])
    np.testing.assert_array_equal(insula.array, np.isin(labels, [1, 3]))
    maps = np.random.default_rng(1).choice([0, 0, 0.2, 0.7], (3, *SHAPE))
    likely = ld.rois.mask_of_regions(probability_atlas(maps, SMALL, regions), ["insula", "cuneus"])
    np.testing.assert_array_equal(likely.array, (maps > 0).any(axis=0))
    for names, match in ((["insul"], r"no region 'insul'.*such as 'insula'"), ([], "is named")):
        with pytest.raises(ld.InputError, match=match):
            ld.rois.mask_of_regions(atlas, names)


@pytest.mark.parametrize(
    "step",
    [
        ld.rois.Morph("grow"),
        ld.rois.Morph("dilate", 0),
        ld.rois.Morph("dilate", float("nan")),
        ld.rois.Morph("dilate", 1.5),
        ld.rois.Morph("dilate", 1, "cm"),
        ld.rois.Morph("dilate", 1, "voxels", 8),
        ld.rois.Morph("dilate", 1.0, "mm"),
        ld.rois.Morph("dilate", 1e6, "mm"),
        ld.rois.Morph("dilate", 1e300, "mm"),
        ld.rois.Threshold(np.nan),
        ld.rois.Threshold(1, "left"),
        ld.rois.Within(mask_of(np.ones(SHAPE), Grid(SHAPE, GRIDS["unequal edges"]))),
    ],
    ids=range(12),
)
def test_steps_that_cannot_be_are_refused(step, message):
    build = map_of if isinstance(step, ld.rois.Threshold) else mask_of
    with pytest.raises(ld.InputError, match=" is ") as error:
        step.apply(build(np.ones(SHAPE), SMALL))
    message(error.value)


@pytest.mark.parametrize(("operation", "voxels"), [("dilate", SMALL.size), ("erode", 0)])
def test_any_number_of_steps_ends_with_all_or_nothing(operation, voxels):
    array = np.zeros(SHAPE, bool)
    array[0, 0, 0] = True
    assert ld.rois.morph_mask(mask_of(array, SMALL), operation, 1e300).voxels == voxels
