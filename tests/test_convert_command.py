"""`lesion-dash convert`: the library's image with its provenance, or one sentence and no file."""

from __future__ import annotations

import hashlib
import json
import pickle

import nibabel as nib
import numpy as np
import pytest
from phantoms import image
from pickled import numbers

from lesion_dash import cli
from lesion_dash.images.maps import read_map
from lesion_dash.scans.arrays import read_array
from lesion_dash.scans.conversion import place_like

SHEARED = np.array([[1.9, 0.3, 0, -7], [0.1, -2.1, 0.2, -9], [0, 0.4, 2.5, -8], [0, 0, 0, 1]])


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture
def store(tmp_path):
    """A file of an array."""

    def stored(array):
        (tmp_path / "array.pkl").write_bytes(pickle.dumps(array))
        return read_array(tmp_path / "array.pkl")

    return stored


@pytest.fixture
def like(tmp_path):
    path = tmp_path / "like.nii.gz"
    nib.save(image(numbers("u1"), SHEARED), path)
    return path


@pytest.mark.parametrize("name", ["out.nii", "out.nii.gz"])
def test_the_command_writes_what_the_library_gives(store, like, tmp_path, capsys, name):
    stored = store(numbers("i8"))
    out = tmp_path / "new" / name
    assert run("convert", stored.path, out, "--like", like) == 0
    found = nib.load(out)
    np.testing.assert_array_equal(np.asarray(found.dataobj), stored.array)
    np.testing.assert_array_equal(read_map(out).array, stored.array)
    provenance = json.loads((out.parent / "out.provenance.json").read_text())
    assert provenance["command"] == "convert"
    assert provenance["inputs"][0]["sha256"] == stored.sha256
    assert provenance["outputs"] == {name: hashlib.sha256(out.read_bytes()).hexdigest()}
    assert provenance["counts"]["affine"] == found.affine.tolist()
    shown = capsys.readouterr()
    assert "note: placed like like.nii.gz" in shown.err
    assert "note: int64 is saved as int32" in shown.err
    assert "3 x 4 x 5 voxels" in shown.out


@pytest.mark.parametrize("way", ["--like", "--affine"])
def test_the_file_that_places_it_is_an_input_with_its_checksum(store, like, tmp_path, way):
    stored, file = store(numbers("u1")), like
    if way == "--affine":
        file = tmp_path / "affine.txt"
        np.savetxt(file, SHEARED)
    assert run("convert", stored.path, tmp_path / "out.nii", way, file) == 0
    inputs = json.loads((tmp_path / "out.provenance.json").read_text())["inputs"]
    assert [one["file"] for one in inputs] == [str(stored.path), str(file)]
    for one in inputs:
        content = (tmp_path / one["file"]).read_bytes()
        assert one["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_bomb_is_unpacked_where_that_is_said(tmp_path, capsys):
    path, out = tmp_path / "large.npz", tmp_path / "out.nii"
    np.savez_compressed(path, np.zeros((400, 400, 401), np.uint8))
    where = ("--voxel-size", 1, 1, 1, "--orientation", "RAS")
    assert run("convert", path, out, *where) == 2
    said = capsys.readouterr().err
    assert "unpacks to 65 MB from" in said
    assert "say `lesion-dash convert --unpack-mb 65`" in said
    assert run("convert", path, out, *where, "--unpack-mb", 65) == 0
    assert out.stat().st_size == 400 * 400 * 401 + 352


@pytest.mark.parametrize("number", ["0", "-1", "nan", "1e9"])
def test_no_megabytes(store, like, tmp_path, capsys, number):
    path = store(numbers("u1")).path
    assert run("convert", path, tmp_path / "o.nii", "--like", like, f"--unpack-mb={number}") == 2
    assert "--unpack-mb: " in capsys.readouterr().err


def test_the_same_bytes_each_time(store, like, tmp_path):
    store(numbers("f4"))
    for folder in ("a", "b"):
        out = tmp_path / folder / "out.nii.gz"
        assert run("convert", tmp_path / "array.pkl", out, "--like", like) == 0
    assert (tmp_path / "a" / "out.nii.gz").read_bytes() == out.read_bytes()


def test_every_choice_of_the_command(tmp_path, capsys):
    array = numbers("u1")
    path = tmp_path / "two.npz"
    np.savez(path, first=array, second=array + 1)
    (tmp_path / "affine.txt").write_text("\n".join(" ".join(map(str, row)) for row in SHEARED))
    spacing = ("--voxel-size", 2, 2, 3, "--orientation", "LPI")
    for number, chosen in enumerate((spacing, ("--affine", tmp_path / "affine.txt"))):
        out = tmp_path / f"out{number}.nii.gz"
        assert run("convert", path, out, "--array", "second", *chosen) == 0
        np.testing.assert_array_equal(np.asarray(nib.load(out).dataobj), array + 1)
    np.testing.assert_allclose(nib.load(out).affine, SHEARED, rtol=1e-6)
    assert run("convert", path, tmp_path / "x.nii", *spacing) == 2
    assert "name one with `lesion-dash convert --array`: first" in capsys.readouterr().err
    assert not (tmp_path / "x.nii").exists()


def test_an_earlier_image_needs_overwrite(store, like, tmp_path, capsys):
    store(numbers("u1"))
    arguments = ("convert", tmp_path / "array.pkl", tmp_path / "out.nii.gz", "--like", like)
    assert run(*arguments) == 0
    assert run(*arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run(*arguments, "--overwrite") == 0


def test_only_images_are_written(store, tmp_path, capsys):
    store(numbers("u1"))
    assert run("convert", tmp_path / "array.pkl", tmp_path / "out.mgz") == 2
    assert "let it end in .nii.gz or .nii" in capsys.readouterr().err


def test_a_hostile_pickle_leaves_nothing(tmp_path, capsys):
    path = tmp_path / "hostile.pkl"
    path.write_bytes(b"cposix\nsystem\n(S'touch sentinel'\ntR.")
    assert run("convert", path, tmp_path / "new" / "out.nii.gz") == 2
    assert "contains code or objects: it names posix.system" in capsys.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} == {"hostile.pkl"}


def test_a_password_of_a_url_is_not_in_the_provenance(store, like, tmp_path, monkeypatch):
    secret = "https://me:secret@host/like.nii.gz"
    monkeypatch.setattr(
        "lesion_dash.scans.conversion.place_like", lambda _, shape: place_like(like, shape)
    )
    stored = store(numbers("u1"))
    assert run("convert", stored.path, tmp_path / "out.nii", "--like", secret) == 0
    content = (tmp_path / "out.provenance.json").read_text()
    assert "secret" not in content
    assert json.loads(content)["parameters"]["like"] == "https://***@host/like.nii.gz"
