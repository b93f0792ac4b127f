"""Time and memory of shuffling volumes among patients, beside a plain loop over permutations.

The table goes to the terminal and, in a full run, to benchmarks/results_size_bias.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from cohorts import Cohorts
from contrast_run import peak
from measure import Cost, median_cost, repeat
from report import facts_of_machine, table, targets_table
from targets import Target, at_most

import lesion_dash
from lesion_dash.stats.permutation import permute_volumes

HERE = Path(__file__).resolve().parent
PERMUTATIONS, LOOPED = 1000, 20
MOST_SECONDS, MOST_MB = 5.0, 250.0
MASKS, VOXEL_MM = 200, 2
OURS, LOOP = "lesion-dash", "loop"

NOTES = """\
- **s**: the test alone, patterns and maps of p included, of a cohort that was read before.
- **MB**: the peak of a process above what it held with the cohort read.
- **loop**: for each permutation, the volumes are added up at every tested voxel by
  `numpy.bincount` of all lesions; {looped} permutations measured, the time of {all}
  extrapolated."""


def main() -> None:
    options = parse_options()
    if options.one:
        print(json.dumps(measure(*options.one)))
        return
    masks = 20 if options.quick else MASKS
    with tempfile.TemporaryDirectory() as root:
        folder = options.masks or Cohorts(Path(root), masks).folder(VOXEL_MM, "uint8", masks)
        script = [sys.executable, str(HERE / "bench_size_bias.py"), "--one"]
        turn = [(who, [*script, who, str(folder)]) for who in (OURS, LOOP)]
        costs = {name: median_cost(found) for name, found in repeat(turn, options.runs).items()}
    text = markdown(costs, options.runs)
    if not (options.quick or options.masks):
        (options.results / "results_size_bias.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, help="of a run: who, and the folder of masks")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, medians are shown (3)")
    parser.add_argument("--quick", action="store_true", help="a trial with few masks")
    parser.add_argument("--masks", type=Path, help="masks of your own; nothing is written")
    parser.add_argument("--results", type=Path, default=HERE, help="folder of the table")
    return parser.parse_args()


def measure(who: str, folder: str) -> dict[str, float]:
    """Of one process: seconds, memory, and what was tested."""
    cohort = lesion_dash.load_cohort(folder)
    import scipy.sparse  # noqa: F401  (loaded by both, so that neither pays for it later)

    before = peak()
    began = time.perf_counter()
    told = permute(cohort) if who == OURS else loop(cohort)
    told |= {"seconds": time.perf_counter() - began, "added_mb": peak() - before}
    return told | {"patients": cohort.n_patients}


def permute(cohort: lesion_dash.Cohort) -> dict[str, float]:
    found = permute_volumes(cohort, permutations=PERMUTATIONS)
    return {
        "voxels": found.tested,
        "patterns": found.patterns,
        "significant": found.significant(),
        "single": int(np.count_nonzero(found.p <= 0.05)),
    }


def loop(cohort: lesion_dash.Cohort) -> dict[str, float]:
    generator = np.random.default_rng(0)
    n = np.bincount(cohort.indices, minlength=cohort.grid.size)
    tested = n >= 5
    lesion = np.repeat(np.arange(cohort.n_patients), cohort.volumes)
    counts = np.zeros(int(tested.sum()))
    first = None
    for _ in range(LOOPED):
        volumes = cohort.volumes if first is None else generator.permutation(cohort.volumes)
        means = (np.bincount(cohort.indices, volumes[lesion], cohort.grid.size)[tested]) / n[tested]
        first = means if first is None else first
        counts += means >= first
    return {"voxels": counts.size}


def markdown(costs: dict[str, Cost], runs: int) -> str:
    ours, plain = costs[OURS].told, costs[LOOP].told
    looped = plain["seconds"] * PERMUTATIONS / LOOPED
    targets: list[Target] = [
        at_most(f"{PERMUTATIONS:,} permutations, s", ours["seconds"], MOST_SECONDS),
        at_most("memory, MB", ours["added_mb"], MOST_MB),
    ]
    rows = [
        [OURS, f"{ours['seconds']:.2f}", f"{ours['added_mb']:.0f}"],
        [LOOP, f"{looped:.1f} *e*", f"{plain['added_mb']:.0f}"],
    ]
    said = (
        f"{ours['patients']:,.0f} masks, {ours['voxels']:,.0f} voxels tested (k = 5), in "
        f"{ours['patterns']:,.0f} patterns; p <= 0.05 at {ours['single']:,.0f} voxels, corrected "
        f"at {ours['significant']:,.0f}. Medians of {runs} runs in turn."
    )
    parts = [
        "# Shuffling volumes among patients",
        f"{facts_of_machine()} {said}",
        targets_table(targets),
        table(["who", "s", "MB"], rows),
        NOTES.format(looped=LOOPED, all=f"{PERMUTATIONS:,}"),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
