"""Each test of a score, prepared: its statistics, effects, and what permutes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.defaults import Control, SymptomSide, SymptomTest
from ..patterns import Patterns
from .design import Design, make_design, orthonormal, partial_t, permuted_orders
from .effects import CONFIDENCE, hedges_g, log10_bayes_factor, wilson
from .logistic import LogisticDesign, make_logistic_design
from .null import Heights, LinearNull, PermutationNull, ScreenedNull
from .path import PathPatterns, sums_of_pairs
from .patients import SymptomPatients
from .two_samples import BrunnerMunzel, Welch
from .univariate import BINARY, binary_tails, superiority

Float = NDArray[np.float64]
Single = NDArray[np.float32]

COVARIATE_CONTROLS = ("log-volume", "volume")
"""Controls that are a covariate."""
EXPLAINED = 0.01
"""Part of a lesion column's length that covariates leave, below which a voxel cannot be tested.
Arbitrary: they then explain 99.99 % of it."""


@dataclass(frozen=True, eq=False)
class PreparedTest:
    """A test of all patterns, and what permutes it.

    Parameters
    ----------
    patterns : PathPatterns
    null : PermutationNull
    heights : array of float64, shape (patterns,)
        What permutations are compared by: a correlation, or the statistic.
    columns : mapping
        By key, arrays at the patterns or functions that compute them.
    forming : float
        Height of the statistic at the cluster-forming p.
    dof : int
        Of t where the heights are correlations; otherwise 0.
    scale : float
        Statistic of a height of 1, where it is not a correlation.
    norms : array of float64, shape (patterns,)
        |Mx| of linear tests, otherwise empty.
    """

    patterns: PathPatterns
    null: PermutationNull
    heights: Float
    columns: Mapping[str, Any]
    forming: float
    dof: int = 0
    scale: float = 1.0
    norms: Float = field(default_factory=lambda: np.empty(0))

    def as_statistic(self, height: float) -> float:
        """The statistic of a height."""
        if not self.dof or not np.isfinite(height):
            return height * self.scale
        return float(partial_t(np.array(height), self.dof))


@dataclass(frozen=True, eq=False)
class TestChoice:
    """What is tested, and how."""

    __test__ = False  # pytest would take it for a class of tests

    test: SymptomTest
    control: Control
    side: SymptomSide
    cluster_p: float

    def tail(self, p: float) -> float:
        """Of one side, for a p of the whole test."""
        return p / 2 if self.side == "two-sided" else p

    def p_of(self, sf: Callable[[Float], Float], statistic: Float) -> Float:
        """The p of statistics with a symmetric distribution of this survival function."""
        if self.side == "two-sided":
            return np.minimum(2 * sf(np.abs(statistic)), 1.0)
        return sf(-statistic if self.side == "smaller" else statistic)


def prepare_test(
    patients: SymptomPatients, patterns: PathPatterns, choice: TestChoice
) -> PreparedTest:
    """Prepare a test of a score at patterns."""
    if choice.test in ("ols", "rank"):
        return _linear(patients, patterns, choice)
    if choice.test in BINARY:
        has_covariates = bool(patients.covariates) or choice.control in COVARIATE_CONTROLS
        return (_logistic if has_covariates else _table)(patients, patterns, choice)
    return _two_samples(patients, patterns, choice)


def design_of(patients: SymptomPatients, choice: TestChoice) -> Design:
    """The linear design of a test."""
    from scipy.stats import rankdata

    score = rankdata(patients.score) if choice.test == "rank" else patients.score
    covariates, volumes = patients.covariates, patients.volumes
    return make_design(score, covariates, volumes, choice.control, patients.blocks, patients.name)


def testable(
    patients: SymptomPatients, patterns: Patterns, choice: TestChoice
) -> NDArray[np.bool_]:
    """Whether covariates leave anything of each pattern's column, and the scores vary there."""
    if choice.test in BINARY:
        covariates = _covariates(patients, choice)
        basis = orthonormal({"intercept": np.ones(patients.size), **covariates})
        design = Design(np.empty(0), basis, np.ones(patients.size), patients.blocks)
    else:
        design = design_of(patients, choice)
    full = Design(np.empty(0), np.empty((patients.size, 0)), design.weights, patients.blocks)
    is_left = design.norms(patterns) > EXPLAINED * full.norms(patterns)
    if choice.test == "welch":
        _, score = _two_sample_score(patients, choice)
        every = np.arange(patterns.size)
        t = Welch(patterns.members, score).statistics(every, np.zeros_like(every))
        is_left &= np.isfinite(t)
    return np.asarray(is_left)


def _linear(patients: SymptomPatients, patterns: PathPatterns, choice: TestChoice) -> PreparedTest:
    from scipy.stats import t as t_distribution

    design = design_of(patients, choice)
    norms, dof = design.norms(patterns), design.dof
    heights = np.asarray(patterns.members @ design.scores)[:, 0] / norms
    np.clip(heights, -1, 1, out=heights)
    t = partial_t(heights, dof)
    null = LinearNull(patients.cohort.grid, patterns, norms, design, choice.side)
    # Those of dTLVC are in units of weighted lesions, which no effect size is.
    if choice.control == "dtlvc":
        norms = _plain_design(patients, choice).norms(patterns)
    limit = t_distribution.isf(choice.tail(choice.cluster_p), dof)
    columns: dict[str, Any] = {
        "statistic": t,
        "p": lambda: choice.p_of(lambda value: t_distribution.sf(value, dof), t),
        "partial_r": heights,
        "hedges_g": lambda: hedges_g(t, norms, dof),
        "auc": lambda: superiority(patterns.members, patterns.n, patients.score),
    }
    if choice.test == "ols":
        columns["log10_bf10"] = lambda: log10_bayes_factor(t, norms, dof)
    columns |= _linear_effect(patients, patterns, choice)
    return PreparedTest(
        patterns,
        null,
        heights,
        columns,
        forming=float(limit / np.sqrt(limit**2 + dof)),
        dof=dof,
        norms=norms,
    )


def _linear_effect(
    patients: SymptomPatients, patterns: PathPatterns, choice: TestChoice
) -> dict[str, Callable[[], Float]]:
    """Coefficient of the lesion in the score's own unit, and its interval."""
    from scipy.stats import t as t_distribution

    design = _plain_design(patients, choice)

    @cache
    def effect() -> tuple[Float, Float]:
        norms = design.norms(patterns)
        r = np.asarray(patterns.members @ design.scores)[:, 0] / norms
        unit = np.linalg.norm(design.residuals) / norms
        error = np.sqrt(np.maximum(1 - r**2, 0.0) / design.dof)
        return r * unit, t_distribution.isf((1 - CONFIDENCE) / 2, design.dof) * error * unit

    return _bounds(effect)


def _plain_design(patients: SymptomPatients, choice: TestChoice) -> Design:
    """The regression of the score itself: controls that are not a covariate have no such model."""
    control: Control = choice.control if choice.control in COVARIATE_CONTROLS else "none"
    columns = patients.score, patients.covariates, patients.volumes
    return make_design(*columns, control, name=patients.name)


def _bounds(effect: Callable[[], tuple[Float, Float]]) -> dict[str, Callable[[], Float]]:
    return {
        "effect": lambda: effect()[0],
        "ci_low": lambda: effect()[0] - effect()[1],
        "ci_high": lambda: effect()[0] + effect()[1],
    }


def _two_samples(
    patients: SymptomPatients, patterns: PathPatterns, choice: TestChoice
) -> PreparedTest:
    """Welch's and Brunner and Munzel's tests, of what covariates leave of the score."""
    from scipy.stats import t as t_distribution

    design, score = _two_sample_score(patients, choice)
    members, n = patterns.members, patterns.n
    kind: type[Welch | BrunnerMunzel] = Welch if choice.test == "welch" else BrunnerMunzel
    every, first = np.arange(patterns.size), np.zeros(patterns.size, np.int64)
    statistic, dof = kind(members, score).with_dof(every, first)

    @cache
    def effect() -> tuple[Float, Float]:
        difference, error, own_dof = Welch(members, score).mean_differences(every, first)
        width = t_distribution.isf((1 - CONFIDENCE) / 2, own_dof)
        return difference, np.where(error > 0, width * error, 0.0)

    grid = patients.cohort.grid
    null = ScreenedNull(grid, patterns, design, choice.side, partial(kind, members))
    columns = {
        "statistic": statistic,
        "p": lambda: choice.p_of(lambda value: t_distribution.sf(value, dof), statistic),
        "auc": lambda: superiority(members, n, patients.score),
        **_bounds(effect),
    }
    # Each pattern has its own degrees of freedom, and other ones in each permutation.
    forming = t_distribution.isf(choice.tail(choice.cluster_p), patients.size - 2)
    return PreparedTest(patterns, null, statistic, columns, float(forming))


def _two_sample_score(patients: SymptomPatients, choice: TestChoice) -> tuple[Design, Float]:
    """The design, and the score that two samples are taken of, shape (N, 1)."""
    design = design_of(patients, choice)
    is_plain = choice.control == "none" and not patients.covariates
    return design, (patients.score if is_plain else design.residuals)[:, None]


def _table(patients: SymptomPatients, patterns: PathPatterns, choice: TestChoice) -> PreparedTest:
    """Fisher's and Liebermeister's tests: all tables with the same margins are computed once."""
    from scipy.stats import norm

    n, members = patterns.n, patterns.members
    right, left = binary_tails(patients.size, int(patients.score.sum()), choice.test, n)
    # Fisher's tails add up to more than 1, and near the middle both may be above a half.
    z = np.where(right < left, norm.isf(right).clip(min=0), -norm.isf(left).clip(min=0))

    design = _Shuffled(patients.score, patients.blocks)
    impaired = np.rint(np.asarray(members @ patients.score)).astype(np.int64)
    tails = {
        "larger": right,
        "smaller": left,
        "two-sided": np.minimum(2 * np.minimum(right, left), 1),
    }
    if choice.test == "fisher" and choice.side == "two-sided":
        tails["two-sided"] = _fisher_two_sided(patients.size, int(patients.score.sum()), n)
    grid = patients.cohort.grid
    null = ScreenedNull(grid, patterns, design, choice.side, partial(_Tables, z, patterns))
    columns = {
        "statistic": z[n, impaired],
        "p": tails[choice.side][n, impaired],
        "auc": lambda: superiority(members, n, patients.score),
        **_shares(patients, patterns),
    }
    forming = norm.isf(choice.tail(choice.cluster_p))
    return PreparedTest(patterns, null, z[n, impaired], columns, float(forming))


def _fisher_two_sided(patients: int, impaired: int, n: NDArray[np.int64]) -> Float:
    """Sum of the probabilities of all tables that are no likelier, by n and impaired lesioned."""
    from ..group_contrasts import fisher_p

    p = np.ones((patients + 1, patients + 1))
    for lesioned in np.unique(n).tolist():
        with_it = np.arange(max(0, lesioned + impaired - patients), min(lesioned, impaired) + 1)
        sizes = impaired, patients - impaired
        p[lesioned, with_it] = fisher_p(with_it, lesioned - with_it, sizes)
    return p


def _logistic(
    patients: SymptomPatients, patterns: PathPatterns, choice: TestChoice
) -> PreparedTest:
    from scipy.stats import norm

    covariates = _covariates(patients, choice)
    basis = orthonormal({"intercept": np.ones(patients.size), **covariates})
    design: LogisticDesign = make_logistic_design(patients, covariates, basis)
    norms = design.norms(patterns)
    heights = np.asarray(patterns.members @ design.scores)[:, 0] / norms
    scale = float(np.sqrt(patients.size))
    null = LinearNull(patients.cohort.grid, patterns, norms, design, choice.side)
    columns = {
        "statistic": heights * scale,
        "p": lambda: choice.p_of(norm.sf, heights * scale),
        "auc": lambda: superiority(patterns.members, patterns.n, patients.score),
        **_shares(patients, patterns),
    }
    forming = float(norm.isf(choice.tail(choice.cluster_p))) / scale
    return PreparedTest(patterns, null, heights, columns, forming, scale=scale)


def _covariates(patients: SymptomPatients, choice: TestChoice) -> dict[str, Float]:
    columns = dict(patients.covariates)
    if choice.control in COVARIATE_CONTROLS:
        is_log = choice.control == "log-volume"
        columns["lesion volume"] = np.log(patients.volumes) if is_log else patients.volumes
    return columns


def _shares(patients: SymptomPatients, patterns: PathPatterns) -> dict[str, Callable[[], Float]]:
    """Difference of the shares with the symptom, with Newcombe's interval (1998, method 10)."""
    from scipy.stats import norm

    z = norm.isf((1 - CONFIDENCE) / 2)
    lesioned = np.asarray(patterns.members @ patients.score)
    spared = patients.score.sum() - lesioned
    sizes = patterns.n, patients.size - patterns.n

    def bounded(count: Float, n: NDArray[np.int64]) -> tuple[Float, Float, Float]:
        middle, half = wilson(count, n, z)
        return count / n, middle - half, middle + half

    @cache
    def bounds() -> tuple[Float, Float, Float]:
        (a, a_low, a_high), (b, b_low, b_high) = (
            bounded(lesioned, sizes[0]),
            bounded(spared, sizes[1]),
        )
        low = a - b - np.sqrt((a - a_low) ** 2 + (b_high - b) ** 2)
        high = a - b + np.sqrt((a_high - a) ** 2 + (b - b_low) ** 2)
        return a - b, low, high

    return {
        "effect": lambda: bounds()[0],
        "ci_low": lambda: bounds()[1],
        "ci_high": lambda: bounds()[2],
    }


class _Tables:
    """The z of tables of permuted scores of 0 and 1, by patients lesioned and impaired of them."""

    def __init__(self, z: Float, patterns: PathPatterns, scores: Float) -> None:
        self._z, self._single, self._patterns = z, z.astype(np.float32), patterns
        self.products = (scores,)

    def bounds(
        self,
        n: Single,
        sums: list[Single],
        heights: Heights,
        error: float,  # noqa: ARG002
    ) -> Single:
        """The heights of z, as sums of whole numbers are exact; see `ScreenedTest`."""
        return heights(self._single[n.astype(np.int64), sums[0].astype(np.int64)])

    def statistics(self, patterns: NDArray[np.int64], columns: NDArray[np.int64]) -> Float:
        """The z of pairs of a pattern and a permutation."""
        sums = sums_of_pairs(self._patterns.members, self.products[0], patterns, columns)
        return np.asarray(self._z[self._patterns.n[patterns], np.rint(sums).astype(np.int64)])


@dataclass(frozen=True, eq=False)
class _Shuffled:
    """A score that is shuffled as it is."""

    score: Float
    blocks: NDArray[np.int64]

    def permuted(self, permutations: int, seed: int, together: int) -> Iterator[Float]:
        for orders in permuted_orders(self.blocks, permutations, seed, together):
            yield self.score[orders]
