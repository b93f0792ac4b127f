"""The participants table, its patients and units, and who of them is included."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..core.errors import InputError, SetupError
from ..files.listing import strip_ending
from ..files.paths import AnyPath, PathInput, as_path, is_below
from ..files.reading import PARTICIPANTS, SMALLER, read_text, unfetched_link

if TYPE_CHECKING:
    import pandas as pd


_CACHED_TEXTS = 2**14  # cells, arbitrary: a filter reads the same ones with each of its changes
_MISSING = {"", "n/a", "na", "nan", "none", "null", "missing"}


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value.

    Examples
    --------
    >>> is_missing("n/a"), is_missing(" Missing "), is_missing("0")
    (True, True, False)
    """
    return cell.strip().lower() in _MISSING


@lru_cache(_CACHED_TEXTS)
def number_of(cell: str) -> float | None:
    """The finite number that a cell holds, or None.

    Examples
    --------
    >>> number_of(" 61.5"), number_of("M")
    (61.5, None)
    """
    try:
        number = float(cell)
    except ValueError:
        return None
    # Python reads 1_000 as a thousand; no table means that.
    return number if isfinite(number) and "_" not in cell else None


def value_text(value: object) -> str:
    """A value as a table shows it: 1, 1.0 and ``1`` are one; F and f are two.

    Examples
    --------
    >>> value_text(1.0), value_text("1.50"), value_text(" F ")
    ('1', '1.5', 'F')
    """
    return _text_words(str(value).strip())


@lru_cache(_CACHED_TEXTS)
def _text_words(text: str) -> str:
    if re.fullmatch(r"[+-]?\d{1,300}", text):
        return str(int(text))  # long codes must not lose their last digits
    number = number_of(text)
    if number is None:
        return text
    return str(int(number)) if number.is_integer() else str(number)


_OF_BIDS = {"age": "years"}
"""Units of columns that BIDS knows by their names, in small letters, where no file says more."""

_SPELT_OUT = {
    short: f"{unit}s"
    for unit, shorts in {
        "year": ("a", "y", "yr", "yrs", "year"),
        "month": ("mo", "month"),
        "week": ("wk", "week"),
        "day": ("d", "day"),
    }.items()
    for short in shorts
}
_LONGEST = 30  # characters of a unit: the heading of a column has no space for more


@dataclass(frozen=True)
class Units:
    """Units by column.

    Parameters
    ----------
    by_column : dict
        Column to its unit, where the file gives one; empty where that cannot be shown.
    path : Path or UrlPath, optional
        The file, where there is one that could be used.
    sha256 : str
        Of the file.
    notes : tuple of str
        Why a file beside the table is not used.
    """

    by_column: dict[str, str] = field(default_factory=dict)
    path: AnyPath | None = None
    sha256: str = ""
    notes: tuple[str, ...] = ()

    def of(self, column: str) -> str:
        """The unit of a column, that of BIDS where the file says none; empty where nobody knows.

        Examples
        --------
        >>> Units().of("Age"), Units({"age": "months"}).of("age"), Units().of("nihss")
        ('years', 'months', '')
        """
        if column in self.by_column:
            return self.by_column[column]
        folded = column.casefold()
        # The file may give a unit for a column that is spelt otherwise, and mean this one.
        is_unsure = any(name.casefold() == folded for name in self.by_column)
        return "" if is_unsure else _OF_BIDS.get(folded, "")


def read_units(table: AnyPath, root: AnyPath | None = None) -> Units:
    """Read the units that the JSON file next to a participants table gives, such as for age.

    A file that leads out of the root is not read; of one that cannot be used there is a note, as
    the table itself can be.

    References
    ----------
    BIDS 1.10, "Participants file" and "Tabular files": https://bids-specification.readthedocs.io
    """
    try:
        path = table.with_suffix(".json")
        if path == table or not path.is_file():
            return Units()
    except InputError:
        raise  # a server that does not answer
    except (OSError, ValueError):
        return Units()  # no file can have this name
    if root is not None and not is_below(path.resolve(), root):
        return Units()
    try:
        text, _, sha256 = read_text(path)
        columns = _read_columns(path, text)
    except SetupError:
        raise
    except InputError as error:
        return Units(notes=(f"{path.name} beside the table is not used: {error.reason}",))
    units = {name: _unit(facts.get("Units")) for name, facts in columns.items()}
    return Units({name: unit for name, unit in units.items() if unit is not None}, path, sha256)


def _read_columns(path: AnyPath, text: str) -> dict[str, dict[str, Any]]:
    try:
        columns = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"is not JSON ({error})") from None
    if not isinstance(columns, dict):
        raise InputError(path, "does not describe columns by their names")
    return {name: facts for name, facts in columns.items() if isinstance(facts, dict)}


def _unit(value: object) -> str | None:
    """A unit as written after a name; None where there is none, empty if it cannot be shown."""
    unit = value.strip() if isinstance(value, str) else ""
    if is_missing(unit):
        return None
    if len(unit) > _LONGEST or not unit.isprintable():
        return ""
    return _SPELT_OUT.get(unit if len(unit) == 1 else unit.casefold(), unit)  # A is ampere


Outcome = Literal["accept", "warn", "reject"]


class FileSum(NamedTuple):
    """A file below the cohort's folder, with its checksum."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient whose masks are counted, or a file that is not, and what became of it.

    Parameters
    ----------
    id : str
        From ``sub-`` in the path, otherwise the file name without its ending, what the names of
        the patient's files share, or the folder where one file name recurs in many folders.
    file : str
        Path below the cohort's folder, the first of several.
    status : str
        ``used`` or ``skipped``.
    outcome : str
        The result of validation: ``accept`` (where skipped: nothing is wrong with it, a condition
        excludes the patient), ``warn`` (used and flagged, or passed over by its name), or
        ``reject`` (opened and refused).
    reasons : tuple of str
        Why it was skipped, or what was unusual about it, a sentence each.
    voxels : int
        Lesioned voxels, 0 where skipped; tables leave it empty then.
    volume_mm3 : float
        Volume of the lesion in mm³.
    sha256 : str
        Checksum of the file, empty where it was not read.
    others : tuple of FileSum
        Files of the same patient that count together with it.
    is_left_out : bool
        Whether it is skipped for the sake of other files of the patient, by name or by choice.
    """

    id: str
    file: str
    status: str
    outcome: Outcome = "accept"
    reasons: tuple[str, ...] = ()
    voxels: int = 0
    volume_mm3: float = 0.0
    sha256: str = ""
    others: tuple[FileSum, ...] = ()
    is_left_out: bool = False

    @property
    def files(self) -> tuple[FileSum, ...]:
        """All files that count for this patient."""
        return (FileSum(self.file, self.sha256), *self.others)

    @property
    def reason(self) -> str:
        """The reasons in one line."""
        return "; ".join(self.reasons)


@lru_cache(_CACHED_TEXTS)
def subject_of(file: str) -> str:
    """The BIDS subject in a file's path, or its name without the ending.

    Examples
    --------
    >>> subject_of("sub-07/anat/lesion.nii.gz"), subject_of("bwsrsub-12_lesion.nii.gz")
    ('sub-07', 'sub-12')
    >>> subject_of("patient 3.nii")
    'patient 3'
    """
    parts = unicodedata.normalize("NFC", file).split("/")
    for part in reversed(parts):
        if subject := re.search(r"sub-[^\W_]+", part):
            return subject.group()
    return strip_ending(parts[-1])


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
        Subject without ``sub-`` to its values, one per column; an empty string where missing.
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
            added[name] = texts
            with suppress(ValueError):  # it holds more than numbers
                added[name] = pd.to_numeric(texts)
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
    candidates = (place / name for place in places for name in FILE_NAMES)
    # A link to a table that was not fetched leads nowhere, and is told.
    present_ones = (path for path in candidates if path.is_file() or unfetched_link(path))
    present = next(present_ones, None)
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
    """Read a table with a header and a row per patient, separated by tabs, commas or semicolons.

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
        del row[id_column]
        rows[key] = tuple("" if is_missing(cell) else cell.strip() for cell in row)
    if not rows:
        raise InputError(path, "holds no participants", "it needs a header and a row per patient")
    del header[id_column]
    units = read_units(path, root)
    return Participants(path, tuple(header), rows, (*notes, *units.notes), sha256, units)


def _rows(path: AnyPath, text: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that holds any text, with its number.

    Each line is a row of its own, so that a quote that is not closed takes in no other row.
    """
    lines = _LINE_ENDS.split(text)
    separator = max("\t,;", key=lines[0].count)
    for number, line in enumerate(lines, start=1):
        try:
            row = line.split(separator)
            if '"' in line:  # seldom, and several times slower
                row = next(csv.reader([line], delimiter=separator))
        except csv.Error as error:
            raise InputError(path, f"is not a table ({error})") from None
        if any(row):
            yield number, row


def _check_id(path: AnyPath, number: int, text: str) -> str:
    """A name that steps out of its folder must not reach the name of a file."""
    if not text or "/" in text or "\\" in text or ".." in text or not text.isprintable():
        problem = f"row {number}: {text!r} is not a valid patient name"
        raise InputError(path, problem, "use letters, digits, - and _")
    return text


def _key(subject: str) -> str:
    return subject.removeprefix("sub-")
