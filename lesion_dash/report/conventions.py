"""The minimum of patients that others ask for, and what each would leave of these cohorts."""

from __future__ import annotations

from ..thresholds import CoverageRow, Mark
from .findings import Findings, Side
from .markup import Html, table
from .quantities import list_words, ml, percent

_HEAD = ("asked for by", "k", "voxels (n)", "volume (mL)", "% of brain", "% of lesioned voxels")


def convention_table(findings: Findings) -> Html:
    """A row for the minimum of this report and for each rule, of each cohort."""
    rows = [row for side in findings.sides for row in _rows(findings, side)]
    caption = (
        "What each minimum of patients (k) leaves. % of brain: of the MNI152 template's; % of "
        "lesioned voxels: of those that any patient has lesioned."
    )
    return table(caption, _HEAD, rows, numbers=1)


def sources(findings: Findings) -> tuple[str, ...]:
    """Who asks for it, a line for each source with its rules."""
    rules: dict[str, dict[str, None]] = {}
    for side in findings.sides:
        for mark in side.coverage.marks:
            rules.setdefault(mark.reference, {})[mark.label] = None
    return tuple(f"{list_words([*labels])}: {source}" for source, labels in rules.items())


def _rows(findings: Findings, side: Side) -> list[list[str]]:
    of = f"{side.letter.upper()}: " if findings.is_pair else ""
    own = Mark(findings.request.min_patients, "this report", "")
    asked = [own, *side.coverage.marks]
    return [[f"{of}{mark.label}", *_cells(side.coverage.at(mark.min_patients))] for mark in asked]


def _cells(row: CoverageRow) -> list[str]:
    return [
        str(row.min_patients),
        f"{row.voxels:,}",
        ml(row.volume_mm3),
        percent(row.percent_of_brain),
        percent(row.percent_of_lesioned),
    ]
