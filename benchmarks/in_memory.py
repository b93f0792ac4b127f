"""What the dashboard does with a cohort in memory: another threshold, the patients at a voxel.

Usage: in_memory.py FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np

from lesion_dash.cohort.cohort import Cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.stats.topography import volume_stats

THRESHOLDS = (1, 2, 3, 4, 6, 8, 10, 15, 20)
POINTS = 200
ROUNDS = 5


def main(folder: str) -> None:
    """Print milliseconds: of the first statistics, and the median and slowest of later ones.

    Slowest is the slowest threshold, or point, and not the slowest moment of the machine.
    """
    cohort = load_cohort(folder)
    first = milliseconds(partial(make_maps, cohort, 5))
    maps = typical([partial(make_maps, cohort, k) for k in THRESHOLDS])
    generator = np.random.default_rng(1)
    voxels = generator.uniform(0.2, 0.8, (POINTS, 3)) * cohort.grid.shape
    points = voxels @ cohort.grid.affine[:3, :3].T + cohort.grid.affine[:3, 3]
    asked = typical([partial(cohort.patients_at, point) for point in points])
    told = {
        "patients": cohort.n_patients,
        "first_ms": first,
        "maps_ms": median(maps),
        "maps_slowest_ms": max(maps),
        "patients_at_ms": median(asked),
        "patients_at_slowest_ms": max(asked),
    }
    print(json.dumps(told))


def make_maps(cohort: Cohort, min_patients: int) -> None:
    """All four maps at one threshold."""
    stats = volume_stats(cohort, min_patients)
    for name in ("n", "mean", "std", "median"):
        getattr(stats, name)


def typical(works: list[Callable[[], object]]) -> list[float]:
    """Median milliseconds of each, all in turn so that no two that follow are the same."""
    rounds = [[milliseconds(work) for work in works] for _ in range(ROUNDS)]
    return [median(times) for times in zip(*rounds, strict=True)]


def milliseconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main(sys.argv[1])
