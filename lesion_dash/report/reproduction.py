"""How to make a report anew: provenance, checksums, and where its inputs lie."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..atlas.atlas import Atlas, atlas_input
from ..atlas.finding import is_known_by_name
from ..cohort.cohort import cohort_input
from ..core.text import enumerated
from ..files.listing import has_image_ending
from ..files.paths import AnyPath, UrlPath, as_path
from ..files.writing import provenance_bytes
from .findings import (
    Findings,
    Side,
    atlas_files,
    file_name,
    table_to_name,
    without_folders,
)


def report_inputs(findings: Findings) -> list[dict[str, Any]]:
    """Cohorts and atlases as inputs; see `cohort_input`."""
    atlases = map(atlas_input, findings.atlases)
    return [
        *(_cohort(findings, side) for side in findings.sides),
        *(atlas | {"files": [_by_name(file) for file in atlas["files"]]} for atlas in atlases),
    ]


def report_provenance(findings: Findings, day: date, sums: dict[str, str]) -> bytes:
    """The content of ``provenance.json``; its only date is the day that is given."""
    counts: dict[str, Any] = {
        f"{what}_{side.letter}": number
        for side in findings.sides
        for what, number in (("patients", side.cohort.n_patients), ("voxels", side.stats.voxels))
    }
    if findings.overlap is not None:
        counts["voxels_both"] = findings.overlap.both.voxels
    if findings.differences is not None:
        counts["voxels_mean_difference"] = findings.differences.compared.voxels
    parameters, inputs = findings.request.parameters, report_inputs(findings)
    content = json.loads(provenance_bytes("report", parameters, inputs, counts, sums))
    text = json.dumps(content | {"created": day.isoformat()}, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def checksum_tables(findings: Findings) -> list[tuple[str, list[list[str]]]]:
    """The name of each input, and a row (file, status, SHA-256) for each of its files."""
    # Two cohorts may be parts of one folder: their own names tell them apart.
    names = [findings.owner(side) for side in findings.sides]
    names += [atlas.name for atlas in findings.atlases]
    tables = []
    for name, content in zip(names, report_inputs(findings), strict=True):
        rows = [
            [file["file"], file.get("status", "read"), file["sha256"] or "not read"]
            for file in content["files"]
        ]
        if participants := content.get("participants"):
            if units := participants.get("units"):
                rows.insert(0, [units["file"], "units of its columns", units["sha256"]])
            rows.insert(0, [participants["file"], "participants table", participants["sha256"]])
        tables.append((name, rows))
    return tables


def _cohort(findings: Findings, side: Side) -> dict[str, Any]:
    content = cohort_input(side.cohort)
    for file in content["files"]:
        if "reason" in file:
            file["reason"] = without_folders(file["reason"], findings.cohorts)
    if "notes" in content:
        content["notes"] = findings.without_folders(content["notes"])
    participants = content["participants"]
    return content | {
        "folder": side.folder,
        "participants": participants and _by_name(participants),
    }


def _by_name(file: dict[str, Any]) -> dict[str, Any]:
    """A file as an input, and that of its units, called by their names without folders."""
    units = {"units": _by_name(file["units"])} if "units" in file else {}
    return file | {"file": file_name(file["file"])} | units


@cache  # reading the metadata of eight packages takes half as long as the rest of a page
def versions() -> dict[str, str]:
    """Name and version of what was used."""
    own = {"lesion_dash": version("lesion-dash"), "Python": platform.python_version()}
    packages = ("numpy", "scipy", "nibabel", "nilearn", "matplotlib", "pandas")
    return own | {name: version(name) for name in packages}


# Where the inputs lie, relative to one folder in which command and Python can be run.
#
# A report holds no absolute path, so that it is the same wherever a study is copied to, and tells
# nothing of anybody's folders. It does hold the short paths below the folder that all inputs share:
# they belong to the study.


_MAX_DEPTH = 2
"""Folders between the shared folder and an input, at most: farther apart, they are not study. As in
``study/atlas/areas/areas.nii.gz``; arbitrary."""

_HOMES = ("home", "Users")
"""Folders right below the root whose folders are called after persons."""

_UNKNOWN = Path("/")
"""Assumed folder of an input that is not on this computer: near no other input."""


@dataclass(frozen=True)
class Again:
    """How the page says that it is made again.

    Parameters
    ----------
    where_to_run : str
        See `Places.summary`.
    command, python : str
    """

    where_to_run: str
    command: str
    python: str


@dataclass(frozen=True)
class Places:
    """Names of the inputs of a report in its command.

    Parameters
    ----------
    folders : tuple of str
        Of the cohorts.
    participants : str or None
        The table, where it is not the one that is found beside the masks and must be given.
    atlases : tuple of tuple of str
        Image or folder of maps, and label table; or a name of the library.
    held : tuple of str
        Inputs in the folder in which the command is to be run; they identify it.
    elsewhere : tuple of str
        Other inputs, by their names alone.
    """

    folders: tuple[str, ...]
    participants: str | None
    atlases: tuple[tuple[str, ...], ...]
    held: tuple[str, ...]
    elsewhere: tuple[str, ...]

    @property
    def summary(self) -> str:
        """In which folder the command is to be run, and which paths must be filled in there."""
        lines = [f"Run in the folder that holds {enumerated(self.held)}."] if self.held else []
        if self.elsewhere:
            is_one = len(self.elsewhere) == 1
            verb, what = ("lies", "its path") if is_one else ("lie", "their paths")
            lines.append(f"{enumerated(self.elsewhere)} {verb} elsewhere: write {what} there.")
        return " ".join(lines) or "Run in any folder."


@dataclass(frozen=True)
class _Input:
    """A folder or file; `place` is None for a URL and for a name of the atlas library."""

    name: str
    place: Path | None

    def lies_in(self, base: Path | None) -> bool:
        return base is not None and self.place is not None and _is_near(base, self.place)

    def seen_from(self, base: Path | None) -> str:
        """Its path below the folder, or its name where it does not lie there."""
        if base is None or self.place is None or not _is_near(base, self.place):
            return self.name
        return self.place.relative_to(base).as_posix()


def find_places(findings: Findings) -> Places:
    """Names of the inputs, relative to the folder that they share."""
    cohorts = [_input(side.folder, side.cohort.folder.resolve()) for side in findings.sides]
    named, implied = _tables(findings)
    atlases = [*map(_atlas_inputs, findings.atlases)]
    of_atlases = [each for own in atlases for each in own]
    base = shared_folder(_places([*cohorts, *named, *implied, *of_atlases])) or shared_folder(
        _places(cohorts)
    )
    held = [each for each in (*cohorts, *implied, *named, *of_atlases) if each.lies_in(base)]
    written = [each for each in (*cohorts, *named, *of_atlases) if each.place is not None]
    return Places(
        tuple(each.seen_from(base) for each in cohorts),
        next((each.seen_from(base) for each in named), None),
        tuple(tuple(each.seen_from(base) for each in own) for own in atlases),
        tuple(dict.fromkeys(each.seen_from(base) for each in held)),
        tuple(dict.fromkeys(each.name for each in written if each not in held)),
    )


def _tables(findings: Findings) -> tuple[list[_Input], list[_Input]]:
    """Participants tables that must be given, and those that are found above a cohort's folder."""
    path = table_to_name(findings.cohorts)
    if path is not None:
        return [_input(path.name, path)], []
    tables = [(side.cohort.participants, side.cohort.folder.resolve()) for side in findings.sides]
    above = [
        _input(table.path.name, table.path)
        for table, folder in tables
        if table is not None and table.path.resolve().parent != folder
    ]
    return [], above


def _atlas_inputs(atlas: Atlas) -> list[_Input]:
    """Image, or the folder of several, and table; or a name that `load_atlas` knows."""
    names = atlas_files(atlas)
    if is_known_by_name(atlas.name):
        return [_Input(name, None) for name in names]
    images = [path for path in atlas.sources if has_image_ending(path)]
    tables = [path for path in atlas.sources if not has_image_ending(path)]
    if len(images) > 1:
        images = [str(as_path(images[0]).parent)]
    if not images:  # was made in memory
        return [_Input(name, _UNKNOWN / name) for name in names]
    return [_input(name, path) for name, path in zip(names, [*images, *tables], strict=True)]


def _input(name: str, path: AnyPath | str) -> _Input:
    """A local folder or file, or a URL; of a symbolic link the place of the link itself."""
    local = as_path(path)
    if isinstance(local, UrlPath):
        return _Input(str(local), None)
    if not local.exists():
        return _Input(name, _UNKNOWN / name)
    return _Input(name, local.parent.resolve() / local.name)


def shared_folder(places: Sequence[Path]) -> Path | None:
    """The deepest folder that holds all places; None where that is not a folder of a study.

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
    return [each.place for each in inputs if each.place is not None]


def _is_near(base: Path, place: Path) -> bool:
    return place.is_relative_to(base) and len(place.relative_to(base).parts) <= _MAX_DEPTH + 1
