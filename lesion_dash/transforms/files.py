"""Files of transforms: those of ITK, ANTs and FSL, and our own text."""

from __future__ import annotations

import re
import warnings
from io import BytesIO
from typing import Any

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

Part = tuple[str, NDArray[np.float64], NDArray[np.float64]]
"""A transform of ITK as its files hold it: name, parameters, fixed parameters (its centre)."""

_KINDS = {
    "AffineTransform": "Affine",
    "MatrixOffsetTransformBase": "Affine",
    "Rigid3DTransform": "Affine",
    "Euler3DTransform": "Euler",
    "VersorTransform": "Versor",
    "VersorRigid3DTransform": "VersorRigid",
    "QuaternionRigidTransform": "QuaternionRigid",
    "Similarity3DTransform": "Similarity",
    "ScaleTransform": "Scale",
    "TranslationTransform": "Translation",
    "IdentityTransform": "Identity",
}
"""ITK's linear transforms, as SimpleITK calls them. Those of the first three lines differ in how
they are optimised alone: their parameters are the same."""

_FAR_MM = 1024.0
"""Distance of the points that give a transform's matrix. Far from 0, so that the shift rounds off
none of its digits; a power of 2, so that dividing by it rounds nothing."""


def _itk_matrix(path: AnyPath, part: Part) -> NDArray[np.float64]:
    """Takes points of the template ("fixed") to the moving image; mm, RAS."""
    import SimpleITK

    kind, parameters, fixed = part
    name = kind.split("_", maxsplit=1)[0]
    if not (np.isfinite(parameters).all() and np.isfinite(fixed).all()):
        raise InputError(path, f"{name} holds a value that is not a number")
    if name not in _KINDS:
        raise _not_linear(path, name)
    itk: Any = SimpleITK
    transform = itk.Transform(3, getattr(itk, f"sitk{_KINDS[name]}"))
    expected = transform.GetNumberOfParameters()
    if kind.endswith("_2") or parameters.size != expected:
        problem = f"{kind} has {parameters.size} parameters, {expected} expected of one in 3D"
        raise InputError(path, problem, "copy the file again")
    centre = transform.GetFixedParameters()
    if centre and fixed.size < 3:
        raise InputError(path, f"{name} states no centre of rotation (FixedParameters)")
    # Euler angles have a fourth number, the order of the axes, which older files lack: 0.
    fixed = np.append(fixed, np.zeros(max(len(centre) - fixed.size, 0)))
    try:
        transform.SetFixedParameters(fixed[: len(centre)].tolist())
        transform.SetParameters(parameters.tolist())
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(path, f"ITK refuses the parameters of {name}: {reason}") from None
    points = np.vstack([np.zeros(3), _FAR_MM * np.eye(3)])
    origin, *ends = np.array([transform.TransformPoint(point) for point in points.tolist()])
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    matrix[:3, :3] = (np.array(ends) - origin).T / _FAR_MM
    return np.asarray(FLIP @ matrix @ FLIP)


def _not_linear(path: AnyPath, name: str) -> InputError:
    if "BSpline" in name or "Field" in name:
        remedy = "give a displacement field as NIfTI (antsApplyTransforms -o [field.nii.gz,1])"
        return InputError(path, f"{name} is not linear", remedy)
    return InputError(path, f"{name} is not a known linear transform", "save it as an affine")


def _of_itk(path: AnyPath, parts: list[Part]) -> Transform:
    is_composite = bool(parts) and parts[0][0].startswith("CompositeTransform")
    linear = parts[1:] if is_composite else parts
    if not linear:
        raise InputError(path, "holds no transform", "copy the file again")
    if len(linear) > 1 and not is_composite:
        problem = (
            f"holds {len(linear)} transforms that are not a composite: their order is not known"
        )
        raise InputError(path, problem, "give each in a file of its own, in their order")
    matrix = np.eye(4)
    for part in linear:  # ITK applies the last one of a composite first
        matrix = matrix @ _itk_matrix(path, part)
    return _checked(path, matrix, is_way_back=True)


def _itk_text_parts(path: AnyPath, text: str) -> list[Part]:
    # Read here and not by SimpleITK, which takes the first of several transforms silently.
    sections: list[dict[str, str]] = []
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if line.lstrip().startswith("#") or not colon:
            continue
        if key.strip() == "Transform":
            sections.append({})
        if not sections:
            raise InputError(path, "is a damaged ITK transform: no line 'Transform:' at its top")
        sections[-1][key.strip()] = value.strip()
    try:
        return [
            (
                section["Transform"],
                np.array(section.get("Parameters", "").split(), np.float64),
                np.array(section.get("FixedParameters", "").split(), np.float64),
            )
            for section in sections
        ]
    except ValueError:
        raise InputError(path, "is a damaged ITK transform: a parameter is not a number") from None


def _matlab_parts(path: AnyPath, content: bytes) -> list[Part]:
    """The affine in a Matlab file of version 4, as ANTs writes it."""
    if content.startswith(b"\x89HDF"):
        problem = "is a composite transform in HDF5, which may hold displacement fields"
        raise InputError(path, problem, "take it apart: CompositeTransformUtil --disassemble")
    if content.startswith(b"MATLAB 5.0"):
        problem = "is a Matlab file of version 5 or later, ANTs writes version 4"
        raise InputError(path, problem, "give the affine as ANTs wrote it")
    variables = _matlab_variables(path, content)
    fixed = variables.pop("fixed", np.zeros(0))
    if len(variables) != 1:
        problem = f"holds {len(variables)} transforms ({', '.join([*variables][:4])}), one expected"
        raise InputError(path, problem, "give each in a file of its own, in their order")
    ((name, parameters),) = variables.items()
    return [(name, parameters, fixed)]


def _matlab_variables(path: AnyPath, content: bytes) -> dict[str, NDArray[np.float64]]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    problem = "is neither text nor a Matlab file of version 4 as ANTs writes it, or damaged"
    damaged = InputError(path, problem, "give the file that ANTs, ITK or FSL wrote")
    if 0 not in content[:4]:  # scipy would read it as version 5
        raise damaged
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # scipy warns where it has to guess
            variables = loadmat(BytesIO(content))
        return {
            name: np.ravel(np.asarray(values)).astype(np.float64, casting="safe")
            for name, values in variables.items()
            if not name.startswith("__")
        }
    except (MatReadError, ValueError, TypeError, LookupError, OverflowError, Warning):
        raise damaged from None


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
    """From voxels of an image to the mm of FLIRT."""
    scale = np.diag([*grid.voxel_size, 1.0])
    if np.linalg.det(grid.affine[:3, :3]) > 0:
        scale[0, 0] *= -1
        scale[0, 3] = (grid.shape[0] - 1) * grid.voxel_size[0]
    return scale


_MAX_FITTED = 20_000
"""Points of a field to which its affine is fitted: 12 numbers need no more. Arbitrary."""

_COORDINATE_GROWTH = 0.5
"""By how much the numbers of a field grow along their axis, mm per mm: coordinates by about 1.
Displacements in LPS do so only where x and y shrink to half, and z grows by half."""


def _read_field(path: AnyPath) -> Transform:
    """Read a displacement field (x, y, z, 1, 3), mm, LPS: from the template to the moving image.

    The matrix is the affine that comes closest to the field. The way from the moving image to the
    template is another file, and not known.
    """
    grid, vectors = read_vectors(path)
    try:
        field = Field(grid, (vectors * np.diag(FLIP)[:3]).astype(np.float32))
    except InputError as error:
        raise InputError(path, error.problem, error.remedy) from None
    linear = _linear_part(field)
    growth = np.diag(FLIP @ (linear - np.eye(4)))[:3]
    if (growth > _COORDINATE_GROWTH).all():
        # SPM's ``y_`` files look the same, and hold coordinates in RAS.
        problem = "holds coordinates and no displacements, as SPM writes them"
        raise InputError(path, problem, "give a field of ITK or ANTs")
    return Transform(_checked(path, linear, is_way_back=True).matrix, field)


def _linear_part(field: Field) -> NDArray[np.float64]:
    """The affine that moves the points of a field almost as the field does, by least squares."""
    grid = field.grid
    step = max(round((grid.size / _MAX_FITTED) ** (1 / 3)), 1)
    # Its last voxels too: they reach the furthest.
    axes = [np.unique(np.append(np.arange(0, size, step), size - 1)) for size in grid.shape]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    points = grid.to_mm(voxels)
    moved = points + field.mm[tuple(voxels.T)]
    # About their centre, so that points far from 0 do not drown the matrix.
    centre = points.mean(axis=0)
    terms = np.column_stack([points - centre, np.ones(len(points))])
    solved = np.linalg.lstsq(terms, moved, rcond=None)[0].T
    matrix = np.eye(4)
    if min(grid.shape) > 1:  # an affine in space does not follow from a plane
        matrix[:3, :3] = solved[:, :3]
    matrix[:3, 3] = moved.mean(axis=0) - matrix[:3, :3] @ centre
    return matrix


_TO_TEMPLATE = "# from the moving image to the template"
_TO_MOVING = "# from the template to the moving image"
_RULE = "# matrix times the column x, y, z, 1; mm, RAS (x to the right, y to the front, z upwards)"
_LINEAR_PART = "# the linear part alone: the whole way is in the displacement fields"


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
    caveat = [] if transform.is_linear else [_LINEAR_PART]
    lines = [_TO_MOVING if inverse else _TO_TEMPLATE, _RULE, *caveat, *map(_digits, matrix)]
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
        *([] if transform.is_linear else [_LINEAR_PART]),
        "#Transform 0",
        "Transform: AffineTransform_double_3_3",
        f"Parameters: {_digits(np.array(numbers))}",
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


def _digits(numbers: NDArray[np.float64]) -> str:
    # The shortest digits that give the same number; adding 0 leaves no minus before a 0.
    return " ".join(repr(float(number) + 0.0) for number in numbers)


_MAX_BYTES = 2**20
"""Of a linear transform; it takes a thousand."""

_DIRECTION = re.compile(
    r"^#.*?\b(moving image|template) (?:to|->) (?:the )?(?!\1)(?:moving image|template)\b",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that states between which spaces a matrix leads, such as those that we write."""


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
    >>> transform = read_transform("sample_data/template/known_transform.txt")
    >>> transform.template_points([0, 0, 0]).tolist()
    [3.0, -4.0, 5.0]
    """
    file = as_path(path)
    if has_image_ending(file.name):
        return _read_field(file)
    content = read_bytes(file, max_bytes=_MAX_BYTES)
    text = _text_of(content)
    if text is None:
        return _of_itk(file, _matlab_parts(file, content))
    if _LINEAR_PART in text:
        problem = "is the linear part alone of a registration that warps: it leads to a wrong place"
        remedy = "give to_moving_field.nii.gz (or to_template_field.nii.gz, the way back) instead"
        raise InputError(file, problem, remedy)
    if text.lstrip().startswith("#Insight Transform File"):
        return _of_itk(file, _itk_text_parts(file, text))
    return _of_matrix(file, text, moving, template)


def stated_way(path: PathInput) -> str:
    """The space that a text of 4 x 4 numbers says it leads from; empty where it says nothing.

    Returns
    -------
    str
        ``moving image``, ``template`` or nothing.
    """
    file = as_path(path)
    if has_image_ending(file.name):
        return ""
    stated = _DIRECTION.search(_text_of(read_bytes(file, max_bytes=_MAX_BYTES)) or "")
    return stated[1].lower() if stated else ""


def _text_of(content: bytes) -> str | None:
    """The file as text, None where it is none."""
    is_wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    if b"\0" in content and not is_wide:
        return None
    try:
        return content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None


def _of_matrix(path: AnyPath, text: str, moving: Grid | None, template: Grid | None) -> Transform:
    """A text of 4 x 4 numbers: ours where its direction is stated, else FLIRT's."""
    matrix = _numbers(path, text)
    stated = _DIRECTION.search(text)
    if stated is not None:
        is_way_back = not stated[1].lower().startswith("moving")
        return _checked(path, matrix, is_way_back=is_way_back)
    if path.suffix.lower() != ".mat":
        problem = "is a matrix that does not say between which spaces it leads"
        remedy = f"name it .mat if FLIRT wrote it; or, in mm and RAS, put the line '{_TO_TEMPLATE}'"
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
        numbers = [[float(text) for text in row] for row in rows]
    except ValueError:
        problem = "is not a transform: neither 4 x 4 numbers, nor a file of ITK, ANTs or FLIRT"
        raise InputError(path, problem, "give a file that one of them wrote") from None
    if len(rows) != 4 or any(len(row) != 4 for row in rows):
        widths = " or ".join(map(str, sorted({len(row) for row in rows})))
        size = f"{len(rows)} rows of {widths}" if rows else "no"
        problem = f"holds {size} numbers, 4 x 4 expected"
        raise InputError(path, problem, "add the row 0 0 0 1 if it is missing")
    return np.array(numbers)


def _checked(path: AnyPath, matrix: NDArray[np.float64], *, is_way_back: bool = False) -> Transform:
    try:
        transform = Transform(matrix)
        return transform.inverse() if is_way_back else transform
    except InputError as error:
        raise InputError(path, f"the transform {error.reason}") from None
