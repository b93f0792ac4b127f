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
from .patients import SymptomPatients

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
    blocks : array of int64, shape (N,)
        Each draw has as many impaired patients of a block as the data.
    """

    score: Float
    probability: Float
    basis: Float
    blocks: NDArray[np.int64]

    @property
    def _root(self) -> Float:
        return np.sqrt(self.probability * (1 - self.probability))

    def norms(self, patterns: Patterns) -> Float:
        """Standard deviation of x'(y - p), with the covariates fitted."""
        explained = np.asarray(patterns.members @ (self._root[:, None] * self.basis))
        squares = patterns.members @ self._root**2 - (explained**2).sum(axis=1)
        return np.sqrt(np.maximum(squares, 0.0))

    @property
    def scores(self) -> Float:
        """What each pattern is multiplied with, shape (N, 1)."""
        return self._prepared(self.score[:, None])

    def permuted(self, permutations: int, seed: int, together: int) -> Iterator[Float]:
        """What `drawn` scores are multiplied with, prepared as those of the data."""
        for draws in self.drawn(permutations, seed, together):
            yield self._prepared(draws)

    def drawn(self, permutations: int, seed: int, together: int) -> Iterator[Float]:
        """Scores drawn given the covariates and the number of impaired patients.

        Where covariates tell who is likely to be impaired, shuffled scores are no fair
        comparison. Each draw has as many impaired patients of each block as the data, and each
        patient is among them as the covariates make it likely (conditional Bernoulli sampling).
        """
        generator = np.random.default_rng(seed)
        log_odds = np.log(self.probability) - np.log1p(-self.probability)
        blocks = [np.flatnonzero(self.blocks == block) for block in np.unique(self.blocks)]
        sums = [_log_elementary_sums(log_odds[own], int(self.score[own].sum())) for own in blocks]
        for first in range(0, permutations, together):
            number = min(together, permutations - first)
            # A row of random numbers for each draw: the same for any size of a block.
            random = np.log1p(-generator.random((number, log_odds.size))).T
            draws = np.zeros((log_odds.size, number))
            for own, of_block in zip(blocks, sums, strict=True):
                left = np.full(number, of_block.shape[1] - 1)
                for place, patient in enumerate(own.tolist()):
                    # With k impaired left, this patient is one of them in so many of the ways.
                    ways = np.where(left > 0, of_block[place + 1, left - 1], -np.inf)
                    either = random[patient] + of_block[place, left]
                    draws[patient] = either < log_odds[patient] + ways
                    left -= draws[patient].astype(np.int64)
            yield draws

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
    patients: SymptomPatients, covariates: dict[str, Float], basis: Float
) -> LogisticDesign:
    """Fit the probability of a binary score given covariates.

    Parameters
    ----------
    patients : SymptomPatients
        With a score of 0 and 1.
    covariates : dict
        By name, for errors.
    basis : array of float64, shape (N, k)
        Of the intercept and the covariates.

    Raises
    ------
    InputError
        Where the covariates tell the score of some patients with certainty.
    """
    score, weights = patients.score, np.zeros(basis.shape[1])
    for _ in range(_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(basis @ weights, -500, 500)))
        spread = probability * (1 - probability)
        if spread.min() < _CERTAIN:
            break
        step = np.linalg.solve(basis.T @ (spread[:, None] * basis), basis.T @ (score - probability))
        weights += step
        if np.abs(step).max() < _CONVERGED * max(1.0, np.abs(weights).max()):
            rooted, _ = np.linalg.qr(np.sqrt(spread)[:, None] * basis)
            return LogisticDesign(score, probability, rooted, patients.blocks)
    problem = f"follows from {', '.join(covariates)} with certainty in some patients"
    raise InputError(patients.name, problem, "leave a covariate out")
