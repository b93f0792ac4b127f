"""The overlap of two binary maps, voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.field_of_view import fields_of_view
from ..images.masks import Mask, MaskLike, as_mask
from ..images.space import compare_spaces

FILE_NAME = "overlap_map.nii"


@dataclass(frozen=True, eq=False)
class Overlap:
    """Where two binary maps of one grid agree and where they do not.

    Parameters
    ----------
    a, b : Mask
        The maps that were compared, on one grid that holds both fields of view.
    both, either, only_a, only_b : Mask
        Voxels in both maps, in at least one, and in one alone.
    notes : tuple of str
        How many voxels of one lie where the other has no data, and whether both state one space.

    Examples
    --------
    >>> from lesion_dash import load_cohort, overlap
    >>> a, b = (load_cohort(f"sample_data/cohort_{side}").at_least(5) for side in "ab")
    >>> result = overlap(a, b)
    >>> result.both.voxels, result.only_a.voxels, result.only_b.voxels, round(result.dice, 2)
    (5000, 7726, 1896, 0.51)
    """

    a: Mask
    b: Mask
    both: Mask
    either: Mask
    only_a: Mask
    only_b: Mask
    notes: tuple[str, ...] = ()

    @property
    def dice(self) -> float:
        r"""Dice coefficient 2 \|A ∩ B\| / (\|A\| + \|B\|), NaN where both maps are empty."""
        size = self.a.voxels + self.b.voxels
        return 2 * self.both.voxels / size if size else float("nan")


def overlap(a: MaskLike, b: MaskLike) -> Overlap:
    """Compare two binary maps voxel by voxel.

    Parameters
    ----------
    a, b : Mask, path or nibabel image
        On one grid, or on grids whose voxels coincide: B is then reoriented exactly to A's axes,
        and a note of the result's `b` says so. Where one field of view reaches beyond the other,
        the result lies on a grid that holds both, and a note counts the voxels there.

    Returns
    -------
    Overlap

    Raises
    ------
    InputError
        Where voxels of the two grids do not coincide, with the difference in mm, or the fields of
        view have no place in common.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> a, b = (load_cohort(f"sample_data/cohort_{x}").at_least(5) for x in "ab")
    >>> result = overlap(a, b)
    >>> result.both.voxels + result.only_a.voxels == a.voxels
    True
    """
    a, b = as_mask(a), as_mask(b)
    notes = compare_spaces("A", a.grid, "B", b.grid)
    fields = fields_of_view(a.grid, b.grid, b.name)
    a, b = a.on_grid(fields.grid), b.on_grid(fields.grid)
    notes += fields.notes(a.indices, b.indices)
    membership = np.zeros(
        a.grid.size, np.uint8
    )  # 1: in A, 2: in B; sorting voxels takes far longer
    membership[a.indices] = 1
    membership[b.indices] += 2

    def part(chosen: NDArray[np.bool_], name: str) -> Mask:
        return Mask(a.grid, np.flatnonzero(chosen).astype(np.int32), name)

    return Overlap(
        a,
        b,
        both=part(membership == 3, f"overlap of {a.name} and {b.name}"),
        either=part(membership > 0, f"{a.name} or {b.name}"),
        only_a=part(membership == 1, f"{a.name} only"),
        only_b=part(membership == 2, f"{b.name} only"),
        notes=notes,
    )
