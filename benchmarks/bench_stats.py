"""`lesion-dash stats` against the naive stack-and-loop script, whole processes, in one run."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from measure import medians
from synthetic import write_cohort


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masks", type=int, default=200, help="number of masks (200)")
    parser.add_argument("--folder", type=Path, help="measure on these masks instead")
    parser.add_argument("--runs", type=int, default=1, help="runs of each, medians are shown (1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        masks = options.folder or write_cohort(Path(temporary) / "masks", options.masks)
        out = Path(temporary) / "out"
        naive = Path(__file__).with_name("naive.py")
        program = Path(sys.executable).with_name("lesion-dash")
        costs = medians(
            {
                "lesion-dash stats": [
                    str(program),
                    "stats",
                    str(masks),
                    "-o",
                    f"{out}1",
                    "--overwrite",
                ],
                "naive script": [sys.executable, str(naive), str(masks), f"{out}2"],
            },
            options.runs,
        )
    count = sum(1 for _ in masks.iterdir()) if masks.exists() else options.masks
    print(f"{count} masks, whole processes")
    for name, cost in costs.items():
        print(f"{name:18} {cost.wall:8.2f} s wall {cost.cpu:8.2f} s cpu {cost.peak:8.0f} MB peak")
    ours, theirs = costs.values()
    time, memory = theirs.wall / ours.wall, theirs.peak / ours.peak
    print(f"naive / ours: {time:.1f} in time, {memory:.1f} in memory")


if __name__ == "__main__":
    main()
