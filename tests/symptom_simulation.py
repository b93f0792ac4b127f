"""How often lesion-symptom maps find something where nothing is: simulated scores, real lesions.

    python tests/symptom_simulation.py MASKS [RUNS]

prints the table of docs/symptoms.md: family-wise error in percent of runs, for scores that have
nothing to do with lesions, and for scores that follow lesion volume alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lesion_dash import load_cohort
from lesion_dash.stats.lesion_symptom.families import PreparedTest, TestChoice, prepare_test
from lesion_dash.stats.lesion_symptom.path import along_path
from lesion_dash.stats.lesion_symptom.patients import SymptomPatients
from lesion_dash.stats.lesion_symptom.univariate import BINARY, TESTS
from lesion_dash.stats.patterns import find_patterns

SHUFFLES = 199
TOGETHER = 40  # permutations before it is asked whether more are needed
LEVEL = 0.05
SCORES = {
    "normal": lambda generator, size: generator.normal(size=size),
    "lognormal": lambda generator, size: np.exp(generator.normal(size=size)),
    "integers": lambda generator, size: generator.integers(0, 6, size).astype(float),
    "binary": lambda generator, size: (generator.random(size) < 0.4).astype(float),
}


@dataclass(frozen=True, eq=False)
class Lesions:
    """Lesions without a score, and the patterns of their voxels."""

    patients: SymptomPatients
    patterns: object
    min_lesioned: int


def prepare_lesions(cohort, min_lesioned: int) -> Lesions:
    rows = np.flatnonzero(cohort.volumes)
    volumes = cohort.volumes[rows] * cohort.grid.voxel_volume
    empty = np.zeros(rows.size)
    patients = SymptomPatients(
        cohort, rows, "score", empty, {}, empty.astype(np.int64), volumes, {}, ()
    )
    least = np.minimum(patients.counts, rows.size - patients.counts)
    patterns = along_path(cohort.grid, find_patterns(patients, least >= min_lesioned))
    return Lesions(patients, patterns, min_lesioned)


def draw_score(lesions: Lesions, kind: str, generator, follows: float = 0.0):
    """A score of one kind; where it follows volume, of this correlation with its logarithm."""
    size = lesions.patients.size
    if not follows:
        return SCORES[kind](generator, size)
    volume = np.log(lesions.patients.volumes)
    standard = (volume - volume.mean()) / volume.std()
    score = follows * standard + np.sqrt(1 - follows**2) * generator.normal(size=size)
    return (score > 0.3).astype(float) if kind == "binary" else score


def error_rate(lesions, test, control, kind, runs, seed=0, follows=0.0) -> float:
    """Share of runs with a corrected p of at most 0.05 anywhere."""
    generator = np.random.default_rng(seed)
    choice, significant = TestChoice(test, control, "two-sided", 0.001), 0
    for _ in range(runs):
        score = draw_score(lesions, kind, generator, follows)
        patients = replace(lesions.patients, score=score)
        prepared = prepare_test(patients, lesions.patterns, choice)
        significant += is_significant(prepared, generator)
    return significant / runs


def is_significant(prepared: PreparedTest, generator: np.random.Generator) -> bool:
    """Whether the largest statistic has a corrected p of at most 0.05.

    Most runs end early, with the same answer: once so many permutations reach the statistic that
    p is above 0.05 whatever the others give (Besag & Clifford 1991).
    """
    largest = prepared.null.heights_of(prepared.heights).max()
    reached = 0
    for first in range(0, SHUFFLES, TOGETHER):
        left = max(SHUFFLES - first - TOGETHER, 0)
        null = prepared.null.run(SHUFFLES - first - left, int(generator.integers(2**63)))
        share = null.corrected_p(np.array([largest]))[0]
        reached += round(share * (1 + null.permutations)) - 1
        if (1 + reached) / (1 + SHUFFLES) > LEVEL:
            return False
    return True


def table(folder: Path, runs: int) -> Iterator[str]:
    """The table of docs/symptoms.md, line by line."""
    lesions = prepare_lesions(load_cohort(folder), 10)
    yield f"{lesions.patients.size} patients, {lesions.patterns.indices.size:,} voxels, {runs} runs"
    yield "| test | score | control | false findings, % |\n|---|---|---|---|"
    for test in TESTS:
        for control in ("none", "log-volume"):
            for kind in ("binary",) if test in BINARY else ("normal", "lognormal", "integers"):
                rate = error_rate(lesions, test, control, kind, runs)
                yield f"| {test} | {kind} | {control} | {100 * rate:.1f} |"
    for test in ("ols", "rank", "liebermeister"):
        for control in ("none", "log-volume", *([] if test in BINARY else ["dtlvc"])):
            kind = "binary" if test in BINARY else "normal"
            rate = error_rate(lesions, test, control, kind, runs, follows=0.7)
            yield f"| {test} | {kind}, follows volume | {control} | {100 * rate:.1f} |"


if __name__ == "__main__":
    for line in table(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2000):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
