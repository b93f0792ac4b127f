"""Numbers as one reads them, with their units: one rule for each quantity, whatever its size.

Volumes have two decimals of a mL, about a voxel of 2 mm; shares have one decimal of a per cent;
voxels and patients are whole, in thousands with a comma. So the decimals of a column line up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..map_scales import ML

_UNKNOWN = "–"
_EXACT = 1e-9
"""Share of a number by which it may differ from the one that is shown and still be the same."""


def count_words(number: int, noun: str) -> str:
    """A count with its noun.

    Examples
    --------
    >>> count_words(1, "voxel"), count_words(12345, "voxel")
    ('1 voxel', '12,345 voxels')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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


def ml(mm3: float, plus: bool = False) -> str:
    """A volume in mL, without the unit.

    Examples
    --------
    >>> ml(23140.0), ml(200544), ml(1), ml(0)
    ('23.14', '200.54', '< 0.01', '0.00')
    """
    value = mm3 / ML
    return "< 0.01" if 0 < value < 0.005 else fixed(value, 2, plus)


def ml_words(mm3: float) -> str:
    """A volume in mL.

    Examples
    --------
    >>> ml_words(23140.0)
    '23.14 mL'
    """
    return f"{ml(mm3)} mL"


def percent(share: float) -> str:
    """A share in per cent, without the sign.

    Examples
    --------
    >>> [percent(share) for share in (41.3, 6.21, 0.02, 0, 100, float("nan"))]
    ['41.3', '6.2', '< 0.1', '0.0', '100.0', '–']
    """
    return "< 0.1" if 0 < share < 0.05 else fixed(share, 1)


def percent_words(share: float) -> str:
    """A share in per cent.

    Examples
    --------
    >>> percent_words(41.32), percent_words(float("nan"))
    ('41.3 %', '–')
    """
    found = percent(share)
    return found if found == _UNKNOWN else f"{found} %"


def scale_words(value: float) -> str:
    """The end of a scale, which is a round number.

    Examples
    --------
    >>> scale_words(150.0), scale_words(2.5), scale_words(1200)
    ('150', '2.5', '1,200')
    """
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def decimals_of(values: Iterable[float], most: int | None = None) -> int:
    """So many decimals tell every one of some numbers that stand side by side.

    Without `most`, three digits are enough of the largest of them.

    Examples
    --------
    >>> decimals_of([5, 8, 14.25]), decimals_of([0.12, 0.5]), decimals_of([60, 77]), decimals_of([])
    (1, 2, 0, 0)
    """
    known = [value for value in values if value == value]
    largest = max(map(abs, known), default=0.0)
    limit = most if most is not None else 1 if largest >= 10 else 2 if largest >= 1 else 3
    enough = (
        decimals
        for decimals in range(limit)
        if all(abs(round(value, decimals) - value) <= _EXACT * largest for value in known)
    )
    return next(enough, limit)


def point_words(mm: Sequence[float]) -> str:
    """A place in mm.

    Examples
    --------
    >>> point_words((-26.0, 0.0, 8.0)), point_words((-26.0, 0.0, 8.5))
    ('(-26, 0, 8)', '(-26.0, 0.0, 8.5)')
    """
    decimals = decimals_of(mm, most=1)
    return f"({', '.join(fixed(value, decimals) for value in mm)})"


def list_words(parts: Sequence[str]) -> str:
    """Several things in one sentence.

    Examples
    --------
    >>> list_words(["a"]), list_words(["a", "b", "c"]), list_words([])
    ('a', 'a, b and c', '')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
