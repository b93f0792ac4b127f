"""Transforms read from files of FSL, ANTs, ITK and of this program."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import AnyPath, PathInput, as_path, has_image_ending, read_bytes
from ..grid import Grid
from .fields import read_field
from .flirt import world_matrix
from .itk import moving_matrix
from .matlab import matlab_variables
from .transform import Transform
from .writing import ALONE, TO_TEMPLATE

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
    >>> from lesion_dash.transforms import matrix_text
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "transform.txt")
    ...     _ = file.write_bytes(matrix_text(Transform(np.diag([1.0, 2, 4, 1]))))
    ...     read_transform(file).template_points([1, 1, 1]).tolist()
    [1.0, 2.0, 4.0]
    """
    place = as_path(path)
    if has_image_ending(place.name):
        return read_field(place)
    content = read_bytes(place, most=_LARGEST)
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
    stated = _DIRECTION.search(_text_of(read_bytes(place, most=_LARGEST)) or "")
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
