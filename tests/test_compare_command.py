"""`lesion-dash compare` writes what the library gives."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, random_masks, write_masks

from lesion_dash import cli
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.stats.differences import FILE_NAMES, cohort_differences


@pytest.fixture
def folders(tmp_path):
    return [
        write_masks(tmp_path / name, random_masks(many, seed))
        for name, many, seed in (("a", 6, 8), ("b", 5, 9))
    ]


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_maps_and_provenance_are_the_library_s(folders, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("compare", *folders, "-o", out, "-k", 2) == 0
    found = cohort_differences(*map(load_cohort, folders), 2)
    for key, name in FILE_NAMES.items():
        written = np.asarray(nib.load(out / name).dataobj)
        np.testing.assert_array_equal(written, getattr(found, key).array.astype(np.float32))
    written = {file.name for file in out.iterdir() if not file.name.startswith(".")}
    assert written == {*FILE_NAMES.values(), "provenance.json"}
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["command"] == "compare"
    assert provenance["parameters"]["min_patients"] == 2
    assert provenance["parameters"]["outside"] == "nan"
    assert [one["kind"] for one in provenance["inputs"]] == ["cohort", "cohort"]
    assert provenance["counts"]["voxels_mean"] == found.compared.voxels
    assert set(provenance["outputs"]) == set(FILE_NAMES.values())
    shown = capsys.readouterr().out
    assert "A: a: 6 patients\nB: b: 5 patients\n" in shown
    low, high = found.frequency.array.min(), found.frequency.array.max()
    assert f"from {low:+.1f} to {high:+.1f} percentage points" in shown
    assert f"{found.compared.voxels:,} voxels with at least 2 patients of each" in shown


def test_a_and_b_may_be_parts_of_one_folder(folders, tmp_path, capsys):
    """The women and the men of one folder, against the difference of the two as folders."""
    sexes = dict(zip([f"sub-{number:03}" for number in range(6)], "FFMFMM", strict=True))
    rows = "".join(f"{patient}\t{sex}\n" for patient, sex in sexes.items())
    (folders[0] / "participants.tsv").write_text("participant_id\tsex\n" + rows)
    out = tmp_path / "out"
    sides = ("--where-a", "sex=F", "--where-b", "sex=M")
    assert run("compare", folders[0], folders[0], *sides, "-o", out, "-k", 1) == 0
    cohort = load_cohort(folders[0])
    found = cohort_differences(cohort.select([0, 1, 3]), cohort.select([2, 4, 5]), 1)
    for key, name in FILE_NAMES.items():
        written = np.asarray(nib.load(out / name).dataobj)
        np.testing.assert_array_equal(written, getattr(found, key).array.astype(np.float32))
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["parameters"]["where_a"] == ["sex=F"]
    assert [one["used"] for one in provenance["inputs"]] == [3, 3]
    shown = capsys.readouterr().out
    assert "A: a, sex = F: 3 patients\nB: a, sex = M: 3 patients\n" in shown
    assert "in A as well" not in shown


def test_outside_may_be_zero(folders, tmp_path):
    out = tmp_path / "out"
    assert run("compare", *folders, "-o", out, "-k", 3, "--outside", "zero") == 0
    mean = np.asarray(nib.load(out / FILE_NAMES["mean"]).dataobj)
    assert np.isfinite(mean).all()


def test_where_means_are_compared_nowhere_a_warning_says_so(folders, tmp_path, capsys):
    assert run("compare", *folders, "-o", tmp_path / "out", "-k", 6) == 0
    said = capsys.readouterr().err
    assert "no voxel is lesioned in 6 patients of A and in 6 of B" in said
    assert "lower --min-patients" in said


def test_grids_that_do_not_coincide_write_nothing(folders, tmp_path, capsys):
    moved = AFFINE.copy()
    moved[1, 3] += 0.9 + 0.5
    other = write_masks(tmp_path / "moved", random_masks(4, 3), moved)
    assert run("compare", folders[0], other, "-o", tmp_path / "out") == 2
    assert "moved: is not on the grid of the other map" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_earlier_maps_are_not_replaced_unasked(folders, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("compare", *folders, "-o", out) == 0
    assert run("compare", *folders, "-o", out) == 2
    assert "already holds results" in capsys.readouterr().err
    assert run("compare", *folders, "-o", out, "--overwrite") == 0
