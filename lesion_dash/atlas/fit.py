"""Whether a label table is that of an image: a wrong one gives wrong names without an error."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from ..files import AnyPath
from .sides import SWAPPED

_FEWEST = 0.5
"""Share of the image's labels that a table must name; below it, it is that of another atlas."""

_MOST = 0.9
"""Share of the image's labels, and of the table's, below which one asks."""

_QUESTION = "is it the table of this atlas?"


def check_fit(table: AnyPath, labels: int, rows: int, both: int) -> tuple[str, ...]:
    """Compare how many labels an image has with how many a table names.

    The same holds for a table that was given and for one that was found beside the image: names
    that belong to another atlas are no better for having been found.

    Parameters
    ----------
    table : Path or UrlPath
    labels, rows : int
        Of the image, or its volumes; of the table, without the background.
    both : int
        Labels of the image that the table names.

    Returns
    -------
    tuple of str
        A question where either leaves out more than a tenth of the other.

    Raises
    ------
    InputError
        Where fewer than half of the image's labels have a name.

    Examples
    --------
    >>> from pathlib import Path
    >>> check_fit(Path("aal.txt"), 62, 32, 32)
    ("the table names 32 of the image's 62 labels: is it the table of this atlas?",)
    """
    if both < _FEWEST * labels:
        problem = f"names {both:,} of the image's {labels:,} labels: it is another atlas's table"
        remedy = "give the table of this atlas with --labels, or take this one from beside it"
        raise InputError(table, problem, remedy)
    said = []
    if both < _MOST * labels:
        said.append(f"the table names {both:,} of the image's {labels:,} labels")
    if both < _MOST * rows:
        said.append(f"the image has {both:,} of the table's {rows:,} labels")
    return (f"{' and '.join(said)}: {_QUESTION}",) if said else ()


def check_is_atlas(image: AnyPath, labels: int) -> None:
    """Refuse an image of one label without a table: a mask that was taken for an atlas."""
    if labels == 1:
        problem = "holds a single label and has no label table: it is a mask, not an atlas"
        remedy = "give an atlas; where one region is meant, give its label table with --labels"
        raise InputError(image, problem, remedy)


def doubts(notes: Sequence[str]) -> tuple[str, ...]:
    """The notes on an atlas that make all its names doubtful, to be said before any result."""
    return tuple(note for note in notes if note.endswith(_QUESTION) or note.startswith(SWAPPED))
