"""What is known of an image, as HTML; every text from a file is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

from ..images.nifti import number
from ..images.survey import Form
from ..scans.inspection import Inspection
from ..scans.inspection_text import Section, describe, disagreement_text, form_text
from .sentences import without_options

Row = tuple[str, str]


def section_html(inspection: Inspection, *titles: str) -> str:
    """The rows of some sections as one table; empty where there are none."""
    sections = [section for section in describe(inspection) if section.title in titles]
    return table_html(row for section in sections for row in _plain(section))


def _plain(section: Section) -> Iterable[Row]:
    """Rows that a page shows; what it draws better as a formula is left out."""
    return (row for row in section.rows if row[0] != "name")


def table_html(rows: Iterable[Row]) -> str:
    """Rows of a name and a text."""
    lines = [
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(without_options(text))}</td></tr>"
        for name, text in rows
    ]
    return f'<table class="ld-facts-table">{"".join(lines)}</table>' if lines else ""


def space_html(inspection: Inspection) -> str:
    """The affine in words, and as the formula with its numbers."""
    space = inspection.space
    if space is None:
        return "<p>The position of the voxels is unknown.</p>"
    stated = () if inspection.stated_space is None else (f"states {inspection.stated_space}",)
    sentences = (*stated, *space.sentences)
    words = "".join(f"<li>{html.escape(text)}</li>" for text in sentences)
    affine = space.grid.affine
    vectors = (
        _column("xyz"),
        "=",
        matrix_html([row[:3] for row in affine[:3].tolist()]),
        _column("ijk"),
        "+",
        matrix_html([[row[3]] for row in affine[:3].tolist()]),
    )
    back = "".join(f"<div>{html.escape(line)}</div>" for line in space.inverse_formula)
    return (
        f'<ul>{words}</ul><div class="ld-formula" role="math" '
        f'aria-label="(x, y, z) = M (i, j, k) + (a, b, c)">{" ".join(vectors)}</div>'
        "<p>(x, y, z) = M (i, j, k) + (a, b, c), in mm: x grows to the right, y to the front, z "
        f'upwards. And back:</p><div class="ld-formula-back">{back}</div>'
    )


def _column(names: str) -> str:
    return matrix_html([[name] for name in names])


def matrix_html(rows: Iterable[Iterable[float | str]]) -> str:
    """Numbers or names between large brackets."""
    lines = ["".join(f"<td>{_cell(cell)}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table class="ld-matrix">{body}</table>'


def _cell(cell: float | str) -> str:
    return html.escape(cell if isinstance(cell, str) else number(round(cell, 10)))


def forms_html(inspection: Inspection) -> str:
    """Sform and qform side by side, and how far they disagree."""
    forms = (("sform", inspection.facts.sform), ("qform", inspection.facts.qform))
    sides = "".join(_form_html(name, form, inspection.form_used == name) for name, form in forms)
    difference = disagreement_text(inspection)
    is_same = difference and round(inspection.forms_distance_mm, 4) == 0
    message = "They are the same." if is_same else f"They disagree by {difference}."
    return f'<div class="ld-forms-pair">{sides}</div>' + (f"<p>{message}</p>" if difference else "")


def _form_html(name: str, form: Form, is_used: bool) -> str:
    used = " <b>used</b>" if is_used else ""
    matrix = matrix_html(form.affine.tolist()) if form.affine is not None else ""
    words = html.escape(form_text(form))
    return f"<div><h3>{name}{used}</h3><p>{words}</p>{matrix}</div>"
