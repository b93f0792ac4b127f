"""A map of one sample in another, against least squares and plain counts."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from symptom_cohorts import lesions, make_cohort, regression

from lesion_dash import (
    InputError,
    find_symptom_clusters,
    map_symptom,
    replicate_symptom,
)
from lesion_dash.cli import main
from lesion_dash.core.tables import csv_bytes

PATIENTS = 60
PLACE = (2, 2, 3)


def sample(folder, seed, effect, patients=PATIENTS, shape=(6, 5, 7)):
    generator = np.random.default_rng(seed)
    masks = lesions(patients, seed, shape)
    lesioned = np.array([mask[PLACE] for mask in masks], float)
    score = effect * lesioned + generator.normal(size=patients)
    columns = {
        "score": score.round(6),
        "age": generator.normal(60, 10, patients).round(2),
        "symptom": (score > np.median(score)).astype(int),
        "site": np.array(["x", "y"])[generator.integers(0, 2, patients)],
    }
    return make_cohort(folder, masks, columns)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    return sample(folder / "a", 1, 3.0), sample(folder / "b", 2, 3.0)


@pytest.fixture(scope="module")
def clusters(samples):
    return find_symptom_clusters(map_symptom(samples[0], "score", covariates=["age"]))


@pytest.fixture(scope="module")
def replication(samples, clusters):
    return replicate_symptom(clusters, samples[1], permutations=199)


def columns_of(replication):
    patients = replication.patients
    return [patients.covariates["age"], np.log(patients.volumes)]


def lesioned_at(patients, grid, mm):
    index = grid.linear_index(grid.nearest_voxel(mm))
    return np.array([index in patients.lesion(row) for row in range(patients.size)], float)


def test_peaks_are_tested_as_a_regression_says(replication, clusters):
    patients, table = replication.patients, replication.table
    assert len(clusters) >= 1
    for row, cluster in zip(table.itertuples(), clusters, strict=True):
        assert (row.x_mm, row.y_mm, row.z_mm) == cluster.mm
        assert row.effect_a == cluster.effect
        lesioned = lesioned_at(patients, clusters.symptom_map.grid, cluster.mm)
        effect, error, t, dof = regression(patients.score, lesioned, columns_of(replication))
        assert (row.effect_b, row.t_b) == pytest.approx((effect, t))
        assert row.p_b == pytest.approx(2 * stats.t.sf(abs(t), dof))
        half = stats.t.isf(0.025, dof) * error
        assert (row.ci_low_b, row.ci_high_b) == pytest.approx((effect - half, effect + half))
        assert row.lesioned_b == lesioned.sum()
        assert row.corrected_p_b >= 1 / 200
    assert table["replicated"].iloc[0]


def test_signs_and_correlation_are_those_of_both_maps(replication, samples, clusters):
    a = clusters.symptom_map
    b = map_symptom(samples[1], "score", covariates=["age"], min_lesioned=5, permutations=20)
    common, in_a, in_b = np.intersect1d(a.indices, b.indices, return_indices=True)
    agreement = replication.agreement
    assert agreement.tested == common.size
    significant = a.corrected_p[in_a] <= 0.05
    assert agreement.is_significant
    assert agreement.voxels == significant.sum()
    same = np.sign(a.statistic[in_a]) == np.sign(b.statistic[in_b])
    assert agreement.same_sign == pytest.approx(same[significant].mean())
    # Partial correlations, of which t is a rising function.
    r = np.corrcoef(a.statistic[in_a], b.values["partial_r"][in_b])[0, 1]
    assert agreement.r == pytest.approx(r)
    assert agreement.r_p == 1 / 200


def test_b_is_predicted_by_a_alone(replication, samples, clusters):
    a, b = clusters.symptom_map.patients, replication.patients

    def terms(patients):
        volumes = patients.volumes
        age = patients.covariates["age"]
        return np.column_stack([np.ones(volumes.size), np.log(volumes), volumes / 1000, age])

    x, y = terms(a), terms(b)
    weights, *_ = np.linalg.lstsq(x[:, :3], a.score, rcond=None)
    np.testing.assert_allclose(replication.predicted["volume"], y[:, :3] @ weights, atol=1e-8)
    weights, *_ = np.linalg.lstsq(x, a.score, rcond=None)
    np.testing.assert_allclose(
        replication.predicted["volume and covariates"], y @ weights, atol=1e-8
    )
    measures = replication.measures("lesions")
    predicted = replication.predicted["lesions"]
    assert measures["r"] == pytest.approx(np.corrcoef(predicted, b.score)[0, 1])
    rest = ((b.score - predicted) ** 2).sum() / ((b.score - b.score.mean()) ** 2).sum()
    assert measures["r2"] == pytest.approx(1 - rest)
    assert measures["r2"] > replication.measures("volume")["r2"] + 0.1
    assert measures["p"] == 1 / 200


def test_what_is_only_in_a_is_not_replicated(samples, clusters, tmp_path):
    other = sample(tmp_path / "none", 7, 0.0)
    found = replicate_symptom(clusters, other, permutations=199)
    assert not found.table["replicated"].any()
    assert found.measures("lesions")["r2"] < 0.05


def test_p_of_samples_without_an_effect_are_uniform(clusters, tmp_path):
    generator = np.random.default_rng(4)
    p = []
    for number in range(40):
        other = sample(tmp_path / str(number), 100 + number, 0.0, patients=40)
        agreement = replicate_symptom(clusters, other, permutations=39).agreement
        p.append((agreement.same_sign_p, agreement.r_p))
    for values in np.array(p).T:
        # p are multiples of 1 / 40, and shares of signs have ties, which make them larger.
        spread = values - generator.random(values.size) / 40
        assert stats.kstest(spread, "uniform", alternative="greater").pvalue > 0.01


def test_the_same_whatever_the_names(samples, clusters, tmp_path):
    names = [f"z{(7 * number) % PATIENTS:03}" for number in range(PATIENTS)]
    table = samples[1].used_table
    columns = {name: table[name].tolist() for name in ("score", "age")}
    renamed = make_cohort(tmp_path / "b", lesions(PATIENTS, 2), columns, names=names)
    first, second = (replicate_symptom(clusters, b, permutations=50) for b in (samples[1], renamed))
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)
    assert first.agreement == second.agreement


def test_the_largest_of_nothing_is_never_replicated(samples, tmp_path):
    nothing = sample(tmp_path / "none", 8, 0.0)
    clusters = find_symptom_clusters(map_symptom(nothing, "score", permutations=99))
    assert not len(clusters)
    found = replicate_symptom(clusters, samples[1], permutations=99)
    assert found.table["replicated"].tolist() == [False]
    assert found.table["significant_a"].tolist() == [False]


def test_other_categories_in_b_are_not_predicted(samples, tmp_path):
    a = samples[0]
    clusters = find_symptom_clusters(map_symptom(a, "score", covariates=["site"], permutations=99))
    table = samples[1].used_table
    columns = {"score": table["score"].tolist()}
    columns["site"] = ["w" if site == "x" else site for site in table["site"]]
    other = make_cohort(tmp_path / "b", lesions(PATIENTS, 2), columns)
    found = replicate_symptom(clusters, other, permutations=20)
    assert found.predicted == {}
    assert "site has other values" in " ".join(found.notes)
    assert set(replicate_symptom(clusters, samples[1], permutations=20).predicted) == {
        "volume", "volume and covariates", "lesions",
    }  # fmt: skip


def test_peaks_with_too_few_patients_of_b_are_told(samples, clusters):
    found = replicate_symptom(clusters, samples[1], min_lesioned=30, permutations=20)
    assert found.peaks is None
    assert found.table["effect_b"].isna().all()
    assert not found.table["replicated"].any()
    assert "no peak of A is tested in B: at most" in " ".join(found.notes)


def test_what_does_not_fit_is_one_sentence(samples, clusters, tmp_path):
    a, b = samples
    with pytest.raises(InputError, match="another grid"):
        replicate_symptom(clusters, sample(tmp_path / "grid", 3, 1.0, shape=(6, 5, 8)))
    binary = find_symptom_clusters(map_symptom(a, "symptom", test="fisher", control="none"))
    with pytest.raises(InputError, match="choose ols or rank"):
        replicate_symptom(binary, b)
    bare = make_cohort(tmp_path / "bare", lesions(20, 5), {"age": list(range(20))})
    with pytest.raises(InputError, match="score"):
        replicate_symptom(clusters, bare)
    with pytest.raises(InputError, match="permutations"):
        replicate_symptom(clusters, b, permutations=5)


def test_the_command_writes_what_the_library_says(sample_data, tmp_path, capsys):
    from lesion_dash import load_cohort

    out = tmp_path / "out"
    folders = [sample_data / f"cohort_{letter}" for letter in "ab"]
    options = ["--score", "naming", "--permutations", "99", "--min-lesioned-b", "3"]
    assert main(["replicate", *map(str, folders), *options, "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    a, b = map(load_cohort, folders)
    clusters = find_symptom_clusters(map_symptom(a, "naming", permutations=99))
    expected = replicate_symptom(clusters, b, min_lesioned=3, permutations=99)
    assert (out / "replication.csv").read_bytes() == csv_bytes(expected.table)
    assert (out / "predictions.csv").read_bytes() == csv_bytes(expected.prediction_table)
    assert "replicated, corrected p" in printed
    assert f"R² {expected.measures('lesions')['r2']:.3f}" in printed
    record = json.loads((out / "provenance.json").read_text())
    assert record["counts"]["agreement"]["voxels"] == expected.agreement.voxels
