"""Corrections for many voxels: as scipy and every regrouping of tiny data; they keep their word."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from cohorts import cohort_of
from phantoms import random_masks, write_masks
from scipy import stats

from lesion_dash import Grid, InputError, Mask, Series, load_cohort
from lesion_dash.images.events import group_conditions
from lesion_dash.rois import (
    contrast_cohorts,
    contrast_conditions,
    contrast_scores,
    correct_contrast,
)


def contrast_of(values, n_a: int, test="student", mask=None):
    """Contrast of the first volumes with the others; values of shape (volumes, voxels)."""
    grid = Grid((values.shape[1], 1, 1), np.eye(4))
    array = values.T.reshape((*grid.shape, -1))
    series = Series("series", grid, array, 2.5, (len(values),))
    conditions = group_conditions({"a": n_a, "b": len(values) - n_a})
    chosen = None if mask is None else Mask(grid, np.array(mask, np.int32), "mask")
    return contrast_conditions(series, conditions, "a", "b", test=test, mask=chosen)


def draw(volumes=16, voxels=40, seed=0):
    return np.random.default_rng(seed).normal(size=(volumes, voxels))


def largest_t(values, n_a: int):
    """Largest |t| of every way to choose the first group, and |t| of the data as they are."""
    largest = []
    for chosen in combinations(range(len(values)), n_a):
        a = np.isin(np.arange(len(values)), chosen)
        t = stats.ttest_ind(values[a], values[~a]).statistic
        largest.append(np.abs(t).max())
    return np.array(largest), np.abs(stats.ttest_ind(values[:n_a], values[n_a:]).statistic)


def test_bonferroni_and_fdr_equal_their_definitions():
    contrast = contrast_of(draw(), 8)
    p = contrast.p
    bonferroni = correct_contrast(contrast, "bonferroni")
    np.testing.assert_array_equal(bonferroni.corrected_p, [min(value * 40, 1) for value in p])
    fdr = correct_contrast(contrast, "fdr").corrected_p
    np.testing.assert_array_equal(fdr, stats.false_discovery_control(p))
    # The smallest of p * m / rank over all p that are as large (Benjamini & Hochberg 1995).
    rank = stats.rankdata(p, "max")
    by_hand = [min(np.min((p * 40 / rank)[p >= value]), 1) for value in p]
    np.testing.assert_allclose(fdr, by_hand, rtol=1e-12)
    np.testing.assert_array_equal(correct_contrast(contrast, "none").corrected_p, p)


@pytest.mark.parametrize("method", ["bonferroni", "fdr"])
def test_the_family_is_what_was_tested(method):
    values = draw()
    part = correct_contrast(contrast_of(values, 8, mask=range(10)), method)
    alone = correct_contrast(contrast_of(values[:, :10], 8), method)
    np.testing.assert_array_equal(part.corrected_p, alone.corrected_p)


def test_a_corrected_contrast_has_maps_and_parameters_of_it():
    contrast = contrast_of(draw(), 8)
    assert "corrected_p" not in contrast.keys
    fixed = correct_contrast(contrast, "fwe", n_permutations=50, seed=3)
    assert fixed.keys[-2:] == ("corrected_p", "minus_log10_corrected_p")
    assert fixed.sentence.endswith("40 voxels tested; correction: fwe")
    parameters = {"correction": "fwe", "n_permutations": 50, "seed": 3}
    assert parameters.items() <= fixed.parameters.items()
    flat = fixed.map("minus_log10_corrected_p").array.ravel(order="F")
    np.testing.assert_allclose(flat, -np.log10(fixed.corrected_p))
    assert contrast.correction == "none"


@pytest.mark.parametrize(("volumes", "n_a"), [(6, 3), (8, 4), (9, 3)])
def test_permutations_come_to_what_every_regrouping_says(volumes, n_a):
    values, draws = draw(volumes, 4, seed=volumes), 4000
    values[:n_a, 0] += 2
    corrected = correct_contrast(contrast_of(values, n_a), "fwe", n_permutations=draws)
    every, own = largest_t(values, n_a)
    exact = np.array([(every >= value * (1 - 1e-9)).mean() for value in own])
    # Five standard errors of a share of so many draws.
    error = 5 * np.sqrt(exact * (1 - exact) / draws) + 1 / draws
    assert (np.abs(corrected.corrected_p - exact) < error).all()


def test_p_of_permutations_is_a_share_of_them_with_the_data_counted_in():
    values = draw()
    values[:8, 0] += 20  # no other grouping comes near
    corrected = correct_contrast(contrast_of(values, 8), "fwe", n_permutations=99)
    assert corrected.corrected_p[0] == 1 / 100
    counts = corrected.corrected_p * 100
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
    assert counts.min() >= 1
    assert counts.max() <= 100
    order = np.argsort(np.abs(corrected.statistic))
    assert (np.diff(corrected.corrected_p[order]) <= 0).all()
    assert (corrected.corrected_p >= corrected.p - 0.1).all()


def test_the_same_seed_gives_the_same_p():
    contrast = contrast_of(draw(), 8)
    p = [
        correct_contrast(contrast, "fwe", n_permutations=60, seed=s).corrected_p for s in (1, 1, 2)
    ]
    np.testing.assert_array_equal(p[0], p[1])
    assert (p[0] != p[2]).any()


@pytest.mark.parametrize("method", ["bonferroni", "fwe"])
def test_false_positives_are_as_rare_as_promised(method):
    draws = 1000
    contrasts = (contrast_of(draw(seed=1000 + seed), 8) for seed in range(draws))
    smallest = [
        correct_contrast(contrast, method, n_permutations=99, seed=seed).corrected_p.min()
        for seed, contrast in enumerate(contrasts)
    ]
    false = sum(p <= 0.05 for p in smallest)
    # At a true rate of 0.05, so many happen in fewer than one of 10,000 such tests.
    assert false <= stats.binom.isf(1e-4, draws, 0.05)
    # And permutations give nothing away: their rate is 0.05, not far below.
    assert method == "bonferroni" or false >= stats.binom.ppf(1e-4, draws, 0.05)


def test_an_effect_is_found_where_it_is_and_nowhere_else():
    values = draw(40, 60, seed=4)
    values[:20, [3, 30]] += 3
    values[20:, 50] += 3
    corrected = correct_contrast(contrast_of(values, 20), "fwe", n_permutations=200)
    np.testing.assert_array_equal(np.flatnonzero(corrected.corrected_p <= 0.05), [3, 30, 50])


def test_permutations_agree_with_those_of_nilearn():
    from nilearn.mass_univariate import permuted_ols

    values, draws = draw(14, 30, seed=11), 2000
    values[:7, :5] += np.linspace(0.5, 2, 5)
    corrected = correct_contrast(contrast_of(values, 7), "fwe", n_permutations=draws)
    groups = np.repeat([1.0, 0.0], 7)[:, None]
    other = permuted_ols(groups, values, n_perm=draws, random_state=1, output_type="dict")
    np.testing.assert_allclose(corrected.statistic, other["t"][0], rtol=1e-9)
    p = 10 ** -other["logp_max_t"][0]
    # Two independent shares of so many draws: five standard errors of their difference.
    assert (np.abs(corrected.corrected_p - p) < 5 * np.sqrt(2 * p * (1 - p) / draws) + 0.001).all()


def test_permutations_of_cohorts_and_of_scores_agree_with_every_order(tmp_path):
    masks, scores = random_masks(6, 2), np.array([3, 9, 1, 12, 5, 30])
    rows = [f"sub-{n:03}\t{score}" for n, score in enumerate(scores)]
    write_masks(tmp_path, masks)
    (tmp_path / "participants.tsv").write_text("\n".join(["participant_id\tscore", *rows]))
    a, b, both = cohort_of(masks[:2], name="a"), cohort_of(masks[2:]), load_cohort(tmp_path)
    for contrast, variable in (
        (contrast_cohorts(a, b, test="student", min_patients=2), np.array([1, 1, 0, 0, 0, 0])),
        (contrast_scores(both, "score", min_lesioned=2), scores),
    ):
        values = np.array([mask.ravel(order="F") for mask in masks], float)[:, contrast.indices]
        orders = np.array([variable[list(order)] for order in permutations(range(6))])
        largest = np.nanmax([np.abs(correlations(order, values)) for order in orders], axis=1)
        own = np.abs(correlations(variable, values))
        exact = np.array([(largest >= value - 1e-9).mean() for value in own])
        fixed = correct_contrast(contrast, "fwe", n_permutations=4000)
        error = 5 * np.sqrt(exact * (1 - exact) / 4000) + 1 / 4000
        assert (np.abs(fixed.corrected_p - exact) < error).all()


def correlations(variable, values):
    x = variable - variable.mean()
    y = values - values.mean(axis=0)
    return x @ y / np.sqrt((x @ x) * (y * y).sum(axis=0))


def test_what_cannot_be_corrected_is_refused():
    plain, holed = contrast_of(draw(), 8), draw()
    holed[0, 0] = np.nan
    many = replace(plain, samples=replace(plain.samples, variable=np.zeros(2**22)))
    for contrast, method, choices, match in (
        (plain, "holm", {}, "correction: is 'holm'; choose one of none, bonferroni"),
        (plain, "fwe", {"n_permutations": 19}, r"19 permutations give no p below 0\.05"),
        (contrast_of(draw(), 8, "welch"), "fwe", {}, "fwe: no permutations of welch's test"),
        (contrast_of(holed, 8), "fwe", {}, "some values are NaN, and permutations need all"),
        (many, "fwe", {}, r"the values of 40 voxels take 1\.3 GB"),
    ):
        with pytest.raises(InputError, match=match):
            correct_contrast(contrast, method, **choices)
