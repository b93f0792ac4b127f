"""Processor time of lesion-symptom mapping beside nilearn's `permuted_ols`, in one process.

The table goes to the terminal and, in a full run, to benchmarks/results_lsm.md. nilearn's time per
permutation is that of many permutations less that of few, so that its set-up does not count.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from report import facts_of_machine, table, targets_table
from synthetic import mask_name, write_cohort
from targets import Target, at_most

from lesion_dash import load_cohort, map_multivariate, map_symptom, predict_symptom
from lesion_dash.cohort.cohort import Cohort

HERE = Path(__file__).parent
PATIENTS = 130
FEW, MANY = 20, 120  # permutations of nilearn, of which the difference is taken
PERMUTATIONS = 1000

NOTES = """\
- Processor seconds of all threads, of this process; both begin with the masks in memory.
- "largest" is the family-wise error alone; "all" adds the v-th largest statistics of 10, 100 and
  1,000 mm³ and the largest cluster at p < 0.001. "welch" and "brunner-munzel" are "largest" of
  these tests; all other rows are of a linear regression.
- "ridge" and "svr" are models of all voxels together; "prediction" is a nested cross-validation, 10
  folds 10 times, without permutations, and "permuted, prediction" 1,000 permutations of all of it.
- nilearn tests the same voxels, a column each, without lesion volume; its run of 1,000
  permutations is extrapolated from {few} and {many}."""


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory() as folder:
        cohort = load_cohort(
            options.masks or make_cohort(Path(folder), 20 if options.quick else PATIENTS),
            participants=options.participants,
        )
        score = options.score
        if options.quick:
            measure(cohort, score, few=2, many=6)
            return
        source = "Masks of a folder" if options.masks else "Synthetic masks"
        text = markdown(source, measure(cohort, score, FEW, MANY))
    print(f"\n{text}")
    (HERE / "results_lsm.md").write_text(text, encoding="utf-8")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masks", type=Path, help="a folder in place of synthetic masks")
    parser.add_argument("--participants", type=Path, help="the table of that folder")
    parser.add_argument("--score", default="score", help="a column of the table")
    parser.add_argument("--quick", action="store_true", help="a trial with few masks")
    return parser.parse_args()


def make_cohort(folder: Path, patients: int) -> Path:
    write_cohort(folder, patients, voxel_mm=2 if patients < PATIENTS else 1)
    generator = np.random.default_rng(0)
    rows = []
    for number in range(patients):
        age = generator.normal(60, 9)
        subject = mask_name(number).split("_")[0]
        rows.append(f"{subject}\t{generator.integers(0, 30)}\t{age:.1f}")
    table_text = "\n".join(["participant_id\tscore\tage", *rows]) + "\n"
    (folder / "participants.tsv").write_text(table_text, encoding="utf-8")
    return folder


def seconds(function: Callable[[], object]) -> float:
    """Processor seconds of a call."""
    began = time.process_time()
    function()
    return time.process_time() - began


def measure(cohort: Cohort, score: str, few: int, many: int) -> dict[str, float]:
    none = {"control": "none", "v_mm3": (), "cluster_p": None, "min_lesioned": 5}

    def ours(permutations: int, **choices: object) -> float:
        return seconds(lambda: map_symptom(cohort, score, permutations=permutations, **choices))

    def per_run(**choices: object) -> float:
        """Of 1,000 permutations without the set-up, by the median of runs of five thousand."""
        runs = [ours(5 * PERMUTATIONS, **choices) - ours(20, **choices) for _ in range(3)]
        return median(runs) / 5

    ours(20, **none)  # imports
    found: dict[str, float] = {"whole": ours(PERMUTATIONS, **none)}
    found["largest"] = per_run(**none)
    found["covariates"] = per_run(**none, covariates=["age"])
    found["all"] = per_run(control="none", min_lesioned=5)
    for test in ("welch", "brunner-munzel"):
        found[test] = ours(PERMUTATIONS, **none, test=test) - ours(20, **none, test=test)
    alone = map_symptom(cohort, score, permutations=PERMUTATIONS, **none)
    for model in ("ridge", "svr"):
        map_multivariate(map_symptom(cohort, score, permutations=20, **none), model)  # imports
        found[model] = seconds(lambda model=model: map_multivariate(alone, model))

    def predicted(permutations: int) -> float:
        return seconds(lambda: predict_symptom(cohort, score, permutations=permutations))

    predicted(0)  # imports
    found["prediction"] = predicted(0)
    found["permuted_prediction"] = predicted(PERMUTATIONS) - found["prediction"]
    before = peak()
    ours(PERMUTATIONS, **none)
    middle = peak()
    ours(10 * PERMUTATIONS, **none)
    found["memory"] = middle - before
    found["memory_of_ten_times"] = peak() - middle
    symptom_map = map_symptom(cohort, score, permutations=20, **none)
    found["voxels"], found["patients"] = symptom_map.tested, symptom_map.patients.size
    found["patterns"] = symptom_map.prepared.patterns.size
    patients = symptom_map.patients
    lesions = np.array(
        [np.isin(symptom_map.indices, patients.lesion(row)) for row in range(patients.size)], float
    )

    def nilearn(permutations: int) -> float:
        from nilearn.mass_univariate import permuted_ols

        return seconds(
            lambda: permuted_ols(
                patients.score[:, None],
                lesions,
                n_perm=permutations,
                two_sided_test=True,
                n_jobs=1,
                verbose=0,
                random_state=0,
            )
        )

    nilearn(1)
    times = nilearn(few), nilearn(many)
    found["nilearn"] = (times[1] - times[0]) / (many - few) * PERMUTATIONS
    found["nilearn_whole"] = times[0] + found["nilearn"] * (PERMUTATIONS - few) / PERMUTATIONS
    return found


def peak() -> float:
    """Peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def markdown(source: str, found: dict[str, float]) -> str:
    per_permutation, whole = (
        found["nilearn"] / found["largest"],
        found["nilearn_whole"] / found["whole"],
    )
    targets = [
        at_least("nilearn / ours, per permutation", per_permutation, 1000),
        at_least("nilearn / ours, whole run of 1,000", whole, 80),
        at_most("with covariates / without", found["covariates"] / found["largest"], 1.15),
        at_most("v-th largest and clusters, CPU s per 1,000", found["all"], 2),
        at_most("ridge, CPU s per 1,000", found["ridge"], 3),
        at_most("svr, CPU s per 1,000", found["svr"], 3),
        at_most("nested cross-validation, 10 repeats, CPU s", found["prediction"], 2),
        at_most("memory of 10,000 permutations above 1,000, MB", found["memory_of_ten_times"], 20),
    ]
    tests = ("welch", "brunner-munzel", "ridge", "svr", "prediction", "permuted_prediction")
    names = ("largest", "covariates", "all", *tests, "whole", "nilearn", "nilearn_whole")
    rows = [[name.replace("_", ", "), f"{found[name]:.3f}"] for name in names]
    size = f"{found['patients']:,.0f} patients, {found['voxels']:,.0f} voxels"
    parts = [
        "# Speed of lesion-symptom mapping",
        f"{facts_of_machine()} {source}: {size}, {found['patterns']:,.0f} lesion patterns.",
        targets_table(targets),
        table(["1,000 permutations", "CPU s"], rows),
        NOTES.format(few=FEW, many=MANY),
    ]
    return "\n\n".join(parts) + "\n"


def at_least(what: str, value: float, limit: float) -> Target:
    return Target(what, f"at least {limit:,}", f"{value:,.0f}", value >= limit)


if __name__ == "__main__":
    main()
