"""`lesion-dash register`: its files, what it says, and what is left where it fails."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import cache

import nibabel as nib
import numpy as np
import pytest
from buckets import empty_bucket, upload
from heads import make_head, make_pose
from registered import MOVING_GRID, intensities, labels, make_registered

from lesion_dash import cli
from lesion_dash.analyses import registration_files as registration_report
from lesion_dash.analyses.registration_files import (
    all_notes,
    file_names,
    image_bytes,
    other_names,
    quality_report,
    refused_picture,
    registration_files,
)
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.scans.registration import register
from lesion_dash.scans.registration.register import read_inputs
from lesion_dash.scans.registration.task import NotCredible, Registration
from lesion_dash.transforms.files import read_transform

LINEAR = {
    "registered_image.nii.gz",
    "registered_lesion.nii.gz",
    "registered_regions.nii.gz",
    "registered_flair.nii.gz",
    "transform_moving_to_template.txt",
    "transform_template_to_moving.txt",
    "transform_itk.txt",
    "quality.json",
    "overlay.png",
    "checkerboard.png",
    "provenance.json",
}


def registered(kind: str = "affine") -> Registration:
    """A coarse one: what is tested does not depend on its voxels."""
    return make_registered(kind, 8)


@cache
def files_of(kind: str = "affine") -> dict[str, bytes]:
    return registration_files(registered(kind), {"moving": "scan.nii.gz"})


def loaded(content: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(content))


@pytest.mark.parametrize("kind", ["affine", "deformable"])
def test_the_files_are_those_that_are_announced(kind):
    names = file_names(kind, True, ["regions", "flair"])
    assert list(files_of(kind)) == names
    if kind == "affine":
        assert set(names) == LINEAR
    fields = {"transform_itk_affine.txt", "to_moving_field.nii.gz", "to_template_field.nii.gz"}
    assert (fields <= set(names)) == (kind == "deformable")


def test_images_stay_what_they_are():
    files, found = files_of(), registered()
    image = loaded(files["registered_image.nii.gz"])
    np.testing.assert_array_equal(np.asarray(image.dataobj), found.image.array)
    np.testing.assert_allclose(image.affine, registered().template.grid.affine)
    lesion = loaded(files["registered_lesion.nii.gz"])
    assert lesion.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(lesion.dataobj), found.lesion.array)
    regions = loaded(files["registered_regions.nii.gz"])
    assert regions.get_data_dtype() == np.int16
    assert set(np.unique(np.asarray(regions.dataobj))) == {0, 3, 5}
    assert loaded(files["registered_flair.nii.gz"]).get_data_dtype() == np.float32
    notes = all_notes(found)
    assert any(note.startswith("regions: ") and "taken for labels" in note for note in notes)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([0, 3], np.uint8), np.int16),
        (np.array([-5, 3], np.int64), np.int16),
        (np.array([0, 70_000]), np.int32),
        (np.array([-70_000, 1]), np.float32),
        (np.array([0.0, 0.5]), np.float32),
    ],
)
def test_whole_numbers_stay_whole(values, dtype):
    found = Map("numbers", values.reshape(2, 1, 1), Grid((2, 1, 1), np.eye(4)), "", "")
    image = loaded(image_bytes(found, "numbers.nii.gz"))
    assert image.get_data_dtype() == dtype
    np.testing.assert_array_equal(np.asarray(image.dataobj).ravel(), values)


def test_every_file_of_the_transform_is_read_back(tmp_path):
    matrix = registered().transform.matrix
    for way in ("moving_to_template", "template_to_moving", "itk"):
        path = tmp_path / f"transform_{way}.txt"
        path.write_bytes(files_of("affine")[path.name])
        np.testing.assert_allclose(read_transform(path).matrix, matrix, atol=1e-9)
    path = tmp_path / "to_moving_field.nii.gz"
    path.write_bytes(files_of("deformable")[path.name])
    field = registered("deformable").transform.to_moving
    np.testing.assert_array_equal(read_transform(path).to_moving.mm, field.mm)


def test_the_native_volume_is_the_volume():
    found = registered()
    report = json.loads(files_of()["quality.json"])
    assert report["native_volume_mm3"] == pytest.approx(found.native_lesion.volume_mm3)
    assert report["volume_in_template_mm3"] == pytest.approx(found.lesion.volume_mm3)
    assert report["similarity_after"] == 0.74
    assert report["notes"][0] == "the template is small"
    quality = replace(found.quality, similarity_before=float("nan"))
    odd = quality_report(replace(found, lesion=None, native_lesion=None, quality=quality))
    assert "native_volume_mm3" not in odd
    assert odd["similarity_before"] is None  # JSON has no NaN


def test_no_password_of_a_url_is_kept(files):
    with empty_bucket() as bucket:
        place = upload(files, bucket, "memory://me:secret@bucket")
        scan, template, stroke, flair = (
            f"{place}/{name}.nii.gz" for name in ("scan", "template", "stroke", "flair")
        )
        inputs = read_inputs(scan, template, stroke, (flair,), "affine")
    shown = "memory://***@bucket"
    names = ["scan", "template", "stroke", "flair"]
    assert list(inputs.sources) == [f"{shown}/{name}.nii.gz" for name in names]


@pytest.mark.parametrize(
    ("others", "names"),
    [
        (["image", "Image"], ["registered_image_2.nii.gz", "registered_Image_3.nii.gz"]),
        (["a b/c", "a:b:c"], ["registered_a_b_c.nii.gz", "registered_a_b_c_2.nii.gz"]),
        (["lesion"], ["registered_lesion_2.nii.gz"]),
        (["x" * 300], [f"registered_{'x' * 80}.nii.gz"]),
    ],
)
def test_names_that_clash_are_numbered(others, names):
    assert other_names(others) == names


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    pose = make_pose((6, -4, 8), (6, -4, 5), 1.05)
    arrays = {
        "scan": (make_head(MOVING_GRID, pose, noise=3), MOVING_GRID),
        "template": (make_head(registered().template.grid), registered().template.grid),
        "regions": (labels().array, MOVING_GRID),
        "flair": (intensities().array, MOVING_GRID),
        "stroke": (registered().native_lesion.array.astype(np.uint8), MOVING_GRID),
    }
    for name, (array, grid) in arrays.items():
        image = nib.Nifti1Image(array, grid.affine)
        image.set_sform(grid.affine, 4)
        image.set_qform(grid.affine, 4)
        nib.save(image, folder / f"{name}.nii.gz")
    return folder


@pytest.fixture
def files(images, tmp_path):
    """A folder of its own with all images."""
    for path in images.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


def run(files, *more, template="template.nii.gz") -> int:
    place = template if template == "mni152" else files / template
    arguments = ["register", files / "scan.nii.gz", "--template", place, "-o", files / "out"]
    return cli.main([str(argument) for argument in (*arguments, *more)])


@pytest.fixture
def engine(monkeypatch):
    """In place of an engine, a registration that is known; what it was asked for is kept."""
    asked = {}

    def register_image(moving, template, kind, **more):
        asked.update(more, moving=moving, template=template, kind=kind)
        return registered(kind)

    monkeypatch.setattr(register, "register_image", register_image)
    without_pictures(monkeypatch)
    return asked


def without_pictures(monkeypatch) -> None:
    """They take most of the time, and have tests of their own."""
    monkeypatch.setattr(registration_report, "figure_bytes", lambda figure, dpi: b"PNG")
    for name in ("draw_overlay", "draw_checkerboard"):
        monkeypatch.setattr(registration_report, name, lambda *arguments: None)


def everything(files) -> list[str]:
    lesion = ["--lesion", files / "stroke.nii.gz"]
    return [*lesion, "--with", files / "regions.nii.gz", files / "flair.nii.gz"]


def test_the_command_writes_all_and_says_the_volume(files, engine, capsys):
    assert run(files, *everything(files)) == 0
    assert {file.name for file in (files / "out").iterdir()} == LINEAR
    assert engine["kind"] == "affine"
    assert engine["others"] == [str(files / name) for name in ("regions.nii.gz", "flair.nii.gz")]
    said = capsys.readouterr()
    native = registered().native_lesion.volume_mm3
    assert f"lesion volume: {native:,.0f} mm³ in its own image, the one to report" in said.out
    assert "mm³ in the template)" in said.out
    assert "scan on template: affine by SimpleITK 0.0" in said.out
    assert "11 files in" in said.out
    assert "note: regions: holds whole numbers" in said.err


def test_nothing_of_an_earlier_run_stays_beside_later_results(files, engine, monkeypatch):
    """An affine's transform and a lesion would be taken for those of the warp."""
    assert run(files, *everything(files)) == 0
    (files / "out" / "refused.png").write_bytes(b"earlier")
    (files / "out" / "mine.txt").write_text("kept")
    (files / "out" / "registered_flair.nii.gz").write_text("changed since, and kept")
    later = replace(registered("deformable"), lesion=None, native_lesion=None, others=())
    monkeypatch.setattr(register, "register_image", lambda *arguments, **more: later)
    assert run(files, "--kind", "deformable", "--overwrite") == 0
    assert {file.name for file in (files / "out").iterdir()} == {
        *file_names("deformable"),
        "mine.txt",
        "registered_flair.nii.gz",
    }


def test_an_earlier_file_that_cannot_be_removed_is_told_beside_the_results(files, engine, capsys):
    (files / "out" / "refused.png").mkdir(parents=True)
    assert run(files, *everything(files)) == 0
    assert (files / "out" / "provenance.json").exists()
    assert (
        "refused.png contradicts these results and cannot be removed: " in capsys.readouterr().err
    )


def refuse(monkeypatch, found) -> None:
    def register_image(*arguments, **more):
        error = NotCredible("scan", "was not found", "look at it", ("a reason",))
        error.registration = found
        raise error

    monkeypatch.setattr(register, "register_image", register_image)


def test_what_is_not_credible_is_shown_and_not_written(files, monkeypatch, capsys):
    refuse(monkeypatch, registered())
    assert run(files, "--lesion", files / "stroke.nii.gz") == 2
    assert [file.name for file in (files / "out").iterdir()] == ["refused.png"]
    said = capsys.readouterr().err
    assert f"was not found; look at it; {files / 'out' / 'refused.png'} shows it" in said
    assert "a reason" in said
    assert (files / "out" / "refused.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_picture_nothing_is_left(files, monkeypatch, capsys):
    refuse(monkeypatch, None)
    assert run(files) == 2
    assert not (files / "out").exists()
    assert "scan: was not found; look at it" in capsys.readouterr().err
    assert refused_picture(NotCredible("scan", "was not found")) is None


def test_an_interrupt_leaves_nothing(files, monkeypatch, capsys):
    def stop(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(register, "register_image", stop)
    assert run(files) == 130
    assert not (files / "out").exists()
    assert "stopped by the user" in capsys.readouterr().err


def test_the_terminal_shows_how_far_it_is(files, monkeypatch, capsys):
    def register_image(*arguments, report, **more):
        report(0.25, "searching")
        report(2.0, "polishing")
        return registered()

    monkeypatch.setattr(register, "register_image", register_image)
    without_pictures(monkeypatch)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert run(files, *everything(files)) == 0
    shown = capsys.readouterr().err
    assert "searching" in shown
    assert "100 %" in shown


def test_mni152_is_the_template_that_is_shipped(files, engine):
    assert run(files, *everything(files), template="mni152") == 0
    assert isinstance(engine["template"], Map)
    assert (engine["template"].name, engine["template"].grid.shape) == ("mni152", (197, 233, 189))


def test_a_mask_on_another_grid_is_refused(files, capsys):
    assert run(files, "--lesion", files / "template.nii.gz") == 2
    assert "lesion-dash: error: " in capsys.readouterr().err
    assert not (files / "out").exists()
    with pytest.raises(InputError, match=r"none of rigid, affine, deformable"):
        register.register_image(files / "scan.nii.gz", files / "template.nii.gz", "odd")
