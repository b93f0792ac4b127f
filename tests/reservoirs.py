"""Cohorts in memory whose volumes have nothing to do with where the tested voxels are lesioned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lesion_dash.cohort.cohort import Cohort
from lesion_dash.cohort.participants import Patient
from lesion_dash.core.grid import Grid


def cohort_of(lesioned, shape=None, affine=None) -> Cohort:
    """A cohort from patients x voxels of zeros and ones, the first axis of the grid fastest."""
    rows = [np.flatnonzero(row).astype(np.int32) for row in np.asarray(lesioned)]
    return cohort_of_positions(rows, shape or (len(lesioned[0]), 1, 1), affine)


def cohort_of_positions(rows, shape, affine=None) -> Cohort:
    patients = tuple(
        Patient(f"sub-{number:03}", f"sub-{number:03}.nii", "used", voxels=row.size)
        for number, row in enumerate(rows)
    )
    ends = np.cumsum([row.size for row in rows], dtype=np.int64)
    starts = ends - [row.size for row in rows]
    grid = Grid(shape, np.diag([2.0, 2, 2, 1]) if affine is None else affine)
    return Cohort("made", Path("made"), grid, patients, starts, ends, np.concatenate(rows))


def with_reservoirs(touched, volumes) -> Cohort:
    """Patients lesioned at these voxels, and at as many of their own as make up their volumes.

    Voxels of a reservoir belong to one patient, so that none of them is ever tested; the first
    voxels of the grid are those of `touched`.
    """
    touched = np.asarray(touched, bool)
    sizes = np.asarray(volumes) - touched.sum(axis=1)
    assert (sizes >= 0).all()
    ends = touched.shape[1] + np.cumsum(sizes)
    rows = [
        np.concatenate([np.flatnonzero(row), np.arange(end - size, end)]).astype(np.int32)
        for row, size, end in zip(touched, sizes, ends, strict=True)
    ]
    return cohort_of_positions(rows, (int(ends[-1]), 1, 1))
