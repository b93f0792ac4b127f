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
SAVED_AS = {
    "b1": ("u1", "truth values"),
    "f2": ("f4", "half precision"),
    "i8": ("i4", "int64 is saved as int32"),
    "u8": ("i4", "uint64 is saved as int32"),
}
SHEARED = np.array([[1.9, 0.3, 0, -7], [0.1, -2.1, 0.2, -9], [0, 0.4, 2.5, -8], [0, 0, 0, 1]])


@pytest.fixture
def store(tmp_path):
    """A file of an array, or of a dict with its affine."""

    def stored(array, affine=None):
        value = array if affine is None else {"data": array, "affine": affine}
        (tmp_path / "array.pkl").write_bytes(pickle.dumps(value))
        return read_array(tmp_path / "array.pkl")

    return stored


@pytest.fixture
def like(tmp_path):
    path = tmp_path / "like.nii.gz"
    nib.save(image(numbers("u1"), SHEARED), path)
    return path


def saved(made, tmp_path):
    (tmp_path / "out.nii.gz").write_bytes(b"".join(file_parts(made.to_nifti(), "out.nii.gz")))
    return nib.load(tmp_path / "out.nii.gz")


@pytest.mark.parametrize("code", [code for code in TYPES if np.dtype(code).kind != "c"])
def test_types_and_space_of_another_image_are_kept_or_said_to_change(store, like, tmp_path, code):
    type_code = np.dtype(code).str[1:]
    saved_as, note = SAVED_AS.get(type_code, (type_code, ""))
    for name, array in layouts(numbers(code)):
        if array.shape == SHAPE:
            made = convert_array(store(array), like)
            assert note in str(made.notes), name
            result = saved(made, tmp_path)
            assert result.get_data_dtype() == saved_as, name
            np.testing.assert_array_equal(np.asarray(result.dataobj), array)
            assert np.isnan(result.header["scl_slope"]) or result.header["scl_slope"] in (0, 1)
    np.testing.assert_allclose(result.affine, SHEARED, rtol=1e-6)
    assert result.header["sform_code"] == 4
    assert result.header.get_xyzt_units()[0] == "mm"


def ends(low: int, high: int) -> np.ndarray:
    return np.array([low, high] * 30).reshape(SHAPE)


def test_values_that_numpy_would_cast_otherwise(store, like):
    wide = ends(0, 2**32 - 1)
    truth = np.array([0, 1, 2, 255] * 15, np.uint8).reshape(SHAPE)  # bytes other than 0 and 1
    infinite = numbers(">f4")
    infinite[0, 0, :3] = np.inf, -np.inf, np.nan
    for array, expected in ((wide, wide), (truth.view(bool), truth > 0), (infinite, infinite)):
        made = convert_array(store(array), like)
        np.testing.assert_array_equal(made.array, expected)
    assert "infinite value in 2 voxels, which other commands refuse" in made.notes


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (ends(-1, 2**31), "from -1 to 2147483648, more than 32 bits; save"),
        (ends(0, 2**32), "from 0 to 4294967296, more than 32 bits; save"),
        (ends(-(2**31) - 1, 0), "from -2147483649 to 0, more than 32 bits; save"),
        (numbers("c8"), r"complex values .*numpy\.abs"),
        (numbers(">c16"), r"complex values .*numpy\.abs"),
        (np.ones((3, 4, 6)), "like.nii.gz: has 3 x 4 x 5 .* 3 x 4 x 6, .*; give the image whose"),
        (np.ones(()), r"not a volume: .*three or four axes needed; save"),
        (np.ones(60), r"not a volume: .*three or four axes needed; save"),
        (np.ones((12, 5)), r"not a volume: .*three or four axes needed; save"),
        (np.ones((2, 3, 2, 5, 1, 2)), r"not a volume: .*three or four axes needed; save"),
        (np.ones((1, 1, 2, 40_000)), "has 40,000 volumes, 32,767 at most"),
    ],
)
def test_arrays_that_fit_no_image_are_refused(store, like, array, match):
    with pytest.raises(InputError, match=match):
        convert_array(store(array), like)


def test_what_is_odd_about_the_other_images_space_is_told(store, tmp_path):
    other = image(numbers("u1"), AFFINE)
    other.set_qform(AFFINE + np.eye(4, k=3), 1)
    other.header.set_xyzt_units("micron")
    nib.save(nib.Nifti1Pair.from_image(other), tmp_path / "odd.img")
    made = convert_array(store(numbers("u1")), tmp_path / "odd.img")
    for note in ("sform and qform disagree by 1 mm", "units are not mm but micrometre"):
        assert any(line.startswith(f"odd.img: {note}") for line in made.notes)
    assert set(made.placement.sources) == {str(tmp_path / f"odd.{end}") for end in ("hdr", "img")}
    nib.save(image(numbers("u1"), code=0), tmp_path / "unknown.nii")
    with pytest.raises(InputError, match="states no orientation"):
        convert_array(store(numbers("u1")), tmp_path / "unknown.nii")


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


@pytest.mark.parametrize(
    ("row", "text", "match"),
    [
        (0, "a b c d", "not a matrix of 4 x 4 numbers"),
        (0, "", "not a matrix of 4 x 4 numbers"),
        (2, "0 0 0 0", "cannot be inverted"),
        (0, "1 0 0 nan", "not a number"),
        (3, "5 6 7 1", "last row of the affine is 5, 6, 7, 1"),
        (0, "1e39 0 0 0", r"voxels of 1e\+39 x 1 x 1 mm.*; give mm"),
        (0, "1 0 0 1e9", "or so far away, are beyond the range of images"),
    ],
)
def test_a_wrong_affine_file(store, tmp_path, row, text, match):
    rows = ["1 0 0 0", "0 1 0 0", "0 0 1 0", "0 0 0 1"]
    rows[row] = text
    (tmp_path / "affine.txt").write_text("\n".join(rows))
    with pytest.raises(InputError, match=rf"affine\.txt: .*{match}"):
        convert_array(store(numbers("u1")), affine=tmp_path / "affine.txt")


def write_npy(path):
    np.save(path, np.asfortranarray(SHEARED.astype(">f8")))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.npy", write_npy),
        ("a.pkl", lambda path: path.write_bytes(pickle.dumps(SHEARED))),
        ("a.txt", lambda path: np.savetxt(path, SHEARED, delimiter="\t", header="voxels to mm")),
        ("a.txt", lambda path: np.savetxt(path, SHEARED, delimiter=", ")),
    ],
)
def test_an_affine_of_a_file(store, tmp_path, name, write):
    write(tmp_path / name)
    made = convert_array(store(numbers("u1")), affine=tmp_path / name)
    np.testing.assert_array_equal(made.placement.grid.affine, SHEARED)
    np.testing.assert_allclose(saved(made, tmp_path).affine, SHEARED, rtol=1e-6)


def test_two_places_must_agree(store, like):
    made = convert_array(store(numbers("u1"), SHEARED))
    np.testing.assert_array_equal(made.placement.grid.affine, SHEARED)
    assert made.notes == ("placed by the affine in its file",)
    near = SHEARED + 1e-4 * np.eye(4, k=3)
    made = convert_array(store(numbers("u1"), near), like)
    assert "placed like like.nii.gz, in agreement with the affine in its file" in made.notes
    stored, size = store(numbers("u1"), AFFINE), {"voxel_size": (2, 2, 2), "orientation": "RAS"}
    # Where the middle lies is what the file says, not what would be assumed.
    np.testing.assert_array_equal(convert_array(stored, **size).placement.grid.affine, AFFINE)
    for affine, options, match in (
        (SHEARED * [[1], [1], [1.01], [1]], {"like": like}, "differs"),
        (SHEARED @ np.diag([-1, 1, 1, 1]), {"like": like}, "left and right are swapped"),
        (AFFINE, size | {"orientation": "LAS"}, "left and right are swapped"),
        (AFFINE, size | {"voxel_size": (2, 2, 3)}, "voxel size differs"),
    ):
        with pytest.raises(InputError, match=rf"array\.pkl: .*contradicts .*: .*{match}"):
            convert_array(store(numbers("u1"), affine), **options)


# The order of the axes.


def on_grid(tmp_path, shape):
    path = tmp_path / "grid.nii.gz"
    nib.save(image(np.zeros(shape, np.uint8), SHEARED), path)
    return path


CUBE = "xyz, xzy, yxz, yzx, zxy, zyx"


@pytest.mark.parametrize(
    ("shape", "target", "options", "match"),
    [
        ((7, 8, 7), (7, 8, 7), {}, r"\(xyz, zyx\), .*; .*--axes zyx .* of SimpleITK and nnU-Net"),
        ((6, 6, 3), (6, 6, 3), {}, r"\(xyz, yxz\), .*; .*--axes yxz .* rows, columns and slices"),
        ((3, 6, 6), (6, 6, 3), {}, r"\(zxy, zyx\)"),
        ((4, 4, 4), (4, 4, 4), {}, rf"in 6 orders of axes \({CUBE}\)"),
        ((7, 8, 7, 9), (7, 8, 7), {}, r"\(xyz, zyx\)"),  # a series
        ((1, 1, 7, 8, 7), (7, 8, 7), {}, r"\(xyz, zyx\)"),  # a batch of one channel
        ((2, 7, 8, 7), (7, 8, 7), {}, "first axis counts 2 classes.*--channel 1.*--axes zyx for"),
        ((2, 7, 8, 7), (7, 8, 7), {"channel": 1}, r"\(xyz, zyx\)"),
        ((2, 3, 4, 5), (3, 4, 5), {}, r"--channel 1`, which is the second; --axes txyz keeps"),
        ((2, 3, 4, 5), (3, 4, 5), {"channel": 2}, "no channel 2: it holds 2; give --channel 0 to"),
        ((2, 3, 4, 5), (3, 4, 5), {"channel": -1}, "no channel -1"),
        ((3, 4, 5), (3, 4, 5), {"channel": 0}, "holds one volume"),
        ((3, 4, 5), (3, 4, 5), {"axes": "zyx"}, "--axes zyx makes 3 x 4 x 5 no image .* xyz"),
        (
            (3, 4, 5),
            (3, 4, 5),
            {"axes": "xyy"},
            "'xyy' is not an order of axes; give x, y, z in",
        ),
        ((3, 4, 5), (3, 4, 5), {"axes": "txyz"}, "names four axes, and the array has three"),
    ],
)
def test_an_order_that_the_shape_does_not_tell_is_asked_for(
    store, tmp_path, shape, target, options, match
):
    with pytest.raises(InputError, match=match) as refusal:
        convert_array(store(np.ones(shape)), on_grid(tmp_path, target), **options)
    assert "array[0]" not in str(refusal.value)


@pytest.mark.parametrize(
    ("order", "shape", "options", "note"),
    [
        ("xyz", (3, 4, 5), {}, ""),
        ("zyx", (3, 4, 5), {}, "axes taken as z, y, x: 5 x 4 x 3 fits 3 x 4 x 5 voxels in no"),
        ("yxz", (3, 4, 5), {}, "axes taken as y, x, z"),
        ("zyx", (7, 8, 7), {"axes": "zyx"}, ""),
        ("xyz", (7, 8, 7), {"axes": "XYZ"}, ""),
        ("yzx", (4, 4, 4), {"axes": "y, z, x"}, ""),
        ("tzyx", (7, 8, 7), {"axes": "zyx", "channel": 1}, ""),
        ("txyz", (3, 4, 5), {"channel": 1}, ""),
        ("tzyx", (3, 4, 5), {"channel": 1}, "axes taken as t, z, y, x"),
        ("xyzt", (3, 4, 5), {"channel": 1}, ""),
        ("tzyx", (7, 8, 7), {"axes": "tzyx"}, ""),
        ("zyxt", (7, 8, 7), {"axes": "zyx"}, ""),
    ],
)
def test_axes_come_to_lie_as_x_y_z_and_volumes(store, tmp_path, order, shape, options, note):
    """The letters themselves move the axes back, by numpy's einsum."""
    whole = np.random.default_rng(1).integers(0, 99, (*shape, 2)[: len(order)]).astype(np.uint8)
    letters = "xyzt"[: len(order)]
    stored = store(np.einsum(f"{letters}->{order}", whole))
    made = convert_array(stored, on_grid(tmp_path, shape), **options)
    expected = whole[..., 1] if "channel" in options else whole
    np.testing.assert_array_equal(made.array, expected)
    told = [line for line in made.notes if line.startswith("axes")]
    assert [line.startswith(note) for line in told] == ([True] if note else [])


def test_where_nothing_has_a_shape_the_axes_are_x_y_z_unless_said(store):
    place = {"voxel_size": (1, 1, 3), "orientation": "RAS"}
    array = numbers("u1", (3, 4, 5))
    stored = store(np.ascontiguousarray(array.T))
    made = convert_array(stored, **place, axes="zyx")
    np.testing.assert_array_equal(made.array, array)
    np.testing.assert_array_equal(made.placement.grid.voxel_size, (1, 1, 3))
    assert convert_array(stored, **place).array.shape == (5, 4, 3)
    classes = store(np.stack([array, 255 - array]))
    assert any("give --channel or --axes" in note for note in convert_array(classes, **place).notes)
    np.testing.assert_array_equal(convert_array(classes, **place, channel=1).array, 255 - array)


def test_the_affine_in_a_file_says_the_order_of_its_axes(store, tmp_path):
    array = numbers("u1", (7, 8, 7))
    made = convert_array(store(array, SHEARED), on_grid(tmp_path, array.shape))
    np.testing.assert_array_equal(made.array, array)
    with pytest.raises(InputError, match="fits 3 x 4 x 5 voxels as zyx alone, and the affine"):
        convert_array(store(numbers("u1", (5, 4, 3)), SHEARED), on_grid(tmp_path, (3, 4, 5)))


@pytest.mark.parametrize(
    ("shape", "where"), [((3, 4, 5, 1, 1), "trailing"), ((1, 3, 4, 5), "first"),
                         ((1, 1, 3, 4, 5), "first"), ((1, 3, 4, 5, 1), "trailing")]
)  # fmt: skip
def test_axes_of_length_one_are_dropped_and_told(store, like, shape, where):
    array = numbers("u1", shape)
    for place in ({"like": like}, {"voxel_size": (1, 1, 1), "orientation": "RAS"}):
        made = convert_array(store(array), **place)
        np.testing.assert_array_equal(made.array, array.reshape(SHAPE))
        assert f"of shape {shape}: {where} ax" in made.notes[0].replace("the ", "")


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
