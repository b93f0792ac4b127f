"""Join the rows of a table to files: which column holds ids, then which row is whose."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..core.text import counted, listed, printable
from .cells import PlainTable, is_missing
from .ids import Pairing, People, as_written, is_plain_number, owners_of, pair_ids, split_id
from .names import session_key

ID_COLUMNS = ("participant_id", "patient", "patient_id", "subject", "subject_id")
"""Names of a column of patient ids, the one that is taken where there are several first."""

_ID_LIKE = re.compile(
    r"(participant|patient|pat|pt|person|subject|subj|usubj|sub|record|case|study|scan|mri|image|"
    r"bids|proband|pseudonym|code)s?(id|identifier|code|no|nr|num|number|name|key|label)?"
    r"|[prs]?id|identifier"
)
"""Of a header in small letters without punctuation: what is spelt otherwise, but meant so."""
_NO_ID = {"pat", "pt", "study", "scan", "mri", "image", "bids", "sub"}
_SESSION_COLUMN = re.compile(
    r"(session|ses|sess|visit|timepoint|tp|wave|(redcap)?event)(id|label|name|no|nr|number|code)?"
)
_LEAST_SHARE = 0.5
"""Of the patients, who have an id in a column that is not named so. Arbitrary: most of them."""
_MOST_NAMED = 6  # columns in a sentence, arbitrary


@dataclass(frozen=True)
class IdColumn:
    """The column of ids.

    Parameters
    ----------
    place : int
        Among the columns of the table.
    name : str
    ids, sessions : list of str
        Of each row, empty where there is none.
    pairing : Pairing
        Which id is which patient's.
    """

    place: int
    name: str
    ids: list[str]
    sessions: list[str]
    pairing: Pairing

    @property
    def title(self) -> str:
        """The name, or the number where it has none."""
        return printable(self.name) or f"number {self.place + 1}"

    @property
    def rows(self) -> dict[str, list[int]]:
        """The rows of each patient who has one."""
        groups = _rows_by_id(self.ids)
        return {name: groups[own] for name, own in self.pairing.ids.items()}


def choose_id_column(table: PlainTable, people: People) -> tuple[IdColumn, tuple[str, ...]]:
    """The column in which most patients find their id, and notes on what was assumed.

    A column that is named as one of ids goes before others. Another one, which may hold counts or
    ages, decides by ids that are more than a number, and where these belong to more patients.
    """
    usual = next((table.header.index(name) for name in ID_COLUMNS if name in table.header), 0)
    alike = _id_like(table.header)
    named = alike or [0]
    best, others = _column(table, named[0], people), list[IdColumn]()

    def compare(column: IdColumn) -> None:
        """Take a column in place of the best one where its ids, no counts, are of more patients."""
        nonlocal best
        own = best.pairing if best.place in alike else best.pairing.with_letters()
        is_better = len(column.pairing.with_letters().ids) > len(own.ids)
        others.append(best if is_better else column)
        best = column if is_better else best

    for place in named[1:]:
        compare(_column(table, place, people))
    if best.pairing.exact < len(people.paths):
        least = max(1, _LEAST_SHARE * len(people.paths))  # fewer are words that are in names
        for place in range(len(table.header)):
            texts = {cell for cell in table.column(place) if not is_plain_number(cell)}
            # None of fewer values can belong to more patients.
            if place in named or len(texts) < max(least, len(best.pairing.ids)):
                continue
            column = _column(table, place, people)
            letters = column.pairing.with_letters()
            if len(letters.ids) >= least:
                compare(IdColumn(place, column.name, column.ids, column.sessions, letters))
    name = table.path.name
    is_assumed = best.place != usual and people.files
    notes = [f"{name}, id column: {best.title}"] if is_assumed else []
    notes += best.pairing.notes(name)
    notes += [note for column in others if (note := _note_on_rival(best, column, name))]
    return best, tuple(notes)


def _plain(name: str) -> str:
    """A header in small letters without punctuation."""
    return re.sub(r"[\W_]+", "", name).casefold()


def _id_like(header: Sequence[str]) -> list[int]:
    """Columns that are named as those of ids."""
    exact = [header.index(name) for name in ID_COLUMNS if name in header]
    spelt = enumerate(map(_plain, header))
    alike = [place for place, name in spelt if name not in _NO_ID and _ID_LIKE.fullmatch(name)]
    return list(dict.fromkeys([*exact, *alike]))


def _column(table: PlainTable, place: int, people: People) -> IdColumn:
    parts = [("", "") if is_missing(cell) else split_id(cell) for cell in table.column(place)]
    # A file's name may be no more than a point, which stands for a missing value.
    ids = ["" if is_missing(own) else own for own, _ in parts]
    sessions = [session for _, session in parts]
    pairing = pair_ids(people, map(as_written, filter(is_name, ids)))
    return IdColumn(place, table.header[place], ids, sessions, pairing)


def is_name(text: str) -> bool:
    """Whether an id can be one: what steps out of its folder must not reach a file's name."""
    return bool(text) and not re.search(r"[/\\]|\.\.", text) and text.isprintable()


def _rows_by_id(ids: Sequence[str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for row, own in enumerate(ids):
        groups[as_written(own)].append(row)
    return groups


def _note_on_rival(best: IdColumn, column: IdColumn, table: str) -> str:
    """A sentence where another column is as good, and joins other rows."""
    own, pairs = best.pairing, column.pairing
    if len(pairs.ids) < max(1, len(own.ids)) or pairs.exact < own.exact:
        return ""
    first, second = best.rows, column.rows
    differ = [name for name in pairs.ids if first.get(name) != second[name]]
    if not differ:
        return ""
    return (
        f"ids of {table} are read from {best.title}; {column.title} would join other rows to "
        f"{len(differ):,} of the patients, such as {differ[0]}"
    )


# Give each file the row of its patient, and of its session.


Cells = tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """The rows of a table that have an id.

    Parameters
    ----------
    name : str
        Of the table.
    columns : tuple of str
    cells : tuple of tuple of str
    ids : tuple of str
    numbers : tuple of int
        Lines of the file.
    sessions : tuple of str
        Of each row as `session_key` writes it; empty where a row has none.
    """

    name: str
    columns: tuple[str, ...]
    cells: tuple[Cells, ...]
    ids: tuple[str, ...]
    numbers: tuple[int, ...]
    sessions: tuple[str, ...]

    def differing(self, rows: Sequence[int]) -> set[int]:
        """The places of the columns in which some rows differ."""
        columns = zip(*(self.cells[row] for row in rows), strict=True) if len(rows) > 1 else ()
        return {place for place, values in enumerate(columns) if len(set(values)) > 1}

    def values(self, row: int, left: set[int]) -> Cells:
        """The cells of a row, empty at some places."""
        cells = self.cells[row]
        return tuple("" if place in left else cell for place, cell in enumerate(cells))


@dataclass(frozen=True)
class JoinedRows:
    """The values of each file.

    Parameters
    ----------
    by_file : dict
        Of the files that were listed.
    by_person : dict
        Of a patient, for files that were not listed, such as a copy in another format.
    notes : tuple of str
        How many patients have a row, and which values are left empty.
    """

    by_file: dict[str, Cells] = field(default_factory=dict)
    by_person: dict[str, Cells] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def values_of(self, file: str) -> Cells:
        """The values that belong to a file, none where it has no row."""
        if file in self.by_file:
            return self.by_file[file]
        return self.by_person.get(as_written(owners_of([file])[file].person), ())


def sessions_of_rows(
    columns: Sequence[str], cells: Sequence[Cells], of_ids: Sequence[str]
) -> tuple[str, ...]:
    """The session of each row: of the column that has this name, or what stands behind the id."""
    named = (p for p, name in enumerate(columns) if _SESSION_COLUMN.fullmatch(_plain(name)))
    place = next(named, None)
    texts = of_ids if place is None else [row[place] for row in cells]
    return tuple(session_key(text) if text else "" for text in texts)


def join_rows(table: Rows, people: People, pairing: Pairing, of_these_alone: bool) -> JoinedRows:
    """Give each file the row of its patient, and of its session where there are several."""
    groups = _rows_by_id(table.ids)
    varying = set().union(*map(table.differing, groups.values()))
    by_file: dict[str, Cells] = {}
    unclear: dict[str, set[int]] = {}  # patients with several rows, and the columns left empty
    partly, other = list[str](), list[str]()  # files of another session than their rows
    for file, (person, session) in people.owners.items():
        if person not in pairing.ids:
            by_file[file] = ()
            continue
        row, left, is_other = _choose(table, groups[pairing.ids[person]], session, varying)
        by_file[file] = table.values(row, left)
        if is_other:
            (partly if left else other).append(file)
        elif left:
            unclear.setdefault(person, set()).update(left)
    by_id = {own: table.values(rows[0], table.differing(rows)) for own, rows in groups.items()}
    paired = {as_written(person): by_id[own] for person, own in pairing.ids.items()}
    notes = [
        *_notes_on_counts(table, people, pairing, of_these_alone),
        *_notes_on_several_rows(table, unclear, groups, pairing),
    ]
    for files, which, effect in (
        (partly, "no row of the own session", ": what differs between sessions is left empty"),
        (other, "a row of another session", ""),
    ):
        if files:
            masks = _have(len(files), "mask")
            notes.append(f"{masks} {which} in {table.name}, such as {files[0]}{effect}")
    return JoinedRows(by_file, by_id | paired, tuple(map(printable, notes)))


def _choose(
    table: Rows, rows: list[int], session: str, varying: set[int]
) -> tuple[int, set[int], bool]:
    """The row of a file, the columns it leaves open, and if it is of another session."""
    key = session_key(session)
    own = [row for row in rows if key and table.sessions[row] == key] or rows
    is_other = bool(key) and own is rows and any(table.sessions[row] for row in rows)
    if is_other and len(rows) == 1:
        return rows[0], varying, True
    return own[0], table.differing(own), is_other


def _have(number: int, noun: str) -> str:
    return f"{counted(number, noun)} {'has' if number == 1 else 'have'}"


def _notes_on_counts(
    table: Rows, people: People, pairing: Pairing, of_these_alone: bool
) -> Iterator[str]:
    """How many patients have a row, where not all have one or not all rows have a mask."""
    without = [person for person in people.paths if person not in pairing.ids]
    paired = set(pairing.ids.values())
    ids = dict.fromkeys(map(as_written, table.ids))
    unused = [own for own in ids if own not in paired]
    if not people.files or not (without or (unused and of_these_alone)):
        return
    patients = f"{len(pairing.ids):,} of {_have(len(people.paths), 'patient')}"
    example = f", such as {next(iter(pairing.ids))}" if pairing.ids else ""
    parts = [f"{patients} a row in {table.name}{example}"]
    if without:
        parts.append(f"{without[0]} has none")
    if unused:
        first = next(own for own in table.ids if as_written(own) == unused[0])
        noun = "row" if len(ids) == len(table.ids) else "id"
        parts.append(f"{_have(len(unused), noun)} no mask, such as {first}")
    yield "; ".join(parts)


def _notes_on_several_rows(
    table: Rows, unclear: dict[str, set[int]], groups: dict[str, list[int]], pairing: Pairing
) -> Iterator[str]:
    if not unclear:
        return
    person = next(iter(unclear))
    rows = [table.numbers[row] for row in groups[pairing.ids[person]]]
    columns = [table.columns[place] for place in sorted(set().union(*unclear.values()))]
    named = ", or name the session in the files as ses-1" if any(table.sessions) else ""
    yield (
        f"{_have(len(unclear), 'patient')} several rows in {table.name}, such as {person} in rows "
        f"{listed(rows, _MOST_NAMED)}: what differs is left empty "
        f"({listed(columns, _MOST_NAMED)}); keep one row per patient{named}"
    )
