"""Masks on the grid of an image, and what is said of a file that is not a mask."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, image, save

from lesion_dash import cli
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.masks import Mask
from lesion_dash.scans.placing import binary_mask, place_mask

GRID = Grid(SHAPE, AFFINE)
LABELS = np.random.default_rng(0).choice([0, 1, 2], SHAPE).astype(np.uint8)
CHANCES = np.random.default_rng(0).random(SHAPE).astype(np.float32)
COMMAND = "give a mask: `lesion-dash mask IMAGE --prob THIS_FILE` cuts"


def test_a_mask_is_what_it_was(tmp_path):
    path = save(tmp_path / "lens_mask.nii.gz", (LABELS == 1).astype(np.uint8))
    mask = binary_mask(path)
    assert binary_mask(mask) is mask
    for source in (path, nib.load(path)):
        np.testing.assert_array_equal(binary_mask(source).array, LABELS == 1)
    for array in (LABELS, CHANCES):
        for source in (save(path, array), nib.load(path), image(array)):
            with pytest.raises(InputError, match=COMMAND):
                binary_mask(source)


@pytest.mark.parametrize("name", ["lens_mask.nii.gz", "lens_mask.nii"])
def test_the_mask_beside_an_image_is_what_was_meant(tmp_path, name):
    path = save(tmp_path / "lens.nii.gz", CHANCES)
    for mask in (name, "other_mask.nii"):
        save(tmp_path / mask, (LABELS == 1).astype(np.uint8))
    with pytest.raises(InputError, match=f"give {name} beside it, its mask$"):
        binary_mask(path)


@pytest.mark.parametrize(
    "command",
    [
        "snr scan.nii --signal labels.nii",
        "snr scan.nii --signal good.nii --air labels.nii",
        "register scan.nii --template scan.nii --lesion labels.nii -o out",
    ],
)
def test_no_option_is_advised_that_the_command_lacks(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    large = np.random.default_rng(1).normal(size=(16, 16, 16))
    save(tmp_path / "scan.nii", large)
    save(tmp_path / "labels.nii", np.digitize(large, [0, 1]).astype(np.uint8))
    save(tmp_path / "good.nii", (large > 2).astype(np.uint8))
    assert cli.main(command.split()) == 2
    message = capsys.readouterr().err
    assert "labels.nii: more than one label" in message
    assert COMMAND in message
    assert "--label" not in message
    assert "--threshold" not in message


def test_a_mask_is_placed_by_its_voxels_centres():
    coarse = Grid((4, 5, 4), AFFINE @ np.diag([2.0, 2, 2, 1]))
    placed = place_mask(Mask.from_array(LABELS == 2, GRID, "nerve"), coarse).array
    for voxel in np.ndindex(coarse.shape):
        place = GRID.nearest_voxel(coarse.to_mm(voxel))
        assert placed[voxel] == (place is not None and LABELS[place] == 2)
    between = Mask.from_array(np.arange(504).reshape(SHAPE) == 80, GRID, "lens")
    match = r"lens: has no voxel on the image: its 8 mm³ lie between .* of 512 mm³; give a larger"
    with pytest.raises(InputError, match=match):
        place_mask(between, Grid((2, 2, 2), AFFINE @ np.diag([4.0, 4, 4, 1])))
