"""Atlases whose regions lie on another side than their names say: marked until that is accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from .atlas import Atlas
from .formats import Region
from .grouping import check_map_sides
from .levels import DOUBTFUL, SWAPPED, hemisphere_of

AnyAtlas = TypeVar("AnyAtlas", bound=Atlas)

REMEDY = (
    "names are marked; look at some regions, then either mirror the atlas (--mirror-atlas, in "
    "Python atlas.mirrored()) or use its names as they are (--accept-swapped)"
)

_MARKS = {SWAPPED: " (side doubtful)", DOUBTFUL: " (name doubtful)"}


def side_doubt(atlas: Atlas) -> str:
    """The note that left and right are swapped, or names doubtful; nothing where there is none."""
    return next((note for note in atlas.notes if note.startswith((SWAPPED, DOUBTFUL))), "")


def mark_doubtful(atlas: AnyAtlas) -> AnyAtlas:
    """The atlas with its doubtful names marked.

    Where left and right are swapped, names that say a side are; where rows of the table may be
    shifted, all names are. An atlas without doubts, or marked already, stays as it is.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> swapped = atlas.mirrored().replaced(notes=("left and right are swapped: 62 of 62 ...",))
    >>> mark_doubtful(swapped).regions[0].name
    'Synthetic frontal 1 L (side doubtful)'
    >>> mark_doubtful(atlas) is atlas
    True
    """
    doubt = side_doubt(atlas)
    mark = next((own for kind, own in _MARKS.items() if doubt.startswith(kind)), "")
    if not mark or is_marked(atlas):
        return atlas
    is_all = doubt.startswith(DOUBTFUL)
    regions = tuple(
        _marked(region, mark) if is_all or hemisphere_of(region) else region
        for region in atlas.regions
    )
    return atlas.replaced(regions=regions)


def settle_sides(
    atlas: AnyAtlas, *, is_mirrored: bool = False, is_accepted: bool = False
) -> AnyAtlas:
    """The atlas as somebody wants it; doubtful names are marked unless they are accepted.

    Parameters
    ----------
    atlas : Atlas
    is_mirrored : bool
        Exchange left and right, and compare names and sides anew.
    is_accepted : bool
        Use the names as they are.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> settle_sides(atlas, is_mirrored=True).regions[0].name
    'Synthetic frontal 1 L (side doubtful)'
    """
    if is_mirrored:
        atlas = atlas.mirrored()
        notes = check_map_sides(atlas.grid, atlas.maps, atlas.regions)
        atlas = atlas.replaced(notes=(*atlas.notes, *notes))
    return atlas if is_accepted else mark_doubtful(atlas)


def unmarked(name: str) -> str:
    """A region's name as its table has it.

    Examples
    --------
    >>> unmarked("Synthetic insula L (side doubtful)")
    'Synthetic insula L'
    """
    for mark in _MARKS.values():
        name = name.removesuffix(mark)
    return name


def is_marked(atlas: Atlas) -> bool:
    """Whether names are marked."""
    return any(region.name.endswith(tuple(_MARKS.values())) for region in atlas.regions)


def _marked(region: Region, mark: str) -> Region:
    """The full name is marked as well, where it says more than the name."""
    full_name = region.extra.get("full_name")
    more = {"full_name": full_name + mark} if full_name and mark == _MARKS[DOUBTFUL] else {}
    return replace(region, name=region.name + mark, extra=region.extra | more)
