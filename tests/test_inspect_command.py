"""`lesion-dash inspect`."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from phantoms import AFFINE, SHAPE, image

from lesion_dash import cli
from lesion_dash.scans.inspection import inspect_image

ARRAY = np.random.default_rng(2).normal(size=(*SHAPE, 3)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    made = image(ARRAY)
    made.header.set_xyzt_units("mm", "sec")
    made.header["pixdim"][4] = 2.5
    nib.save(made, tmp_path / "series.nii.gz")
    return tmp_path / "series.nii.gz"


def run(*arguments) -> int:
    return cli.main(["inspect", *(str(argument) for argument in arguments)])


def test_text_says_it_with_units(path, capsys):
    assert run(path) == 0
    shown = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    for expected in (
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
    ):
        assert expected in lines, shown


def test_json_is_the_librarys(path, capsys):
    assert run(path, "--json") == 0
    assert json.loads(capsys.readouterr().out) == inspect_image(path).to_json()


def test_voxel_and_place(path, capsys):
    voxel = (6, 0, 3)
    place = apply_affine(AFFINE, voxel)
    assert run(path, "--voxel", *voxel, "--volume", 2, "--json") == 0
    of_voxel = json.loads(capsys.readouterr().out)["at"]
    assert of_voxel == {
        "voxel": list(voxel),
        "mm": place.tolist(),
        "volume": 2,
        "value": float(ARRAY[(*voxel, 2)]),
    }
    assert run(path, "--mm", *(place + 0.9), "--volume", 2, "--json") == 0
    assert json.loads(capsys.readouterr().out)["at"] == of_voxel
    assert run(path, "--mm", *place) == 0
    shown = capsys.readouterr().out
    assert "centre (x, y, z) 5, -9, -2 mm" in shown
    assert str(float(ARRAY[(*voxel, 0)])) in shown


def test_a_value_that_is_no_number_is_named(tmp_path, capsys):
    nib.save(image(np.full(SHAPE, np.nan, np.float32)), tmp_path / "nan.nii")
    assert run(tmp_path / "nan.nii", "--voxel", 0, 0, 0, "--json") == 0
    assert json.loads(capsys.readouterr().out)["at"]["value"] == "nan"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--voxel", 7, 0, 0), "i from 0 to 6"),
        (("--mm", 0, 0, 500), "lies outside the image"),
        (("--voxel", 0, 0, 0, "--volume", 3), "volumes count from 0 to 2"),
    ],
)
def test_what_lies_outside_is_one_sentence(path, capsys, arguments, sentence):
    assert run(path, *arguments) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.out == ""


def test_a_damaged_image_shows_its_header(path, capsys):
    path.write_bytes(path.read_bytes()[:-100])
    assert run(path) == 2
    shown = capsys.readouterr().out
    assert "This image cannot be used" in shown
    assert "file is truncated" in shown
    assert "7 x 9 x 8 x 3" in shown


def test_what_is_no_image_is_one_sentence(tmp_path, capsys):
    (tmp_path / "notes.nii").write_text("hello")
    assert run(tmp_path / "notes.nii") == 2
    assert capsys.readouterr().err.count("\n") == 1
