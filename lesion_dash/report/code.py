"""The command and the lines of Python that make a report anew."""

from __future__ import annotations

from typing import Any

from ..roi.python_code import call, literal
from ..text import shell_word
from .findings import Findings
from .places import Places, find_places

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
        lines.append("from lesion_dash.images import Choice")
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
    choice = f"Choice({literal(asked.threshold)}, {literal(asked.label)})"
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
