"""What each stage of `lesion-dash stats` takes, one after the other in one process.

Reading and scanning run in one thread here, so the stages add up to more than the program takes.

Usage: stages.py FOLDER OUT
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lesion_dash.core.runs import run_store
from lesion_dash.files.listing import list_images
from lesion_dash.files.writing import write_atomically
from lesion_dash.images.maps import nifti_bytes
from lesion_dash.images.masks import Lesion, find_lesion
from lesion_dash.images.reading import read_raw_image
from lesion_dash.stats.topography import FILE_NAMES, FolderStats, fill_maps
from lesion_dash.stats.voxel_volumes import voxel_volumes

MIN_PATIENTS = 5


def main(folder: str, out: str) -> None:
    """Print the seconds of each stage."""
    clock = Clock()
    paths = list_images(folder).images
    with run_store() as store:
        for path in paths:
            lesion = read(path, clock)
            with clock.stage("reduce"):
                store.add(lesion.starts, lesion.lengths)
        with clock.stage("reduce"):
            parts = list(voxel_volumes(lesion.grid, store, MIN_PATIENTS))
    with clock.stage("maps"):
        write(fill_maps(lesion.grid, len(paths), parts, MIN_PATIENTS), out)
    print(json.dumps(clock.seconds))


class Clock:
    """Adds up the seconds of stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time within to a stage."""
        began = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - began


def read(path: Path, clock: Clock) -> Lesion:
    """Read one file and find its lesion."""
    with clock.stage("read"):
        stored = read_raw_image(path)
    with clock.stage("scan"):
        return find_lesion(stored)


def write(stats: FolderStats, out: str) -> None:
    """Make the four maps and write them."""
    with write_atomically(out, [*FILE_NAMES.values()], True) as writer:
        for name, image in stats.files.items():
            writer.add(name, nifti_bytes(image.to_nifti()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
