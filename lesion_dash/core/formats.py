"""How a quantity is written for a reader: its decimals, its signs, and what is too small to show.

One format per quantity, used by tables, readouts and notes alike. The tables of the dashboard write
numbers in the browser, by the same rules (`dashboard/widgets/table.js`), so that a volume is the
same text wherever it stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

MISSING = "–"
_EXACT = 1e-9
"""Share of a number by which it may differ from the one that is shown and still be the same:
well above the rounding of a double (1e-16), well below what a reader sees."""
_MOST_DECIMALS = 6  # of a number without a limit of its own; a smaller one is written as 1.2e-7
_LARGEST = 1e15  # above it a double holds no decimals, and nobody reads the digits
_DIGITS = 400  # of any double: 309 before the point, or the first after 308 zeros


@dataclass(frozen=True)
class Format:
    """How the numbers of a quantity are written: rounded half up, with thousands separated.

    Parameters
    ----------
    decimals : int
        Of a number that needs no more.
    most : int, optional
        Decimals of small numbers, of which `significant` digits are shown; without, as many as
        are needed, and a power of ten where they are more than six.
    significant : int
        Digits that are shown of a small number.
    whole_from : float, optional
        Numbers from here on have no decimals.
    below : bool
        Whether a number above 0 that rounds to 0 is written as ``< 0.1``.
    plus : bool
        Whether numbers above 0 have their sign, as differences do.
    strip : bool
        Whether zeros at the end of the decimals are omitted.
    unit : str
        Said behind a number in a sentence; a column of a table has it in its heading.

    Examples
    --------
    >>> [VOLUME.text(ml) for ml in (0, 0.008, 0.26, 11.809, 99.97, 1234.5)]
    ['0.0', '0.008', '0.3', '11.8', '100', '1,235']
    >>> [PERCENT.text(share) for share in (0, 0.02, 41.32, 100, math.nan)]
    ['0.0', '< 0.1', '41.3', '100.0', '–']
    """

    decimals: int = 0
    most: int | None = 0
    significant: int = 1
    whole_from: float | None = None
    below: bool = False
    plus: bool = False
    strip: bool = False
    unit: str = ""

    def text(self, value: float) -> str:
        """A number as it is read, without its unit."""
        if math.isnan(value):
            return MISSING
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        size = abs(value)
        if size >= _LARGEST:
            return self._signed(value, _scientific(size, self.significant))
        decimals = self._decimals(size)
        if decimals is None:
            return self._signed(value, _scientific(size, self.significant))
        rounded = _round(size, decimals)
        if not rounded:
            is_below = size and self.below
            return f"< {Decimal(1).scaleb(-decimals):f}" if is_below else self._fixed(rounded)
        if self.whole_from is not None and rounded >= self.whole_from:
            rounded = _round(size, 0)
        return self._signed(value, self._trim(f"{rounded:,f}"))

    def with_unit(self, value: float) -> str:
        """A number with its unit, where it is known.

        Examples
        --------
        >>> VOLUME.with_unit(11.809), PERCENT.with_unit(0.02), VOLUME.with_unit(math.nan)
        ('11.8 mL', '< 0.1 %', '–')
        """
        return MISSING if math.isnan(value) else f"{self.text(value)} {self.unit}".rstrip()

    def _decimals(self, size: float) -> int | None:
        """Decimals of a number, None where it is written with a power of ten."""
        if not size:
            return self.decimals
        needed = max(self.decimals, self.significant - 1 - _exponent(size, self.significant))
        if self.most is not None:
            return min(needed, self.most)
        return needed if needed <= _MOST_DECIMALS else None

    def _fixed(self, zero: Decimal) -> str:
        return self._trim(f"{zero.quantize(Decimal(1).scaleb(-self.decimals)):f}")

    def _trim(self, text: str) -> str:
        return text.rstrip("0").rstrip(".") if self.strip and "." in text else text

    def _signed(self, value: float, text: str) -> str:
        return f"{'−' if value < 0 else '+' if self.plus else ''}{text}"


COUNT = Format()
"""Patients, voxels."""
VOLUME = Format(decimals=1, most=3, whole_from=100, below=True, unit="mL")
"""What is smaller than a tenth has one digit, so that small lesions differ."""
VOLUME_DIFFERENCE = Format(decimals=1, most=2, plus=True, unit="mL")
PERCENT = Format(decimals=1, most=1, below=True, unit="%")
POINTS = Format(decimals=1, most=2, plus=True, unit="percentage points")
"""Differences of percentages."""
PROBABILITY = Format(decimals=2, most=2, below=True)
COEFFICIENT = Format(decimals=2, most=2)
"""Dice, intersection over union, correlation."""
P = Format(decimals=2, most=4, significant=2, below=True)
COORDINATE = Format(decimals=1, most=1, strip=True, unit="mm")
VALUE = Format(most=None, significant=3, strip=True)
"""Of an image or a map, of whatever unit and size."""
EFFECT = Format(most=None, significant=3, plus=True)
"""Differences of such values."""


def decimals_of(values: Iterable[float], limit: int | None = None) -> int:
    """Fewest decimals that show each of several numbers of one row or column exactly.

    Without `limit`, three digits of the largest number are enough.

    Examples
    --------
    >>> decimals_of([5, 8, 14.25]), decimals_of([0.12, 0.5]), decimals_of([60, 77]), decimals_of([])
    (1, 2, 0, 0)
    """
    known = [value for value in values if value == value]
    largest = max(map(abs, known), default=0.0)
    if limit is None:
        limit = 1 if largest >= 10 else 2 if largest >= 1 else 3
    exact = (
        decimals
        for decimals in range(limit)
        if all(abs(round(value, decimals) - value) <= _EXACT * largest for value in known)
    )
    return next(exact, limit)


def _round(size: float, decimals: int) -> Decimal:
    """Half up, as browsers do: Python's own rounding writes 0.25 as 0.2."""
    with localcontext(prec=_DIGITS, rounding=ROUND_HALF_UP):
        return Decimal(size).quantize(Decimal(1).scaleb(-decimals))


def _significant(size: float, digits: int) -> Decimal:
    exact = Decimal(size)
    with localcontext(prec=_DIGITS, rounding=ROUND_HALF_UP):
        return exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1))


def _exponent(size: float, digits: int) -> int:
    """Of the power of ten of the first digit, once rounded to so many digits."""
    return _significant(size, digits).adjusted()


def _scientific(size: float, digits: int) -> str:
    return f"{_significant(size, digits):.{digits - 1}e}".replace("e+", "e").replace("e-", "e−")
