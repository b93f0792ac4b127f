"""Registering an image: its lesion and others come along, and what is wrong is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from unittest import mock

import nibabel as nib
import numpy as np
import pytest
from heads import WHOLE, apply, brain_points, errors, grid_around, make_grid, make_head, make_pose
from scipy import ndimage

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.scans import register_image
from lesion_dash.scans.registration.register import read_inputs
from lesion_dash.scans.registration.task import NotCredible
from lesion_dash.transforms.transform import points_of
from lesion_dash.transforms.warping import warp_map

GRID = make_grid(*WHOLE)
HEAD = Map("head", make_head(GRID), GRID, "", "")
POSE = make_pose((7, -5, 9), (14, -9, 6))


@pytest.fixture(scope="module")
def with_lesion():
    """A rigid registration of a head with a lesion of 80 mL, which looks like nothing known.

    It searches from ten starts as a user's does: some 5 s.
    """
    grid = grid_around(POSE, 6)
    centre = apply(np.linalg.inv(POSE), (-32, -10, 28))
    hurt = np.linalg.norm((points_of(grid) - centre) / [20, 34, 28], axis=-1) < 1
    array = make_head(grid, POSE, noise=3)
    array[hurt] = 8 + 4 * np.random.default_rng(0).random(hurt.sum())
    image = Map("scan", array, grid, "", "")
    mask = Mask.from_array(hurt, grid, "lesion")
    labels = Map("labels", np.where(hurt, 7, (array > 60) * 3).astype(np.uint8), grid, "", "")
    others, reports = [labels, replace(image, name="again")], []

    def report(done, label):
        reports.append((done, label))

    registration = register_image(image, HEAD, "rigid", lesion=mask, others=others, report=report)
    return registration, mask, reports


def test_a_lesion_and_images_come_along_as_what_they_are_to_their_place(with_lesion):
    registration, mask, _ = with_lesion
    inside = mask.grid.mm_of_index(mask.indices)
    assert errors(registration.transform, POSE, apply(POSE, inside)).max() < 2
    assert errors(registration.transform, POSE, brain_points()).mean() < 0.5
    linear = registration.transform.matrix[:3, :3]
    np.testing.assert_allclose(linear @ linear.T, np.eye(3), atol=1e-7)
    assert 60e3 < mask.volume_mm3 < 100e3
    assert registration.native_lesion is mask
    assert registration.lesion.grid == GRID
    assert registration.lesion.volume_mm3 == pytest.approx(mask.volume_mm3, rel=0.03)
    assert any("lesion" in note for note in registration.notes)
    labels, again = registration.others
    assert set(np.unique(labels.array)) == {0, 3, 7}
    assert labels.array.dtype == np.uint8
    expected = warp_map(registration.moving, registration.transform, GRID).array
    np.testing.assert_array_equal(registration.image.array, expected)
    np.testing.assert_array_equal(again.array, expected)


def test_quality_and_progress_are_reported(with_lesion):
    registration, _, reports = with_lesion
    quality = registration.quality
    assert quality.similarity_after > 0.6 > quality.similarity_before
    assert quality.coverage > 0.97
    assert quality.determinant == pytest.approx(1)
    assert quality.determinant == quality.smallest_jacobian == quality.largest_jacobian
    assert 2 <= quality.agreeing_starts <= quality.starts
    assert registration.engine.startswith("SimpleITK 2.")
    assert registration.seconds > 0
    assert 50 < registration.memory_mb < 3000
    progress = [done for done, _ in reports]
    assert progress == sorted(progress)
    assert 0 <= progress[0] <= progress[-1] <= 1


def test_something_else_is_refused_and_can_be_looked_at():
    array = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(20, 20, 20)), 1.5)
    noise = Map("noise", array.astype(np.float32), make_grid(100, 5), "", "")
    grid = make_grid(60, 4, (32, 60, -35))
    with pytest.raises(NotCredible, match="noise: registration to eye is not credible: ") as caught:
        register_image(noise, Map("eye", make_head(grid), grid, "", ""), "rigid")
    assert caught.value.registration.image.grid == grid
    assert caught.value.details


# --- What is refused --------------------------------------------------------------------------


def scan_of(array, grid=GRID) -> Map:
    return Map("scan", array, grid, "", "")


def lesion_of(voxels, grid=GRID) -> Mask:
    return Mask(grid, np.arange(voxels, dtype=np.int32), "lesion")


def nifti(shape, dtype) -> nib.Nifti1Image:
    return nib.Nifti1Image(np.zeros(shape, dtype), np.eye(4))


SHIFTED = Grid(GRID.shape, GRID.affine + 3 * np.eye(4, k=3))
FAR = Map("flair", np.random.default_rng(0).random((9, 9, 9)), make_grid(9, 1, 900), "", "")


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        ({"moving": scan_of(np.full(GRID.shape, 3))}, "scan: constant: every voxel is 3"),
        ({"moving": scan_of(np.full(GRID.shape, np.nan))}, "scan: holds no number but NaN"),
        (
            {"moving": scan_of(np.ones((60, 60, 1)), Grid((60, 60, 1), np.eye(4)))},
            "scan: 60 x 60 x 1 voxels: a slice",
        ),
        ({"moving": nifti((9, 9, 9, 5), np.float32)}, "several volumes: 5"),
        (
            {"moving": nifti((9, 9, 9), [(name, "u1") for name in "RGB"])},
            "not a volume of real numbers",
        ),
        ({"lesion": lesion_of(0)}, "lesion: the lesion mask is empty"),
        ({"lesion": lesion_of(HEAD.array.size)}, "covers 100% of what scan shows: inverted"),
        ({"lesion": lesion_of(1, SHIFTED)}, "is not on the grid.*give the mask on the grid of"),
        ({"others": [FAR]}, "flair: lies nowhere near scan"),
        ({"others": [HEAD, HEAD]}, "head: two images"),
    ],
)
def test_inputs_that_cannot_be_registered_are_refused(inputs, match):
    usual = {"moving": scan_of(HEAD.array), "template": HEAD, "lesion": None, "others": ()}
    with pytest.raises(InputError, match=match):
        read_inputs(**usual | inputs, kind="affine")


def test_images_too_large_for_the_memory_are_refused(monkeypatch):
    """Containers' limits: test_memory.py."""
    monkeypatch.setattr("psutil.virtual_memory", lambda: mock.Mock(available=1e6))
    with pytest.raises(InputError, match=r"takes about .* GB of memory, and 0.0 GB are free"):
        read_inputs(HEAD, HEAD, None, (), "affine")


def test_nan_is_background_and_files_are_named_with_their_sums(tmp_path):
    array, path = HEAD.array.copy(), tmp_path / "scan.nii.gz"
    array[:3] = np.nan
    nib.save(nib.Nifti1Image(array, GRID.affine), path)
    inputs = read_inputs(path, HEAD, None, (), "affine")
    assert np.isfinite(inputs.task("affine").moving.array).all()
    assert any("NaN" in note for note in inputs.notes)
    assert inputs.sources == {str(path): hashlib.sha256(path.read_bytes()).hexdigest()}


@pytest.mark.parametrize(
    ("kind", "engine", "match"),
    [
        ("elastic", "auto", "kind: 'elastic' is none of rigid, affine, deformable"),
        ("affine", "fnirt", "engine: 'fnirt' is none of auto, simpleitk"),
        ("deformable", "simpleitk", "simpleitk does no deformable registration"),
    ],
)
def test_kinds_and_engines_that_do_not_exist_are_refused(kind, engine, match):
    with pytest.raises(InputError, match=match):
        register_image(HEAD, HEAD, kind, engine=engine)
