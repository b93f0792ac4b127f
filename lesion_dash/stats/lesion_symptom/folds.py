"""What a fold of a cross-validation learns from its training patients and says of the others.

Each model of a score has terms that are not penalised (intercept, covariates, lesion volume) and,
where lesions count, products of lesions. All that is estimated is of the training patients alone:
covariates are regressed out of their scores and lesions, penalties are chosen among them, and
scores of 0 and 1 become probabilities by what they show.

With Z the terms, G the products, y the score, all of the training patients, and W an orthonormal
basis of what is orthogonal to Z, W'GW = V diag(s) V' and U = WV: dual coefficients of ridge
regression are a = U diag(1 / (s + λ)) U'y, residuals with one patient left out at a time are
a_i / P_ii with P = U diag(1 / (s + λ)) U' (Z refitted without the patient), and scores of others
are predicted as z'b + g'a with b = Z⁺ (y - Ga).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .kernels import EPSILON, mean_product, support_vector_coefficients

Float = NDArray[np.float64]
Int = NDArray[np.int64]

PENALTIES = 10.0 ** np.linspace(-2, 3, 11)
"""Of ridge regression, in mean products of a lesion with itself; arbitrary: from almost none to one
that leaves lesions without influence."""
COSTS = (0.1, 1.0, 10.0)
"""Of support vector regression, likewise."""
INNER_FOLDS = 5
"""That choose a cost, by convention."""
_RANK = (
    1e-8  # part of the largest singular value below which terms are collinear; far above rounding
)
_STEPS = 20  # of Newton's method; measured: 8 are enough
_LIMIT = 30.0  # of a logit, beyond which its probability is 0 or 1


def decompose(terms: Float) -> tuple[Float, Float, Float]:
    """Orthonormal bases of columns and of what is orthogonal to them, and their pseudo-inverse."""
    u, s, vt = np.linalg.svd(terms, full_matrices=True)
    rank = int((s > _RANK * s[0]).sum())
    inverse = (vt[:rank].T / s[:rank]) @ u[:, :rank].T
    return u[:, :rank], np.ascontiguousarray(u[:, rank:]), inverse


@dataclass(frozen=True, eq=False)
class Fold:
    """A model without lesions: least squares on its terms.

    Parameters
    ----------
    terms : array of float64, shape (N, k)
        The intercept among them.
    train, test : array of int64
        Rows of patients.
    """

    terms: Float
    train: Int
    test: Int

    def predict(self, scores: Float) -> tuple[Float, Float, Float]:
        """Predict scores.

        Parameters
        ----------
        scores : array of float64, shape (N, columns)
            Those of the test patients are not looked at.

        Returns
        -------
        predicted : array of float64, shape (test patients, columns)
        left_out : array of float64, shape (training patients, columns)
            Each from the others, with the penalty of the fold.
        penalties : array of float64, shape (columns,)
            The chosen ones, infinite where there are no lesions.
        """
        own = scores[self.train]
        residuals = own - self._basis @ (self._basis.T @ own)
        left = np.where(self.has_others, 1 - (self._basis**2).sum(axis=1), 1.0)[:, None]
        none = np.full(own.shape[1], np.inf)
        return self._hat @ own, own - residuals / left, none

    @cached_property
    def _decomposition(self) -> tuple[Float, Float, Float]:
        return decompose(self.terms[self.train])

    @cached_property
    def has_others(self) -> NDArray[np.bool_]:
        """Whether the others tell anything of each training patient who is left out.

        They do not where a term is of him alone, such as the only one of a scanner.
        """
        return np.asarray(1 - (self._basis**2).sum(axis=1) > _RANK)

    @property
    def _basis(self) -> Float:
        return self._decomposition[0]

    @property
    def _free(self) -> Float:
        return self._decomposition[1]

    @cached_property
    def _hat(self) -> Float:
        """What the terms predict of the test patients, from scores of the training ones."""
        return np.asarray(self.terms[self.test] @ self._decomposition[2])


@dataclass(frozen=True, eq=False)
class _LesionFold(Fold):
    """A model with lesions.

    Parameters
    ----------
    products : array of float64, shape (N, N)
    """

    products: Float

    @cached_property
    def _own(self) -> Float:
        """Products of training lesions with the terms regressed out, in the basis of the rest."""
        return np.asarray(self._free.T @ self.products[np.ix_(self.train, self.train)] @ self._free)

    @cached_property
    def _unit(self) -> float:
        return mean_product(self._own, self._free.shape[1])

    @cached_property
    def _others(self) -> Float:
        """Products of test with training lesions, with the terms regressed out of both."""
        between = self.products[np.ix_(self.test, self.train)]
        return np.asarray(between - self._hat @ self.products[np.ix_(self.train, self.train)])


@dataclass(frozen=True, eq=False)
class RidgeFold(_LesionFold):
    """Ridge regression; the penalty is chosen by leaving out one training patient at a time."""

    @cached_property
    def _eigen(self) -> tuple[Float, Float]:
        values, vectors = np.linalg.eigh(self._own)
        return np.maximum(values, 0.0) / self._unit, self._free @ vectors

    def predict(self, scores: Float) -> tuple[Float, Float, Float]:
        """Predict scores; see `Fold.predict`."""
        own = scores[self.train]
        values, u = self._eigen
        projected, squares = u.T @ own, u**2
        # Of whom a term is alone nothing is left, and his own error says nothing of a penalty.
        known = self.has_others[:, None]
        best = np.full(own.shape[1], np.inf)
        penalties = np.full(own.shape[1], PENALTIES[-1])
        left_out = own.copy()
        for penalty in PENALTIES[::-1]:  # of equal ones the largest
            shrunk = 1 / (values + penalty)
            errors = np.where(known, u @ (projected * shrunk[:, None]), 0.0)
            errors /= np.where(known, (squares @ shrunk)[:, None], 1.0)
            total = np.einsum("ij,ij->j", errors, errors)
            is_better = total < best
            best[is_better], penalties[is_better] = total[is_better], penalty
            left_out[:, is_better] = own[:, is_better] - errors[:, is_better]
        shrunk = projected / (values[:, None] + penalties)
        predicted = self._hat @ own + (self._others @ u) @ shrunk / self._unit
        return predicted, left_out, penalties


@dataclass(frozen=True, eq=False)
class SupportVectorFold(_LesionFold):
    """Linear support vector regression; the cost is chosen by folds of the training patients."""

    def predict(self, scores: Float) -> tuple[Float, Float, Float]:
        """Predict scores; see `Fold.predict`. Those left out are left out by folds."""
        own = scores[self.train]
        best = np.full(own.shape[1], np.inf)
        costs = np.full(own.shape[1], COSTS[0])
        left_out = np.empty_like(own)
        inner = [
            SupportVectorFold(
                self.terms, np.delete(self.train, part), self.train[part], self.products
            )
            for part in np.array_split(np.arange(self.train.size), INNER_FOLDS)
        ]
        for cost in COSTS:
            guessed = np.concatenate([fold.with_cost(scores, cost) for fold in inner])
            total = ((own - guessed)[self.has_others] ** 2).sum(axis=0)
            is_better = total < best
            best[is_better], costs[is_better] = total[is_better], cost
            left_out[:, is_better] = guessed[:, is_better]
        predicted = np.empty((self.test.size, own.shape[1]))
        for cost in np.unique(costs):
            chosen = costs == cost
            predicted[:, chosen] = self.with_cost(scores[:, chosen], float(cost))
        return predicted, left_out, 1 / costs

    def with_cost(self, scores: Float, cost: float) -> Float:
        """Predict scores with one cost, shape (test patients, columns)."""
        own = scores[self.train]
        residuals = self._free @ (self._free.T @ own)
        spread = np.sqrt((residuals**2).sum(axis=0) / self._free.shape[1])
        scale = np.where(spread > 0, spread, 1.0)
        products = self._free @ self._own @ self._free.T / self._unit
        scaled = residuals / scale
        duals, intercepts = support_vector_coefficients(products, cost, scaled, EPSILON)
        rest = self._others @ (self._free @ (self._free.T @ duals)) / self._unit + intercepts
        return np.asarray(self._hat @ own + rest * scale)


def probabilities(left_out: Float, symptoms: Float, predicted: Float) -> Float:
    """Make probabilities of predicted scores of 0 and 1, by a logistic regression (Platt 2000).

    It is fitted to predictions of training patients that were left out. A slope below 0, which
    these have where nothing can be predicted, counts as 0.

    Parameters
    ----------
    left_out, symptoms : array of float64, shape (training patients, columns)
    predicted : array of float64, shape (test patients, columns)

    Returns
    -------
    array of float64, shape (test patients, columns)
    """
    with_it = symptoms.sum(axis=0)
    without = symptoms.shape[0] - with_it
    # Platt's targets: groups that are separated have finite slopes.
    target = np.where(symptoms > 0, (with_it + 1) / (with_it + 2), 1 / (without + 2))
    middle, spread = left_out.mean(axis=0), left_out.std(axis=0)
    spread = np.where(spread > 0, spread, np.inf)
    x = (left_out - middle) / spread
    share = target.mean(axis=0)
    intercept, slope = np.log(share / (1 - share)), np.zeros_like(share)
    base = intercept.copy()
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(intercept + slope * x, -_LIMIT, _LIMIT)))
        weight = p * (1 - p) + 1e-12
        error = target - p
        first, second = error.sum(axis=0), (error * x).sum(axis=0)
        a, b, c = weight.sum(axis=0), (weight * x).sum(axis=0), (weight * x**2).sum(axis=0) + 1e-9
        determinant = a * c - b**2
        step_a, step_b = (
            (c * first - b * second) / determinant,
            (a * second - b * first) / determinant,
        )
        longest = np.maximum(np.maximum(np.abs(step_a), np.abs(step_b)), 1.0)
        intercept, slope = intercept + step_a / longest, slope + step_b / longest
        if max(np.abs(step_a).max(), np.abs(step_b).max()) < 1e-8:
            break
    is_flat = slope <= 0
    intercept, slope = np.where(is_flat, base, intercept), np.where(is_flat, 0.0, slope)
    logit = intercept + slope * (predicted - middle) / spread
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -_LIMIT, _LIMIT))))
