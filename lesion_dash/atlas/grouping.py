"""Sides of regions checked against their names; regions put together by a level."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.grid import Grid
from . import levels
from .atlas import Atlas
from .formats import Region
from .levels import GROUPINGS, By, group_names, hemisphere_of, named_side

if TYPE_CHECKING:
    from scipy import sparse


SWAPPED, DOUBTFUL = levels.SWAPPED, levels.DOUBTFUL
_DOUBT = 0.25
"""Part of the regions on the wrong side from which all names are doubtful; arbitrary.

A few names of an atlas are wrong, or its regions lie at the midline; a table whose rows are shifted
has them on the wrong side for half of its regions.
"""


def check_sides(
    grid: Grid, labels: NDArray[np.integer], regions: tuple[Region, ...]
) -> tuple[str, ...]:
    """Compare names that say left or right with the side on which the regions lie.

    Examples
    --------
    >>> grid = Grid((2, 1, 1), [[2, 0, 0, -1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> regions = (Region(1, "Insula_R"), Region(2, "Insula_L"))
    >>> check_sides(grid, np.array([1, 2]).reshape(2, 1, 1), regions)[0]
    'left and right are swapped: 2 of 2 regions lie on the side opposite to their name'
    """
    sides = _sides_of(regions)
    flat = np.ravel(labels, order="F")
    indices = np.flatnonzero(np.isin(flat, list(sides)))
    if not indices.size:
        return ()
    present, position = np.unique(flat[indices], return_inverse=True)
    x = np.bincount(position, weights=grid.mm_of_index(indices)[:, 0]) / np.bincount(position)
    return _compare(sides, dict(zip(present.tolist(), x.tolist(), strict=True)))


def check_map_sides(
    grid: Grid, maps: sparse.csc_array, regions: tuple[Region, ...]
) -> tuple[str, ...]:
    """The same for maps of probabilities, by the mean place of each, weighted by probability."""
    sides, places = _sides_of(regions), {}
    for region, (first, last) in zip(regions, pairwise(maps.indptr.tolist()), strict=True):
        if region.label in sides and last > first:
            x = grid.mm_of_index(maps.indices[first:last])[:, 0]
            places[region.label] = float(np.average(x, weights=maps.data[first:last]))
    return _compare(sides, places)


def _sides_of(regions: tuple[Region, ...]) -> dict[int, int]:
    """-1 for the label of a left region, 1 for that of a right one.

    The name comes first: where it contradicts the table's own column, it is what people read.
    """
    signs = {"left": -1, "right": 1, "": 0}
    sides = {
        region.label: named_side(region.name) or signs[hemisphere_of(region)] for region in regions
    }
    return {label: side for label, side in sides.items() if side}


def _compare(sides: dict[int, int], places: dict[int, float]) -> tuple[str, ...]:
    wrong = [label for label, x in places.items() if sides[label] * x < 0]
    if len(wrong) > len(places) / 2:
        share = f"{len(wrong)} of {len(places)} regions"
        return (f"{SWAPPED}: {share} lie on the side opposite to their name",)
    if wrong and len(wrong) >= _DOUBT * len(places):
        share = f"{len(wrong)} of {len(places)} regions, label {shorten(wrong)},"
        return (f"{DOUBTFUL}: {share} lie on the side opposite to their name",)
    if wrong:
        return (f"lies on the side opposite to its name: label {shorten(wrong)}",)
    return ()


def shorten(labels: list[int]) -> str:
    """The first five of some labels, and how many more there are."""
    return ", ".join(map(str, labels[:5])) + (f" and {len(labels) - 5} more" if labels[5:] else "")


# Regions put together by what they are part of.


AnyAtlas = TypeVar("AnyAtlas", bound=Atlas)


def group_regions(atlas: AnyAtlas, by: By) -> AnyAtlas:
    """Put the regions of an atlas together by a level of theirs, such as the lobe.

    Parameters
    ----------
    atlas : Atlas
    by : {"lobe", "gyrus", "hemisphere", "system", "parent"}
        See `levels.Levels` and `parent_of`.

    Returns
    -------
    Atlas
        Of the same kind and grid. Groups are numbered from 1 in the order in which the regions
        name them; regions that name none are the last groups. The probability of a group is the
        sum of those of its regions, 1 at most.

    Raises
    ------
    InputError
        Where no region has this level.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> [region.name for region in group_regions(atlas, "hemisphere").regions]
    ['left', 'right']
    """
    if by not in GROUPINGS:
        remedy = f"give {', '.join(GROUPINGS[:-1])} or {GROUPINGS[-1]}"
        raise InputError("by", f"{by!r} cannot group regions", remedy)
    groups = group_names(atlas.regions, by)
    if not any(groups):
        remedy = f"give a label table with a column {by}"
        raise InputError(atlas.name, f"no region has a {by}", remedy)
    names = sorted(dict.fromkeys(groups), key=lambda name: name.startswith(f"no {by} given"))
    numbers = {name: number for number, name in enumerate(names, start=1)}
    regions = tuple(Region(number, name) for name, number in numbers.items())
    return atlas.grouped(f"{atlas.name} by {by}", regions, [numbers[name] for name in groups])
