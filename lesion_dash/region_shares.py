"""How much of a binary map each region of an atlas holds, as arrays in the order of the atlas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .atlas import Atlas, LabelAtlas
from .grid import pieces
from .images import Mask

if TYPE_CHECKING:
    from scipy import sparse

SUM_TOLERANCE = 1e-9
"""Sums of probabilities are rounded in their last bits; above 1 by less than this is 1."""


@dataclass(frozen=True, eq=False)
class RegionShares:
    """What of a binary map lies in each region, and outside all of them.

    Parameters
    ----------
    voxels : array of int64, shape (regions,)
        Voxels of the map where the region's probability is above 0.
    expected : array of float64, shape (regions,)
        Sum of the region's probabilities over the map.
    largest : array of float64, shape (regions,)
        The largest of them, 0 where there is none.
    missed : int
        Voxels of the map where no region is possible.
    left, largest_left : float
        Sum over the map of what the regions leave of 1, and the most they leave at a voxel; where
        probabilities sum to more than 1, they leave nothing.
    notes : tuple of str
        Why the voxels of all regions may be more than those of the map.
    """

    voxels: NDArray[np.int64]
    expected: NDArray[np.float64]
    largest: NDArray[np.float64]
    missed: int
    left: float
    largest_left: float
    notes: tuple[str, ...] = ()


def region_shares(mask: Mask, atlas: Atlas) -> RegionShares:
    """What of a binary map lies in each region of an atlas on the same grid.

    A labelled atlas is counted by its labels, which gives the same as its maps of 1, and sooner.

    Parameters
    ----------
    mask : Mask
    atlas : LabelAtlas or ProbabilityAtlas
        On the map's grid.

    Examples
    --------
    >>> from lesion_dash import load_atlas, load_cohort
    >>> mask = load_cohort("sample_data/cohort_a").at_least(5)
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz").on_grid(mask.grid)
    >>> shares = region_shares(mask, atlas)
    >>> int(shares.voxels.sum()) + shares.missed == mask.voxels
    True
    """
    if isinstance(atlas, LabelAtlas):
        return _shares_of_labels(mask, atlas)
    return shares_of_maps(probabilities_in(mask, atlas))


def _shares_of_labels(mask: Mask, atlas: LabelAtlas) -> RegionShares:
    """Each voxel lies in one region for sure, or in none."""
    counts = np.zeros(len(atlas.regions) + 1, np.int64)
    for piece in pieces(mask.voxels):
        numbers = atlas.numbers[mask.indices[piece]]
        counts += np.bincount(numbers, minlength=counts.size)
    missed, voxels = int(counts[0]), counts[1:]
    largest = (voxels > 0).astype(np.float64)
    return RegionShares(
        voxels, voxels.astype(np.float64), largest, missed, float(missed), float(missed > 0)
    )


def probabilities_in(mask: Mask, atlas: Atlas) -> sparse.csc_array:
    """Those above 0, shape (voxels of the map, regions)."""
    inside = atlas.maps[mask.indices]
    inside.eliminate_zeros()
    return inside


def parts_of(inside: sparse.csc_array) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float64]]]:
    """Of each region, in the order of the atlas: its voxels within the map, and probabilities."""
    for first, last in pairwise(inside.indptr.tolist()):
        yield inside.indices[first:last], inside.data[first:last]


def is_missed(inside: sparse.csc_array) -> NDArray[np.bool_]:
    """Whether no region is possible at a voxel of the map."""
    return np.bincount(inside.indices, minlength=inside.shape[0]) == 0


def shares_of_maps(inside: sparse.csc_array) -> RegionShares:
    """The shares from the probabilities above 0, shape (voxels of the map, regions)."""
    chances = [part for _, part in parts_of(inside)]
    sums = np.asarray(inside.sum(axis=1)).ravel()
    left = np.maximum(1 - sums, 0)
    return RegionShares(
        np.array([part.size for part in chances], np.int64),
        np.array([part.sum() for part in chances], np.float64),
        np.array([part.max(initial=0.0) for part in chances], np.float64),
        int(is_missed(inside).sum()),
        float(left.sum()),
        float(left.max(initial=0.0)),
        _overlap_notes(inside, sums),
    )


def _overlap_notes(inside: sparse.csc_array, sums: NDArray[np.float64]) -> tuple[str, ...]:
    """Say why columns may add up to more than the map."""
    regions = np.bincount(inside.indices)
    if not regions.size or regions.max() < 2:
        return ()
    text = (
        "maps of regions overlap: a voxel counts in each region that is possible there, so the "
        "voxels of all regions are more than those of the map"
    )
    above = int((sums > 1 + SUM_TOLERANCE).sum())
    if not above:
        return (f"{text}; the expected voxels add up to it",)
    return (f"{text}; probabilities add up to more than 1 at {above:,} of its voxels",)
