"""What was dropped is gone: a process does not grow with each cohort and atlas it has looked at."""

from __future__ import annotations

import subprocess
import sys
import weakref

import numpy as np
import pytest
from atlases import probability_atlas
from phantoms import AFFINE, SHAPE

import lesion_dash as ld
from lesion_dash.atlas.formats import Region

GRID = ld.Grid(SHAPE, AFFINE)
FINE = ld.Grid((14, 18, 16), AFFINE @ np.diag([0.5, 0.5, 0.5, 1]))
VALUES = np.random.default_rng(0).random(SHAPE)
MAKE = {
    "labels": lambda: ld.LabelAtlas("a", GRID, VALUES.round().astype(int), (Region(1, "one"),)),
    "probabilities": lambda: probability_atlas([VALUES], GRID, [Region(1, "one")]),
    "map": lambda: ld.Map("a", VALUES, GRID, "", ""),
}


@pytest.mark.parametrize("kind", MAKE)
def test_what_was_resampled_is_kept_with_what_it_was_made_of(kind):
    made = MAKE[kind]()
    brought = made.on_grid(FINE)
    assert made.on_grid(FINE) is brought
    for scale in (0.6, 0.7, 0.8, 0.9):  # only the last few grids are kept
        made.on_grid(ld.Grid(SHAPE, AFFINE @ np.diag([scale, scale, scale, 1])))
    assert made.on_grid(FINE) is not brought
    gone = [weakref.ref(made), weakref.ref(brought)]
    del made, brought
    assert [reference() for reference in gone] == [None, None]


# Takes some 10 s: fewer rounds do not tell a leak from the first fill of the allocator's pools.
ROUNDS = """
import gc, psutil
import lesion_dash as ld

mask, other = (f"sample_data/cohort_a/sub-a0{n}_lesion.nii.gz" for n in (1, 2))
for _ in range(20):
    cohort = ld.load_cohort("sample_data/cohort_a")
    atlas = ld.load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    made = [
        ld.volume_stats(cohort),
        ld.lesion_load(cohort, atlas).table,
        ld.overlap(mask, other),
        ld.count_regions(mask, atlas).table,
        ld.assign_regions(mask, atlas).table,
    ]
    del cohort, atlas, made
    gc.collect()
    print(psutil.Process().memory_info().rss // 2**20)
"""


def test_twenty_rounds_take_no_more_memory_than_three(sample_data):
    command = [sys.executable, "-c", ROUNDS]
    run = subprocess.run(
        command, cwd=sample_data.parent, capture_output=True, text=True, check=True
    )
    megabytes = [int(line) for line in run.stdout.split()]
    assert len(megabytes) == 20
    assert megabytes[-1] < megabytes[2] + 50, megabytes
