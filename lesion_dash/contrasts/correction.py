"""Correction of a contrast for the many voxels that were tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .contrast import Contrast, Samples

Correction = Literal["none", "bonferroni", "fdr", "fwe"]

CORRECTIONS = {
    "none": "none: at p < 0.05, one voxel in twenty passes without any effect",
    "bonferroni": "Bonferroni: the chance of any false voxel is held",
    "fdr": "false discovery rate (Benjamini-Hochberg): the share of false voxels is held",
    "fwe": "family-wise error by permutations of the largest |t|: the chance of any is held",
}
_LARGEST = 2**30
"""Bytes that the values of all tested voxels may take for permutations; these make copies."""

_ROUNDING = 1e-9
"""By how much two correlations may come out apart that are equal."""

_TOGETHER = 32
"""Permutations of one matrix product."""


def correct_contrast(
    contrast: Contrast,
    method: Correction,
    *,
    n_permutations: int = 1000,
    seed: int = 0,
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
    >>> from lesion_dash import contrast_cohorts, load_cohort
    >>> a, b = load_cohort("sample_data/cohort_a"), load_cohort("sample_data/cohort_b")
    >>> found = correct_contrast(contrast_cohorts(a, b, min_patients=5), "bonferroni")
    >>> bool((found.corrected_p >= found.p).all())
    True
    """
    if method not in CORRECTIONS:
        raise InputError("correction", f"is {method!r}", f"choose one of {', '.join(CORRECTIONS)}")
    parameters = contrast.parameters | {"correction": method}
    if method == "fwe":
        corrected = _permute(contrast, n_permutations, seed, progress)
        parameters |= {"n_permutations": n_permutations, "seed": seed}
    else:
        corrected = _of_p(contrast.p, method)
    corrected.setflags(write=False)
    return replace(contrast, correction=method, corrected_p=corrected, parameters=parameters)


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
    if n_permutations < 20:
        problem = f"{n_permutations} permutations give no p below {1 / (n_permutations + 1):.2f}"
        raise InputError("permutations", problem, "give at least 20; 1,000 is usual")
    _check_memory(contrast, samples)
    values = samples.values(contrast.indices)
    if np.isnan(values).any():
        remedy = "choose another correction, or a mask without these voxels"
        raise InputError("fwe", "some values are NaN, and permutations need all", remedy)
    return samples.variable.copy(), values


def _check_memory(contrast: Contrast, samples: Samples) -> None:
    size = contrast.tested * samples.variable.size * 8
    if size > _LARGEST:
        problem = f"the values of {contrast.tested:,} voxels take {size / 1e9:.1f} GB"
        raise InputError("fwe", problem, "test fewer voxels with a mask, or choose fdr")
