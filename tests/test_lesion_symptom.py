"""Lesion-symptom maps against loops over scipy and numpy, voxel by voxel.

The numbers in names are those of the criteria in docs/symptoms.md.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage, stats
from symptom_cohorts import SHAPE, lesions, make_cohort, matrix, regression

from lesion_dash import InputError, find_symptom_clusters, map_symptom
from lesion_dash.rois import contrast_scores
from lesion_dash.stats.lesion_symptom.design import permuted_orders
from lesion_dash.stats.lesion_symptom.families import TestChoice, design_of
from lesion_dash.stats.lesion_symptom.logistic import make_logistic_design


@pytest.fixture(scope="module")
def columns():
    generator = np.random.default_rng(5)
    return {
        "score": generator.integers(0, 12, 40),
        "impaired": generator.integers(0, 2, 40),
        "age": generator.normal(60, 10, 40).round(1),
        "site": np.where(generator.random(40) < 0.5, "A", "B"),
        "constant": np.ones(40, int),
        "twice": np.zeros(40),
        "own": [f"S{number}" for number in range(40)],
        "half": np.where(np.arange(40) < 3, [f"S{number}" for number in range(40)], "T"),
        "many": [f"L{number % 30:02}" for number in range(40)],
        "tiny": [f"{number}e-200" for number in range(40)],
        "infinite": ["inf", *range(39)],
        "missing": [""] * 40,
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory, columns):
    columns["twice"] = 2 * columns["age"] + 1
    columns["later"] = [f"{10**12 + value}" for value in columns["score"]]
    columns["date"] = [f"{1.6e9 + value:.1f}" for value in columns["age"]]
    return make_cohort(tmp_path_factory.mktemp("cohort"), lesions(40, 3), columns)


def close(a, b, rtol=1e-9):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-10)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"score": "nothing"}, "nothing"),
        ({"score": "site"}, "numbers"),
        ({"score": "constant"}, "all patients"),
        ({"score": "impaired"}, "liebermeister"),
        ({"score": "score", "test": "liebermeister"}, "ols"),
        ({"score": "score", "test": "anova"}, "ols"),
        ({"score": "score", "control": "size"}, "log-volume"),
        ({"score": "score", "side": "left"}, "two-sided"),
        ({"score": "score", "covariates": ["age", "twice"]}, "twice"),
        ({"score": "score", "covariates": ["constant"]}, "constant"),
        ({"score": "score", "covariates": ["score"]}, "score"),
        ({"score": "score", "permutations": 3}, "20"),
        ({"score": "score", "min_lesioned": 30}, "lesioned"),
        ({"score": "score", "cluster_p": 0.0}, "0.001"),
        ({"score": "score", "v_mm3": [0.0]}, "above 0"),
        ({"score": "score", "v_mm3": [np.inf]}, "above 0"),
        ({"score": "missing"}, "0 of 40"),
        ({"score": "infinite"}, "'inf'"),
        ({"score": "tiny"}, "another unit"),
        ({"score": "score", "covariates": ["many"]}, "at most 12"),
        ({"score": "score", "blocks": "own"}, "40 patients"),
        ({"score": "score", "test": "welch", "control": "dtlvc"}, "linear tests"),
        ({"score": "impaired", "test": "fisher", "control": "lesion"}, "linear tests"),
    ],
)
def test_6_1_a_choice_that_does_not_fit_is_one_sentence(cohort, choices, said):
    with pytest.raises(InputError, match=said):
        map_symptom(cohort, **choices)


def test_6_2_statistics_and_effects_are_those_of_scipy(cohort):
    found = map_symptom(cohort, "score", control="none", permutations=20)
    ranked = map_symptom(cohort, "score", control="none", test="rank", permutations=20)
    unequal = map_symptom(cohort, "score", control="none", test="welch", permutations=20)
    score, ranks = found.patients.score, stats.rankdata(found.patients.score)
    for column, lesion in enumerate(matrix(found).T):
        a, b = score[lesion > 0], score[lesion == 0]
        student = stats.ttest_ind(a, b)
        interval = student.confidence_interval()
        pooled = np.sqrt(
            ((a.size - 1) * a.var(ddof=1) + (b.size - 1) * b.var(ddof=1)) / (score.size - 2)
        )
        d = (a.mean() - b.mean()) / pooled
        expected = {
            "statistic": student.statistic,
            "p": student.pvalue,
            "effect": a.mean() - b.mean(),
            "ci_low": interval.low,
            "ci_high": interval.high,
            "hedges_g": d * (1 - 3 / (4 * (score.size - 2) - 1)),
            "auc": 1 - stats.mannwhitneyu(a, b).statistic / (a.size * b.size),
            "partial_r": np.corrcoef(score, lesion)[0, 1],
            "n": a.size,
        }
        for key, value in expected.items():
            close(found.values[key][column], value)
        rank_t = stats.ttest_ind(ranks[lesion > 0], ranks[lesion == 0]).statistic
        close(ranked.statistic[column], rank_t)
        welch = stats.ttest_ind(a, b, equal_var=False)
        close([unequal.statistic[column], unequal.p[column]], [welch.statistic, welch.pvalue])
        close(unequal.values["ci_low"][column], welch.confidence_interval().low)


@pytest.mark.parametrize("tied", [True, False])
def test_6_2_brunner_and_munzel_is_that_of_scipy(tmp_path, tied):
    generator = np.random.default_rng(8)
    score = generator.integers(0, 5, 40) if tied else generator.normal(size=40)
    cohort = make_cohort(tmp_path / "masks", lesions(40, 9), {"score": score})
    found = map_symptom(
        cohort, "score", test="brunner-munzel", control="none", permutations=20, min_lesioned=5
    )
    for column, lesion in enumerate(matrix(found).T):
        a, b = found.patients.score[lesion > 0], found.patients.score[lesion == 0]
        expected = stats.brunnermunzel(b, a)
        close(found.statistic[column], expected.statistic)
        close(found.p[column], expected.pvalue)


def test_6_2_separated_groups_have_a_finite_statistic_and_no_warning(tmp_path):
    masks = [np.zeros(SHAPE, bool) for _ in range(16)]
    for number, mask in enumerate(masks):
        mask[0, 0, 0] = number < 8
        mask[3, 3, 3 + number % 2] = True
    scores = np.r_[np.arange(8) + 20, np.arange(8)]
    cohort = make_cohort(tmp_path / "masks", masks, {"score": scores})
    for test in ("ols", "welch", "rank", "brunner-munzel"):
        found = map_symptom(
            cohort, "score", test=test, control="none", permutations=20, min_lesioned=5
        )
        assert np.isfinite(found.statistic).all()
        assert found.statistic[0] == found.statistic.max() > 0


@pytest.mark.parametrize("test", ["fisher", "liebermeister"])
def test_6_2_binary_scores_are_exact(cohort, test):
    found = map_symptom(cohort, "impaired", test=test, control="none", permutations=20)
    score = found.patients.score
    size, impaired = score.size, int(score.sum())
    for column, lesion in enumerate(matrix(found).T):
        n, a = int(lesion.sum()), int(lesion @ score)
        table = [[a, n - a], [impaired - a, size - n - impaired + a]]
        if test == "fisher":
            expected = stats.fisher_exact(table).pvalue
        else:
            wider = stats.hypergeom(size + 2, impaired + 1, n + 1)
            expected = min(1.0, 2 * min(wider.sf(a), wider.cdf(a)))
        close(found.p[column], expected)
        close(found.effect[column], a / n - (impaired - a) / (size - n))


@pytest.mark.parametrize("test", ["ols", "rank", "welch", "brunner-munzel"])
def test_6_2_numbers_far_from_0_lose_no_digit(cohort, test):
    def found(score, covariate):
        chosen = {"test": test, "covariates": [covariate], "min_lesioned": 5}
        return map_symptom(cohort, score, **chosen, permutations=20)

    near, far = found("score", "age"), found("later", "date")
    close(near.statistic, far.statistic, 1e-5)  # dates have seven digits of age
    np.testing.assert_array_equal(near.corrected_p, far.corrected_p)


def test_6_2_what_no_test_can_say_is_left_out_or_finite(tmp_path):
    """A score that follows from lesion and covariate, and groups in which it does not vary."""
    masks = lesions(40, 3)
    lesion = np.array([mask[2, 2, 3] for mask in masks]).astype(int)
    age = np.random.default_rng(0).integers(40, 80, 40)
    columns = {"age": age, "sum": 5 * lesion + age, "steps": 10**9 * lesion + np.arange(40) % 2}
    cohort = make_cohort(tmp_path / "masks", masks, columns)
    exact = map_symptom(cohort, "sum", covariates=["age"], control="none", permutations=20)
    steps = map_symptom(cohort, "steps", test="welch", control="none", permutations=20)
    for found in (exact, steps):
        assert all(np.isfinite(found.values[quantity.key]).all() for quantity in found.quantities)
    assert exact.statistic.max() > 1e6
    assert exact.tested == steps.tested + 1
    assert any("do not vary" in note for note in steps.notes)


@pytest.mark.parametrize("patients", [6, 7])
def test_6_2_few_patients_and_many_covariates_end_in_a_sentence(tmp_path, patients):
    columns = {"score": np.arange(patients) ** 2, "age": [3, 1, 4, 1, 5, 9, 2][:patients]}
    columns["site"] = list("AABBCCC")[:patients]
    cohort = make_cohort(tmp_path / "masks", lesions(patients, 5), columns)
    assert map_symptom(cohort, "score", min_lesioned=2, covariates=["age"], permutations=20).tested
    if patients == 6:
        with pytest.raises(InputError, match="6 patients are too few for 4"):
            map_symptom(cohort, "score", min_lesioned=2, covariates=["age", "site"])


def test_6_2_a_grid_of_one_voxel(tmp_path):
    masks = [np.full((1, 1, 1), number % 2 == 1) for number in range(20)]
    cohort = make_cohort(tmp_path / "masks", masks, {"score": np.arange(20)})
    assert map_symptom(cohort, "score", control="none", permutations=20).tested == 1
    with pytest.raises(InputError, match="no voxel can be tested"):
        map_symptom(cohort, "score", control="volume", permutations=20)


def test_6_2_liebermeister_gives_the_published_example():
    from lesion_dash.stats.lesion_symptom.univariate import binary_tails

    assert round(float(binary_tails(31, 15, "liebermeister", np.array([6]))[0][6, 5]), 4) == 0.0345
    assert round(float(binary_tails(31, 15, "fisher", np.array([6]))[0][6, 5]), 4) == 0.0721


def test_6_3_without_covariates_it_is_the_contrast_of_scores(cohort):
    found = map_symptom(cohort, "score", control="none", permutations=20, min_lesioned=5)
    contrast = contrast_scores(cohort, "score", min_lesioned=5)
    np.testing.assert_array_equal(found.indices, contrast.indices)
    close(found.statistic, contrast.statistic)
    close(found.p, contrast.p)


@pytest.mark.parametrize("control", ["log-volume", "volume", "none"])
def test_6_3_covariates_are_those_of_a_regression(cohort, control):
    found = map_symptom(
        cohort, "score", covariates=["age", "site"], control=control, permutations=20
    )
    ranked = map_symptom(
        cohort, "score", test="rank", covariates=["age", "site"], control=control, permutations=20
    )
    patients = found.patients
    volume = {"log-volume": [np.log(patients.volumes)], "volume": [patients.volumes]}
    covariates = [*patients.covariates.values(), *volume.get(control, [])]
    for column, lesion in enumerate(matrix(found).T):
        b, error, t, dof = regression(patients.score, lesion, covariates)
        half = stats.t.isf(0.025, dof) * error
        keys = ("statistic", "effect", "ci_low", "ci_high")
        close([found.values[key][column] for key in keys], [t, b, b - half, b + half], 1e-8)
        close(found.p[column], 2 * stats.t.sf(abs(t), dof), 1e-8)
        ranks = stats.rankdata(patients.score)
        close(ranked.statistic[column], regression(ranks, lesion, covariates)[2], 1e-8)


def test_6_3_the_controls_of_papers_are_correlations_of_residuals(cohort):
    maps = {
        control: map_symptom(cohort, "score", control=control, permutations=20)
        for control in ("behaviour", "lesion", "dtlvc")
    }
    patients = maps["dtlvc"].patients
    volumes, score = patients.volumes, patients.score
    basis = np.column_stack([np.ones(score.size), volumes])

    def residuals(values):
        return values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]

    for column, lesion in enumerate(matrix(maps["dtlvc"]).T):
        expected = {
            "behaviour": np.corrcoef(residuals(score), lesion)[0, 1],
            "lesion": np.corrcoef(score, residuals(lesion))[0, 1],
            "dtlvc": np.corrcoef(score, lesion / np.sqrt(volumes))[0, 1],
        }
        for control, r in expected.items():
            close(maps[control].values["partial_r"][column], r, 1e-8)


def test_6_4_permutations_with_covariates_refit_the_whole_model(cohort):
    found = map_symptom(cohort, "score", covariates=["age"], permutations=20, seed=3)
    patients = found.patients
    nuisance = np.column_stack(
        [np.ones(patients.size), patients.covariates["age"], np.log(patients.volumes)]
    )
    fit = nuisance @ np.linalg.lstsq(nuisance, patients.score, rcond=None)[0]
    orders = next(permuted_orders(patients.blocks, 20, 3, 20))
    x = matrix(found)
    for number in range(5):
        shuffled = fit + (patients.score - fit)[orders[:, number]]
        t = [regression(shuffled, lesion, nuisance.T[1:])[2] for lesion in x.T]
        largest = np.abs(t).max()
        r = found.null.largest[1][number]
        close(r * np.sqrt(found.prepared.dof / (1 - r**2)), largest)


def test_6_4_scores_are_exchanged_within_blocks_only(cohort, columns):
    found = map_symptom(cohort, "score", blocks="site", permutations=20)
    for orders in permuted_orders(found.patients.blocks, 20, 0, 7):
        np.testing.assert_array_equal(
            found.patients.blocks[orders], found.patients.blocks[:, None] + 0 * orders
        )


def test_6_4_draws_of_a_binary_score_keep_the_number_in_each_block(cohort):
    found = map_symptom(cohort, "impaired", test="liebermeister", blocks="half", permutations=20)
    assert any("3 patients are alone" in note for note in found.notes)
    patients, basis = found.patients, np.ones((40, 1)) / np.sqrt(40)
    design = make_logistic_design(patients, {}, basis)
    (scores,) = design.permuted(50, 0, 50)
    impaired = (scores > scores.mean(axis=0)).astype(int)
    for block in np.unique(patients.blocks):
        own = patients.blocks == block
        assert (impaired[own].sum(axis=0) == patients.score[own].sum()).all()
    assert (impaired[:, 1:] != impaired[:, :1]).any()


def test_6_5_names_and_order_of_rows_change_no_bit(tmp_path, cohort, columns):
    masks = lesions(40, 3)
    shuffled = np.random.default_rng(1).permutation(40)
    names = [f"sub-z{(7 * number) % 40:02}" for number in range(40)]
    other = make_cohort(tmp_path / "masks", masks, columns, order=shuffled, names=names)
    a, b = (
        map_symptom(one, "score", covariates=["age"], permutations=40) for one in (cohort, other)
    )
    for key in ("statistic", "p", "corrected_p", "effect", "power_d80"):
        np.testing.assert_array_equal(a.values[key], b.values[key])
    np.testing.assert_array_equal(a.null.largest[1], b.null.largest[1])
    np.testing.assert_array_equal(a.null.cluster, b.null.cluster)


@pytest.mark.parametrize("test", ["ols", "rank", "welch", "fisher"])
def test_6_5_permutations_are_those_of_a_full_enumeration(tmp_path, test):
    """Eight patients with two or three scores: all orders give few maxima, each met exactly."""
    masks = lesions(8, 20)
    score = [0, 0, 0, 0, 1, 1, 1, 1] if test == "fisher" else [0, 0, 0, 0, 1, 1, 1, 2]
    cohort = make_cohort(tmp_path / "masks", masks, {"score": score})
    found = map_symptom(
        cohort, "score", test=test, control="none", permutations=3000, min_lesioned=3
    )
    x, values = matrix(found), sorted(found.patients.score.tolist())
    maxima = []
    for arrangement in set(itertools.permutations(values)):
        y = np.array(arrangement)
        a, b = ([y[lesion == group] for lesion in x.T] for group in (1, 0))
        if test == "fisher":
            largest = max(_fisher_z(one, two) for one, two in zip(a, b, strict=True))
        elif test == "welch":
            largest = max(_welch_t(one, two) for one, two in zip(a, b, strict=True))
        else:
            y = stats.rankdata(y) if test == "rank" else y
            largest = max(abs(np.corrcoef(y, lesion)[0, 1]) for lesion in x.T)
        maxima.append(largest)
    maxima = np.array(maxima)
    distinct = np.unique(maxima.round(9))
    null = found.null.largest[1]
    assert np.isin(null.round(9), distinct).all()
    share = (maxima >= np.quantile(maxima, 0.8) - 1e-9).mean()
    observed = (null >= np.quantile(maxima, 0.8) - 1e-9).mean()
    assert abs(observed - share) < 4.5 * np.sqrt(share * (1 - share) / null.size) + 1e-12


def _welch_t(a, b):
    spread = a.var(ddof=1) / a.size + b.var(ddof=1) / b.size
    return abs(a.mean() - b.mean()) / np.sqrt(spread) if spread > 0 else 0.0


def _fisher_z(a, b):
    distribution = stats.hypergeom(a.size + b.size, int(a.sum() + b.sum()), a.size)
    return max(0.0, stats.norm.isf(min(distribution.sf(a.sum() - 1), distribution.cdf(a.sum()))))


def test_6_6_single_precision_never_changes_a_p(tmp_path):
    """Random cohorts against a plain loop in double precision: every corrected p is equal."""
    generator = np.random.default_rng(0)
    masks = lesions(24, 1)
    base = make_cohort(tmp_path / "masks", masks, {"score": np.arange(24)})
    for trial in range(60):
        score = generator.integers(0, 4, 24) if trial % 2 else generator.normal(size=24)
        table = replace(
            base.participants,
            rows={f"{row:03}": (repr(value.item()),) for row, value in enumerate(score)},
        )
        cohort = replace(base, participants=table)
        found = map_symptom(cohort, "score", permutations=60, seed=trial, min_lesioned=4)
        patients, x = found.patients, matrix(found)
        q, _ = np.linalg.qr(np.column_stack([np.ones(24), np.log(patients.volumes)]))
        norms = np.linalg.norm(x - q @ (q.T @ x), axis=0)

        def correlations(values, q=q, x=x, norms=norms):
            values = values - q @ (q.T @ values)
            return np.abs(x.T @ (values / np.linalg.norm(values))) / norms

        residuals = patients.score - q @ (q.T @ patients.score)
        orders = next(permuted_orders(patients.blocks, 60, trial, 60))
        largest = np.array([correlations(residuals[order]).max() for order in orders.T])
        observed = correlations(residuals)
        reached = (largest[:, None] >= observed * (1 - 1e-12)).sum(axis=0)
        np.testing.assert_array_equal(found.corrected_p, (1 + reached) / 61)


@pytest.mark.parametrize("side", ["two-sided", "larger", "smaller"])
@pytest.mark.parametrize("test", ["welch", "brunner-munzel", "liebermeister"])
def test_6_6_nor_do_the_bounds_of_other_tests(tmp_path, test, side):
    """Largest and 20th largest of all voxels against scipy's, with ties and with outliers."""
    generator = np.random.default_rng(3)
    columns = {"tied": generator.integers(0, 4, 24), "far": np.exp(4 * generator.normal(size=24))}
    if test == "liebermeister":
        columns = {"binary": generator.integers(0, 2, 24)}
    cohort = make_cohort(tmp_path / "masks", lesions(24, 6), columns)
    volume = cohort.grid.voxel_volume
    chosen = {"test": test, "side": side, "control": "none", "v_mm3": [volume, 20 * volume]}
    for name in columns:
        found = map_symptom(cohort, name, **chosen, permutations=20, min_lesioned=6)
        patterns, voxels = np.unique(matrix(found) > 0, axis=1, return_counts=True)
        for number, order in enumerate(next(permuted_orders(np.zeros(24, int), 20, 0, 20)).T):
            score = found.patients.score[order]
            values = [_two_sample(test, score[one], score[~one]) for one in patterns.T]
            heights = {"two-sided": np.abs, "larger": np.asarray, "smaller": np.negative}[side]
            ordered = np.sort(np.repeat(heights(values), voxels))[::-1]
            for v in (1, 20):
                close(found.null.largest[v][number], ordered[v - 1])


def _two_sample(test, a, b):
    if test == "liebermeister":
        wider = stats.hypergeom(a.size + b.size + 2, int(a.sum() + b.sum()) + 1, a.size + 1)
        right, left = wider.sf(a.sum()), wider.cdf(a.sum())
        return stats.norm.isf(right) if right < left else -stats.norm.isf(left)
    if test == "welch":
        return stats.ttest_ind(a, b, equal_var=False).statistic
    return stats.brunnermunzel(b, a).statistic


@pytest.mark.parametrize(("control", "near"), [("none", 0.05), ("dtlvc", None)])
def test_6_6_nor_where_a_norm_is_small(tmp_path, control, near):
    """A covariate that nearly is a lesion column, and weights of very different lesions."""
    generator = np.random.default_rng(0)
    masks = lesions(40, 1, (12, 10, 9))
    lesion = np.array([mask[5, 5, 4] for mask in masks])
    columns = {"score": generator.normal(size=40)}
    columns["like"] = lesion + (near or 1.0) * generator.normal(size=40)
    cohort = make_cohort(tmp_path / "masks", masks, columns)
    covariates = ["like"] if near else []
    found = map_symptom(cohort, "score", covariates=covariates, control=control, permutations=100)
    patterns = found.prepared.patterns
    design = design_of(found.patients, TestChoice("ols", control, "two-sided", 0.001))
    products = patterns.members @ np.hstack(list(design.permuted(100, 0, 100)))
    largest = np.abs(products / design.norms(patterns)[:, None]).max(axis=0)
    close(found.null.largest[1], largest)


@pytest.mark.parametrize("side", ["two-sided", "larger", "smaller"])
def test_6_7_and_6_8_corrections_are_those_of_whole_images(cohort, side):
    volume = cohort.grid.voxel_volume
    v_mm3 = [volume, 5 * volume, 30 * volume]
    found = map_symptom(
        cohort, "score", permutations=20, v_mm3=v_mm3, cluster_p=0.1, side=side, control="none"
    )
    x, score = matrix(found), found.patients.score
    signed = {"two-sided": np.abs, "larger": lambda r: r, "smaller": np.negative}[side]
    orders = next(permuted_orders(found.patients.blocks, 20, 0, 20))
    forming = stats.t.isf(0.05 if side == "two-sided" else 0.1, score.size - 2)
    for number, order in enumerate(orders.T):
        r = np.array([np.corrcoef(score[order], lesion)[0, 1] for lesion in x.T])
        ordered = np.sort(signed(r))[::-1]
        for v in (1, 5, 30):
            close(found.null.largest[v][number], ordered[v - 1])
        t = r * np.sqrt((score.size - 2) / (1 - r**2))
        sizes = [0]
        for sign in (1, -1):
            image = np.zeros(found.grid.size, bool)
            image[found.indices] = (signed(t) >= forming) & (sign * t > 0)
            labels, _ = ndimage.label(
                image.reshape(found.grid.shape, order="F"), np.ones((3, 3, 3))
            )
            sizes += np.bincount(labels.ravel())[1:].tolist()
        assert found.null.cluster[number] == max(sizes)


def test_6_7_maps_hold_nothing_outside_and_p_have_their_bounds(cohort):
    volume = cohort.grid.voxel_volume
    found = map_symptom(cohort, "score", permutations=40, v_mm3=[volume, 4 * volume, 20 * volume])
    outside = np.setdiff1d(np.arange(found.grid.size), found.indices)
    for quantity in found.quantities:
        flat = found.map(quantity.key).array.ravel(order="F")
        assert np.isnan(flat[outside]).all()
        assert np.isfinite(flat[found.indices]).all()
        assert quantity.meaning
    assert found.corrected_p.min() >= 1 / 41
    first, second, third = (found.values[f"corrected_p_v{v:g}"] for v in found.v_mm3)
    np.testing.assert_array_equal(first, found.corrected_p)
    assert (second <= first).all()
    assert (third <= second).all()
    chosen = found.select(found.values["n"] > 8)
    assert chosen.tested == found.tested
    np.testing.assert_array_equal(chosen.corrected_p, found.corrected_p[found.values["n"] > 8])
    loose = replace(found, prepared=replace(found.prepared, forming=0.1))
    part = loose.select(loose.indices >= np.median(loose.indices))
    rows = {row.mm: row.statistic for row in find_symptom_clusters(part, level=1.0)}
    assert rows
    assert all(statistic == part.statistic[part.row_at(mm)] for mm, statistic in rows.items())


def test_6_9_the_detectable_effect_is_a_root_of_the_noncentral_t(cohort):
    found = map_symptom(cohort, "score", control="none", permutations=99)
    dof, threshold = found.prepared.dof, found.threshold()
    for row in range(0, found.voxels, 37):
        n = int(found.n[row])
        delta = found.values["power_d80"][row] * np.sqrt(n * (40 - n) / 40)
        power = stats.nct.sf(threshold, dof, delta) + stats.nct.sf(threshold, dof, -delta)
        assert abs(power - 0.8) < 1e-9
    order = np.argsort(np.minimum(found.n, 40 - found.n))
    assert (np.diff(found.values["power_d80"][order]) <= 1e-12).all()


def test_6_10_the_bayes_factor_is_that_of_quadrature():
    from scipy.integrate import quad

    from lesion_dash.stats.lesion_symptom.effects import log10_bayes_factor

    def expected(t, n, dof):
        def integrand(log_g):
            g = np.exp(log_g)
            marginal = (1 + n * g) ** -0.5 * (1 + t**2 / ((1 + n * g) * dof)) ** (-(dof + 1) / 2)
            prior = np.sqrt(0.5) / np.sqrt(2 * np.pi) * g**-1.5 * np.exp(-0.25 / g)
            return marginal * prior * g / (1 + t**2 / dof) ** (-(dof + 1) / 2)

        return np.log10(quad(integrand, -8, 60, limit=500, points=[-2, 0, 2, 6])[0])

    for t, n, dof in itertools.product((0, 0.5, -3, 12, 40), (2, 30, 400), (20, 1000)):
        assert abs(float(log10_bayes_factor(t, np.sqrt(n), dof)) - expected(t, n, dof)) < 1e-6
