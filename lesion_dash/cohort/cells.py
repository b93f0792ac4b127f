"""Cells of a participants table: numbers, values, and what is missing."""

from __future__ import annotations

import re
from functools import lru_cache
from math import isfinite

_CACHED_TEXTS = 2**14  # cells, arbitrary: a filter reads the same ones with each of its changes
_MISSING = {"", "n/a", "na", "nan", "none", "null", "missing", "<na>", "nat", "."}
# What Excel shows where it has no value, and in German, which names its errors otherwise.
_MISSING |= {"#n/a", "#value!", "#ref!", "#div/0!", "#num!", "#name?", "#null!"}
_MISSING |= {"#nv", "#wert!", "#bezug!", "#zahl!"}


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value.

    Examples
    --------
    >>> is_missing("n/a"), is_missing(" Missing "), is_missing("0")
    (True, True, False)
    """
    return cell.strip().lower() in _MISSING


@lru_cache(_CACHED_TEXTS)
def number_of(cell: str) -> float | None:
    """The finite number that a cell holds, or None.

    Examples
    --------
    >>> number_of(" 61.5"), number_of("M")
    (61.5, None)
    """
    try:
        number = float(cell)
    except ValueError:
        return None
    # Python reads 1_000 as a thousand; no table means that.
    return number if isfinite(number) and "_" not in cell else None


def value_text(value: object) -> str:
    """A value as a table shows it: 1, 1.0 and ``1`` are one; F and f are two.

    Examples
    --------
    >>> value_text(1.0), value_text("1.50"), value_text(" F ")
    ('1', '1.5', 'F')
    """
    return _text_words(str(value).strip())


@lru_cache(_CACHED_TEXTS)
def _text_words(text: str) -> str:
    if re.fullmatch(r"[+-]?\d{1,300}", text):
        return str(int(text))  # long codes must not lose their last digits
    number = number_of(text)
    if number is None:
        return text
    return str(int(number)) if number.is_integer() else str(number)
