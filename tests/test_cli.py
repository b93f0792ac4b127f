"""The command line: files, sentences and exit codes."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from phantoms import brute_force, random_masks, write_masks

from lesion_dash import __version__, cli
from lesion_dash.stats.overlap import FILE_NAME as OVERLAP_NAME
from lesion_dash.stats.topography import FILE_NAMES


@pytest.fixture
def folder(tmp_path):
    return write_masks(tmp_path / "masks", random_masks(12))


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_stats_writes_the_maps_that_brute_force_gives(folder, tmp_path):
    out = tmp_path / "out"
    assert run("stats", folder, "-o", out, "--min-patients", 3) == 0
    expected = brute_force(random_masks(12), 3, 8.0)
    for key, name in FILE_NAMES.items():
        made = nib.load(out / name)
        assert made.get_data_dtype() == np.float32
        np.testing.assert_allclose(made.get_fdata(), expected[key].astype(np.float32), rtol=2e-7)


def test_stats_writes_patients_and_provenance(folder, tmp_path):
    (folder / "sub-bad.nii").write_bytes(b"broken")
    out = tmp_path / "out"
    assert run("stats", folder, "-o", out, "--std", "sample", "--outside", "nan") == 0
    table = pd.read_csv(out / "patients.csv")
    assert list(table) == ["patient", "file", "status", "reason", "voxels", "volume_mm3"]
    assert (table["status"] == "used").sum() == 12
    assert "header incomplete" in table.set_index("patient").loc["sub-bad", "reason"]
    provenance = json.loads((out / "provenance.json").read_text())
    assert provenance["software"]["lesion-dash"] == __version__
    assert provenance["parameters"]["std"] == "sample"
    assert provenance["counts"]["patients"] == 12
    assert len([f for f in provenance["inputs"][0]["files"] if f["sha256"]]) == 12


def test_overlap_of_two_folders_and_of_files(folder, tmp_path, capsys):
    other = write_masks(tmp_path / "other", random_masks(12, seed=9))
    labels = np.ones((7, 9, 8), np.uint8)
    labels[:3] = 2
    atlas = write_masks(tmp_path / "atlas", [labels], names=["atlas.nii.gz"]) / "atlas.nii.gz"
    out = tmp_path / "out"
    arguments = ("overlap", folder, other, "--atlas", atlas, "--min-patients", 4, "-o", out)
    assert run(*arguments) == 0
    a, b = (np.sum(random_masks(12, seed=seed), axis=0) >= 4 for seed in (0, 9))
    np.testing.assert_array_equal(nib.load(out / OVERLAP_NAME).get_fdata() > 0, a & b)
    counts = pd.read_csv(out / "region_counts.csv")
    assert counts["voxels"].sum() == (a & b).sum()
    shown = capsys.readouterr().out
    assert "outside the atlas" in shown
    assert (
        json.loads((out / "provenance.json").read_text())["counts"]["voxels_either"]
        == (a | b).sum()
    )
    one, two = folder / "sub-000_lesion.nii.gz", folder / "sub-001_lesion.nii.gz"
    assert run("overlap", one, two, "--atlas", atlas, "-o", tmp_path / "two") == 0


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["stats", "{tmp}/nowhere", "-o", "{tmp}/o"], "folder not found"),
        (["stats", "{tmp}/masks", "-o", "{tmp}/masks/sub-000_lesion.nii.gz"], "not a folder"),
        (
            ["overlap", "{tmp}/masks", "{tmp}/masks", "--atlas", "{tmp}/a.nii", "-o", "{tmp}/o"],
            "not found",
        ),
    ],
)
def test_an_error_is_one_sentence_and_exit_code_2(folder, tmp_path, capsys, arguments, match):
    assert run(*[argument.format(tmp=tmp_path) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert match in captured.err
    assert "Traceback" not in captured.err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("value", ["0", "-1", "2.5", "3 x"])
def test_a_threshold_out_of_range_is_refused(folder, capsys, value):
    assert run("stats", folder, "-o", "o", "--min-patients", value) == 2
    assert "min-patients" in capsys.readouterr().err


def test_earlier_results_need_overwrite(folder, tmp_path, capsys):
    assert run("stats", folder, "-o", tmp_path / "o") == 0
    assert run("stats", folder, "-o", tmp_path / "o") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run("stats", folder, "-o", tmp_path / "o", "--overwrite") == 0


def test_a_threshold_above_all_says_so_once(folder, tmp_path, capsys):
    assert run("stats", folder, "-o", tmp_path / "o", "--min-patients", 13) == 0
    shown = capsys.readouterr()
    most = np.sum(random_masks(12), axis=0).max()
    sentence = f"lesioned in 13 patients: the maps are empty; at most {most} share one"
    assert sentence in shown.err
    assert "voxels with at least" not in shown.out


def test_what_nobody_foresaw_is_still_one_sentence(folder, tmp_path, capsys, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("lesion_dash.stats.topography.folder_stats", fail)
    assert run("stats", folder, "-o", tmp_path / "o") == 2
    assert "internal error" in capsys.readouterr().err
    monkeypatch.setenv("LESION_DASH_DEBUG", "1")
    with pytest.raises(ZeroDivisionError, match="surprise"):
        run("stats", folder, "-o", tmp_path / "o")


@pytest.mark.parametrize("command", [[], ["stats"], ["overlap"], ["load"], ["demo"], ["serve"]])
def test_help_is_there(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        run(*command, "--help")
    assert "usage: lesion-dash" in capsys.readouterr().out
