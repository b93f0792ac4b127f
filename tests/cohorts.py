"""Cohorts in memory."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
from phantoms import AFFINE

from lesion_dash import Cohort, Grid
from lesion_dash.cohort.participants import Patient


def cohort_of(masks, affine=AFFINE, name="made") -> Cohort:
    """A cohort from one array of zeros and ones a patient, of three axes or of one."""
    masks = [np.asarray(mask) for mask in masks]
    rows = [np.flatnonzero(np.ravel(mask, order="F")) for mask in masks]
    return cohort_of_positions(rows, (*masks[0].shape, 1, 1)[:3], affine, name)


def cohort_of_positions(rows, shape, affine=AFFINE, name="made") -> Cohort:
    rows = [np.asarray(row, np.int32) for row in rows]
    patients = tuple(
        Patient(
            f"sub-{number:03}",
            f"sub-{number:03}_lesion.nii.gz",
            "used",
            voxels=row.size,
            sha256=sha256(row.tobytes()).hexdigest(),
        )
        for number, row in enumerate(rows)
    )
    ends = np.cumsum([row.size for row in rows], dtype=np.int64)
    starts = ends - [row.size for row in rows]
    grid = Grid(shape, affine)
    return Cohort(name, Path(name), grid, patients, starts, ends, np.concatenate(rows))


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
        np.concatenate([np.flatnonzero(row), np.arange(end - size, end)])
        for row, size, end in zip(touched, sizes, ends, strict=True)
    ]
    return cohort_of_positions(rows, (int(ends[-1]), 1, 1))
