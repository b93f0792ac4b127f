"""Numbers as one reads them, with their units."""

from __future__ import annotations

from collections.abc import Sequence

from ..map_scales import ML

_UNKNOWN = "–"


def count_words(number: int, noun: str) -> str:
    """A count with its noun.

    Examples
    --------
    >>> count_words(1, "voxel"), count_words(12345, "voxel")
    ('1 voxel', '12,345 voxels')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def number_words(value: float, plus: bool = False) -> str:
    """A number with about three digits.

    Examples
    --------
    >>> [number_words(value) for value in (0.0, 0.123, 7.126, 23.14, 1234.5, float("nan"))]
    ['0', '0.123', '7.13', '23.1', '1,234', '–']
    >>> number_words(5.0, plus=True), number_words(-0.25, plus=True)
    ('+5', '-0.25')
    """
    if value != value:
        return _UNKNOWN
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    text = f"{value:+,.{digits}f}" if plus else f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def ml_words(mm3: float) -> str:
    """A volume in mL.

    Examples
    --------
    >>> ml_words(23140.0)
    '23.1 mL'
    """
    return f"{number_words(mm3 / ML)} mL"


def percent_words(share: float) -> str:
    """A share in per cent, with as many digits as one reads.

    Examples
    --------
    >>> [percent_words(share) for share in (41.3, 6.21, 0.02, 0, 100, float("nan"))]
    ['41 %', '6.2 %', '< 0.1 %', '0 %', '100 %', '–']
    """
    if share != share:
        return _UNKNOWN
    if 0 < share < 0.05:
        return "< 0.1 %"
    return f"{share:.1f} %" if 0 < share < 9.95 else f"{share:.0f} %"


def point_words(mm: Sequence[float]) -> str:
    """A place in mm.

    Examples
    --------
    >>> point_words((-26.0, 0.0, 8.5))
    '(-26, 0, 8.5)'
    """
    return f"({', '.join(f'{value + 0.0:.4g}' for value in mm)})"


def list_words(parts: Sequence[str]) -> str:
    """Several things in one sentence.

    Examples
    --------
    >>> list_words(["a"]), list_words(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last
