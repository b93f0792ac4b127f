"""What each minimum number of patients leaves of the brain: the threshold as a choice one sees."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import partial

import ipywidgets as widgets

from ...core.tables import csv_bytes
from ...stats.coverage import threshold_coverage
from ..app_context import AppContext
from ..controls import bind, card, download_button, labelled, note, set_text
from ..curve import Curve, CurveView
from ..tasks import FRAME, Debounce

FILE_NAME = "coverage.csv"
"""What is saved: the table that `lesion-dash coverage` writes."""

_WHY = (
    "A higher k leaves fewer voxels, and each of them with more patients. Dashed: common "
    "choices in the literature; there is no general rule. Click into the curve, or move the slider."
)
_EMPTY = "Choose folder A on the page Maps to see how much of the brain each k leaves."


class CoveragePanel:
    """The curve of A, and of B where there is one, with the k that is chosen.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        guard = context.banner.guard
        self.view = CurveView(guard(self._choose))
        self.slider = widgets.IntSlider(min=1, max=5, continuous_update=True)
        self.summary = widgets.HTML()
        self.rules = widgets.HTML()
        self.why = note()
        self.download = download_button("CSV", "Save every k of A as a table", guard(self._save))
        self._curves: tuple[Curve, ...] = ()
        self._counter = context.worker()
        self.widget = self._lay_out()
        bind(context.choices, "min_patients", self.slider)
        update = Debounce(FRAME, guard(self._update))
        names = ["cohort_a", "cohort_b", "min_patients", "most_patients"]
        context.choices.observe(lambda _: update(), names=names)
        self._update()

    def _lay_out(self) -> widgets.VBox:
        self.summary.add_class("ld-curve-words")
        self.rules.add_class("ld-curve-rules")
        field = labelled("Minimum lesion overlap (k)", self.slider)
        column = widgets.VBox([field, self.summary, self.rules, self.download])
        row = widgets.HBox([self.view, column])
        row.add_class("ld-curve-row")
        return card("How much of the brain does each k leave?", self.why, row, name="curve-card")

    def _choose(self, min_patients: int) -> None:
        self._context.choices.min_patients = min_patients

    def _update(self) -> None:
        choices = self._context.choices
        self.slider.max = max(choices.most_patients, 1)
        self.slider.disabled = self.download.disabled = not choices.cohort_a
        if not choices.cohort_a:
            self._curves = ()
            set_text(self.why, _EMPTY)
            self.view.show((), 1)
            self.summary.value = self.rules.value = ""
            return
        names = {"A": choices.cohort_a, "B": choices.cohort_b}
        job = partial(self._count, {side: name for side, name in names.items() if name})
        self._counter.submit(job, self._show)

    def _count(self, names: dict[str, str]) -> tuple[Curve, ...]:
        load = self._context.session.load
        return tuple(Curve(side, threshold_coverage(load(name))) for side, name in names.items())

    def _save(self) -> None:
        if self._curves:
            self._context.saver.save(FILE_NAME, csv_bytes(self._curves[0].coverage.table))

    def _show(self, curves: tuple[Curve, ...]) -> None:
        self._curves = curves
        min_patients = self._context.choices.min_patients
        set_text(self.why, _WHY)
        self.view.show(curves, min_patients)
        self.summary.value = _words(curves, min_patients)
        self.rules.value = _rules(curves[0])


def _words(curves: Sequence[Curve], min_patients: int) -> str:
    """A line for each cohort: what is left at the chosen number."""
    lines = "".join(
        f'<div><b class="ld-side-{curve.side.lower()}">{curve.side}</b> '
        f"{html.escape(curve.coverage.at(min_patients).sentence)}</div>"
        for curve in curves
    )
    return f'<div aria-live="polite">{lines}</div>'


def _rules(curve: Curve) -> str:
    """Who asks for which number, for the size of A."""
    coverage = curve.coverage
    items = []
    for mark in coverage.marks:
        min_patients = f" (k = {mark.min_patients})" if "%" in mark.label else ""
        missed = ": no voxel reaches it" if mark.min_patients > coverage.max_overlap else ""
        words = (
            f"{mark.label}{min_patients}{missed}. {mark.reference[0].upper()}{mark.reference[1:]}."
        )
        items.append(f"<li>{html.escape(words)}</li>")
    return f"<ul>{''.join(items)}</ul>"
