"""Images made of arrays: the numbers stay, and the voxels lie where the user says."""

from __future__ import annotations

import pickle

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import aff2axcodes
from phantoms import AFFINE, image
from pickled import TYPES, layouts, numbers

from lesion_dash.core.errors import InputError
from lesion_dash.images.maps import file_parts
from lesion_dash.scans.arrays import read_array
from lesion_dash.scans.conversion import convert_array

SHAPE = (3, 4, 5)
NIFTI_TYPES = ("i1", "u1", "<i2", ">i2", "u2", "i4", ">u4", "f4", ">f4", "f8", ">f8")
SHEARED = np.array([[1.9, 0.3, 0, -7], [0.1, -2.1, 0.2, -9], [0, 0.4, 2.5, -8], [0, 0, 0, 1]])


@pytest.fixture
def store(tmp_path):
    """A file of an array, or of a dict with its affine."""

    def stored(array, affine=None, name="array.pkl"):
        value = array if affine is None else {"data": array, "affine": affine}
        (tmp_path / name).write_bytes(pickle.dumps(value))
        return read_array(tmp_path / name)

    return stored


@pytest.fixture
def like(tmp_path):
    path = tmp_path / "like.nii.gz"
    nib.save(image(numbers("u1"), SHEARED), path)
    return path


def saved(made, tmp_path, name="out.nii.gz"):
    path = tmp_path / name
    path.write_bytes(b"".join(file_parts(made.to_nifti(), name)))
    return nib.load(path)


@pytest.mark.parametrize("code", NIFTI_TYPES)
def test_types_of_nifti_are_kept(store, like, tmp_path, code):
    for name, array in layouts(numbers(code)):
        if array.shape == SHAPE:
            result = saved(convert_array(store(array), like), tmp_path)
            assert result.get_data_dtype() == np.dtype(code).newbyteorder("="), name
            np.testing.assert_array_equal(np.asarray(result.dataobj), array)
            assert np.isnan(result.header["scl_slope"]) or result.header["scl_slope"] in (0, 1)


@pytest.mark.parametrize(
    ("code", "saved_as", "note"),
    [
        ("b1", "u1", "truth values"),
        ("f2", "f4", "half precision"),
        ("i8", "i4", "int64 is saved as int32"),
        (">u8", "i4", "uint64 is saved as int32"),
    ],
)
def test_other_types_change_and_say_so(store, like, tmp_path, code, saved_as, note):
    converted = convert_array(store(numbers(code)), like)
    assert any(note in line for line in converted.notes)
    result = saved(converted, tmp_path)
    assert result.get_data_dtype() == saved_as
    np.testing.assert_array_equal(np.asarray(result.dataobj), numbers(code))


def test_wide_numbers_are_kept_or_refused(store, like):
    array = np.zeros(SHAPE, np.int64)
    array[0, 0, 0] = 2**32 - 1
    converted = convert_array(store(array), like)
    assert converted.array.dtype == np.uint32
    np.testing.assert_array_equal(converted.array, array)
    for low, high in ((-1, 2**31), (0, 2**32), (-(2**31) - 1, 0)):
        array[0, 0, :2] = low, high
        with pytest.raises(InputError, match=rf"from {low} to {high}, more than 32 bits; save"):
            convert_array(store(array), like)


def test_every_type_that_is_read_is_decided(store, like):
    for code in TYPES:
        if np.dtype(code).kind != "c":
            convert_array(store(numbers(code)), like)
            continue
        with pytest.raises(InputError, match=r"complex values .*numpy\.abs"):
            convert_array(store(numbers(code)), like)


def test_bytes_that_are_no_truth_values_count_as_true(store, like):
    array = np.array([0, 1, 2, 255] * 15, np.uint8).reshape(SHAPE).view(bool)
    made = convert_array(store(array), like)
    np.testing.assert_array_equal(made.array, array.view(np.uint8) > 0)


def test_like_takes_the_other_images_space(store, like, tmp_path):
    result = saved(convert_array(store(numbers("f4")), like), tmp_path)
    np.testing.assert_allclose(result.affine, SHEARED, rtol=1e-6)
    assert result.header["sform_code"] == 4
    assert result.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((5, 4, 3), r"has 3 x 4 x 5 voxels, the array 5 x 4 x 3; .*transpose\(2, 1, 0\)"),
        ((4, 3, 5), "axes are in another order"),
        ((3, 4, 6), "give the image whose voxels"),
        ((5, 4, 3, 2), r"transpose\(2, 1, 0\)"),
        ((7, 3, 4, 5), r"the array 7 x 3 x 4 x 5; the volumes come last: save array\[0\], or "),
    ],
)
def test_another_shape_is_refused(store, like, shape, match):
    with pytest.raises(InputError, match=rf"like\.nii\.gz: .*{match}"):
        convert_array(store(numbers("u1", shape)), like)


def test_an_image_without_orientation_says_nothing(store, tmp_path):
    path = tmp_path / "unknown.nii"
    nib.save(image(numbers("u1"), code=0), path)
    with pytest.raises(InputError, match="states no orientation"):
        convert_array(store(numbers("u1")), path)


def test_what_is_odd_about_the_other_images_space_is_told(store, tmp_path):
    other = image(numbers("u1"), AFFINE)
    other.set_qform(AFFINE + np.eye(4, k=3), 1)
    other.header.set_xyzt_units("micron")
    nib.save(other, tmp_path / "odd.nii")
    notes = convert_array(store(numbers("u1")), tmp_path / "odd.nii").notes
    assert any(note.startswith("odd.nii: sform and qform disagree by 1 mm") for note in notes)
    assert any(note.startswith("odd.nii: units are not mm but micrometre") for note in notes)


@pytest.mark.parametrize("orientation", ["RAS", "las", "LPS", "PIR", "SAL"])
@pytest.mark.parametrize("size", [(1, 1, 1), (0.9, 2, 3.5)])
def test_size_and_orientation(store, tmp_path, orientation, size):
    made = convert_array(store(numbers("u1")), voxel_size=size, orientation=orientation)
    result = saved(made, tmp_path)
    assert "".join(aff2axcodes(result.affine)) == orientation.upper()
    np.testing.assert_allclose(nib.affines.voxel_sizes(result.affine), size, rtol=1e-6)
    middle = nib.affines.apply_affine(result.affine, (np.array(SHAPE) - 1) / 2)
    np.testing.assert_allclose(middle, 0, atol=1e-5)
    assert result.header["sform_code"] not in (0, 3, 4, 5)  # the space of no template
    assert "the middle of the array at 0, 0, 0 mm" in made.notes[0]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        *(
            ({"orientation": orientation}, r"--orientation: .* is not an orientation; give one of")
            for orientation in ("", "RA", "RASI", "RLS", "RAX", "RRR")
        ),
        *(
            ({"voxel_size": size}, r"--voxel-size: .* is not three edges in mm")
            for size in ((1, 1, 0), (1, -1, 1), (1, 1), (1, 1, float("nan")))
        ),
        # Which a header cannot hold.
        ({"voxel_size": (1e39, 1, 1)}, r"--voxel-size: voxels of .* beyond the range of images"),
        ({"voxel_size": (1, 1e-30, 1)}, r"--voxel-size: voxels of .* beyond the range .*; give mm"),
        ({"voxel_size": None, "orientation": None}, r"array\.pkl: .* where .* lie; .*--like IMAGE"),
        ({"orientation": None}, "--orientation: is missing"),
        ({"voxel_size": None}, "--voxel-size: is missing"),
        ({"like": "other.nii"}, "--like and --voxel-size: are both given"),
    ],
)
def test_options_that_place_no_voxels(store, options, match):
    given = {"voxel_size": (1, 1, 1), "orientation": "RAS", **options}
    with pytest.raises(InputError, match=match):
        convert_array(store(numbers("u1")), **given)


@pytest.mark.parametrize("write", ["text", "commas", "npy", "pkl"])
def test_an_affine_of_a_file(store, tmp_path, write):
    path = tmp_path / f"affine.{write if write in ('npy', 'pkl') else 'txt'}"
    if write == "npy":
        np.save(path, np.asfortranarray(SHEARED.astype(">f8")))
    elif write == "pkl":
        path.write_bytes(pickle.dumps(SHEARED))
    else:
        separator = ", " if write == "commas" else "\t"
        rows = [separator.join(map(str, row)) for row in SHEARED.tolist()]
        path.write_text("\n".join(["# voxels to mm", *rows, ""]))
    made = convert_array(store(numbers("u1")), affine=path)
    np.testing.assert_array_equal(made.placement.grid.affine, SHEARED)
    np.testing.assert_allclose(saved(made, tmp_path).affine, SHEARED, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 0 0\n0 1 0\n0 0 1\n", "not a matrix of 4 x 4 numbers"),
        ("a b c d\n" * 4, "not a matrix of 4 x 4 numbers"),
        ("1 0 0 0\n0 1 0 0\n0 0 0 0\n0 0 0 1\n", "cannot be inverted"),
        ("1 0 0 nan\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", "not a number"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n5 6 7 1\n", "last row of the affine is 5, 6, 7, 1"),
        ("1e39 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n", r"voxels of 1e\+39 x 1 x 1 mm.*; give mm"),
        (
            "1 0 0 1e9\n0 1 0 0\n0 0 1 0\n0 0 0 1\n",
            "or so far away, are beyond the range of images",
        ),
    ],
)
def test_a_wrong_affine_file(store, tmp_path, text, match):
    path = tmp_path / "affine.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"affine\.txt: .*{match}"):
        convert_array(store(numbers("u1")), affine=path)


def test_the_affine_of_the_file_is_used_and_said(store, tmp_path):
    made = convert_array(store(numbers("u1"), SHEARED))
    np.testing.assert_array_equal(made.placement.grid.affine, SHEARED)
    assert made.notes == ("placed by the affine in its file",)


def test_two_places_must_agree(store, like, tmp_path):
    near = SHEARED.copy()
    near[:3, 3] += 1e-4
    made = convert_array(store(numbers("u1"), near), like)
    assert "placed like like.nii.gz, in agreement with the affine in its file" in made.notes
    mirrored = SHEARED @ np.diag([-1, 1, 1, 1])
    for other, match in ((SHEARED * [[1], [1], [1.01], [1]], "differs"), (mirrored, "left and")):
        with pytest.raises(
            InputError, match=rf"array\.pkl: .*contradicts what is given: .*{match}"
        ):
            convert_array(store(numbers("u1"), other), like)


def test_an_affine_and_a_size_must_agree(store):
    stored = store(numbers("u1"), AFFINE)
    made = convert_array(stored, voxel_size=(2, 2, 2), orientation="RAS")
    # Where the middle lies is what the file says, not what would be assumed.
    np.testing.assert_array_equal(made.placement.grid.affine, AFFINE)
    with pytest.raises(InputError, match="contradicts what is given: left and right are swapped"):
        convert_array(stored, voxel_size=(2, 2, 2), orientation="LAS")
    with pytest.raises(InputError, match="contradicts what is given: voxel size differs"):
        convert_array(stored, voxel_size=(2, 2, 3), orientation="RAS")


def test_what_is_no_volume(store):
    for shape in ((), (60,), (12, 5), (2, 3, 2, 5, 1, 2)):
        with pytest.raises(InputError, match=r"not a volume: .*three or four axes needed; save"):
            convert_array(store(numbers("u1", shape), AFFINE))
    with pytest.raises(InputError, match="has 40,000 volumes, 32,767 at most"):
        convert_array(store(np.zeros((1, 1, 2, 40_000), np.uint8), AFFINE))


def test_axes_of_length_one_at_the_end(store):
    array = numbers("u1", (3, 4, 5, 1, 1))
    made = convert_array(store(array, AFFINE))
    np.testing.assert_array_equal(made.array, array[..., 0, 0])
    assert "trailing axes of length one are dropped" in made.notes[0]


def test_volumes_come_last(store, tmp_path):
    array = numbers(">i2", (3, 4, 5, 6))
    series = tmp_path / "series.nii.gz"
    other = nib.Nifti1Image(array.astype("<i2"), AFFINE)
    other.header.set_zooms((2, 2, 2, 2500))
    other.header.set_xyzt_units("mm", "msec")
    nib.save(other, series)
    for like, seconds in ((series, 2.5), (None, 0)):
        stored = store(array) if like else store(array, AFFINE)
        made = convert_array(stored, like)
        result = saved(made, tmp_path)
        assert result.shape == array.shape
        np.testing.assert_array_equal(np.asarray(result.dataobj), array)
        assert result.header["pixdim"][4] == seconds
        assert result.header.get_xyzt_units() == ("mm", "sec" if like else "unknown")
        assert ("the time between volumes is not stated" in made.notes) is not bool(like)


def test_a_first_axis_of_length_one_is_told(store):
    array = numbers("u1", (1, 3, 4, 5))
    notes = convert_array(store(array), voxel_size=(1, 1, 1), orientation="RAS").notes
    assert "taken as 5 volumes of one sagittal slice" in notes[0]
    assert "save array[0]" in notes[0]
    assert not any("sagittal" in note for note in convert_array(store(array[0], AFFINE)).notes)


def test_infinite_values_are_kept_and_told(store, like):
    array = numbers(">f4")
    array[0, 0, :2] = np.inf, -np.inf
    made = convert_array(store(array), like)
    np.testing.assert_array_equal(made.array, array)
    assert "infinite value in 2 voxels, which other commands refuse" in made.notes
    array[0, 0, :2] = np.nan
    assert not any("infinite" in note for note in convert_array(store(array), like).notes)


def test_both_files_of_a_pair_are_inputs(store, tmp_path):
    nib.save(nib.Nifti1Pair(numbers("u1"), SHEARED), tmp_path / "like.img")
    made = convert_array(store(numbers("u1")), tmp_path / "like.img")
    assert set(made.placement.sources) == {str(tmp_path / f"like.{end}") for end in ("hdr", "img")}
