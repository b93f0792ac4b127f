"""Files of transforms: ours, those of ITK and ANTs against SimpleITK, and FLIRT's."""

from __future__ import annotations

from itertools import product

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from grids import LPS, affine, known_matrix, rotation
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import vector_nifti
from lesion_dash.transforms.files import (
    field_bytes,
    itk_text,
    matrix_text,
    read_transform,
    world_matrix,
)
from lesion_dash.transforms.transform import Field, Transform, points_of

POINTS = np.random.default_rng(1).uniform(-70, 70, (40, 3))
MATRIX = known_matrix()
TRANSFORM = Transform(MATRIX)
GRID = Grid((7, 8, 6), affine((4, -4, 5), (-12, 14, -10), rotation(10, -20, 5)))
FIELD = Field(GRID, np.random.default_rng(2).uniform(-6, 6, (7, 8, 6, 3)).astype(np.float32))


ITK = "#Insight Transform File V1.0\n"


def read(path, content, *grids) -> Transform:
    """What a file of that content is read as."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_transform(path, *grids)


def itk(kind, parameters, centre="", size=3) -> str:
    """A transform as ITK's text."""
    lines = [f"Transform: {kind}_double_{size}_{size}", f"Parameters: {parameters}"]
    return "\n".join([f"{ITK}#Transform 0", *lines, f"FixedParameters: {centre}\n"])


def flip(points) -> np.ndarray:
    """RAS to LPS, and back."""
    return np.asarray(points) * [-1, -1, 1]


def by_sitk(transform: sitk.Transform, points=POINTS) -> np.ndarray:
    """Where SimpleITK takes points of the template; RAS."""
    return flip([transform.TransformPoint(point) for point in flip(points).tolist()])


def assert_like_sitk(read: Transform, transform: sitk.Transform) -> None:
    np.testing.assert_allclose(read.moving_points(POINTS), by_sitk(transform), atol=1e-4)


def linear_of_sitk() -> list[sitk.Transform]:
    """One of every kind, with a centre and without anything that is 0."""
    axis = (0.1, -0.2, 0.05)
    zyx = sitk.Euler3DTransform((1.0, 2, 3), 0.1, -0.2, 0.3, (3.0, -4, 5))
    zyx.SetComputeZYX(True)
    centred = [
        sitk.AffineTransform((LPS @ MATRIX @ LPS)[:3, :3].ravel().tolist(), (4.0, 5, -6)),
        sitk.Euler3DTransform((0.0, 0, 0), 0.1, -0.2, 0.3, (3.0, -4, 5)),
        sitk.VersorRigid3DTransform(axis, 0.4, (3.0, 4, 5), (0.0, 0, 0)),
        sitk.Similarity3DTransform(1.2, axis, 0.4, (3.0, 4, 5), (0.0, 0, 0)),
        sitk.ScaleTransform(3, (1.1, 0.9, 1.3)),
        sitk.VersorTransform(axis, 0.4),
        zyx,
    ]
    for transform in centred:
        transform.SetCenter((10.0, -20, 30))
    return [*centred, sitk.TranslationTransform(3, (1.0, 2, 3))]


FILES = [*product(linear_of_sitk(), ["a.tfm", "a.txt", "x0GenericAffine.mat"])]
FILES.append((sitk.CompositeTransform(linear_of_sitk()[:3]), "composite.tfm"))


@pytest.mark.parametrize(("transform", "name"), FILES)
def test_linear_transforms_of_itk_are_read_as_simpleitk_applies_them(tmp_path, transform, name):
    sitk.WriteTransform(transform, str(tmp_path / name))
    assert_like_sitk(read_transform(tmp_path / name), transform)


@pytest.mark.parametrize("name", ["MatrixOffsetTransformBase", "Rigid3DTransform"])
def test_affines_of_other_names_and_quaternions_are_read(tmp_path, name):
    path = tmp_path / "a.tfm"
    content = itk_text(TRANSFORM).replace(b"AffineTransform", name.encode())
    np.testing.assert_allclose(read(path, content).matrix, MATRIX, atol=1e-12)
    expected = sitk.Transform(3, sitk.sitkQuaternionRigid)
    expected.SetFixedParameters((4.0, 5, 6))
    expected.SetParameters((0.0, 0, 0.6, 0.8, 1, 2, 3))
    quaternion = itk("QuaternionRigidTransform", "0 0 0.6 0.8 1 2 3", "4 5 6")
    assert_like_sitk(read(path, quaternion), expected)


def matlab(order: str = "<", **variables) -> bytes:
    """A Matlab file of version 4."""
    parts = []
    for name, values in variables.items():
        head = [0 if order == "<" else 1000, len(values), 1, 0, len(name) + 1]
        parts += [np.array(head, f"{order}i4").tobytes(), name.encode() + b"\0"]
        parts.append(np.array(values, f"{order}f8").tobytes())
    return b"".join(parts)


AFFINE = {"AffineTransform_double_3_3": [*MATRIX[:3, :3].ravel(), 4.0, 5, -6], "fixed": [0, 0, 0]}


@pytest.mark.parametrize("dtype", ["<f8", "<f4", ">f8"])
def test_matlab_files_of_any_byte_order_and_precision_are_read(tmp_path, dtype):
    path = tmp_path / "0GenericAffine.mat"
    columns = {name: np.array(values, dtype)[:, None] for name, values in AFFINE.items()}
    savemat(path, columns, format="4")
    expected = sitk.AffineTransform(MATRIX[:3, :3].ravel().tolist(), (4.0, 5, -6))
    assert_like_sitk(read_transform(path), expected)
    assert_like_sitk(read_transform(path), sitk.ReadTransform(str(path)))
    assert_like_sitk(read(path, matlab(">", **AFFINE)), expected)


@given(
    st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), max_size=4),
    st.integers(0, 300),
    st.sampled_from([matlab(**AFFINE), itk_text(TRANSFORM), matrix_text(TRANSFORM)]),
)
def test_a_damaged_file_is_read_or_refused_with_its_name(
    tmp_path_factory, changes, length, content
):
    damaged = bytearray(content[:length] if length < 250 else content)
    for place, byte in changes:
        damaged[place : place + 1] = bytes([byte])
    path = tmp_path_factory.getbasetemp() / "damaged.mat"
    try:
        transform = read(path, bytes(damaged), GRID, GRID)
    except InputError as error:
        transform = Transform() if error.subject.endswith("damaged.mat") else None
    assert np.isfinite(transform.matrix).all()


def test_a_matrix_whose_inverse_flattens_space_is_refused_with_its_name(tmp_path):
    path = tmp_path / "huge.txt"
    text = matrix_text(TRANSFORM, inverse=True).decode()
    head = [line for line in text.splitlines() if line.startswith("#")]
    rows = ["1e5 0 0 0", "0 1e5 0 0", "0 0 1e5 0", "0 0 0 1"]
    with pytest.raises(InputError, match=r"huge\.txt.*flattens"):
        read(path, "\n".join([*head, *rows]).encode())


def test_our_files_are_read_by_simpleitk_numpy_and_us(tmp_path):
    itk, there, back = (tmp_path / name for name in ("itk.txt", "there.txt", "back.txt"))
    contents = (itk_text(TRANSFORM), matrix_text(TRANSFORM), matrix_text(TRANSFORM, inverse=True))
    for path, content in zip((itk, there, back), contents, strict=True):
        np.testing.assert_allclose(read(path, content).matrix, MATRIX, atol=1e-12)
    assert_like_sitk(TRANSFORM, sitk.ReadTransform(str(itk)))
    np.testing.assert_array_equal(np.loadtxt(there), MATRIX)
    np.testing.assert_allclose(np.loadtxt(back) @ MATRIX, np.eye(4), atol=1e-12)


def test_the_linear_part_of_a_warp_is_not_taken_for_the_whole(tmp_path):
    warp, path = Transform(MATRIX, FIELD), tmp_path / "transform.txt"
    for content in (matrix_text(warp), matrix_text(warp, inverse=True), itk_text(warp)):
        with pytest.raises(InputError, match=r"linear part alone .* give to_moving_field.nii.gz"):
            read(path, content)
    assert_like_sitk(TRANSFORM, sitk.ReadTransform(str(path)))


@pytest.mark.parametrize(
    ("line", "matrix"),
    [
        ("# moving image -> template, mm in RAS", MATRIX),
        ("#From the Moving Image to the Template", MATRIX),
        ("# template -> moving image", np.linalg.inv(MATRIX)),
    ],
)
def test_a_matrix_may_state_its_direction_in_other_words(tmp_path, line, matrix):
    rows = [" ".join(map(repr, row)) for row in MATRIX.tolist()]
    transform = read(tmp_path / "known.txt", "\n".join([line, *rows]))
    np.testing.assert_allclose(transform.matrix, matrix, atol=1e-12)


@pytest.mark.parametrize("write", [matrix_text, itk_text])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_other_line_ends_and_encodings_are_read(tmp_path, write, encoding, end):
    content = write(TRANSFORM).decode().replace("\n", end).encode(encoding)
    transform = read(tmp_path / "transform.txt", content)
    np.testing.assert_allclose(transform.matrix, MATRIX, atol=1e-12)


def test_displacement_fields_are_nifti_vectors_that_move_points_as_simpleitk_does(tmp_path):
    path = tmp_path / "to_moving_field.nii.gz"
    transform = read(path, field_bytes(FIELD, path.name))
    vectors = sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkVectorFloat64)
    inside = GRID.to_mm(np.random.default_rng(3).uniform(0.1, 4.9, (30, 3)))
    expected = by_sitk(sitk.DisplacementFieldTransform(vectors), inside)
    np.testing.assert_allclose(FIELD.move(inside), expected, atol=1e-4)
    np.testing.assert_allclose(transform.moving_points(inside), expected, atol=1e-4)
    image = nib.load(path)
    assert image.shape == (7, 8, 6, 1, 3)
    assert int(image.header["intent_code"]) == 1007
    np.testing.assert_array_equal(flip(np.asarray(image.dataobj)[:, :, :, 0]), FIELD.mm)


@pytest.mark.parametrize("moving_is_flipped", [False, True])
@pytest.mark.parametrize("template_is_flipped", [False, True])
def test_flirt_affines_are_those_of_its_documentation(
    tmp_path, moving_is_flipped, template_is_flipped
):
    """FSL: mm are voxels times their size, x mirrored where the image is not radiological."""
    moving = Grid((9, 11, 10), affine((2 if moving_is_flipped else -2, 3, 4), (5, -12, 3)))
    template = Grid(
        (12, 10, 9), affine((1.5 if template_is_flipped else -1.5, 2, 2.5), (-8, 2, 1), rotation(9))
    )
    flirt, path = known_matrix(4), tmp_path / "flirt.mat"
    np.savetxt(path, flirt, fmt="%.10f", delimiter="  ")
    voxels = np.random.default_rng(5).uniform(0, 9, (10, 3))
    own, target = voxels.copy(), np.zeros_like(voxels)
    if moving_is_flipped:
        own[:, 0] = moving.shape[0] - 1 - own[:, 0]
    target = ((own * moving.voxel_size) @ flirt[:3, :3].T + flirt[:3, 3]) / template.voxel_size
    if template_is_flipped:
        target[:, 0] = template.shape[0] - 1 - target[:, 0]
    there = read_transform(path, moving, template).template_points(moving.to_mm(voxels))
    np.testing.assert_allclose(there, template.to_mm(target), atol=1e-6)


def test_flirt_sees_the_same_in_an_image_that_nibabel_stores_the_other_way():
    """Radiological storage is FLIRT's own: storing an image mirrored moves no anatomy."""
    stored = nib.Nifti1Image(np.zeros((6, 7, 8), np.uint8), affine((-2, 2, 3), (5, -6, -7)))
    turned = nib.as_closest_canonical(stored)
    assert nib.aff2axcodes(turned.affine) == ("R", "A", "S")
    grids = [Grid(image.shape, image.affine) for image in (stored, turned)]
    first, second = (world_matrix(known_matrix(6), grid, GRID) for grid in grids)
    np.testing.assert_allclose(first, second, atol=1e-9)


ROWS = "1 0 0 0\n0 1 0 0\n0 0 1 0\n"
EYE = f"{ROWS}0 0 0 1\n"
V4 = "neither text nor a Matlab file of version 4"


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.txt", "hello, world\n", "a.txt: is not a transform: neither 4 x 4 numbers, nor a file"),
        ("a.mat", ROWS, "a.mat: holds 3 rows of 4 numbers, 4 x 4 expected; add the row 0 0 0 1"),
        ("a.mat", "1 2\n", "a.mat: holds 1 rows of 2 numbers, 4 x 4 expected"),
        ("a.mat", "# nothing\n", "a.mat: holds no numbers, 4 x 4 expected"),
        ("a.mat", EYE, "affine of FLIRT, .*as --moving and --template"),
        ("a.mat", EYE.replace("1", "0", 1), "the transform flattens space: its determinant is 0"),
        ("a.mat", EYE.replace("1", "nan", 1), "the transform is not a 4 x 4 matrix of numbers"),
        ("a.mat", EYE.replace("1", "inf", 1), "the transform is not a 4 x 4 matrix of numbers"),
        ("a.txt", f"# template to template\n{EYE}", "does not say between which"),
        ("a.txt", EYE, "does not say between which spaces it leads; name it .mat"),
        ("a.txt", itk("BSplineTransform", "0"), "not linear;"),
        ("a.txt", itk("StrangeTransform", "0"), "not a known linear transform"),
        ("a.txt", f"{ITK}Parameters: 1 2 3\n", "damaged ITK transform: no line 'Transform:'"),
        ("a.txt", ITK, "a.txt: holds no transform"),
        ("a.txt", itk("AffineTransform", "1 0"), "has 2 parameters, 12 expected of one in 3D"),
        ("a.txt", itk("AffineTransform", "1 0 0 1 0 0", size=2), "_2_2 has 6 parameters, 12 exp"),
        ("a.txt", itk("Euler3DTransform", "0 0 0 0 0 0"), "states no centre of rotation"),
        ("a.txt", itk("VersorTransform", "2 0 0", "0 0 0"), "ITK refuses .* VersorTransform: .*"),
        ("a.txt", itk("QuaternionRigidTransform", "0 0 0 0 1 2 3", "0 0 0"), "flattens space"),
        ("a.txt", itk("TranslationTransform", "1 b 2"), "damaged .*: a parameter is not a number"),
        ("a.txt", itk("TranslationTransform", "1 nan 2"), "holds a value that is not a number"),
        ("a.txt", 2 * itk("TranslationTransform", "1 1 2"), "holds 2 transforms .* order is not"),
        ("a.mat", b"MATLAB 5.0 MAT-file\0\0\0", "a Matlab file of version 5 or later"),
        ("a.mat", matlab(**AFFINE)[:47], V4),
        ("a.mat", b"\0\1\2", V4),
        ("a.mat", b"\xff" * 99 + b"\0", V4),
        ("a.mat", matlab(a=[1.0], b=[2.0]), r"holds 2 transforms \(a, b\), one expected"),
        ("a.h5", b"\x89HDF\r\n\x1a\n\0\0", "composite transform in HDF5, .*--disassemble"),
        ("a.txt", " " * (2**20 + 1), "is too large: 1,048,577 bytes, 1,048,576 allowed"),
    ],
)
def test_files_that_are_no_transform_are_refused(tmp_path, name, content, match):
    with pytest.raises(InputError, match=match):
        read(tmp_path / name, content, None if "FLIRT" in match else GRID, GRID)


@pytest.mark.parametrize("turn", [rotation(), rotation(8, -6, 10)])
def test_fields_of_coordinates_are_not_taken_for_displacements(tmp_path, turn):
    """SPM's ``y_`` files look the same, and hold where a point goes, in RAS."""
    grid = Grid((12, 14, 10), affine((-8, 8, 8), (44, -70, -30)))
    to_moving = turn @ affine((1.1, 0.9, 1.05), (3, -20, 7))
    field, path = Field.of(grid, Transform(to_moving).template_points), tmp_path / "y_scan.nii"
    nib.save(vector_nifti(grid, field.mm + points_of(grid), "Deformation"), path)
    with pytest.raises(InputError, match=r"y_scan.nii: holds coordinates .* as SPM writes them"):
        read_transform(path)
    path.write_bytes(field_bytes(field, path.name))
    np.testing.assert_allclose(read_transform(path).matrix @ to_moving, np.eye(4), atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((3, 4, 5), "not a displacement field: 3 x 4 x 5 numbers, x, y, z, 1"),
        ((3, 4, 5, 1, 3), "holds a value that is not a number"),
    ],
)
def test_images_that_are_no_field_are_refused(tmp_path, shape, match):
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(np.full(shape, np.nan, np.float32), np.eye(4)), path)
    with pytest.raises(InputError, match=match):
        read_transform(path)
