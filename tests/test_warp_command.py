"""`lesion-dash warp`: transforms of FSL, ANTs, ITK and ours, applied to images and masks."""

from __future__ import annotations

import hashlib
import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from grids import affine, known_matrix, resampled, rotation

from lesion_dash import cli
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import read_map
from lesion_dash.images.masks import read_mask
from lesion_dash.images.template import load_template
from lesion_dash.transforms.files import field_bytes, itk_text, matrix_text, world_matrix
from lesion_dash.transforms.transform import Field, Transform
from lesion_dash.transforms.warping import warp_labels, warp_map, warp_mask

MOVING = Grid((20, 24, 18), affine((-3, 3, 3), (28, -34, -25)))
TEMPLATE = Grid((22, 20, 21), affine((3, 3.5, 3), (-31, -32, -29), rotation(5, 3, -4)))
TRANSFORM = Transform(known_matrix())
FLIRT = np.array([[0.98, -0.1, 0.05, 3], [0.1, 0.97, 0.02, -4], [-0.04, 0, 1.02, 2], [0, 0, 0, 1]])


def save(path, array, grid) -> None:
    image = nib.Nifti1Image(array, grid.affine)
    image.set_sform(grid.affine, 2)
    image.set_qform(grid.affine, 2)
    nib.save(image, path)


@pytest.fixture
def files(tmp_path):
    generator = np.random.default_rng(0)
    x, y, z = np.indices(MOVING.shape)
    save(tmp_path / "scan.nii.gz", generator.normal(90, 9, MOVING.shape).astype(np.float32), MOVING)
    save(tmp_path / "atlas.nii.gz", (x // 5 + 4 * (y // 6)).astype(np.int16), MOVING)
    ball = (x - 9) ** 2 + (y - 12) ** 2 + (z - 9) ** 2 < 25
    save(tmp_path / "lesion.nii.gz", ball.astype(np.uint8), MOVING)
    save(tmp_path / "template.nii.gz", generator.random(TEMPLATE.shape).astype("f4"), TEMPLATE)
    (tmp_path / "ours.txt").write_bytes(matrix_text(TRANSFORM))
    (tmp_path / "back.txt").write_bytes(matrix_text(TRANSFORM, inverse=True))
    (tmp_path / "itk.tfm").write_bytes(itk_text(TRANSFORM))
    sitk.WriteTransform(sitk.ReadTransform(str(tmp_path / "itk.tfm")), str(tmp_path / "ants.mat"))
    np.savetxt(tmp_path / "flirt.mat", FLIRT)
    return tmp_path


def warp(files, image: str, *more, out="out/warped.nii.gz") -> int:
    arguments = ["warp", files / image, "-o", files / out, *more]
    return cli.main([str(argument) for argument in arguments])


def onto(files) -> list:
    return ["--template", files / "template.nii.gz"]


def result(files, out="out/warped.nii.gz") -> np.ndarray:
    image = nib.load(files / out)
    return np.asarray(image.dataobj)


@pytest.mark.parametrize("name", ["ours.txt", "itk.tfm", "ants.mat"])
def test_one_transform_in_three_files_gives_one_image(files, name):
    assert warp(files, "scan.nii.gz", "--transform", files / name, *onto(files)) == 0
    scan, transform = read_map(files / "scan.nii.gz"), sitk.ReadTransform(str(files / "itk.tfm"))
    template = read_map(files / "template.nii.gz").grid
    expected = resampled(scan.array.astype(float), scan.grid, transform, template)
    np.testing.assert_allclose(result(files), expected, atol=1e-3)


def test_mni152_is_the_brain_that_is_shipped(files):
    there = ["--transform", files / "ours.txt", "--template", "mni152"]
    assert warp(files, "lesion.nii.gz", *there) == 0
    template = load_template()
    made = nib.load(files / "out" / "warped.nii.gz")
    assert made.shape == template.shape
    np.testing.assert_array_equal(made.affine, template.affine)
    mask = read_mask(files / "lesion.nii.gz")
    grid = Grid(template.shape, template.affine)
    assert int(result(files).sum()) == warp_mask(mask, TRANSFORM, grid).voxels > 0
    provenance = json.loads((files / "out" / "warped.provenance.json").read_text())
    assert provenance["parameters"]["template"] == "mni152"


def test_a_file_of_the_way_back_is_not_turned_round_silently(files, capsys):
    there = ["--transform", files / "back.txt", *onto(files)]
    assert warp(files, "scan.nii.gz", *there) == 2
    assert "back.txt: leads from the template to the moving image" in capsys.readouterr().err
    back = ["--inverse", "--moving", files / "scan.nii.gz"]
    for name in ("back.txt", "ours.txt"):
        assert (
            warp(
                files, "template.nii.gz", "--transform", files / name, *back, out=name[:4] + ".nii"
            )
            == 0
        )
    np.testing.assert_allclose(result(files, "back.nii"), result(files, "ours.nii"), atol=1e-4)


def test_flirt_files_take_both_images(files, capsys):
    chosen = ["--transform", files / "flirt.mat", *onto(files)]
    assert warp(files, "scan.nii.gz", *chosen) == 2
    assert "flirt.mat: is an affine of FLIRT" in capsys.readouterr().err
    assert not (files / "out").exists()
    assert warp(files, "scan.nii.gz", *chosen, "--moving", files / "scan.nii.gz") == 0
    scan, template = (read_map(files / f"{name}.nii.gz") for name in ("scan", "template"))
    matrix = world_matrix(FLIRT, scan.grid, template.grid)
    expected = warp_map(scan, Transform(matrix), template.grid).array
    np.testing.assert_allclose(result(files), expected, atol=1e-4)


def test_masks_and_labels_stay_what_they_are(files, capsys):
    chosen = ["--transform", files / "ours.txt", *onto(files)]
    grid = read_map(files / "template.nii.gz").grid
    assert warp(files, "lesion.nii.gz", *chosen) == 0
    mask = warp_mask(read_mask(files / "lesion.nii.gz"), TRANSFORM, grid)
    np.testing.assert_array_equal(result(files), mask.array)
    assert f"mm³ before, {mask.volume_mm3:,.0f} mm³ after" in capsys.readouterr().out
    assert warp(files, "atlas.nii.gz", *chosen, out="atlas_out.nii") == 0
    expected = warp_labels(read_map(files / "atlas.nii.gz"), TRANSFORM, grid).array
    np.testing.assert_array_equal(result(files, "atlas_out.nii"), expected)
    assert nib.load(files / "atlas_out.nii").get_data_dtype() == np.int16
    assert "taken for labels" in capsys.readouterr().err


def test_what_an_image_is_may_be_said(files):
    chosen = ["--transform", files / "ours.txt", *onto(files), "--overwrite"]
    assert warp(files, "lesion.nii.gz", *chosen, "--intensities") == 0
    assert np.mean((result(files) > 0) & (result(files) < 1)) > 0
    assert warp(files, "scan.nii.gz", *chosen, "--labels") == 2


def test_the_inverse_brings_back(files):
    chosen = ["--transform", files / "ours.txt", "--inverse", "--moving", files / "scan.nii.gz"]
    assert warp(files, "template.nii.gz", *chosen) == 0
    template = read_map(files / "template.nii.gz")
    expected = warp_map(template, TRANSFORM.inverse(), read_map(files / "scan.nii.gz").grid)
    np.testing.assert_allclose(result(files), expected.array, atol=1e-4)


def test_several_are_applied_in_their_order(files):
    second = Transform(affine((1.1, 1, 1), (0, 7, 0)))
    (files / "second.txt").write_bytes(matrix_text(second))
    both = ["--transform", files / "ours.txt", "--transform", files / "second.txt"]
    assert warp(files, "scan.nii.gz", *both, *onto(files)) == 0
    chained = Transform(second.matrix @ TRANSFORM.matrix)
    scan, template = (read_map(files / f"{name}.nii.gz") for name in ("scan", "template"))
    expected = warp_map(scan, chained, template.grid).array
    np.testing.assert_allclose(result(files), expected, atol=1e-3)
    flirt = ["--transform", files / "ours.txt", "--transform", files / "flirt.mat"]
    both_images = [*onto(files), "--moving", files / "scan.nii.gz", "--overwrite"]
    assert warp(files, "scan.nii.gz", *flirt, *both_images) == 2


def test_an_affine_and_a_field_are_those_of_ants(files):
    """antsApplyTransforms -t field -t affine: points take the field first, images the affine."""
    grid = read_map(files / "template.nii.gz").grid
    generator = np.random.default_rng(3)
    field = Field(grid, generator.uniform(-2, 2, (*grid.shape, 3)).astype(np.float32))
    (files / "1Warp.nii.gz").write_bytes(field_bytes(field, "1Warp.nii.gz"))
    both = ["--transform", files / "ants.mat", "--transform", files / "1Warp.nii.gz"]
    assert warp(files, "scan.nii.gz", *both, *onto(files)) == 0
    moved = sitk.DisplacementFieldTransform(
        sitk.Cast(sitk.ReadImage(str(files / "1Warp.nii.gz")), sitk.sitkVectorFloat64)
    )
    # Of a composite, the last one is applied to points first.
    composite = sitk.CompositeTransform([sitk.ReadTransform(str(files / "ants.mat")), moved])
    scan = read_map(files / "scan.nii.gz")
    expected = resampled(scan.array.astype(float), scan.grid, composite, grid)
    # At the faces of the scan a thousandth of a voxel decides between a value and 0.
    close = np.isclose(result(files), expected, atol=0.05)
    assert close.mean() > 0.999
    assert warp(files, "scan.nii.gz", *both, *onto(files), "--overwrite", "--inverse") == 2


def test_a_field_has_no_inverse_and_the_sentence_says_what_to_give(files, capsys):
    grid = read_map(files / "template.nii.gz").grid
    field = Field(grid, np.ones((*grid.shape, 3), np.float32))
    (files / "1Warp.nii.gz").write_bytes(field_bytes(field, "1Warp.nii.gz"))
    chosen = ["--transform", files / "1Warp.nii.gz", "--inverse", "--moving", files / "scan.nii.gz"]
    for more in ([], onto(files)):
        assert warp(files, "template.nii.gz", *chosen, *more) == 2
        said = capsys.readouterr().err
        assert "1Warp.nii.gz: is a displacement field, which leads one way" in said
        assert "give the file of its inverse with --template in place of --inverse" in said


def test_a_template_that_does_not_say_where_left_is_is_told(files, capsys):
    array = np.asarray(nib.load(files / "template.nii.gz").dataobj)
    image = nib.Nifti1Image(array, None)
    nib.save(image, files / "unknown.nii.gz")
    chosen = ["--transform", files / "ours.txt", "--template", files / "unknown.nii.gz"]
    assert warp(files, "scan.nii.gz", *chosen) == 0
    said = capsys.readouterr().err
    assert "unknown.nii.gz: orientation unknown" in said
    assert "standard space" not in said
    provenance = json.loads((files / "out" / "warped.provenance.json").read_text())
    assert any("orientation unknown" in note for note in provenance["counts"]["notes"])


def test_provenance_names_all_files_and_the_matrix(files):
    assert warp(files, "scan.nii.gz", "--transform", files / "ours.txt", *onto(files)) == 0
    provenance = json.loads((files / "out" / "warped.provenance.json").read_text())
    assert provenance["command"] == "warp"
    np.testing.assert_allclose(provenance["counts"]["matrix"], TRANSFORM.matrix)
    for one in provenance["inputs"]:
        content = (files / one["file"]).read_bytes()
        assert one["sha256"] == hashlib.sha256(content).hexdigest()
    written = (files / "out" / "warped.nii.gz").read_bytes()
    assert provenance["outputs"]["warped.nii.gz"] == hashlib.sha256(written).hexdigest()


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (["--transform", "ours.txt"], "--template: is needed"),
        (["--transform", "ours.txt", "--inverse"], "--moving: is needed"),
        (["--transform", "no.txt", "--template", "template.nii.gz"], "no.txt: file not found"),
        (["--transform", "ours.txt", "--template", "no.nii.gz"], "no.nii.gz: file not found"),
        (["--transform", "scan.nii.gz", "--template", "scan.nii.gz"], "not a displacement field"),
        (["--transform", "flirt.mat", "--template", "scan.nii.gz"], "is an affine of FLIRT"),
    ],
)
def test_bad_choices_are_one_sentence_and_leave_nothing(files, monkeypatch, capsys, more, match):
    monkeypatch.chdir(files)
    assert warp(files, "scan.nii.gz", *more) == 2
    said = capsys.readouterr().err
    assert match in said
    assert len(said.splitlines()) == 1
    assert not (files / "out").exists()


def test_results_are_images_and_are_not_replaced(files, capsys):
    chosen = ["--transform", files / "ours.txt", *onto(files)]
    assert warp(files, "scan.nii.gz", *chosen, out="warped.txt") == 2
    assert "let it end in .nii.gz or .nii" in capsys.readouterr().err
    assert warp(files, "scan.nii.gz", *chosen) == 0
    assert warp(files, "scan.nii.gz", *chosen) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_an_input_is_not_replaced_by_its_own_result(files, capsys):
    """Nor under another spelling of its name."""
    scan = files / "scan.nii.gz"
    before = scan.read_bytes()
    (files / "out").mkdir()
    more = ("--transform", files / "ours.txt", "--template", scan, "--overwrite")
    assert warp(files, "scan.nii.gz", *more, out="out/../scan.nii.gz") == 2
    assert "is read and would be replaced by its own result" in capsys.readouterr().err
    assert scan.read_bytes() == before
