"""Files of transforms: those of ITK, ANTs and FSL, and our own text."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from ..files.listing import has_image_ending
from ..files.paths import AnyPath, PathInput, as_path
from ..files.reading import read_bytes
from ..images.maps import file_parts, read_vectors, vector_nifti
from .transform import Field, Transform

FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Takes RAS to LPS, and back."""

Numbers = NDArray[np.float64]


def moving_matrix(path: AnyPath, kind: str, numbers: ArrayLike, fixed: ArrayLike) -> Numbers:
    """The affine that a transform of ITK stands for.

    Parameters
    ----------
    path : path
        For errors.
    kind : str
        ITK's name, such as ``AffineTransform_double_3_3``.
    numbers : array
        Its parameters.
    fixed : array
        Its fixed parameters: the centre of rotation.

    Returns
    -------
    array, shape (4, 4)
        Takes points of the template ("fixed") to the moving image; mm, RAS.

    Raises
    ------
    InputError
        Where it is not linear, not in three dimensions, unknown, or lacks numbers.
    """
    name, numbers, fixed = kind.split("_", maxsplit=1)[0], np.ravel(numbers), np.ravel(fixed)
    if not (np.isfinite(numbers).all() and np.isfinite(fixed).all()):
        raise InputError(path, f"{name} holds a value that is no number")
    if name not in _MATRICES:
        _refuse(path, name)
    count, linear, has_centre = _MATRICES[name]
    if kind.rsplit("_", maxsplit=1)[-1] == "2" or numbers.size != count:
        problem = f"{kind} has {numbers.size} parameters, {count} expected of one in 3D"
        raise InputError(path, problem, "copy the file again")
    if has_centre and fixed.size < 3:
        raise InputError(path, f"{name} states no centre of rotation (FixedParameters)")
    is_zyx = fixed.size > 3 and fixed[3] != 0
    matrix = np.eye(4)
    matrix[:3, :3] = _euler(numbers, is_zyx) if name == "Euler3DTransform" else linear(numbers)
    centre = fixed[:3] if has_centre else np.zeros(3)
    matrix[:3, 3] = _shift(name, numbers) + centre - matrix[:3, :3] @ centre
    return np.asarray(FLIP @ matrix @ FLIP)


def _refuse(path: AnyPath, name: str) -> None:
    if name in _FIELDS:
        problem = f"{name} is not linear"
        remedy = "give a displacement field as NIfTI (antsApplyTransforms -o [field.nii.gz,1])"
        raise InputError(path, problem, remedy)
    raise InputError(path, f"{name} is no linear transform known here", "save it as an affine")


def _shift(name: str, numbers: Numbers) -> Numbers:
    places = {"AffineTransform": 9, "MatrixOffsetTransformBase": 9, "Rigid3DTransform": 9}
    places |= {"QuaternionRigidTransform": 4, "TranslationTransform": 0}
    if name in ("IdentityTransform", "ScaleTransform", "VersorTransform"):
        return np.zeros(3)
    start = places.get(name, 3)
    return numbers[start : start + 3]


def _matrix(numbers: Numbers) -> Numbers:
    return numbers[:9].reshape(3, 3)


def _identity(_: Numbers) -> Numbers:
    return np.eye(3)


def _euler(numbers: Numbers, is_zyx: bool = False) -> Numbers:
    """Angles in radians about x, y and z; y turns first and z last, or x first where so stated."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(numbers[:3]), np.sin(numbers[:3])
    x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(z @ y @ x if is_zyx else z @ x @ y)


def _versor(numbers: Numbers) -> Numbers:
    """The right part of a unit quaternion; its scalar follows from its length."""
    rest = max(1 - float(numbers[:3] @ numbers[:3]), 0.0)
    return _quaternion(np.append(numbers[:3], np.sqrt(rest)))


def _quaternion(numbers: Numbers) -> Numbers:
    """x, y, z and the scalar, of any length."""
    with np.errstate(invalid="ignore"):  # without a length it is no rotation, but NaN
        x, y, z, w = numbers[:4] / np.linalg.norm(numbers[:4])
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _similarity(numbers: Numbers) -> Numbers:
    return np.asarray(_versor(numbers) * numbers[6])


def _scale(numbers: Numbers) -> Numbers:
    return np.diag(numbers)


_MATRICES: dict[str, tuple[int, Callable[[Numbers], Numbers], bool]] = {
    "AffineTransform": (12, _matrix, True),
    "MatrixOffsetTransformBase": (12, _matrix, True),
    "Rigid3DTransform": (12, _matrix, True),
    "Euler3DTransform": (6, _euler, True),
    "VersorTransform": (3, _versor, True),
    "VersorRigid3DTransform": (6, _versor, True),
    "QuaternionRigidTransform": (7, _quaternion, True),
    "Similarity3DTransform": (7, _similarity, True),
    "ScaleTransform": (3, _scale, True),
    "TranslationTransform": (3, _identity, False),
    "IdentityTransform": (0, _identity, False),
}
"""How many parameters each has, its linear part, and whether it turns about a centre."""

_FIELDS = {
    "BSplineTransform",
    "BSplineSmoothingOnUpdateDisplacementFieldTransform",
    "ConstantVelocityFieldTransform",
    "DisplacementFieldTransform",
    "GaussianSmoothingOnUpdateDisplacementFieldTransform",
    "TimeVaryingVelocityFieldTransform",
}


# Matlab files of version 4, the form of the affines that ANTs writes.


_TYPES = {0: "f8", 1: "f4", 2: "i4", 3: "i2", 4: "u2", 5: "u1"}
_LONGEST_NAME = 256


def matlab_variables(path: AnyPath, content: bytes) -> dict[str, NDArray[np.float64]]:
    """The arrays of numbers in a Matlab file of version 4, in their order.

    Raises
    ------
    InputError
        Where the file is of another version, or damaged.
    """
    if content.startswith(b"MATLAB 5.0"):
        problem = "is a Matlab file of version 5 or later, ANTs writes version 4"
        raise InputError(path, problem, "give the affine as ANTs wrote it")
    found: dict[str, NDArray[np.float64]] = {}
    place = 0
    while place < len(content):
        name, values, place = _variable(path, content, place)
        found[name] = values
    return found


def _variable(path: AnyPath, content: bytes, place: int) -> tuple[str, NDArray[np.float64], int]:
    """A variable, and where the next one begins."""
    if place + 20 > len(content):
        raise _damaged(path)
    order = "<" if struct.unpack_from("<i", content, place)[0] in range(100) else ">"
    kind, rows, columns, is_complex, length = struct.unpack_from(f"{order}5i", content, place)
    code = _TYPES.get(kind // 10 % 10)
    is_full = kind % 10 == 0 and kind in range(2000) and code is not None and not is_complex
    if not (is_full and rows >= 0 and columns >= 0 and 0 < length <= _LONGEST_NAME):
        raise _damaged(path)
    dtype = np.dtype(f"{order}{code}")
    start = place + 20 + length
    end = start + rows * columns * dtype.itemsize
    if end > len(content):
        raise _damaged(path)
    name = content[place + 20 : start].rstrip(b"\0").decode("latin-1")
    values = np.frombuffer(content[start:end], dtype).astype(np.float64)
    return name, values, end


def _damaged(path: AnyPath) -> InputError:
    problem = "is neither text nor a Matlab file of version 4 as ANTs writes it, or it is damaged"
    return InputError(path, problem, "give the file that ANTs, ITK or FSL wrote")


# Affines of FSL's FLIRT, which are those of two images and mean nothing without them.


def world_matrix(flirt: ArrayLike, moving: Grid, template: Grid) -> NDArray[np.float64]:
    """Make an affine in world coordinates of one that FLIRT wrote.

    FLIRT counts mm from the centre of the first voxel along the axes of the voxels. Where an
    image is stored neurologically (the determinant of its affine is above 0), it counts the first
    axis from its other end.

    Parameters
    ----------
    flirt : array, shape (4, 4)
        What ``flirt -in MOVING -ref TEMPLATE -omat FILE`` wrote.
    moving, template : Grid
        Of the two images.

    Returns
    -------
    array, shape (4, 4)
        From the moving image to the template, mm, RAS.

    Examples
    --------
    >>> moving = Grid((3, 3, 3), np.diag([-2.0, 2, 2, 1]))
    >>> template = Grid((3, 3, 3), np.diag([-1.0, 1, 1, 1]))
    >>> world_matrix(np.eye(4), moving, template).tolist()[0]
    [1.0, 0.0, 0.0, 0.0]
    """
    to_flirt = _flirt_mm(moving) @ np.linalg.inv(moving.affine)
    to_world = template.affine @ np.linalg.inv(_flirt_mm(template))
    return np.asarray(to_world @ np.asarray(flirt, np.float64) @ to_flirt)


def _flirt_mm(grid: Grid) -> NDArray[np.float64]:
    """Takes voxels of an image to the mm of FLIRT."""
    scale = np.diag([*grid.voxel_size, 1.0])
    if np.linalg.det(grid.affine[:3, :3]) > 0:
        scale[0, 0] *= -1
        scale[0, 3] = (grid.shape[0] - 1) * grid.voxel_size[0]
    return scale


# Displacement fields as ITK and ANTs keep them: NIfTI images of vectors.


_MOST_FITTED = 20_000

_LIKE_PLACES = 0.5
"""By how much the numbers of a field grow along their axis, mm per mm: places by about 1.
Displacements in LPS do so only where x and y shrink to half, and z grows by half."""


def read_field(path: AnyPath) -> Transform:
    """Read a displacement field, which takes points of the template to the moving image.

    Parameters
    ----------
    path : path or URL
        NIfTI image of shape (x, y, z, 1, 3), mm, LPS.

    Returns
    -------
    Transform
        Its matrix is the affine that comes closest to the field. The way from the moving image to
        the template is another file, and not known.
    """
    grid, vectors = read_vectors(path)
    try:
        field = Field(grid, (vectors * np.diag(FLIP)[:3]).astype(np.float32))
        linear = linear_part(field)
        _check_displacements(linear)
        matrix = Transform(linear).inverse().matrix
    except InputError as error:
        raise InputError(path, error.reason) from None
    return Transform(matrix, field)


def _check_displacements(linear: NDArray[np.float64]) -> None:
    """Refuse what SPM writes: its ``y_`` files look the same, and hold places in RAS."""
    growth = np.diag(FLIP @ (linear - np.eye(4)))[:3]
    if (growth > _LIKE_PLACES).all():
        problem = "holds coordinates and no displacements, as SPM writes them"
        raise InputError("displacement field", problem, "give a field of ITK or ANTs")


def linear_part(field: Field) -> NDArray[np.float64]:
    """The affine that moves the points of a field almost as the field does, by least squares."""
    grid = field.grid
    step = max(round((grid.size / _MOST_FITTED) ** (1 / 3)), 1)
    voxels = np.stack(
        np.meshgrid(*[_spread(length, step) for length in grid.shape], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    points = grid.to_mm(voxels)
    moved = points + field.mm[tuple(voxels.T)]
    # About their centre, so that places far from 0 do not drown the matrix.
    centre = points.mean(axis=0)
    terms = np.column_stack([points - centre, np.ones(len(points))])
    solved = np.linalg.lstsq(terms, moved, rcond=None)[0].T
    matrix = np.eye(4)
    matrix[:3, :3] = solved[:, :3] if _is_spread(grid) else np.eye(3)
    matrix[:3, 3] = moved.mean(axis=0) - matrix[:3, :3] @ centre
    return matrix


def _spread(length: int, step: int) -> NDArray[np.intp]:
    return np.unique(np.append(np.arange(0, length, step), length - 1))


def _is_spread(grid: Grid) -> bool:
    """Whether the grid is no plane, of which no affine in space can be told."""
    return min(grid.shape) > 1


# Transforms as the content of files.


TO_TEMPLATE = "# from the moving image to the template"
TO_MOVING = "# from the template to the moving image"
"""The line of a text that states its direction."""

_RULE = "# matrix times the column x, y, z, 1; mm, RAS (x to the right, y to the front, z upwards)"
ALONE = "# the linear part alone: the whole way is in the displacement fields"


def matrix_text(transform: Transform, inverse: bool = False) -> bytes:
    """The linear part as a text of 4 x 4 numbers, with its direction stated; mm, RAS.

    Parameters
    ----------
    transform : Transform
    inverse : bool
        From the template to the moving image.

    Examples
    --------
    >>> print(matrix_text(Transform()).decode())
    # from the moving image to the template
    # matrix times the column x, y, z, 1; mm, RAS (x to the right, y to the front, z upwards)
    1.0 0.0 0.0 0.0
    0.0 1.0 0.0 0.0
    0.0 0.0 1.0 0.0
    0.0 0.0 0.0 1.0
    """
    matrix = np.linalg.inv(transform.matrix) if inverse else transform.matrix
    rows = [_words(row) for row in matrix]
    alone = [] if transform.is_linear else [ALONE]
    lines = [TO_MOVING if inverse else TO_TEMPLATE, _RULE, *alone, *rows]
    return ("\n".join(lines) + "\n").encode()


def itk_text(transform: Transform) -> bytes:
    """The linear part as a transform file of ITK; takes points of the template; mm, LPS.

    This is the direction in which ITK and ANTs resample images: ``antsApplyTransforms -t``.

    Examples
    --------
    >>> print(itk_text(Transform()).decode().splitlines()[2])
    Transform: AffineTransform_double_3_3
    """
    to_moving = FLIP @ np.linalg.inv(transform.matrix) @ FLIP
    numbers = [*to_moving[:3, :3].ravel(), *to_moving[:3, 3]]
    lines = [
        "#Insight Transform File V1.0",
        *([] if transform.is_linear else [ALONE]),
        "#Transform 0",
        "Transform: AffineTransform_double_3_3",
        f"Parameters: {_words(np.array(numbers))}",
        "FixedParameters: 0 0 0",
    ]
    return ("\n".join(lines) + "\n").encode()


def field_bytes(field: Field, name: str) -> bytes:
    """A displacement field as the content of a NIfTI file of vectors; mm, LPS, as ITK reads it.

    Parameters
    ----------
    field : Field
    name : str
        Of the file, ``.nii`` or ``.nii.gz``.
    """
    # Written so that ITK, which asks for LPS, gets it: only the first two components turn.
    vectors = field.mm * np.diag(FLIP)[:3].astype(np.float32)
    image = vector_nifti(field.grid, vectors, "lesion_dash: displacement in mm, LPS")
    return b"".join(file_parts(image, name))


def _words(numbers: NDArray[np.float64]) -> str:
    # The shortest digits that give the same number; adding 0 leaves no minus before a 0.
    return " ".join(repr(float(number) + 0.0) for number in numbers)


# Transforms read from files of FSL, ANTs, ITK and of this program.


_LARGEST = 2**20
"""Bytes of a linear transform; it takes a thousand."""

_DIRECTION = re.compile(
    r"^#.*?\b(moving image|template) (?:to|->) (?:the )?(?!\1)(?:moving image|template)\b",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that states between which spaces a matrix leads, such as those that we write."""

_ITK_MARK = "#Insight Transform File"


def read_transform(
    path: PathInput, moving: Grid | None = None, template: Grid | None = None
) -> Transform:
    """Read where a moving image lies in a template.

    Parameters
    ----------
    path : path or URL
        A text of 4 x 4 numbers that this program wrote, an ITK text (``.txt``, ``.tfm``) or an
        ANTs ``0GenericAffine.mat`` of linear transforms, FLIRT's ``.mat``, or a displacement
        field of ITK or ANTs as NIfTI.
    moving, template : Grid, optional
        Of the two images; FLIRT's files mean nothing without them.

    Returns
    -------
    Transform
        From the moving image to the template.

    Raises
    ------
    InputError
        Where the file is none of these, holds no affine that can be inverted, or the grids that
        it needs are not given.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from lesion_dash.transforms.files import matrix_text
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "transform.txt")
    ...     _ = file.write_bytes(matrix_text(Transform(np.diag([1.0, 2, 4, 1]))))
    ...     read_transform(file).template_points([1, 1, 1]).tolist()
    [1.0, 2.0, 4.0]
    """
    place = as_path(path)
    if has_image_ending(place.name):
        return read_field(place)
    content = read_bytes(place, max_bytes=_LARGEST)
    text = _text_of(content)
    if text is None:
        return _of_matlab(place, content)
    if ALONE in text:
        problem = "is the linear part alone of a registration that warps: it leads to a wrong place"
        remedy = "give to_moving_field.nii.gz (or to_template_field.nii.gz, the way back) instead"
        raise InputError(place, problem, remedy)
    if text.lstrip().startswith(_ITK_MARK):
        return _of_itk_text(place, text)
    return _of_matrix(place, text, moving, template)


def stated_way(path: PathInput) -> str:
    """The space that a text of 4 x 4 numbers says it leads from; empty where it says nothing.

    Returns
    -------
    str
        ``moving image``, ``template`` or nothing.
    """
    place = as_path(path)
    if has_image_ending(place.name):
        return ""
    stated = _DIRECTION.search(_text_of(read_bytes(place, max_bytes=_LARGEST)) or "")
    return stated[1].lower() if stated else ""


def _text_of(content: bytes) -> str | None:
    """The file as text, None where it is none."""
    if b"\0" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None


def _of_matrix(path: AnyPath, text: str, moving: Grid | None, template: Grid | None) -> Transform:
    """A text of 4 x 4 numbers: ours where its direction is stated, else FLIRT's."""
    matrix = _numbers(path, text)
    stated = _DIRECTION.search(text)
    if stated is not None:
        read = _checked(path, matrix)
        return read if stated[1].lower().startswith("moving") else read.inverse()
    if path.suffix.lower() != ".mat":
        problem = "is a matrix that does not say between which spaces it leads"
        remedy = f"name it .mat if FLIRT wrote it; or, in mm and RAS, put the line '{TO_TEMPLATE}'"
        raise InputError(path, problem, f"{remedy} above it")
    if moving is None or template is None:
        problem = "is an affine of FLIRT, which counts mm from the corners of its two images"
        images = "as --moving and --template of `lesion-dash warp`"
        remedy = f"give both images, {images}, and no other transform"
        raise InputError(path, problem, remedy)
    return _checked(path, world_matrix(_checked(path, matrix).matrix, moving, template))


def _numbers(path: AnyPath, text: str) -> NDArray[np.float64]:
    rows = [line.split("#")[0].replace(",", " ").split() for line in text.splitlines()]
    rows = [row for row in rows if row]
    try:
        numbers = [[float(word) for word in row] for row in rows]
    except ValueError:
        problem = "is no transform: neither 4 x 4 numbers, nor a file of ITK, ANTs or FLIRT"
        raise InputError(path, problem, "give a file that one of them wrote") from None
    if len(rows) != 4 or any(len(row) != 4 for row in rows):
        widths = " or ".join(map(str, sorted({len(row) for row in rows})))
        found = f"{len(rows)} rows of {widths}" if rows else "no"
        problem = f"holds {found} numbers, 4 x 4 expected"
        raise InputError(path, problem, "add the row 0 0 0 1 where it was left out")
    return np.array(numbers)


def _checked(path: AnyPath, matrix: NDArray[np.float64]) -> Transform:
    try:
        return Transform(matrix)
    except InputError as error:
        raise InputError(path, f"the transform {error.reason}") from None


def _of_itk_text(path: AnyPath, text: str) -> Transform:
    parts: list[dict[str, str]] = []
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if line.lstrip().startswith("#") or not colon:
            continue
        if key.strip() == "Transform":
            parts.append({})
        if not parts:
            raise InputError(path, "is a damaged ITK transform: no line 'Transform:' at its top")
        parts[-1][key.strip()] = value.strip()
    return _of_itk_parts(path, [_itk_part(path, part) for part in parts])


Part = tuple[str, NDArray[np.float64], NDArray[np.float64]]


def _itk_part(path: AnyPath, part: dict[str, str]) -> Part:
    try:
        numbers, fixed = (
            np.array([float(word) for word in part.get(key, "").split()])
            for key in ("Parameters", "FixedParameters")
        )
    except ValueError:
        raise InputError(path, "is a damaged ITK transform: a parameter is no number") from None
    return part["Transform"], numbers, fixed


def _of_itk_parts(path: AnyPath, parts: list[Part]) -> Transform:
    is_composite = bool(parts) and parts[0][0].startswith("CompositeTransform")
    linear = parts[1:] if is_composite else parts
    if not linear:
        raise InputError(path, "holds no transform", "copy the file again")
    if len(linear) > 1 and not is_composite:
        problem = f"holds {len(linear)} transforms that are no composite: their order is not known"
        raise InputError(path, problem, "give each in a file of its own, in their order")
    # ITK applies the last one of a composite first.
    matrix = np.eye(4)
    for kind, numbers, fixed in linear:
        matrix = matrix @ moving_matrix(path, kind, numbers, fixed)
    return _checked(path, matrix).inverse()


def _of_matlab(path: AnyPath, content: bytes) -> Transform:
    if content.startswith(b"\x89HDF"):
        problem = "is a composite transform in HDF5, which may hold displacement fields"
        remedy = "take it apart: CompositeTransformUtil --disassemble"
        raise InputError(path, problem, remedy)
    found = matlab_variables(path, content)
    names = [name for name in found if name != "fixed"]
    if len(names) != 1:
        problem = f"holds {len(names)} transforms ({', '.join(names[:4])}), one expected"
        raise InputError(path, problem, "give each in a file of its own, in their order")
    fixed = found.get("fixed", np.zeros(0))
    return _of_itk_parts(path, [(names[0], found[names[0]], fixed)])
