"""Time and memory of a t-test of two conditions, beside plain scipy, on one synthetic series.

The table goes to the terminal and, in a full run, to the end of benchmarks/results.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from math import prod
from pathlib import Path

import nibabel as nib
import numpy as np
from measure import Cost, median_cost, repeat
from report import facts_of_machine, table, targets_table
from sections import CONTRAST, write_contrast
from targets import Target, at_most

HERE = Path(__file__).parent
SHAPE = (40, 64, 64, 864)
TRIAL = (20, 32, 32, 100)
OURS, SCIPY = "lesion-dash", "scipy"

NOTES = """\
- Seconds are those of the test alone: both begin with the values in memory and end with t and p.
- Memory is the peak of a process above what it held after its imports: the values, which it
  reads itself, and all that the test adds.
- scipy: `ttest_ind` of volumes x voxels, the layout it is quickest with."""


def main() -> None:
    options = parse_options()
    shape = TRIAL if options.quick else SHAPE
    with tempfile.TemporaryDirectory() as folder:
        files = make_series(Path(folder), shape)
        maps = {who: Path(folder) / f"{who}.npz" for who in ("ours", "scipy")}
        costs = measure(files, maps, options.runs)
        apart = {key: difference(maps["ours"], maps["scipy"], key) for key in ("t", "p")}
    text = markdown(costs, apart, shape, options.runs)
    if not options.quick:
        write_contrast(text, options.results / "results.md")
    print(f"\n{text}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each, medians are shown (5)")
    parser.add_argument("--quick", action="store_true", help="a trial with a small series")
    parser.add_argument("--results", type=Path, default=HERE, help="folder of results.md")
    return parser.parse_args()


def make_series(folder: Path, shape: tuple[int, ...]) -> tuple[str, str]:
    """A series of noise, and a table with as many volumes of faces as of houses."""
    generator = np.random.default_rng(1)
    array = np.empty(shape, np.int16, order="F")
    for volume in range(shape[3]):
        array[..., volume] = generator.normal(900, 40, shape[:3])
    nib.save(nib.Nifti1Image(array, np.diag([3.5, 3.75, 3.75, 1])), folder / "run_bold.nii")
    names = generator.permutation(["face", "house"] * (shape[3] // 2))
    (folder / "labels.txt").write_text("\n".join(["labels", *names]) + "\n", encoding="utf-8")
    return str(folder / "run_bold.nii"), str(folder / "labels.txt")


def measure(files: tuple[str, str], maps: dict[str, Path], runs: int) -> dict[str, Cost]:
    script = str(HERE / "contrast_run.py")
    turn = [
        (name, [sys.executable, script, who, *files, str(maps[who])])
        for name, who in ((OURS, "ours"), (SCIPY, "scipy"))
    ]
    return {name: median_cost(costs) for name, costs in repeat(turn, runs).items()}


def difference(ours: Path, other: Path, key: str) -> float:
    """Largest difference of two maps."""
    one, two = np.load(ours)[key], np.load(other)[key]
    return float(np.max(np.abs(one - two)))


def markdown(
    costs: dict[str, Cost], apart: dict[str, float], shape: tuple[int, ...], runs: int
) -> str:
    size = prod(shape) * 2 / 1e6
    ours, scipy = (costs[name].told for name in (OURS, SCIPY))
    targets = [
        at_most("seconds of the test / scipy's", ours["test_s"] / scipy["test_s"], 1),
        at_most("memory / that of the values", ours["added_mb"] / size, 2),
        Target(
            "largest difference from scipy's t and p",
            "at most 1e-09",
            f"{max(apart.values()):.1g}",
            max(apart.values()) <= 1e-9,
        ),
    ]
    rows = [
        [name, *(f"{cost.told[key]:.2f}" for key in ("read_s", "test_s")), _memory(cost, size)]
        for name, cost in costs.items()
    ]
    volumes = f"{shape[3]} volumes of {' x '.join(map(str, shape[:3]))} voxels, int16"
    said = f"Two conditions of {shape[3] // 2} volumes each among {volumes} ({size:.0f} MB)"
    parts = [
        CONTRAST,
        f"{facts_of_machine()} {said}; medians of {runs} runs in turn.",
        targets_table(targets),
        table(["who", "reading s", "test s", "memory MB (share of the values)"], rows),
        NOTES,
    ]
    return "\n\n".join(parts) + "\n"


def _memory(cost: Cost, size: float) -> str:
    return f"{cost.told['added_mb']:.0f} ({cost.told['added_mb'] / size:.2f})"


if __name__ == "__main__":
    main()
