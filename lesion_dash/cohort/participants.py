"""The participants table, its patients and units, and who of them is included."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..core.errors import InputError, SetupError
from ..core.notes import InfoNote, note_on
from ..core.text import counted
from ..files.contents import WORKBOOK_ENDINGS
from ..files.paths import AnyPath, PathInput, as_path, is_below
from ..files.reading import PARTICIPANTS, TableLimits, read_text, unfetched_link
from .cells import is_missing, read_plain_table
from .ids import People
from .joining import JoinedRows, Rows, choose_id_column, is_name, join_rows, sessions_of_rows

if TYPE_CHECKING:
    import pandas as pd


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


FILE_NAMES = ("participants.tsv", "participants.csv")
_ROOT_FILE = "dataset_description.json"
_BEYOND = "in the folder above"
_WORKBOOKS = tuple(f"participants{ending}" for ending in WORKBOOK_ENDINGS)


@dataclass(frozen=True, eq=False)
class Participants:
    """What a table says of each patient, as it was written.

    Parameters
    ----------
    path : Path or UrlPath
    columns : tuple of str
        Without the id column.
    rows : tuple of tuple of str
        The values of each row that has an id, one per column; an empty string where missing.
    ids : tuple of str
        Of the rows.
    notes : tuple of str
        How the table was read and joined, and what of it is left out.
    units : Units
        Of the columns.
    """

    path: AnyPath
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ids: tuple[str, ...]
    notes: tuple[str, ...] = ()
    sha256: str = ""
    units: Units = field(default_factory=Units)
    _joined: JoinedRows = field(default_factory=JoinedRows, repr=False)

    def values_of(self, file: str) -> tuple[str, ...]:
        """The values of the patient a file belongs to, empty strings where there is no row."""
        return self._joined.values_of(file) or ("",) * len(self.columns)

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
    files: Sequence[str],
    path: PathInput | None = None,
    within: PathInput | None = None,
    *,
    is_whole: bool = True,
) -> tuple[Participants | None, tuple[str, ...]]:
    """Read the named participants table, or the one that lies beside the masks or above them.

    That is the one in the cohort's folder or the one above; where the cohort is part of a BIDS
    dataset, the next one up to the dataset's root, and none beyond it.

    Parameters
    ----------
    folder : Path or UrlPath
        Of the cohort.
    files : sequence of str
        Masks, as paths below the folder, to which rows are joined.
    path : path or URL, optional
        The table.
    within : path, optional
        No table is looked for outside this folder.
    is_whole : bool
        The files are all of the folder, so that a row of its table without a file is worth a note.

    Returns
    -------
    participants : Participants or None
    notes : tuple of str
        How the table was read and joined; what is wrong with one that nobody named, as it must not
        stop a cohort.

    Raises
    ------
    InputError
        Where the named table cannot be used.
    """
    root = None if within is None else as_path(within).resolve()
    if path is not None:
        named = read_participants_table(as_path(path), root, files)
        return named, named.notes
    folder = folder.resolve()
    present, place = _find_table(folder, root)
    if present is None or (root is not None and not is_below(present.resolve(), root)):
        return None, ()
    if place == _BEYOND:
        problem = f"{folder.name} is a dataset of its own"
        return None, (f"{present.name} {place} is not used: {problem}",)
    own = is_whole and present.parent == folder
    try:
        table = read_participants_table(present, root, files, own)
    except SetupError:
        raise
    except InputError as error:
        return None, (f"{present.name} {place or 'beside the masks'} is not used: {error.reason}",)
    used = (InfoNote(f"{present.name} {place} is used"),) if place else ()
    return table, (*used, *table.notes)


def _find_table(folder: AnyPath, root: AnyPath | None) -> tuple[AnyPath | None, str]:
    """The nearest table, or else the nearest workbook, and where it lies if not beside the masks.

    BIDS 1.10, "The inheritance principle": a file applies to all folders below its own.
    """
    if (nearest := _file_in(folder, FILE_NAMES)) is not None:
        return nearest, ""
    places = _places(folder, root)
    for names in (FILE_NAMES, _WORKBOOKS):
        for steps, place in enumerate(places):
            if (present := _file_in(place, names)) is not None:
                return present, f"of the dataset {places[-1].name}" if steps > 1 else ""
    above = folder.parent
    if len(places) == 1 and (root is None or is_below(above, root)):
        return _file_in(above, FILE_NAMES), _BEYOND
    return None, ""


def _file_in(folder: AnyPath, names: Sequence[str]) -> AnyPath | None:
    # A link to a table that was not fetched leads nowhere, and is told.
    paths = (folder / name for name in names)
    return next((path for path in paths if path.is_file() or unfetched_link(path)), None)


def _places(folder: AnyPath, root: AnyPath | None) -> list[AnyPath]:
    """The folders where a table of these masks may lie, the nearest first."""
    above = [folder]
    while above[-1].parent != above[-1] and (root is None or is_below(above[-1].parent, root)):
        above.append(above[-1].parent)
    of_dataset = list[AnyPath]()
    for steps, place in enumerate(above, start=1):
        if (place / _ROOT_FILE).is_file():
            of_dataset = above[:steps]
            # Derivatives may have a description of their own below the dataset they are of.
            if "derivatives" not in [higher.name for higher in above[steps : steps + 2]]:
                break
    return of_dataset or above[:2]


def read_participants_table(
    path: AnyPath,
    root: AnyPath | None = None,
    files: Sequence[str] = (),
    of_these_alone: bool = False,
    limits: TableLimits = PARTICIPANTS,
) -> Participants:
    """Read a table with a header and a row per patient, separated by tabs, commas or semicolons.

    Parameters
    ----------
    path : Path or UrlPath
    root : Path or UrlPath, optional
        The file of units beside the table is not read where it leads out of this folder.
    files : sequence of str
        Masks, as paths below their folder, to which rows are joined.
    of_these_alone : bool
        The table is that of these files, so that a row without one is worth a note.
    limits : TableLimits
        A larger table is refused.

    Raises
    ------
    InputError
        Where the table cannot be read, or most rows have no usable id.
    """
    plain = read_plain_table(path, limits)
    people = People(tuple(files))
    column, id_notes = choose_id_column(plain, people)
    without = [row for row, own in enumerate(column.ids) if not own]
    usable = [row for row, own in enumerate(column.ids) if is_name(own)]
    bad = [row for row, own in enumerate(column.ids) if own and not is_name(own)]
    fault, remedy = "", f"write the ids into the column {column.name or 1}"
    if bad:
        name = f"{column.ids[bad[0]]!r} is not a valid patient name"
        fault, remedy = f"row {plain.numbers[bad[0]]}: {name}", "use letters, digits, - and _"
    if len(bad) > len(usable) or not usable:
        fault = fault or f"row {plain.numbers[0]}: '' is not a valid patient name"
        raise InputError(path, fault, remedy)
    others = [place for place, name in enumerate(plain.header) if place != column.place and name]
    columns = tuple(plain.header[place] for place in others)
    rows = tuple(
        tuple("" if is_missing(cell) else cell for cell in map(plain.rows[row].__getitem__, others))
        for row in usable
    )
    ids = tuple(column.ids[row] for row in usable)
    numbers = tuple(plain.numbers[row] for row in usable)
    sessions = sessions_of_rows(columns, rows, [column.sessions[row] for row in usable])
    table = Rows(path.name, columns, rows, ids, numbers, sessions)
    joined = join_rows(table, people, column.pairing, of_these_alone)
    units = read_units(path, root)
    notes = [note if path.name in note else note_on(path.name, note) for note in plain.notes]
    for number, which, example in (
        (len(without), " without an id", without and f"row {plain.numbers[without[0]]}"),
        (len(bad), "", fault),
    ):
        if number:
            notes.append(f"{counted(number, 'row')}{which} of {path.name} excluded: {example}")
    notes += [*id_notes, *joined.notes, *units.notes]
    return Participants(path, columns, rows, ids, tuple(notes), plain.sha256, units, joined)
