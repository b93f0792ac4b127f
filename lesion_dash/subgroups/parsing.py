"""Conditions as they are written on the command line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from math import inf

from ..cohort import is_missing, number_of
from ..errors import InputError
from .condition import RANGE, SIGNS, Condition

_PARTS = re.compile(r'("(?:[^"]|"")*"\s*|[^=<>!≥≤≠]+)(>=|<=|!=|==?|[><≥≤≠])(.*)', re.DOTALL)
_SAME_SIGNS = {"≥": ">=", "≤": "<=", "≠": "!=", "==": "="}
_FORMS = "write sex=F, sex!=F, group=A,B, age>=60, age=60..80 or nihss=missing"
_SHELL = "in quotes, as a shell takes > and < for itself"


def parse_conditions(conditions: Iterable[str | Condition]) -> tuple[Condition, ...]:
    """Read several conditions, all of which a patient must meet.

    Parameters
    ----------
    conditions : iterable of str or Condition

    Examples
    --------
    >>> [one.words for one in parse_conditions(["sex=F", "age>=60"])]
    ['sex = F', 'age >= 60']
    """
    texts = [conditions] if isinstance(conditions, str) else conditions
    return tuple(one if isinstance(one, Condition) else parse_condition(one) for one in texts)


def parse_condition(text: str) -> Condition:
    """Read a condition on a column of the participants table.

    Parameters
    ----------
    text : str
        ``sex=F``, ``group=A,B`` (either), ``sex!=F``; ``age>=60``, ``age<60``, ``age=60..80``
        (bounds included); ``nihss=missing``, ``nihss!=missing``, ``age>=60,missing`` (those
        whose age is missing too). A value with a comma stands in double quotes.

    Raises
    ------
    InputError
        Where the text is none of these.

    Examples
    --------
    >>> parse_condition("age=60..80").low, parse_condition("sex=M,F").values
    (60.0, ('F', 'M'))
    """
    found = _PARTS.fullmatch(text.strip())
    if not found or not found[1].strip():
        raise InputError(text or "''", "is no condition", f"{_FORMS}, {_SHELL}")
    column, asked = _unquoted(found[1].strip()), found[3].strip()
    sign = _SAME_SIGNS.get(found[2], found[2])
    if asked[:1] and asked[0] in SIGNS:
        raise InputError(text, f"{sign + asked[0]!r} is no sign", _FORMS)
    is_span = RANGE.fullmatch(_split_gap(asked)[0]) is not None
    if is_span and sign == "!=":
        raise InputError(text, "a range cannot be excluded", "ask for what is below or above it")
    if sign != "!=" and (sign != "=" or is_span):
        return _range(text, column, sign, asked)
    values = [value.strip() for value in _split(text, asked)]
    if "" in values:
        raise InputError(text, "a value is empty", "write missing for those without a value")
    present = tuple(value for value in values if not is_missing(value))
    has_gap = len(present) < len(values)
    return Condition(column, present, excludes=sign == "!=", missing=has_gap)


def _unquoted(column: str) -> str:
    """A name that stands in double quotes, as it holds one of the signs."""
    if len(column) > 1 and column[0] == column[-1] == '"':
        return column[1:-1].replace('""', '"')
    return column


def _split(text: str, asked: str) -> list[str]:
    """The values between commas, those in double quotes as they are."""
    try:
        return next(csv.reader([asked], skipinitialspace=True), []) or [""]
    except csv.Error as error:
        raise InputError(text, f"is no condition ({error})", _FORMS) from None


def _split_gap(asked: str) -> tuple[str, bool]:
    """A range without the word ``missing`` behind it, and whether it was there."""
    first, comma, last = asked.rpartition(",")
    return (first, True) if comma and is_missing(last) and last.strip() else (asked, False)


def _range(text: str, column: str, sign: str, asked: str) -> Condition:
    bounds, missing = _split_gap(asked)
    span = RANGE.fullmatch(bounds) if sign == "=" else None
    numbers = [_number(text, part) for part in (span.groups() if span else (bounds,))]
    low, high = (numbers[0], numbers[-1]) if span else (numbers[0], inf)
    if sign[0] == "<":
        low, high = -inf, numbers[0]
    return Condition(column, low=low, high=high, strict=sign in "<>", missing=missing)


def _number(text: str, part: str) -> float:
    number = number_of(part)
    if number is None:
        raise InputError(text, f"{part!r} is no number", _FORMS)
    return number
