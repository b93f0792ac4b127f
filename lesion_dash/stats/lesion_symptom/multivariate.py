"""Maps of a model of all voxels together, beside the test of each voxel alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.defaults import SIGNIFICANCE_LEVEL
from ...core.errors import InputError, check_choice
from ...images.reading import Progress
from ..voxel_maps import MM3_PER_ML, Column, Columns, Quantity, VoxelMaps
from .design import Design
from .families import COVARIATE_CONTROLS, TestChoice, design_of
from .kernels import (
    EPSILON,
    MODELS,
    Model,
    mean_product,
    one_thread,
    orthogonal_complement,
    shared_voxels,
    support_vector_coefficients,
)
from .mapping import SymptomMap, voxels_in
from .null import LinearNull, Null
from .path import PathPatterns
from .univariate import LINEAR

Float = NDArray[np.float64]

MODEL: Model = "ridge"
PENALTY = 1.0
"""Of the coefficients, in mean products of a lesion with itself: a ridge regression then expects
lesions to explain half of what covariates leave of the score."""
_FEW = 100  # patients; Sperber et al. 2019 advise 100 to 120 for support vector regression
_PATTERNS = 2**12  # whose deviations are computed at once; arbitrary: some MB
_TOGETHER = 128  # permutations of one step of progress; arbitrary


@dataclass(frozen=True, eq=False, kw_only=True)
class MultivariateMap(VoxelMaps):
    """Coefficients of a model of all voxels together.

    Parameters
    ----------
    grid, indices, values, quantities
        As those of `VoxelMaps`, at the voxels of the univariate map.
    univariate : SymptomMap
        The test of each voxel alone.
    model : {"ridge", "svr"}
    penalty : float
    null : Null
        What the permutations gave of the largest z.
    notes : tuple of str

    Examples
    --------
    >>> from lesion_dash import load_cohort, map_multivariate, map_symptom
    >>> alone = map_symptom(load_cohort("sample_data/cohort_a"), "nihss", permutations=99)
    >>> together = map_multivariate(alone)
    >>> together.model, together.penalty, together.map("beta").array.shape
    ('ridge', 1.0, (91, 109, 91))
    >>> bool(abs(together.z).max() < together.threshold())  # nothing is significant
    True
    """

    univariate: SymptomMap = field(repr=False)
    model: Model
    penalty: float
    null: Null = field(repr=False)
    notes: tuple[str, ...] = ()

    beta = Column()
    z = Column()
    corrected_p = Column()
    conjunction_p = Column()

    def threshold(self, level: float = SIGNIFICANCE_LEVEL) -> float:
        """The z above which the corrected p is at most a level."""
        return self.null.threshold(level)

    @property
    def sentence(self) -> str:
        """The model in one sentence."""
        return (
            f"{MODELS[self.model]} of {self.univariate.patients.name} on all "
            f"{self.univariate.tested:,} voxels together, penalty {self.penalty:g}; coefficients "
            f"over their standard deviation in {self.univariate.permutations:,} permutations; "
            "family-wise error by the largest of them"
        )


def map_multivariate(
    symptom_map: SymptomMap,
    model: Model = MODEL,
    *,
    penalty: float = PENALTY,
    progress: Progress | None = None,
) -> MultivariateMap:
    """Map the coefficients of a model of all voxels together.

    Parameters
    ----------
    symptom_map : SymptomMap
        Of the test "ols" or "rank". Its patients, voxels, covariates, control of lesion volume,
        side, permutations and seed are those of the model.
    model : {"ridge", "svr"}
        Ridge regression, or linear support vector regression.
    penalty : float
        In units of the mean product of a lesion with itself. That of ridge regression; the cost C
        of support vectors is its inverse. Large values bring the map near to that of single voxels.
        It does not depend on the score, so that the permutations are exact.
    progress : callable, optional
        Called with (permutations done, permutations in all); what it raises ends the test.

    Returns
    -------
    MultivariateMap
        ``beta``, ``z`` (beta over its standard deviation in the permutations), ``corrected_p`` of
        z, and ``conjunction_p``: the larger one of the corrected p of both maps, 1 where their
        signs differ (Nichols et al. 2005).

    Raises
    ------
    InputError
        Where the test is not linear or a choice does not fit.

    Notes
    -----
    The standard deviation is that over the permutations and the data together, so that the data
    are treated as one more permutation, and p is exact (Phipson & Smyth 2010).

    Examples
    --------
    >>> from lesion_dash import load_cohort, map_symptom
    >>> alone = map_symptom(load_cohort("sample_data/cohort_a"), "nihss", permutations=99)
    >>> together = map_multivariate(alone)
    >>> bool((together.conjunction_p >= alone.corrected_p).all())
    True
    """
    check_choice("model", model, MODELS)
    if not 0 < penalty < np.inf:
        raise InputError("penalty", f"is {penalty:g}", "give a number above 0, such as 1")
    if symptom_map.test not in LINEAR:
        problem = f"{symptom_map.test} is not a linear test, which {MODELS[model]} is compared with"
        raise InputError("multivariate", problem, "choose the test ols or rank")
    patients, patterns = symptom_map.patients, symptom_map.prepared.patterns
    choice = TestChoice(symptom_map.test, symptom_map.control, symptom_map.side, 0.5)
    design = design_of(patients, choice)
    with one_thread():
        solver = _Solver(design, shared_voxels(patterns), model, penalty)
        duals = _duals(solver, symptom_map.permutations, symptom_map.seed, progress)
    # Of length 1 in the mean, so that single precision holds their sums.
    unit = float(np.sqrt((duals**2).sum(axis=0).mean())) or 1.0
    norms = _deviations(patterns, duals / unit)
    shuffled = _Shuffled(duals[:, 1:] / unit)
    null = LinearNull(symptom_map.grid, patterns, norms, shuffled, symptom_map.side)
    volume = symptom_map.grid.voxel_volume
    numbers = {v: voxels_in(v, volume) for v in symptom_map.v_mm3}
    permuted = null.run(symptom_map.permutations, symptom_map.seed, list(numbers.values()))
    z = np.asarray(patterns.members @ (duals[:, 0] / unit)) / norms
    heights = null.heights_of(z)
    of_voxel = patterns.of_voxel

    def corrected(v: int = 1) -> Float:
        return permuted.corrected_p(heights, v)[of_voxel]

    def conjunction() -> Float:
        agrees = np.sign(z[of_voxel]) == np.sign(symptom_map.statistic)
        return np.where(agrees, np.maximum(corrected(), symptom_map.corrected_p), 1.0)

    to_score = solver.score_unit * MM3_PER_ML / volume
    columns: dict[str, Any] = {
        "beta": lambda: (np.asarray(patterns.members @ duals[:, 0]) * to_score)[of_voxel],
        "z": lambda: z[of_voxel],
        "corrected_p": corrected,
        **{f"corrected_p_v{v:g}": partial(corrected, number) for v, number in numbers.items()},
        "conjunction_p": conjunction,
    }
    how = f", {model}, penalty {penalty:g}, {symptom_map.control}, {symptom_map.permutations} perm."
    return MultivariateMap(
        grid=symptom_map.grid,
        indices=patterns.indices,
        values=Columns(columns),
        quantities=tuple(quantity.made(how) for quantity in _quantities(symptom_map, model)),
        univariate=symptom_map,
        model=model,
        penalty=penalty,
        null=permuted,
        notes=_warnings(symptom_map, model),
    )


class _Solver:
    """Dual coefficients of residuals, on the lesions with covariates regressed out."""

    def __init__(self, design: Design, products: Float, model: Model, penalty: float) -> None:
        self.design, self._model, self._penalty = design, model, penalty
        self._free = orthogonal_complement(design.basis)
        weighted = design.weights[:, None] * self._free
        products = weighted.T @ products @ weighted
        self._unit = mean_product(products, self._free.shape[1])
        products = products / self._unit
        if model == "ridge":
            values, vectors = np.linalg.eigh(products)
            shrunk = vectors / (np.maximum(values, 0.0) + penalty)
            self._map = self._free @ (shrunk @ vectors.T) @ self._free.T
        else:
            self._map = self._free @ products @ self._free.T

    @property
    def score_unit(self) -> float:
        """What sums of dual coefficients are multiplied with, to be in units of the score."""
        return float(np.linalg.norm(self.design.residuals)) / self._unit

    def duals(self, scores: Float) -> Float:
        """Of scores that are prepared as those of the design, shape (N, columns)."""
        weights = self.design.weights[:, None]
        residuals = scores / weights  # the design has weighted them
        if self._model == "ridge":
            return np.asarray(weights * (self._map @ residuals))
        free, residuals = self._free, self._free @ (self._free.T @ residuals)
        spread = 1 / np.sqrt(free.shape[1])  # the standard deviation of a score of length 1
        cost = 1 / self._penalty
        duals, _ = support_vector_coefficients(self._map, cost, residuals / spread, EPSILON)
        return np.asarray(weights * (free @ (free.T @ duals)) * spread)


def _duals(solver: _Solver, permutations: int, seed: int, progress: Progress | None) -> Float:
    """Dual coefficients of the data and of each permutation, shape (N, 1 + permutations)."""
    duals = [solver.duals(solver.design.scores)]
    done = 0
    for scores in solver.design.permuted(permutations, seed, _TOGETHER):
        duals.append(solver.duals(scores))
        done += scores.shape[1]
        if progress is not None:
            progress(done, permutations)
    return np.hstack(duals)


def _deviations(patterns: PathPatterns, duals: Float) -> Float:
    """Standard deviation of the coefficient of each pattern over all columns.

    With C the covariance of the dual coefficients, its square is x'C x.
    """
    values, vectors = np.linalg.eigh(np.cov(duals, bias=True))
    kept = values > values[-1] * 1e-14  # rounding: permutations span no more
    roots = vectors[:, kept] * np.sqrt(values[kept])
    squares = np.empty(patterns.size)
    for first in range(0, patterns.size, _PATTERNS):
        part = np.asarray(patterns.members[first : first + _PATTERNS] @ roots)
        squares[first : first + _PATTERNS] = np.einsum("ij,ij->i", part, part)
    # Permutations that leave a coefficient as it is say nothing of it.
    smallest = 1e-7 * float(np.sqrt(squares.max()))
    return np.where(squares > smallest**2, np.sqrt(squares), np.inf)


@dataclass(frozen=True, eq=False)
class _Shuffled:
    """Dual coefficients of permutations, which are computed already."""

    columns: Float

    def permuted(self, permutations: int, seed: int, together: int) -> Iterator[Float]:  # noqa: ARG002
        for first in range(0, permutations, together):
            yield np.ascontiguousarray(self.columns[:, first : first + together])


def _warnings(symptom_map: SymptomMap, model: Model) -> tuple[str, ...]:
    size = symptom_map.patients.size
    if size >= _FEW:
        return ()
    what = f"{size} patients: below {_FEW}, maps of {MODELS[model]}"
    return (f"{what} change much from sample to sample (Sperber et al. 2019)",)


def _quantities(symptom_map: SymptomMap, model: Model) -> tuple[Quantity, ...]:
    """The quantities of the map, in the order of their files."""
    score = symptom_map.patients.name
    is_plain = symptom_map.control in ("none", *COVARIATE_CONTROLS) and symptom_map.test == "ols"
    unit = f"{score} per mL" if is_plain else ""
    corrected = "p corrected for the family-wise error over all voxels, by permutations"
    rows = [
        ("beta", f"coefficient of {score} in a model of all voxels", unit, "coolwarm",
         "What the model adds to the score for each mL of lesion with such coefficients."),
        ("z", f"z of the coefficient of {score}", "", "coolwarm",
         "The coefficient over its standard deviation in permutations."),
        ("corrected_p", f"corrected p of the coefficient of {score}", "", "viridis_r",
         f"{corrected}."),
        *(
            (f"corrected_p_v{v:g}", f"corrected p of the coefficient of {score}, {v:g} mm³ or more",
             "", "viridis_r", f"p of {v:g} mm³ or more of false findings, by permutations.")
            for v in symptom_map.v_mm3
        ),
        ("conjunction_p", f"corrected p of {score} by voxels alone and together", "", "viridis_r",
         "The larger one of the corrected p of both maps; 1 where their signs differ."),
    ]  # fmt: skip
    return tuple(
        Quantity(
            key=key, label=label, unit=unit, file=f"{model}_{key}.nii", meaning=meaning,
            colormap=colormap, header=f"{key} of {score}",
        )
        for key, label, unit, colormap, meaning in rows
    )  # fmt: skip


def file_names(model: Model, v_mm3: tuple[float, ...]) -> list[str]:
    """Names of the files of a map."""
    keys = ["beta", "z", "corrected_p", *(f"corrected_p_v{v:g}" for v in v_mm3), "conjunction_p"]
    return [f"{model}_{key}.nii" for key in keys]
