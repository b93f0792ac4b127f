"""The folders of synthetic masks: each kind is written once, and its parts are hard links."""

from __future__ import annotations

import os
from pathlib import Path

from synthetic import mask_name, write_cohort

REAL_SHAPE = (157, 189, 136)


class Cohorts:
    """Cohorts below one folder; what is there already is used again.

    Parameters
    ----------
    root : Path
    written : int
        Masks of a kind that are files of their own. A larger cohort repeats them.
    """

    def __init__(self, root: Path, written: int) -> None:
        self.root = root
        self.written = written

    def folder(self, voxel_mm: int, dtype: str, masks: int) -> Path:
        """The folder of the first masks of a kind."""
        source = self.root / f"{voxel_mm}mm_{dtype}_{self.written}"
        if not source.is_dir():
            print(f"  writing {self.written} masks of {voxel_mm} mm, {dtype}", flush=True)
        write_cohort(source, self.written, voxel_mm, dtype)
        if masks == self.written:
            return source
        part = self.root / f"{voxel_mm}mm_{dtype}_{masks}_of_{self.written}"
        part.mkdir(exist_ok=True)
        there = {path.name for path in part.iterdir()}
        for number in range(masks):
            if mask_name(number) not in there:
                os.link(source / mask_name(number % self.written), part / mask_name(number))
        return part

    def real_size(self, masks: int) -> Path:
        """A cohort on a grid of real data."""
        return write_cohort(self.root / f"real_{masks}", masks, shape=REAL_SHAPE)
