"""The participants table that is joined to a cohort."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..files import read_text
from .patients import subject_of

if TYPE_CHECKING:
    import pandas as pd

FILE_NAMES = ("participants.tsv", "participants.csv")
_MISSING = {"", "n/a", "na", "nan", "none", "null"}


@dataclass(frozen=True, eq=False)
class Participants:
    """What a table says of each subject, as it was written.

    Parameters
    ----------
    path : Path
    columns : tuple of str
        Without the id column.
    rows : dict
        Subject without ``sub-`` to its values, one a column; an empty string where missing.
    """

    path: Path
    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]

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
            name = column if column not in table else f"participant_{column}"
            joined[name] = _as_numbers(texts)
        return joined


def read_participants(
    folder: Path, path: str | os.PathLike[str] | None = None
) -> Participants | None:
    """Read a participants table, or find one in the cohort's folder or the one above.

    Raises
    ------
    InputError
        Where the named table is missing, has no header, or a subject twice.
    """
    if path is None:
        found = [above / name for above in (folder, folder.parent) for name in FILE_NAMES]
        present = [candidate for candidate in found if candidate.is_file()]
        return _parse(present[0]) if present else None
    return _parse(Path(path).expanduser())


def _parse(path: Path) -> Participants:
    text = read_text(path)
    separator = max("\t,;", key=text.partition("\n")[0].count)
    lines = [row for row in csv.reader(text.splitlines(), delimiter=separator) if any(row)]
    if len(lines) < 2:
        raise InputError(path, "holds no participants", "a header and a row a patient are needed")
    header = [name.strip() for name in lines[0]]
    id_column = header.index("participant_id") if "participant_id" in header else 0
    rows: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise InputError(path, f"row {number} has {len(line)} fields, the header {len(header)}")
        key = _key(line[id_column].strip())
        if key in rows:
            raise InputError(path, f"row {number}: {line[id_column]} has a row already")
        rows[key] = tuple(_clean(value) for i, value in enumerate(line) if i != id_column)
    return Participants(path, tuple(n for i, n in enumerate(header) if i != id_column), rows)


def _key(subject: str) -> str:
    return subject.removeprefix("sub-")


def _clean(value: str) -> str:
    return "" if value.strip().lower() in _MISSING else value.strip()


def _as_numbers(texts: pd.Series) -> pd.Series:
    import pandas as pd

    try:
        return pd.to_numeric(texts)
    except ValueError:
        return texts
