"""Speed and memory of `lesion-dash stats`, beside a floor, a nibabel loop and a naive script.

Everything is measured in one run, on synthetic masks. The tables go to the terminal and, in a
full run, to benchmarks/results.md with the picture results.png.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cohorts import Cohorts
from contest import HERE, PROGRAM, Contest
from measure import Cost, median_cost, repeat, run
from plan import FULL, KINDS, TRIAL, Plan
from plot import draw
from report import markdown, memory_table, stages_table
from sections import write_stats
from targets import memory_targets, start_targets, stats_targets


def main() -> None:
    options = parse_options()
    began = time.perf_counter()
    plan = TRIAL if options.quick else FULL
    with kept_folder(options.keep) as root, tempfile.TemporaryDirectory() as out:
        cohorts = Cohorts(root, plan.many)
        text = measure_all(plan, cohorts, Path(out), options)
    print(f"\n{text}\n{(time.perf_counter() - began) / 60:.1f} minutes in all")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each, medians are shown (3)")
    parser.add_argument("--keep", type=Path, help="keep the masks here, and use them again")
    parser.add_argument("--stages", action="store_true", help="measure the stages of our own too")
    parser.add_argument("--quick", action="store_true", help="a trial with small cohorts")
    parser.add_argument(
        "--results",
        type=Path,
        help="folder for results.md and results.png (that of this script; none in a trial)",
    )
    options = parser.parse_args()
    if options.results is None and not options.quick:
        options.results = HERE
    return options


@contextmanager
def kept_folder(keep: Path | None) -> Iterator[Path]:
    """The folder of the masks: one that is kept, or one that vanishes."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def measure_all(plan: Plan, cohorts: Cohorts, out: Path, options: argparse.Namespace) -> str:
    """Measure everything, write the results where they are wanted, return the tables."""
    # The contest, which takes longest, comes last: a fault elsewhere is seen at once.
    starts = measure_starts(max(options.runs, 5))
    memory = measure_memory(plan, cohorts)
    stages = measure_stages(plan, cohorts, out) if options.stages else {}
    findings = Contest(plan, cohorts, out, options.runs).findings()
    targets = stats_targets(findings, plan) + memory_targets(memory.told) + start_targets(starts)
    text = markdown(findings, plan, options.runs, targets)
    text += f"\n## From memory\n\n{memory_table(memory.told)}\n"
    if stages:
        text += f"\n## Stages\n\n{stages_table(stages)}\n"
    if options.quick:
        text = "A trial: the targets are meant for the full benchmark.\n\n" + text
    if options.results:
        write_stats(text, options.results / "results.md")
        draw(findings, options.results / "results.png")
    return text


def measure_memory(plan: Plan, cohorts: Cohorts) -> Cost:
    """Another threshold and the patients at a voxel, from memory."""
    print(f"  from memory, {plan.in_memory:,} patients", flush=True)
    folder = cohorts.real_size(plan.in_memory)
    return run([sys.executable, str(HERE / "in_memory.py"), str(folder)])


def measure_starts(runs: int) -> dict[str, Cost]:
    """The program that does nothing, and the package that is imported."""
    turn = [
        ("lesion-dash --help", [str(PROGRAM), "--help"]),
        ("import lesion_dash", [sys.executable, "-c", "import lesion_dash"]),
    ]
    return {name: median_cost(costs) for name, costs in repeat(turn, runs).items()}


def measure_stages(plan: Plan, cohorts: Cohorts, out: Path) -> dict[tuple[int, str, int], Cost]:
    """Our own stages, for every kind of cohort."""
    costs = {}
    for voxel_mm, dtype in KINDS:
        case = (voxel_mm, dtype, plan.many)
        print(f"  stages, {voxel_mm} mm, {dtype}", flush=True)
        script = str(HERE / "stages.py")
        folder = str(cohorts.folder(*case))
        costs[case] = run([sys.executable, script, folder, str(out / "stages")])
    return costs


if __name__ == "__main__":
    main()
