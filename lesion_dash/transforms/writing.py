"""Transforms as the content of files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..images import vector_nifti
from ..images.writing import file_parts
from .itk import FLIP
from .transform import Field, Transform

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
