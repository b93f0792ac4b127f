"""Step 4 of Template & signal: signal and contrast to noise, measured on the native image."""

from __future__ import annotations

import html
import math
from collections.abc import Callable

import ipywidgets as widgets

from ...core.formats import PERCENT, VALUE
from ...scans.signal_definitions import Definition
from ...scans.signal_measures import Measure
from ..app_context import AppContext
from ..controls import card, heading, labelled, note, set_text
from ..lab_files import LabFiles
from ..measurement_service import Noise, SignalAnswer
from ..page_inputs import number_field
from ..source_field import SourceField

_COLUMNS = ("Definition", "Value", "95 % interval", "Signal in", "Noise in", "Factor")
_MORE = "A background, air or a second acquisition adds definitions."
_WHERE = {
    True: "Measured on the native image; the region is brought to it by the inverse transform.",
    False: "Measured on the image; the map is assumed to be in the image's own space.",
}


class SignalPanel:
    """What signal is compared with, and every definition that follows.

    Parameters
    ----------
    context : AppContext
    files : LabFiles
    changed : callable
        Told that a choice changed.
    """

    def __init__(self, context: AppContext, files: LabFiles, changed: Callable[[], None]) -> None:
        self.background = SourceField(files, "None", title="Background")
        self.air = SourceField(files, "None", title="Air")
        self.second = SourceField(files, "None", title="Second acquisition")
        self.coils = widgets.BoundedIntText(
            **number_field("template", "coils"), tooltip="Receive coils"
        )
        self.caption, self.remark = note(), note()
        self.table = widgets.HTML()
        guard = context.banner.guard
        for field in (self.background, self.air, self.second):
            field.observe(guard(lambda _: changed()), names=["folder", "name"])
        self.coils.observe(guard(lambda _: changed()), names="value")
        self.widget = self._lay_out()
        self.say("Choose a region first.")

    @property
    def noise(self) -> Noise | None:
        """What is chosen; None while a file is missing.

        Raises
        ------
        InputError
            Where a file does not lie below the data root.
        """
        fields = (self.background, self.air, self.second)
        if any(field.is_open for field in fields):
            return None
        return Noise(
            self.background.path,
            self.background.offered,
            self.air.path,
            self.second.path,
            self.coils.value,
        )

    def show(self, answer: SignalAnswer) -> None:
        """Show what was measured."""
        quality = answer.signal.quality
        set_text(self.caption, _WHERE[answer.placed.volumes.transform is not None])
        self.table.remove_class("ld-busy")
        self.table.value = table_html(answer)
        intervals = dict.fromkeys(
            measure.interval for measure in quality.measures if measure.interval
        )
        more = () if answer.signal.given else (_MORE,)
        notes_and_intervals = [
            *more,
            *(f"Intervals: {interval}" for interval in intervals),
            *quality.notes,
        ]
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in notes_and_intervals)
        self.remark.value = f"<ul>{notes}</ul>"

    def say(self, text: str) -> None:
        """Say in place of the table what is missing, or was refused."""
        set_text(self.caption, "")
        self.table.remove_class("ld-busy")
        self.table.value = f'<div class="ld-empty">{html.escape(text)}</div>'
        self.remark.value = ""

    def wait(self) -> None:
        """The table is being made anew."""
        self.table.add_class("ld-busy")

    def _lay_out(self) -> widgets.VBox:
        form = widgets.VBox(
            [
                labelled("Background: a region or a mask", self.background.widget),
                labelled("Air: a mask", self.air.widget),
                labelled("Second acquisition, same grid", self.second.widget),
                labelled("Receive coils", self.coils),
                note("Mask files lie in the image's own space."),
            ]
        )
        form.add_class("ld-signal-form")
        self.table.add_class("ld-signal-table")
        right = widgets.VBox([self.table, self.remark])
        right.add_class("ld-signal-right")
        row = widgets.HBox([form, right])
        row.add_class("ld-signal-row")
        head = widgets.HBox([heading("4  Signal"), self.caption])
        return card(head, row, name="template-signal")


def table_html(answer: SignalAnswer) -> str:
    """Definitions as rows; where one was refused, the sentence stands in place of its value."""
    rows = [_row(measure) for measure in answer.signal.quality.measures]
    rows += [_refused(definition, str(error)) for definition, error in answer.signal.refused]
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in _COLUMNS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(measure: Measure) -> str:
    name = _name(measure.measure, measure.source, measure.formula)
    if math.isnan(measure.value):
        return _sentence(name, measure.reason)
    zeros = f"{PERCENT.with_unit(measure.noise_zeros_percent)} zeros"
    against = f"; against {measure.against}" if measure.against else ""
    cells = [
        f"<b>{VALUE.text(measure.value)}</b>",
        _interval(measure),
        _region(measure.signal, f"n {measure.signal_voxels:,}{against}"),
        _region(measure.noise, f"n {measure.noise_voxels:,}, {zeros}"),
        "" if math.isnan(measure.factor) else f"{measure.factor:.3f}",
    ]
    return f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _refused(definition: Definition, sentence: str) -> str:
    return _sentence(_name(definition.name, definition.source, definition.formula), sentence)


def _sentence(name: str, sentence: str) -> str:
    text = html.escape(sentence)
    return f'<tr class="ld-refused">{name}<td colspan="{len(_COLUMNS) - 1}">{text}</td></tr>'


def _name(name: str, source: str, formula: str) -> str:
    title = f"{html.escape(name)} <i>{html.escape(source)}</i>"
    return f'<th scope="row">{title}<small>{html.escape(formula)}</small></th>'


def _region(name: str, more: str) -> str:
    return f"{html.escape(name)}<small>{html.escape(more)}</small>"


def _interval(measure: Measure) -> str:
    if math.isnan(measure.low):
        return f"<small>{html.escape(measure.reason)}</small>"
    return f"{VALUE.text(measure.low)} to {VALUE.text(measure.high)}"
