"""Models of all voxels together, by the products of patients' lesions (the Gram matrix).

A linear model of hundreds of thousands of voxels and N patients has N numbers that are free: its
coefficient at each voxel is the sum of one number of each patient lesioned there, its dual
coefficients. They need the products of each two lesions alone, which are the voxels they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..patterns import Patterns

Float = NDArray[np.float64]

Model = Literal["ridge", "svr"]

MODELS = {
    "ridge": "ridge regression",
    "svr": "linear support vector regression",
}
EPSILON = 0.1
"""Errors that support vectors do not count, in standard deviations of the score; the default of
libsvm, and so of R LESYMAP."""
_TOLERANCE = 1e-3  # of libsvm, its default: weights are then those of R's e1071 and R LESYMAP


def one_thread() -> AbstractContextManager:
    """Keep products of small matrices to one thread; measured: with two they take five times it."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")


def shared_voxels(patterns: Patterns) -> Float:
    """Number of voxels that each two lesions share.

    Parameters
    ----------
    patterns : Patterns
        Of the voxels that count.

    Returns
    -------
    array of float64, shape (patients, patients)
        Whole numbers; each lesion's own volume on the diagonal.
    """
    voxels = np.bincount(patterns.of_voxel, minlength=patterns.size).astype(np.float64)
    weighted = patterns.members.multiply(voxels[:, None]).tocsr()
    return np.asarray((weighted.T @ patterns.members).toarray())


def orthogonal_complement(basis: Float) -> Float:
    """An orthonormal basis of all that is orthogonal to the columns of one.

    Parameters
    ----------
    basis : array of float64, shape (N, k)
        Orthonormal.

    Returns
    -------
    array of float64, shape (N, N - k)
    """
    q, _ = np.linalg.qr(basis, mode="complete")
    return np.ascontiguousarray(q[:, basis.shape[1] :])


def mean_product(products: Float, degrees: int) -> float:
    """Mean of the products of lesions with themselves, the unit of a penalty; 1 where all are 0."""
    return float(np.trace(products)) / max(degrees, 1) or 1.0


def support_vector_coefficients(
    products: Float, cost: float, scores: Float, epsilon: float | Sequence[float]
) -> tuple[Float, Float]:
    """Dual coefficients of support vector regression, and its intercepts.

    Parameters
    ----------
    products : array of float64, shape (n, n)
    cost : float
        Largest absolute value of a coefficient.
    scores : array of float64, shape (n, columns)
    epsilon : float or sequence of float, shape (columns,)
        Errors that do not count.

    Returns
    -------
    coefficients : array of float64, shape (n, columns)
    intercepts : array of float64, shape (columns,)
    """
    from sklearn import config_context
    from sklearn.svm import SVR

    coefficients = np.zeros(scores.shape)
    intercepts = np.zeros(scores.shape[1])
    # Checks of thousands of small fits take longer than the fits.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for column, own in enumerate(np.broadcast_to(epsilon, scores.shape[1]).tolist()):
            fitted = SVR(kernel="precomputed", C=cost, epsilon=own, tol=_TOLERANCE)
            fitted.fit(products, scores[:, column])
            coefficients[fitted.support_, column] = fitted.dual_coef_[0]
            intercepts[column] = fitted.intercept_[0]
    return coefficients, intercepts
