"""The linear design: score, covariates and lesion volume, and how scores are permuted.

With x a voxel's column (1 lesioned, 0 spared), y the score, Q an orthonormal basis of the intercept
and the covariates and M = I - QQ', the partial correlation is r = x'My / (|Mx| |My|), and
t = r sqrt(dof / (1 - r²)) that of the regression of y on x and the covariates. Every choice of
`Control` is a product of x with one vector, divided by one number for each pattern.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...core.defaults import CONTROL, Control
from ...core.errors import InputError
from ..patterns import Patterns

Float = NDArray[np.float64]

CONTROLS = {
    "log-volume": "logarithm of lesion volume as a covariate",
    "volume": "lesion volume as a covariate",
    "none": "no control of lesion volume",
    "behaviour": "lesion volume regressed out of the score alone",
    "lesion": "lesion volume regressed out of the lesions alone",
    "dtlvc": "each lesion divided by the square root of its volume (dTLVC)",
}

COLLINEAR = 1e-8
"""Part of a column that remains after the others are regressed out, below which it is collinear.
Arbitrary: far above rounding, far below any measured covariate."""
_ROUNDING = 2.0**-52  # of a number near 1
_VOLUMES = {"log-volume": "logarithm of lesion volume"}


class Permutable(Protocol):
    """What gives permuted scores."""

    def permuted(self, permutations: int, seed: int, together: int) -> Iterator[Float]:
        """Permuted scores, shape (patients, up to `together`), the same for any size of a block."""


@dataclass(frozen=True, eq=False)
class Design:
    """Score, covariates and control of lesion volume of N patients.

    Parameters
    ----------
    residuals : array of float64, shape (N,)
        What is permuted: the score less what covariates explain.
    basis : array of float64, shape (N, k)
        Orthonormal; regressed out of each permuted score (Freedman & Lane 1983).
    weights : array of float64, shape (N,)
        That each patient's lesion is multiplied with: 1, but for dTLVC.
    blocks : array of int64, shape (N,)
        Permutations exchange scores within one block only, such as a site.
    is_rescaled : bool
        Whether each permuted score is scaled to its own length, or all to that of the data.
    """

    residuals: Float
    basis: Float
    weights: Float
    blocks: NDArray[np.int64]
    is_rescaled: bool = True

    @property
    def patients(self) -> int:
        """Number of patients."""
        return int(self.residuals.size)

    @property
    def dof(self) -> int:
        """Degrees of freedom of t."""
        return self.patients - self.basis.shape[1] - 1

    def norms(self, patterns: Patterns) -> Float:
        """Length of each pattern's column with covariates regressed out: |M x|."""
        explained = np.asarray(patterns.members @ (self.weights[:, None] * self.basis))
        squares = patterns.members @ self.weights**2 - (explained**2).sum(axis=1)
        return np.sqrt(np.maximum(squares, 0.0))

    @property
    def scores(self) -> Float:
        """The score of the data, shape (N, 1): of length 1, without what covariates explain."""
        return self._prepared(self.residuals[:, None])

    def permuted(self, permutations: int, seed: int, together: int) -> Iterator[Float]:
        """Permuted scores, prepared as those of the data, shape (N, up to `together`)."""
        for orders in permuted_orders(self.blocks, permutations, seed, together):
            yield self._prepared(self.residuals[orders])

    def _prepared(self, scores: Float) -> Float:
        scores = scores - self.basis @ (self.basis.T @ scores)
        if self.is_rescaled:
            length = np.sqrt(np.einsum("ij,ij->j", scores, scores))
        else:
            length = np.full(scores.shape[1], np.linalg.norm(self.residuals))
        # A permuted score may be explained by the covariates altogether.
        scores /= np.where(length > 0, length, np.inf)
        return np.ascontiguousarray(scores * self.weights[:, None])


def permuted_orders(
    blocks: NDArray[np.int64], permutations: int, seed: int, together: int
) -> Iterator[NDArray[np.int64]]:
    """Orders of the patients, one permutation per column, the same for any size of a block.

    Parameters
    ----------
    blocks : array of int64, shape (N,)
        Patients are exchanged within one block only.
    permutations, seed : int
    together : int
        Permutations of one array.
    """
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
    for first in range(0, permutations, together):
        orders = np.empty((blocks.size, min(together, permutations - first)), np.int64)
        for column in range(orders.shape[1]):
            for rows in members:
                orders[rows, column] = generator.permutation(rows)
        yield orders


def make_design(
    score: Float,
    covariates: dict[str, Float],
    volumes: Float,
    control: Control = CONTROL,
    blocks: NDArray[np.int64] | None = None,
    name: str = "score",
) -> Design:
    """The design of a linear test.

    Parameters
    ----------
    score : array of float64, shape (N,)
    covariates : dict of array of float64, shape (N,)
        By name.
    volumes : array of float64, shape (N,)
        Lesion volumes, above 0 where the control needs them.
    control : Control
    blocks : array of int64, shape (N,), optional
    name : str
        Of the score, for errors.

    Raises
    ------
    InputError
        Where covariates are collinear, are too many, or explain the score altogether.
    """
    # Far from 0, as a date is, the last digits of products would be lost.
    score = score - score.mean()
    columns = dict(covariates)
    ones = np.ones(score.size)
    volume = _VOLUMES.get(control, "lesion volume")
    if control in ("log-volume", "volume", "behaviour", "lesion"):
        values = np.log(volumes) if control == "log-volume" else volumes
        full = orthonormal({"intercept": ones, **columns, volume: values})
    else:
        full = orthonormal({"intercept": ones, **columns})
    plain = full if control in ("log-volume", "volume") else full[:, : 1 + len(columns)]
    residuals = (
        score - full @ (full.T @ score)
        if control != "lesion"
        else score - plain @ (plain.T @ score)
    )
    if np.linalg.norm(residuals) <= COLLINEAR * np.linalg.norm(score):
        raise InputError(name, "is explained by the covariates altogether", "leave one out")
    if score.size - full.shape[1] < 2:
        problem = f"{score.size} patients are too few for {full.shape[1] - 1} covariates"
        raise InputError(name, problem, "leave covariates out")
    return Design(
        residuals=residuals,
        basis=full if control == "lesion" else plain,
        weights=1 / np.sqrt(volumes) if control == "dtlvc" else ones,
        blocks=np.zeros(score.size, np.int64) if blocks is None else blocks,
        is_rescaled=control != "lesion",
    )


def orthonormal(columns: dict[str, Float]) -> Float:
    """An orthonormal basis of columns, the first of which is the intercept, each in its turn.

    Raises
    ------
    InputError
        Where a column is a combination of those before it.
    """
    basis: list[Float] = []
    for name, column in columns.items():
        centred = column - column.mean() if basis else column
        rest = centred / (np.linalg.norm(centred) or 1.0)
        for _ in range(2):  # once more takes away what rounding left
            for known in basis:
                rest = rest - known * (known @ rest)
        length = np.linalg.norm(rest)
        if not length > COLLINEAR:
            problem = "does not vary, or follows from the other covariates"
            is_volume = name in (*_VOLUMES.values(), "lesion volume")
            raise InputError(name, problem, "choose control none" if is_volume else "leave it out")
        basis.append(rest / length)
    return np.column_stack(basis)


def partial_t(correlation: Float, dof: int) -> Float:
    """The t of a partial correlation; of one that is 1, that of the nearest number below 1."""
    return np.asarray(correlation * np.sqrt(dof / np.maximum(1 - correlation**2, _ROUNDING)))
