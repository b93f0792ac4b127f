"""Small cohorts with scores, and what a map of them is compared with."""

from __future__ import annotations

import numpy as np
from phantoms import AFFINE, write_masks

from lesion_dash import load_cohort

SHAPE = (6, 5, 7)


def lesions(patients: int, seed: int, shape=SHAPE) -> list[np.ndarray]:
    """Boxes of different sizes, so that neighbouring voxels share patients."""
    generator = np.random.default_rng(seed)
    masks = []
    for _ in range(patients):
        corner = generator.integers(0, np.array(shape) - 2)
        size = generator.integers(2, np.array(shape))
        mask = np.zeros(shape, bool)
        mask[tuple(slice(a, a + b) for a, b in zip(corner, size, strict=True))] = True
        masks.append(mask)
    return masks


def make_cohort(folder, masks, columns, order=None, names=None):
    names = names or [f"sub-{number:03}" for number in range(len(masks))]
    write_masks(folder, masks, AFFINE, [f"{name}_lesion.nii.gz" for name in names])
    rows = [
        "\t".join([name, *(str(column[row]) for column in columns.values())])
        for row, name in enumerate(names)
    ]
    rows = [rows[row] for row in order] if order is not None else rows
    head = "\t".join(["participant_id", *columns])
    (folder / "participants.tsv").write_text("\n".join([head, *rows]) + "\n")
    return load_cohort(folder)


def matrix(symptom_map) -> np.ndarray:
    """Patients x tested voxels, in the order of the patients of the map."""
    patients = symptom_map.patients
    rows = [np.isin(symptom_map.indices, patients.lesion(row)) for row in range(patients.size)]
    return np.array(rows, float)


def regression(score, lesion, covariates=()):
    """Coefficient of a lesion, its standard error, t and degrees of freedom, by least squares."""
    x = np.column_stack([lesion, np.ones(len(score)), *covariates])
    coefficients, *_ = np.linalg.lstsq(x, score, rcond=None)
    residuals = score - x @ coefficients
    dof = len(score) - np.linalg.matrix_rank(x)
    error = np.sqrt(residuals @ residuals / dof * np.linalg.inv(x.T @ x)[0, 0])
    return coefficients[0], error, coefficients[0] / error, dof
