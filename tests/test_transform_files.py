"""Files of transforms: ours, those of ITK and ANTs against SimpleITK, and FLIRT's."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from grids import LPS, affine, known_matrix, rotation
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
from lesion_dash.transforms.transform import Field, Transform

POINTS = np.random.default_rng(1).uniform(-70, 70, (40, 3))
MATRIX = known_matrix()
TRANSFORM = Transform(MATRIX)
GRID = Grid((7, 8, 6), affine((4, -4, 5), (-12, 14, -10), rotation(10, -20, 5)))


def by_sitk(transform: sitk.Transform) -> np.ndarray:
    """Where SimpleITK takes points of the template; RAS."""
    flip = LPS[:3, :3]
    return np.array([transform.TransformPoint((flip @ point).tolist()) for point in POINTS]) @ flip


def assert_like_sitk(read: Transform, transform: sitk.Transform) -> None:
    np.testing.assert_allclose(read.moving_points(POINTS), by_sitk(transform), atol=1e-4)


def linear_of_sitk() -> list[sitk.Transform]:
    """One of every kind, with a centre and without anything that is 0."""
    axis = (0.1, -0.2, 0.05)
    made: list[sitk.Transform] = [
        sitk.AffineTransform((LPS @ MATRIX @ LPS)[:3, :3].ravel().tolist(), (4.0, 5, -6)),
        sitk.Euler3DTransform((0.0, 0, 0), 0.1, -0.2, 0.3, (3.0, -4, 5)),
        sitk.VersorRigid3DTransform(axis, 0.4, (3.0, 4, 5), (0.0, 0, 0)),
        sitk.Similarity3DTransform(1.2, axis, 0.4, (3.0, 4, 5), (0.0, 0, 0)),
        sitk.ScaleTransform(3, (1.1, 0.9, 1.3)),
        sitk.VersorTransform(axis, 0.4),
    ]
    for transform in made:
        transform.SetCenter((10.0, -20, 30))
    zyx = sitk.Euler3DTransform((1.0, 2, 3), 0.1, -0.2, 0.3, (3.0, -4, 5))
    zyx.SetComputeZYX(True)
    return [*made, zyx, sitk.TranslationTransform(3, (1.0, 2, 3))]


@pytest.mark.parametrize("transform", linear_of_sitk(), ids=lambda one: one.GetName())
@pytest.mark.parametrize("ending", [".tfm", ".txt"])
def test_linear_transforms_of_itk_are_read_as_simpleitk_applies_them(tmp_path, transform, ending):
    path = tmp_path / f"transform{ending}"
    sitk.WriteTransform(transform, str(path))
    assert_like_sitk(read_transform(path), transform)


@pytest.mark.parametrize("transform", linear_of_sitk(), ids=lambda one: one.GetName())
def test_matlab_files_as_ants_writes_them_are_read(tmp_path, transform):
    path = tmp_path / "x0GenericAffine.mat"
    sitk.WriteTransform(transform, str(path))
    assert_like_sitk(read_transform(path), transform)


@pytest.mark.parametrize("dtype", ["<f8", "<f4", ">f8"])
def test_matlab_files_of_scipy_are_read_by_us_and_by_simpleitk(tmp_path, dtype):
    path = tmp_path / "0GenericAffine.mat"
    numbers = np.append((LPS @ MATRIX @ LPS)[:3, :3].ravel(), [4, 5, -6])
    content = {"AffineTransform_double_3_3": numbers, "fixed": np.array([10.0, -20, 30])}
    columns = {name: value.astype(dtype)[:, None] for name, value in content.items()}
    savemat(path, columns, format="4")
    assert_like_sitk(read_transform(path), sitk.ReadTransform(str(path)))


def test_big_endian_matlab_files_are_read(tmp_path):
    numbers = np.append(MATRIX[:3, :3].ravel(), [4, 5, -6])
    parts = []
    for name, values in (("AffineTransform_double_3_3", numbers), ("fixed", np.zeros(3))):
        head = np.array([1000, values.size, 1, 0, len(name) + 1], ">i4")
        parts += [head.tobytes(), name.encode() + b"\0", values.astype(">f8").tobytes()]
    path = tmp_path / "0GenericAffine.mat"
    path.write_bytes(b"".join(parts))
    expected = sitk.AffineTransform(MATRIX[:3, :3].ravel().tolist(), (4.0, 5, -6))
    assert_like_sitk(read_transform(path), expected)


def test_our_itk_text_is_read_by_simpleitk(tmp_path):
    path = tmp_path / "transform_itk.txt"
    path.write_bytes(itk_text(TRANSFORM))
    np.testing.assert_allclose(
        by_sitk(sitk.ReadTransform(str(path))), TRANSFORM.moving_points(POINTS), atol=1e-9
    )
    np.testing.assert_allclose(read_transform(path).matrix, MATRIX, atol=1e-12)


def test_our_text_is_read_by_numpy_and_both_directions_by_us(tmp_path):
    there, back = tmp_path / "there.txt", tmp_path / "back.txt"
    there.write_bytes(matrix_text(TRANSFORM))
    back.write_bytes(matrix_text(TRANSFORM, inverse=True))
    np.testing.assert_array_equal(np.loadtxt(there), MATRIX)
    np.testing.assert_allclose(np.loadtxt(back) @ MATRIX, np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(read_transform(there).matrix, MATRIX)
    np.testing.assert_allclose(read_transform(back).matrix, MATRIX, atol=1e-12)


def test_the_linear_part_of_a_warp_is_not_taken_for_the_whole(tmp_path):
    warp = Transform(MATRIX, field_of())
    path = tmp_path / "transform.txt"
    for content in (matrix_text(warp), matrix_text(warp, inverse=True), itk_text(warp)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"linear part alone .* give to_moving_field.nii.gz"):
            read_transform(path)
    read = sitk.ReadTransform(str(path))
    np.testing.assert_allclose(by_sitk(read), TRANSFORM.moving_points(POINTS), atol=1e-9)


@pytest.mark.parametrize(
    ("line", "is_inverse"),
    [
        ("# moving image -> template, mm in RAS", False),
        ("#From the Moving Image to the Template", False),
        ("# template -> moving image", True),
    ],
)
def test_a_matrix_may_state_its_direction_in_other_words(tmp_path, line, is_inverse):
    path = tmp_path / "known.txt"
    path.write_text(f"{line}\n" + "\n".join(" ".join(map(repr, row)) for row in MATRIX.tolist()))
    expected = np.linalg.inv(MATRIX) if is_inverse else MATRIX
    np.testing.assert_allclose(read_transform(path).matrix, expected, atol=1e-12)


@pytest.mark.parametrize("ways", ["windows", "utf-16", "mark"])
def test_other_line_ends_and_encodings_are_read(tmp_path, ways):
    path = tmp_path / "transform.txt"
    text = matrix_text(TRANSFORM).decode().replace("\n", "\r\n" if ways == "windows" else "\n")
    path.write_bytes(text.encode({"utf-16": "utf-16", "mark": "utf-8-sig"}.get(ways, "utf-8")))
    np.testing.assert_array_equal(read_transform(path).matrix, MATRIX)
    itk = tmp_path / "itk.tfm"
    itk.write_bytes(itk_text(TRANSFORM).replace(b"\n", b"\r\n"))
    np.testing.assert_allclose(read_transform(itk).matrix, MATRIX, atol=1e-12)


def test_a_composite_of_linear_transforms_is_chained(tmp_path):
    parts = linear_of_sitk()[:3]
    composite = sitk.CompositeTransform(parts)
    path = tmp_path / "composite.tfm"
    sitk.WriteTransform(composite, str(path))
    assert_like_sitk(read_transform(path), composite)


def field_of(grid: Grid = GRID) -> Field:
    mm = np.random.default_rng(2).uniform(-6, 6, (*grid.shape, 3))
    return Field(grid, mm.astype(np.float32))


def test_displacement_fields_move_points_as_simpleitk_does(tmp_path):
    field = field_of()
    path = tmp_path / "to_moving_field.nii.gz"
    path.write_bytes(field_bytes(field, path.name))
    moved = sitk.DisplacementFieldTransform(
        sitk.Cast(sitk.ReadImage(str(path)), sitk.sitkVectorFloat64)
    )
    inside = GRID.to_mm(np.random.default_rng(3).uniform(0.1, 4.9, (30, 3)))
    flip = LPS[:3, :3]
    expected = np.array([moved.TransformPoint((flip @ point).tolist()) for point in inside]) @ flip
    np.testing.assert_allclose(field.move(inside), expected, atol=1e-4)
    np.testing.assert_allclose(read_transform(path).moving_points(inside), expected, atol=1e-4)


def test_a_field_is_a_nifti_image_of_vectors(tmp_path):
    path = tmp_path / "field.nii.gz"
    path.write_bytes(field_bytes(field_of(), path.name))
    image = nib.load(path)
    assert image.shape == (7, 8, 6, 1, 3)
    assert int(image.header["intent_code"]) == 1007
    vectors = np.asarray(image.dataobj)[:, :, :, 0]
    np.testing.assert_array_equal(vectors * [-1, -1, 1], field_of().mm)


def test_the_linear_part_of_a_field_that_was_read_is_found(tmp_path):
    points = GRID.to_mm(np.stack(np.indices(GRID.shape), axis=-1))
    mm = TRANSFORM.moving_points(points) - points
    path = tmp_path / "field.nii.gz"
    path.write_bytes(field_bytes(Field(GRID, mm.astype(np.float32)), path.name))
    np.testing.assert_allclose(read_transform(path).matrix, MATRIX, atol=1e-4)


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
    flirt = known_matrix(4)
    path = tmp_path / "flirt.mat"
    np.savetxt(path, flirt, fmt="%.10f", delimiter="  ")
    read = read_transform(path, moving, template)
    for voxel in np.random.default_rng(5).uniform(0, 9, (10, 3)):
        own = voxel * moving.voxel_size
        if moving_is_flipped:
            own[0] = (moving.shape[0] - 1 - voxel[0]) * moving.voxel_size[0]
        there = flirt[:3, :3] @ own + flirt[:3, 3]
        target = there / template.voxel_size
        if template_is_flipped:
            target[0] = template.shape[0] - 1 - target[0]
        np.testing.assert_allclose(
            read.template_points(moving.to_mm(voxel)), template.to_mm(target), atol=1e-6
        )


def test_flirt_sees_the_same_in_an_image_that_nibabel_stores_the_other_way():
    """Radiological storage is FLIRT's own: storing an image mirrored moves no anatomy."""
    array = np.zeros((6, 7, 8), np.uint8)
    stored = nib.Nifti1Image(array, affine((-2, 2, 3), (5, -6, -7)))
    turned = nib.as_closest_canonical(stored)
    assert nib.aff2axcodes(turned.affine) == ("R", "A", "S")
    grids = [Grid(image.shape, image.affine) for image in (stored, turned)]
    template = Grid((9, 9, 9), affine((-1, 1, 1), (4, -4, -4)))
    flirt = known_matrix(6)
    first, second = (world_matrix(flirt, grid, template) for grid in grids)
    np.testing.assert_allclose(first, second, atol=1e-9)
    # The unflipped image says it by hand: voxels times mm, nothing else.
    scale, size = np.diag([2.0, 2, 3, 1]), np.diag([1.0, 1, 1, 1])
    by_hand = template.affine @ np.linalg.inv(size) @ flirt @ scale @ np.linalg.inv(stored.affine)
    np.testing.assert_allclose(first, by_hand, atol=1e-9)


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


ITK = "#Insight Transform File V1.0\n#Transform 0\n"
ROWS = "1 0 0 0\n0 1 0 0\n0 0 1 0\n"
V4 = np.array([0, 12, 1, 0, 27], "<i4").tobytes() + b"AffineTransform_double_3_3\0"


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.txt", "hello, world\n", r"a.txt: is no transform: neither 4 x 4 numbers, nor a file"),
        ("a.mat", ROWS, r"a.mat: holds 3 rows of 4 numbers, 4 x 4 expected; add the row 0 0 0 1"),
        ("a.mat", "1 2\n", r"a.mat: holds 1 rows of 2 numbers, 4 x 4 expected"),
        ("a.mat", "# nothing\n", r"a.mat: holds no numbers, 4 x 4 expected"),
        (
            "a.mat",
            f"{ROWS}0 0 0 1\n",
            r"affine of FLIRT, .*as --moving and --template",
        ),
        ("a.txt", f"# template to template\n{ROWS}0 0 0 1\n", r"does not say between which"),
        ("a.txt", f"{ROWS}0 0 0 1\n", r"does not say between which spaces it leads; name it .mat"),
        ("a.txt", f"{ITK}Transform: BSplineTransform_double_3_3\nParameters: 0\n", r"not linear;"),
        ("a.txt", f"{ITK}Transform: StrangeTransform_double_3_3\n", r"no linear transform known"),
        ("a.txt", f"{ITK}Parameters: 1 2 3\n", r"damaged ITK transform: no line 'Transform:'"),
        ("a.txt", ITK, r"a.txt: holds no transform"),
        (
            "a.txt",
            f"{ITK}Transform: AffineTransform_double_3_3\nParameters: 1 0\nFixedParameters: 0\n",
            r"has 2 parameters, 12 expected of one in 3D",
        ),
        (
            "a.txt",
            f"{ITK}Transform: AffineTransform_double_2_2\nParameters: 1 0 0 1 0 0\n",
            r"AffineTransform_double_2_2 has 6 parameters, 12 expected",
        ),
        (
            "a.txt",
            f"{ITK}Transform: Euler3DTransform_double_3_3\nParameters: 0 0 0 0 0 0\n",
            r"states no centre of rotation",
        ),
        (
            "a.txt",
            f"{ITK}Transform: TranslationTransform_double_3_3\nParameters: 1 b 2\n",
            r"damaged ITK transform: a parameter is no number",
        ),
        (
            "a.txt",
            f"{ITK}Transform: TranslationTransform_double_3_3\nParameters: 1 nan 2\n",
            r"TranslationTransform holds a value that is no number",
        ),
        (
            "a.txt",
            ITK + 2 * "Transform: TranslationTransform_double_3_3\nParameters: 1 1 2\n",
            r"holds 2 transforms that are no composite: their order is not known",
        ),
        ("a.mat", b"MATLAB 5.0 MAT-file\0\0\0", r"a Matlab file of version 5 or later"),
        ("a.mat", V4, r"neither text nor a Matlab file of version 4"),
        ("a.mat", b"\0\1\2", r"neither text nor a Matlab file of version 4"),
        ("a.mat", b"\xff" * 99 + b"\0", r"neither text nor a Matlab file of version 4"),
        ("a.h5", b"\x89HDF\r\n\x1a\n\0\0", r"composite transform in HDF5, .*--disassemble"),
        ("a.txt", " " * (2**20 + 1), r"is too large: 1,048,577 bytes, 1,048,576 allowed"),
    ],
)
def test_files_that_are_no_transform_are_refused(tmp_path, name, content, match):
    with pytest.raises(InputError, match=match):
        read_transform(written(tmp_path / name, content))


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("0 0 0 0", r"a.mat: the transform flattens space: its determinant is 0"),
        ("0 nan 0 0", r"a.mat: the transform is no 4 x 4 matrix of numbers"),
        ("inf 0 0 0", r"a.mat: the transform is no 4 x 4 matrix of numbers"),
    ],
)
def test_flirt_matrices_that_cannot_be_inverted_are_refused(tmp_path, row, match):
    path = written(tmp_path / "a.mat", f"{row}\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    with pytest.raises(InputError, match=match):
        read_transform(path, GRID, GRID)


@pytest.mark.parametrize("turn", [rotation(), rotation(8, -6, 10)])
def test_fields_of_coordinates_are_not_taken_for_displacements(tmp_path, turn):
    """SPM's ``y_`` files look the same, and hold where a point goes, in RAS."""
    grid = Grid((12, 14, 10), affine((-8, 8, 8), (44, -70, -30)))
    points = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))
    there = points @ (turn[:3, :3] * [1.1, 0.9, 1.05]).T + [3, -20, 7]
    path = tmp_path / "y_scan.nii"
    nib.save(vector_nifti(grid, there, "Deformation"), path)
    with pytest.raises(InputError, match=r"y_scan.nii: holds coordinates .* as SPM writes them"):
        read_transform(path)
    shift = Field(grid, (there - points).astype(np.float32))
    path.write_bytes(field_bytes(shift, path.name))
    np.testing.assert_allclose(read_transform(path).moving_points(points), there, atol=1e-3)


def test_a_quaternion_without_a_length_is_refused(tmp_path):
    path = tmp_path / "a.tfm"
    path.write_text(
        "#Insight Transform File V1.0\nTransform: QuaternionRigidTransform_double_3_3\n"
        "Parameters: 0 0 0 0 1 2 3\nFixedParameters: 0 0 0\n"
    )
    with pytest.raises(InputError, match=r"flattens space: its determinant is 0"):
        read_transform(path)


def test_images_that_are_no_field_are_refused(tmp_path):
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5), np.float32), np.eye(4)), path)
    with pytest.raises(InputError, match=r"no displacement field: 3 x 4 x 5 numbers, x, y, z, 1"):
        read_transform(path)
    broken = np.full((3, 4, 5, 1, 3), np.nan, np.float32)
    nib.save(nib.Nifti1Image(broken, np.eye(4)), path)
    with pytest.raises(InputError, match=r"scan.nii.gz: holds a value that is no number"):
        read_transform(path)
