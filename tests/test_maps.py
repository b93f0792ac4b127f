"""Maps and label images: values as they are stored, what is refused, what is written."""

from __future__ import annotations

import hashlib

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, image, save, set_scaling

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map, as_map, nifti_bytes, nifti_parts, read_labels, read_map
from lesion_dash.images.masks import Mask
from lesion_dash.images.nifti import make_image

GRID = Grid(SHAPE, AFFINE)
VALUES = np.random.default_rng(0).normal(size=SHAPE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8, np.int32])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_values_and_their_type_are_those_of_the_file(tmp_path, dtype, ending):
    array = (20 * np.abs(VALUES)).astype(dtype)
    path = save(tmp_path / f"t_map{ending}", array)
    read = read_map(path)
    np.testing.assert_array_equal(read.array, array)
    assert read.array.dtype == dtype
    assert (read.name, read.grid) == ("t_map", GRID)
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not read.array.flags.writeable


def test_values_that_the_file_scales_or_swaps_are_those_nibabel_gives(tmp_path):
    scaled = image(VALUES)
    scaled.set_data_dtype(np.int16)
    swapped = nib.Nifti1Image(VALUES.astype(">f4"), AFFINE, nib.Nifti1Header(endianness=">"))
    for made in (scaled, swapped):
        nib.save(made, tmp_path / "a.nii.gz")
        expected = nib.load(tmp_path / "a.nii.gz")
        assert (expected.dataobj.slope != 1) == (made is scaled)
        array = read_map(tmp_path / "a.nii.gz").array
        np.testing.assert_array_equal(array, expected.get_fdata())
        assert array.dtype.isnative


def test_nan_is_kept_and_counted():
    array = VALUES.copy()
    array[0, :3, 0] = np.nan
    read = read_map(image(array))
    np.testing.assert_array_equal(read.array, array)
    assert "NaN treated as background in 3 voxels" in read.notes


def test_a_map_a_mask_and_an_image_are_maps():
    read = read_map(image(VALUES[..., None]))  # a single volume with four axes
    assert as_map(read) is read
    np.testing.assert_array_equal(read.array, VALUES)
    assert read.value_at([-7, -9, -8]) == VALUES[0, 0, 0]
    assert np.isnan(read.value_at([999, 0, 0]))
    mask = as_map(Mask.from_array(VALUES > 0, GRID, "mask"))
    assert isinstance(mask, Map)
    np.testing.assert_array_equal(mask.array, VALUES > 0)
    np.testing.assert_array_equal(as_map(image(VALUES)).array, VALUES)


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((2, 2, 2)), r"made: array of shape \(2, 2, 2\) on a grid of \(7, 9, 8\)"),
        (np.zeros(SHAPE, complex), "made: holds values of type complex128; give real numbers"),
        (np.full(SHAPE, np.inf), "made: holds an infinite value; replace it by NaN or 0"),
    ],
)
def test_a_map_made_by_hand_is_checked(array, match):
    with pytest.raises(InputError, match=match):
        as_map(Map("made", array, GRID, "", ""))


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.where(VALUES.max() == VALUES, np.inf, 0), "infinite value in 1 voxel; replace it by"),
        (np.where(VALUES.max() == VALUES, -np.inf, 0), "infinite value in 1 voxel; replace it by"),
        (np.zeros((*SHAPE, 2), np.float32), "several volumes: 2 in one file, one expected"),
    ],
)
def test_what_is_no_map_is_refused(tmp_path, array, match):
    with pytest.raises(InputError, match=rf"t\.nii\.gz: {match}"):
        read_map(save(tmp_path / "t.nii.gz", array))


def test_labels_are_whole_numbers_of_any_size(tmp_path):
    labels = np.where(VALUES > 0, 2_000_000_000, 7).astype(np.int32)
    array, grid, _, notes = read_labels(save(tmp_path / "a.nii.gz", labels))
    np.testing.assert_array_equal(array, labels)
    assert (grid, notes) == (GRID, ())
    as_floats = save(tmp_path / "b.nii.gz", (labels % 100).astype(np.float32))
    np.testing.assert_array_equal(read_labels(as_floats)[0], labels % 100)


@pytest.mark.parametrize(
    ("array", "intercept", "match"),
    [
        ((VALUES > 0).astype(np.float32) * 1.5, 0, "not whole numbers"),
        (np.full(SHAPE, np.inf, np.float32), 0, "larger than"),
        (np.full(SHAPE, 1e20, np.float32), 0, "larger than"),
        # Half a step off whole numbers, where steps are wide.
        (np.arange(VALUES.size, dtype=np.int16).reshape(SHAPE), 0.5, "not whole numbers"),
    ],
)
def test_values_that_are_no_labels_are_refused(tmp_path, array, intercept, match):
    with pytest.raises(InputError, match=match):
        read_labels(set_scaling(save(tmp_path / "a.nii", array), 1.0, intercept))


def test_a_map_goes_to_a_file_as_float32_in_its_space():
    made = Map("mean", VALUES, GRID, "mm³", "text").to_nifti()
    assert made.get_data_dtype() == np.float32
    np.testing.assert_array_equal(made.get_fdata(), VALUES.astype(np.float32))
    np.testing.assert_array_equal(made.affine, AFFINE)
    assert made.header["sform_code"] == 4


@pytest.mark.parametrize("dtype", ["f4", "u1", ">i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_parts_of_an_image_are_the_file_nibabel_writes(dtype, order):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype, order=order)
    made = make_image(Grid((2, 3, 4), np.diag([2, 2, 2, 1])), array, "test")
    assert nifti_bytes(made) == made.to_bytes()
    assert b"".join(nifti_parts(made)) == made.to_bytes()
