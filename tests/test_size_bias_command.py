"""`lesion-dash size-bias`: the library's maps, the printed summary, and the provenance."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from phantoms import random_masks, write_masks

from lesion_dash import cli
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.stats.permutation import permute_volumes
from lesion_dash.stats.size_bias import STATEMENT, mean_contrast

CHOICES = ("-k", 4, "--permutations", 60, "--seed", 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_masks(tmp_path_factory.mktemp("size") / "masks", random_masks(9, seed=2))


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.mark.parametrize("side", ["larger", "two-sided"])
def test_files_hold_what_the_library_gives(folder, tmp_path, capsys, side):
    assert run("size-bias", folder, "-o", tmp_path, *CHOICES, "--side", side) == 0
    cohort = load_cohort(folder)
    means, found = mean_contrast(cohort, 4), permute_volumes(cohort, 4, 60, 3, side)
    for name, expected in (means.files | found.files).items():
        written = nib.load(tmp_path / name)
        assert written.get_data_dtype() == np.float32
        np.testing.assert_array_equal(written.get_fdata(), expected.array.astype(np.float32))
        np.testing.assert_allclose(written.affine, cohort.grid.affine)
    names = {file.name for file in tmp_path.iterdir() if not file.name.startswith(".")}
    assert names == {*means.files, *found.files, "patients.csv", "provenance.json"}
    shown = capsys.readouterr().out
    assert found.sentence in shown
    assert STATEMENT in shown
    assert f"corrected p at most 0.05: {found.significant():,} voxels" in shown
    assert f"size-weighted mean {means.weighted_mean / 1000:,.2f} mL" in shown


def test_provenance_has_every_choice_and_the_null_in_words(folder, tmp_path):
    assert run("size-bias", folder, "-o", tmp_path, *CHOICES) == 0
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["command"] == "size-bias"
    chosen = {"min_patients": 4, "permutations": 60, "seed": 3, "side": "larger"}
    assert chosen.items() <= provenance["parameters"].items()
    counts = provenance["counts"]
    found = permute_volumes(load_cohort(folder), 4, 60, 3)
    assert counts["patients"] == 9
    assert (counts["voxels_tested"], counts["patterns"]) == (found.tested, found.patterns)
    assert counts["voxels_corrected_p_at_most_0.05"] == found.significant()
    assert counts["statement"] == STATEMENT
    assert len(provenance["outputs"]) == 8


def test_a_subgroup_is_shuffled_among_itself(folder, tmp_path, capsys):
    rows = "".join(f"sub-{number:03}\t{'FM'[number % 4 == 0]}\n" for number in range(9))
    table = tmp_path / "people.tsv"
    table.write_text(f"participant_id\tsex\n{rows}")
    chosen = ("--participants", table, "--where", "sex=F", "-k", 3, "--permutations", 60)
    assert run("size-bias", folder, "-o", tmp_path / "out", *chosen) == 0
    assert "volumes shuffled among 6 patients 60 times" in capsys.readouterr().out
    women = load_cohort(folder).select([number for number in range(9) if number % 4])
    expected = permute_volumes(women, 3, 60).map("p").array.astype(np.float32)
    np.testing.assert_array_equal(nib.load(tmp_path / "out/lesion_size_p.nii").dataobj, expected)
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["parameters"]["where"] == ["sex=F"]


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (("--permutations", 5), "--permutations: 5 is below 20"),
        (("--seed", -4), "--seed: -4 is below 0"),
        (("-k", 9), "no voxel is lesioned in at least 9 patients and not in all"),
        (("--side", "large"), "'large' is not known; did you mean larger?"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_written(
    folder, tmp_path, capsys, choices, said
):
    try:
        code = run("size-bias", folder, "-o", tmp_path / "out", *choices)
    except SystemExit as left:
        code = left.code
    assert code == 2
    assert said in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.nii"))
