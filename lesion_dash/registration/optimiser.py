"""SimpleITK's optimiser, given and giving a 4 x 4 matrix in RAS mm.

ITK thinks in LPS; to it, any right-handed space is as good, so all stays in RAS.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .engine import Volume
from .levels import Level

Model = Literal["rigid", "affine"]

_BINS = 32  # of the joint histogram, as ITK's examples and ANTs have it
_RADIUS = 2  # voxels of the local correlation on either side
_PARTED = (
    "All samples map outside",
    "No valid points were found",
    "No sample points were created",
    "must have 1 or more points",
    "point set has zero points",
    "PDF summed to zero",
)
"""How ITK says that too few points of the two images meet."""
_SEED = 1  # the regular samples are shifted within their voxels by random numbers


@dataclass(frozen=True)
class Steps:
    """How far a refinement moves.

    Parameters
    ----------
    first_mm, last_mm : float
        The step it begins with, and the one below which it ends.
    most : int
        Iterations.
    sampling : float
        Share of the template's voxels that is looked at.
    patience : float
        By how much the step shrinks where the direction turns. At 0.5 many starts end degrees
        away from where they lead; at 0.85 they get there.
    """

    first_mm: float
    last_mm: float
    most: int
    sampling: float = 1.0
    patience: float = 0.85


def maximise_information(
    level: Level, matrix: NDArray, model: Model, steps: Steps
) -> NDArray[np.float64] | None:
    """Move the image until its mutual information with the template is largest.

    Voxels of the lesion, and those outside the template's foreground, don't count.

    Parameters
    ----------
    level : Level
    matrix : array, shape (4, 4)
        Where to begin, from the moving image to the template.
    model : str
        ``rigid`` or ``affine``.
    steps : Steps

    Returns
    -------
    array, shape (4, 4), or None
        None where the images part.

    Raises
    ------
    InputError
        Where ITK fails for any other reason, with what it said.
    """
    method = _make_method(level, steps)
    method.SetMetricAsMattesMutualInformation(_BINS)
    if steps.sampling < 1:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(steps.sampling, _SEED)
    # Several threads add up the histogram in whichever order they end: the last bits would change.
    return _run(method, level, matrix, model, threads=1)


def maximise_correlation(
    level: Level, matrix: NDArray, model: Model, steps: Steps
) -> NDArray[np.float64] | None:
    """The same with the local correlation, which a bias field doesn't mislead."""
    method = _make_method(level, steps)
    method.SetMetricAsANTSNeighborhoodCorrelation(_RADIUS)
    return _run(method, level, matrix, model, threads=os.cpu_count() or 1)


def _itk() -> Any:
    import SimpleITK

    return SimpleITK


def _make_method(level: Level, steps: Steps) -> Any:
    itk = _itk()
    method = itk.ImageRegistrationMethod()
    method.SetInterpolator(itk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        steps.first_mm, steps.last_mm, steps.most, steps.patience, 1e-8
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetMetricFixedMask(_to_itk_mask(level.foreground, level.template))
    if level.lesion is not None:
        method.SetMetricMovingMask(_to_itk_mask(~level.lesion, level.moving))
    return method


def _run(
    method: Any, level: Level, matrix: NDArray, model: Model, threads: int
) -> NDArray[np.float64] | None:
    itk = _itk()
    start = _to_itk_transform(matrix, level.centre, model)
    method.SetInitialTransform(start, inPlace=True)
    itk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    try:
        method.Execute(_to_itk(level.template), _to_itk(level.moving))
    except RuntimeError as error:
        if any(words in str(error) for words in _PARTED):
            return None
        raise _failure(error) from error
    found = _matrix_of(start)
    return found if np.isfinite(found).all() and abs(np.linalg.det(found)) > 1e-3 else None


def _failure(error: RuntimeError) -> InputError:
    """What ITK says, without the place in its code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[-1].rpartition("): ")[2] if lines else "it said nothing"
    problem = f"the engine failed: {said}"
    return InputError("SimpleITK", problem, "try another engine", tuple(lines))


def _to_itk(volume: Volume) -> Any:
    itk = _itk()
    image = itk.GetImageFromArray(np.ascontiguousarray(volume.array.T, dtype=np.float32))
    return _placed(image, volume)


def _to_itk_mask(mask: NDArray[np.bool_], volume: Volume) -> Any:
    itk = _itk()
    image = itk.GetImageFromArray(np.ascontiguousarray(mask.T).astype(np.uint8))
    return _placed(image, volume)


def _placed(image: Any, volume: Volume) -> Any:
    affine, size = volume.grid.affine, volume.grid.voxel_size
    image.SetSpacing(size.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / size).ravel().tolist())
    return image


def _to_itk_transform(matrix: NDArray, centre: NDArray, model: Model) -> Any:
    """ITK's goes from the fixed image, the template, to the moving one."""
    itk = _itk()
    to_moving = np.linalg.inv(matrix)
    linear = to_moving[:3, :3]
    if model == "rigid":
        left, _, right = np.linalg.svd(linear)
        linear = left @ right
    made = itk.Euler3DTransform() if model == "rigid" else itk.AffineTransform(3)
    made.SetCenter(centre.tolist())
    made.SetMatrix(linear.ravel().tolist(), *([1e-6] if model == "rigid" else []))
    moved = to_moving[:3, :3] @ centre + to_moving[:3, 3]
    made.SetTranslation((moved - centre).tolist())
    return made


def _matrix_of(transform: Any) -> NDArray[np.float64]:
    linear = np.array(transform.GetMatrix()).reshape(3, 3)
    centre, shift = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    to_moving = np.eye(4)
    to_moving[:3, :3] = linear
    to_moving[:3, 3] = shift + centre - linear @ centre
    return np.asarray(np.linalg.inv(to_moving), np.float64)
