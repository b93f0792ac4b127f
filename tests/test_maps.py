"""Maps and label images: values as they are stored, what is refused, what is written."""

from __future__ import annotations

import hashlib
import struct

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, image

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map, as_map, nifti_bytes, nifti_parts, read_labels, read_map
from lesion_dash.images.masks import Mask
from lesion_dash.images.nifti import make_image

GRID = Grid(SHAPE, AFFINE)
VALUES = np.random.default_rng(0).normal(size=SHAPE)


def save(path, array):
    nib.save(image(array), path)
    return path


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


def test_values_that_the_file_scales_are_those_nibabel_gives(tmp_path):
    made = image(VALUES)
    made.set_data_dtype(np.int16)
    nib.save(made, tmp_path / "scaled.nii.gz")
    expected = nib.load(tmp_path / "scaled.nii.gz")
    assert expected.dataobj.slope != 1
    np.testing.assert_array_equal(read_map(tmp_path / "scaled.nii.gz").array, expected.get_fdata())


def test_the_other_byte_order_is_read(tmp_path):
    swapped = nib.Nifti1Image(VALUES.astype(">f4"), AFFINE, nib.Nifti1Header(endianness=">"))
    nib.save(swapped, tmp_path / "swapped.nii")
    array = read_map(tmp_path / "swapped.nii").array
    np.testing.assert_array_equal(array, VALUES.astype(np.float32))
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
    mask = as_map(Mask.from_array(VALUES > 0, GRID, "mask"))
    assert isinstance(mask, Map)
    np.testing.assert_array_equal(mask.array, VALUES > 0)
    np.testing.assert_array_equal(as_map(image(VALUES)).array, VALUES)


def test_the_value_at_a_point_is_unknown_outside():
    made = Map("m", np.ones(SHAPE), GRID, "mm³", "")
    assert made.value_at([0, 0, 0]) == 1
    assert np.isnan(made.value_at([999, 0, 0]))


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
        (np.where(VALUES.max() == VALUES, np.inf, 0), "infinite value in 1 voxels; replace it by"),
        (np.where(VALUES.max() == VALUES, -np.inf, 0), "infinite value in 1 voxels; replace it by"),
        (np.zeros((*SHAPE, 2), np.float32), "several volumes: 2 in one file, one expected"),
    ],
)
def test_what_is_no_map_is_refused(tmp_path, array, match):
    with pytest.raises(InputError, match=rf"t\.nii\.gz: {match}"):
        read_map(save(tmp_path / "t.nii.gz", array))


def test_a_file_that_is_cut_off_or_missing_is_an_error(tmp_path):
    path = save(tmp_path / "t.nii.gz", VALUES)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"t.nii.gz: .*truncated"):
        read_map(path)
    with pytest.raises(InputError, match=r"none.nii: .*not found"):
        read_map(tmp_path / "none.nii")


def test_labels_are_whole_numbers_of_any_size(tmp_path):
    labels = np.where(VALUES > 0, 2_000_000_000, 7).astype(np.int32)
    array, grid, _, notes = read_labels(save(tmp_path / "a.nii.gz", labels))
    np.testing.assert_array_equal(array, labels)
    assert (grid, notes) == (GRID, ())
    as_floats = save(tmp_path / "b.nii.gz", (labels % 100).astype(np.float32))
    np.testing.assert_array_equal(read_labels(as_floats)[0], labels % 100)


@pytest.mark.parametrize(
    ("array", "match"),
    [
        ((VALUES > 0).astype(np.float32) * 1.5, "not whole numbers"),
        (np.full(SHAPE, np.inf, np.float32), "larger than"),
        (np.full(SHAPE, 1e20, np.float32), "larger than"),
    ],
)
def test_values_that_are_no_labels_are_refused(tmp_path, array, match):
    with pytest.raises(InputError, match=match):
        read_labels(save(tmp_path / "a.nii", array))


def test_labels_half_a_step_off_whole_numbers_are_refused_where_steps_are_wide(tmp_path):
    data = bytearray(image(np.arange(VALUES.size, dtype=np.int16).reshape(SHAPE)).to_bytes())
    struct.pack_into("<ff", data, 112, 1.0, 0.5)
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(InputError, match="not whole numbers"):
        read_labels(tmp_path / "a.nii")


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
