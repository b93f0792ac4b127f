"""The overlap of two binary maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import AFFINE

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.masks import Mask
from lesion_dash.stats.overlap import overlap

SHAPE = (3, 4, 2)
PAIRS = st.tuples(hnp.arrays(bool, SHAPE), hnp.arrays(bool, SHAPE))


def mask(array, affine=AFFINE, name="m"):
    return Mask.from_array(array, Grid(array.shape, affine), name)


@given(PAIRS)
def test_the_parts_are_numpy_s_logical_operations(pair):
    a, b = pair
    found = overlap(mask(a), mask(b))
    np.testing.assert_array_equal(found.both.array, a & b)
    np.testing.assert_array_equal(found.either.array, a | b)
    np.testing.assert_array_equal(found.only_a.array, a & ~b)
    np.testing.assert_array_equal(found.only_b.array, b & ~a)


@given(PAIRS)
def test_dice_is_symmetric_and_one_for_the_same_map(pair):
    a, b = map(mask, pair)
    assert overlap(a, b).dice == pytest.approx(overlap(b, a).dice, nan_ok=True)
    assert overlap(a, a).dice == (1.0 if a.voxels else pytest.approx(np.nan, nan_ok=True))


def test_another_grid_is_refused_with_the_difference():
    moved = AFFINE.copy()
    moved[2, 3] += 1.3
    array = np.ones(SHAPE, bool)
    with pytest.raises(InputError, match=r"1\.3 mm"):
        overlap(mask(array), mask(array, moved))


def test_a_shift_below_half_a_voxel_is_the_same_grid_and_said():
    moved = AFFINE.copy()
    moved[2, 3] += 0.3
    array = np.random.default_rng(0).random(SHAPE) < 0.5
    result = overlap(mask(array), mask(array, moved))
    assert result.dice == 1
    assert "0.3 mm" in result.b.notes[-1]


def test_a_whole_voxel_shift_is_exact_and_nothing_is_lost():
    moved = AFFINE.copy()
    moved[2, 3] += 2
    lower, upper = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    upper[1, 2, 1] = lower[1, 2, 0] = True
    assert overlap(mask(upper), mask(lower, moved)).both.voxels == 1
    with pytest.raises(InputError, match="reaches beyond"):
        overlap(mask(upper), mask(upper, moved))


def test_paths_and_nibabel_images_are_maps_too(tmp_path):
    import nibabel as nib
    from phantoms import image

    a, b = (np.random.default_rng(seed).random(SHAPE) < 0.5 for seed in (1, 2))
    nib.save(image(a.astype(np.uint8)), tmp_path / "a.nii")
    found = overlap(tmp_path / "a.nii", image(b.astype(np.float32)))
    np.testing.assert_array_equal(found.both.array, a & b)


def test_voxels_out_of_order_or_range_make_no_mask():
    grid = Grid(SHAPE, AFFINE)
    with pytest.raises(InputError, match="twice or out of order"):
        Mask(grid, np.array([5, 3, 3]), "m")
    with pytest.raises(InputError, match="outside its grid"):
        Mask(grid, np.array([24]), "m")
