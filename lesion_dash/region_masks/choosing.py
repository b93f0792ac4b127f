"""One region, chosen among several by its name or number."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from ..errors import InputError
from ..label_tables import Region

_MOST_NAMED = 12


def pick_region(subject: object, regions: Sequence[Region], label: str | int | None) -> int:
    """Find a region by its number or its name; capitals do not matter.

    Parameters
    ----------
    subject : str or path
        The map, for messages.
    regions : sequence of Region
    label : str, int or None
        A number, also as text, or a name.

    Returns
    -------
    int
        Its place among the regions.

    Raises
    ------
    InputError
        Where none or several are called so, or nothing was chosen; it lists what there is.

    Examples
    --------
    >>> eye = (Region(1, "lens"), Region(2, "globe"))
    >>> pick_region("eye.nii", eye, "Globe"), pick_region("eye.nii", eye, "2")
    (1, 1)
    """
    if label is None:
        problem = f"holds {len(regions)} regions, and a threshold would not tell them apart"
        raise InputError(subject, problem, f"choose one with --label: {list_regions(regions)}")
    text = str(label).strip()
    numbered = [place for place, region in enumerate(regions) if str(region.label) == text]
    named = [
        place for place, region in enumerate(regions) if region.name.casefold() == text.casefold()
    ]
    found = numbered or named
    if len(found) > 1:
        numbers = ", ".join(str(regions[place].label) for place in found)
        problem = f"{len(found)} regions are called {text!r}"
        raise InputError(subject, problem, f"choose one by its number: {numbers}")
    if not found:
        raise InputError(subject, f"has no region {text!r}", _suggest(regions, text))
    return found[0]


def _suggest(regions: Sequence[Region], text: str) -> str:
    names = {region.name.casefold(): region for region in regions}
    close = get_close_matches(text.casefold(), names, n=5, cutoff=0.5)
    parts = [name for name in names if text.casefold() in name and name not in close]
    likely = [names[name] for name in [*close, *parts]]
    return (
        f"did you mean {list_regions(likely)}?" if likely else f"choose of {list_regions(regions)}"
    )


def list_regions(regions: Sequence[Region]) -> str:
    """Numbers with names, as far as they fit a sentence.

    Examples
    --------
    >>> list_regions([Region(1, "lens"), Region(2, "label 2")])
    '1 (lens), 2'
    """
    shown = [
        str(region.label)
        if region.name in ("", f"label {region.label}")
        else f"{region.label} ({region.name})"
        for region in regions[:_MOST_NAMED]
    ]
    more = len(regions) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
