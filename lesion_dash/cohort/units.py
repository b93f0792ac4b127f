"""Units of the columns of a participants table, from the JSON file that BIDS puts beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, SetupError
from ..files import AnyPath, is_below, read_text
from .cells import is_missing

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
_LONGEST = 30  # letters: a column's head has room for no more


@dataclass(frozen=True)
class Units:
    """Units by column.

    Parameters
    ----------
    said : dict
        Column to its unit, of those that the file gives one; empty where it cannot be shown.
    path : Path or UrlPath, optional
        The file, where there is one that could be used.
    sha256 : str
        Of the file.
    notes : tuple of str
        Why a file beside the table is not used.
    """

    said: dict[str, str] = field(default_factory=dict)
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
        if column in self.said:
            return self.said[column]
        folded = column.casefold()
        # Of age, the file may say something else that is meant for a column spelt like it.
        is_unsure = any(name.casefold() == folded for name in self.said)
        return "" if is_unsure else _OF_BIDS.get(folded, "")


def read_units(table: AnyPath, root: AnyPath | None = None) -> Units:
    """Read the units that the JSON file beside a participants table gives, such as for age.

    Parameters
    ----------
    table : Path or UrlPath
        ``participants.tsv``; the file is ``participants.json``.
    root : Path or UrlPath, optional
        A file that leads out of this folder is not read.

    Returns
    -------
    Units
        Without any where there is no file; of a file that cannot be used, a note: the table can be.

    References
    ----------
    BIDS 1.10, "Participants file" and "Tabular files": https://bids-specification.readthedocs.io
    """
    path = _beside(table)
    if path is None or (root is not None and not is_below(path.resolve(), root)):
        return Units()
    try:
        text, _, sha256 = read_text(path)
        columns = _columns(path, text)
    except SetupError:
        raise
    except InputError as error:
        return Units(notes=(f"{path.name} beside the table is not used: {error.reason}",))
    found = {name: _unit(said.get("Units")) for name, said in columns.items()}
    return Units({name: unit for name, unit in found.items() if unit is not None}, path, sha256)


def _beside(table: AnyPath) -> AnyPath | None:
    """The file of units of a table, where there is one."""
    try:
        path = table.with_suffix(".json")
        return path if path != table and path.is_file() else None
    except InputError:
        raise  # a server that does not answer
    except (OSError, ValueError):
        return None  # no file can have this name


def _columns(path: AnyPath, text: str) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"is no JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(path, "does not describe columns by their names")
    return {name: said for name, said in found.items() if isinstance(said, dict)}


def _unit(said: object) -> str | None:
    """A unit as it stands after a name; None where none is said, empty where it cannot be shown."""
    unit = said.strip() if isinstance(said, str) else ""
    if is_missing(unit):
        return None
    if len(unit) > _LONGEST or not unit.isprintable():
        return ""
    return _SPELT_OUT.get(unit if len(unit) == 1 else unit.casefold(), unit)  # A is no year
