"""`lesion-dash warp`: transforms of FSL, ANTs, ITK and ours, applied to images and masks."""

from __future__ import annotations

import json
from pathlib import Path

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
ONTO = ("--template", "template.nii.gz")
BACK = ("--inverse", "--moving", "scan.nii.gz")


def save(name: str, array, grid: Grid) -> None:
    image = nib.Nifti1Image(array, grid.affine)
    image.set_sform(grid.affine, 2)
    image.set_qform(grid.affine, 2)
    nib.save(image, name)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch) -> None:
    """Images of two spaces, and one transform between them in the files of several programs."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    x, y, z = np.indices(MOVING.shape)
    save("scan.nii.gz", generator.normal(90, 9, MOVING.shape).astype(np.float32), MOVING)
    save("atlas.nii.gz", (x // 5 + 4 * (y // 6)).astype(np.int16), MOVING)
    ball = (x - 9) ** 2 + (y - 12) ** 2 + (z - 9) ** 2 < 25
    save("lesion.nii.gz", ball.astype(np.uint8), MOVING)
    save("template.nii.gz", generator.random(TEMPLATE.shape).astype("f4"), TEMPLATE)
    Path("ours.txt").write_bytes(matrix_text(TRANSFORM))
    Path("back.txt").write_bytes(matrix_text(TRANSFORM, inverse=True))
    Path("itk.tfm").write_bytes(itk_text(TRANSFORM))
    sitk.WriteTransform(sitk.ReadTransform("itk.tfm"), "ants.mat")
    np.savetxt("flirt.mat", FLIRT)


def warp(image: str, transforms: str, *options: str, out: str = "out.nii.gz") -> int:
    ways = [word for name in transforms.split() for word in ("--transform", name)]
    return cli.main(["warp", image, *ways, "-o", out, "--overwrite", *options])


def result(name: str = "out.nii.gz") -> np.ndarray:
    return np.asarray(nib.load(name).dataobj)


def images() -> tuple:
    """The scan, and the grid of the template, as they are read."""
    return read_map("scan.nii.gz"), read_map("template.nii.gz").grid


@pytest.mark.parametrize("name", ["ours.txt", "itk.tfm", "ants.mat"])
def test_one_transform_in_three_files_gives_one_image(name):
    assert warp("scan.nii.gz", name, *ONTO) == 0
    scan, grid = images()
    expected = resampled(scan.array.astype(float), scan.grid, sitk.ReadTransform("itk.tfm"), grid)
    np.testing.assert_allclose(result(), expected, atol=1e-3)
    matrix = json.loads(Path("out.provenance.json").read_text())["counts"]["matrix"]
    np.testing.assert_allclose(matrix, TRANSFORM.matrix, atol=1e-9)


def test_mni152_is_the_brain_that_is_shipped():
    # Takes seconds: the template has 8.7 million voxels.
    assert warp("lesion.nii.gz", "ours.txt", "--template", "mni152") == 0
    template = load_template()
    np.testing.assert_array_equal(nib.load("out.nii.gz").affine, template.affine)
    mask = warp_mask(read_mask("lesion.nii.gz"), TRANSFORM, Grid(template.shape, template.affine))
    assert int(result().sum()) == mask.voxels > 0
    provenance = json.loads(Path("out.provenance.json").read_text())
    assert provenance["parameters"]["template"] == "mni152"


def test_a_file_of_the_way_back_is_not_turned_round_silently(capsys):
    assert warp("scan.nii.gz", "back.txt", *ONTO) == 2
    assert "back.txt: leads from the template to the moving image" in capsys.readouterr().err
    for name in ("back", "ours"):
        assert warp("template.nii.gz", f"{name}.txt", *BACK, out=f"{name}.nii") == 0
    np.testing.assert_allclose(result("back.nii"), result("ours.nii"), atol=1e-4)
    template = read_map("template.nii.gz")
    expected = warp_map(template, TRANSFORM.inverse(), images()[0].grid)
    np.testing.assert_allclose(result("ours.nii"), expected.array, atol=1e-4)


def test_flirt_files_take_both_images(capsys):
    assert warp("scan.nii.gz", "flirt.mat", *ONTO) == 2
    assert "flirt.mat: is an affine of FLIRT" in capsys.readouterr().err
    assert not Path("out.nii.gz").exists()
    assert warp("scan.nii.gz", "flirt.mat", *ONTO, "--moving", "scan.nii.gz") == 0
    scan, grid = images()
    matrix = world_matrix(FLIRT, scan.grid, grid)
    np.testing.assert_allclose(result(), warp_map(scan, Transform(matrix), grid).array, atol=1e-4)


def test_masks_and_labels_stay_what_they_are_unless_it_is_said(capsys):
    grid = images()[1]
    assert warp("lesion.nii.gz", "ours.txt", *ONTO) == 0
    mask = warp_mask(read_mask("lesion.nii.gz"), TRANSFORM, grid)
    np.testing.assert_array_equal(result(), mask.array)
    assert f"mm³ before, {mask.volume_mm3:,.0f} mm³ after" in capsys.readouterr().out
    assert warp("atlas.nii.gz", "ours.txt", *ONTO) == 0
    expected = warp_labels(read_map("atlas.nii.gz"), TRANSFORM, grid).array
    np.testing.assert_array_equal(result(), expected)
    assert nib.load("out.nii.gz").get_data_dtype() == np.int16
    assert "taken for labels" in capsys.readouterr().err
    assert warp("lesion.nii.gz", "ours.txt", *ONTO, "--intensities") == 0
    assert np.mean((result() > 0) & (result() < 1)) > 0
    assert warp("scan.nii.gz", "ours.txt", *ONTO, "--labels") == 2


def test_several_are_applied_in_their_order():
    second = Transform(affine((1.1, 1, 1), (0, 7, 0)))
    Path("second.txt").write_bytes(matrix_text(second))
    assert warp("scan.nii.gz", "ours.txt second.txt", *ONTO) == 0
    scan, grid = images()
    chained = Transform(second.matrix @ TRANSFORM.matrix)
    np.testing.assert_allclose(result(), warp_map(scan, chained, grid).array, atol=1e-3)
    assert warp("scan.nii.gz", "ours.txt flirt.mat", *ONTO, "--moving", "scan.nii.gz") == 2


def test_an_affine_and_a_field_are_those_of_ants():
    """antsApplyTransforms -t field -t affine: points take the field first, images the affine."""
    scan, grid = images()
    field = np.random.default_rng(3).uniform(-2, 2, (*grid.shape, 3)).astype(np.float32)
    Path("1Warp.nii.gz").write_bytes(field_bytes(Field(grid, field), "1Warp.nii.gz"))
    assert warp("scan.nii.gz", "ants.mat 1Warp.nii.gz", *ONTO) == 0
    moved = sitk.DisplacementFieldTransform(
        sitk.Cast(sitk.ReadImage("1Warp.nii.gz"), sitk.sitkVectorFloat64)
    )
    # Of a composite, the last one is applied to points first.
    composite = sitk.CompositeTransform([sitk.ReadTransform("ants.mat"), moved])
    expected = resampled(scan.array.astype(float), scan.grid, composite, grid)
    # At the faces of the scan a thousandth of a voxel decides between a value and 0.
    assert np.isclose(result(), expected, atol=0.05).mean() > 0.999
    assert warp("scan.nii.gz", "ants.mat 1Warp.nii.gz", *ONTO, "--inverse") == 2


def test_a_field_has_no_inverse_and_the_sentence_says_what_to_give(capsys):
    grid = images()[1]
    field = Field(grid, np.ones((*grid.shape, 3), np.float32))
    Path("1Warp.nii.gz").write_bytes(field_bytes(field, "1Warp.nii.gz"))
    for more in ((), ONTO):
        assert warp("template.nii.gz", "1Warp.nii.gz", *BACK, *more) == 2
        error = capsys.readouterr().err
        assert "1Warp.nii.gz: is a displacement field, which leads one way" in error
        assert "give the file of its inverse with --template in place of --inverse" in error


def test_a_template_that_does_not_say_where_left_is_is_noted(capsys):
    nib.save(nib.Nifti1Image(np.asarray(nib.load(ONTO[1]).dataobj), None), "unknown.nii.gz")
    assert warp("scan.nii.gz", "ours.txt", "--template", "unknown.nii.gz") == 0
    error = capsys.readouterr().err
    assert "unknown.nii.gz: orientation unknown" in error
    assert "standard space" not in error
    notes = json.loads(Path("out.provenance.json").read_text())["counts"]["notes"]
    assert any("orientation unknown" in note for note in notes)


@pytest.mark.parametrize(
    ("transform", "options", "problem"),
    [
        ("ours.txt", (), "--template: is missing"),
        ("ours.txt", ("--inverse",), "--moving: is missing"),
        ("no.txt", ONTO, "no.txt: file not found"),
        ("ours.txt", ("--template", "no.nii.gz"), "no.nii.gz: file not found"),
        ("scan.nii.gz", ("--template", "scan.nii.gz"), "not a displacement field"),
        ("flirt.mat", ONTO, "is an affine of FLIRT"),
    ],
)
def test_bad_choices_are_one_sentence_and_leave_nothing(capsys, transform, options, problem):
    assert warp("scan.nii.gz", transform, *options, out="out/warped.nii.gz") == 2
    error = capsys.readouterr().err
    assert problem in error
    assert len(error.splitlines()) == 1
    assert not Path("out").exists()


def test_an_input_is_not_replaced_by_its_own_result(capsys):
    """Nor under another spelling of its name."""
    before = Path("scan.nii.gz").read_bytes()
    Path("out").mkdir()
    assert warp("scan.nii.gz", "ours.txt", *ONTO, out="out/../scan.nii.gz") == 2
    assert "is read and would be replaced by its own result" in capsys.readouterr().err
    assert Path("scan.nii.gz").read_bytes() == before
