"""An inspection as rows of text."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..images.nifti import number
from ..images.survey import MAX_DISTINCT, Form, Survey

if TYPE_CHECKING:
    from .inspection import Inspection, Verdict

Rows = tuple[tuple[str, str], ...]

_FORMS = {
    "sform": "the sform",
    "qform": "the qform, as no sform is set",
    "none": "neither form is set: voxel sizes alone, so that left and right are not known",
}
_SMALLEST_SHARE = 0.0005  # would be shown as 0.0 %


@dataclass(frozen=True)
class Section:
    """Rows of text under a title.

    Parameters
    ----------
    title : str
    rows : tuple of (str, str)
        What it is, and what it says.
    """

    title: str
    rows: Rows


def describe(inspection: Inspection) -> tuple[Section, ...]:
    """All that is known of an image, in the order in which people ask."""
    sections = [
        Section(
            "This image cannot be used", (("why", inspection.fault),) if inspection.fault else ()
        ),
        Section("File", _file_rows(inspection)),
        Section("Voxels", _voxel_rows(inspection)),
        Section("Space", _space_rows(inspection)),
        Section("sform and qform", _form_rows(inspection)),
        Section("Values", _value_rows(inspection.survey)),
        Section("Suitability", _verdict_rows(inspection)),
        Section("Notes", _named_once("note", inspection.notes)),
    ]
    return tuple(section for section in sections if section.rows)


def _named_once(name: str, texts: Iterable[str]) -> Rows:
    """A row for each text; the name stands before the first."""
    return tuple(("" if place else name, text) for place, text in enumerate(texts))


def _file_rows(inspection: Inspection) -> Rows:
    rows = [("name", inspection.name), ("format", inspection.facts.format)]
    if inspection.file_bytes >= 0:
        rows.append(("size", byte_text(inspection.file_bytes)))
    if inspection.inflated_bytes:
        rows.append(("uncompressed", byte_text(inspection.inflated_bytes)))
    return (*rows, ("SHA-256", inspection.sha256))


def byte_text(count: int) -> str:
    """Bytes for people, and exactly.

    Examples
    --------
    >>> byte_text(352), byte_text(1_234_567)
    ('352 bytes', '1.23 MB (1,234,567 bytes)')
    """
    exact = f"{count:,} bytes"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit} ({exact})"
    return exact


def _voxel_rows(inspection: Inspection) -> Rows:
    facts = inspection.facts
    shape = " x ".join(map(str, inspection.shape)) or "impossible"
    rows = [("shape", f"{shape} ({len(inspection.shape)} axes)" if inspection.shape else shape)]
    if inspection.volumes > 1:
        rows.append(("volumes", f"{inspection.volumes:,}"))
    if len(inspection.shape) > 3:
        time = inspection.repetition_time
        known = f"{number(time)} s" if math.isfinite(time) else "not stated"
        rows.append(("repetition time", known))
    rows.append(("data type", facts.data_type))
    if facts.data_type not in ("int8", "uint8"):
        rows.append(("byte order", facts.byte_order))
    return (*rows, ("scaling", _scaling(inspection)))


def _scaling(inspection: Inspection) -> str:
    facts, header = inspection.facts, inspection.header
    stored = f"slope {number(facts.slope)}, intercept {number(facts.intercept)}"
    if header is None:
        return stored
    if not header.is_scaled:
        return f"none: values are meant as they are stored ({stored})"
    formula = f"value = stored x {number(header.slope)} + {number(header.intercept)}"
    return formula.replace("+ -", "- ")


def _space_rows(inspection: Inspection) -> Rows:
    unit = inspection.facts.space_unit or "not stated: mm assumed"
    time = f", time in {inspection.facts.time_unit}" if inspection.facts.time_unit else ""
    rows = [("units", unit + time)]
    if inspection.form_used:
        rows.append(("affine taken from", _FORMS[inspection.form_used]))
    if inspection.stated_space is not None:
        rows.append(("stated space", str(inspection.stated_space)))
    if inspection.space is None:
        return tuple(rows)
    rows.append(("orientation", inspection.space.orientation))
    rows += _named_once("in words", inspection.space.sentences)
    rows.append(("voxel to mm", "(x, y, z) = M (i, j, k) + (a, b, c), that is"))
    rows += [("", line) for line in inspection.space.formula]
    rows.append(("mm to voxel", "(i, j, k) = M⁻¹ ((x, y, z) - (a, b, c)), that is"))
    return (*rows, *(("", line) for line in inspection.space.inverse_formula))


def _form_rows(inspection: Inspection) -> Rows:
    rows = []
    for name, form in (("sform", inspection.facts.sform), ("qform", inspection.facts.qform)):
        rows.append((name, form_text(form)))
        rows += [("", line) for line in _matrix_lines(form)]
    if disagreement := disagreement_text(inspection):
        rows.append(("disagreement", disagreement))
    return tuple(rows)


def form_text(form: Form) -> str:
    """The code of a form, and its meaning."""
    if form.code <= 0:
        return f"not set (code {form.code})"
    fault = f"; cannot be used: {form.fault}" if form.fault else ""
    return f"code {form.code}: {form.space}{fault}"


def _matrix_lines(form: Form) -> tuple[str, ...]:
    """The rows of a form's matrix in columns; none where there is no matrix."""
    if form.affine is None:
        return ()
    cells = [[number(value) for value in row] for row in form.affine.round(10).tolist()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return tuple("  ".join(map(str.rjust, row, widths)) for row in cells)


def disagreement_text(inspection: Inspection) -> str:
    """How far the two forms disagree; empty where there is only one."""
    if math.isnan(inspection.forms_distance_mm):
        return ""
    used = f"; the {inspection.form_used} is used" if inspection.form_used else ""
    return f"{number(round(inspection.forms_distance_mm, 4))} mm at the farthest corner{used}"


def _value_rows(survey: Survey | None) -> Rows:
    if survey is None:
        return ()
    ends = f"{number(survey.lowest)} to {number(survey.highest)}"
    distinct = f"more than {MAX_DISTINCT:,}" if survey.has_more else f"{survey.distinct:,}"
    rows = [
        ("range", ends if survey.finite else "no finite value"),
        ("distinct values", distinct),
        ("zero", f"{survey.zeros:,} of {survey.voxels:,} ({percent(survey.zero_share)})"),
    ]
    if survey.nans:
        rows.append(("NaN", f"{survey.nans:,} ({percent(survey.nans / survey.voxels)})"))
    if survey.infinities:
        rows.append(("infinite", f"{survey.infinities:,}"))
    return tuple(rows)


def percent(value: float) -> str:
    """A share as percent; what is not 0 or 1 is not shown as if it were.

    Examples
    --------
    >>> percent(0.0), percent(1e-9), percent(0.25), percent(0.999999), percent(1.0)
    ('0 %', '< 0.1 %', '25.0 %', '> 99.9 %', '100 %')
    """
    if value in (0, 1):
        return f"{value:.0%}".replace("%", " %")
    if value < _SMALLEST_SHARE:
        return "< 0.1 %"
    return "> 99.9 %" if value > 1 - _SMALLEST_SHARE else f"{value * 100:.1f} %"


def _verdict_rows(inspection: Inspection) -> Rows:
    return (
        ("as a mask", _verdict_text(inspection, inspection.as_mask)),
        ("as an atlas", _verdict_text(inspection, inspection.as_atlas)),
    )


def _verdict_text(inspection: Inspection, verdict: Verdict) -> str:
    """What validation says, without what other sections say already."""
    known = (*inspection.notes, inspection.fault)
    reasons = "; ".join(reason for reason in verdict.sentences if reason not in known)
    return f"{verdict.answer}: {reasons}" if reasons else verdict.answer
