"""How many masks are measured, in the full benchmark and in a trial."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Numbers of masks.

    Parameters
    ----------
    start : int
        So few that their time is the fixed start.
    few, many : int
        Of every voxel size and type.
    most : int
        Of 1 mm and uint8 only, to see the growth; all but `many` of them are hard links.
    naive : dict of int
        By voxel size in mm: as many as the naive script is given. It keeps 16 bytes a voxel,
        116 MB a mask of 1 mm.
    nibabel : int
        As many as the nibabel loop is given.
    in_memory : int
        Of real size, for what the dashboard does from memory.
    """

    start: int
    few: int
    many: int
    most: int
    naive: dict[int, int]
    nibabel: int
    in_memory: int

    def counts(self, voxel_mm: int, dtype: str) -> list[int]:
        """Numbers of masks of a cohort's kind that are compared."""
        grows = (voxel_mm, dtype) == REFERENCE
        return [self.few, self.many, self.most] if grows else [self.few, self.many]


REFERENCE = (1, "uint8")
"""Voxel size and type of the cohorts that the targets are about."""

KINDS = ((1, "uint8"), (1, "float32"), (2, "uint8"), (2, "float32"))
FULL = Plan(5, 200, 2000, 20_000, {1: 40, 2: 200}, 200, 1449)
TRIAL = Plan(5, 20, 60, 200, {1: 10, 2: 20}, 20, 60)
