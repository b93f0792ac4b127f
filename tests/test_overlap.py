"""The overlap of two binary maps."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import AFFINE, image

import lesion_dash as ld

SHAPE = (3, 4, 2)
PAIRS = st.tuples(hnp.arrays(bool, SHAPE), hnp.arrays(bool, SHAPE))


def mask_of(array, shift_mm=0.0):
    affine = AFFINE.copy()
    affine[2, 3] += shift_mm
    return ld.Mask.from_array(array, ld.Grid(array.shape, affine), "m")


@given(PAIRS)
def test_the_parts_are_numpy_s_logical_operations(pair):
    a, b = pair
    overlap = ld.overlap(mask_of(a), mask_of(b))
    np.testing.assert_array_equal(overlap.both.array, a & b)
    np.testing.assert_array_equal(overlap.either.array, a | b)
    np.testing.assert_array_equal(overlap.only_a.array, a & ~b)
    np.testing.assert_array_equal(overlap.only_b.array, b & ~a)


@given(PAIRS)
def test_dice_is_symmetric_and_one_for_the_same_map(pair):
    a, b = map(mask_of, pair)
    assert ld.overlap(a, b).dice == pytest.approx(ld.overlap(b, a).dice, nan_ok=True)
    assert ld.overlap(a, a).dice == (1.0 if a.voxels else pytest.approx(np.nan, nan_ok=True))


def test_another_grid_is_refused_with_the_difference():
    array = np.ones(SHAPE, bool)
    with pytest.raises(ld.InputError, match=r"1\.3 mm"):
        ld.overlap(mask_of(array), mask_of(array, 1.3))


def test_a_shift_below_half_a_voxel_is_the_same_grid_and_said():
    array = np.random.default_rng(0).random(SHAPE) < 0.5
    overlap = ld.overlap(mask_of(array), mask_of(array, 0.3))
    assert overlap.dice == 1
    assert "0.3 mm" in overlap.b.notes[-1]


def test_a_whole_voxel_shift_is_exact_and_nothing_is_lost():
    lower, upper = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    upper[1, 2, 1] = lower[1, 2, 0] = True
    assert ld.overlap(mask_of(upper), mask_of(lower, 2)).both.voxels == 1
    beyond = ld.overlap(mask_of(upper), mask_of(upper, 2))
    assert (beyond.both.voxels, beyond.only_b.voxels) == (0, 1)
    with pytest.raises(ld.InputError, match="reaches beyond"):
        mask_of(upper, 2).on_grid(mask_of(upper).grid)


def test_paths_and_nibabel_images_are_maps_too(tmp_path):
    a, b = (np.random.default_rng(seed).random(SHAPE) < 0.5 for seed in (1, 2))
    nib.save(image(a.astype(np.uint8)), tmp_path / "a.nii")
    overlap = ld.overlap(tmp_path / "a.nii", image(b.astype(np.float32)))
    np.testing.assert_array_equal(overlap.both.array, a & b)


@pytest.mark.parametrize(
    ("indices", "match"), [([5, 3, 3], "twice or out of order"), ([24], "outside its grid")]
)
def test_voxels_out_of_order_or_range_make_no_mask(indices, match):
    with pytest.raises(ld.InputError, match=match):
        ld.Mask(ld.Grid(SHAPE, AFFINE), np.array(indices), "m")
