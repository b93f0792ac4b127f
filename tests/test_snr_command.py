"""`lesion-dash snr`: the library's numbers, printed, as JSON and as a table."""

from __future__ import annotations

import hashlib
import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from noise import AIR, BACKGROUND, GRID, SIGNAL, rician
from phantoms import image

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.scans.signal import measure_signal, snr_by_region, temporal_snr


@pytest.fixture
def files(tmp_path):
    for name, seed in (("scan", 1), ("again", 2)):
        nib.save(image(rician(seed).array, GRID.affine), tmp_path / f"{name}.nii.gz")
    for name, region in (("white", SIGNAL), ("grey", BACKGROUND), ("air", AIR)):
        nib.save(image(region.array.astype(np.uint8), GRID.affine), tmp_path / f"{name}.nii.gz")
    labels = np.select([SIGNAL.array, BACKGROUND.array], [1, 2], 0).astype(np.uint8)
    nib.save(image(labels, GRID.affine), tmp_path / "atlas.nii.gz")
    (tmp_path / "atlas.csv").write_text("index,name\n1,white\n2,=grey\n")
    series = np.stack([rician(seed).array for seed in range(6)], axis=-1)
    nib.save(image(series, GRID.affine), tmp_path / "bold.nii.gz")
    return tmp_path


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def chosen(files, *names) -> list:
    return [word for name, file in names for word in (f"--{name}", files / f"{file}.nii.gz")]


NOISE = (("background", "grey"), ("second", "again"), ("air", "air"))


def test_json_holds_the_numbers_of_the_library(files, capsys):
    options = chosen(files, ("signal", "white"), *NOISE)
    assert run("snr", files / "scan.nii.gz", *options, "--coils", 4, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    paths = [files / f"{name}.nii.gz" for name in ("scan", "white", "grey", "again", "air")]
    found = measure_signal(*paths[:3], second=paths[3], air=paths[4], coils=4)
    assert shown["measures"] == found.json_rows
    assert shown["parameters"]["coils"] == 4
    assert shown["sources"] == {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }
    assert shown["image"] == "scan"


def test_each_line_has_number_interval_formula_and_regions(files, capsys):
    assert run("snr", files / "scan.nii.gz", *chosen(files, ("signal", "white"), *NOISE)) == 0
    shown = capsys.readouterr().out
    found = measure_signal(files / "scan.nii.gz", files / "white.nii.gz", air=files / "air.nii.gz")
    one = next(one for one in found.measures if one.measure == "snr_air")
    line = next(line for line in shown.splitlines() if line.startswith("snr_air"))
    assert f"{one.value:.4g} ({one.low:.4g} to {one.high:.4g})" in " ".join(line.split())
    assert "factor 0.655 [white: n 640; air: n 640, zeros 0.0 %]" in line
    assert "resamples of single voxels, taken as independent" in shown


def test_the_table_has_provenance_beside_it(files):
    out = files / "out" / "snr.csv"
    options = chosen(files, ("signal", "white"), ("air", "air"))
    assert run("snr", files / "scan.nii.gz", *options, "-o", out, "--block-mm", 4) == 0
    table = pd.read_csv(out).set_index("measure")
    paths = [files / f"{name}.nii.gz" for name in ("scan", "white", "air")]
    expected = measure_signal(*paths[:2], air=paths[2], block_mm=4).table.set_index("measure")
    np.testing.assert_allclose(table["value"], expected["value"], rtol=1e-11)
    provenance = json.loads((out.parent / "snr.provenance.json").read_text())
    assert {one["file"] for one in provenance["inputs"]} == {str(path) for path in paths}
    assert all(len(one["sha256"]) == 64 for one in provenance["inputs"])
    assert provenance["parameters"]["block_mm"] == 4
    assert set(provenance["outputs"]) == {"snr.csv"}
    assert run("snr", files / "scan.nii.gz", *options, "-o", out) == 2


def test_regions_of_an_atlas_are_rows(files, capsys):
    out = files / "regions.csv"
    options = chosen(files, ("atlas", "atlas"), ("air", "air"))
    assert run("snr", files / "scan.nii.gz", *options, "-o", out) == 0
    table = pd.read_csv(out)
    atlas = load_atlas(files / "atlas.nii.gz")
    expected = snr_by_region(files / "scan.nii.gz", atlas, air=files / "air.nii.gz").table
    np.testing.assert_allclose(table["value"], expected["value"], rtol=1e-11)
    assert table["region"].tolist() == ["white"] * 4 + ["'=grey"] * 4
    assert "white" in capsys.readouterr().out


def test_a_series_has_temporal_snr(files, capsys):
    options = chosen(files, ("signal", "white"))
    assert run("snr", files / "bold.nii.gz", *options, "--json") == 0
    shown = json.loads(capsys.readouterr().out)["measures"]
    assert shown == temporal_snr(files / "bold.nii.gz", files / "white.nii.gz").json_rows
    assert run("snr", files / "bold.nii.gz", *options, *chosen(files, ("air", "air"))) == 2
    assert "--air: given with a time series" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ((), "--signal and --atlas: give one of them"),
        ((("signal", "white"), ("atlas", "atlas")), "--signal and --atlas: both given"),
        ((("signal", "white"), ("air", "white")), "signal (white) and air (white) overlap in 640"),
        ((("signal", "scan"),), "scan.nii.gz: not a binary mask"),
    ],
    ids=["none", "both", "overlap", "no mask"],
)
def test_what_cannot_be_measured_is_a_sentence(files, capsys, names, sentence):
    assert run("snr", files / "scan.nii.gz", *chosen(files, *names)) == 2
    assert sentence in capsys.readouterr().err


def test_names_of_regions_without_an_atlas_are_refused(files, capsys):
    options = (*chosen(files, ("signal", "white")), "--labels", files / "atlas.csv")
    assert run("snr", files / "scan.nii.gz", *options) == 2
    assert "--labels: names regions of an atlas, and there is none" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--json"], ["-o", "snr.csv"], []], ids=["json", "csv", "plain"])
def test_an_image_without_one_number_is_a_failure(files, monkeypatch, capsys, more):
    monkeypatch.chdir(files)
    nib.save(image(np.full(GRID.shape, 7.0), GRID.affine), files / "flat.nii.gz")
    options = chosen(files, ("atlas", "atlas"))
    assert run("snr", files / "flat.nii.gz", *options, *more) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("lesion-dash: error: flat: nothing could be measured: ")
    assert shown.out == ""
    assert not (files / "snr.csv").exists()


def test_nothing_is_written_where_the_air_is_cut(files, capsys):
    nib.save(image(rician(1).array * ~AIR.array, GRID.affine), files / "brain.nii.gz")
    options = chosen(files, ("signal", "white"), ("air", "air"))
    assert run("snr", files / "brain.nii.gz", *options, "-o", files / "out" / "snr.csv") == 2
    assert "air: is zero-filled: all 640 voxels are 0, as in a skull" in capsys.readouterr().err
    assert not (files / "out").exists()


def test_a_password_of_a_url_is_not_in_the_provenance(files, monkeypatch):
    found = measure_signal(files / "scan.nii.gz", files / "white.nii.gz", resamples=100)
    monkeypatch.setattr("lesion_dash.scans.signal.measure_signal", lambda *_, **__: found)
    options = ("--signal", "s3://me:secret@bucket/white.nii", "-o", files / "snr.csv")
    assert run("snr", files / "scan.nii.gz", *options) == 0
    content = (files / "snr.provenance.json").read_text()
    assert "secret" not in content
    assert json.loads(content)["parameters"]["signal"] == "s3://***@bucket/white.nii"
