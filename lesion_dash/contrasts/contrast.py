"""A contrast: the statistic, p and effect of a test at each voxel, and how it came about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..grid import Grid
from ..images import Map

ContrastTest = Literal["student", "welch", "fisher"]

TESTS = {
    "student": "Student's two-sample t-test (equal variances), two-sided",
    "welch": "Welch's two-sample t-test (unequal variances), two-sided",
    "fisher": "Fisher's exact test of lesioned or spared, two-sided",
}


@dataclass(frozen=True, eq=False)
class Samples:
    """What a permutation test draws from: the values of every tested voxel, and who is who.

    Parameters
    ----------
    values : callable
        Makes the array of samples x voxels, float64, for voxels at the positions it is given.
    variable : array of float64, shape (samples,)
        The group, 1 or 0, or the score of each sample.
    """

    values: Callable[[NDArray[np.int32]], NDArray[np.float64]]
    variable: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contrast:
    """A two-sided test of the difference between two groups at each voxel.

    Parameters
    ----------
    name : str
        Such as ``face - house``.
    grid : Grid
    test : {"student", "welch", "fisher"}
    groups : tuple of str
        What is compared with what; a positive effect means more in the first.
    sizes : tuple of int
        Number of samples in each group; the largest over voxels where they differ.
    indices : array of int32, shape (tested,)
        Linear positions of the tested voxels, ascending, the first axis fastest.
    statistic, p, effect, dof : array of float64, shape (tested,)
        t, or the odds ratio of Fisher's test; p, not corrected; the difference of the means (of
        the shares lesioned where groups are patients with masks); degrees of freedom of t, NaN for
        Fisher's test.
    effect_unit : str
        In words.
    statement : str
        What this test shows, and what it does not.
    samples : Samples or None
        For permutations, where they are possible.
    correction : str
        Of ``corrected_p`` for the many voxels.
    corrected_p : array of float64, shape (tested,)
    notes : tuple of str
    parameters : dict
    sizes_vary : bool
        Whether the groups are others at every voxel, such as lesioned and spared patients.
    """

    name: str
    grid: Grid
    test: ContrastTest
    groups: tuple[str, str]
    sizes: tuple[int, int]
    indices: NDArray[np.int32]
    statistic: NDArray[np.float64]
    p: NDArray[np.float64]
    effect: NDArray[np.float64]
    dof: NDArray[np.float64]
    effect_unit: str
    statement: str
    samples: Samples | None
    correction: str
    corrected_p: NDArray[np.float64]
    notes: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    sizes_vary: bool = False

    @property
    def tested(self) -> int:
        """Number of voxels that were tested: the family of the correction."""
        return int(self.indices.size)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the maps there are."""
        statistic = "odds_ratio" if self.test == "fisher" else "t"
        dof = () if self.test == "fisher" else ("dof",)
        plain = (statistic, "p", "minus_log10_p", "effect", *dof)
        corrected = ("corrected_p", "minus_log10_corrected_p")
        return plain if self.correction == "none" else (*plain, *corrected)

    def map(self, key: str) -> Map:
        """One of the maps in `keys`; NaN where no voxel was tested.

        Raises
        ------
        InputError
            Where there is no map of this name.
        """
        if key not in self.keys:
            remedy = f"choose one of {', '.join(self.keys)}"
            raise InputError("contrast", f"has no map {key!r}", remedy)
        flat = np.full(self.grid.size, np.nan)
        flat[self.indices] = self._values(key)
        flat.setflags(write=False)
        array = flat.reshape(self.grid.shape, order="F")
        unit = self.effect_unit if key == "effect" else ""
        return Map(f"{key} of {self.name}", array, self.grid, unit, f"{key}: {self.name}")

    def _values(self, key: str) -> NDArray[np.float64]:
        if key in ("minus_log10_p", "minus_log10_corrected_p"):
            p = self.p if key == "minus_log10_p" else self.corrected_p
            with np.errstate(divide="ignore"):
                # A p below the smallest number a float holds is no infinity to be drawn.
                return -np.log10(np.maximum(p, np.finfo(np.float64).tiny))
        if key in ("t", "odds_ratio"):
            return self.statistic
        values: NDArray[np.float64] = getattr(self, key)
        return values

    @property
    def sentence(self) -> str:
        """The test, the groups with their sizes, the degrees of freedom and the family."""
        (a, b), (n_a, n_b) = self.groups, self.sizes
        n = "n up to" if self.sizes_vary else "n ="
        groups = f"{a} ({n} {n_a}) against {b} ({n} {n_b}){self._dof_words}"
        family = f"{self.tested:,} voxels tested; correction: {self.correction}"
        return f"{TESTS[self.test]}: {groups}; {family}"

    @property
    def _dof_words(self) -> str:
        known = self.dof[np.isfinite(self.dof)]
        if not known.size:
            return ""
        low, high = known.min(), known.max()
        shown = f"{low:g}" if low == high else f"{low:.1f} to {high:.1f}"
        return f", {shown} degrees of freedom"


def keep_tested(contrast: Contrast) -> Contrast:
    """The contrast of the voxels where the test gave a number; a note tells of the others.

    Raises
    ------
    InputError
        Where there is none.
    """
    kept = np.isfinite(contrast.p)
    if not kept.any():
        remedy = "check that the groups hold at least two samples each that differ"
        raise InputError(contrast.name, "no voxel can be tested", remedy)
    notes = contrast.notes
    if dropped := int((~kept).sum()):
        said = f"{dropped:,} voxels are not tested: no spread, or fewer than two values in a group"
        notes = (*notes, said)

    def cut(values: NDArray) -> NDArray:
        part = values[kept]
        part.setflags(write=False)
        return part

    return replace(
        contrast,
        indices=cut(contrast.indices),
        statistic=cut(contrast.statistic),
        p=cut(contrast.p),
        effect=cut(contrast.effect),
        dof=cut(contrast.dof),
        corrected_p=cut(contrast.corrected_p),
        notes=notes,
    )
