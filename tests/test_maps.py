"""Maps read from images: values as they are stored, and what is refused."""

from __future__ import annotations

import hashlib

import nibabel as nib
import numpy as np
import pytest
from phantoms import AFFINE, SHAPE, image

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map, as_map, read_map
from lesion_dash.images.masks import Mask

VALUES = np.random.default_rng(0).normal(size=SHAPE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8, np.int32])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_values_and_their_type_are_those_of_the_file(tmp_path, dtype, ending):
    array = (20 * np.abs(VALUES)).astype(dtype)
    path = tmp_path / f"t_map{ending}"
    nib.save(image(array), path)
    found = read_map(path)
    np.testing.assert_array_equal(found.array, array)
    assert found.array.dtype == dtype
    assert found.name == "t_map"
    assert found.grid == Grid(SHAPE, AFFINE)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not found.array.flags.writeable


def test_values_that_the_file_scales_are_those_nibabel_gives(tmp_path):
    made = image(VALUES)
    made.set_data_dtype(np.int16)
    nib.save(made, tmp_path / "scaled.nii.gz")
    expected = nib.load(tmp_path / "scaled.nii.gz")
    assert expected.dataobj.slope != 1
    found = read_map(tmp_path / "scaled.nii.gz")
    np.testing.assert_array_equal(found.array, expected.get_fdata())


def test_the_other_byte_order_is_read(tmp_path):
    swapped = nib.Nifti1Image(VALUES.astype(">f4"), AFFINE, nib.Nifti1Header(endianness=">"))
    swapped.set_sform(AFFINE, 4)
    nib.save(swapped, tmp_path / "swapped.nii")
    found = read_map(tmp_path / "swapped.nii")
    np.testing.assert_array_equal(found.array, VALUES.astype(np.float32))
    assert found.array.dtype.isnative


def test_nan_is_kept_and_counted():
    array = VALUES.copy()
    array[0, :3, 0] = np.nan
    found = read_map(image(array))
    np.testing.assert_array_equal(found.array, array)
    assert "NaN treated as background in 3 voxels" in found.notes


def test_a_map_a_mask_and_an_image_are_maps():
    found = read_map(image(VALUES))
    assert as_map(found) is found
    grid = Grid(SHAPE, AFFINE)
    array = VALUES > 0
    mask = as_map(Mask.from_array(array, grid, "mask"))
    assert isinstance(mask, Map)
    np.testing.assert_array_equal(mask.array, array)
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
        as_map(Map("made", array, Grid(SHAPE, AFFINE), "", ""))


def test_a_single_volume_with_four_axes_is_a_map():
    np.testing.assert_array_equal(read_map(image(VALUES[..., None])).array, VALUES)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_is_an_error(tmp_path, value):
    array = VALUES.copy()
    array[1, 2, :2] = value
    nib.save(image(array), tmp_path / "t.nii")
    with pytest.raises(InputError, match=r"t.nii: infinite value in 2 voxels; replace it by NaN"):
        read_map(tmp_path / "t.nii")


def test_several_volumes_are_an_error(tmp_path):
    nib.save(image(np.zeros((*SHAPE, 2), np.float32)), tmp_path / "t.nii.gz")
    with pytest.raises(InputError, match=r"t.nii.gz: several volumes: 2 in one file, one expected"):
        read_map(tmp_path / "t.nii.gz")


def test_a_file_that_is_cut_off_is_an_error(tmp_path):
    nib.save(image(VALUES), tmp_path / "t.nii.gz")
    whole = (tmp_path / "t.nii.gz").read_bytes()
    (tmp_path / "t.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"t.nii.gz: .*truncated"):
        read_map(tmp_path / "t.nii.gz")


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"t.nii: .*not found"):
        read_map(tmp_path / "t.nii")
