"""The files a report was made of, with their checksums, by names that hold on any computer."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from ..provenance import atlas_input, cohort_input, provenance_bytes
from .findings import Findings, Side
from .names import file_name, without_folders


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
