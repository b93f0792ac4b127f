"""What makes a lesion-symptom map doubtful, told before any p."""

from __future__ import annotations

import numpy as np

from ..patterns import Patterns
from .families import TestChoice
from .patients import SymptomPatients

LEAST_OF_RANKS = 10
"""Patients of the smaller group from which on Brunner and Munzel's p is right (Medina 2010)."""
_FOLLOWS = 0.3  # |r| of score and volume; above it volume alone gave findings in simulations
_SAME = 0.9  # |r| of a covariate and volume from which on it stands for volume; arbitrary
_FEW = 50  # patients; Lorca-Puls et al. 2018 find unstable maps below about that
_FEW_FOR_FDR = 60  # Mirman et al. 2018: too many false findings with 30 to 60
_TIED = 0.25  # share of patients with one score; arbitrary, a quarter at the floor or ceiling
_TESTED = 0.3  # share of the lesioned voxels; arbitrary, less is a map of a few places


def symptom_warnings(
    patients: SymptomPatients, patterns: Patterns, choice: TestChoice
) -> tuple[str, ...]:
    """Sentences on score, volume, patients and tested voxels."""
    return (
        *_on_volume(patients, choice),
        *_on_score(patients),
        *_on_patients(patients, patterns, choice),
        *_on_voxels(patients, patterns),
    )


def volume_correlation(patients: SymptomPatients) -> float:
    """Correlation of the score with log lesion volume, over patients with a lesion."""
    lesioned = patients.volumes > 0
    volumes, score = np.log(patients.volumes[lesioned]), patients.score[lesioned]
    if np.ptp(volumes) == 0 or np.ptp(score) == 0:
        return 0.0
    return float(np.corrcoef(score, volumes)[0, 1])


def _on_volume(patients: SymptomPatients, choice: TestChoice) -> list[str]:
    notes = []
    r = volume_correlation(patients)
    if abs(r) > _FOLLOWS and choice.control in ("none", "dtlvc"):
        how = "not controlled" if choice.control == "none" else "controlled by dTLVC only"
        notes.append(
            f"{patients.name} follows lesion volume (r = {r:.2f}), which is {how}: scores that "
            "follow volume alone give findings in nearly every run; compare with log volume"
        )
    if abs(r) > _SAME and choice.control in ("log-volume", "volume"):
        notes.append(
            f"{patients.name} and lesion volume are nearly one (r = {r:.2f}): the control leaves "
            "little of the score that a place could explain; compare with no control"
        )
    if choice.control in ("log-volume", "volume"):
        volumes = np.log(np.maximum(patients.volumes, patients.volumes[patients.volumes > 0].min()))
        for name, column in patients.covariates.items():
            shared = float(np.corrcoef(column, volumes)[0, 1])
            if abs(shared) > _SAME:
                notes.append(
                    f"{name} and lesion volume are nearly one (r = {shared:.2f}): as "
                    "covariates together they cannot be told apart"
                )
    return notes


def _on_score(patients: SymptomPatients) -> list[str]:
    values, counts = np.unique(patients.score, return_counts=True)
    most = int(counts.argmax())
    notes = []
    if values.size > 2 and counts[most] > _TIED * patients.size:
        place = {0: "floor", values.size - 1: "ceiling"}.get(most, "one value")
        notes.append(
            f"{counts[most]} of {patients.size} patients have {patients.name} = {values[most]:g} "
            f"({place}): ranks are tied there, and differences among them are not seen"
        )
    if values.size > 2:
        middle, quarters = np.median(patients.score), np.percentile(patients.score, [25, 75])
        spread = quarters[1] - quarters[0]
        if spread > 0:
            # Tukey's far-out values: three interquartile ranges beyond the quartiles.
            low, high = quarters[0] - 3 * spread, quarters[1] + 3 * spread
            far = np.flatnonzero((patients.score < low) | (patients.score > high))
            if far.size:
                farthest = max(far.tolist(), key=lambda row: abs(patients.score[row] - middle))
                notes.append(
                    f"{far.size} outliers of {patients.name}, such as {patients.id(farthest)} with "
                    f"{patients.score[farthest]:g} (median {middle:g}): ranks are less sensitive"
                )
    return notes


def _on_patients(patients: SymptomPatients, patterns: Patterns, choice: TestChoice) -> list[str]:
    notes = []
    if patients.size < _FEW:
        notes.append(
            f"{patients.size} patients: below {_FEW}, maps change much from sample to sample, and "
            "only large effects are found"
        )
    if patients.size < _FEW_FOR_FDR:
        notes.append(
            f"{patients.size} patients: below {_FEW_FOR_FDR}, false discovery rates hold too many "
            "false findings (Mirman et al. 2018)"
        )
    smallest = int(np.minimum(patterns.n, patients.size - patterns.n).min())
    if choice.test == "brunner-munzel" and smallest < LEAST_OF_RANKS:
        notes.append(
            f"Brunner-Munzel's p is not right where a group has fewer than {LEAST_OF_RANKS} "
            f"patients (here {smallest}): take the corrected p, by permutations"
        )
    touched = np.asarray(patterns.members.sum(axis=0)).ravel()
    without = np.flatnonzero(touched == 0)
    if without.size > 1:
        notes.append(
            f"{without.size} patients have no lesion at any tested voxel, such as "
            f"{patients.id(int(without[0]))}: they count as spared everywhere"
        )
    return notes


def _on_voxels(patients: SymptomPatients, patterns: Patterns) -> list[str]:
    lesioned = int(np.count_nonzero(patients.counts))
    share = patterns.indices.size / lesioned
    if share >= _TESTED:
        return []
    tested = f"{patterns.indices.size:,} of {lesioned:,} lesioned voxels are tested"
    return [f"{tested} ({100 * share:.2g} %): of the others nothing is known"]
