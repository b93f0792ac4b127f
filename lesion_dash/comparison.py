"""The overlap of two binary maps, voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .images import Mask

FILE_NAME = "overlap_map.nii"


@dataclass(frozen=True, eq=False)
class Overlap:
    """Where two binary maps of one grid agree and where they do not.

    Parameters
    ----------
    a, b : Mask
        The maps that were compared.
    both, either, only_a, only_b : Mask
        Voxels in both maps, in at least one, and in one alone.
    """

    a: Mask
    b: Mask
    both: Mask
    either: Mask
    only_a: Mask
    only_b: Mask

    @property
    def dice(self) -> float:
        """Dice coefficient 2 |A ∩ B| / (|A| + |B|), NaN where both maps are empty."""
        size = self.a.voxels + self.b.voxels
        return 2 * self.both.voxels / size if size else float("nan")


def overlap(a: Mask, b: Mask) -> Overlap:
    """Compare two binary maps voxel by voxel.

    Parameters
    ----------
    a, b : Mask
        On one grid.

    Returns
    -------
    Overlap

    Raises
    ------
    InputError
        Where the grids differ, with the difference in mm.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> a, b = (load_cohort(f"sample_data/cohort_{x}").at_least(5) for x in "ab")
    >>> result = overlap(a, b)
    >>> result.both.voxels + result.only_a.voxels == a.voxels
    True
    """
    if not a.grid.matches(b.grid):
        problem = f"is not on the grid of {a.name}: {b.grid.difference(a.grid)}"
        raise InputError(b.name, problem, "bring both maps onto one grid")
    parts = {
        "both": np.intersect1d(a.indices, b.indices, assume_unique=True),
        "either": np.union1d(a.indices, b.indices),
        "only_a": np.setdiff1d(a.indices, b.indices, assume_unique=True),
        "only_b": np.setdiff1d(b.indices, a.indices, assume_unique=True),
    }
    names = {
        "both": f"overlap of {a.name} and {b.name}",
        "either": f"{a.name} or {b.name}",
        "only_a": f"{a.name} only",
        "only_b": f"{b.name} only",
    }
    return Overlap(a, b, **{key: Mask(a.grid, parts[key], names[key]) for key in parts})
