"""Columns of a text table without known headers: labels, names, colours, found over all rows.

Programs write the same columns in any order, separated by any mark: ``index name R G B A`` is
FreeSurfer's, ``index R G B name`` FSLeyes', ``index R G B A visible mesh "name"`` ITK-SNAP's,
``abbreviation name label`` AAL's, ``index name label`` MRIcron's.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

SEPARATORS = "\t;,|"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_WHOLE = re.compile(r"\d{1,12}(\.0*)?")
_HEX_COLOUR = re.compile(r"(#|0x)[0-9a-f]{3,8}", re.IGNORECASE)
_WORD = re.compile(r"[a-z]{3}")  # names have three small letters in a row, abbreviations do not
_CAPITAL_OR_JOINED = re.compile(r"^[A-Z]|\w[_\-.]\w")
_LETTER = re.compile(r"[^\W\d_]")
_TOKEN = re.compile(r'"[^"]*"|\S+')
_AROUND_COLOUR = re.compile(
    r"\s*(\d+)\s+(\S*[^\W\d_]\S*)((?:\s+\d+(?:\.\d*)?){3,4})\s+(\S*[^\W\d_].*?)\s*"
)
_SIDES = {"l", "r", "lh", "rh", "left", "right"}
_LEVELS = {
    "lobe": re.compile(r"\blobes?\b", re.IGNORECASE),
    "gyrus": re.compile(r"\b(gyrus|gyri|lobule|sulcus|cuneus|precuneus)\b", re.IGNORECASE),
}
"""Words of the cells of a column that holds a level, in a table without a header."""
_DISTINCT = 0.9
"""Part of the most different cells of any column of words from which a column may be the names.

Arbitrary: a few regions share a name by mistake; groups, such as lobes, are shared by many.
"""
_MOST_NUMBERS = 8  # before or behind a name: ITK-SNAP writes 7


@dataclass(frozen=True)
class Columns:
    """The cells of a table, and what its columns hold.

    Parameters
    ----------
    rows : tuple of tuple of str
        Without the header; all of one length.
    header : tuple of str
        Empty where there is none.
    labels : tuple of int
        Columns of different whole numbers, the likeliest first; where none are different, the
        first column of whole numbers.
    name : int
    abbreviation : int or None
    ignored : frozenset of int
        Columns of colours, and what else says nothing of a region.
    """

    rows: tuple[tuple[str, ...], ...]
    header: tuple[str, ...]
    labels: tuple[int, ...]
    name: int
    abbreviation: int | None
    ignored: frozenset[int]

    def title(self, column: int) -> str:
        """What a column is called: by its header, by what it holds, or by its number."""
        if self.header:
            return self.header[column]
        if column == self.abbreviation:
            return "abbreviation"
        cells = _Column(tuple(row[column] for row in self.rows))
        return "hemisphere" if cells.is_side else cells.level or f"column {column + 1}"


def find_columns(lines: Sequence[str]) -> Columns | None:
    r"""Split lines into columns; None where they hold no labels with names.

    Of several ways to split them, one with the labels in front comes first.

    Examples
    --------
    >>> columns = find_columns(["FAG\tPrecentral_L\t2001", "FAD\tPrecentral_R\t2002"])
    >>> columns.labels, columns.name, columns.abbreviation
    ((2,), 1, 0)
    >>> find_columns(["1 0.4 0 0.5 Vis 1", "2 0 0.4 1 Vis 2"]).rows[0]
    ('1', '0.4', '0', '0.5', 'Vis 1')
    """
    likely = list(filter(None, map(_find, _tables(lines))))
    return next((table for table in likely if table.labels[0] == 0), next(iter(likely), None))


def _tables(lines: Sequence[str]) -> Iterator[list[tuple[str, ...]]]:
    """The cells of lines by each separator that gives all lines as many, then by blanks."""
    for separator in SEPARATORS:
        if separator not in lines[0] or max(map(len, lines)) > csv.field_size_limit():
            continue
        rows = [tuple(map(str.strip, row)) for row in csv.reader(lines, delimiter=separator)]
        if len({len(row) for row in rows}) == 1 and len(rows[0]) > 1:
            yield rows
    yield _split_around_colours(lines)
    yield _split_blanks(lines)


def _find(rows: list[tuple[str, ...]]) -> Columns | None:
    """What the columns hold; the first row is a header where numbers begin below it."""
    # A number behind words in a single line is of any text, such as "volume in mL: 3".
    for first in (0, 1):
        if len(rows) <= first or (first and any(map(_NUMBER.fullmatch, rows[0]))):
            break  # no header
        body = [_Column(cells) for cells in zip(*rows[first:], strict=True)]
        labels, colours = _find_labels(body)
        name, abbreviation = _find_name(body)
        if labels and name is not None and (name > min(labels) or len(rows) > first + 1):
            # Columns of other numbers that may be the labels say nothing more of a region.
            ignored = frozenset((*labels, *colours)) if not first else frozenset(labels[:1])
            header = rows[0] if first else ()
            return Columns(tuple(rows[first:]), header, labels, name, abbreviation, ignored)
    return None


@dataclass(frozen=True)
class _Column:
    cells: tuple[str, ...]

    @cached_property
    def is_numbers(self) -> bool:
        return all(map(_NUMBER.fullmatch, self.cells))

    @cached_property
    def is_whole(self) -> bool:
        return all(map(_WHOLE.fullmatch, self.cells))

    @cached_property
    def values(self) -> list[float]:
        return list(map(float, self.cells))

    @cached_property
    def distinct(self) -> int:
        return len(set(self.cells))

    @property
    def is_different(self) -> bool:
        return self.distinct == len(self.cells)

    @property
    def is_side(self) -> bool:
        """Whether cells say left or right alone."""
        return all(cell.lower() in _SIDES for cell in self.cells)

    @property
    def level(self) -> str:
        """What level the column holds, as most of its cells say: lobe, gyrus or full name.

        A lobe or gyrus is that of several regions; full names are of several words.
        """
        is_shared = 4 * self.distinct <= len(self.cells)
        for level, word in _LEVELS.items() if is_shared else ():
            if 2 * sum(map(bool, map(word.search, self.cells))) > len(self.cells):
                return level
        several = sum(
            cell.strip().count(" ") > 0 and bool(_WORD.search(cell)) for cell in self.cells
        )
        is_telling = 3 * self.distinct > len(self.cells)
        return "full_name" if is_telling and several > 0.75 * len(self.cells) else ""

    @cached_property
    def is_words(self) -> bool:
        """Whether most cells are words, and no colours in hexadecimal digits."""
        words = sum(
            any(map(str.isalpha, cell)) and not _HEX_COLOUR.fullmatch(cell) for cell in self.cells
        )
        return 2 * words > len(self.cells)


def _is_colour(columns: Sequence[_Column], count: int = 3) -> bool:
    """Whether columns begin with the numbers of a colour: all from 0 to 1, or whole and to 255."""
    shades = columns[:count]
    if len(shades) < count:
        return False
    values = [value for column in shades for value in column.values]
    is_bytes = all(column.is_whole for column in shades) and max(values) <= 255
    return is_bytes or (min(values) >= 0 and max(values) <= 1)


def _find_labels(columns: list[_Column]) -> tuple[tuple[int, ...], set[int]]:
    """The columns that may hold labels, and those that hold colours."""
    groups = groupby(range(len(columns)), lambda place: columns[place].is_numbers)
    runs = [list(places) for are_numbers, places in groups if are_numbers]
    labels: list[int] = []
    colours: set[int] = set()
    for run in runs:
        others = (place for other in runs if other is not run for place in other)
        is_beside = any(columns[place].is_whole for place in others)
        if len(run) in (3, 4) and is_beside and _is_colour([columns[place] for place in run]):
            colours |= set(run)
            continue
        whole = [place for place in run if columns[place].is_whole]
        ends = {run[0]: run[1:], run[-1]: run[:-1]}
        own = [
            end
            for end, rest in ends.items()
            if end in whole and _is_colour([columns[place] for place in rest])
        ]
        if own:
            colours |= set(run) - {own[0]}
        labels += own or whole
    different = [place for place in labels if columns[place].is_different]
    # Ascending ones first.
    different.sort(key=lambda place: columns[place].values != sorted(columns[place].values))
    return tuple(different or labels[:1]), colours - set(different)


def _find_name(columns: list[_Column]) -> tuple[int | None, int | None]:
    """The column of names, and that of abbreviations; None where there is none."""
    words = [place for place, column in enumerate(columns) if column.is_words]
    words = [place for place in words if not columns[place].is_side] or words
    most = max((columns[place].distinct for place in words), default=0)
    lengths = {place: sum(map(len, columns[place].cells)) for place in words}
    names = [place for place in words if columns[place].distinct >= _DISTINCT * most]
    name = max(names, key=lambda place: lengths[place], default=None)
    shorter = (
        place
        for place in words
        if name is not None
        and lengths[place] < lengths[name]
        and 2 * columns[place].distinct > len(columns[place].cells)
    )
    return name, next(shorter, None)


# Columns separated by blanks: a name may hold blanks and numbers itself.


@dataclass(frozen=True)
class _Line:
    """A line as tokens, with the numbers before and behind its name."""

    text: str
    tokens: tuple[re.Match[str], ...]
    before: int
    behind: int

    @classmethod
    def of(cls, text: str) -> _Line:
        tokens = tuple(_TOKEN.finditer(text))
        is_number = [_NUMBER.fullmatch(token[0]) is not None for token in tokens]
        before = next((n for n, is_one in enumerate(is_number) if not is_one), len(tokens))
        behind = next((n for n, is_one in enumerate(is_number[::-1]) if not is_one), len(tokens))
        return cls(text, tokens, before, behind)

    def cells(self, before: int, behind: int) -> tuple[str, ...]:
        """The tokens, with all between so many of them as the name."""
        end = len(self.tokens) - behind
        numbers = [token[0] for token in self.tokens]
        name = self.text[self.tokens[before].start() : self.tokens[end - 1].end()]
        if len(name) > 1 and name[0] == name[-1] == '"':
            name = name[1:-1].strip()
        return (*numbers[:before], name, *numbers[end:])


def _split_around_colours(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """The cells of lines with words on both sides of a colour, as MRtrix writes; none of others."""
    body = texts[1:] if len(texts) > 1 and not _AROUND_COLOUR.fullmatch(texts[0]) else texts
    parts = [match.groups() for match in map(_AROUND_COLOUR.fullmatch, body) if match]
    rows = [(label, *shades.split(), short, name) for label, short, shades, name in parts]
    if len(rows) != len(body) or len({len(row) for row in rows}) != 1:
        return []
    shades = [_Column(cells) for cells in zip(*rows, strict=True)][1:-2]
    return [(row[0], *row[-2:], *row[1:-2]) for row in rows] if _is_colour(shades) else []


def _split_blanks(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """The cells of lines whose numbers stand before and behind a name; none where they do not."""
    lines = [_Line.of(text) for text in texts]
    if len(lines) > 1 and not any(_NUMBER.fullmatch(token[0]) for token in lines[0].tokens):
        lines = lines[1:]  # a header, whose words need not be as many as the columns
    before = min((line.before for line in lines), default=0)
    behind = min((line.behind for line in lines), default=0)
    fewest = min((len(line.tokens) for line in lines), default=0)
    if not 0 < before + behind < fewest or before + behind > _MOST_NUMBERS:
        return []
    if any(len(token[0]) > csv.field_size_limit() for line in lines for token in line.tokens):
        return []
    rows = [line.cells(before, behind) for line in lines]
    if any("\t" in row[before] for row in rows):
        return []
    for less in ((before, behind - 1), (before - 1, behind)):
        if min(less) >= 0 and max(less) > 0:
            shorter = [line.cells(*less) for line in lines]
            if _is_of_name(rows, shorter, before, is_behind=less[0] == before):
                return shorter
    return _split_abbreviations(rows, before)


def _is_of_name(
    rows: list[tuple[str, ...]], shorter: list[tuple[str, ...]], before: int, is_behind: bool
) -> bool:
    """Whether the number beside the name is part of it, as in "Brodmann 17".

    It is where the other numbers are a colour without it, or where names repeat without it. `rows`
    have it as a column of its own beside column `before`, `shorter` as part of the name.
    """
    columns = [_Column(cells) for cells in zip(*rows, strict=True)]
    own = columns[before + 1 :] if is_behind else columns[:before][::-1]
    has_label = is_behind == (before == 0)  # the outermost number on this side
    others = own[: len(own) - has_label]
    if not others or not own[0].is_whole:
        return False
    names = columns[before].distinct
    longer = len({row[before - (not is_behind)] for row in shorter})
    if len(others) == 1:
        return names < longer == len(rows)
    if len(others) == 4 and _is_colour(others, 4):
        return 2 * names <= len(rows) == longer
    return len(others) in (4, 5) and _is_colour(others[1:], len(others) - 1)


def _split_abbreviations(rows: list[tuple[str, ...]], name: int) -> list[tuple[str, ...]]:
    """Cells with a column of its own for the abbreviation beside every name of one word."""
    pairs = [row[name].split() for row in rows]
    if any(len(pair) != 2 for pair in pairs):
        return rows
    # A row without a letter, such as "???? Unknown", is one for the background.
    named = [pair for pair in pairs if all(map(_LETTER.search, pair))]
    first, last = zip(*named, strict=True) if named else ((), ())
    if not ((_are_codes(first) and _are_words(last)) or (_are_words(first) and _are_codes(last))):
        return rows
    return [(*row[:name], *pair, *row[name + 1 :]) for row, pair in zip(rows, pairs, strict=True)]


def _are_codes(cells: tuple[str, ...]) -> bool:
    """Whether all are different and like FAG, A8m, hOc1 or L.BSTS."""
    likely = (any(map(str.isupper, cell)) and not _WORD.search(cell) for cell in cells)
    return len(set(cells)) == len(cells) and all(likely)


def _are_words(cells: tuple[str, ...]) -> bool:
    """Whether all are different, like Precentral_L or Insula, and none says only left or right."""
    likely = (
        _WORD.search(cell) and _CAPITAL_OR_JOINED.search(cell) and cell.lower() not in _SIDES
        for cell in cells
    )
    return len(set(cells)) == len(cells) > 1 and all(likely)
