"""Tests of a score against any columns of numbers, such as the load of regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ...core.defaults import (
    CONTROL,
    MIN_PATIENTS,
    PERMUTATIONS,
    SEED,
    SYMPTOM_SIDE,
    SYMPTOM_TEST,
    Control,
    SymptomSide,
)
from ...core.errors import InputError, check_choice
from ...images.reading import Progress
from ..contrast import check_permutations
from .design import COLLINEAR, CONTROLS, Design, make_design, partial_t
from .effects import CONFIDENCE
from .families import COVARIATE_CONTROLS, EXPLAINED
from .null import Null
from .patients import SymptomPatients
from .quantities import effect_notes

if TYPE_CHECKING:
    import pandas as pd

Float = NDArray[np.float64]

ColumnTest = Literal["ols", "rank"]

_TOGETHER = 256  # permutations of one product, arbitrary


@dataclass(frozen=True)
class ColumnChoice:
    """How columns are tested; see `map_symptom`.

    Parameters
    ----------
    test, control, permutations, seed, side
    min_damaged : int
        Columns with fewer damaged patients are not tested.

    Raises
    ------
    InputError
        Where a choice is not known.
    """

    test: ColumnTest = SYMPTOM_TEST
    control: Control = CONTROL
    min_damaged: int = MIN_PATIENTS
    permutations: int = PERMUTATIONS
    seed: int = SEED
    side: SymptomSide = SYMPTOM_SIDE

    def __post_init__(self) -> None:
        check_choice("test", self.test, ("ols", "rank"))
        check_choice("control", self.control, CONTROLS)
        check_choice("side", self.side, get_args(SymptomSide))
        check_permutations(self.permutations)

    def heights(self, statistics: Float) -> Float:
        """Statistics of which the largest are the most extreme."""
        if self.side == "two-sided":
            return np.abs(statistics)
        return -statistics if self.side == "smaller" else statistics


@dataclass(frozen=True, eq=False)
class ColumnTests:
    """Tests of a score against columns, corrected for their number.

    Parameters
    ----------
    values : dict
        Of each tested column: name, damaged and spared patients, t, p, corrected p, partial
        correlation, and the effect of the whole column with its 95 % interval.
    patients : SymptomPatients
    null : Null
        The largest partial correlation of each permutation.
    dof : int
    untested : tuple of str
        Columns in which too few patients are damaged, or that covariates explain.
    sentence : str
        The design.
    notes : tuple of str
    tested : tuple of int
        Position of each tested column among all that were given.
    """

    values: dict[str, Any]
    patients: SymptomPatients
    null: Null = field(repr=False)
    dof: int
    untested: tuple[str, ...]
    sentence: str
    notes: tuple[str, ...]
    tested: tuple[int, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """A row for each tested column."""
        import pandas as pd

        return pd.DataFrame(self.values)


def compare_columns(
    columns: Float,
    names: Sequence[str],
    patients: SymptomPatients,
    choice: ColumnChoice,
    progress: Progress | None = None,
    intact: Float | float = 0.0,
    noun: str = "columns",
) -> ColumnTests:
    """Regress a score on each of several columns, and correct by the largest of all.

    Parameters
    ----------
    columns : array of float64, shape (N, columns)
        NaN counts as 0.
    names : sequence of str
    patients : SymptomPatients
        The N patients.
    choice : ColumnChoice
    progress : callable, optional
        Called with (permutations done, permutations in all).
    intact : array of float64, shape (columns,), or float
        What the columns are without damage.
    noun : str
        What the columns are called in sentences.

    Raises
    ------
    InputError
        Where no column can be tested.
    """
    from scipy.stats import rankdata

    score = rankdata(patients.score) if choice.test == "rank" else patients.score
    covariates, volumes = patients.covariates, patients.volumes
    control, name = choice.control, patients.name
    design = make_design(score, covariates, volumes, control, patients.blocks, name)
    columns = np.nan_to_num(columns)
    damaged = (columns != intact).sum(axis=0)
    norms, is_left = _norms(columns, design)
    usable = (damaged >= choice.min_damaged) & is_left
    if not usable.any():
        problem = (
            f"none of {len(names)} {noun} has {choice.min_damaged} damaged patients: at most "
            f"{damaged.max(initial=0)} of {patients.size}"
        )
        raise InputError(patients.cohort.name, problem, "lower the number of damaged patients")
    rows = np.flatnonzero(usable)
    units = np.ascontiguousarray((columns[:, rows] / norms[rows]).T)
    r = np.clip((units @ design.scores)[:, 0], -1, 1)
    largest: list[Float] = []
    for scores in design.permuted(choice.permutations, choice.seed, _TOGETHER):
        largest.append(choice.heights(units @ scores).max(axis=0))
        if progress is not None:
            progress(sum(part.size for part in largest), choice.permutations)
    null = Null({1: np.concatenate(largest)})
    values = {
        "name": [names[row] for row in rows.tolist()],
        "damaged": damaged[rows],
        "spared": patients.size - damaged[rows],
        **_statistics(r, design.dof, null, choice),
        **_effects(columns[:, rows], patients, choice.control),
    }
    untested = tuple(names[row] for row in np.flatnonzero(~usable).tolist())
    notes = patients.notes + effect_notes(choice.test, control, bool(covariates))
    if untested:
        reason = f"fewer than {choice.min_damaged} damaged patients, or explained by covariates"
        count = f"{len(untested)} of {len(names)} {noun} are not tested"
        notes += (f"{count}: {reason}, such as {untested[0]}",)
    sentence = _sentence(patients, choice, f"{rows.size} {noun}")
    tested = tuple(rows.tolist())
    return ColumnTests(values, patients, null, design.dof, untested, sentence, notes, tested)


def _norms(columns: Float, design: Design) -> tuple[Float, NDArray[np.bool_]]:
    """Lengths of the columns without what covariates explain, and whether anything is left."""
    weighted = columns * design.weights[:, None]
    norms = np.linalg.norm(weighted - design.basis @ (design.basis.T @ weighted), axis=0)
    varying = np.linalg.norm(weighted - weighted.mean(axis=0), axis=0)
    is_rounding = norms <= COLLINEAR * np.linalg.norm(weighted, axis=0)
    return norms, (norms > EXPLAINED * varying) & ~is_rounding


def _statistics(r: Float, dof: int, null: Null, choice: ColumnChoice) -> dict[str, Float]:
    from scipy.stats import t as t_distribution

    t = partial_t(r, dof)
    p = t_distribution.sf(choice.heights(t), dof)
    return {
        "t": t,
        "p": np.minimum(2 * p, 1.0) if choice.side == "two-sided" else p,
        "corrected_p": null.corrected_p(choice.heights(r)),
        "partial_r": r,
    }


def _effects(columns: Float, patients: SymptomPatients, control: Control) -> dict[str, Float]:
    """Coefficients in the score's own unit, with their intervals."""
    from scipy.stats import t as t_distribution

    plain: Control = control if control in COVARIATE_CONTROLS else "none"
    design = make_design(patients.score, patients.covariates, patients.volumes, plain)
    free = columns - design.basis @ (design.basis.T @ columns)
    squares = (free**2).sum(axis=0)
    effect = free.T @ design.residuals / squares
    rest = design.residuals @ design.residuals - effect**2 * squares
    error = np.sqrt(np.maximum(rest, 0.0) / design.dof / squares)
    half = t_distribution.isf((1 - CONFIDENCE) / 2, design.dof) * error
    return {"effect": effect, "ci_low": effect - half, "ci_high": effect + half}


def _sentence(patients: SymptomPatients, choice: ColumnChoice, tested: str) -> str:
    given = f", given {' and '.join(patients.covariates)}" if patients.covariates else ""
    ranks = "the ranks of " if choice.test == "rank" else ""
    return (
        f"linear regression of {ranks}{patients.name} on each of {tested}{given}; "
        f"{CONTROLS[choice.control]}; {patients.size} patients; family-wise error by "
        f"{choice.permutations:,} permutations of the largest statistic"
    )
