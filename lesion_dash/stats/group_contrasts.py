"""Tests of two groups at each voxel: conditions, cohorts, or scores of patients."""

from __future__ import annotations

from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import accumulate
from math import comb
from os import cpu_count
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from ..cohort.cells import value_text
from ..cohort.cohort import Cohort, check_min_patients
from ..cohort.same_patients import common_patients
from ..core.defaults import (
    MASK_TEST,
    MIN_PATIENTS,
    MIN_PATIENTS_OF_TWO,
    T_TEST,
    ContrastTest,
    TTest,
)
from ..core.errors import InputError, check_choice
from ..core.field_of_view import FieldsOfView, fields_of_view
from ..images.events import Conditions
from ..images.masks import Mask
from ..images.series import Series
from ..images.space import compare_spaces
from .contrast import (
    TESTS,
    Contrast,
    Float1D,
    Moments,
    Samples,
    make_contrast,
    moments_of,
    moments_of_counts,
    p_of_t,
    t_statistic,
)

if TYPE_CHECKING:
    import pandas as pd

_OF_COHORTS = (
    "Shows where one cohort is lesioned more often than the other. Lesions follow the arteries and "
    "are large: neighbouring voxels go together, and a cohort of larger lesions is lesioned more "
    "often nearly everywhere."
)

_OF_SCORES = (
    "Shows where patients with a lesion score differently from patients without one there. It does "
    "not show that the place matters: patients with large lesions are lesioned in more places and "
    "score worse, and lesions of neighbouring places come together (Mah 2014, Sperber 2017)."
)

_BLOCK = 2**20  # arbitrary: values that a thread works on together, 8 MB in float64

_OF_RUNS = (
    "Shows where the mean signal of the volumes differs. It fits no model of the haemodynamic "
    "response: neighbouring volumes resemble each other, so p is too small, and permutations that "
    "take volumes for independent do not mend that. A map to explore, not a result to report."
)
_OF_PEOPLE = (
    "Shows where the mean of one group differs from the other's. It does not show why: groups that "
    "differ in age, scanner or anything else differ here too."
)


def _samples_of_masks(
    cohorts: tuple[Cohort, ...],
    scores: NDArray[np.float64] | None = None,
    fields: FieldsOfView | None = None,
) -> Samples:
    """Zeros and ones of every patient at the tested voxels, one cohort after the other.

    The first cohort is group 1, the second group 0; scores, where given, stand in their place.
    The voxels of cohorts in several fields of view are those of the grid that holds both.
    """

    def values(indices: NDArray[np.int32]) -> NDArray[np.float64]:
        rows = [
            np.isin(indices, _lesion_in(fields, cohort, patient), assume_unique=True)
            for cohort in cohorts
            for patient in range(cohort.n_patients)
        ]
        return np.array(rows, np.float64)

    groups = np.repeat([1.0, 0.0][: len(cohorts)], [cohort.n_patients for cohort in cohorts])
    return Samples(values, groups if scores is None else scores)


def _lesion_in(fields: FieldsOfView | None, cohort: Cohort, patient: int) -> NDArray[np.int32]:
    """The voxels of a patient's lesion, on the grid that holds both fields of view."""
    voxels = cohort.voxels(patient)
    return voxels if fields is None else fields.places(cohort.grid, voxels)


def odds_ratio(
    a: NDArray[np.integer], b: NDArray[np.integer], sizes: tuple[int, int]
) -> NDArray[np.float64]:
    """Sample odds ratio of being lesioned: a (N_b - b) / (b (N_a - a)); inf where that is x/0."""
    with np.errstate(all="ignore"):
        odds: NDArray[np.float64] = (a * (sizes[1] - b.astype(np.float64))) / (
            b * (sizes[0] - a.astype(np.float64))
        )
    return odds


def fisher_p(
    a: NDArray[np.integer], b: NDArray[np.integer], sizes: tuple[int, int]
) -> NDArray[np.float64]:
    """Two-sided p of Fisher's exact test at each voxel.

    The sum of the probabilities of all tables with the same margins that are no likelier than the
    one found (Fisher 1922; as `scipy.stats.fisher_exact`), rounded once. Voxels with the same
    number of lesioned patients share these tables, so a map costs as many distributions as there
    are numbers.

    Parameters
    ----------
    a, b : array of int, shape (voxels,)
        Lesioned patients of each group.
    sizes : tuple of int
        All patients of each group.

    Examples
    --------
    >>> fisher_p(np.array([3]), np.array([0]), (3, 3)).tolist()
    [0.1]
    """
    p = np.ones(a.size)
    total = a + b
    # Whole numbers: tables that are equally likely are so to the last digit.
    choices = [[comb(size, chosen) for chosen in range(size + 1)] for size in sizes]
    for lesioned in np.unique(total).tolist():
        voxels = total == lesioned
        fewest = max(lesioned - sizes[1], 0)
        p[voxels] = _p_of_margin(lesioned, fewest, choices)[a[voxels] - fewest]
    return p


def _p_of_margin(lesioned: int, fewest: int, choices: list[list[int]]) -> NDArray[np.float64]:
    """The p of every possible number of the first group among those lesioned, from the fewest."""
    last = min(lesioned, len(choices[0]) - 1)
    ways = [choices[0][first] * choices[1][lesioned - first] for first in range(fewest, last + 1)]
    ordered = sorted(ways)
    sums = list(accumulate(ordered))
    return np.array([sums[bisect_right(ordered, own) - 1] / sums[-1] for own in ways])


def contrast_cohorts(
    a: Cohort, b: Cohort, *, test: ContrastTest = MASK_TEST, min_patients: int = MIN_PATIENTS_OF_TWO
) -> Contrast:
    """Test at each voxel whether two cohorts are lesioned there equally often.

    Parameters
    ----------
    a, b : Cohort
        Without a common patient; on one grid, or on grids whose voxels coincide. Only what lies
        in both fields of view is tested.
    test : {"fisher", "student", "welch"}
        Fisher's exact test of lesioned or spared; or a t-test of zeros and ones.
    min_patients : int
        Voxels lesioned in fewer patients of both cohorts together are not tested.

    Returns
    -------
    Contrast
        A positive effect means: lesioned more often in `a`; it is the difference of the shares
        of patients lesioned, in percentage points.

    Raises
    ------
    InputError
        Where voxels of the grids do not coincide, a cohort has fewer than two patients, a patient
        is in both, or no voxel is lesioned in so many patients.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> a, b = load_cohort("sample_data/cohort_a"), load_cohort("sample_data/cohort_b")
    >>> contrast_cohorts(a, b, min_patients=5).sizes
    (40, 40)
    """
    check_min_patients(min_patients)
    check_choice("test", test, TESTS)
    fields = fields_of_view(a.grid, b.grid, b.name, a.name)
    _check_cohorts(a, b)
    lesioned = [_counts_in(fields, cohort) for cohort in (a, b)]
    is_tested = lesioned[0] + lesioned[1] >= min_patients
    notes = compare_spaces("A", a.grid, "B", b.grid)
    if not fields.is_one:
        is_tested &= np.ravel(fields.seen_by_both, order="F")
        notes += fields.notes(*map(np.flatnonzero, lesioned))
    indices = np.flatnonzero(is_tested).astype(np.int32)
    if not indices.size:
        problem = f"no voxel is lesioned in {min_patients} patients of both cohorts together"
        raise InputError(f"{a.name} - {b.name}", problem, "lower the number of patients")
    counts, sizes = [own[indices] for own in lesioned], (a.n_patients, b.n_patients)
    statistic, p, dof = _test_counts(counts, sizes, test)
    return make_contrast(
        fields.grid,
        indices,
        statistic,
        p,
        100 * (counts[0] / sizes[0] - counts[1] / sizes[1]),
        dof,
        name=f"{a.name} - {b.name}",
        test=test,
        groups=(a.name, b.name),
        sizes=sizes,
        effect_unit="percentage points of patients lesioned",
        statement=_OF_COHORTS,
        samples=_samples_of_masks((a, b), fields=fields) if test == "student" else None,
        notes=(*common_patients(a, b), *a.notes, *b.notes, *notes),
        parameters={"test": test, "min_patients": min_patients},
    )


def _counts_in(fields: FieldsOfView, cohort: Cohort) -> NDArray[np.int32]:
    """Patients lesioned at each voxel of the grid that holds both fields of view."""
    counts = np.ravel(cohort.counts, order="F")
    if cohort.grid.matches(fields.grid):
        return counts
    lesioned = np.flatnonzero(counts)
    common = np.zeros(fields.grid.size, np.int32)
    common[fields.places(cohort.grid, lesioned)] = counts[lesioned]
    return common


def _test_counts(
    counts: list[NDArray[np.int32]], sizes: tuple[int, int], test: ContrastTest
) -> tuple[Float1D, Float1D, Float1D]:
    """Statistic, p and degrees of freedom where so many of each group are lesioned."""
    a, b = counts
    if test == "fisher":
        return odds_ratio(a, b, sizes), fisher_p(a, b, sizes), np.full(a.shape, np.nan)
    parts = moments_of_counts(a, sizes[0]), moments_of_counts(b, sizes[1])
    t, dof = t_statistic(*parts, equal_variances=test == "student")
    return t, p_of_t(t, dof), dof


def _check_cohorts(a: Cohort, b: Cohort) -> None:
    for cohort in (a, b):
        if cohort.n_patients < 2:
            raise InputError(cohort.name, "has one patient", "a group needs at least two")
    # One folder may be named in two ways, or lie within the other.
    files_a, files_b = _files_of(a), _files_of(b)
    if common := files_a.keys() & files_b.keys():
        problem = f"{len(common)} patients are in both groups, such as {files_b[min(common)]}"
        raise InputError(b.name, problem, "choose two groups without a common patient")


def _files_of(cohort: Cohort) -> dict[str, str]:
    """Where each mask lies, and its name within the cohort."""
    folder = cohort.folder.resolve()
    return {str(folder / patient.file): patient.file for patient in cohort.used}


def contrast_scores(
    cohort: Cohort,
    column: str,
    *,
    test: TTest = T_TEST,
    min_lesioned: int = MIN_PATIENTS,
) -> Contrast:
    """Test at each voxel whether a score differs between lesioned and spared patients.

    Parameters
    ----------
    cohort : Cohort
        With a participants table.
    column : str
        Of the participants table, numbers such as a behavioural score. Patients without a value
        are excluded, and counted in the notes.
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
    >>> contrast = contrast_scores(cohort, "nihss", min_lesioned=5)
    >>> contrast.groups, bool(contrast.effect.mean() > 0)
    (('lesioned', 'spared'), True)
    """
    check_choice("test", test, get_args(TTest))
    if check_min_patients(min_lesioned) < 2:
        raise InputError("min lesioned", f"is {min_lesioned}", "a t-test needs at least 2")
    scores = _scores(cohort, column)
    known, notes = np.isfinite(scores), cohort.notes
    chosen = cohort
    if missing := int((~known).sum()):
        chosen, scores = cohort.select(known), scores[known]
        notes += (f"{missing} patients excluded: no value of {column}",)
    indices = _enough_patients(chosen, min_lesioned)
    parts = _moments_of_scores(chosen, scores, indices)
    t, dof = t_statistic(*parts, equal_variances=test == "student")
    p = p_of_t(t, dof)
    return make_contrast(
        cohort.grid,
        indices,
        t,
        p,
        parts[0].mean - parts[1].mean,
        dof,
        name=f"{column}: lesioned - spared",
        test=test,
        groups=("lesioned", "spared"),
        sizes=(int(parts[0].n.max()), int(parts[1].n.max())),
        effect_unit=f"difference of the mean {column}",
        statement=_OF_SCORES,
        samples=_samples_of_masks((chosen,), scores) if test == "student" else None,
        notes=notes,
        sizes_vary=True,
        parameters={"column": column, "test": test, "min_lesioned": min_lesioned},
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


def _scores(cohort: Cohort, column: str) -> NDArray[np.float64]:
    import pandas as pd

    cells = _cells(cohort, column)
    try:
        scores = pd.to_numeric(cells).to_numpy(np.float64)
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
    # A spread below this is rounding: a sum of so many squares is exact to about 1e-14 of itself.
    rounding = 1e-13 * float((away**2).sum())

    def moments(n: Float1D, total: Float1D, squares: Float1D) -> Moments:
        deviations = squares - total**2 / n
        deviations = np.where(deviations > rounding, deviations, 0.0)
        return Moments(n, total / n + middle, deviations)

    lesioned = moments(n, total, squares)
    spared = moments(cohort.n_patients - n, away.sum() - total, (away**2).sum() - squares)
    return lesioned, spared


def _sums(cohort: Cohort, weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Sum over the patients lesioned at each voxel, in the order of the patients."""
    sums = np.zeros(cohort.grid.size)
    for patient in range(cohort.n_patients):
        sums[cohort.voxels(patient)] += 1.0 if weights is None else weights[patient]
    return sums


def split_cohort(
    cohort: Cohort, column: str, a: str | float, b: str | float
) -> tuple[Cohort, Cohort]:
    """Split a cohort by a column of its participants table.

    Parameters
    ----------
    cohort : Cohort
        With a participants table.
    column : str
    a, b : str or float
        Two values of the column. Patients with another value, or none, are in neither group.

    Returns
    -------
    tuple of Cohort
        Named such as ``sex = F``; their notes tell how many patients are in neither.

    Raises
    ------
    InputError
        Where the column is missing, both values are one, or no patient has a value.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> women, men = split_cohort(load_cohort("sample_data/cohort_a"), "sex", "F", "M")
    >>> women.name, women.n_patients + men.n_patients
    ('sex = F', 40)
    """
    cells = _cells(cohort, column)
    values = np.array([value_text(value) for value in cells.where(cells.notna(), "")])
    groups = value_text(a), value_text(b)
    if groups[0] == groups[1]:
        raise InputError(column, f"both groups are {groups[0]!r}", "choose two that differ")
    neither = int((~np.isin(values, groups)).sum())
    notes = (f"{neither} patients excluded: another {column}, or none",) if neither else ()
    part_a, part_b = (_part(cohort, column, values, group, notes) for group in groups)
    return part_a, part_b


def _cells(cohort: Cohort, column: str) -> pd.Series:
    """A column of the participants table, a row for each used patient."""
    table, name = cohort.used_table, cohort.name_in_table(column)
    if name not in table.columns:
        remedy = f"choose one of {', '.join(map(str, table.columns))}"
        raise InputError(cohort.name, f"its participants have no column {column!r}", remedy)
    return table[name]


def _part(
    cohort: Cohort, column: str, values: NDArray, value: str, notes: tuple[str, ...]
) -> Cohort:
    rows = np.flatnonzero(values == value)
    if not value or not rows.size:
        known = ", ".join(sorted({known for known in values.tolist() if known})[:12])
        problem = f"no patient has {column} = {value!r}"
        raise InputError(cohort.name, problem, f"choose from: {known}")
    chosen = cohort.select(rows)
    return replace(chosen, name=f"{column} = {value}", notes=(*chosen.notes, *notes))


def contrast_conditions(
    series: Series,
    conditions: Conditions,
    a: str,
    b: str,
    *,
    test: TTest = T_TEST,
    mask: Mask | None = None,
) -> Contrast:
    """Test at each voxel whether two conditions of a series differ in their mean.

    Parameters
    ----------
    series : Series
    conditions : Conditions
        One for each volume.
    a, b : str
        Names of two conditions; a positive t means more signal in `a`.
    test : {"student", "welch"}
    mask : Mask, optional
        On the grid of the series, or on one whose voxels coincide: test these voxels only. Else
        all that vary are tested.

    Returns
    -------
    Contrast
        NaN is excluded voxel by voxel, as ``scipy.stats.ttest_ind(nan_policy="omit")`` does; voxels
        without any spread are not tested.

    Raises
    ------
    InputError
        Where a condition has fewer than two volumes, both are the same, or a mask lies elsewhere.

    Examples
    --------
    >>> from lesion_dash import read_series
    >>> from lesion_dash.rois import read_conditions
    >>> run = "sample_data/series/sub-01_task-pictures_run-1"
    >>> series = read_series(f"{run}_bold.nii.gz")
    >>> conditions = read_conditions(f"{run}_events.tsv", series)
    >>> contrast_conditions(series, conditions, "face", "house").sizes
    (16, 16)
    """
    check_choice("test", test, get_args(TTest))
    if len(conditions.of_volume) != series.volumes:
        problem = f"{len(conditions.of_volume)} conditions for {series.volumes} volumes"
        raise InputError("conditions", problem, "give one for each volume")
    if a == b:
        raise InputError("conditions", f"both are {a!r}", "choose two that differ")
    rows = _rows_of(conditions, a), _rows_of(conditions, b)
    indices, of_mask = _tested(series, mask)
    t, p, effect, dof = _test_blocks(series.rows, rows, indices, test == "student")
    return make_contrast(
        series.grid,
        indices,
        t,
        p,
        effect,
        dof,
        name=f"{a} - {b}",
        test=test,
        groups=(a, b),
        sizes=(rows[0].size, rows[1].size),
        effect_unit="difference of the mean signal",
        statement=_OF_RUNS if max(series.runs) > 1 else _OF_PEOPLE,
        samples=_samples(series, rows) if test == "student" else None,
        notes=(*series.notes, *conditions.notes, *of_mask),
        parameters={"a": a, "b": b, "test": test, "mask": mask.name if mask else None},
    )


def _rows_of(conditions: Conditions, name: str) -> NDArray[np.int64]:
    rows = conditions.rows(name)
    if rows.size < 2:
        raise InputError(name, "has only one volume", "a t-test needs at least two in each group")
    return rows


def _tested(series: Series, mask: Mask | None) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """The voxels to test, and how the mask fits the series."""
    if mask is None:
        return np.arange(series.grid.size, dtype=np.int32), ()
    cut = mask.cut_to(series.grid)
    if not cut.voxels:
        raise InputError(mask.name, "is empty: no voxel to test", "choose another mask")
    notes = compare_spaces(f"mask {mask.name}", mask.grid, "the series", series.grid)
    return cut.indices, (*notes, *cut.notes[len(mask.notes) :])


def _test_blocks(
    values: NDArray,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    indices: NDArray[np.int32],
    equal_variances: bool,
) -> NDArray[np.float64]:
    """t, p, effect and degrees of freedom, a few thousand voxels at a time in each thread."""

    def test_block(block: NDArray[np.int32]) -> NDArray[np.float64]:
        a, b = (moments_of(_take(values, own, block)) for own in rows)
        t, dof = t_statistic(a, b, equal_variances)
        return np.stack([t, p_of_t(t, dof), a.mean - b.mean, dof])

    step = max(_BLOCK // (rows[0].size + rows[1].size), 1)
    blocks = [indices[first : first + step] for first in range(0, indices.size, step)]
    with ThreadPoolExecutor(min(cpu_count() or 1, 8)) as pool:
        return np.concatenate(list(pool.map(test_block, blocks)), axis=1)


def _take(values: NDArray, rows: NDArray[np.int64], block: NDArray[np.int32]) -> NDArray:
    """Some rows and columns; whole stretches of a volume where the columns lie close together."""
    first, last = int(block[0]), int(block[-1]) + 1
    if last - first > 4 * block.size:
        return values[np.ix_(rows, block)]
    stretch = values[:, first:last][rows]
    # Rows stay rows in memory: sums run in the same order with a mask and without.
    return stretch if last - first == block.size else np.take(stretch, block - first, axis=1)


def _samples(series: Series, rows: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Samples:
    chosen = np.concatenate(rows)
    variable = np.repeat([1.0, 0.0], [rows[0].size, rows[1].size])

    def values(indices: NDArray[np.int32]) -> NDArray[np.float64]:
        return series.rows[np.ix_(chosen, indices)].astype(np.float64)

    return Samples(values, variable)
