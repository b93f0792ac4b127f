"""Patients with a mask each, as the samples of a permutation test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from .contrast import Samples


def samples_of_masks(
    cohorts: tuple[Cohort, ...], scores: NDArray[np.float64] | None = None
) -> Samples:
    """Zeros and ones of every patient at the tested voxels.

    Parameters
    ----------
    cohorts : tuple of Cohort
        Their patients one after the other; the first is group 1, the second group 0.
    scores : array of float64, shape (patients,), optional
        The variable in place of the groups.
    """

    def values(indices: NDArray[np.int32]) -> NDArray[np.float64]:
        rows = [
            np.isin(indices, cohort.voxels(patient), assume_unique=True)
            for cohort in cohorts
            for patient in range(cohort.n_patients)
        ]
        return np.array(rows, np.float64)

    groups = np.repeat([1.0, 0.0][: len(cohorts)], [cohort.n_patients for cohort in cohorts])
    return Samples(values, groups if scores is None else scores)
