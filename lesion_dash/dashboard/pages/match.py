"""A component and a region together on the brain."""

from __future__ import annotations

import html
import math

import ipywidgets as widgets

from ...core.formats import VALUE, VOLUME
from ...plotting.figures import ML, ColourClass, Layer
from ...regions.overlap_scores import ComponentOverlap
from ...stats.components import Component
from ..app_context import AppContext
from ..assignment_service import CHOSEN, CLASSES, CONTOUR, OTHERS, AssignmentResult
from ..canvas import BrainCanvas
from ..controls import card, css_colour, heading
from ..picture import Mm, Picture
from ..places import place_words


class MatchPanel:
    """The picked component and the contour of its region; the other components are paler."""

    def __init__(self, context: AppContext) -> None:
        self.canvas = BrainCanvas(context, self._moved, lambda: None, self._layer, CLASSES)
        self.viewer = self.canvas.viewer
        self.readout = widgets.HTML()
        self.legend = widgets.HTML()
        self._answer: AssignmentResult | None = None
        self.picture: Picture | None = None
        self._parts: Picture | None = None
        self._column = -1
        self.match: ComponentOverlap | None = None
        self._picked: tuple[Mm, int] | None = None
        title = widgets.HBox([heading("Brain"), self.canvas.orientation])
        self.readout.add_class("ld-readout")
        self.legend.add_class("ld-scale-box")
        self.widget = card(title, *self.canvas.widgets, self.readout, self.legend, name="match")

    def show(self, answer: AssignmentResult) -> None:
        """Show an answer, and pick the best match of the largest component.

        Of the same map and atlas, what was picked stays where it still is a component in a region.
        """
        last, self._answer = self._answer, answer
        is_known = last is not None and last.question.subject == answer.question.subject
        match = answer.match_at(*self._picked) if is_known and self._picked else None
        if match is None and answer.best_match is not None:
            self.pick(answer.best_match)
            return
        self.match = match
        if match is None:
            self._picked = None
        self._paint(answer)

    def say(self, text: str) -> None:
        """Say something in place of what is known of the crosshair's place."""
        self.readout.value = f"<div>{html.escape(text)}</div>"

    def clear(self, why: str) -> None:
        """Show the brain alone, and say what to do."""
        self._answer = self._picked = self._parts = self.picture = self.match = None
        self.viewer.clear()
        self.say(why)
        self.legend.value = ""

    def pick(self, match: ComponentOverlap) -> None:
        """Go to a component where its region holds it, and show both."""
        answer = self._answer
        if answer is not None:
            place = answer.place_of(match)
            self.match, self._picked = match, (place, match.column)
            self._parts = None  # painted once, when the crosshair is there
            self.viewer.move_to(place)
            self._paint(answer)

    def _paint(self, answer: AssignmentResult) -> None:
        chosen = None if self.match is None else self.match.component
        self._column = -1 if self.match is None else self.match.column
        self._parts = answer.picture(chosen)
        self.legend.value = legend_html(answer, chosen, self._column)
        self._moved(self.viewer.mm)
        self.canvas.redraw()

    def _moved(self, mm: Mm) -> None:
        answer, parts = self._answer, self._parts
        if answer is not None and parts is not None:
            self.readout.value = place_html(answer, mm)
            self.picture = answer.with_contour(parts, self._column, mm)
            self.viewer.show(self.picture)

    def _layer(self) -> Layer | None:
        answer, picture = self._answer, self.picture
        return None if answer is None or picture is None else answer.layer(picture)


def legend_html(answer: AssignmentResult, chosen: Component | None, column: int) -> str:
    """What the colours stand for; names are escaped."""
    parts: list[tuple[ColourClass, str]] = []
    if chosen is not None:
        parts.append(
            (CHOSEN, f"component {chosen.number} ({VOLUME.with_unit(chosen.volume_mm3 / ML)})")
        )
    if len(answer.assignment.components) > (chosen is not None):
        parts.append((OTHERS, OTHERS.label if chosen is not None else "components"))
    if column >= 0:
        parts.append((CONTOUR, f"contour of {answer.atlas.regions[column].name}{_where(answer)}"))
    swatches = "".join(
        f'<span class="ld-swatch"><i style="background:{css_colour(label.colour)}"></i>'
        f"{html.escape(text)}</span>"
        for label, text in parts
    )
    shown = swatches or "Nothing on the brain: no component is left."
    return f'<div class="ld-scale"><div class="ld-legend">{shown}</div></div>'


def _where(answer: AssignmentResult) -> str:
    """Where the contour runs, in an atlas of probabilities."""
    if not answer.is_probabilistic:
        return ""
    min_patients = answer.question.lower_threshold
    return f" (where its probability is {f'≥ {min_patients:g}' if min_patients else 'above 0'})"


def place_html(answer: AssignmentResult, mm: Mm) -> str:
    """One line on a place: coordinates, value of the map, component, region."""
    source = answer.source
    parts = [f"<b>{place_words(mm, source.image.grid)}</b>"]
    value = source.image.value_at(mm) / source.scale
    if not source.is_binary and math.isfinite(value):
        number = VALUE.text(value)
        unit = html.escape(source.unit)
        parts.append(f"{number} {unit}" if unit else f"value {number}")
    part = answer.component_at(mm)
    parts.append("no component" if part is None else f"component {part.number}")
    parts.append(html.escape(answer.atlas.region_at(mm)))
    return f'<div aria-live="polite">{" · ".join(parts)}</div>'
