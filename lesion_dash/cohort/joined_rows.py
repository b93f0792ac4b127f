"""Join the rows of a table to files: a row per patient, or one per session."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..core.text import counted, printable
from .ids import Pairing, People, as_written, owners_of
from .names import session_key

_SESSION_COLUMN = re.compile(
    r"(session|ses|sess|visit|timepoint|tp|wave|(redcap)?event)(id|label|name|no|nr|number|code)?"
)
_MOST_NAMED = 6  # columns in a sentence, arbitrary

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
        if len(rows) < 2:
            return set()
        return {
            place
            for place, values in enumerate(zip(*(self.cells[row] for row in rows), strict=True))
            if len(set(values)) > 1
        }


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
    spelt = [re.sub(r"[\W_]+", "", name).casefold() for name in columns]
    place = next((p for p, name in enumerate(spelt) if _SESSION_COLUMN.fullmatch(name)), None)
    texts = of_ids if place is None else [row[place] for row in cells]
    return tuple(session_key(text) if text else "" for text in texts)


def join_rows(table: Rows, people: People, pairing: Pairing, of_these_alone: bool) -> JoinedRows:
    """Give each file the row of its patient, and of its session where there are several."""
    groups: dict[str, list[int]] = {}
    for row, own in enumerate(table.ids):
        groups.setdefault(as_written(own), []).append(row)
    varying = set().union(*map(table.differing, groups.values()))
    by_file: dict[str, Cells] = {}
    unclear: dict[str, set[int]] = {}  # patients with several rows, and the columns left empty
    partly, other = list[str](), list[str]()  # files of another session than their rows
    for file, (person, session) in people.owners.items():
        if person not in pairing.ids:
            by_file[file] = ()
            continue
        rows, left, is_other = _choose(table, groups[pairing.ids[person]], session, varying)
        by_file[file] = _values(table, rows[0], left)
        if is_other:
            (partly if left else other).append(file)
        elif left:
            unclear.setdefault(person, set()).update(left)
    by_id = {own: _values(table, rows[0], table.differing(rows)) for own, rows in groups.items()}
    paired = {as_written(person): by_id[own] for person, own in pairing.ids.items()}
    notes = (
        *_note_on_counts(table, people, pairing, of_these_alone),
        *_note_on_several_rows(table, unclear, groups, pairing),
        *_note_on_sessions(table, partly, other),
    )
    return JoinedRows(by_file, by_id | paired, notes)


def _choose(
    table: Rows, rows: list[int], session: str, varying: set[int]
) -> tuple[list[int], set[int], bool]:
    """The rows a file may have, the columns they leave open, and if they are of other sessions."""
    key = session_key(session)
    own = [row for row in rows if key and table.sessions[row] == key]
    is_other = bool(key) and not own and any(table.sessions[row] for row in rows)
    if is_other and len(rows) == 1:
        return rows, varying, True
    return own or rows, table.differing(own or rows), is_other


def _values(table: Rows, row: int, left: set[int]) -> Cells:
    cells = table.cells[row]
    if not left:
        return cells
    return tuple("" if place in left else cell for place, cell in enumerate(cells))


def _note_on_counts(
    table: Rows, people: People, pairing: Pairing, of_these_alone: bool
) -> tuple[str, ...]:
    """How many patients have a row, where not all have one or not all rows have a mask."""
    if not people.files:
        return ()
    names = [*people.paths]
    without = [person for person in names if person not in pairing.ids]
    paired = set(pairing.ids.values())
    ids = dict.fromkeys(map(as_written, table.ids))
    unused = [own for own in ids if own not in paired]
    if not without and not (unused and of_these_alone):
        return ()
    patients = f"{len(pairing.ids):,} of {counted(len(names), 'patient')}"
    have = "has" if len(names) == 1 else "have"
    example = f", such as {next(iter(pairing.ids))}" if pairing.ids else ""
    parts = [f"{patients} {have} a row in {table.name}{example}"]
    if without:
        parts.append(f"{without[0]} has none")
    if unused:
        first = next(own for own in table.ids if as_written(own) == unused[0])
        have = "has" if len(unused) == 1 else "have"
        noun = counted(len(unused), "row") if len(ids) == len(table.ids) else f"{len(unused):,} ids"
        parts.append(f"{noun} {have} no mask, such as {first}")
    return (printable("; ".join(parts)),)


def _note_on_several_rows(
    table: Rows,
    unclear: dict[str, set[int]],
    groups: dict[str, list[int]],
    pairing: Pairing,
) -> tuple[str, ...]:
    if not unclear:
        return ()
    person = next(iter(unclear))
    rows = [table.numbers[row] for row in groups[pairing.ids[person]]]
    places = sorted(set().union(*unclear.values()))
    columns = _listed([table.columns[place] for place in places])
    has_sessions = any(table.sessions)
    remedy = "keep one row per patient" + (
        ", or name the session in the files as ses-1" if has_sessions else ""
    )
    patients = counted(len(unclear), "patient")
    return (
        printable(
            f"{patients} {'has' if len(unclear) == 1 else 'have'} several rows in {table.name}, "
            f"such as {person} in rows {_listed([*map(str, rows)])}: what differs is left empty "
            f"({columns}); {remedy}"
        ),
    )


def _note_on_sessions(table: Rows, without: list[str], other: list[str]) -> tuple[str, ...]:
    notes = []
    for files, fault in (
        (without, "no row of the own session, what differs between sessions is left empty"),
        (other, "a row of another session"),
    ):
        if files:
            masks = f"{counted(len(files), 'mask')} {'has' if len(files) == 1 else 'have'}"
            where = f"in {table.name}, such as {files[0]}"
            first, _, rest = fault.partition(",")
            notes.append(printable(f"{masks} {first} {where}{':' if rest else ''}{rest}"))
    return tuple(notes)


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join([*names[:_MOST_NAMED], *([f"{more:,} more"] if more > 0 else [])])
