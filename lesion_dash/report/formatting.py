"""Numbers as one reads them: one rule for each quantity, whatever its size.

Volumes have two decimals of a mL, about a voxel of 2 mm; shares have one decimal of a per cent;
voxels and patients are whole, in thousands with a comma. So the decimals of a column line up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..plotting.figures import ML

_UNKNOWN = "–"
_EXACT = 1e-9
"""Share of a number by which it may differ from the one that is shown and still be the same:
well above the rounding of a double (1e-16), well below what a reader sees."""


def counted(number: int, noun: str = "") -> str:
    """A count, with its noun where one is given.

    Examples
    --------
    >>> counted(1, "voxel"), counted(12345, "voxel"), counted(12345)
    ('1 voxel', '12,345 voxels', '12,345')
    """
    plural = "s" if noun and number != 1 else ""
    return f"{number:,} {noun}{plural}".rstrip()


def fixed(value: float, decimals: int, plus: bool = False) -> str:
    """A number with so many decimals.

    Examples
    --------
    >>> fixed(1234.56, 1), fixed(-0.01, 1), fixed(5, 1, plus=True), fixed(float("nan"), 1)
    ('1,234.6', '0.0', '+5.0', '–')
    """
    if value != value:
        return _UNKNOWN
    rounded = round(value, decimals) + 0.0  # and no -0
    return f"{rounded:{'+' if plus and rounded else ''},.{decimals}f}"


def ml(mm3: float) -> str:
    """A volume in mL, without the unit.

    Examples
    --------
    >>> ml(23140.0), ml(200544), ml(1), ml(0)
    ('23.14', '200.54', '< 0.01', '0.00')
    """
    value = mm3 / ML
    return "< 0.01" if 0 < value < 0.005 else fixed(value, 2)


def percent(value: float) -> str:
    """A share in per cent, without the unit.

    Examples
    --------
    >>> [percent(value) for value in (41.3, 6.21, 0.02, 0, 100, float("nan"))]
    ['41.3', '6.2', '< 0.1', '0.0', '100.0', '–']
    """
    return "< 0.1" if 0 < value < 0.05 else fixed(value, 1)


def share(value: float) -> str:
    """A share in per cent, with the unit where it is known.

    Examples
    --------
    >>> share(41.32), share(float("nan"))
    ('41.3 %', '–')
    """
    text = percent(value)
    return text if text == _UNKNOWN else f"{text} %"


def round_number(value: float) -> str:
    """The end of a scale, which is a round number.

    Examples
    --------
    >>> round_number(150.0), round_number(2.5), round_number(1200)
    ('150', '2.5', '1,200')
    """
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


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


def point(mm: Sequence[float]) -> str:
    """A place in mm.

    Examples
    --------
    >>> point((-26.0, 0.0, 8.0)), point((-26.0, 0.0, 8.5))
    ('(-26, 0, 8)', '(-26.0, 0.0, 8.5)')
    """
    decimals = decimals_of(mm, limit=1)
    return f"({', '.join(fixed(value, decimals) for value in mm)})"


def enumerated(parts: Sequence[str]) -> str:
    """Several things in one sentence.

    Examples
    --------
    >>> enumerated(["a"]), enumerated(["a", "b", "c"]), enumerated([])
    ('a', 'a, b and c', '')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
