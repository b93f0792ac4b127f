"""Cells that tell only on which side of a bound a number lies, such as ``89+`` or ``<18``.

De-identified tables have them: whoever is older than 89 is ``89+``. So do laboratory values
below what can be measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from ..cohort import number_of

_NUMBER = r"[-+]?[\d.]+(?:[eE][-+]?\d+)?"
_SIGNED = re.compile(rf"(>=|<=|>|<|≥|≤)\s*({_NUMBER})")
_ENDED = re.compile(rf"({_NUMBER})\s*\+")


@dataclass(frozen=True)
class OpenValue:
    """A number that is not known, but on which side of a bound it lies.

    Parameters
    ----------
    bound : float
        In the unit of the column.
    above : bool
        The number lies above the bound; otherwise below.
    strict : bool
        The number is not the bound itself.
    """

    bound: float
    above: bool
    strict: bool = False

    @property
    def words(self) -> str:
        """What is known, such as ``at least 89``."""
        words = {
            (True, False): "at least",
            (True, True): "more than",
            (False, False): "at most",
            (False, True): "less than",
        }
        return f"{words[self.above, self.strict]} {self.bound:g}"

    def lies_within(self, low: float, high: float, strict: bool = False) -> bool | None:
        """Whether the number lies within a range, or None where it may and may not.

        Parameters
        ----------
        low, high : float
            The range, bounds included; infinite where it has no bound there.
        strict : bool
            The bound of the range is not included.

        Examples
        --------
        >>> found = open_value("89+")
        >>> found.lies_within(60, inf), found.lies_within(20, 40), found.lies_within(92, inf)
        (True, False, None)
        """
        near, far, bound = low, high, self.bound
        if not self.above:  # the same question, seen in a mirror
            near, far, bound = -high, -low, -self.bound
        if bound > far or (bound == far and (self.strict or strict)):
            return False
        is_safe = bound > near or (bound == near and (self.strict or not strict))
        return True if is_safe and far == inf else None


def open_value(cell: str) -> OpenValue | None:
    """What a cell such as ``89+``, ``>89``, ``>=90`` or ``<18`` tells; None where it is no such.

    Examples
    --------
    >>> open_value("89+").words, open_value("< 18").words
    ('at least 89', 'less than 18')
    >>> open_value("89") is None
    True
    """
    text = cell.strip()
    signed, ended = _SIGNED.fullmatch(text), _ENDED.fullmatch(text)
    if signed:
        bound, sign = number_of(signed[2]), signed[1]
        return None if bound is None else OpenValue(bound, sign in (">", ">=", "≥"), sign in "<>")
    bound = number_of(ended[1]) if ended else None
    return None if bound is None else OpenValue(bound, above=True)


def holds_numbers(cells: Iterable[str]) -> bool:
    """Whether the cells that are not empty are numbers, or open at a bound.

    One of them at least must be a number. A plus behind a number is a top code only where there
    is one such value and no number above it: the grades 1+, 2+, 3+ are categories.

    Examples
    --------
    >>> holds_numbers(["61", "", "89+"]), holds_numbers(["0", "1+", "2+"])
    (True, False)
    """
    present = {cell for cell in cells if cell}
    numbers = {cell: number_of(cell) for cell in present}
    exact = [number for number in numbers.values() if number is not None]
    others = [open_value(cell) for cell, number in numbers.items() if number is None]
    ended = {cell for cell in present if cell.endswith("+")}
    if not exact or any(one is None for one in others):
        return False
    tops = {one.bound for cell in ended if (one := open_value(cell)) is not None}
    return not tops or (len(tops) == 1 and max(exact) <= min(tops))


def place_of(value: str) -> tuple[float, int]:
    """Where a value stands among numbers in rising order: ``<18`` before 18, ``18+`` behind it.

    Raises
    ------
    ValueError
        Where the value is no number, and not open at a bound.
    """
    found = open_value(value)
    return (float(value), 0) if found is None else (found.bound, 1 if found.above else -1)
