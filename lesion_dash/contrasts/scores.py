"""Contrast of the scores of patients lesioned at a voxel and of those spared there."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort, check_min_patients
from ..errors import InputError
from .contrast import Contrast, keep_tested
from .moments import Float1D, Moments, p_of_t, t_statistic
from .patients import samples_of_masks

_OF_SCORES = (
    "Shows where patients with a lesion score differently from patients without one there. It does "
    "not show that the place matters: patients with large lesions are lesioned in more places and "
    "score worse, and lesions of neighbouring places come together (Mah 2014, Sperber 2017)."
)


def contrast_scores(
    cohort: Cohort,
    column: str,
    *,
    test: Literal["student", "welch"] = "student",
    min_lesioned: int = 5,
) -> Contrast:
    """Test at each voxel whether a score differs between lesioned and spared patients.

    Parameters
    ----------
    cohort : Cohort
        With a participants table.
    column : str
        Of the participants table, numbers such as a behavioural score. Patients without a value
        are left out, and counted in the notes.
    test : {"student", "welch"}
    min_lesioned : int
        Voxels with fewer lesioned, or fewer spared patients, are not tested; at least 2.

    Returns
    -------
    Contrast
        A positive effect means a higher score in lesioned patients.

    Raises
    ------
    InputError
        Where the column is missing or holds no numbers, or no voxel has enough patients.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> found = contrast_scores(cohort, "nihss", min_lesioned=5)
    >>> found.groups, bool(found.effect.mean() > 0)
    (('lesioned', 'spared'), True)
    """
    if test not in ("student", "welch"):
        raise InputError("test", f"is {test!r}", "choose student or welch")
    if check_min_patients(min_lesioned) < 2:
        raise InputError("min lesioned", f"is {min_lesioned}", "a t-test needs at least 2")
    chosen, scores = _with_scores(cohort, column)
    indices = _enough_patients(chosen, min_lesioned)
    parts = _moments_of_scores(chosen, scores, indices)
    t, dof = t_statistic(*parts, equal_variances=test == "student")
    p = p_of_t(t, dof)
    return keep_tested(
        Contrast(
            name=f"{column}: lesioned - spared",
            grid=cohort.grid,
            test=test,
            groups=("lesioned", "spared"),
            sizes=(int(parts[0].n.max()), int(parts[1].n.max())),
            indices=indices,
            statistic=t,
            p=p,
            effect=parts[0].mean - parts[1].mean,
            dof=dof,
            effect_unit=f"difference of the mean {column}",
            statement=_OF_SCORES,
            correction="none",
            corrected_p=p,
            samples=samples_of_masks((chosen,), scores) if test == "student" else None,
            notes=(*cohort.notes, *_missing(cohort.n_patients - scores.size, column)),
            sizes_vary=True,
            parameters={"column": column, "test": test, "min_lesioned": min_lesioned},
        )
    )


def _enough_patients(cohort: Cohort, min_lesioned: int) -> NDArray[np.int32]:
    """The voxels with so many lesioned, and so many spared patients."""
    lesioned = np.ravel(cohort.counts, order="F")
    fewest = np.minimum(lesioned, cohort.n_patients - lesioned)
    indices = np.flatnonzero(fewest >= min_lesioned).astype(np.int32)
    if not indices.size:
        problem = f"no voxel has {min_lesioned} lesioned and as many spared patients"
        raise InputError(cohort.name, problem, "lower the number of lesioned patients")
    return indices


def _missing(patients: int, column: str) -> tuple[str, ...]:
    return (f"{patients} patients without a value of {column} are left out",) if patients else ()


def _with_scores(cohort: Cohort, column: str) -> tuple[Cohort, NDArray[np.float64]]:
    """The patients who have a score, and their scores."""
    scores = _scores(cohort, column)
    known = np.isfinite(scores)
    return (cohort if known.all() else cohort.select(known)), scores[known]


def _scores(cohort: Cohort, column: str) -> NDArray[np.float64]:
    import pandas as pd

    table, name = cohort.used_table, cohort.name_in_table(column)
    if name not in table.columns:
        remedy = f"choose one of {', '.join(map(str, table.columns))}"
        raise InputError(cohort.name, f"its participants have no column {column!r}", remedy)
    try:
        scores = pd.to_numeric(table[name]).to_numpy(np.float64)
    except ValueError as error:
        problem = f"column {column} holds no numbers: {error}"
        raise InputError(cohort.name, problem, "choose a column of numbers") from None
    if np.isfinite(scores).sum() < 4 or np.ptp(scores[np.isfinite(scores)]) == 0:
        problem = f"column {column} does not vary among at least four patients"
        raise InputError(cohort.name, problem, "choose another column")
    return scores


def _moments_of_scores(
    cohort: Cohort, scores: NDArray[np.float64], indices: NDArray[np.int32]
) -> tuple[Moments, Moments]:
    """Moments of the scores of lesioned and of spared patients, by sums over lesioned voxels.

    What the spared patients add up to is what all do less what the lesioned ones do.
    """
    # From a whole number near the mean: sums stay small, and those of whole scores exact.
    middle = np.round(scores.mean())
    away = scores - middle
    n, total, squares = (_sums(cohort, weights)[indices] for weights in (None, away, away**2))
    lesioned = _moments(n, total, squares, middle)
    spared = _moments(cohort.n_patients - n, away.sum() - total, (away**2).sum() - squares, middle)
    # A spread that comes of rounding alone is none.
    least = 1e-13 * float((away**2).sum())
    return _without_rounding(lesioned, least), _without_rounding(spared, least)


def _moments(n: Float1D, total: Float1D, squares: Float1D, middle: float) -> Moments:
    return Moments(n, total / n + middle, squares - total**2 / n)


def _without_rounding(part: Moments, least: float) -> Moments:
    return replace(part, deviations=np.where(part.deviations > least, part.deviations, 0.0))


def _sums(cohort: Cohort, weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Sum over the patients lesioned at each voxel, in the order of the patients."""
    sums = np.zeros(cohort.grid.size)
    for patient in range(cohort.n_patients):
        sums[cohort.voxels(patient)] += 1.0 if weights is None else weights[patient]
    return sums
