"""Which column of a table holds the ids of patients."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.text import printable
from .cells import is_missing
from .ids import Pairing, People, as_written, is_plain_number, pair_ids, split_id
from .plain_tables import PlainTable

ID_COLUMNS = ("participant_id", "patient", "patient_id", "subject", "subject_id")
"""Names of a column of patient ids, the one that is taken where there are several first."""

_ID_LIKE = re.compile(
    r"(participant|patient|pat|pt|person|subject|subj|usubj|sub|record|case|study|scan|mri|image|"
    r"bids|proband|pseudonym|code)s?(id|identifier|code|no|nr|num|number|name|key|label)?"
    r"|[prs]?id|identifier"
)
"""Of a header in small letters without punctuation: what is spelt otherwise, but meant so."""
_NO_ID = {"pat", "pt", "study", "scan", "mri", "image", "bids", "sub"}

_LEAST_SHARE = 0.5
"""Of the patients, who have an id in a column that is not named so. Arbitrary: most of them."""


@dataclass(frozen=True)
class IdColumn:
    """The column of ids, and what was assumed.

    Parameters
    ----------
    place : int
        Among the columns of the table.
    name : str
    ids, sessions : list of str
        Of each row, empty where there is none.
    pairing : Pairing
        Which id is which patient's.
    notes : tuple of str
    """

    place: int
    name: str
    ids: list[str]
    sessions: list[str]
    pairing: Pairing
    notes: tuple[str, ...] = ()


def choose_id_column(table: PlainTable, people: People) -> IdColumn:
    """The column in which most patients find their id.

    A column that is named as one of ids goes before others. Another one, which may hold counts or
    ages, decides by ids that are more than a number, and where these belong to more patients.
    """
    alike = _id_like(table.header)
    named = alike or [0]
    best, others = _column(table, named[0], people), list[IdColumn]()
    for place in named[1:]:
        others.append(_column(table, place, people))
        if _is_better(others[-1], best, alike):
            best, others[-1] = others[-1], best
    if best.pairing.exact < len(people.paths):
        least = max(1, _LEAST_SHARE * len(people.paths))  # fewer are words that are in names
        for place in range(len(table.header)):
            texts = {cell for cell in table.column(place) if not is_plain_number(cell)}
            # None of fewer values can belong to more patients.
            if place in named or len(texts) < max(least, len(best.pairing.ids)):
                continue
            column = _column(table, place, people)
            letters = column.pairing.with_letters()
            if len(letters.ids) < least:
                continue
            column = IdColumn(place, column.name, column.ids, column.sessions, letters)
            others.append(column)
            if _is_better(column, best, alike):
                best, others[-1] = column, best
    name = table.path.name
    is_expected = best.place == _expected(table.header)
    notes = [] if is_expected or not people.files else [f"{name}, id column: {_title(best)}"]
    notes += best.pairing.notes(name)
    notes += [note for column in others if (note := _note_on_rival(best, column, name))]
    return IdColumn(best.place, best.name, best.ids, best.sessions, best.pairing, tuple(notes))


def _id_like(header: Sequence[str]) -> list[int]:
    """Columns that are named as those of ids."""
    exact = [header.index(name) for name in ID_COLUMNS if name in header]
    spelt = [re.sub(r"[\W_]+", "", name).casefold() for name in header]
    alike = [
        place
        for place, name in enumerate(spelt)
        if place not in exact and name not in _NO_ID and _ID_LIKE.fullmatch(name)
    ]
    return [*exact, *alike]


def _expected(header: Sequence[str]) -> int:
    return next((header.index(name) for name in ID_COLUMNS if name in header), 0)


def _is_better(column: IdColumn, best: IdColumn, named: Sequence[int]) -> bool:
    """Whether a column has ids, no counts, of more patients than one that comes before it."""
    own = best.pairing if best.place in named else best.pairing.with_letters()
    return len(column.pairing.with_letters().ids) > len(own.ids)


def _column(table: PlainTable, place: int, people: People) -> IdColumn:
    parts = [("", "") if is_missing(cell) else split_id(cell) for cell in table.column(place)]
    ids, sessions = [own for own, _ in parts], [session for _, session in parts]
    pairing = pair_ids(people, dict.fromkeys(filter(None, map(as_written, ids))))
    return IdColumn(place, table.header[place], ids, sessions, pairing)


def _title(column: IdColumn) -> str:
    return printable(column.name) or f"number {column.place + 1}"


def _note_on_rival(best: IdColumn, column: IdColumn, table: str) -> str:
    """A sentence where another column is as good, and joins other rows."""
    own, pairs = best.pairing, column.pairing
    if len(pairs.ids) < max(1, len(own.ids)) or pairs.exact < own.exact:
        return ""
    first, second = _rows(best), _rows(column)
    differ = [name for name in pairs.ids if first.get(name) != second[name]]
    if not differ:
        return ""
    return (
        f"ids of {table} are read from {_title(best)}; {_title(column)} would join other rows to "
        f"{len(differ):,} of the patients, such as {differ[0]}"
    )


def _rows(column: IdColumn) -> dict[str, tuple[int, ...]]:
    """The rows of each patient."""
    rows: dict[str, list[int]] = {}
    for row, own in enumerate(column.ids):
        rows.setdefault(as_written(own), []).append(row)
    return {name: tuple(rows[own]) for name, own in column.pairing.ids.items()}
