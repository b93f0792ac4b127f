"""Contrasts of masks: Fisher's test, cohorts, scores and splits equal loops with scipy."""

from __future__ import annotations

import warnings
from math import comb

import numpy as np
import pandas as pd
import pytest
from phantoms import AFFINE, random_masks, write_masks
from scipy import stats

from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.stats import group_contrasts as fisher
from lesion_dash.stats.group_contrasts import (
    contrast_cohorts,
    contrast_scores,
    fisher_p,
    odds_ratio,
    split_cohort,
)


def cohort_of(folder, masks, table=None):
    write_masks(folder, masks)
    if table is not None:
        ids = [f"sub-{number:03}" for number in range(len(masks))]
        frame = pd.DataFrame({"participant_id": ids, **table})
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
        fisher_p(a, b, sizes), [one.pvalue for one in expected], rtol=1e-11, atol=1e-15
    )
    ratios = np.array([one.statistic for one in expected])
    # 0/0 is no ratio; scipy says so too.
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
    one = sum(comb(400, k) * comb(400, 10 - k) for k in range(4))
    both = fisher_p(np.array([3, 7]), np.array([7, 3]), (400, 400))
    assert both.tolist() == [2 * one / comb(800, 10)] * 2


@pytest.mark.parametrize("test", ["fisher", "student", "welch"])
def test_cohorts_equal_a_loop_over_voxels(tmp_path, test):
    masks = random_masks(9, 1), random_masks(14, 2)
    a, b = (cohort_of(tmp_path / name, own) for name, own in zip("ab", masks, strict=True))
    found = contrast_cohorts(a, b, test=test, min_patients=4)
    x, y = (stacked(own) for own in masks)
    enough = np.flatnonzero(x.sum(axis=0) + y.sum(axis=0) >= 4)
    if test == "fisher":
        n, m = x.sum(axis=0), y.sum(axis=0)
        p = [stats.fisher_exact([[n[v], 9 - n[v]], [m[v], 14 - m[v]]]).pvalue for v in enough]
        tested = enough
        assert np.isnan(found.dof).all()
        assert "degrees of freedom" not in found.sentence
    else:
        oracle = scipy_ttest(x[:, enough], y[:, enough], test == "student")
        known = np.isfinite(oracle.pvalue)
        tested, p = enough[known], oracle.pvalue[known]
        np.testing.assert_allclose(found.statistic, oracle.statistic[known], atol=1e-9)
        np.testing.assert_allclose(found.dof, oracle.df[known], rtol=1e-9)
    np.testing.assert_array_equal(found.indices, tested)
    np.testing.assert_allclose(found.p, p, rtol=1e-9, atol=1e-14)
    shares = 100 * (x.mean(axis=0) - y.mean(axis=0))
    np.testing.assert_allclose(found.effect, shares[tested], atol=1e-12)
    assert (found.groups, found.sizes) == (("a", "b"), (9, 14))


def test_exchanged_cohorts_change_the_sign_alone(tmp_path):
    a = cohort_of(tmp_path / "a", random_masks(6, 1))
    b = cohort_of(tmp_path / "b", random_masks(8, 2))
    one, two = contrast_cohorts(a, b), contrast_cohorts(b, a)
    np.testing.assert_array_equal(one.p, two.p)
    np.testing.assert_array_equal(one.effect, -two.effect)
    assert one.keys == ("odds_ratio", "p", "minus_log10_p", "effect")


def test_cohorts_that_cannot_be_compared_are_refused(tmp_path):
    a = cohort_of(tmp_path / "a", random_masks(5, 1))
    with pytest.raises(InputError, match="5 patients are in both groups, such as sub-000_lesion"):
        contrast_cohorts(a, a)
    with pytest.raises(InputError, match="has one patient; a group needs at least two"):
        contrast_cohorts(a, cohort_of(tmp_path / "one", random_masks(1, 2)))
    moved = AFFINE.copy()
    moved[0, 3] += 30
    other = load_cohort(write_masks(tmp_path / "other", random_masks(4, 3), moved))
    with pytest.raises(InputError, match="other: is not on the grid of a"):
        contrast_cohorts(a, other)
    b = cohort_of(tmp_path / "b", random_masks(4, 3))
    with pytest.raises(InputError, match="no voxel is lesioned in 10 patients of both"):
        contrast_cohorts(a, b, min_patients=10)
    with pytest.raises(InputError, match="test: is 'z'; choose one of student, welch, fisher"):
        contrast_cohorts(a, b, test="z")


def test_a_patient_in_both_cohorts_is_found_whatever_the_folders_are_called(tmp_path, monkeypatch):
    inner = cohort_of(tmp_path / "all" / "a", random_masks(3, 1))
    cohort_of(tmp_path / "all" / "b", random_masks(2, 2))
    monkeypatch.chdir(tmp_path)
    for other in ("all/a", "all/b/../a", "all"):
        with pytest.raises(InputError, match=r"3 patients are in both groups, such as .*sub-0"):
            contrast_cohorts(inner, load_cohort(other))
    assert contrast_cohorts(inner, load_cohort("all/b")).sizes == (3, 2)


def test_the_choices_of_a_group_are_counted_once(monkeypatch):
    counted = []
    monkeypatch.setattr(fisher, "comb", lambda *given: counted.append(given) or comb(*given))
    a, b = (part.ravel() for part in np.mgrid[:21, :31])
    assert fisher_p(a, b, (20, 30)).min() > 0
    assert len(counted) == 21 + 31


@pytest.mark.parametrize("test", ["student", "welch"])
@pytest.mark.parametrize("scores", ["whole", "broken", "large"])
def test_scores_equal_a_loop_over_voxels(tmp_path, test, scores):
    masks, generator = random_masks(17, 4), np.random.default_rng(5)
    values = {
        "whole": generator.integers(0, 40, 17),
        "broken": generator.normal(3, 1, 17),
        "large": 1e6 + generator.normal(0, 1, 17),
    }[scores]
    cohort = cohort_of(tmp_path / "a", masks, {"score": values})
    found = contrast_scores(cohort, "score", test=test, min_lesioned=3)
    x = stacked(masks).astype(bool)
    read = cohort.used_table["score"].to_numpy(float)
    n = x.sum(axis=0)
    tested = np.flatnonzero((n >= 3) & (17 - n >= 3))
    np.testing.assert_array_equal(found.indices, tested)
    loop = [
        stats.ttest_ind(read[x[:, v]], read[~x[:, v]], equal_var=test == "student") for v in tested
    ]
    np.testing.assert_allclose(found.statistic, [one.statistic for one in loop], rtol=1e-7)
    np.testing.assert_allclose(found.p, [one.pvalue for one in loop], rtol=1e-7)
    np.testing.assert_allclose(found.dof, [one.df for one in loop], rtol=1e-7)
    effect = [read[x[:, v]].mean() - read[~x[:, v]].mean() for v in tested]
    np.testing.assert_allclose(found.effect, effect, atol=1e-7)


def test_the_order_of_patients_does_not_matter_with_whole_scores(tmp_path):
    masks, scores = random_masks(13, 6), np.random.default_rng(7).integers(0, 1000, 13)
    order = np.random.default_rng(8).permutation(13)
    one = cohort_of(tmp_path / "a", masks, {"score": scores})
    two = cohort_of(tmp_path / "b", [masks[row] for row in order], {"score": scores[order]})
    first, second = (contrast_scores(c, "score", min_lesioned=2) for c in (one, two))
    for key in ("indices", "statistic", "p", "effect"):
        np.testing.assert_array_equal(getattr(first, key), getattr(second, key))


def test_patients_without_a_score_are_left_out_and_counted(tmp_path):
    masks, scores = random_masks(12, 6), np.arange(12.0) % 5
    scores[[2, 7]] = np.nan
    cohort = cohort_of(tmp_path / "a", masks, {"score": scores})
    found = contrast_scores(cohort, "score", min_lesioned=2)
    kept = [row for row in range(12) if row not in (2, 7)]
    alone = cohort_of(tmp_path / "b", [masks[r] for r in kept], {"score": scores[kept]})
    np.testing.assert_array_equal(
        found.statistic, contrast_scores(alone, "score", min_lesioned=2).statistic
    )
    assert "2 patients without a value of score are left out" in found.notes
    n = stacked(masks)[kept].sum(axis=0)[found.indices]
    assert (
        f"lesioned (n up to {n.max():.0f}) against spared (n up to {10 - n.min():.0f}), 8 deg"
        in (found.sentence)
    )


def test_scores_that_a_place_decides_differ_for_sure(tmp_path):
    masks = random_masks(10, 9)
    decided = stacked(masks)[:, 100]
    cohort = cohort_of(tmp_path / "a", masks, {"score": 0.1 + 0.2 * decided})
    found = contrast_scores(cohort, "score", min_lesioned=2)
    at = np.flatnonzero(found.indices == 100)[0]
    assert (found.statistic[at], found.p[at]) == (np.inf, 0.0)


def test_scores_that_cannot_be_tested_are_refused(tmp_path):
    table = {
        "same": [1] * 6,
        "sex": list("FMFMFM"),
        "score": range(6),
        "few": [1, 2, 3] + [None] * 3,
    }
    cohort = cohort_of(tmp_path / "a", random_masks(6, 1), table)
    with pytest.raises(InputError, match="test: is 'fisher'; choose one of student, welch"):
        contrast_scores(cohort, "score", test="fisher")
    with pytest.raises(InputError, match="min lesioned: is 1; a t-test needs at least 2"):
        contrast_scores(cohort, "score", min_lesioned=1)
    with pytest.raises(InputError, match="have no column 'age'; choose one of patient, file"):
        contrast_scores(cohort, "age")
    with pytest.raises(InputError, match="column sex holds no numbers"):
        contrast_scores(cohort, "sex")
    for column in ("same", "few"):
        with pytest.raises(InputError, match=f"column {column} does not vary among at least four"):
            contrast_scores(cohort, column)
    with pytest.raises(InputError, match="no voxel has 4 lesioned and as many spared patients"):
        contrast_scores(cohort, "score", min_lesioned=4)


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
    cohort = cohort_of(tmp_path / "a", masks, table)
    parts = split_cohort(cohort, column, a, b)
    assert tuple(part.name for part in parts) == names
    assert tuple(part.n_patients for part in parts) == sizes
    for part, value in zip(parts, (a, b), strict=True):
        rows = [row for row, own in enumerate(table[column]) if str(own) == str(value)]
        assert [one.id for one in part.used] == [f"sub-{row:03}" for row in rows]
        np.testing.assert_array_equal(part.counts, sum(masks[row].astype(int) for row in rows))
        left = 6 - sum(sizes)
        words = f"{left} patients with another {column}, or none, are left out"
        assert (words in part.notes) == (left > 0)
    assert contrast_cohorts(*parts).groups == names


def test_a_split_that_cannot_be_is_refused(tmp_path):
    cohort = cohort_of(tmp_path / "a", random_masks(4, 1), {"sex": ["F", "M", None, "F"]})
    with pytest.raises(InputError, match="have no column 'age'; choose one of"):
        split_cohort(cohort, "age", 1, 2)
    with pytest.raises(InputError, match="both groups are 'F'; choose two that differ"):
        split_cohort(cohort, "sex", "F", "F ")
    for value in ("X", ""):
        with pytest.raises(InputError, match=f"no patient has sex = '{value}'; choose from: F, M"):
            split_cohort(cohort, "sex", "F", value)


def test_a_mirrored_cohort_gives_mirrored_maps(tmp_path):
    masks, table = random_masks(10, 3), {"score": np.arange(10)}
    plain = cohort_of(tmp_path / "a", masks, table)
    other = cohort_of(tmp_path / "b", [mask[::-1, :, ::-1] for mask in masks], table)
    one, two = (contrast_scores(c, "score", min_lesioned=2).map("t").array for c in (plain, other))
    np.testing.assert_array_equal(two, one[::-1, :, ::-1])
