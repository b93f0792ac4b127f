"""Label tables: which region a label stands for; the format is told from the content."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, replace

from ..core.errors import InputError
from ..files.paths import AnyPath
from ..files.reading import read_text
from . import trees  # noqa: F401 - registers a format
from .formats import FORMATS, Numbering, Region, TableFault, is_background

_REMEDY = "give a CSV or TSV table with these columns, or a FreeSurfer colour table"
_FROM_ONE = "the table counts from 0: labels are its numbers plus 1"
_AS_WRITTEN = "labels are the table's numbers as they are, although it counts from 0"


class UnknownFormat(InputError):
    """A file of text that is not a label table of a known format, nor a broken one."""


@dataclass(frozen=True)
class LabelTable:
    """The regions a table names, and what is unusual about it.

    Parameters
    ----------
    path : Path or UrlPath
    rows : tuple of Region
        As the table numbers them, a row for background included.
    notes : tuple of str
    sha256 : str
    others : tuple of Numbering
        Other readings of the table's numbers, as two columns of numbers allow.
    is_position : bool
        The numbers are places in a list that counts from 0.
    """

    path: AnyPath
    rows: tuple[Region, ...]
    notes: tuple[str, ...] = ()
    sha256: str = ""
    others: tuple[Numbering, ...] = ()
    is_position: bool = False

    @property
    def regions(self) -> tuple[Region, ...]:
        """The rows without the one for background."""
        return self.for_labels(set())[0]

    def for_labels(self, present: set[int]) -> tuple[tuple[Region, ...], tuple[str, ...]]:
        """The regions of an image that holds these labels, by the numbering that fits it best.

        Returns
        -------
        regions : tuple of Region
            Without label 0, which is background in an image of labels.
        notes : tuple of str
            How the numbers were read, where they can be read in more ways than one.
        """
        # As they are, and plus 1 where the table counts regions from 0.
        readings = [Numbering("", self.rows)]
        if any(row.label == 0 and not is_background(row.name) for row in self.rows):
            shifted = tuple(replace(row, label=row.label + 1) for row in self.rows)
            readings.append(Numbering(_FROM_ONE, shifted))
            if self.is_position:
                readings = [readings[1], Numbering(_AS_WRITTEN, self.rows)]
        readings += self.others
        chosen = max(readings, key=lambda reading: len({r.label for r in reading.rows} & present))
        notes: tuple[str, ...] = (chosen.summary,) if chosen.summary else ()
        regions = tuple(region for region in chosen.rows if region.label != 0)
        if len(regions) < len(chosen.rows):
            notes += ("label 0 is background: its row is not used",)
        return regions, notes

    def for_volumes(self, count: int) -> tuple[tuple[Region | None, ...], tuple[str, ...]]:
        """The region of each volume of a 4D image, in order; None where no row names it.

        Rows that no volume belongs to follow after the volumes. A table that counts from 0 keeps
        its 0 here, as a volume has no background.

        Returns
        -------
        regions : tuple of Region or None
            At least `count` of them.
        notes : tuple of str
        """
        rows = {row.label: row for row in self.rows}
        first = 0 if 0 in rows and not (is_background(rows[0].name) and count < len(rows)) else 1
        if first == 1:
            rows.pop(0, None)
        if len(rows) == count and max(rows) != count - 1 + first:
            note = "table numbers are not volume numbers: its rows name the volumes in order"
            return tuple(rows.values()), (note,)
        named = [rows.pop(number, None) for number in range(first, first + count)]
        notes = ("volumes are counted from 0, as in the table",) if first == 0 else ()
        return (*named, *rows.values()), notes


def read_label_table(path: AnyPath) -> LabelTable:
    """Read a label table; its format is told from its content.

    Raises
    ------
    InputError
        Where no known format fits, or a row breaks its rules.
    """
    text, notes, sha256 = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(path, "entities are not allowed in an XML table", "remove its DOCTYPE")
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and re.fullmatch(r'"?sep=.?"?', lines[0].strip(), re.IGNORECASE):
        del lines[0]  # by which Excel names the separator
    if not lines:
        raise InputError(path, "table is empty")
    try:
        parsed = next(filter(None, (parse(lines) for parse, _ in FORMATS)), None)
        if parsed is not None:
            notes += parsed.notes + _check_rows(parsed.rows)
            others = tuple(other for other in parsed.others if not _repeated(other.rows))
            return LabelTable(path, parsed.rows, notes, sha256, others, parsed.is_position)
    except TableFault as fault:
        raise InputError(path, str(fault)) from None
    except csv.Error as error:
        raise InputError(path, f"columns id and name not found ({error})", _REMEDY) from None
    raise UnknownFormat(path, "columns id and name not found", _REMEDY)


def table_fault(path: AnyPath) -> InputError | None:
    """Why a file is not used as a label table; None where it names a region."""
    try:
        regions = read_label_table(path).regions
    except InputError as fault:
        return fault
    return None if regions else InputError(path, "names no region")


def _repeated(rows: tuple[Region, ...]) -> list[int]:
    times = Counter(region.label for region in rows)
    return [label for label, count in times.items() if count > 1]


def _check_rows(rows: tuple[Region, ...]) -> tuple[str, ...]:
    notes = []
    if twice := _repeated(rows):
        raise TableFault(f"id used twice: {twice[0]}")
    names = Counter(region.name for region in rows if region.name)
    if doubled := [name for name, times in names.items() if times > 1]:
        notes.append(f"name used twice: {doubled[0]}")
    if unnamed := [region.label for region in rows if not region.name]:
        notes.append(f"region without a name: label {unnamed[0]}")
    return tuple(notes)
