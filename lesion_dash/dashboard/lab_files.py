"""The files the ROI lab offers: images with the folders above them, and tables beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import traitlets as t

from ..cohort.participants import Participants, read_participants
from ..core.errors import InputError
from ..files.listing import is_confined, strip_ending
from .data_root import DataRoot
from .image_files import ImageFiles

_TABLES = (".tsv", ".csv", ".txt")
_OF_CONDITIONS = ("event", "label", "condition")
"""A table beside a run is taken for the run's where its name holds one of these words."""


class LastFolder(t.HasTraits):
    """The folder that a file was last looked for in."""

    name = t.Unicode("", help="empty where none was chosen yet")


@dataclass(frozen=True)
class LabFiles:
    """Every image below the data root, also seen from the folders above; nothing else is read.

    Parameters
    ----------
    root : DataRoot
    """

    root: DataRoot
    _counts: dict[str, dict[str, int]] = field(default_factory=dict, init=False, compare=False)

    @cached_property
    def _own(self) -> ImageFiles:
        return ImageFiles(self.root)

    @cached_property
    def last(self) -> LastFolder:
        """The folder that is offered first where the next file is chosen."""
        return LastFolder()

    @property
    def folders(self) -> dict[str, int]:
        """Names of the folders with images in them or below them, and how many those are."""
        listed = self._own.folders
        if self._counts.get("") != listed:
            self._counts.clear()
            self._counts.update({"": listed, "all": self._count_above(listed)})
        return self._counts["all"]

    def _count_above(self, listed: Mapping[str, int]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for name, count in listed.items():
            for above in self._above(name):
                counts[above] = counts.get(above, 0) + count
        return dict(sorted(counts.items()))

    def images(self, folder: str) -> tuple[str, ...]:
        """Names of the images in a listed folder and below it, as paths from there."""
        self._check(folder)
        choices = []
        for own in self._own.folders:
            if folder in self._above(own):
                place = PurePosixPath(own).relative_to(folder)
                choices += [(place / name).as_posix() for name in self._own.names(own)]
        return tuple(sorted(choices))

    def tables(self, folder: str) -> tuple[str, ...]:
        """Names of the tables that lie beside these images, as paths from the folder."""
        top = self._place(folder)
        places = {PurePosixPath(name).parent for name in self.images(folder)}
        tables = [(place / name).as_posix() for place in places for name in _tables_in(top / place)]
        return tuple(sorted(tables))

    def tables_of(self, folder: str, images: Sequence[str]) -> dict[str, str]:
        """The table of conditions of each run, empty where none lies beside it.

        It has the run's name up to the last underscore, as in BIDS; or it is the only one beside.
        """
        top = self._place(folder)
        places = {PurePosixPath(name).parent for name in images}
        tables = {place: _tables_of_conditions(top / place) for place in places}
        return {name: _choose_table(name, tables[PurePosixPath(name).parent]) for name in images}

    def paths(self, folder: str, names: Sequence[str]) -> tuple[str, ...]:
        """The images or tables behind listed names.

        Raises
        ------
        InputError
            Where a name is not listed, or a file does not lie below the data root.
        """
        known = {*self.images(folder), *self.tables(folder)}
        for name in names:
            if name not in known:
                raise InputError(name, "is not a file of this folder", "choose one from the list")
        return tuple(str(self._inside(self._place(folder) / name)) for name in names)

    def path(self, folder: str, name: str) -> str:
        """The one behind a listed name; see `paths`."""
        return self.paths(folder, [name])[0]

    def folder_path(self, name: str) -> str:
        """The path of a listed folder.

        Raises
        ------
        InputError
            Where the name is not listed, or the folder does not lie below the data root.
        """
        self._check(name)
        return str(self._inside(self._place(name)))

    def participants(self, folder: str) -> Participants | None:
        """The participants table of a folder of masks, None where there is none."""
        place = Path(self.folder_path(folder))
        return read_participants(place, self.images(folder), within=self.root.within(folder))[0]

    def columns(self, folder: str) -> dict[str, tuple[str, ...]]:
        """The columns of the participants table, each with the values that its patients have."""
        table = self.participants(folder)
        if table is None:
            return {}
        rows = [table.values_of(name) for name in self.images(folder)]
        return {
            name: tuple(sorted({row[place] for row in rows if row[place]}))
            for place, name in enumerate(table.columns)
        }

    def runs_like_the_first(self, folder: str) -> tuple[str, ...]:
        """The runs that have a table, and the name of the first such but for its numbers."""
        tables = self.tables_of(folder, self.images(folder))
        runs = [run for run, table in tables.items() if table]
        return tuple(run for run in runs if _without_numbers(run) == _without_numbers(runs[0]))

    def _check(self, folder: str) -> None:
        if folder not in self.folders:
            raise InputError(folder, "is not a folder of images", "choose one from the list")

    def _place(self, folder: str) -> Path:
        self._check(folder)
        return self.root.place(folder)

    def _above(self, name: str) -> list[str]:
        """A listed folder and those above it, the lowest first."""
        names = [name, *map(str, PurePosixPath(name).parents)]
        return [each for each in names if self.root.is_own(each) == self.root.is_own(name)]

    @staticmethod
    def _inside(path: Path) -> Path:
        if not is_confined(path):
            raise InputError(path.name, "lies outside the data root", "choose another one")
        return path


def _tables_in(folder: Path) -> list[str]:
    names = (path.name for path in folder.iterdir() if path.suffix.lower() in _TABLES)
    return sorted(name for name in names if not name.startswith("."))


def _tables_of_conditions(folder: Path) -> dict[str, list[str]]:
    """The names of the tables of conditions in a folder, by their beginnings."""
    tables: dict[str, list[str]] = {}
    for name in _tables_in(folder):
        if any(word in name.lower() for word in _OF_CONDITIONS):
            tables.setdefault(_beginning(name), []).append(name)
    return tables


def _choose_table(image: str, tables: Mapping[str, list[str]]) -> str:
    """The table among those beside a run that is the run's, as a path like the run's."""
    beginning, general = _beginning(image), tables.get("", [])
    own = tables.get(beginning, []) if beginning else []
    chosen = own or (general if len(general) == 1 else [])
    return PurePosixPath(image).with_name(chosen[0]).as_posix() if chosen else ""


def _beginning(name: str) -> str:
    """A file's name up to its last underscore; empty where it has none."""
    return strip_ending(PurePosixPath(name).name).rpartition("_")[0]


def _without_numbers(name: str) -> str:
    return "".join(sign for sign in name if not sign.isdigit())
