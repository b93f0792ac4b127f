"""An inspection as rows of text, and as plain values for programs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..images.nifti import number
from ..images.survey import MAX_DISTINCT, Form, Survey

if TYPE_CHECKING:
    from .inspection import Inspection, Verdict


_FORMS = {
    "sform": "the sform",
    "qform": "the qform, as no sform is set",
    "none": "neither form is set: voxel sizes alone, so that left and right are not known",
}
_FEW = 0.0005  # a share that would be shown as 0.0 %


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
    rows: tuple[tuple[str, str], ...]


def describe(found: Inspection) -> tuple[Section, ...]:
    """All that is known of an image, in the order in which people ask."""
    sections = [
        Section("This image cannot be used", (("why", found.fault),) if found.fault else ()),
        Section("File", _file_rows(found)),
        Section("Voxels", _voxel_rows(found)),
        Section("Space", _space_rows(found)),
        Section("sform and qform", _form_rows(found)),
        Section("Values", _value_rows(found.survey)),
        Section("Can it be used?", _validation_rows(found)),
        Section("Notes", _named_once("note", found.notes)),
    ]
    return tuple(section for section in sections if section.rows)


def _named_once(name: str, texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """A row for each text; the name stands before the first."""
    return tuple(("" if place else name, text) for place, text in enumerate(texts))


def _file_rows(found: Inspection) -> tuple[tuple[str, str], ...]:
    rows = [("name", found.name), ("format", found.facts.format)]
    if found.file_bytes >= 0:
        rows.append(("size", byte_words(found.file_bytes)))
    if found.inflated_bytes:
        rows.append(("uncompressed", byte_words(found.inflated_bytes)))
    return (*rows, ("SHA-256", found.sha256))


def byte_words(count: int) -> str:
    """Bytes for people, and exactly.

    Examples
    --------
    >>> byte_words(352), byte_words(1_234_567)
    ('352 bytes', '1.23 MB (1,234,567 bytes)')
    """
    exact = f"{count:,} bytes"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit} ({exact})"
    return exact


def _voxel_rows(found: Inspection) -> tuple[tuple[str, str], ...]:
    facts = found.facts
    shape = " x ".join(map(str, found.shape)) or "impossible"
    rows = [("shape", f"{shape} ({len(found.shape)} axes)" if found.shape else shape)]
    if found.volumes > 1:
        rows.append(("volumes", f"{found.volumes:,}"))
    if len(found.shape) > 3:
        time = found.repetition_time
        known = f"{number(time)} s" if math.isfinite(time) else "not stated"
        rows.append(("repetition time", known))
    rows.append(("data type", facts.data_type))
    if facts.data_type not in ("int8", "uint8"):
        rows.append(("byte order", facts.byte_order))
    return (*rows, ("scaling", _scaling(found)))


def _scaling(found: Inspection) -> str:
    facts, header = found.facts, found.header
    stored = f"slope {number(facts.slope)}, intercept {number(facts.intercept)}"
    if header is None:
        return stored
    if not header.is_scaled:
        return f"none: values are meant as they are stored ({stored})"
    formula = f"value = stored x {number(header.slope)} + {number(header.intercept)}"
    return formula.replace("+ -", "- ")


def _space_rows(found: Inspection) -> tuple[tuple[str, str], ...]:
    unit = found.facts.space_unit or "not stated: mm assumed"
    time = f", time in {found.facts.time_unit}" if found.facts.time_unit else ""
    rows = [("units", unit + time)]
    if found.form_used:
        rows.append(("affine taken from", _FORMS[found.form_used]))
    if found.space is None:
        return tuple(rows)
    rows.append(("orientation", found.space.orientation))
    rows += _named_once("in words", found.space.sentences)
    rows.append(("voxel to mm", "(x, y, z) = M (i, j, k) + (a, b, c), that is"))
    rows += [("", line) for line in found.space.formula]
    rows.append(("mm to voxel", "(i, j, k) = M⁻¹ ((x, y, z) - (a, b, c)), that is"))
    return (*rows, *(("", line) for line in found.space.inverse_formula))


def _form_rows(found: Inspection) -> tuple[tuple[str, str], ...]:
    rows = []
    for name, form in (("sform", found.facts.sform), ("qform", found.facts.qform)):
        rows.append((name, form_words(form)))
        rows += [("", line) for line in matrix_lines(form)]
    if apart := forms_words(found):
        rows.append(("disagreement", apart))
    return tuple(rows)


def form_words(form: Form) -> str:
    """The code of a form, and its meaning."""
    if form.code <= 0:
        return f"not set (code {form.code})"
    fault = f"; cannot be used: {form.fault}" if form.fault else ""
    return f"code {form.code}: {form.space}{fault}"


def matrix_lines(form: Form) -> tuple[str, ...]:
    """The rows of a form's matrix in columns; none where there is no matrix."""
    if form.affine is None:
        return ()
    cells = [[number(value) for value in row] for row in form.affine.round(10).tolist()]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    return tuple(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    )


def forms_words(found: Inspection) -> str:
    """How far the two forms disagree; empty where there is only one."""
    apart = found.forms_apart_mm
    if math.isnan(apart):
        return ""
    used = f"; the {found.form_used} is used" if found.form_used else ""
    return f"{number(round(apart, 4))} mm at the farthest corner{used}"


def _value_rows(survey: Survey | None) -> tuple[tuple[str, str], ...]:
    if survey is None:
        return ()
    ends = f"{number(survey.lowest)} to {number(survey.highest)}"
    rows = [
        ("range", ends if survey.finite else "no finite value"),
        ("distinct values", distinct_words(survey)),
        ("zero", f"{survey.zeros:,} of {survey.voxels:,} ({share(survey.zero_share)})"),
    ]
    if survey.nans:
        rows.append(("NaN", f"{survey.nans:,} ({share(survey.nans / survey.voxels)})"))
    if survey.infinities:
        rows.append(("infinite", f"{survey.infinities:,}"))
    return tuple(rows)


def distinct_words(survey: Survey) -> str:
    """How many values there are, and whether all were counted."""
    return f"more than {MAX_DISTINCT:,}" if survey.has_more else f"{survey.distinct:,}"


def share(value: float) -> str:
    """A share as per cent; what is not 0 or 1 is not shown as if it were.

    Examples
    --------
    >>> share(0.0), share(1e-9), share(0.25), share(0.999999), share(1.0)
    ('0 %', '< 0.1 %', '25.0 %', '> 99.9 %', '100 %')
    """
    if value in (0, 1):
        return f"{value:.0%}".replace("%", " %")
    if value < _FEW:
        return "< 0.1 %"
    return "> 99.9 %" if value > 1 - _FEW else f"{value * 100:.1f} %"


def _validation_rows(found: Inspection) -> tuple[tuple[str, str], ...]:
    return (
        ("as a mask", verdict_words(found, found.as_mask)),
        ("as an atlas", verdict_words(found, found.as_atlas)),
    )


def verdict_words(found: Inspection, verdict: Verdict) -> str:
    """What validation says, without what is said of the file anyway."""
    own = [one for one in verdict.sentences if one not in (*found.notes, found.fault)]
    said = "; ".join(own)
    return f"{verdict.answer}: {said}" if said else verdict.answer
