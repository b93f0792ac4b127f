"""Whether regions lie on the side that their names say."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from ..label_tables import Region

SWAPPED = "left and right are swapped"


def check_sides(
    grid: Grid, labels: NDArray[np.integer], regions: tuple[Region, ...]
) -> tuple[str, ...]:
    """Compare names that say left or right with the side on which the regions lie.

    Examples
    --------
    >>> grid = Grid((2, 1, 1), [[2, 0, 0, -1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> regions = (Region(1, "Insula_R"), Region(2, "Insula_L"))
    >>> check_sides(grid, np.array([1, 2]).reshape(2, 1, 1), regions)[0]
    'left and right are swapped: 2 of 2 regions lie on the other side than their name says'
    """
    sides = {region.label: side for region in regions if (side := _named_side(region.name))}
    flat = np.ravel(labels, order="F")
    indices = np.flatnonzero(np.isin(flat, list(sides)))
    if not indices.size:
        return ()
    found, place = np.unique(flat[indices], return_inverse=True)
    x = np.bincount(place, weights=grid.mm_of_index(indices)[:, 0]) / np.bincount(place)
    wrong = [
        label for label, mean in zip(found.tolist(), x, strict=True) if sides[label] * mean < 0
    ]
    if len(wrong) > len(found) / 2:
        share = f"{len(wrong)} of {len(found)} regions"
        return (f"{SWAPPED}: {share} lie on the other side than their name says",)
    if wrong:
        return (f"lies on the other side than its name says: label {shorten(wrong)}",)
    return ()


def _named_side(name: str) -> int:
    """-1 where a name says left, 1 where it says right, 0 where it says neither."""
    words = re.split(r"[\s_.\-()\[\],]+", name.lower())
    left = any(word in ("l", "lh", "left") for word in words)
    right = any(word in ("r", "rh", "right") for word in words)
    return int(right) - int(left)


def shorten(labels: list[int]) -> str:
    """The first five of some labels, and how many more there are."""
    return ", ".join(map(str, labels[:5])) + (f" and {len(labels) - 5} more" if labels[5:] else "")
