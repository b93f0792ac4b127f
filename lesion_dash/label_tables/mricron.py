"""MRIcron's ``.nii.txt``: a number and a name a line, and sometimes a second number."""

from __future__ import annotations

from .regions import Numbering, Parsed, Region, is_number


def parse_mricron(lines: list[str]) -> Parsed | None:
    """``number name`` or ``number name number``, with spaces or tabs between them.

    Which of the two numbers an image holds is told by the image.

    Examples
    --------
    >>> parsed = parse_mricron(["1 Precentral_L 2001", "2 Precentral_R 2002"])
    >>> [region.label for region in parsed.rows]
    [1, 2]
    >>> [region.label for region in parsed.others[0].rows]
    [2001, 2002]
    """
    rows = [line.split(maxsplit=1) for line in lines if not line.startswith("#")]
    if not rows or not all(len(row) == 2 and is_number(row[0]) for row in rows):
        return None
    rests = [row[1].strip() for row in rows]
    ends = [rest.rsplit(maxsplit=1) for rest in rests]
    has_second = all(len(end) == 2 and is_number(end[1]) for end in ends)
    # A name may end in a number, as "Area 17" does: then names without it repeat.
    if not has_second or len({end[0] for end in ends}) < len(ends):
        return _parsed([row[0] for row in rows], rests, [])
    return _parsed([row[0] for row in rows], [end[0] for end in ends], [end[1] for end in ends])


def _parsed(first: list[str], names: list[str], second: list[str]) -> Parsed | None:
    if not all(any(letter.isalpha() for letter in name) and "\t" not in name for name in names):
        return None
    rows = _regions(first, names)
    if not second:
        return Parsed(rows)
    words = "labels are the numbers of the table's third column"
    return Parsed(rows, (Numbering(words, _regions(second, names)),))


def _regions(numbers: list[str], names: list[str]) -> tuple[Region, ...]:
    return tuple(
        Region(int(number), name.strip()) for number, name in zip(numbers, names, strict=True)
    )
