"""Commands on single images: convert, mask, snr and inspect write and print what the library gives.

What holds of every command is in test_commands.py.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.affines import apply_affine
from noise import AIR, BACKGROUND, GRID, SIGNAL, rician
from phantoms import AFFINE, SHAPE, image
from pickled import numbers

from lesion_dash import cli, load_atlas
from lesion_dash.core.grid import Grid
from lesion_dash.scans import inspect_image, measure_signal, snr_by_region, temporal_snr
from lesion_dash.scans.conversion import place_like
from lesion_dash.transforms.files import field_bytes
from lesion_dash.transforms.transform import Field

SHEARED = np.array([[1.9, 0.3, 0, -7], [0.1, -2.1, 0.2, -9], [0, 0.4, 2.5, -8], [0, 0, 0, 1]])
LABELS = np.random.default_rng(3).choice([0, 1, 2], SHAPE).astype(np.uint8)
SCAN = np.random.default_rng(4).integers(1, 900, SHAPE).astype(np.int16)
SERIES = np.random.default_rng(2).normal(size=(*SHAPE, 3)).astype(np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def array_of(name: str) -> np.ndarray:
    return np.asarray(nib.load(name).dataobj)


def provenance(name: str) -> dict:
    return json.loads(Path(name).read_text())


def checksums(*names: str) -> dict[str, str]:
    return {name: hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in names}


# convert


@pytest.fixture
def arrays(folder) -> None:
    """An array as a pickle and two in an archive; an image and a matrix that place them."""
    Path("array.pkl").write_bytes(pickle.dumps(numbers("i8")))
    np.savez("two.npz", first=numbers("u1"), second=numbers("u1") + 1)
    nib.save(image(numbers("u1"), SHEARED), "like.nii.gz")
    np.savetxt("affine.txt", SHEARED)


@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz"])
@pytest.mark.parametrize("way", ["like.nii.gz", "affine.txt"])
def test_convert_places_an_array_by_a_file_that_is_an_input(arrays, capsys, name, way):
    flag = "--affine" if way.endswith("txt") else "--like"
    assert run("convert", "array.pkl", f"new/{name}", flag, way) == 0
    np.testing.assert_array_equal(array_of(f"new/{name}"), numbers("i8"))
    np.testing.assert_allclose(nib.load(f"new/{name}").affine, SHEARED, rtol=1e-6)
    content = provenance("new/out.provenance.json")
    inputs = {source["file"]: source["sha256"] for source in content["inputs"]}
    assert inputs == checksums("array.pkl", way)
    shown = capsys.readouterr()
    assert "note: placed " in shown.err
    assert way in shown.err
    assert "note: int64 is saved as int32" in shown.err
    assert "3 x 4 x 5 voxels" in shown.out


def test_convert_takes_one_of_several_arrays_with_its_spacing(arrays, capsys):
    spacing = ("--voxel-size", 2, 2, 3, "--orientation", "LPI")
    assert run("convert", "two.npz", "out.nii.gz", "--array", "second", *spacing) == 0
    np.testing.assert_array_equal(array_of("out.nii.gz"), numbers("u1") + 1)
    assert nib.aff2axcodes(nib.load("out.nii.gz").affine) == ("L", "P", "I")
    assert run("convert", "two.npz", "x.nii", *spacing) == 2
    assert "name one with `lesion-dash convert --array`: first" in capsys.readouterr().err
    assert not Path("x.nii").exists()


def test_convert_unpacks_a_bomb_only_where_that_is_said(folder, capsys):
    np.savez_compressed("large.npz", np.zeros((400, 400, 401), np.uint8))
    place = ("--voxel-size", 1, 1, 1, "--orientation", "RAS")
    assert run("convert", "large.npz", "out.nii", *place) == 2
    error = capsys.readouterr().err
    assert "unpacks to 65 MB from" in error
    assert "say `lesion-dash convert --unpack-mb 65`" in error
    assert run("convert", "large.npz", "out.nii", *place, "--unpack-mb", 65) == 0
    assert Path("out.nii").stat().st_size == 400 * 400 * 401 + 352
    for megabytes in ("0", "-1", "nan", "1e9"):
        assert run("convert", "large.npz", "o.nii", *place, f"--unpack-mb={megabytes}") == 2
        assert "--unpack-mb: " in capsys.readouterr().err


def test_convert_leaves_nothing_of_a_hostile_pickle(folder, capsys):
    Path("hostile.pkl").write_bytes(b"cposix\nsystem\n(S'touch sentinel'\ntR.")
    assert run("convert", "hostile.pkl", "new/out.nii.gz") == 2
    assert "contains code or objects: it names posix.system" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["hostile.pkl"]


def test_no_password_of_a_url_is_in_a_provenance(arrays, scans, monkeypatch):
    like = Path("like.nii.gz")
    place = "lesion_dash.scans.conversion.place_like"
    monkeypatch.setattr(place, lambda _, shape: place_like(like, shape))
    secret = "https://me:secret@host/like.nii.gz"
    assert run("convert", "array.pkl", "out.nii", "--like", secret) == 0
    quality = measure_signal("scan.nii.gz", "white.nii.gz", resamples=100)
    monkeypatch.setattr("lesion_dash.scans.signal.measure_signal", lambda *_, **__: quality)
    signal = "s3://me:secret@bucket/white.nii"
    assert run("snr", "scan.nii.gz", "--signal", signal, "-o", "snr.csv") == 0
    for name, field, shown in (
        ("out", "like", "https://***@host/like.nii.gz"),
        ("snr", "signal", "s3://***@bucket/white.nii"),
    ):
        assert "secret" not in Path(f"{name}.provenance.json").read_text()
        assert provenance(f"{name}.provenance.json")["parameters"][field] == shown


# mask


@pytest.fixture
def eye(folder) -> None:
    nib.save(image(SCAN), "image.nii.gz")
    nib.save(image(LABELS), "eye.nii.gz")
    Path("eye.csv").write_text("index,name\n1,lens\n2,globe\n")


def cut(output: str, *more) -> int:
    return run("mask", "image.nii.gz", "--prob", "eye.nii.gz", "-o", output, *more)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("label", ["lens", 1])
def test_mask_cuts_out_one_label(eye, capsys, ending, label):
    assert cut(f"out/lens{ending}", "--label", label) == 0
    assert nib.load(f"out/lens{ending}").get_data_dtype() == np.int16
    np.testing.assert_array_equal(array_of(f"out/lens{ending}"), np.where(LABELS == 1, SCAN, 0))
    np.testing.assert_array_equal(array_of(f"out/lens_mask{ending}"), LABELS == 1)
    voxels = int((LABELS == 1).sum())
    assert f"lens: {voxels:,} voxels, {8 * voxels:,} mm³" in capsys.readouterr().out
    content = provenance("out/lens.provenance.json")
    parameters = {"region": "lens", "label": str(label), "threshold": None, "percent": False}
    assert content["parameters"] == parameters
    sums = {source["file"]: source["sha256"] for source in content["inputs"]}
    assert checksums("image.nii.gz", "eye.nii.gz", "eye.csv").items() <= sums.items()


def test_mask_of_a_probability_map_records_its_threshold(eye):
    nib.save(image((LABELS / 2).astype(np.float32)), "prob.nii.gz")
    assert run("mask", "image.nii.gz", "--prob", "prob.nii.gz", "-o", "cut.nii") == 0
    assert provenance("cut.provenance.json")["parameters"]["threshold"] == 0.5
    np.testing.assert_array_equal(array_of("cut.nii"), np.where(LABELS > 0, SCAN, 0))


def test_mask_brings_a_map_back_through_the_transform(eye):
    """The scan lies one voxel to the right of where it lies in the template."""
    shift = np.eye(4)
    shift[0, 3] = -2
    matrix = "\n".join(" ".join(map(str, row)) for row in shift)
    Path("there.txt").write_text(f"# moving image to template\n{matrix}")
    assert cut("lens.nii.gz", "--label", "lens", "--transform", "there.txt") == 0
    mask = array_of("lens_mask.nii.gz")
    np.testing.assert_array_equal(mask[1:], LABELS[:-1] == 1)
    assert not mask[0].any()
    ((name, digest),) = checksums("there.txt").items()
    source = {"kind": "transform", "file": name, "sha256": digest}
    assert source in provenance("lens.provenance.json")["inputs"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "choose one with --label: 1 (lens), 2 (globe)"),
        (
            ("--label", "lens", "--transform", "flirt.mat"),
            "give both images, as --moving and --template of `lesion-dash warp`",
        ),
        (
            ("--label", "lens", "--transform", "field.nii.gz"),
            "bring the map to the image by `lesion-dash warp` and the field of",
        ),
    ],
)
def test_mask_says_what_is_missing_and_leaves_nothing(eye, capsys, options, problem):
    field = Field(Grid((3, 3, 3), np.eye(4)), np.ones((3, 3, 3, 3), np.float32))
    Path("field.nii.gz").write_bytes(field_bytes(field, "field.nii.gz"))
    np.savetxt("flirt.mat", np.eye(4))
    assert cut("out/lens.nii.gz", *options) == 2
    assert problem in capsys.readouterr().err
    assert not Path("out").exists()


# snr


@pytest.fixture
def scans(folder) -> None:
    """Two acquisitions, masks of two tissues and of air, an atlas of both, and a time series."""
    for name, seed in (("scan", 1), ("again", 2)):
        nib.save(image(rician(seed).array, GRID.affine), f"{name}.nii.gz")
    for name, region in (("white", SIGNAL), ("grey", BACKGROUND), ("air", AIR)):
        nib.save(image(region.array.astype(np.uint8), GRID.affine), f"{name}.nii.gz")
    labels = np.select([SIGNAL.array, BACKGROUND.array], [1, 2], 0).astype(np.uint8)
    nib.save(image(labels, GRID.affine), "atlas.nii.gz")
    Path("atlas.csv").write_text("index,name\n1,white\n2,=grey\n")
    series = np.stack([rician(seed).array for seed in range(6)], axis=-1)
    nib.save(image(series, GRID.affine), "bold.nii.gz")


WHITE = ("--signal", "white.nii.gz")
IN_AIR = ("--air", "air.nii.gz")
NOISE = ("--background", "grey.nii.gz", "--second", "again.nii.gz", *IN_AIR)


def test_snr_prints_the_numbers_of_the_library_as_json(scans, capsys):
    assert run("snr", "scan.nii.gz", *WHITE, *NOISE, "--coils", 4, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    names = [f"{name}.nii.gz" for name in ("scan", "white", "grey", "again", "air")]
    quality = measure_signal(*names[:3], second=names[3], air=names[4], coils=4)
    assert shown["measures"] == quality.json_rows
    assert shown["parameters"]["coils"] == 4
    assert shown["sources"] == checksums(*names)
    assert shown["image"] == "scan"


def test_snr_prints_number_interval_formula_and_regions(scans, capsys):
    assert run("snr", "scan.nii.gz", *WHITE, *NOISE) == 0
    shown = capsys.readouterr().out
    quality = measure_signal("scan.nii.gz", "white.nii.gz", air="air.nii.gz")
    measure = next(each for each in quality.measures if each.measure == "snr_air")
    line = next(line for line in shown.splitlines() if line.startswith("snr_air"))
    numbers_of = f"{measure.value:.4g} ({measure.low:.4g} to {measure.high:.4g})"
    assert numbers_of in " ".join(line.split())
    assert "factor 0.655 [white: n 640; air: n 640, zeros 0.0 %]" in line
    assert "resamples of single voxels, taken as independent" in shown


def test_snr_writes_the_table_of_one_region_or_of_an_atlas(scans, capsys):
    assert run("snr", "scan.nii.gz", *WHITE, *IN_AIR, "-o", "snr.csv", "--block-mm", 4) == 0
    expected = measure_signal("scan.nii.gz", "white.nii.gz", air="air.nii.gz", block_mm=4).table
    table = pd.read_csv("snr.csv")
    np.testing.assert_allclose(table["value"], expected["value"], rtol=1e-11)
    assert provenance("snr.provenance.json")["parameters"]["block_mm"] == 4
    assert run("snr", "scan.nii.gz", "--atlas", "atlas.nii.gz", *IN_AIR, "-o", "all.csv") == 0
    table = pd.read_csv("all.csv")
    atlas = load_atlas("atlas.nii.gz")
    expected = snr_by_region("scan.nii.gz", atlas, air="air.nii.gz").table
    np.testing.assert_allclose(table["value"], expected["value"], rtol=1e-11)
    assert table["region"].tolist() == ["white"] * 4 + ["'=grey"] * 4
    assert "white" in capsys.readouterr().out


def test_snr_of_a_series_is_temporal(scans, capsys):
    assert run("snr", "bold.nii.gz", *WHITE, "--json") == 0
    shown = json.loads(capsys.readouterr().out)["measures"]
    assert shown == temporal_snr("bold.nii.gz", "white.nii.gz").json_rows
    assert run("snr", "bold.nii.gz", *WHITE, *IN_AIR) == 2
    assert "--air: given with a time series" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("image_name", "options", "problem"),
    [
        ("scan", (), "--signal and --atlas: give one of them"),
        ("scan", (*WHITE, "--atlas", "atlas.nii.gz"), "--signal and --atlas: both given"),
        ("scan", (*WHITE, "--air", "white.nii.gz"), "(white) and air (white) overlap in 640"),
        ("scan", ("--signal", "scan.nii.gz"), "scan.nii.gz: not a binary mask"),
        ("scan", (*WHITE, "--labels", "atlas.csv"), "--labels: names the regions of no atlas"),
        ("cut", (*WHITE, *IN_AIR), "air: is zero-filled: all 640 voxels are 0, as in a skull"),
        ("flat", ("--atlas", "atlas.nii.gz"), "error: flat: nothing could be measured: "),
        ("flat", ("--atlas", "atlas.nii.gz", "--json"), "error: flat: nothing could be measured: "),
    ],
)
def test_snr_that_cannot_be_measured_is_a_sentence(scans, capsys, image_name, options, problem):
    nib.save(image(rician(1).array * ~AIR.array, GRID.affine), "cut.nii.gz")
    nib.save(image(np.full(GRID.shape, 7.0), GRID.affine), "flat.nii.gz")
    assert run("snr", f"{image_name}.nii.gz", *options, "-o", "out/snr.csv") == 2
    shown = capsys.readouterr()
    assert problem in shown.err
    assert shown.out == ""
    assert not Path("out").exists()


# inspect


@pytest.fixture
def series(folder) -> str:
    made = image(SERIES)
    made.header.set_xyzt_units("mm", "sec")
    made.header["pixdim"][4] = 2.5
    nib.save(made, "series.nii.gz")
    return "series.nii.gz"


def test_inspect_says_it_with_units(series, capsys):
    assert run("inspect", series) == 0
    shown = capsys.readouterr().out
    lines = {" ".join(line.split()) for line in shown.splitlines()}
    assert {
        "shape 7 x 9 x 8 x 3 (4 axes)",
        "volumes 3",
        "repetition time 2.5 s",
        "data type float32",
        "units mm, time in s",
        "orientation RAS",
        "in words 2 mm voxels",
        "x = 2 i + 0 j + 0 k - 7",
        "sform code 4: MNI152",
        "disagreement 0 mm at the farthest corner; the sform is used",
        "as a mask no: several volumes: 3 in one file, one expected; save one mask per patient",
    } <= lines
    assert run("inspect", series, "--json") == 0
    assert json.loads(capsys.readouterr().out) == inspect_image(series).to_json()


def test_inspect_finds_a_voxel_by_number_and_by_place(series, capsys):
    voxel = (6, 0, 3)
    place = apply_affine(AFFINE, voxel)
    value = float(SERIES[(*voxel, 2)])
    expected = {"voxel": [*voxel], "mm": place.tolist(), "volume": 2, "value": value}
    for options in (("--voxel", *voxel), ("--mm", *(place + 0.9))):
        assert run("inspect", series, *options, "--volume", 2, "--json") == 0
        assert json.loads(capsys.readouterr().out)["at"] == expected
    assert run("inspect", series, "--mm", *place) == 0
    shown = capsys.readouterr().out
    assert "centre (x, y, z) 5, -9, -2 mm" in shown
    assert str(float(SERIES[(*voxel, 0)])) in shown
    nib.save(image(np.full(SHAPE, np.nan, np.float32)), "nan.nii")
    assert run("inspect", "nan.nii", "--voxel", 0, 0, 0, "--json") == 0
    assert json.loads(capsys.readouterr().out)["at"]["value"] == "nan"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--voxel", 7, 0, 0), "i from 0 to 6"),
        (("--mm", 0, 0, 500), "lies outside the image"),
        (("--voxel", 0, 0, 0, "--volume", 3), "volumes count from 0 to 2"),
    ],
)
def test_inspect_of_what_lies_outside_is_one_sentence(series, capsys, options, problem):
    assert run("inspect", series, *options) == 2
    shown = capsys.readouterr()
    assert problem in shown.err
    assert shown.out == ""


def test_inspect_shows_the_header_of_a_damaged_image(series, capsys):
    Path(series).write_bytes(Path(series).read_bytes()[:-100])
    assert run("inspect", series) == 2
    shown = capsys.readouterr().out
    assert "This image cannot be used" in shown
    assert "file is truncated" in shown
    assert "7 x 9 x 8 x 3" in shown
    Path("notes.nii").write_text("hello")
    assert run("inspect", "notes.nii") == 2
    assert capsys.readouterr().err.count("\n") == 1
