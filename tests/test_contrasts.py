"""Contrasts of volumes: t, p and effect equal scipy's, whatever the values look like."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.events import Conditions
from lesion_dash.images.masks import Mask
from lesion_dash.images.series import Series
from lesion_dash.stats.group_contrasts import contrast_conditions

SHAPE = (5, 4, 3)
GRID = Grid(SHAPE, np.diag([2.0, 2, 2, 1]))


def series_of(values, grid=GRID, runs=None) -> Series:
    """A series of values of shape (volumes, voxels)."""
    array = np.asarray(values).T.reshape((*grid.shape, -1), order="F")
    return Series("series", grid, array, 2.5, runs or (array.shape[3],))


def conditions_of(n_a: int, n_b: int, rest: int = 0, seed: int = 0) -> Conditions:
    names = ["a"] * n_a + ["b"] * n_b + [""] * rest
    return Conditions(tuple(np.random.default_rng(seed).permutation(names).tolist()))


def draw(volumes: int, dtype=np.float64, seed: int = 0):
    generator = np.random.default_rng(seed)
    spread = generator.uniform(1, 50, GRID.size)
    values = 500 + spread * generator.standard_normal((volumes, GRID.size))
    return values.astype(dtype)


def expected(values, conditions, equal_var):
    a, b = (values[conditions.rows(name)].astype(np.float64) for name in "ab")
    with warnings.catch_warnings():
        # scipy warns where nothing varies, or where too few values are left.
        warnings.simplefilter("ignore")
        return stats.ttest_ind(a, b, equal_var=equal_var, nan_policy="omit"), a, b


def flat(found, key):
    return found.map(key).array.ravel(order="F")


@pytest.mark.parametrize("test", ["student", "welch"])
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(9, 9, 4), (2, 2, 0), (3, 17, 1), (40, 11, 9)])
def test_t_p_dof_and_effect_equal_scipy(test, dtype, sizes):
    values, conditions = draw(sum(sizes), dtype), conditions_of(*sizes)
    found = contrast_conditions(series_of(values), conditions, "a", "b", test=test)
    oracle, a, b = expected(values, conditions, test == "student")
    tested = np.isfinite(oracle.statistic)
    np.testing.assert_array_equal(found.indices, np.flatnonzero(tested))
    np.testing.assert_allclose(flat(found, "t")[tested], oracle.statistic[tested], rtol=1e-9)
    np.testing.assert_allclose(flat(found, "p")[tested], oracle.pvalue[tested], rtol=1e-9)
    np.testing.assert_allclose(flat(found, "dof")[tested], oracle.df[tested], rtol=1e-10)
    effect = a.mean(axis=0) - b.mean(axis=0)
    np.testing.assert_allclose(flat(found, "effect")[tested], effect[tested], atol=1e-10)
    logs = -np.log10(oracle.pvalue[tested])
    np.testing.assert_allclose(flat(found, "minus_log10_p")[tested], logs, rtol=1e-8, atol=1e-9)
    assert found.sizes == sizes[:2]


@pytest.mark.parametrize("test", ["student", "welch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.8])
def test_nan_is_left_out_voxel_by_voxel_as_scipy_does(test, dtype, share):
    values, conditions = draw(20, dtype, seed=2), conditions_of(8, 9, 3)
    values[np.random.default_rng(3).random(values.shape) < share] = np.nan
    values[:, 7] = np.nan
    found = contrast_conditions(series_of(values), conditions, "a", "b", test=test)
    oracle, a, b = expected(values, conditions, test == "student")
    enough = ((~np.isnan(a)).sum(axis=0) > 1) & ((~np.isnan(b)).sum(axis=0) > 1)
    np.testing.assert_array_equal(found.indices, np.flatnonzero(enough))
    for key, value in (("t", oracle.statistic), ("p", oracle.pvalue), ("dof", oracle.df)):
        np.testing.assert_allclose(flat(found, key)[enough], value[enough], rtol=1e-9)
    assert np.isnan(flat(found, "t")[~enough]).all()
    assert any(f"{(~enough).sum()} voxels are not tested" in note for note in found.notes)


def test_a_voxel_without_any_spread_is_not_tested():
    values = draw(8)
    values[:, 0] = 0.1
    values[:, 1] = 1e6
    found = contrast_conditions(series_of(values), conditions_of(4, 4), "a", "b")
    np.testing.assert_array_equal(found.indices, np.arange(2, GRID.size))
    assert np.isnan(flat(found, "p")[:2]).all()


@pytest.mark.parametrize("test", ["student", "welch"])
def test_two_different_constants_differ_for_sure(test):
    values, conditions = draw(8), conditions_of(4, 4)
    values[conditions.rows("a"), 5], values[conditions.rows("b"), 5] = 3.3, 1.1
    found = contrast_conditions(series_of(values), conditions, "a", "b", test=test)
    assert (flat(found, "t")[5], flat(found, "p")[5]) == (np.inf, 0.0)
    assert flat(found, "minus_log10_p")[5] == pytest.approx(307.65, abs=0.01)


def test_small_differences_of_large_values_are_not_lost():
    values, conditions = 2.0**20 + np.round(draw(30, seed=5)) / 1024, conditions_of(15, 15)
    found = contrast_conditions(series_of(values), conditions, "a", "b")
    # What is taken off is taken off exactly, so scipy sees the same differences as small values.
    oracle, _, _ = expected(values - 2.0**20, conditions, True)
    np.testing.assert_allclose(flat(found, "t"), oracle.statistic, atol=1e-7)


@given(seed=st.integers(0, 2**16), test=st.sampled_from(["student", "welch"]))
def test_the_order_of_volumes_does_not_matter(seed, test):
    values, conditions = draw(12, np.int16, seed), conditions_of(5, 6, 1, seed)
    order = np.random.default_rng(seed).permutation(12)
    shuffled = Conditions(tuple(conditions.of_volume[row] for row in order))
    first = contrast_conditions(series_of(values), conditions, "a", "b", test=test)
    second = contrast_conditions(series_of(values[order]), shuffled, "a", "b", test=test)
    np.testing.assert_allclose(second.statistic, first.statistic, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(second.p, first.p, rtol=1e-9)


def test_a_mirrored_image_with_its_axes_permuted_gives_the_same_maps_so():
    series, conditions = series_of(draw(10)), conditions_of(5, 5)
    turned_grid = Grid((3, 5, 4), np.eye(4))
    turned = Series("t", turned_grid, series.array.transpose(2, 0, 1, 3)[::-1], 2.5, (10,))
    plain = contrast_conditions(series, conditions, "a", "b")
    other = contrast_conditions(turned, conditions, "a", "b")
    for key in plain.keys:
        np.testing.assert_array_equal(
            other.map(key).array, plain.map(key).array.transpose(2, 0, 1)[::-1]
        )


def test_exchanged_conditions_change_the_sign_alone():
    series, conditions = series_of(draw(10)), conditions_of(4, 6)
    one = contrast_conditions(series, conditions, "a", "b", test="welch")
    two = contrast_conditions(series, conditions, "b", "a", test="welch")
    np.testing.assert_array_equal(one.statistic, -two.statistic)
    np.testing.assert_array_equal(one.effect, -two.effect)
    np.testing.assert_array_equal(one.p, two.p)
    assert (one.name, two.name) == ("a - b", "b - a")


@pytest.mark.parametrize("voxels", [np.arange(60), [3, 4, 5, 6], [0, 59], [7], np.arange(0, 60, 2)])
def test_a_mask_tests_its_voxels_and_changes_no_number(voxels):
    series, conditions = series_of(draw(100)), conditions_of(50, 45, 5)
    mask = Mask(GRID, np.array(voxels, np.int32), "mask")
    whole = contrast_conditions(series, conditions, "a", "b")
    found = contrast_conditions(series, conditions, "a", "b", mask=mask)
    np.testing.assert_array_equal(found.indices, voxels)
    # numpy sums a single column in another order than several.
    np.testing.assert_allclose(found.statistic, whole.statistic[voxels], rtol=1e-12)
    np.testing.assert_allclose(found.p, whole.p[voxels], rtol=1e-12)


def test_many_blocks_equal_one(monkeypatch):
    from lesion_dash.stats import group_contrasts as volumes

    series, conditions = series_of(draw(10)), conditions_of(5, 5)
    whole = contrast_conditions(series, conditions, "a", "b")
    monkeypatch.setattr(volumes, "_BLOCK", 70)
    parts = contrast_conditions(series, conditions, "a", "b")
    np.testing.assert_array_equal(parts.statistic, whole.statistic)
    np.testing.assert_array_equal(parts.p, whole.p)


def test_the_sentence_states_sizes_and_degrees_of_freedom():
    series, conditions = series_of(draw(10)), conditions_of(4, 6)
    student = contrast_conditions(series, conditions, "a", "b")
    assert student.sentence == (
        "Student's two-sample t-test (equal variances), two-sided: a (n = 4) against b (n = 6), "
        "8 degrees of freedom; 60 voxels tested; correction: none"
    )
    welch = contrast_conditions(series, conditions, "a", "b", test="welch")
    low, high = welch.dof.min(), welch.dof.max()
    assert f", {low:.1f} to {high:.1f} degrees of freedom; 60 voxels tested" in welch.sentence
    assert "no model of the haemodynamic response" in student.statement


def test_a_folder_of_people_is_no_run():
    series = series_of(draw(10), runs=(1,) * 10)
    found = contrast_conditions(series, conditions_of(5, 5), "a", "b")
    assert "groups that differ in age, scanner or anything else" in found.statement


def test_what_cannot_be_tested_is_refused():
    series, conditions = series_of(draw(10)), conditions_of(5, 4, 1)
    with pytest.raises(InputError, match="test: is 'fisher'; choose one of student, welch"):
        contrast_conditions(series, conditions, "a", "b", test="fisher")
    with pytest.raises(InputError, match="9 conditions for 10 volumes; give one for each"):
        contrast_conditions(series, conditions_of(5, 4), "a", "b")
    with pytest.raises(InputError, match="both are 'a'; choose two that differ"):
        contrast_conditions(series, conditions, "a", "a")
    with pytest.raises(InputError, match="no volume has the condition 'c'; choose one of a, b"):
        contrast_conditions(series, conditions, "a", "c")
    with pytest.raises(InputError, match="a: has one volume only"):
        contrast_conditions(series, conditions_of(1, 9), "a", "b")
    with pytest.raises(InputError, match="a - b: no voxel can be tested"):
        contrast_conditions(series_of(np.ones((10, 60))), conditions, "a", "b")


def test_a_mask_that_does_not_fit_is_refused():
    series, conditions = series_of(draw(10)), conditions_of(5, 5)
    empty = Mask(GRID, np.zeros(0, np.int32), "empty")
    with pytest.raises(InputError, match="empty: is empty: no voxel to test"):
        contrast_conditions(series, conditions, "a", "b", mask=empty)
    elsewhere = Mask(Grid((9, 9, 9), np.eye(4)), np.array([3], np.int32), "elsewhere")
    with pytest.raises(InputError, match="elsewhere: "):
        contrast_conditions(series, conditions, "a", "b", mask=elsewhere)


def test_only_maps_that_are_there_can_be_had():
    found = contrast_conditions(series_of(draw(10)), conditions_of(5, 5), "a", "b")
    assert found.keys == ("t", "p", "minus_log10_p", "effect", "dof")
    with pytest.raises(InputError, match="map: is 'corrected_p'; choose one of t, p"):
        found.map("corrected_p")
    assert not found.map("t").array.flags.writeable
    assert found.map("effect").unit == "difference of the mean signal"
