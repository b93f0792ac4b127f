"""Binary scores with covariates: the score test of a logistic regression, and its permutations.

Exact tests of a 2 x 2 table take no covariates. Rao's score test asks the same of a logistic
regression on the lesion and the covariates, and needs one fit for all voxels: with p the
probability that the covariates alone give each patient and W = diag(p (1 - p)),
z = x'(y - p) / sqrt(x'Wx - x'WC (C'WC)^-1 C'Wx), a product of x with one vector again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import InputError
from ..patterns import Patterns

Float = NDArray[np.float64]

_STEPS = 50  # of Newton's method, arbitrary: it converges in fewer than ten
_CONVERGED = 1e-12
_CERTAIN = 1e-8  # a fitted probability nearer to 0 or 1 means separation; arbitrary


@dataclass(frozen=True, eq=False)
class LogisticDesign:
    """A binary score and its probability given the covariates.

    Parameters
    ----------
    score : array of float64, shape (N,)
        0 and 1.
    probability : array of float64, shape (N,)
        Of 1, given the covariates alone.
    basis : array of float64, shape (N, k)
        The intercept and the covariates times the root of W, orthonormal.
    """

    score: Float
    probability: Float
    basis: Float

    @property
    def _root(self) -> Float:
        return np.sqrt(self.probability * (1 - self.probability))

    def norms(self, patterns: Patterns) -> Float:
        """Standard deviation of x'(y - p), with the covariates fitted."""
        weighted = patterns.members * self._root[None, :]
        squares = np.asarray((weighted**2).sum(axis=1)).ravel()
        explained = np.asarray(weighted @ self.basis)
        return np.sqrt(np.maximum(squares - (explained**2).sum(axis=1), 0.0))

    @property
    def scores(self) -> Float:
        """What each pattern is multiplied with, shape (N, 1)."""
        return self._prepared(self.score[:, None])

    def permuted(self, permutations: int, seed: int, together: int) -> Iterator[Float]:
        """Scores drawn given the covariates and the number of impaired patients.

        Where covariates tell who is likely to be impaired, shuffled scores are no fair
        comparison. Each draw has as many impaired patients as the data, and each patient is among
        them as the covariates make it likely (conditional Bernoulli sampling).
        """
        generator = np.random.default_rng(seed)
        impaired = int(self.score.sum())
        log_odds = np.log(self.probability) - np.log1p(-self.probability)
        sums = _log_elementary_sums(log_odds, impaired)
        for first in range(0, permutations, together):
            number = min(together, permutations - first)
            # A row of random numbers for each draw: the same for any size of a block.
            random = np.log1p(-generator.random((number, log_odds.size))).T
            left = np.full(number, impaired)
            draws = np.zeros((log_odds.size, number))
            for patient in range(log_odds.size):
                # With k impaired left, this patient is one of them in so many of the ways.
                ways = np.where(left > 0, sums[patient + 1, left - 1], -np.inf)
                draws[patient] = random[patient] + sums[patient, left] < log_odds[patient] + ways
                left -= draws[patient].astype(np.int64)
            yield self._prepared(draws)

    def _prepared(self, scores: Float) -> Float:
        """Divided by the root of N as well, so that statistics have the size of correlations."""
        scaled = (scores - self.probability[:, None]) / self._root[:, None]
        scaled -= self.basis @ (self.basis.T @ scaled)
        return np.ascontiguousarray(scaled * (self._root / np.sqrt(self.score.size))[:, None])


def _log_elementary_sums(log_odds: Float, impaired: int) -> Float:
    """Log of the sums of products of the odds of k of the patients from each one on.

    Shape (N + 1, K + 1).
    """
    sums = np.full((log_odds.size + 1, impaired + 1), -np.inf)
    sums[:, 0] = 0.0
    for patient in range(log_odds.size - 1, -1, -1):
        with_it = log_odds[patient] + sums[patient + 1, :-1]
        sums[patient, 1:] = np.logaddexp(sums[patient + 1, 1:], with_it)
    return sums


def make_logistic_design(
    name: str, score: Float, covariates: dict[str, Float], basis: Float
) -> LogisticDesign:
    """Fit the probability of a binary score given covariates.

    Parameters
    ----------
    name : str
        Of the score, for errors.
    score : array of float64, shape (N,)
    covariates : dict
        By name, for errors.
    basis : array of float64, shape (N, k)
        Of the intercept and the covariates.

    Raises
    ------
    InputError
        Where the covariates tell the score of some patients with certainty.
    """
    weights = np.zeros(basis.shape[1])
    for _ in range(_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(basis @ weights, -500, 500)))
        spread = probability * (1 - probability)
        if spread.min() < _CERTAIN:
            break
        step = np.linalg.solve(basis.T @ (spread[:, None] * basis), basis.T @ (score - probability))
        weights += step
        if np.abs(step).max() < _CONVERGED * max(1.0, np.abs(weights).max()):
            rooted, _ = np.linalg.qr(np.sqrt(spread)[:, None] * basis)
            return LogisticDesign(score, probability, rooted)
    problem = f"follows from {', '.join(covariates)} with certainty in some patients"
    raise InputError(name, problem, "leave a covariate out")
