"""Contrasts of volumes, cohorts and scores: t, p and effect equal scipy's, voxel by voxel."""

from __future__ import annotations

import warnings
from math import comb

import numpy as np
import pandas as pd
import pytest
from cohorts import cohort_of
from hypothesis import given
from hypothesis import strategies as st
from phantoms import AFFINE, random_masks, write_masks
from scipy import stats

from lesion_dash import Grid, InputError, Mask, Series, load_cohort
from lesion_dash.rois import (
    Conditions,
    contrast_cohorts,
    contrast_conditions,
    contrast_scores,
    split_cohort,
)
from lesion_dash.stats.group_contrasts import fisher_p, odds_ratio

GRID = Grid((5, 4, 3), np.diag([2.0, 2, 2, 1]))


def series_of(values, grid=GRID, runs=None) -> Series:
    """A series of values of shape (volumes, voxels)."""
    array = np.asarray(values).T.reshape((*grid.shape, -1), order="F")
    return Series("series", grid, array, 2.5, runs or (array.shape[3],))


def conditions_of(n_a: int, n_b: int, rest: int = 0, seed: int = 0) -> Conditions:
    names = ["a"] * n_a + ["b"] * n_b + [""] * rest
    return Conditions(tuple(np.random.default_rng(seed).permutation(names).tolist()))


def contrast_of(values, n_a, n_b, rest=0, **choices):
    conditions = conditions_of(n_a, n_b, rest)
    return contrast_conditions(series_of(values), conditions, "a", "b", **choices)


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


def flat(contrast, key):
    return contrast.map(key).array.ravel(order="F")


@pytest.mark.parametrize("test", ["student", "welch"])
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(9, 9, 4), (2, 2, 0), (3, 17, 1), (40, 11, 9)])
def test_t_p_dof_and_effect_equal_scipy(test, dtype, sizes):
    values, conditions = draw(sum(sizes), dtype), conditions_of(*sizes)
    contrast = contrast_conditions(series_of(values), conditions, "a", "b", test=test)
    oracle, a, b = expected(values, conditions, test == "student")
    tested = np.isfinite(oracle.statistic)
    np.testing.assert_array_equal(contrast.indices, np.flatnonzero(tested))
    np.testing.assert_allclose(flat(contrast, "t")[tested], oracle.statistic[tested], rtol=1e-9)
    np.testing.assert_allclose(flat(contrast, "p")[tested], oracle.pvalue[tested], rtol=1e-9)
    np.testing.assert_allclose(flat(contrast, "dof")[tested], oracle.df[tested], rtol=1e-10)
    effect = a.mean(axis=0) - b.mean(axis=0)
    np.testing.assert_allclose(flat(contrast, "effect")[tested], effect[tested], atol=1e-10)
    logs = -np.log10(oracle.pvalue[tested])
    np.testing.assert_allclose(flat(contrast, "minus_log10_p")[tested], logs, rtol=1e-8, atol=1e-9)
    assert contrast.sizes == sizes[:2]


@pytest.mark.parametrize("test", ["student", "welch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.8])
def test_nan_is_left_out_voxel_by_voxel_as_scipy_does(test, dtype, share):
    values, conditions = draw(20, dtype, seed=2), conditions_of(8, 9, 3)
    values[np.random.default_rng(3).random(values.shape) < share] = np.nan
    values[:, 7] = np.nan
    contrast = contrast_conditions(series_of(values), conditions, "a", "b", test=test)
    oracle, a, b = expected(values, conditions, test == "student")
    enough = ((~np.isnan(a)).sum(axis=0) > 1) & ((~np.isnan(b)).sum(axis=0) > 1)
    np.testing.assert_array_equal(contrast.indices, np.flatnonzero(enough))
    for key, value in (("t", oracle.statistic), ("p", oracle.pvalue), ("dof", oracle.df)):
        np.testing.assert_allclose(flat(contrast, key)[enough], value[enough], rtol=1e-9)
    assert np.isnan(flat(contrast, "t")[~enough]).all()
    assert any(f"{(~enough).sum()} voxels are not tested" in note for note in contrast.notes)


def test_a_voxel_without_any_spread_is_not_tested():
    values = draw(8)
    values[:, 0] = 0.1
    values[:, 1] = 1e6
    contrast = contrast_of(values, 4, 4)
    np.testing.assert_array_equal(contrast.indices, np.arange(2, GRID.size))
    assert np.isnan(flat(contrast, "p")[:2]).all()


@pytest.mark.parametrize("test", ["student", "welch"])
def test_two_different_constants_differ_for_sure(test):
    values, conditions = draw(8), conditions_of(4, 4)
    values[conditions.rows("a"), 5], values[conditions.rows("b"), 5] = 3.3, 1.1
    contrast = contrast_conditions(series_of(values), conditions, "a", "b", test=test)
    assert (flat(contrast, "t")[5], flat(contrast, "p")[5]) == (np.inf, 0.0)
    assert flat(contrast, "minus_log10_p")[5] == pytest.approx(307.65, abs=0.01)


def test_small_differences_of_large_values_are_not_lost():
    values, conditions = 2.0**20 + np.round(draw(30, seed=5)) / 1024, conditions_of(15, 15)
    contrast = contrast_conditions(series_of(values), conditions, "a", "b")
    # What is taken off is taken off exactly, so scipy sees the same differences as small values.
    oracle, _, _ = expected(values - 2.0**20, conditions, True)
    np.testing.assert_allclose(flat(contrast, "t"), oracle.statistic, atol=1e-7)


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
    first = contrast_conditions(series, conditions, "a", "b", test="welch")
    two = contrast_conditions(series, conditions, "b", "a", test="welch")
    np.testing.assert_array_equal(first.statistic, -two.statistic)
    np.testing.assert_array_equal(first.effect, -two.effect)
    np.testing.assert_array_equal(first.p, two.p)
    assert (first.name, two.name) == ("a - b", "b - a")


@pytest.mark.parametrize("voxels", [np.arange(60), [3, 4, 5, 6], [0, 59], [7], np.arange(0, 60, 2)])
def test_a_mask_tests_its_voxels_and_changes_no_number(voxels):
    series, conditions = series_of(draw(100)), conditions_of(50, 45, 5)
    mask = Mask(GRID, np.array(voxels, np.int32), "mask")
    whole = contrast_conditions(series, conditions, "a", "b")
    contrast = contrast_conditions(series, conditions, "a", "b", mask=mask)
    np.testing.assert_array_equal(contrast.indices, voxels)
    # numpy sums a single column in another order than several.
    np.testing.assert_allclose(contrast.statistic, whole.statistic[voxels], rtol=1e-12)
    np.testing.assert_allclose(contrast.p, whole.p[voxels], rtol=1e-12)


def test_many_blocks_equal_one():
    grid = Grid((100, 60, 40), np.eye(4))  # three blocks of 2**20 values
    values = np.random.default_rng(0).normal(size=(12, grid.size)).astype(np.float32)
    series, conditions = series_of(values, grid), conditions_of(6, 6)
    whole = contrast_conditions(series, conditions, "a", "b")
    for first in range(0, grid.size, 80_000):
        mask = Mask(grid, np.arange(first, first + 80_000, dtype=np.int32), "part")
        part = contrast_conditions(series, conditions, "a", "b", mask=mask)
        rows = slice(first, first + 80_000)
        np.testing.assert_array_equal(part.statistic, whole.statistic[rows])
        np.testing.assert_array_equal(part.p, whole.p[rows])


def test_the_sentence_states_sizes_and_degrees_of_freedom():
    student, welch = (contrast_of(draw(10), 4, 6, test=test) for test in ("student", "welch"))
    assert student.sentence == (
        "Student's two-sample t-test (equal variances), two-sided: a (n = 4) against b (n = 6), "
        "8 degrees of freedom; 60 voxels tested; correction: none"
    )
    low, high = welch.dof.min(), welch.dof.max()
    assert f", {low:.1f} to {high:.1f} degrees of freedom; 60 voxels tested" in welch.sentence
    assert "no model of the haemodynamic response" in student.statement


def test_a_folder_of_people_is_no_run():
    series = series_of(draw(10), runs=(1,) * 10)
    contrast = contrast_conditions(series, conditions_of(5, 5), "a", "b")
    assert "groups that differ in age, scanner or anything else" in contrast.statement


@pytest.mark.parametrize(
    ("sizes", "names", "test", "match"),
    [
        ((5, 4, 1), "ab", "fisher", "test: is 'fisher'; choose one of student, welch"),
        ((5, 4), "ab", "welch", "9 conditions for 10 volumes; give one for each"),
        ((5, 4, 1), "aa", "welch", "both are 'a'; choose two that differ"),
        ((5, 4, 1), "ac", "welch", "no volume has the condition 'c'; choose one of a, b"),
        ((1, 9), "ab", "welch", "a: has only one volume"),
    ],
)
def test_what_cannot_be_tested_is_refused(sizes, names, test, match):
    with pytest.raises(InputError, match=match):
        contrast_conditions(series_of(draw(10)), conditions_of(*sizes), *names, test=test)


def test_values_without_any_spread_are_refused():
    with pytest.raises(InputError, match="a - b: no voxel can be tested"):
        contrast_of(np.ones((10, 60)), 5, 5)


def test_a_mask_that_does_not_fit_is_refused():
    empty = Mask(GRID, np.zeros(0, np.int32), "empty")
    with pytest.raises(InputError, match="empty: is empty: no voxel to test"):
        contrast_of(draw(10), 5, 5, mask=empty)
    elsewhere = Mask(Grid((9, 9, 9), np.eye(4)), np.array([3], np.int32), "elsewhere")
    with pytest.raises(InputError, match="elsewhere: "):
        contrast_of(draw(10), 5, 5, mask=elsewhere)


def test_only_maps_that_are_there_can_be_had():
    contrast = contrast_of(draw(10), 5, 5)
    assert contrast.keys == ("t", "p", "minus_log10_p", "effect", "dof")
    with pytest.raises(InputError, match="map: is 'corrected_p'; choose one of t, p"):
        contrast.map("corrected_p")
    assert not contrast.map("t").array.flags.writeable
    assert contrast.map("effect").unit == "difference of the mean signal"


# Masks of lesions: cohorts, scores and splits.


def cohort_with(folder, masks, table):
    """A cohort with a participants table."""
    ids = [f"sub-{number:03}" for number in range(len(masks))]
    frame = pd.DataFrame({"participant_id": ids, **table})
    write_masks(folder, masks)
    frame.to_csv(folder / "participants.tsv", sep="\t", index=False, na_rep="n/a")
    return load_cohort(folder)


def scipy_ttest(a, b, equal_var):
    with warnings.catch_warnings():
        # scipy warns where nothing varies.
        warnings.simplefilter("ignore")
        return stats.ttest_ind(a, b, axis=0, equal_var=equal_var)


def stacked(masks):
    return np.array([mask.ravel(order="F") for mask in masks], float)


@pytest.mark.parametrize("sizes", [(2, 2), (3, 7), (8, 8), (12, 5), (20, 31)])
def test_every_table_of_a_size_equals_scipys_fisher(sizes):
    a, b = (part.ravel() for part in np.mgrid[: sizes[0] + 1, : sizes[1] + 1])
    tables = [[[i, sizes[0] - i], [j, sizes[1] - j]] for i, j in zip(a, b, strict=True)]
    expected = [stats.fisher_exact(table) for table in tables]
    np.testing.assert_allclose(
        fisher_p(a, b, sizes), [test.pvalue for test in expected], rtol=1e-11, atol=1e-15
    )
    ratios = np.array([test.statistic for test in expected])
    # 0/0 is not a ratio; scipy says so too.
    np.testing.assert_allclose(odds_ratio(a, b, sizes), ratios, rtol=1e-13)


def test_tables_of_a_large_study_equal_scipys_and_ties_are_ties():
    sizes = (700, 749)
    a, b = np.array([5, 40, 0, 300, 699]), np.array([30, 41, 12, 200, 700])
    expected = [
        stats.fisher_exact([[i, sizes[0] - i], [j, sizes[1] - j]]).pvalue
        for i, j in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(fisher_p(a, b, sizes), expected, rtol=1e-9)
    # Equal groups: 3 against 7 is as likely as 7 against 3, and both count.
    ways = sum(comb(400, k) * comb(400, 10 - k) for k in range(4))
    both = fisher_p(np.array([3, 7]), np.array([7, 3]), (400, 400))
    assert both.tolist() == [2 * ways / comb(800, 10)] * 2


@pytest.mark.parametrize("test", ["fisher", "student", "welch"])
def test_cohorts_equal_a_loop_over_voxels(test):
    masks = random_masks(9, 1), random_masks(14, 2)
    a, b = (cohort_of(own, name=name) for name, own in zip("ab", masks, strict=True))
    contrast = contrast_cohorts(a, b, test=test, min_patients=4)
    x, y = (stacked(own) for own in masks)
    enough = np.flatnonzero(x.sum(axis=0) + y.sum(axis=0) >= 4)
    if test == "fisher":
        n, m = x.sum(axis=0), y.sum(axis=0)
        p = [stats.fisher_exact([[n[v], 9 - n[v]], [m[v], 14 - m[v]]]).pvalue for v in enough]
        tested = enough
        assert np.isnan(contrast.dof).all()
        assert "degrees of freedom" not in contrast.sentence
    else:
        oracle = scipy_ttest(x[:, enough], y[:, enough], test == "student")
        known = np.isfinite(oracle.pvalue)
        tested, p = enough[known], oracle.pvalue[known]
        np.testing.assert_allclose(contrast.statistic, oracle.statistic[known], atol=1e-9)
        np.testing.assert_allclose(contrast.dof, oracle.df[known], rtol=1e-9)
    np.testing.assert_array_equal(contrast.indices, tested)
    np.testing.assert_allclose(contrast.p, p, rtol=1e-9, atol=1e-14)
    effect = 100 * (x.mean(axis=0) - y.mean(axis=0))
    np.testing.assert_allclose(contrast.effect, effect[tested], atol=1e-12)
    assert (contrast.groups, contrast.sizes) == (("a", "b"), (9, 14))


def test_exchanged_cohorts_change_the_sign_alone():
    a = cohort_of(random_masks(6, 1), name="a")
    b = cohort_of(random_masks(8, 2), name="b")
    first, two = contrast_cohorts(a, b), contrast_cohorts(b, a)
    np.testing.assert_array_equal(first.p, two.p)
    np.testing.assert_array_equal(first.effect, -two.effect)
    assert first.keys == ("odds_ratio", "p", "minus_log10_p", "effect")


SHIFTED = AFFINE + np.eye(4)[[0]].T @ [[0, 0, 0, 30]]


@pytest.mark.parametrize(
    ("b", "choices", "match"),
    [
        (cohort_of(random_masks(5, 1), name="a"), {}, "5 patients are in both groups, such as sub"),
        (cohort_of(random_masks(1, 2), name="one"), {}, "has one patient; a group needs at least"),
        (
            cohort_of(random_masks(4, 3), SHIFTED, "other"),
            {},
            "other: is not on the grid of a",
        ),
        (cohort_of(random_masks(4, 3)), {"min_patients": 10}, "lesioned in 10 patients of both"),
        (cohort_of(random_masks(4, 3)), {"test": "z"}, "choose one of student, welch, fisher"),
    ],
)
def test_cohorts_that_cannot_be_compared_are_refused(b, choices, match):
    with pytest.raises(InputError, match=match):
        contrast_cohorts(cohort_of(random_masks(5, 1), name="a"), b, **choices)


def test_a_patient_in_both_cohorts_is_found_whatever_the_folders_are_called(tmp_path, monkeypatch):
    inner = load_cohort(write_masks(tmp_path / "all" / "a", random_masks(3, 1)))
    write_masks(tmp_path / "all" / "b", random_masks(2, 2), names=["sub-b0.nii", "sub-b1.nii"])
    monkeypatch.chdir(tmp_path)
    for other in ("all/a", "all/b/../a", "all"):
        with pytest.raises(InputError, match=r"3 patients are in both groups, such as .*sub-0"):
            contrast_cohorts(inner, load_cohort(other))
    assert contrast_cohorts(inner, load_cohort("all/b")).sizes == (3, 2)


@pytest.mark.parametrize("test", ["student", "welch"])
@pytest.mark.parametrize("scores", ["whole", "broken", "large"])
def test_scores_equal_a_loop_over_voxels(tmp_path, test, scores):
    masks, generator = random_masks(17, 4), np.random.default_rng(5)
    values = {
        "whole": generator.integers(0, 40, 17),
        "broken": generator.normal(3, 1, 17),
        "large": 1e6 + generator.normal(0, 1, 17),
    }[scores]
    cohort = cohort_with(tmp_path / "a", masks, {"score": values})
    contrast = contrast_scores(cohort, "score", test=test, min_lesioned=3)
    x = stacked(masks).astype(bool)
    read = cohort.used_table["score"].to_numpy(float)
    n = x.sum(axis=0)
    tested = np.flatnonzero((n >= 3) & (17 - n >= 3))
    np.testing.assert_array_equal(contrast.indices, tested)
    loop = [
        stats.ttest_ind(read[x[:, v]], read[~x[:, v]], equal_var=test == "student") for v in tested
    ]
    np.testing.assert_allclose(contrast.statistic, [result.statistic for result in loop], rtol=1e-7)
    np.testing.assert_allclose(contrast.p, [result.pvalue for result in loop], rtol=1e-7)
    np.testing.assert_allclose(contrast.dof, [result.df for result in loop], rtol=1e-7)
    effect = [read[x[:, v]].mean() - read[~x[:, v]].mean() for v in tested]
    np.testing.assert_allclose(contrast.effect, effect, atol=1e-7)


def test_the_order_of_patients_does_not_matter_with_whole_scores(tmp_path):
    masks, scores = random_masks(13, 6), np.random.default_rng(7).integers(0, 1000, 13)
    order = np.random.default_rng(8).permutation(13)
    first_cohort = cohort_with(tmp_path / "a", masks, {"score": scores})
    two = cohort_with(tmp_path / "b", [masks[row] for row in order], {"score": scores[order]})
    first, second = (contrast_scores(c, "score", min_lesioned=2) for c in (first_cohort, two))
    for key in ("indices", "statistic", "p", "effect"):
        np.testing.assert_array_equal(getattr(first, key), getattr(second, key))


def test_patients_without_a_score_are_left_out_and_counted(tmp_path):
    masks, scores = random_masks(12, 6), np.arange(12.0) % 5
    scores[[2, 7]] = np.nan
    cohort = cohort_with(tmp_path / "a", masks, {"score": scores})
    contrast = contrast_scores(cohort, "score", min_lesioned=2)
    known = [row for row in range(12) if row not in (2, 7)]
    alone = cohort_with(tmp_path / "b", [masks[r] for r in known], {"score": scores[known]})
    np.testing.assert_array_equal(
        contrast.statistic, contrast_scores(alone, "score", min_lesioned=2).statistic
    )
    assert "2 patients excluded: no value of score" in contrast.notes
    n = stacked(masks)[known].sum(axis=0)[contrast.indices]
    assert (
        f"lesioned (n up to {n.max():.0f}) against spared (n up to {10 - n.min():.0f}), 8 deg"
        in (contrast.sentence)
    )


def test_scores_that_a_place_decides_differ_for_sure(tmp_path):
    masks = random_masks(10, 9)
    decided = stacked(masks)[:, 100]
    cohort = cohort_with(tmp_path / "a", masks, {"score": 0.1 + 0.2 * decided})
    contrast = contrast_scores(cohort, "score", min_lesioned=2)
    at = np.flatnonzero(contrast.indices == 100)[0]
    assert (contrast.statistic[at], contrast.p[at]) == (np.inf, 0.0)


@pytest.mark.parametrize(
    ("column", "choices", "match"),
    [
        ("score", {"test": "fisher"}, "test: is 'fisher'; choose one of student, welch"),
        ("score", {"min_lesioned": 1}, "min lesioned: is 1; a t-test needs at least 2"),
        ("score", {"min_lesioned": 4}, "no voxel has 4 lesioned and as many spared patients"),
        ("age", {}, "have no column 'age'; choose one of patient, file"),
        ("sex", {}, "column sex holds no numbers"),
        ("same", {}, "column same does not vary among at least four"),
        ("few", {}, "column few does not vary among at least four"),
    ],
)
def test_scores_that_cannot_be_tested_are_refused(tmp_path, column, choices, match):
    table = {
        "same": [1] * 6,
        "sex": list("FMFMFM"),
        "score": range(6),
        "few": [1, 2, 3] + [None] * 3,
    }
    cohort = cohort_with(tmp_path / "a", random_masks(6, 1), table)
    with pytest.raises(InputError, match=match):
        contrast_scores(cohort, column, **choices)


@pytest.mark.parametrize(
    ("column", "a", "b", "names", "sizes"),
    [
        ("sex", "F", "M", ("sex = F", "sex = M"), (3, 2)),
        ("arm", 1, "2", ("arm = 1", "arm = 2"), (2, 2)),
        ("dose", 0.5, 1.5, ("dose = 0.5", "dose = 1.5"), (2, 3)),
    ],
)
def test_a_cohort_is_split_by_a_column(tmp_path, column, a, b, names, sizes):
    table = {
        "sex": ["F", "M", None, "F", "M", "F"],
        "arm": [1, 2, 3, None, 1, 2],
        "dose": [0.5, 1.5, 1.5, 0.5, 2.5, 1.5],
    }
    masks = random_masks(6, 1)
    cohort = cohort_with(tmp_path / "a", masks, table)
    parts = split_cohort(cohort, column, a, b)
    assert tuple(part.name for part in parts) == names
    assert tuple(part.n_patients for part in parts) == sizes
    for part, value in zip(parts, (a, b), strict=True):
        rows = [row for row, own in enumerate(table[column]) if str(own) == str(value)]
        assert [patient.id for patient in part.used] == [f"sub-{row:03}" for row in rows]
        np.testing.assert_array_equal(part.counts, sum(masks[row].astype(int) for row in rows))
        left = 6 - sum(sizes)
        note = f"{left} patients excluded: another {column}, or none"
        assert (note in part.notes) == (left > 0)
    assert contrast_cohorts(*parts).groups == names


def test_a_split_that_cannot_be_is_refused(tmp_path):
    cohort = cohort_with(tmp_path / "a", random_masks(4, 1), {"sex": ["F", "M", None, "F"]})
    with pytest.raises(InputError, match="have no column 'age'; choose one of"):
        split_cohort(cohort, "age", 1, 2)
    with pytest.raises(InputError, match="both groups are 'F'; choose two that differ"):
        split_cohort(cohort, "sex", "F", "F ")
    for value in ("X", ""):
        with pytest.raises(InputError, match=f"no patient has sex = '{value}'; choose from: F, M"):
            split_cohort(cohort, "sex", "F", value)


def test_a_mirrored_cohort_gives_mirrored_maps(tmp_path):
    masks, table = random_masks(10, 3), {"score": np.arange(10)}
    plain = cohort_with(tmp_path / "a", masks, table)
    other = cohort_with(tmp_path / "b", [mask[::-1, :, ::-1] for mask in masks], table)
    first, two = (
        contrast_scores(c, "score", min_lesioned=2).map("t").array for c in (plain, other)
    )
    np.testing.assert_array_equal(two, first[::-1, :, ::-1])
