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
_HALVINGS = 25  # of a step of it, arbitrary
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
        See `draw_symptoms`.
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
        """What scores of `draw_symptoms` are multiplied with, prepared as those of the data."""
        log_odds = np.log(self.probability) - np.log1p(-self.probability)
        for draws in draw_symptoms(self.score, log_odds, self.blocks, permutations, seed, together):
            yield self._prepared(draws)

    def _prepared(self, scores: Float) -> Float:
        """Divided by the root of N as well, so that statistics have the size of correlations."""
        scaled = (scores - self.probability[:, None]) / self._root[:, None]
        scaled -= self.basis @ (self.basis.T @ scaled)
        return np.ascontiguousarray(scaled * (self._root / np.sqrt(self.score.size))[:, None])


def draw_symptoms(
    score: Float,
    log_odds: Float,
    blocks: NDArray[np.int64],
    permutations: int,
    seed: int,
    together: int,
) -> Iterator[Float]:
    """Scores of 0 and 1 drawn given the covariates and the number of impaired patients.

    Where covariates tell who is likely to be impaired, shuffled scores are not fair comparison.
    Each draw has as many impaired patients of each block as the data, and each patient is among
    them as the covariates make it likely (conditional Bernoulli sampling).

    Parameters
    ----------
    score : array of float64, shape (N,)
    log_odds : array of float64, shape (N,)
        Of 1, given the covariates.
    blocks : array of int64, shape (N,)
    permutations, seed : int
    together : int
        Draws of one array; the draws do not depend on it.

    Yields
    ------
    array of float64, shape (N, draws)
    """
    generator = np.random.default_rng(seed)
    of_blocks = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
    sums = [_log_elementary_sums(log_odds[own], int(score[own].sum())) for own in of_blocks]
    for first in range(0, permutations, together):
        number = min(together, permutations - first)
        # A row of random numbers for each draw: the same for any size of a block.
        random = np.log1p(-generator.random((number, log_odds.size))).T
        draws = np.zeros((log_odds.size, number))
        for own, of_block in zip(of_blocks, sums, strict=True):
            left = np.full(number, of_block.shape[1] - 1)
            for place, patient in enumerate(own.tolist()):
                # With k impaired left, this patient is one of them in so many of the ways.
                ways = np.where(left > 0, of_block[place + 1, left - 1], -np.inf)
                either = random[patient] + of_block[place, left]
                draws[patient] = either < log_odds[patient] + ways
                left -= draws[patient].astype(np.int64)
        yield draws


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


def bias_reduced_log_odds(score: Float, basis: Float) -> Float:
    """Log odds of a binary score given covariates, by Firth's logistic regression.

    Finite even where covariates tell the score with certainty, as Jeffreys' prior keeps
    coefficients from growing without end (Firth 1993; Heinze & Schemper 2002).

    Parameters
    ----------
    score : array of float64, shape (N,)
        0 and 1.
    basis : array of float64, shape (N, k)
        Of the intercept and the covariates, orthonormal.

    Returns
    -------
    array of float64, shape (N,)
    """
    weights = np.zeros(basis.shape[1])
    value, probability, root = _penalised(score, basis, weights)
    for _ in range(_STEPS):
        q, r = np.linalg.qr(root[:, None] * basis)
        leverage = (q**2).sum(axis=1)
        gradient = basis.T @ (score - probability + leverage * (0.5 - probability))
        step = np.linalg.solve(r.T @ r, gradient)
        # Halved until the likelihood does not fall, as in R's logistf.
        for _ in range(_HALVINGS):
            new_value, new_probability, new_root = _penalised(score, basis, weights + step)
            if new_value >= value:
                break
            step = step / 2
        else:
            break
        weights, value = weights + step, new_value
        probability, root = new_probability, new_root
        if np.abs(step).max() < _CONVERGED * max(1.0, np.abs(weights).max()):
            break
    return np.asarray(basis @ weights)


def _penalised(score: Float, basis: Float, weights: Float) -> tuple[float, Float, Float]:
    """Penalised log likelihood, probabilities, and the roots of their variances."""
    log_odds = basis @ weights
    probability = 1 / (1 + np.exp(-np.clip(log_odds, -500, 500)))
    root = np.exp(-np.logaddexp(0, log_odds) / 2 - np.logaddexp(0, -log_odds) / 2)
    information = np.linalg.slogdet(basis.T @ (root[:, None] ** 2 * basis))[1]
    likelihood = (score * log_odds - np.logaddexp(0, log_odds)).sum()
    return float(likelihood + information / 2), probability, root
