"""`lesion-dash mask`: the image inside one region, the mask, and how they were made."""

from __future__ import annotations

import hashlib
import json

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, image

from lesion_dash import cli
from lesion_dash.core.grid import Grid
from lesion_dash.transforms.files import field_bytes
from lesion_dash.transforms.transform import Field

LABELS = np.random.default_rng(3).choice([0, 1, 2], SHAPE).astype(np.uint8)
SCAN = np.random.default_rng(4).integers(1, 900, SHAPE).astype(np.int16)


@pytest.fixture
def files(tmp_path):
    nib.save(image(SCAN), tmp_path / "scan.nii.gz")
    nib.save(image(LABELS), tmp_path / "eye.nii.gz")
    (tmp_path / "eye.csv").write_text("index,name\n1,lens\n2,globe\n")
    return tmp_path


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def cut(files, output, *more) -> int:
    return run("mask", files / "scan.nii.gz", "--prob", files / "eye.nii.gz", "-o", output, *more)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_mask_writes_image_mask_and_provenance(files, capsys, ending):
    out = files / "out"
    assert cut(files, out / f"masked_image{ending}", "--label", "lens") == 0
    names = {f"masked_image{ending}", f"masked_image_mask{ending}", "masked_image.provenance.json"}
    assert {file.name for file in out.iterdir()} == names
    written = nib.load(out / f"masked_image{ending}")
    assert written.get_data_dtype() == np.int16
    np.testing.assert_array_equal(written.get_fdata(), np.where(LABELS == 1, SCAN, 0))
    mask = nib.load(out / f"masked_image_mask{ending}")
    np.testing.assert_array_equal(np.asarray(mask.dataobj), LABELS == 1)
    voxels = int((LABELS == 1).sum())
    assert f"lens: {voxels:,} voxels, {8 * voxels:,} mm³" in capsys.readouterr().out


def test_provenance_names_files_region_and_checksums(files):
    assert cut(files, files / "out" / "lens.nii.gz", "--label", 1) == 0
    provenance = json.loads((files / "out" / "lens.provenance.json").read_text())
    assert provenance["command"] == "mask"
    assert provenance["parameters"] == {
        "region": "lens",
        "label": "1",
        "threshold": None,
        "percent": False,
    }
    sums = {one["file"]: one["sha256"] for one in provenance["inputs"]}
    for name in ("scan.nii.gz", "eye.nii.gz", "eye.csv"):
        content = (files / name).read_bytes()
        assert sums[str(files / name)] == hashlib.sha256(content).hexdigest()
    for name, digest in provenance["outputs"].items():
        content = (files / "out" / name).read_bytes()
        assert digest == hashlib.sha256(content).hexdigest()


def test_two_runs_write_the_same_bytes(files):
    for place in ("a", "b"):
        assert cut(files, files / place / "lens.nii.gz", "--label", "lens") == 0
    for name in ("lens.nii.gz", "lens_mask.nii.gz"):
        assert (files / "a" / name).read_bytes() == (files / "b" / name).read_bytes()


def test_earlier_results_need_overwrite(files, capsys):
    out = files / "out" / "lens.nii.gz"
    assert cut(files, out, "--label", "lens") == 0
    assert cut(files, out, "--label", "globe") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert cut(files, out, "--label", "globe", "--overwrite") == 0


def test_a_label_map_without_a_label_leaves_nothing(files, capsys):
    assert cut(files, files / "out" / "lens.nii.gz") == 2
    assert "choose one with --label: 1 (lens), 2 (globe)" in capsys.readouterr().err
    assert not (files / "out").exists()


@pytest.mark.parametrize("name", ["lens.csv", "lens", "lens.hdr", "lens.nii.gz.txt"])
def test_the_output_is_a_nifti_file(files, capsys, name):
    assert cut(files, files / name, "--label", "lens") == 2
    assert "is no name of a NIfTI file; let it end in .nii.gz" in capsys.readouterr().err


def test_a_threshold_is_kept_in_the_provenance(files):
    nib.save(image((LABELS / 2).astype(np.float32), AFFINE), files / "prob.nii.gz")
    scan, prob, out = files / "scan.nii.gz", files / "prob.nii.gz", files / "cut.nii"
    assert run("mask", scan, "--prob", prob, "-o", out) == 0
    parameters = json.loads((files / "cut.provenance.json").read_text())["parameters"]
    assert parameters["threshold"] == 0.5
    np.testing.assert_array_equal(nib.load(out).get_fdata(), np.where(LABELS > 0, SCAN, 0))


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("flirt.mat", "give both images, as --moving and --template of `lesion-dash warp`"),
        ("field.nii.gz", "bring the map to the image by `lesion-dash warp` and the field of"),
    ],
)
def test_transforms_that_do_not_lead_to_the_map_are_refused_with_a_way_out(
    files, capsys, name, match
):
    field = Field(Grid((3, 3, 3), np.eye(4)), np.ones((3, 3, 3, 3), np.float32))
    (files / "field.nii.gz").write_bytes(field_bytes(field, "field.nii.gz"))
    np.savetxt(files / "flirt.mat", np.eye(4))
    more = ("--label", "lens", "--transform", files / name)
    assert cut(files, files / "out" / "lens.nii.gz", *more) == 2
    assert match in capsys.readouterr().err
    assert not (files / "out").exists()


def test_a_map_in_a_template_comes_back_through_the_transform(files):
    """The scan lies one voxel to the right of where it lies in the template."""
    shift = np.eye(4)
    shift[0, 3] = -2
    text = "# moving image to template\n" + "\n".join(" ".join(map(str, row)) for row in shift)
    (files / "there.txt").write_text(text)
    more = ("--label", "lens", "--transform", files / "there.txt")
    assert cut(files, files / "out" / "lens.nii.gz", *more) == 0
    mask = np.asarray(nib.load(files / "out" / "lens_mask.nii.gz").dataobj)
    np.testing.assert_array_equal(mask[1:], LABELS[:-1] == 1)
    assert not mask[0].any()
    provenance = json.loads((files / "out" / "lens.provenance.json").read_text())
    checksum = hashlib.sha256((files / "there.txt").read_bytes()).hexdigest()
    one = {"kind": "transform", "file": str(files / "there.txt"), "sha256": checksum}
    assert one in provenance["inputs"]
