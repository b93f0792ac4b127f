"""A place in words, with the name of the space that its coordinates are of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..atlas.places import NamedPlace
from ..core.formats import COORDINATE
from ..core.grid import Grid
from ..images.space import space_of

if TYPE_CHECKING:
    import pandas as pd

Mm = tuple[float, float, float]
"""A place in mm, RAS: x to the right, y to the front, z upwards."""


def place_words(mm: Mm, grid: Grid) -> str:
    """Coordinates to a tenth of a mm; as MNI only where the image states that space.

    Parameters
    ----------
    mm : tuple of float
    grid : Grid
        Of the image that the place is in.

    Examples
    --------
    >>> affine = [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
    >>> place_words((-30.2, 4, 12), Grid((91, 109, 91), affine, 1))
    'MNI −30.2, 4, 12'
    >>> place_words((-30.2, 4, 12), Grid((64, 64, 30), affine, 1))
    '−30.2, 4, 12 mm'
    """
    text = coordinates(mm)
    return f"MNI {text}" if space_of(grid).is_mni else f"{text} mm"


def coordinates(mm: Iterable[float]) -> str:
    """Coordinates to a tenth of a mm, without their unit."""
    return ", ".join(map(COORDINATE.text, mm))


def named_places(table: pd.DataFrame) -> list[str]:
    """The regions of a table of peaks; outside the atlas, how far it is to which.

    Parameters
    ----------
    table : DataFrame
        With the columns region, nearest_region and nearest_mm.
    """
    columns = (table["region"], table["nearest_region"], table["nearest_mm"])
    return [
        NamedPlace(region, nearest_region=nearest, nearest_mm=away).words
        for region, nearest, away in zip(*columns, strict=True)
    ]
