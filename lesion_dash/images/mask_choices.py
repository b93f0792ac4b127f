"""How a user says which voxels of an image are the lesion: a label, several, or a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..core.errors import InputError

ThresholdChoice = float | str | None
"""From which probability on: a share up to 1, or as text a percentage such as ``50%``."""

LabelChoice = int | Sequence[int] | str | None
"""Which labels make the mask: one, several as numbers or as the text ``1,4``, or ``any``."""

ANY = "any"
"""Every label: all voxels above 0."""


def parse_threshold(given: ThresholdChoice) -> ThresholdChoice:
    """A share as a number, a percentage as text.

    Raises
    ------
    InputError
        Where it is neither, or lies outside its scale.

    Examples
    --------
    >>> parse_threshold("0.5"), parse_threshold("50 %"), parse_threshold("62.50%")
    (0.5, '50%', '62.5%')
    """
    if given is None:
        return None
    text = str(given).strip()
    number, largest = text.removesuffix("%").strip(), 100 if text.endswith("%") else 1
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 < value <= largest:
        problem = f"{given} is not between 0 and {largest}"
        raise InputError("threshold", problem, "give a share such as 0.5, or of percent 50%")
    return value if largest == 1 else f"{value:g}%"


def parse_label(given: LabelChoice) -> int | tuple[int, ...] | str | None:
    """One label, several in ascending order, ``any``, or None.

    Raises
    ------
    InputError
        Where it is none of these, or names the background.

    Examples
    --------
    >>> parse_label("4, 1"), parse_label("Any"), parse_label((2,))
    ((1, 4), 'any', 2)
    """
    remedy = "give a label such as 4, several such as 1,4, or any for every voxel above 0"
    if given is None or (isinstance(given, str) and given.strip().lower() == ANY):
        return None if given is None else ANY
    parts = given.split(",") if isinstance(given, str) else given
    try:
        # 1.5 is not a label, and neither is True.
        texts = [str(part).strip() for part in (parts if isinstance(parts, Iterable) else [parts])]
        labels = sorted({int(text) for text in texts})
    except ValueError:
        raise InputError("label", f"{given!r} is not a label", remedy) from None
    if not labels or labels[0] < 1:
        problem = f"{labels[0]} is background" if labels else "names none"
        raise InputError("label", problem, remedy)
    return labels[0] if len(labels) == 1 else tuple(labels)


def label_text(given: LabelChoice) -> int | str | None:
    """One label as a number, several as the text of a command line.

    Examples
    --------
    >>> label_text([4, 1]), label_text("4"), label_text("any")
    ('1,4', 4, 'any')
    """
    label = parse_label(given)
    return ",".join(map(str, label)) if isinstance(label, tuple) else label
