"""The overlap of two binary maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import AFFINE

from lesion_dash import Grid, InputError, Mask, overlap

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
    moved[2, 3] += 4
    array = np.ones(SHAPE, bool)
    with pytest.raises(InputError, match="4 mm"):
        overlap(mask(array), mask(array, moved))
