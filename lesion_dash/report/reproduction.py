"""How to make a report anew: versions, checksums, command and Python."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..atlas.atlas import Atlas, atlas_input
from ..atlas.published import is_library_name
from ..cohort.cohort import cohort_input
from ..core.python_code import call, literal
from ..core.text import shell_word
from ..files.listing import has_image_ending
from ..files.paths import AnyPath, as_path
from ..files.provenance import provenance_bytes
from .findings import (
    Findings,
    Side,
    atlas_files,
    file_name,
    table_to_name,
    versions,
    without_folders,
)
from .words import Html, code, count_words, element, folded, join, list_words, section, table


def report_inputs(findings: Findings) -> list[dict[str, Any]]:
    """Cohorts and atlas as inputs; see `provenance.cohort_input`."""
    found = [_cohort(findings, side) for side in findings.sides]
    if findings.atlas is not None:
        atlas = atlas_input(findings.atlas)
        files = [one | {"file": file_name(one["file"])} for one in atlas["files"]]
        found.append(atlas | {"files": files})
    return found


def report_provenance(findings: Findings, day: date, sums: dict[str, str]) -> bytes:
    """The content of ``provenance.json``; its only date is the day that is given."""
    inputs = report_inputs(findings)
    parameters = findings.request.parameters
    content = json.loads(
        provenance_bytes("report", parameters, inputs, _counts(findings), sums)
    ) | {"created": day.isoformat()}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def _cohort(findings: Findings, side: Side) -> dict[str, Any]:
    found = cohort_input(side.cohort)
    table = found["participants"]
    files = [
        one | {"reason": without_folders(one["reason"], findings.cohorts)}
        if "reason" in one
        else one
        for one in found["files"]
    ]
    return found | {
        "folder": side.folder,
        "participants": table and _without_folders(table),
        "files": files,
    }


def _without_folders(table: dict[str, Any]) -> dict[str, Any]:
    """A participants table, and the file of its units, by their names alone."""
    units = {"units": _without_folders(table["units"])} if "units" in table else {}
    return table | {"file": file_name(table["file"])} | units


def _counts(findings: Findings) -> dict[str, Any]:
    counts: dict[str, Any] = {
        f"{what}_{side.letter}": number
        for side in findings.sides
        for what, number in (("patients", side.cohort.n_patients), ("voxels", side.stats.voxels))
    }
    if findings.overlap is not None:
        counts["voxels_both"] = findings.overlap.both.voxels
    if findings.differences is not None:
        counts["voxels_mean_difference"] = findings.differences.compared.voxels
    return counts


# Where the inputs lie, seen from one folder in which command and Python can be run.
#
# A report holds no path of the computer it was made on, so that it is the same wherever a study is
# copied to, and tells nothing of anybody's folders. It does hold the short ways down from the
# folder that all inputs share: they belong to the study.


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
    def summary(self) -> str:
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


# The command and the lines of Python that make a report anew.


OUTPUT = "report"
"""The folder of the commands that are shown."""

_WIDTH = 92


def command(findings: Findings) -> str:
    """The command, to be run where `find_places` says; on several lines where it is long."""
    asked, places = findings.request, find_places(findings)
    folders = [_no_option(folder) for folder in places.folders]
    options = [
        *_atlas_options(places),
        *_given("--participants", places.participants),
        *_given("--min-patients", asked.min_patients),
        *(one for condition in asked.where for one in _given("--where", condition)),
        *(one for condition in asked.where_a for one in _given("--where-a", condition)),
        *(one for condition in asked.where_b for one in _given("--where-b", condition)),
        *_given("--pattern", asked.pattern if asked.pattern != "*" else None),
        *_given("--threshold", asked.threshold),
        *_given("--label", asked.label),
        *_given("--title", asked.title or None),
        *_given("-o", OUTPUT),
    ]
    first = " ".join(["lesion-dash", "report", *map(shell_word, folders)])
    line = " ".join([first, *options])
    return line if len(line) <= _WIDTH else " \\\n    ".join([first, *options])


def _atlas_options(places: Places) -> list[str]:
    if not places.atlas:
        return []
    image, *tables = places.atlas
    return [*_given("--atlas", image), *(_given("--labels", tables[0]) if tables else [])]


def _given(option: str, value: object) -> list[str]:
    """An option with its value, as a shell takes it; nothing where there is no value."""
    if value is None:
        return []
    text = str(value)
    if text.startswith("-"):  # or it would be taken for an option
        return [shell_word(f"{option}={text}")]
    return [f"{option} {shell_word(text)}"]


def _no_option(folder: str) -> str:
    return f"./{folder}" if folder.startswith("-") else folder


def python_lines(findings: Findings) -> str:
    """The same report with the library, and its numbers one by one."""
    return "\n\n".join([_whole(findings), _single(findings)]) + "\n"


def _whole(findings: Findings) -> str:
    asked, places = findings.request, find_places(findings)
    lines = ["import lesion_dash as ld"]
    if asked.threshold is not None or asked.label is not None:
        lines.append("from lesion_dash.images.masks import Binarization")
    lines.append("")
    lines += [
        f"{side.letter} = {_load(findings, folder, places.participants)}"
        for side, folder in zip(findings.sides, places.folders, strict=True)
    ]
    if findings.is_pair and places.folders[0] == places.folders[1]:
        lines[-1] = "b = a"
    if findings.atlas is not None:
        lines.append(f"atlas = ld.load_atlas({', '.join(map(literal, places.atlas))})")
    b = "b" if findings.is_pair else "None"
    atlas = "atlas" if findings.atlas is not None else "None"
    return "\n".join(
        [
            *lines,
            f"request = {_request(findings)}",
            f"report = ld.make_report(a, {b}, {atlas}, request)",
            f"ld.save_report(report, {literal(OUTPUT)})",
        ]
    )


def _load(findings: Findings, folder: str, participants: str | None) -> str:
    asked = findings.request
    values: dict[str, Any] = {"participants": participants}
    if asked.pattern != "*":
        values["pattern"] = asked.pattern
    source = call("load_cohort", literal(folder), **values)
    if asked.threshold is None and asked.label is None:
        return source
    choice = f"Binarization({literal(asked.threshold)}, {literal(asked.label)})"
    return f"{source.removesuffix(')')}, choice={choice})"


def _request(findings: Findings) -> str:
    asked = findings.request
    given = asked.parameters
    values: dict[str, Any] = {"min_patients": asked.min_patients}
    for name in ("where", "where_a", "where_b", "title", "threshold", "label"):
        if given[name] not in ("", [], None):
            values[name] = given[name]
    if asked.pattern != "*":
        values["pattern"] = asked.pattern
    return call("ReportRequest", **values)


def _single(findings: Findings) -> str:
    least = findings.request.min_patients
    lines = ["# the numbers one by one"]
    for side in findings.sides:
        letter = side.letter
        if conditions := findings.request.conditions(letter):
            lines.append(
                f"{letter} = {call('restrict_cohort', letter, literal([*map(str, conditions)]))}"
            )
        lines.append(f"stats_{letter} = ld.volume_stats({letter}, min_patients={least})")
        lines.append(f"print({letter}.n_patients, stats_{letter}.voxels)")
        lines.append(f"print(ld.threshold_coverage({letter}).at({least}).sentence)")
    if findings.is_pair:
        lines += [
            f"found = ld.overlap(a.at_least({least}), b.at_least({least}))",
            "counted = found.both",
            "print(counted.voxels, found.dice)",
            f"differences = ld.cohort_differences(a, b, min_patients={least})",
        ]
    else:
        lines.append(f"counted = a.at_least({least})")
    if findings.atlas is not None:
        lines.append("regions = ld.count_regions(counted, atlas).table")
    return "\n".join(lines)


# How to make the report anew: versions, checksums, command and Python.


_FEW = 10
"""So many files are listed without being folded."""


def reproduction_section(findings: Findings) -> Html:
    """The chapter with the command and the lines of Python."""
    same = (
        "The same inputs and versions give the same report, bit for bit but for the date. The "
        "numbers below the first lines of Python are those of this page."
    )
    inputs = report_inputs(findings)
    return section(
        "Make it again",
        element("p", find_places(findings).summary, class_="lead"),
        element("h3", "Command"),
        code(command(findings), "command"),
        element("h3", "Python"),
        code(python_lines(findings), "python"),
        element("p", same),
        element("h3", "Versions"),
        element("p", ", ".join(f"{name} {number}" for name, number in versions().items())),
        element("h3", "Inputs"),
        *(_input_section(name, one) for name, one in zip(_names(findings), inputs, strict=True)),
    )


def _names(findings: Findings) -> list[str]:
    """Of the inputs: two cohorts may be parts of one folder."""
    atlas = [] if findings.atlas is None else [findings.atlas.name]
    return [*map(findings.owner, findings.sides), *atlas]


def _input_section(name: str, found: dict[str, Any]) -> Html:
    rows = [_row(one) for one in found["files"]]
    if participants := found.get("participants"):
        if units := participants.get("units"):
            rows.insert(0, [units["file"], "units of its columns", units["sha256"]])
        rows.insert(0, [participants["file"], "participants table", participants["sha256"]])
    caption = f"SHA-256 of the files of {name}; the same stand in provenance.json."
    listed = table(caption, ["file", "status", "SHA-256"], rows, numbers=9)
    if len(rows) <= _FEW:
        return listed
    return join([folded(f"SHA-256 of {count_words(len(rows), 'file')} of {name}", listed)])


def _row(one: dict[str, Any]) -> list[str]:
    return [one["file"], one.get("status", "read"), one["sha256"] or "not read"]
