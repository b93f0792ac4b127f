"""Search for regions by any level of their names."""

from __future__ import annotations

from dataclasses import astuple

from .atlas import Atlas
from .formats import Region
from .levels import levels_of, parent_of


def find_regions(atlas: Atlas, text: str) -> tuple[Region, ...]:
    """The regions of which some level, the name included, holds each word of a text.

    Parameters
    ----------
    atlas : Atlas
    text : str
        Upper and lower case are alike, and so are blanks and underscores.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> [region.name for region in find_regions(atlas, "left frontal 1")]
    ['Synthetic frontal 1 L']
    """
    words = text.replace("_", " ").casefold().split()
    if not words:
        return ()
    return tuple(region for region in atlas.regions if _holds(region, words))


def _holds(region: Region, words: list[str]) -> bool:
    texts = (region.name, parent_of(region), *astuple(levels_of(region)))
    whole = "\n".join(texts).replace("_", " ").casefold()
    return all(word in whole for word in words)
