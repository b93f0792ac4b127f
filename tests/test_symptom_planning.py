"""Power, resolution, regions and warnings of lesion-symptom maps."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from scipy import sparse, stats
from symptom_cohorts import lesions, make_cohort, matrix, regression

from lesion_dash import (
    InputError,
    lesion_load,
    load_atlas,
    load_cohort,
    lookalikes,
    map_symptom,
    power_map,
    region_maps,
    region_symptoms,
    resolution_map,
    table_symptoms,
)
from lesion_dash.atlas.atlas import ProbabilityAtlas
from lesion_dash.cli import main
from lesion_dash.core.tables import csv_bytes
from lesion_dash.stats.lesion_symptom.mapping import memory_needed


@pytest.fixture(scope="module")
def sample(sample_data):
    return load_cohort(sample_data / "cohort_a")


def test_6_9_power_needs_no_score_and_is_the_noncentral_t(sample):
    power = power_map(sample, d=0.9, threshold="uncorrected")
    n, size = power.values["n"].astype(float), sample.n_patients
    limit = stats.t.isf(0.025, size - 2)
    for row in range(0, power.voxels, power.voxels // 20):
        delta = 0.9 * np.sqrt(n[row] * (size - n[row]) / size)
        expected = stats.nct.sf(limit, size - 2, delta) + stats.nct.sf(limit, size - 2, -delta)
        assert abs(power.values["power"][row] - expected) < 1e-9
    corrected = power_map(sample, d=0.9, permutations=99)
    assert (corrected.values["power"] < power.values["power"]).all()
    planned = power_map(sample, d=0.9, n_total=200, threshold="uncorrected")
    assert (planned.values["power"] > power.values["power"]).all()
    with pytest.raises(InputError, match="planned"):
        power_map(sample, n_total=4)


def test_6_9_simulated_studies_find_as_many_effects_as_power_says(tmp_path):
    generator = np.random.default_rng(0)
    cohort = make_cohort(tmp_path / "masks", lesions(40, 3), {"score": range(40)})
    power = power_map(cohort, d=1.0, threshold="uncorrected")
    row = int(np.argmax(power.values["n"] == 12))
    lesion = np.array([power.indices[row] in cohort.voxels(patient) for patient in range(40)])
    limit, t = stats.t.isf(0.025, 38), []
    for _ in range(1500):
        score = generator.normal(size=40) + lesion
        t.append(stats.ttest_ind(score[lesion], score[~lesion]).statistic)
    share = (np.abs(t) > limit).mean()
    assert abs(share - power.values["power"][row]) < 4 * 0.5 / np.sqrt(1500)


def test_6_14_resolution_is_that_of_numpy_corrcoef(tmp_path):
    cohort = make_cohort(tmp_path / "masks", lesions(30, 4), {"score": range(30)})
    for r in (0.9, 0.6, 1.0):
        resolution = resolution_map(cohort, 5, r)
        x = np.array([np.isin(resolution.indices, cohort.voxels(row)) for row in range(30)], float)
        alike = np.corrcoef(x.T) >= r - 1e-9
        mm = cohort.grid.mm_of_index(resolution.indices)
        volume = alike.sum(axis=1) * cohort.grid.voxel_volume
        np.testing.assert_array_equal(resolution.values["lookalikes"], volume)
        centres = (alike @ mm) / alike.sum(axis=1)[:, None]
        shift = np.linalg.norm(centres - mm, axis=1)
        np.testing.assert_allclose(resolution.values["shift"], shift, atol=1e-9)
        for row in range(0, resolution.voxels, 23):
            mask = lookalikes(cohort, mm[row], r)
            np.testing.assert_array_equal(mask.indices, resolution.indices[alike[row]])
    with pytest.raises(InputError, match="another place"):
        lookalikes(cohort, [900, 0, 0])


@pytest.mark.parametrize("test", ["ols", "rank"])
def test_6_13_regions_are_those_of_a_regression(sample, sample_data, test):
    load = lesion_load(sample, load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz"))
    tests = region_symptoms(load, "nihss", test=test, covariates=["age"], permutations=99)
    patients = tests.patients
    score = stats.rankdata(patients.score) if test == "rank" else patients.score
    names = [region.name for region in load.atlas.regions]
    nuisance = [patients.covariates["age"], np.log(patients.volumes)]
    for row in tests.table.itertuples():
        share = load.of_region[patients.rows, names.index(row.name)]
        _, _, t, dof = regression(score, share, nuisance)
        b, error, _, _ = regression(patients.score, share, nuisance)
        half = stats.t.isf(0.025, dof) * error
        np.testing.assert_allclose(
            [row.t, row.p, row.effect, row.ci_low, row.ci_high],
            [t, 2 * stats.t.sf(abs(t), dof), b, b - half, b + half],
            rtol=1e-7,
        )
    assert set(tests.table["name"]) | set(tests.untested) == set(names)
    assert (tests.table["corrected_p"] >= tests.table["p"].clip(lower=0.01) - 0.1).all()


def test_6_13_a_table_of_anything_is_joined_by_id_and_tested_like_regions(tmp_path, sample):
    """Disconnections of the sample's patients, in another order and with other ids of theirs."""
    generator = np.random.default_rng(4)
    ids = [patient.id.removeprefix("sub-") for patient in sample.used]
    share = generator.random(len(ids)).round(3) * (generator.random(len(ids)) < 0.6)
    spared = (100 - 1e-3 * share).round(6)
    rows = [
        f"{own.upper()};{a};{b};{'left' if k % 2 else 'right'};{'' if k == 3 else a};{int(k == 5)}"
        for k, (own, a, b) in enumerate(zip(ids, share, spared, strict=True))
    ]
    path = tmp_path / "lqt.csv"
    head = "Subject;tract;spared;side;partly;rare"
    path.write_text("\n".join([head, *generator.permutation(rows[1:]), "nobody;1;1;left;1;1"]))
    tests = table_symptoms(path, sample, "nihss", permutations=99)
    assert tests.table["name"].tolist() == ["tract", "spared"]
    assert tests.patients.excluded["no row in lqt.csv"] == (sample.used[0].id,)
    assert tests.untested == ("rare",)
    for said in ("1 column of lqt.csv not tested: they hold words, such as side", "partly"):
        assert any(said in note for note in tests.notes)
    patients = tests.patients
    for name, column in (("tract", share), ("spared", spared)):
        row = tests.table.set_index("name").loc[name]
        values = column[patients.rows]
        b, _, t, dof = regression(
            patients.score, values - values.mean(), [np.log(patients.volumes)]
        )
        found = [row.t, row.p, row.effect]
        np.testing.assert_allclose(found, [t, 2 * stats.t.sf(abs(t), dof), b], rtol=1e-6)
    with pytest.raises(InputError, match="none"):
        table_symptoms(tmp_path / "none.csv", sample, "nihss")


def test_6_13_a_table_may_have_as_many_columns_as_disconnections(tmp_path, sample):
    values = np.random.default_rng(0).random((sample.n_patients, 3000)).round(3)
    rows = [
        ",".join([patient.id, *map(str, row)])
        for patient, row in zip(sample.used, values.tolist(), strict=True)
    ]
    head = ",".join(["id", *(f"edge{number}" for number in range(3000))])
    (tmp_path / "edges.csv").write_text("\n".join([head, *rows]))
    tests = table_symptoms(tmp_path / "edges.csv", sample, "nihss", permutations=20)
    assert len(tests.table) == 3000


def test_6_13_historical_controls_reach_regions_too(sample, sample_data):
    load = lesion_load(sample, load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz"))
    tests = region_symptoms(load, "nihss", control="dtlvc", permutations=20)
    patients, names = tests.patients, [region.name for region in load.atlas.regions]
    share = load.of_region[patients.rows][:, [names.index(name) for name in tests.table["name"]]]
    for r, column in zip(tests.table["partial_r"], share.T, strict=True):
        expected = np.corrcoef(patients.score, column / np.sqrt(patients.volumes))[0, 1]
        np.testing.assert_allclose(r, expected, rtol=1e-9)


# 6.15: what must be told.


def note_of(symptom_map, text: str) -> str:
    return next((note for note in symptom_map.notes if text in note), "")


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory):
    """Many patients whose score follows volume, with one value in a third of them."""
    masks = lesions(64, 3)
    volumes = np.array([mask.sum() for mask in masks], float)
    generator = np.random.default_rng(2)
    columns = {
        "follows": volumes + generator.normal(0, 20, 64).round(1),
        "floor": np.where(np.arange(64) % 3 == 0, 0, np.arange(64)),
        "size": (np.log(volumes) + generator.normal(0, 0.01, 64)).round(4),
        "far": np.r_[np.arange(63) % 9, 900],
        "few": ["" if row % 3 else row % 7 for row in range(64)],
        "age": ["89+" if row == 5 else 60 + row % 20 for row in range(64)],
    }
    return make_cohort(tmp_path_factory.mktemp("doubtful"), masks, columns)


@pytest.mark.parametrize("control", ["none", "dtlvc"])
def test_6_15_a_score_that_follows_volume_is_told(doubtful, control):
    symptom_map = map_symptom(doubtful, "follows", control=control, permutations=20)
    assert "volume" in note_of(symptom_map, "nearly every run")
    controlled = map_symptom(doubtful, "follows", permutations=20)
    assert not note_of(controlled, "nearly every run")


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"score": "floor"}, "22 of 64 patients"),
        ({"score": "far"}, "sub-063"),
        ({"score": "follows", "covariates": ["size"]}, "cannot be told apart"),
        ({"score": "size"}, "the control leaves little"),
        ({"score": "few"}, "42 patients excluded: few missing"),
        ({"score": "few"}, "below 50"),
        ({"score": "few"}, "false discovery"),
        ({"score": "follows", "covariates": ["age"]}, "89+ counts as 89"),
        ({"score": "floor", "test": "brunner-munzel", "min_lesioned": 4}, "fewer than 10"),
        ({"score": "floor", "min_lesioned": 29}, "lesioned voxels are tested"),
    ],
)
def test_6_15_what_makes_a_map_doubtful_is_told(doubtful, choices, text):
    assert note_of(map_symptom(doubtful, **choices, permutations=20), text)


def test_6_15_patients_without_a_tested_voxel_are_told(tmp_path):
    masks = lesions(60, 3)
    for number in (4, 9):
        masks[number][:] = False
        masks[number][5, 4, 6] = True
    cohort = make_cohort(tmp_path / "masks", masks, {"score": np.arange(60) % 11})
    symptom_map = map_symptom(cohort, "score", permutations=20, min_lesioned=8)
    assert (matrix(symptom_map).sum(axis=1) == 0).sum() == 2
    assert "2 patients" in note_of(symptom_map, "no lesion at any tested voxel")


def test_6_15_an_empty_lesion_has_no_log_volume(tmp_path):
    masks = lesions(60, 3)
    masks[7][:] = False
    cohort = make_cohort(tmp_path / "masks", masks, {"score": np.arange(60) % 11})
    assert "007" in note_of(map_symptom(cohort, "score", permutations=20), "empty lesion")
    assert map_symptom(cohort, "score", control="volume", permutations=20).patients.size == 60


# 6.16: memory.


def traced_peak(function) -> int:
    """Bytes that a call holds at most."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_6_16_the_memory_told_before_holds_and_more_permutations_take_no_more(tmp_path):
    masks = lesions(300, 4, (26, 26, 26))
    score = np.random.default_rng(0).integers(0, 30, 300)
    cohort = make_cohort(tmp_path / "masks", masks, {"score": score})
    map_symptom(cohort, "score", permutations=20)  # imports
    told = memory_needed(cohort)
    few, many = (
        traced_peak(lambda n=n: map_symptom(cohort, "score", permutations=n)) for n in (130, 650)
    )
    assert few <= told
    assert many <= told
    assert many <= 1.25 * few


# 6.17 and 6.18: the command.


@pytest.fixture(scope="module")
def results(tmp_path_factory, sample_data):
    folder = tmp_path_factory.mktemp("lsm") / "out"
    arguments = ["lsm", sample_data / "cohort_a", "--score", "nihss", "--covariates", "age", "sex"]
    more = ["--atlas", sample_data / "atlas" / "synthetic_atlas.nii.gz", "--permutations", "99"]
    assert main([*map(str, [*arguments, *more]), "--compare-control", "-o", str(folder)]) == 0
    return folder


def test_6_17_the_script_makes_the_same_bits(results):
    again = results.parent / "out_again"
    subprocess.run(
        [sys.executable, results / "lsm_script.py"], check=True, capture_output=True, timeout=120
    )
    for path in sorted(results.iterdir()):
        if path.suffix in (".nii", ".csv"):
            assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_6_17_files_and_provenance(results):
    names = {path.name for path in results.iterdir()}
    keys = ("statistic", "p", "corrected_p", "corrected_p_v10", "effect", "ci_low", "ci_high")
    more = ("hedges_g", "auc", "n", "power_d80", "log10_bf10")
    assert {f"{key}.nii" for key in (*keys, *more)} <= names
    tables = {"clusters.csv", "regions.csv", "null.csv", "patients.csv"}
    assert tables | {"symptom_slices.png", "scatter.png", "lsm_script.py"} <= names
    record = json.loads((results / "provenance.json").read_text())
    assert record["parameters"]["score"] == "nihss"
    # Of all maps it alone is not lesioned minus spared; where the label is too long for a header.
    assert b"spared higher" in (results / "auc.nii").read_bytes()[:352]
    used = (results / "patients.csv").read_text().count(",used,")
    assert record["counts"]["patients"] == used
    assert used + sum(record["counts"]["excluded"].values()) == 40
    null = np.genfromtxt(results / "null.csv", delimiter=",", names=True)
    assert null.size == 99
    # Statistics as in the map: with 99 permutations and the data, five reach a p of 0.05.
    assert np.sort(null["largest_1"])[-5] == pytest.approx(record["counts"]["threshold"])


@pytest.fixture
def strong(tmp_path):
    """Masks of patients whose score, or symptom, follows from a lesion at one voxel."""
    masks = lesions(40, 3)
    lesion = np.array([mask[2, 2, 3] for mask in masks])
    score = 20 * lesion + np.arange(40) % 7
    make_cohort(tmp_path / "masks", masks, {"score": score, "symptom": lesion.astype(int)})
    return tmp_path


@pytest.mark.parametrize("choices", [("score",), ("score", "--control", "none")])
def test_6_18_an_effect_that_is_given_what_its_test_is_needs_no_word(strong, capsys, choices):
    out = strong / "out"
    arguments = ["lsm", str(strong / "masks"), "--score", *choices, "--permutations", "99"]
    assert main([*arguments, "-o", str(out)]) == 0
    assert "not given" not in "".join(capsys.readouterr())
    assert b"not given" not in (out / "effect.nii").read_bytes()[:352]


@pytest.mark.parametrize(
    "choices",
    [
        ("score", "--control", "behaviour"),
        ("score", "--control", "lesion"),
        ("score", "--control", "dtlvc"),
        ("symptom", "--test", "liebermeister"),
    ],
)
def test_6_18_an_effect_that_is_not_given_what_its_test_is_says_so(strong, capsys, choices):
    out = strong / "out"
    arguments = ["lsm", str(strong / "masks"), "--score", *choices, "--permutations", "99"]
    assert main([*arguments, "-o", str(out)]) == 0
    printed = capsys.readouterr()
    said = "not given lesion volume"
    assert said in next(line for line in printed.out.splitlines() if "peak in" in line)
    assert said in printed.err
    record = json.loads((out / "provenance.json").read_text())
    assert any(said in note for note in record["counts"]["notes"])
    for name in ("effect", "ci_low", "ci_high"):
        assert said.encode() in (out / f"{name}.nii").read_bytes()[:352]


def test_6_18_the_terminal_tells_all_in_25_lines(sample_data, tmp_path, capsys):
    arguments = ["lsm", str(sample_data / "cohort_a"), "--score", "nihss", "--permutations", "99"]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    lines = [*printed.out.splitlines(), *printed.err.splitlines()]
    assert len(lines) <= 25
    text = "\n".join(lines)
    for said in (
        "patients excluded",
        "voxels",
        "log",
        "family-wise",
        "nihss",
        "not that this place",
    ):
        assert said in text, said
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 2  # nothing is replaced unasked


@pytest.mark.parametrize(("side", "sign"), [("larger", 1), ("smaller", -1)])
def test_6_18_a_one_sided_test_tells_its_own_side(sample_data, tmp_path, capsys, side, sign):
    arguments = ["lsm", str(sample_data / "cohort_a"), "--score", "nihss", "--permutations", "20"]
    assert main([*arguments, "--side", side, "-o", str(tmp_path / "out")]) == 0
    found = map_symptom(load_cohort(sample_data / "cohort_a"), "nihss", permutations=20, side=side)
    name = "t" if sign > 0 else "-t"
    largest = (sign * found.statistic).max()
    assert f"largest {name} {largest:.2f}" in capsys.readouterr().out


def test_6_18_a_missing_score_is_one_sentence(sample_data, tmp_path, capsys):
    arguments = ["lsm", str(sample_data / "cohort_a"), "--score", "nothing"]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 2
    assert "nihss" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_each_voxel_has_the_colour_of_its_likeliest_region(sample_data, kind):
    cohort = load_cohort(sample_data / "cohort_a")
    atlas = load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz").on_grid(cohort.grid)
    if kind == "probabilities":
        maps = atlas.maps.copy()
        generator = np.random.default_rng(3)
        maps.data = generator.uniform(0.3, 1, maps.data.size)
        # The second region reaches into the first, less likely or more.
        first = maps.indices[: maps.indptr[1]]
        more = np.zeros((maps.shape[0], maps.shape[1]))
        more[first, 1] = generator.uniform(0.3, 1, first.size)
        maps = sparse.csc_array(maps + sparse.csc_array(more))
        atlas = ProbabilityAtlas("likely", atlas.grid, maps, atlas.regions)
    tests = region_symptoms(lesion_load(cohort, atlas), "naming", permutations=20)
    found = region_maps(tests, atlas)
    by_name = {row["name"]: row for row in tests.table.to_dict("records")}
    dense = atlas.maps.toarray()
    expected = {}
    for voxel in np.flatnonzero(dense.any(axis=1)).tolist():
        row = by_name.get(atlas.regions[int(dense[voxel].argmax())].name)
        if row is not None:
            expected[voxel] = row
    assert found.indices.tolist() == sorted(expected)
    for key in ("t", "effect", "corrected_p"):
        values = [expected[voxel][key] for voxel in found.indices.tolist()]
        np.testing.assert_array_equal(found.values[f"region_{key}"], values)
    assert len(by_name) < len(atlas.regions)  # some are not tested, and have no colour


def test_columns_of_a_table_are_tested_by_the_command_as_by_the_library(
    sample_data, tmp_path, capsys
):
    cohort = load_cohort(sample_data / "cohort_a")
    generator = np.random.default_rng(6)
    table = tmp_path / "tracts.csv"
    lesioned = np.array([cohort.voxels(row).size for row in range(cohort.n_patients)])
    rows = [
        f"{patient.id},{size % 7},{value:.4f}"
        for patient, size, value in zip(
            cohort.used, lesioned, generator.normal(size=lesioned.size), strict=True
        )
    ]
    table.write_text("\n".join(["participant_id,fornix,arcuate", *rows]) + "\n")
    expected = table_symptoms(table, cohort, "naming", permutations=60)
    out = tmp_path / "out"
    options = ["--score", "naming", "--features", str(table), "--permutations", "60"]
    assert main(["lsm", str(sample_data / "cohort_a"), *options, "-o", str(out)]) == 0
    assert (out / "features.csv").read_bytes() == csv_bytes(expected.table)
    assert (out / "features.png").read_bytes().startswith(b"\x89PNG")
    assert "of 2 with corrected p" in capsys.readouterr().out
    record = json.loads((out / "provenance.json").read_text())
    assert [own["kind"] for own in record["inputs"]].count("features") == 1
    assert main(["lsm", str(sample_data / "cohort_a"), *options, "--test", "welch", "-o", "x"]) == 2
    assert "ols or rank" in capsys.readouterr().err
