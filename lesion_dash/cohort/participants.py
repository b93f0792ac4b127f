"""The participants table that is joined to a cohort."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import InputError, SetupError
from ..files import PARTICIPANTS, SMALLER, AnyPath, PathInput, as_path, is_below, read_text
from .cells import is_missing
from .patients import subject_of
from .units import Units, read_units

if TYPE_CHECKING:
    import pandas as pd

FILE_NAMES = ("participants.tsv", "participants.csv")
ID_COLUMNS = ("participant_id", "patient", "patient_id", "subject", "subject_id")
"""Names a column of patient ids may have; otherwise the first column is taken."""

_LINE_ENDS = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, eq=False)
class Participants:
    """What a table says of each subject, as it was written.

    Parameters
    ----------
    path : Path or UrlPath
    columns : tuple of str
        Without the id column.
    rows : dict
        Subject without ``sub-`` to its values, one a column; an empty string where missing.
    units : Units
        Of the columns.
    """

    path: AnyPath
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    sha256: str = ""
    units: Units = field(default_factory=Units)

    def values_of(self, file: str) -> tuple[str, ...]:
        """The values of the subject a file belongs to, empty strings where it has no row."""
        return self.rows.get(_key(subject_of(file)), ("",) * len(self.columns))

    def join(self, table: pd.DataFrame) -> pd.DataFrame:
        """Add the columns of this table to one with a column ``file``."""
        import pandas as pd

        values = [self.values_of(file) for file in table["file"]]
        added: dict[str, pd.Series] = {}
        for position, column in enumerate(self.columns):
            texts = pd.Series([row[position] or None for row in values], table.index, object)
            name = column
            while name in table or name in added:
                name = f"participant_{name}"
            added[name] = _as_numbers(texts)
        # Together: one by one, each of a thousand columns would copy those before it.
        return pd.concat([table, pd.DataFrame(added, table.index)], axis=1)


def read_participants(
    folder: AnyPath,
    path: PathInput | None = None,
    within: PathInput | None = None,
) -> tuple[Participants | None, tuple[str, ...]]:
    """Read the named participants table, or the one in the cohort's folder or the one above.

    Returns
    -------
    participants : Participants or None
    notes : tuple of str
        What is wrong with a table that nobody named, or with its units: it must not stop a cohort.

    Raises
    ------
    InputError
        Where the named table cannot be used.
    """
    root = None if within is None else as_path(within).resolve()
    if path is not None:
        named = read_participants_table(as_path(path), root)
        return named, named.units.notes
    folder = folder.resolve()
    places = [place for place in (folder, folder.parent) if root is None or is_below(place, root)]
    found = [place / name for place in places for name in FILE_NAMES]
    present = next((candidate for candidate in found if candidate.is_file()), None)
    if present is None or (root is not None and not is_below(present.resolve(), root)):
        return None, ()
    try:
        table = read_participants_table(present, root)
    except SetupError:
        raise
    except InputError as error:
        return None, (f"{present.name} beside the masks is not used: {error.reason}",)
    else:
        return table, table.units.notes


def read_participants_table(path: AnyPath, root: AnyPath | None = None) -> Participants:
    """Read a table with a header and a row a patient, separated by tabs, commas or semicolons.

    Parameters
    ----------
    path : Path or UrlPath
    root : Path or UrlPath, optional
        The file of units beside the table is not read where it leads out of this folder.

    Raises
    ------
    InputError
        Naming the row and what is wrong with it.
    """
    text, notes, sha256 = read_text(path, PARTICIPANTS, "\t,;")
    numbered = _rows(path, text)
    header = [name.strip() for _, row in islice(numbered, 1) for name in row]
    if fault := PARTICIPANTS.fault(columns=len(header)):
        raise InputError(path, fault, SMALLER)
    if twice := [name for name, times in Counter(header).items() if times > 1]:
        raise InputError(path, f"has the column {twice[0]!r} twice")
    id_column = next((header.index(name) for name in ID_COLUMNS if name in header), 0)
    rows: dict[str, tuple[str, ...]] = {}
    for number, row in numbered:
        if len(row) != len(header):
            raise InputError(path, f"row {number} has {len(row)} fields, the header {len(header)}")
        key = _key(_check_id(path, number, row[id_column].strip()))
        if key in rows:
            raise InputError(path, f"row {number}: {row[id_column]} has a row already")
        rows[key] = tuple(map(_clean, row[:id_column] + row[id_column + 1 :]))
    if not rows:
        raise InputError(path, "holds no participants", "a header and a row a patient are needed")
    columns = tuple(header[:id_column] + header[id_column + 1 :])
    units = read_units(path, root)
    return Participants(path, columns, rows, (*notes, *units.notes), sha256, units)


def _rows(path: AnyPath, text: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row with its number, one by one; those without any text are left out.

    A quote that is not closed takes no other row in.
    """
    lines = _LINE_ENDS.split(text)
    separator = max("\t,;", key=lines[0].count)
    for number, line in enumerate(lines, start=1):
        try:
            row = _quoted(line, separator) if '"' in line else line.split(separator)
        except csv.Error as error:
            raise InputError(path, f"is no table ({error})") from None
        if any(row):
            yield number, row


def _quoted(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator))


def _check_id(path: AnyPath, number: int, text: str) -> str:
    """A name that steps out of its folder must not reach the name of a file."""
    if not text or "/" in text or "\\" in text or ".." in text or not text.isprintable():
        problem = f"row {number}: {text!r} is not a valid patient name"
        raise InputError(path, problem, "use letters, digits, - and _")
    return text


def _key(subject: str) -> str:
    return subject.removeprefix("sub-")


def _clean(value: str) -> str:
    text = value.strip()
    return "" if is_missing(text) else text


def _as_numbers(texts: pd.Series) -> pd.Series:
    import pandas as pd

    try:
        return pd.to_numeric(texts)
    except ValueError:
        return texts
