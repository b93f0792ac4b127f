"""`--where`: the commands' results are those of the library for the same patients."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from buckets import empty_bucket, upload
from phantoms import random_masks, write_masks

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.conditions import parse_conditions, restrict_cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.cohort.reading import ReadOptions
from lesion_dash.regions.load import lesion_load
from lesion_dash.stats.overlap import FILE_NAME as OVERLAP_NAME
from lesion_dash.stats.topography import FILE_NAMES, folder_stats, volume_stats

WHERE = ("sex=F", "age>=50")


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture
def study(tmp_path):
    """Two cohorts of twelve and an atlas; the table lies above both."""
    lines = ["participant_id\tsex\tage"]
    for number in range(12):
        age = "n/a" if number == 2 else 40 + 4 * number
        lines.append(f"sub-{number:03}\t{'FM'[number % 2]}\t{age}")
    (tmp_path / "participants.tsv").write_text("\n".join(lines) + "\n")
    for name, seed in (("one", 0), ("two", 9)):
        write_masks(tmp_path / name, random_masks(12, seed=seed))
    labels = np.ones((7, 9, 8), np.uint8)
    labels[:3] = 2
    write_masks(tmp_path / "atlas", [labels], names=["atlas.nii.gz"])
    return tmp_path


def options(*texts):
    return [word for text in texts for word in ("--where", text)]


def test_stats_writes_the_librarys_maps_and_who_was_left_out(study, capsys):
    out = study / "out"
    assert run("stats", study / "one", "-k", 2, "-o", out, *options(*WHERE)) == 0
    expected = volume_stats(restrict_cohort(load_cohort(study / "one"), WHERE), 2)
    for key, name in FILE_NAMES.items():
        made = np.asanyarray(nib.load(out / name).dataobj)
        assert made.tobytes() == getattr(expected, key).array.astype(np.float32).tobytes()
    table = pd.read_csv(out / "patients.csv").set_index("patient")
    assert table[table["status"] == "used"].index.tolist() == [
        "sub-004",
        "sub-006",
        "sub-008",
        "sub-010",
    ]
    reasons = table["reason"]
    assert reasons["sub-000"] == "left out, not met: age >= 50"
    assert reasons["sub-001"] == "left out, not met: age >= 50; left out, not met: sex = F"
    assert reasons["sub-002"] == "left out, value missing: age >= 50"
    shown = capsys.readouterr()
    assert "note: sex = F: 6 of 12 patients excluded" in shown.err
    assert "8 of 12 patients excluded in all" in shown.err
    assert "files skipped" not in shown.err
    assert "sub-0" not in shown.err
    assert "4 patients," in shown.out


def test_masks_behind_a_url_are_restricted_alike(study):
    pytest.importorskip("fsspec")
    where = parse_conditions(WHERE)
    (study / "one" / "participants.tsv").write_bytes((study / "participants.tsv").read_bytes())
    with empty_bucket() as bucket:
        url = upload(study / "one", bucket, "memory://bucket/study/one")
        listing, stats = folder_stats(url, 2, options=ReadOptions(where=where))
    own, expected = folder_stats(study / "one", 2, options=ReadOptions(where=where))
    assert (listing.name, listing.notes, listing.patients) == (own.name, own.notes, own.patients)
    for key, array in expected.arrays.items():
        assert stats.arrays[key].tobytes() == array.tobytes()


def test_provenance_names_the_conditions_and_each_file_with_its_reason(study):
    out = study / "out"
    assert run("stats", study / "one", "-k", 2, "-o", out, *options(*WHERE)) == 0
    content = json.loads((out / "provenance.json").read_text())
    assert content["parameters"]["where"] == [*WHERE]
    assert content["counts"]["patients"] == 4
    source = content["inputs"][0]
    assert (source["used"], source["skipped"]) == (4, 8)
    assert len(source["participants"]["sha256"]) == 64
    first, fifth = source["files"][0], source["files"][4]
    assert first["sha256"] is None
    assert first["reason"] == "left out, not met: age >= 50"
    assert fifth["status"] == "used"
    assert "reason" not in fifth


def test_overlap_restricts_both_cohorts(study, capsys):
    out = study / "out"
    atlas = study / "atlas" / "atlas.nii.gz"
    cohorts = study / "one", study / "two"
    assert run("overlap", *cohorts, "--atlas", atlas, "-k", 2, "-o", out, *options(*WHERE)) == 0
    maps = [restrict_cohort(load_cohort(folder), WHERE).at_least(2) for folder in cohorts]
    expected = np.intersect1d(maps[0].indices, maps[1].indices)
    found = nib.load(out / OVERLAP_NAME).get_fdata().ravel(order="F")
    np.testing.assert_array_equal(np.flatnonzero(found), expected)
    shown = capsys.readouterr()
    assert "A: one, age >= 50, sex = F, at least 2 patients" in shown.out
    for name in ("one", "two"):
        assert f"note: {name}: sex = F: 6 of 12 patients excluded" in shown.err
    content = json.loads((out / "provenance.json").read_text())
    assert [source.get("used") for source in content["inputs"]] == [4, 4, None]


def test_overlap_of_two_parts_of_one_folder(study):
    out, one = study / "out", study / "one"
    parts = "--where-a", "sex=F", "--where-b", "sex=M", "--where", "age>=44"
    atlas = study / "atlas" / "atlas.nii.gz"
    assert run("overlap", one, one, *parts, "--atlas", atlas, "-k", 1, "-o", out) == 0
    maps = [
        restrict_cohort(load_cohort(one), (f"sex={sex}", "age>=44")).at_least(1) for sex in "FM"
    ]
    found = nib.load(out / OVERLAP_NAME).get_fdata().ravel(order="F")
    expected = np.intersect1d(maps[0].indices, maps[1].indices)
    np.testing.assert_array_equal(np.flatnonzero(found), expected)
    parameters = json.loads((out / "provenance.json").read_text())["parameters"]
    assert (parameters["where_a"], parameters["where_b"]) == (["sex=F"], ["sex=M"])


def test_overlap_asks_nothing_of_a_single_mask(study, capsys):
    mask = min((study / "two").glob("*.nii*"))
    atlas = study / "atlas" / "atlas.nii.gz"
    out = study / "out"
    asked = "--where-b", "sex=F"
    assert run("overlap", study / "one", mask, *asked, "--atlas", atlas, "-o", out) == 2
    assert "--where-b" in capsys.readouterr().err
    assert not out.exists()


def test_overlap_uses_a_single_mask_as_it_is_and_says_so(study, capsys):
    atlas = study / "atlas" / "atlas.nii.gz"
    mask = study / "two" / "sub-001_lesion.nii.gz"
    rest = "--atlas", atlas, "-k", 2, *options("sex=F")
    assert run("overlap", study / "one", mask, *rest, "-o", study / "out") == 0
    assert "is one mask, used as it is" in capsys.readouterr().err
    assert run("overlap", mask, mask, *rest, "-o", study / "none") == 2
    assert "are no folders of masks" in capsys.readouterr().err
    assert not (study / "none").exists()


def test_load_has_a_row_for_each_patient_who_is_left(study):
    out, path = study / "out", study / "atlas" / "atlas.nii.gz"
    arguments = "--atlas", path, "--measure", "mm3", "-o", out
    assert run("load", study / "one", *arguments, *options("sex=M,missing")) == 0
    cohort = load_cohort(study / "one", where=parse_conditions(["sex=M,missing"]))
    expected = lesion_load(cohort, load_atlas(path).on_grid(cohort.grid)).wide("mm3")
    found = pd.read_csv(out / "lesion_load_mm3.csv")
    assert found["patient"].tolist() == [f"sub-{number:03}" for number in range(1, 12, 2)]
    numbers = expected.select_dtypes("number").columns
    np.testing.assert_allclose(found[numbers], expected[numbers], rtol=1e-11)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("sexe=F", "has no column 'sexe'; did you mean sex?"),
        ("sex=f", "nobody in it has sex = f; did you mean F?"),
        ("age>=200", "nobody is left: no patient of 12 meets age >= 200; age runs from 40 to 84"),
        ("age", "age: is not a condition; write"),
    ],
)
def test_a_condition_that_cannot_be_asked_is_one_sentence_and_no_result(study, capsys, text, match):
    assert run("stats", study / "one", "-o", study / "out", "--where", text) == 2
    shown = capsys.readouterr().err
    assert match in shown
    assert "internal error" not in shown
    assert not (study / "out").exists()
