"""Who is in the report, who is not, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..cohort.positions import MEMORY_VARIABLE
from .columns import column_rows
from .findings import Findings, Side
from .markup import Html, element, folded, items, join, section, table
from .names import without_folders
from .quantities import count_words
from .summary import quartiles

_FEW_FILES = 5


def cohort_section(findings: Findings) -> Html:
    """The chapter on the patients."""
    parts = [_flow(findings), _columns(findings)]
    for side in findings.sides:
        parts += [_exclusions(findings, side), _remarks(findings, side), _notes(findings, side)]
    return section(
        "Cohort and exclusions" if not findings.is_pair else "Cohorts and exclusions", *parts
    )


def _heads(findings: Findings) -> list[str]:
    return [findings.owner(side) for side in findings.sides]


def _flow(findings: Findings) -> Html:
    """From files found to patients counted, a column for each cohort."""
    sides = findings.sides
    rows = [
        ["Files found", *(f"{len(side.cohort.patients):,}" for side in sides)],
        ["Not usable", *(f"{len(side.not_usable):,}" for side in sides)],
        ["Left out by the conditions", *(f"{len(side.left_out):,}" for side in sides)],
        ["Patients counted (n)", *(f"{side.cohort.n_patients:,}" for side in sides)],
        *_volumes(sides),
        ["Patients without a lesioned voxel", *(_empty(side) for side in sides)],
    ]
    caption = "From files to patients. A patient is one file; volumes are of the whole lesion."
    return table(caption, ["step", *_heads(findings)], rows, numbers=1)


def _volumes(sides: Sequence[Side]) -> list[list[str]]:
    """Median, quartiles and range of each cohort."""
    found = [quartiles(side) for side in sides]
    return [
        ["Total lesion volume (mL), median", *(one[2] for one in found)],
        ["Total lesion volume (mL), quartiles", *(f"{one[1]} and {one[3]}" for one in found)],
        ["Total lesion volume (mL), range", *(f"{one[0]} to {one[4]}" for one in found)],
    ]


def _empty(side: Side) -> str:
    return f"{int((side.cohort.volumes == 0).sum()):,}"


def _columns(findings: Findings) -> Html:
    """What the participants tables say of the patients that are counted."""
    rows = column_rows(findings)
    if not rows:
        return element("p", "There is no participants table, or it was not found.")
    caption = (
        "Columns of the participants table, of the patients that are counted. Numbers: median "
        "(quartiles; range); words: patients with each value."
    )
    return table(caption, ["column", *_heads(findings)], rows, numbers=9)


def _exclusions(findings: Findings, side: Side) -> Html:
    """The reasons for which files are not counted, each with its files."""
    gone = [*side.not_usable, *side.left_out]
    if not gone:
        return element("p", f"{findings.owner(side)}: every file found is counted.")
    caption = f"Not counted of {findings.owner(side)}: {count_words(len(gone), 'file')}"
    return _by_reason(findings, caption, [(one.file, one.reason) for one in gone])


def _remarks(findings: Findings, side: Side) -> Html:
    """What was unusual about files that are counted."""
    flagged = [
        (one.file, reason)
        for one in side.cohort.used
        if one.outcome == "warn"
        for reason in one.reasons
    ]
    if not flagged:
        return Html("")
    caption = f"Counted, and to be looked at, of {findings.owner(side)}"
    return _by_reason(findings, caption, flagged)


def _by_reason(findings: Findings, caption: str, pairs: Sequence[tuple[str, str]]) -> Html:
    files: dict[str, list[str]] = defaultdict(list)
    for file, reason in pairs:
        files[without_folders(reason, findings.cohorts)].append(file)
    rows = [[reason, f"{len(found):,}", _files(found)] for reason, found in files.items()]
    return table(caption, ["reason", "files (n)", "which"], rows, numbers=9)


def _files(files: Sequence[str]) -> Html:
    listed = join([", ".join(files)])
    return listed if len(files) <= _FEW_FILES else folded(count_words(len(files), "file"), listed)


def _notes(findings: Findings, side: Side) -> Html:
    """What is unusual about the masks as a group."""
    means = side.means.notes if side.means is not None else ()
    # How this computer kept the masks says nothing of the patients, and differs elsewhere.
    told = [note for note in side.cohort.notes if MEMORY_VARIABLE not in note]
    notes = [without_folders(note, findings.cohorts) for note in (*told, *means)]
    if not notes:
        return Html("")
    return join([element("p", f"Notes on {findings.owner(side)}:"), items(notes)])
