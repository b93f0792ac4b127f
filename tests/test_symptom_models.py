"""Models of all voxels together, and predictions, against scikit-learn on the explicit matrices.

The numbers in names are those of the criteria of lesion-symptom mapping.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import brier_score_loss, r2_score, roc_auc_score
from sklearn.svm import SVR
from symptom_cohorts import lesions, make_cohort, matrix

from lesion_dash import (
    Cancelled,
    InputError,
    lesion_load,
    load_atlas,
    load_cohort,
    map_multivariate,
    map_symptom,
    predict_from_regions,
    predict_symptom,
)
from lesion_dash.cli import main
from lesion_dash.stats.lesion_symptom.folds import (
    PENALTIES,
    RidgeFold,
    SupportVectorFold,
    probabilities,
)
from lesion_dash.stats.lesion_symptom.logistic import bias_reduced_log_odds

PATIENTS = 48
EASY = 2  # of the place that the score follows


@pytest.fixture(scope="module")
def columns():
    generator = np.random.default_rng(11)
    masks = lesions(PATIENTS, 8)
    lesion = np.array([mask[2, 2, 3] for mask in masks], float)
    score = EASY * lesion + generator.normal(size=PATIENTS)
    return {
        "score": score.round(6),
        "noise": generator.normal(size=PATIENTS).round(6),
        "symptom": (score > np.median(score)).astype(int),
        "coin": generator.integers(0, 2, PATIENTS),
        "age": generator.normal(60, 10, PATIENTS).round(2),
        "site": generator.permutation(np.array(["A", "B", "C"])[np.arange(PATIENTS) % 3]),
        "same": ["A"] * PATIENTS,
        "alone": ["A"] * (PATIENTS - 1) + ["B"],
        "code": np.arange(PATIENTS) % 2 + 1,
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, columns):
    folder = tmp_path_factory.mktemp("models") / "masks"
    return make_cohort(folder, lesions(PATIENTS, 8), columns)


def residual(columns, values):
    """What a regression on columns leaves."""
    fitted, *_ = np.linalg.lstsq(columns, values, rcond=None)
    return values - columns @ fitted


def terms_of(symptom_map):
    patients = symptom_map.patients
    own = [np.ones(patients.size), *patients.covariates.values()]
    if symptom_map.control == "log-volume":
        own.append(np.log(patients.volumes))
    return np.column_stack(own)


# 6.12: maps.


@pytest.mark.parametrize("control", ["none", "log-volume"])
@pytest.mark.parametrize("penalty", [0.1, 1.0, 30.0])
def test_6_12_ridge_is_scikit_learns_on_the_voxels(cohort, control, penalty):
    alone = map_symptom(cohort, "score", covariates=["age"], control=control, permutations=20)
    together = map_multivariate(alone, penalty=penalty)
    x = matrix(alone)
    terms = terms_of(alone)
    x = residual(terms, x)
    unit = np.trace(x @ x.T) / (PATIENTS - terms.shape[1])
    y = residual(terms, alone.patients.score)
    model = Ridge(alpha=penalty * unit, fit_intercept=False, solver="svd").fit(x, y)
    per_ml = 1000 / cohort.grid.voxel_volume
    expected = model.coef_ * per_ml
    np.testing.assert_allclose(together.beta, expected, atol=1e-8 * np.abs(expected).max())


def test_6_12_support_vectors_are_scikit_learns_on_the_voxels(cohort):
    alone = map_symptom(cohort, "score", covariates=["age"], permutations=20)
    together = map_multivariate(alone, "svr", penalty=0.5)
    terms = terms_of(alone)
    x = residual(terms, matrix(alone))
    free = PATIENTS - terms.shape[1]
    x /= np.sqrt(np.trace(x @ x.T) / free)
    y = residual(terms, alone.patients.score)
    y = y / np.sqrt(y @ y / free)
    weights = SVR(kernel="linear", C=2, epsilon=0.1).fit(x, y).coef_[0]
    # As the weights of R LESYMAP, in units of the largest, of 10.
    ours, theirs = (10 * w / np.abs(w).max() for w in (together.beta, weights))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("model", ["ridge", "svr"])
@pytest.mark.parametrize("side", ["two-sided", "larger"])
def test_6_12_z_and_p_are_those_of_all_permutations_at_all_voxels(cohort, model, side):
    alone = map_symptom(
        cohort, "noise", control="none", permutations=39, seed=3, side=side, v_mm3=(8, 80)
    )
    together = map_multivariate(alone, model)
    x = matrix(alone)
    x = x - x.mean(axis=0)
    x /= np.sqrt(np.trace(x @ x.T) / (PATIENTS - 1))
    score = alone.patients.score - alone.patients.score.mean()
    score /= score.std(ddof=1)
    generator = np.random.default_rng(3)
    orders = [np.arange(PATIENTS), *(generator.permutation(PATIENTS) for _ in range(39))]
    if model == "ridge":
        fitted = [Ridge(1.0, fit_intercept=False).fit(x, score[order]) for order in orders]
        beta = np.array([one.coef_ for one in fitted])
    else:
        made = [SVR(kernel="linear", epsilon=0.1).fit(x, score[o]) for o in orders]
        beta = np.array([one.coef_[0] for one in made])
    z = beta / beta.std(axis=0)
    exact = 1e-9 if model == "ridge" else 1e-6
    np.testing.assert_allclose(together.z, z[0], atol=exact)
    heights = np.abs(z) if side == "two-sided" else z
    voxel = cohort.grid.voxel_volume
    for key, v in (
        ("corrected_p", 1),
        ("corrected_p_v8", 8 / voxel),
        ("corrected_p_v80", 80 / voxel),
    ):
        largest = np.sort(heights[1:], axis=1)[:, -max(1, round(v))]
        reach = (largest[:, None] >= heights[0] - exact).sum(axis=0)
        below = (largest[:, None] >= heights[0] + exact).sum(axis=0)
        p = together.values[key]
        assert (p <= (1 + reach) / 40 + 1e-12).all(), key
        assert (p >= (1 + below) / 40 - 1e-12).all(), key


def test_6_12_the_conjunction_is_the_worse_of_both_where_signs_agree(cohort):
    alone = map_symptom(cohort, "score", permutations=99)
    together = map_multivariate(alone)
    same = np.sign(together.z) == np.sign(alone.statistic)
    expected = np.where(same, np.maximum(alone.corrected_p, together.corrected_p), 1)
    np.testing.assert_array_equal(together.conjunction_p, expected)
    assert together.conjunction_p.min() <= 0.05  # the place that the score follows
    assert together.map("beta").array.shape == cohort.grid.shape


@pytest.mark.parametrize("control", ["behaviour", "lesion", "dtlvc"])
def test_6_12_the_controls_of_papers_are_of_the_model_too(cohort, control):
    alone = map_symptom(cohort, "score", control=control, permutations=20)
    # With a large penalty the coefficient is the product of lesion and score.
    together = map_multivariate(alone, penalty=1e9)
    r = np.corrcoef(together.beta, alone.values["partial_r"] * alone.prepared.norms[
        alone.prepared.patterns.of_voxel
    ])[0, 1] if control != "dtlvc" else 1.0  # fmt: skip
    if control == "dtlvc":
        x = matrix(alone) / np.sqrt(alone.patients.volumes)[:, None]
        y = alone.patients.score - alone.patients.score.mean()
        r = np.corrcoef(together.beta, y @ x)[0, 1]
    assert r == pytest.approx(1, abs=1e-6)


def test_6_12_the_same_bits_whatever_the_names_and_blocks_hold(cohort, columns, tmp_path):
    names = [f"p{(7 * number) % PATIENTS:02}" for number in range(PATIENTS)]
    renamed = make_cohort(tmp_path / "masks", lesions(PATIENTS, 8), columns, names=names)
    for model in ("ridge", "svr"):
        first, second = (
            map_multivariate(map_symptom(one, "score", blocks="site", permutations=30), model)
            for one in (cohort, renamed)
        )
        np.testing.assert_array_equal(first.z, second.z)
        np.testing.assert_array_equal(first.corrected_p, second.corrected_p)


@pytest.mark.parametrize(
    ("score", "test", "choices", "said"),
    [
        ("score", "ols", {"model": "forest"}, "ridge"),
        ("score", "ols", {"penalty": 0.0}, "penalty"),
        ("score", "welch", {}, "ols"),
        ("symptom", "liebermeister", {}, "ols"),
    ],
)
def test_6_12_a_choice_that_does_not_fit_is_one_sentence(cohort, score, test, choices, said):
    alone = map_symptom(cohort, score, test=test, permutations=20, cluster_p=None)
    with pytest.raises(InputError, match=said):
        map_multivariate(alone, **choices)


# 6.11: predictions.


def terms_of_volume(patients):
    """An intercept, volume and its logarithm."""
    forms = np.column_stack([np.log(patients.volumes), patients.volumes])
    return np.column_stack([np.ones(patients.size), stats.zscore(forms)])


def by_hand(found, model="ridge"):
    """Predictions by scikit-learn on patients x voxels, fold by fold."""
    patients = found.patients
    counts = patients.counts
    indices = np.flatnonzero(counts >= 5)
    rows = [np.isin(indices, patients.lesion(row)) for row in range(patients.size)]
    x = np.array(rows, float)
    terms = np.column_stack([terms_of_volume(patients), *patients.covariates.values()])
    folds = next(iter(found.schemes.values()))[0]
    predicted = np.empty(patients.size)
    for fold in range(found.choice.folds):
        train, test = folds != fold, folds == fold
        predicted[test] = _predicted(x, terms, patients.score, train, test, model)
    return predicted


def _predicted(x, terms, score, train, test, model):
    own, free = terms[train], train.sum() - terms.shape[1]
    fitted_x, *_ = np.linalg.lstsq(own, x[train], rcond=None)
    fitted_y, *_ = np.linalg.lstsq(own, score[train], rcond=None)
    a, b = x[train] - own @ fitted_x, x[test] - terms[test] @ fitted_x
    y = score[train] - own @ fitted_y
    unit = np.sqrt(np.trace(a @ a.T) / free)
    a, b = a / unit, b / unit
    errors = []
    for penalty in PENALTIES:
        guessed = np.empty(y.size)
        for left in range(y.size):
            kept = np.arange(y.size) != left
            # The terms are refitted without the patient, as the lesions are.
            rest, *_ = np.linalg.lstsq(own[kept], np.column_stack([a[kept], y[kept]]), rcond=None)
            a2, y2 = a[kept] - own[kept] @ rest[:, :-1], y[kept] - own[kept] @ rest[:, -1]
            ridge = Ridge(penalty, fit_intercept=False).fit(a2, y2)
            guessed[left] = (
                own[left] @ rest[:, -1]
                + ridge.predict((a[left] - own[left] @ rest[:, :-1])[None])[0]
            )
        errors.append(((guessed - y) ** 2).sum())
    chosen = PENALTIES[int(np.argmin(errors))]
    ridge = Ridge(chosen, fit_intercept=False).fit(a, y)
    return terms[test] @ fitted_y + ridge.predict(b)


def test_6_11_ridge_is_scikit_learns_with_all_refitted_in_each_fold(cohort):
    found = predict_symptom(
        cohort, "score", covariates=["age"], folds=3, repeats=1, permutations=0, min_lesioned=5
    )
    expected = by_hand(found)
    np.testing.assert_allclose(found.predicted["3 folds", "lesions"][0], expected, atol=1e-8)


def test_6_11_baselines_are_regressions_and_figures_are_scikit_learns(cohort):
    found = predict_symptom(cohort, "score", covariates=["age"], folds=6, repeats=3, permutations=0)
    patients, score = found.patients, found.patients.score
    volume = terms_of_volume(patients)
    both = np.column_stack([volume, *patients.covariates.values()])
    for repeat, folds in enumerate(found.schemes["6 folds"]):
        sizes = np.bincount(folds)
        assert sizes.max() - sizes.min() <= 1
        for model, x in (("volume", volume), ("volume and covariates", both)):
            expected = np.empty(score.size)
            for fold in range(6):
                train = folds != fold
                fitted = LinearRegression().fit(x[train], score[train])
                expected[~train] = fitted.predict(x[~train])
            ours = found.predicted["6 folds", model][repeat]
            np.testing.assert_allclose(ours, expected, atol=1e-9)
            measures = found.measures("6 folds", model)
            assert measures["r2"][repeat] == pytest.approx(r2_score(score, expected))
            assert measures["mae"][repeat] == pytest.approx(np.abs(score - expected).mean())
            assert measures["r"][repeat] == pytest.approx(np.corrcoef(score, expected)[0, 1])
    row = found.summary.set_index("model").loc["volume"]
    own = found.measures("6 folds", "volume")["r2"]
    assert row["r2"] == pytest.approx(own.mean())
    assert row["r2_sd"] == pytest.approx(own.std(ddof=1))


def test_6_11_a_score_of_a_place_is_predicted_beyond_volume_and_noise_is_not(cohort):
    true = predict_symptom(cohort, "score", permutations=99, repeats=3)
    noise = predict_symptom(cohort, "noise", permutations=99, repeats=3)
    scheme = "10 folds"
    assert true.measures(scheme, "lesions")["r2"].mean() > 0.2
    assert true.p(scheme) == 0.01
    gain, p = true.gain(scheme)
    assert gain > 0.05
    assert p <= 0.05
    assert noise.measures(scheme, "lesions")["r2"].mean() < 0.05
    assert noise.p(scheme) > 0.05


def test_6_11_nothing_leaks_from_patients_left_out(cohort):
    # What a fold predicts of its test patients does not change with their own scores.
    generator = np.random.default_rng(0)
    x = generator.random((40, 90)) < 0.2
    terms = np.column_stack([np.ones(40), generator.normal(size=40)])
    train, test = np.arange(30), np.arange(30, 40)
    scores = generator.normal(size=(40, 2))
    changed = scores.copy()
    changed[test] = 1e6
    for kind in (RidgeFold, SupportVectorFold):
        fold = kind(terms, train, test, (x @ x.T).astype(float))
        for before, after in zip(fold.predict(scores), fold.predict(changed), strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("score", ["noise", "coin"])
def test_6_11_permuted_scores_are_not_predicted(cohort, score):
    found = predict_symptom(cohort, score, permutations=200, repeats=2, folds=5)
    r2 = found.null["5 folds", "lesions", "r2"]
    assert r2.size == 200
    assert r2.mean() <= 0
    assert np.unique(r2).size > 150


def test_6_11_p_is_uniform_where_nothing_goes_with_the_score(tmp_path):
    masks = lesions(30, 5)
    generator = np.random.default_rng(1)
    scores = {f"score{number}": generator.normal(size=30).round(6) for number in range(60)}
    many = make_cohort(tmp_path / "masks", masks, scores)
    p, gain_p = [], []
    for name in scores:
        found = predict_symptom(many, name, permutations=39, folds=5, repeats=1)
        p.append(found.p("5 folds"))
        gain_p.append(found.gain("5 folds")[1])
    # p are multiples of 1 / 40; a uniform number below each makes them continuous.
    for values in (p, gain_p):
        spread = np.array(values) - generator.random(len(values)) / 40
        assert stats.kstest(spread, "uniform").pvalue > 0.01


def test_6_11_a_symptom_has_probabilities_with_auc_brier_and_calibration(cohort):
    found = predict_symptom(cohort, "symptom", permutations=99, repeats=2)
    scheme, score = "10 folds", found.patients.score
    assert found.is_binary
    for model, repeat in itertools.product(found.models[1:], range(2)):
        own = found.predicted[scheme, model][repeat]
        assert ((own > 0) & (own < 1)).all()
        measures = found.measures(scheme, model)
        assert measures["auc"][repeat] == pytest.approx(roc_auc_score(score, own))
        assert measures["brier"][repeat] == pytest.approx(brier_score_loss(score, own))
    assert found.measures(scheme, "lesions")["auc"].mean() > 0.7
    assert found.p(scheme) <= 0.05
    table = found.calibration
    part = table[table["model"] == "lesions"]
    assert part["patients"].sum() == score.size
    assert (part["predicted"].diff().dropna() >= 0).all()
    total = (part["observed"] * part["patients"]).sum()
    assert total == pytest.approx(score.sum())
    assert part["ci_low"].ge(-1e-12).all()
    assert part["ci_high"].le(1 + 1e-12).all()


def test_6_11_probabilities_are_those_of_a_logistic_regression():
    generator = np.random.default_rng(3)
    x = generator.normal(size=(80, 2))
    y = (x + generator.normal(size=x.shape) > 0.3).astype(float)
    new = np.linspace(-2, 2, 9)[:, None].repeat(2, axis=1)
    found = probabilities(x, y, new)
    for column in range(2):
        ones = y[:, column].sum()
        target = np.where(y[:, column] > 0, (ones + 1) / (ones + 2), 1 / (82 - ones))

        def loss(b, target=target, column=column):
            logit = b[0] + b[1] * x[:, column]
            return (np.logaddexp(0, logit) - target * logit).sum()

        b = optimize.minimize(loss, [0, 0], tol=1e-12).x
        np.testing.assert_allclose(
            found[:, column], 1 / (1 + np.exp(-b[0] - b[1] * new[:, 0])), atol=1e-5
        )
    # Predictions that go the wrong way say no more than the share of all.
    flat = probabilities(-x, y, new)
    assert np.ptp(flat, axis=0).max() == 0


def test_6_11_sites_are_left_out_whole(cohort, columns):
    found = predict_symptom(cohort, "score", sites="site", permutations=20, repeats=1)
    scheme = "one site left out"
    table = found.table[found.table["scheme"] == scheme].set_index("patient")
    sites = dict(zip((f"sub-{n:03}" for n in range(PATIENTS)), columns["site"], strict=True))
    assert table["fold"].to_dict() == sites
    x = terms_of_volume(found.patients)
    site = np.array([sites[found.patients.id(row)] for row in range(PATIENTS)])
    fitted = LinearRegression().fit(x[site != "B"], found.patients.score[site != "B"])
    ours = found.predicted[scheme, "volume"][0][site == "B"]
    np.testing.assert_allclose(ours, fitted.predict(x[site == "B"]), atol=1e-9)
    assert set(found.summary["scheme"]) == {"10 folds", scheme}


def test_6_11_log_odds_are_finite_and_firths_where_volume_tells_the_symptom():
    # Of an intercept and a group Firth's regression has a closed form: (impaired + 1/2) / (n + 1).
    group = np.repeat([0.0, 1.0], [6, 9])
    for impaired in ((0, 9), (2, 9), (3, 4)):
        score = np.zeros(15)
        score[: impaired[0]] = 1
        score[6 : 6 + impaired[1]] = 1
        basis = np.linalg.qr(np.column_stack([np.ones(15), group]))[0]
        odds = bias_reduced_log_odds(score, basis)
        share = np.array([(impaired[0] + 0.5) / 7, (impaired[1] + 0.5) / 10])
        np.testing.assert_allclose(odds, np.log(share / (1 - share)).repeat([6, 9]), atol=1e-9)


def test_6_11_a_symptom_that_volume_tells_wholly_gains_nothing_by_lesions(tmp_path, columns):
    masks = lesions(40, 9)
    volumes = np.array([mask.sum() for mask in masks])
    symptom = (volumes > np.median(volumes)).astype(int)
    told = make_cohort(tmp_path / "masks", masks, {"symptom": symptom})
    found = predict_symptom(told, "symptom", permutations=99, repeats=1)
    assert found.p("10 folds", "volume") == 0.01
    assert found.gain("10 folds")[1] > 0.05


def test_6_11_lesions_gain_nothing_where_symptoms_follow_volume_as_it_is_or_its_logarithm(tmp_path):
    generator = np.random.default_rng(12)
    masks = lesions(60, 10)
    volumes = np.array([mask.sum() for mask in masks])
    scores = {}
    for number in range(60):
        own = volumes if number % 2 else np.log(volumes)
        value = (own - own.mean()) / own.std() + generator.normal(size=60)
        is_binary = number % 4 > 1
        scores[f"score{number}"] = (value > np.median(value)) if is_binary else value
    table = {name: np.asarray(own, dtype=float).round(6) for name, own in scores.items()}
    many = make_cohort(tmp_path / "masks", masks, table)
    p = [
        predict_symptom(many, name, permutations=39, folds=5, repeats=1).gain("5 folds")[1]
        for name in scores
    ]
    # Of 60 of them 8 are beyond the 99 % quantile of those at most 0.05 by chance.
    assert sum(value <= 0.05 for value in p) <= stats.binom.ppf(0.99, 60, 0.05)


def test_6_11_a_patient_whom_a_term_singles_out_does_not_choose_the_penalty():
    # The only one of a scanner: without him, he cannot be predicted, and says nothing of others.
    generator = np.random.default_rng(0)
    x = (generator.random((40, 90)) < 0.2).astype(float)
    alone = np.zeros(40)
    alone[3] = 1
    terms = np.column_stack([np.ones(40), generator.normal(size=40)])
    scores = generator.normal(size=(40, 30)) + 2 * x[:, :1]
    train, test = np.arange(32), np.arange(32, 40)
    with_it = RidgeFold(np.column_stack([terms, alone]), train, test, x @ x.T)
    predicted, left_out, penalties = with_it.predict(scores)
    assert np.abs(left_out).max() < 100
    without = RidgeFold(terms, np.delete(train, 3), test, x @ x.T)
    expected, _, others = without.predict(scores)
    # The unit of a penalty is that of lesions without terms: it is the same fold without him.
    np.testing.assert_array_equal(penalties, others)
    np.testing.assert_allclose(predicted, expected, atol=1e-8)


def test_6_11_few_patients_have_fewer_folds(tmp_path, columns):
    few = make_cohort(
        tmp_path / "masks", lesions(14, 3), {"score": np.arange(14) % 7, "age": range(14)}
    )
    found = predict_symptom(few, "score", permutations=20, min_lesioned=3)
    assert set(found.schemes) == {"7 folds"}


def test_6_11_too_many_terms_are_one_sentence(tmp_path):
    generator = np.random.default_rng(1)
    words = {f"c{k}": generator.choice(list("abcdefghij"), 40) for k in range(4)}
    many = make_cohort(tmp_path / "masks", lesions(40, 4), {"score": range(40), **words})
    with pytest.raises(InputError, match="leave covariates out"):
        predict_symptom(many, "score", covariates=list(words), permutations=20)


def test_6_11_regions_may_stand_in_place_of_voxels(sample_data):
    sample = load_cohort(sample_data / "cohort_a")
    load = lesion_load(sample, load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz"))
    found = predict_from_regions(load, "nihss", folds=4, repeats=1, permutations=0)
    x, score = np.nan_to_num(load.of_region[found.patients.rows]), found.patients.score
    z = terms_of_volume(found.patients)
    folds = found.schemes["4 folds"][0]
    penalties = found.penalties["4 folds"]
    for fold in range(4):
        train = folds != fold
        rest = x[train] - z[train] @ np.linalg.lstsq(z[train], x[train])[0]
        unit = (rest**2).sum() / (train.sum() - z.shape[1])
        both = np.hstack([z, x])
        penalty = np.diag([0.0] * z.shape[1] + [penalties[fold] * unit] * x.shape[1])
        normal = both[train].T @ both[train] + penalty
        weights = np.linalg.solve(normal, both[train].T @ score[train])
        ours = found.predicted["4 folds", "lesions"][0][~train]
        np.testing.assert_allclose(ours, both[~train] @ weights, atol=1e-7)


def test_6_11_support_vectors_predict_too(cohort):
    found = predict_symptom(cohort, "score", model="svr", folds=4, repeats=1, permutations=20)
    assert found.measures("4 folds", "lesions")["r2"].mean() > 0
    assert found.p("4 folds") <= 2 / 21


def test_6_11_the_same_numbers_whatever_the_names(cohort, columns, tmp_path):
    names = [f"p{(7 * number) % PATIENTS:02}" for number in range(PATIENTS)]
    renamed = make_cohort(tmp_path / "masks", lesions(PATIENTS, 8), columns, names=names)
    first, second = (
        predict_symptom(one, "score", covariates=["age"], permutations=20)
        for one in (cohort, renamed)
    )
    pd.testing.assert_frame_equal(first.summary, second.summary, check_exact=True)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"score": "nothing"}, "nothing"),
        ({"score": "same"}, "numbers"),
        ({"score": "code"}, "two values"),
        ({"model": "forest"}, "ridge"),
        ({"folds": 1}, "folds"),
        ({"folds": 30}, "folds"),
        ({"repeats": 0}, "repeats"),
        ({"permutations": 5}, "permutations"),
        ({"sites": "same"}, "same"),
        ({"sites": "alone"}, "left without"),
        ({"min_lesioned": 48}, "no voxel"),
    ],
)
def test_6_11_a_choice_that_does_not_fit_is_one_sentence(cohort, choices, said):
    with pytest.raises(InputError, match=said):
        predict_symptom(cohort, **{"score": "score", "permutations": 20} | choices)


def test_6_11_progress_counts_up_and_ends_the_computation(cohort):
    seen = []
    predict_symptom(
        cohort, "score", permutations=20, repeats=2, progress=lambda *at: seen.append(at)
    )
    assert [done for done, _ in seen] == list(range(1, seen[0][1] + 1))

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled, match="stopped"):
        predict_symptom(cohort, "score", permutations=20, progress=stop)


# The commands.


def run_again(folder, script):
    subprocess.run([sys.executable, folder / script], check=True, capture_output=True, timeout=120)
    again = folder.parent / f"{folder.name}_again"
    for path in sorted(folder.iterdir()):
        if path.suffix in (".nii", ".csv"):
            assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_predict_writes_tables_and_a_script_that_makes_the_same_bits(sample_data, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["predict", str(sample_data / "cohort_a"), "--score", "nihss", "--covariates"]
    assert main([*arguments, "age", "sex", "--permutations", "99", "-o", str(out)]) == 0
    printed = capsys.readouterr()
    lines = [*printed.out.splitlines(), *printed.err.splitlines()]
    assert len(lines) <= 25
    for said in ("volume and covariates", "R²", "off by", "gain", "not show"):
        assert said in printed.out, said
    predictions = pd.read_csv(out / "predictions.csv")
    summary = pd.read_csv(out / "summary.csv").set_index("model")
    one = predictions[predictions["repeat"] == 1]
    r2 = [
        r2_score(part["nihss"], part["predicted_by_lesions"])
        for _, part in predictions.groupby("repeat")
    ]
    assert summary.loc["lesions", "r2"] == pytest.approx(np.mean(r2))
    record = json.loads((out / "provenance.json").read_text())
    assert record["counts"]["patients"] == len(one)
    assert record["counts"]["r2"] == pytest.approx(np.mean(r2))
    null = pd.read_csv(out / "null.csv")
    assert len(null) == 99
    reach = (null["r2 of lesions, 10 folds"] >= summary.loc["lesions", "r2"]).sum()
    assert summary.loc["lesions", "p"] == pytest.approx((1 + reach) / 100)
    run_again(out, "predict_script.py")


def test_lsm_maps_a_model_of_all_voxels_and_the_conjunction(sample_data, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["lsm", str(sample_data / "cohort_a"), "--score", "nihss", "--permutations", "99"]
    assert main([*arguments, "--multivariate", "ridge", "-o", str(out)]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) + len(printed.err.splitlines()) <= 25
    assert "both maps" in printed.out
    names = {path.name for path in out.iterdir()}
    keys = ("beta", "z", "corrected_p", "corrected_p_v10", "conjunction_p")
    assert {f"ridge_{key}.nii" for key in keys} <= names
    run_again(out, "lsm_script.py")
