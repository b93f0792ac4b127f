"""How alike two images are: their local correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

WINDOW_MM = 10.0
"""Edge of the cube within which two images are correlated."""

_LEAST_SHARE = 0.5  # of a window's voxels that both images must know
_FLAT = 1e-3  # of an image's standard deviation; a window that varies less says nothing


def window_of(voxel_size: NDArray[np.float64]) -> tuple[int, int, int]:
    """Voxels of a window along each axis: odd, and at least 3."""
    half = np.maximum(np.round((WINDOW_MM / voxel_size - 1) / 2), 1).astype(int)
    i, j, k = (2 * half + 1).tolist()
    return i, j, k


def squared_correlation(
    first: NDArray, second: NDArray, window: tuple[int, int, int]
) -> NDArray[np.float32]:
    """The squared correlation of two images in the window around each voxel.

    It is 1 where one is a straight line of the other, rising or falling, so images of different
    contrast can be compared, and neither a bias field nor a scaling matters.

    Parameters
    ----------
    first, second : arrays of one shape
        NaN where an image knows nothing. Voxels that one of them doesn't know don't count.
    window : tuple of int
        Voxels along each axis, odd. Beyond the array nothing is known.

    Returns
    -------
    array of float32, shape of the images
        0 to 1. NaN where less than half of the window is known or ``first`` is flat in it;
        0 where ``second`` alone is flat.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((5, 5, 5))
    >>> float(squared_correlation(image, 3 - 2 * image, (3, 3, 3))[2, 2, 2])
    1.0
    """
    known = np.isfinite(first) & np.isfinite(second)
    one, flat_one = _standardised(first, known)
    two, flat_two = _standardised(second, known)
    count = _box(known.astype(np.float32), window)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_one, mean_two = _box(one, window) / count, _box(two, window) / count
        variance_one = _box(one * one, window) / count - mean_one**2
        variance_two = _box(two * two, window) / count - mean_two**2
        covariance = _box(one * two, window) / count - mean_one * mean_two
        found = np.clip(covariance**2 / (variance_one * variance_two), 0, 1)
        found[variance_two < flat_two] = 0
        found[(count < _LEAST_SHARE) | (variance_one < flat_one)] = np.nan
    return found.astype(np.float32)


def mean_similarity(template: NDArray, moved: NDArray, window: tuple[int, int, int]) -> float:
    """Mean squared local correlation; 0 where nothing can be compared.

    Parameters
    ----------
    template, moved : arrays of one shape
        NaN outside the template's foreground, and outside the moved image.
    window : tuple of int
    """
    found = squared_correlation(template, moved, window)
    found = found[np.isfinite(template) & np.isfinite(moved) & np.isfinite(found)]
    return float(found.mean(dtype=np.float64)) if found.size else 0.0


def _standardised(image: NDArray, known: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Mean 0 and SD 1 where known, 0 elsewhere; and the variance that counts as none."""
    values = image[known].astype(np.float64)
    result = np.zeros(image.shape)
    if values.size == 0 or (spread := values.std()) == 0:
        return result, np.inf
    result[known] = (values - values.mean()) / spread
    return result, _FLAT**2


def _box(image: NDArray, window: tuple[int, int, int]) -> NDArray[np.float64]:
    """Mean over the window, with 0 beyond the array."""
    return ndimage.uniform_filter(image, window, output=np.float64, mode="constant")
