"""Where the inputs lie, seen from one folder in which command and Python can be run.

A report holds no path of the computer it was made on, so that it is the same wherever a study is
copied to, and tells nothing of anybody's folders. It does hold the short ways down from the folder
that all inputs share: they belong to the study.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..atlas import Atlas
from ..atlas_library import is_library_name
from ..files import AnyPath, as_path, has_image_ending
from .findings import Findings
from .names import atlas_files, table_to_name
from .quantities import list_words

_DEEPEST = 2
"""Folders between the shared folder and an input, at most: farther apart, they are no study."""

_HOMES = ("home", "Users")
"""Folders right below the root whose folders are called after persons."""


_UNKNOWN = Path(os.sep)
"""Where that which has no place is taken to lie: far from everything."""


@dataclass(frozen=True)
class Places:
    """What the inputs of a report are called in a command.

    Parameters
    ----------
    folders : tuple of str
        Of the cohorts.
    participants : str or None
        A table that must be named, as it does not lie where it is looked for.
    atlas : tuple of str
        Image or folder of maps, and label table; or a name of the library.
    held : tuple of str
        What lies in the folder in which the command is run, by which one knows it.
    elsewhere : tuple of str
        What does not, and is called by its name alone.
    """

    folders: tuple[str, ...]
    participants: str | None
    atlas: tuple[str, ...]
    held: tuple[str, ...]
    elsewhere: tuple[str, ...]

    @property
    def words(self) -> str:
        """Where the command is to be run, and what must be written anew there."""
        told = [f"Run in the folder that holds {list_words(self.held)}."] if self.held else []
        if self.elsewhere:
            one = len(self.elsewhere) == 1
            verb, what = ("lies", "its path") if one else ("lie", "their paths")
            told.append(f"{list_words(self.elsewhere)} {verb} elsewhere: write {what} there.")
        return " ".join(told) or "Run in any folder."


@dataclass(frozen=True)
class _Input:
    """A folder or file; its name is enough where it has no place on this computer."""

    name: str
    place: Path | None

    def seen_from(self, base: Path | None) -> str:
        """The way down to it, or its name where there is none."""
        if base is None or self.place is None or not _is_near(base, self.place):
            return self.name
        return self.place.relative_to(base).as_posix()


def find_places(findings: Findings) -> Places:
    """What the inputs are called, seen from the folder that they share."""
    cohorts = [_input(side.folder, side.cohort.folder.resolve()) for side in findings.sides]
    named, beside = _tables(findings)
    atlas = _atlas_inputs(findings.atlas) if findings.atlas is not None else []
    files = [*named, *beside, *atlas]
    base = shared_folder(_places([*cohorts, *files])) or shared_folder(_places(cohorts))
    held = [one for one in (*cohorts, *beside, *named, *atlas) if _lies_in(base, one)]
    written = [one for one in (*cohorts, *named, *atlas) if one.place is not None]
    return Places(
        tuple(one.seen_from(base) for one in cohorts),
        next((one.seen_from(base) for one in named), None),
        tuple(one.seen_from(base) for one in atlas),
        tuple(dict.fromkeys(one.seen_from(base) for one in held)),
        tuple(dict.fromkeys(one.name for one in written if one not in held)),
    )


def _tables(findings: Findings) -> tuple[list[_Input], list[_Input]]:
    """Participants tables that must be named, and those that are found above a cohort's folder."""
    name = table_to_name(findings.cohorts)
    if name is not None:
        return [_input(name.name, name)], []
    tables = [(side.cohort.participants, side.cohort.folder.resolve()) for side in findings.sides]
    above = [
        _input(table.path.name, table.path)
        for table, folder in tables
        if table is not None and table.path.resolve().parent != folder
    ]
    return [], above


def _atlas_inputs(atlas: Atlas) -> list[_Input]:
    """Image, or the folder of several, and table; a name of the library lies nowhere."""
    names = atlas_files(atlas)
    if is_library_name(atlas.name):
        return [_Input(name, None) for name in names]
    images = [path for path in atlas.sources if has_image_ending(path)]
    tables = [path for path in atlas.sources if not has_image_ending(path)]
    if len(images) > 1:
        images = [str(as_path(images[0]).parent)]
    if not images:  # was made in memory
        return [_Input(name, _UNKNOWN / name) for name in names]
    return [_input(name, path) for name, path in zip(names, [*images, *tables], strict=True)]


def _input(name: str, path: AnyPath | str) -> _Input:
    """A local folder or file, a link by its own name; or what lies behind a URL."""
    if not isinstance(path, Path) and "://" in str(path):
        return _Input(str(path), None)
    local = Path(str(path))
    if not local.exists():
        return _Input(name, _UNKNOWN / name)
    return _Input(name, local.parent.resolve() / local.name)


def shared_folder(places: Sequence[Path]) -> Path | None:
    """The deepest folder that holds all of them; None where that is no folder of a study.

    Examples
    --------
    >>> places = [Path("/data/study/masks"), Path("/data/atlases/areas.nii.gz")]
    >>> shared_folder(places) == Path("/data")
    True
    >>> shared_folder([Path("/home/ann/masks"), Path("/home/bob/areas.nii.gz")]) is None
    True
    """
    if not places:
        return None
    try:
        base = Path(os.path.commonpath([place.parent for place in places]))
    except ValueError:  # two drives have none
        return None
    is_general = base == base.parent or (base.parent == base.parent.parent and base.name in _HOMES)
    return None if is_general or not all(_is_near(base, place) for place in places) else base


def _places(inputs: Iterable[_Input]) -> list[Path]:
    return [one.place for one in inputs if one.place is not None]


def _is_near(base: Path, place: Path) -> bool:
    return place.is_relative_to(base) and len(place.relative_to(base).parts) <= _DEEPEST + 1


def _lies_in(base: Path | None, one: _Input) -> bool:
    return base is not None and one.place is not None and _is_near(base, one.place)
