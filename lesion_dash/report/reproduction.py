"""How to make the report anew: versions, checksums, command and Python."""

from __future__ import annotations

from typing import Any

from .code import command, python_lines
from .findings import Findings
from .inputs import report_inputs
from .markup import Html, code, element, folded, join, section, table
from .places import find_places
from .quantities import count_words
from .versions import versions

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
        element("p", find_places(findings).words, class_="lead"),
        element("h3", "Command"),
        code(command(findings), "command"),
        element("h3", "Python"),
        code(python_lines(findings), "python"),
        element("p", same),
        element("h3", "Versions"),
        element("p", ", ".join(f"{name} {number}" for name, number in versions().items())),
        element("h3", "Inputs"),
        *(_input(name, one) for name, one in zip(_names(findings), inputs, strict=True)),
    )


def _names(findings: Findings) -> list[str]:
    """Of the inputs: two cohorts may be parts of one folder."""
    atlas = [] if findings.atlas is None else [findings.atlas.name]
    return [*map(findings.owner, findings.sides), *atlas]


def _input(name: str, found: dict[str, Any]) -> Html:
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
