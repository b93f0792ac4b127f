"""Contrast of two cohorts of lesion masks: where one is lesioned more often than the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort, check_min_patients
from ..errors import InputError
from .contrast import TESTS, Contrast, ContrastTest, keep_tested
from .fisher import fisher_p, odds_ratio
from .moments import Float1D, moments_of_counts, p_of_t, t_statistic
from .patients import samples_of_masks

_OF_COHORTS = (
    "Shows where one cohort is lesioned more often than the other. Lesions follow the arteries and "
    "are large: neighbouring voxels go together, and a cohort of larger lesions is lesioned more "
    "often nearly everywhere."
)


def contrast_cohorts(
    a: Cohort, b: Cohort, *, test: ContrastTest = "fisher", min_patients: int = 1
) -> Contrast:
    """Test at each voxel whether two cohorts are lesioned there equally often.

    Parameters
    ----------
    a, b : Cohort
        On one grid, without a common patient.
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
        Where the grids differ, a cohort has fewer than two patients, a patient is in both, or no
        voxel is lesioned in so many patients.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> a, b = load_cohort("sample_data/cohort_a"), load_cohort("sample_data/cohort_b")
    >>> contrast_cohorts(a, b, min_patients=5).sizes
    (40, 40)
    """
    check_min_patients(min_patients)
    if test not in TESTS:
        raise InputError("test", f"is {test!r}", f"choose one of {', '.join(TESTS)}")
    _check_cohorts(a, b)
    lesioned = [np.ravel(cohort.counts, order="F") for cohort in (a, b)]
    indices = np.flatnonzero(lesioned[0] + lesioned[1] >= min_patients).astype(np.int32)
    if not indices.size:
        problem = f"no voxel is lesioned in {min_patients} patients of both cohorts together"
        raise InputError(f"{a.name} - {b.name}", problem, "lower the number of patients")
    counts, sizes = [own[indices] for own in lesioned], (a.n_patients, b.n_patients)
    statistic, p, dof = _test_counts(counts, sizes, test)
    return keep_tested(
        Contrast(
            name=f"{a.name} - {b.name}",
            grid=a.grid,
            test=test,
            groups=(a.name, b.name),
            sizes=sizes,
            indices=indices,
            statistic=statistic,
            p=p,
            effect=100 * (counts[0] / sizes[0] - counts[1] / sizes[1]),
            dof=dof,
            effect_unit="percentage points of patients lesioned",
            statement=_OF_COHORTS,
            correction="none",
            corrected_p=p,
            samples=samples_of_masks((a, b)) if test == "student" else None,
            notes=(*a.notes, *b.notes),
            parameters={"test": test, "min_patients": min_patients},
        )
    )


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
    if not a.grid.matches(b.grid):
        problem = f"is not on the grid of {a.name}: {b.grid.difference(a.grid)}"
        raise InputError(b.name, problem, "bring both cohorts onto one grid")
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
