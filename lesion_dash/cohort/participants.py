"""The participants table that is joined to a cohort."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import InputError, SetupError
from ..files import AnyPath, PathInput, as_path, is_below, read_text
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
        joined = table.copy()
        for position, column in enumerate(self.columns):
            texts = pd.Series([row[position] or None for row in values], dtype=object)
            name = column
            while name in joined:
                name = f"participant_{name}"
            joined[name] = _as_numbers(texts)
        return joined


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
    text, notes, sha256 = read_text(path)
    try:
        numbered = [(number, row) for number, row in enumerate(_rows(text), start=1) if any(row)]
    except csv.Error as error:
        raise InputError(path, f"is no table ({error})") from None
    lines = [row for _, row in numbered]
    if len(lines) < 2:
        raise InputError(path, "holds no participants", "a header and a row a patient are needed")
    header = [name.strip() for name in lines[0]]
    if twice := [name for name in header if header.count(name) > 1]:
        raise InputError(path, f"has the column {twice[0]!r} twice")
    id_column = next((header.index(name) for name in ID_COLUMNS if name in header), 0)
    rows: dict[str, tuple[str, ...]] = {}
    for number, line in numbered[1:]:
        if len(line) != len(header):
            raise InputError(path, f"row {number} has {len(line)} fields, the header {len(header)}")
        key = _key(_check_id(path, number, line[id_column].strip()))
        if key in rows:
            raise InputError(path, f"row {number}: {line[id_column]} has a row already")
        rows[key] = tuple(_clean(value) for i, value in enumerate(line) if i != id_column)
    columns = tuple(name for i, name in enumerate(header) if i != id_column)
    units = read_units(path, root)
    return Participants(path, columns, rows, (*notes, *units.notes), sha256, units)


def _rows(text: str) -> Iterator[list[str]]:
    """The cells of each line, one by one: a quote that is not closed takes no other row in."""
    lines = _LINE_ENDS.split(text)
    separator = max("\t,;", key=lines[0].count)
    return (next(csv.reader([line], delimiter=separator), []) for line in lines)


def _check_id(path: AnyPath, number: int, text: str) -> str:
    """A name that steps out of its folder must not reach the name of a file."""
    if not text or "/" in text or "\\" in text or ".." in text or not text.isprintable():
        problem = f"row {number}: {text!r} is not a valid patient name"
        raise InputError(path, problem, "use letters, digits, - and _")
    return text


def _key(subject: str) -> str:
    return subject.removeprefix("sub-")


def _clean(value: str) -> str:
    return "" if is_missing(value) else value.strip()


def _as_numbers(texts: pd.Series) -> pd.Series:
    import pandas as pd

    try:
        return pd.to_numeric(texts)
    except ValueError:
        return texts
