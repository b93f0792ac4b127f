"""Contrasts: statistic, p and effect of a test at each voxel, corrected for their number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.defaults import (
    CORRECTION,
    MIN_PERMUTATIONS,
    PERMUTATIONS,
    SEED,
    ContrastTest,
    Correction,
)
from ..core.errors import InputError, check_choice
from ..core.grid import Grid
from ..core.text import counted
from .voxel_maps import Column, Columns, Quantity, VoxelMaps, minus_log10

TESTS = {
    "student": "Student's two-sample t-test (equal variances), two-sided",
    "welch": "Welch's two-sample t-test (unequal variances), two-sided",
    "fisher": "Fisher's exact test of lesioned or spared, two-sided",
}

Float1D = NDArray[np.float64]


CORRECTIONS = {
    "none": "none: at p < 0.05, one voxel in twenty passes without any effect",
    "bonferroni": "Bonferroni: the chance of any false voxel is held",
    "fdr": "false discovery rate (Benjamini-Hochberg): the share of false voxels is held",
    "fwe": "family-wise error by permutations of the largest |t|: the chance of any is held",
}
_MAX_BYTES = 2**30  # arbitrary: of the values of all tested voxels; permutations copy them
_ROUNDING = 1e-9  # arbitrary: far above the rounding of equal correlations, about 1e-14
_TOGETHER = 32  # arbitrary: permutations of one matrix product


@dataclass(frozen=True, eq=False)
class Samples:
    """What a permutation test draws from: the values of every tested voxel, and groups.

    Parameters
    ----------
    values : callable
        Makes the array of samples x voxels, float64, for voxels at the positions it is given.
    variable : array of float64, shape (samples,)
        The group, 1 or 0, or the score of each sample.
    """

    values: Callable[[NDArray[np.int32]], NDArray[np.float64]]
    variable: NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Contrast(VoxelMaps):
    """A two-sided test of the difference between two groups at each voxel.

    Parameters
    ----------
    grid, indices, values, quantities
        As those of `VoxelMaps`, at the tested voxels: ``t`` or ``odds_ratio``; ``p``, not
        corrected; ``corrected_p`` for the many voxels; ``effect``, the difference of the means (of
        the shares lesioned where groups are patients with masks); ``dof``, degrees of freedom of
        t, NaN for Fisher's test.
    name : str
        Such as ``face - house``.
    test : {"student", "welch", "fisher"}
    groups : tuple of str
        What is compared with what; a positive effect means more in the first.
    sizes : tuple of int
        Number of samples in each group; the largest over voxels where they differ.
    effect_unit : str
        Such as ``difference of the mean signal``.
    statement : str
        What this test shows, and what it does not.
    samples : Samples or None
        For permutations, where they are possible.
    correction : str
    notes : tuple of str
    parameters : dict
    sizes_vary : bool
        Whether the groups are others at every voxel, such as lesioned and spared patients.
    tested : int
        Number of voxels that were tested, the family of the correction; a selection keeps it.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> from lesion_dash.rois import contrast_cohorts
    >>> a, b = (load_cohort(f"sample_data/cohort_{side}") for side in "ab")
    >>> contrast = contrast_cohorts(a, b, min_patients=5)
    >>> contrast.name, contrast.tested, round(float(contrast.p.min()), 3)
    ('cohort_a - cohort_b', 20571, 0.026)
    >>> contrast.map("effect").unit
    'percentage points of patients lesioned'
    """

    name: str
    test: ContrastTest
    groups: tuple[str, str]
    sizes: tuple[int, int]
    effect_unit: str
    statement: str
    samples: Samples | None
    correction: str = CORRECTION
    notes: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    sizes_vary: bool = False
    tested: int = 0

    p = Column()
    effect = Column()
    dof = Column()
    corrected_p = Column()

    def __post_init__(self) -> None:
        if not self.tested:
            object.__setattr__(self, "tested", self.voxels)

    @property
    def statistic(self) -> NDArray[np.float64]:
        """t, or the odds ratio of Fisher's test."""
        return self.values[_statistic_key(self.test)]

    @property
    def sentence(self) -> str:
        """The test, the groups with their sizes, the degrees of freedom and the family."""
        (a, b), (n_a, n_b) = self.groups, self.sizes
        n = "n up to" if self.sizes_vary else "n ="
        groups = f"{a} ({n} {n_a}) against {b} ({n} {n_b}){self._dof_text}"
        family = f"{counted(self.tested, 'voxel')} tested; correction: {self.correction}"
        return f"{TESTS[self.test]}: {groups}; {family}"

    @property
    def _dof_text(self) -> str:
        known = self.dof[np.isfinite(self.dof)]
        if not known.size:
            return ""
        low, high = known.min(), known.max()
        shown = f"{low:g}" if low == high else f"{low:.1f} to {high:.1f}"
        return f", {shown} degrees of freedom"


def check_permutations(number: int) -> None:
    """Raise InputError where permutations are so few that no p is small."""
    if number < MIN_PERMUTATIONS:
        problem = f"{number} permutations give no p below {1 / (max(number, 0) + 1):.2f}"
        remedy = f"give at least {MIN_PERMUTATIONS}; 1,000 or more is usual"
        raise InputError("permutations", problem, remedy)


def _statistic_key(test: ContrastTest) -> str:
    return "odds_ratio" if test == "fisher" else "t"


def _quantities(
    name: str, test: ContrastTest, effect_unit: str, correction: str
) -> tuple[Quantity, ...]:
    dof = () if test == "fisher" else ("dof",)
    corrected = () if correction == "none" else ("corrected_p", "minus_log10_corrected_p")
    keys = (_statistic_key(test), "p", "minus_log10_p", "effect", *dof, *corrected)
    return tuple(
        Quantity(
            key=key,
            label=f"{key} of {name}",
            unit=effect_unit if key == "effect" else "",
            header=f"{key}: {name}",
        )
        for key in keys
    )


def make_contrast(
    grid: Grid,
    indices: NDArray[np.int32],
    statistic: NDArray,
    p: NDArray,
    effect: NDArray,
    dof: NDArray,
    **details: Any,
) -> Contrast:
    """The contrast of the voxels where a test gave a number; a note tells of the others.

    Parameters
    ----------
    grid, indices
        As those of `Contrast`.
    statistic, p, effect, dof : array of float64, shape (voxels,)
        Those of `Contrast`; p is NaN where a voxel cannot be tested.
    **details
        The other fields of `Contrast`.

    Raises
    ------
    InputError
        Where no voxel can be tested.
    """
    tested = np.isfinite(p)
    if not tested.any():
        remedy = "check that the groups hold at least two samples each that differ"
        raise InputError(details["name"], "no voxel can be tested", remedy)
    if untested := int((~tested).sum()):
        reason = "no spread, or fewer than two values in a group"
        details["notes"] += (f"{untested:,} voxels are not tested: {reason}",)
    key = _statistic_key(details["test"])
    arrays = {key: statistic, "p": p, "effect": effect, "dof": dof, "corrected_p": p}
    columns = {key: array[tested] for key, array in arrays.items()}
    for column in columns.values():
        column.setflags(write=False)
    return Contrast(
        grid=grid,
        indices=indices[tested],
        values=Columns({**columns, **minus_log10(columns)}),
        quantities=_quantities(details["name"], details["test"], details["effect_unit"], "none"),
        **details,
    )


@dataclass(frozen=True, eq=False)
class Moments:
    """What a t-test needs to know of one group.

    Parameters
    ----------
    n : array of float64, shape (voxels,)
        Number of values that are not NaN.
    mean : array of float64, shape (voxels,)
    deviations : array of float64, shape (voxels,)
        Sum of squared deviations from the mean.
    """

    n: Float1D
    mean: Float1D
    deviations: Float1D

    @property
    def variance(self) -> Float1D:
        """Unbiased variance; NaN where there are fewer than two values."""
        with np.errstate(all="ignore"):
            return np.where(self.n > 1, self.deviations / (self.n - 1), np.nan)


def moments_of(values: NDArray) -> Moments:
    """Moments of each column of an array of samples x voxels; NaN is excluded."""
    known = ~np.isnan(values) if values.dtype.kind == "f" else None
    if known is None or known.all():
        return _moments_of_known(values)
    n = known.sum(axis=0).astype(np.float64)
    clean = np.where(known, values, 0).astype(np.float64)
    shift = _first_known(clean, known)
    clean = np.where(known, clean - shift, 0)
    with np.errstate(all="ignore"):
        mean = clean.sum(axis=0) / n
    clean = np.where(known, clean - mean, 0)
    return Moments(n, mean + shift, np.einsum("ij,ij->j", clean, clean))


def _moments_of_known(values: NDArray) -> Moments:
    # Deviations from the first value: a column of equal values has then no spread at all.
    shift = values[0].astype(np.float64)
    deviations = values - shift
    mean = deviations.mean(axis=0)
    deviations -= mean
    n = np.full(shift.size, float(len(values)))
    return Moments(n, mean + shift, np.einsum("ij,ij->j", deviations, deviations))


def _first_known(values: Float1D, known: NDArray[np.bool_]) -> Float1D:
    return np.take_along_axis(values, known.argmax(axis=0)[None], axis=0)[0]


def moments_of_counts(lesioned: NDArray[np.integer], patients: int) -> Moments:
    """Moments of zeros and ones: so many ones at each voxel among so many patients."""
    ones = lesioned.astype(np.float64)
    n = np.full(ones.shape, float(patients))
    return Moments(n, ones / n, ones * (n - ones) / n)


def t_statistic(a: Moments, b: Moments, equal_variances: bool) -> tuple[Float1D, Float1D]:
    """Two-sample t and its degrees of freedom at each voxel.

    Student's with the pooled variance, or Welch's with the degrees of freedom of Satterthwaite.
    NaN where a group has fewer than two values, or where nothing varies and the means are equal.
    """
    with np.errstate(all="ignore"):
        if equal_variances:
            dof = a.n + b.n - 2
            pooled = (a.deviations + b.deviations) / dof
            squared = pooled * (1 / a.n + 1 / b.n)
        else:
            share_a, share_b = a.variance / a.n, b.variance / b.n
            squared = share_a + share_b
            dof = squared**2 / (share_a**2 / (a.n - 1) + share_b**2 / (b.n - 1))
        t = (a.mean - b.mean) / np.sqrt(squared)
    enough = (a.n > 1) & (b.n > 1)
    return np.where(enough, t, np.nan), np.where(enough, dof, np.nan)


def p_of_t(t: Float1D, dof: Float1D) -> Float1D:
    """Two-sided p of a t-statistic."""
    from scipy.special import stdtr

    p: Float1D = np.minimum(2 * stdtr(dof, -np.abs(t)), 1.0)
    # A difference without any spread: dof of Welch is 0/0 there, p is 0 whatever it would be.
    return np.where(np.isinf(t), 0.0, p)


def correct_contrast(
    contrast: Contrast,
    method: Correction,
    *,
    n_permutations: int = PERMUTATIONS,
    seed: int = SEED,
    progress: Callable[[int, int], None] | None = None,
) -> Contrast:
    """Correct the p of a contrast for the number of voxels tested.

    Parameters
    ----------
    contrast : Contrast
    method : {"none", "bonferroni", "fdr", "fwe"}
        Bonferroni: p times the number of voxels. FDR: the smallest rate at which a voxel passes
        (Benjamini & Hochberg 1995). FWE: the share of permutations whose largest absolute t is at
        least as large, the data as they are counted in (Westfall & Young 1993); Student's t only.
    n_permutations, seed : int
        For FWE; the same seed gives the same p.
    progress : callable, optional
        Called with (permutations done, permutations in all); what it raises stops them.

    Returns
    -------
    Contrast
        With `corrected_p`; the family is all tested voxels.

    Raises
    ------
    InputError
        Where the method is none of these, or permutations do not fit the test or the memory.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> from lesion_dash.rois import contrast_cohorts
    >>> a, b = load_cohort("sample_data/cohort_a"), load_cohort("sample_data/cohort_b")
    >>> found = correct_contrast(contrast_cohorts(a, b, min_patients=5), "bonferroni")
    >>> bool((found.corrected_p >= found.p).all())
    True
    """
    check_choice("correction", method, CORRECTIONS)
    parameters = contrast.parameters | {"correction": method}
    if method == "fwe":
        corrected = _permute(contrast, n_permutations, seed, progress)
        parameters |= {"n_permutations": n_permutations, "seed": seed}
    else:
        corrected = _of_p(contrast.p, method)
    corrected.setflags(write=False)
    columns = {"corrected_p": corrected}
    return replace(
        contrast,
        values=Columns({**contrast.values, **columns, **minus_log10(columns)}),
        quantities=_quantities(contrast.name, contrast.test, contrast.effect_unit, method),
        correction=method,
        parameters=parameters,
    )


def _of_p(p: NDArray[np.float64], method: str) -> NDArray[np.float64]:
    from scipy.stats import false_discovery_control

    if method == "bonferroni":
        return np.minimum(p * p.size, 1.0)
    if method == "fdr":
        return np.asarray(false_discovery_control(p, method="bh"))
    return p.copy()


def _permute(
    contrast: Contrast,
    n_permutations: int,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> NDArray[np.float64]:
    """Share of the permutations whose largest |t| is at least that of each voxel.

    |t| grows with the correlation of group and value, whatever the voxel, and so does its largest
    over all voxels. A correlation stays finite where a grouping leaves no spread, and is one matrix
    product for many permutations; the same as nilearn's `permuted_ols` otherwise.
    """
    variable, values = _to_permute(contrast, n_permutations)
    variable = _standardise(variable[:, None])[:, 0]
    values = _standardise(values)
    generator = np.random.default_rng(seed)
    largest = np.empty(n_permutations)
    for first in range(0, n_permutations, _TOGETHER):
        together = range(first, min(first + _TOGETHER, n_permutations))
        shuffled = np.array([generator.permutation(variable) for _ in together])
        largest[first : together.stop] = np.abs(shuffled @ values).max(axis=1)
        if progress is not None:
            progress(together.stop, n_permutations)
    # The data as they are count as one of the permutations, so that no p is 0.
    below = np.searchsorted(np.sort(largest), np.abs(variable @ values) - _ROUNDING)
    return np.asarray((n_permutations - below + 1) / (n_permutations + 1))


def _standardise(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of mean 0 and length 1, in place: their products are correlations."""
    columns -= columns.mean(axis=0)
    columns /= np.sqrt(np.einsum("ij,ij->j", columns, columns))
    return columns


def _to_permute(
    contrast: Contrast, n_permutations: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Group or score of each sample, and the samples x voxels; copies."""
    samples = contrast.samples
    if samples is None:
        remedy = "choose Student's t-test, or another correction"
        raise InputError("fwe", f"no permutations of {contrast.test}'s test", remedy)
    check_permutations(n_permutations)
    size = contrast.tested * samples.variable.size * 8
    if size > _MAX_BYTES:
        problem = f"the values of {contrast.tested:,} voxels take {size / 1e9:.1f} GB"
        raise InputError("fwe", problem, "test fewer voxels with a mask, or choose fdr")
    values = samples.values(contrast.indices)
    if np.isnan(values).any():
        remedy = "choose another correction, or a mask without these voxels"
        raise InputError("fwe", "some values are NaN, and permutations need all", remedy)
    return samples.variable.copy(), values
