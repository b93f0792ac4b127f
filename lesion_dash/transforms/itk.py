"""The transforms of ITK, and with it of ANTs and 3D Slicer: names, parameters, coordinates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..files import AnyPath

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
