"""A component and a region together on the brain."""

from __future__ import annotations

import html
import math

import ipywidgets as widgets

from ...atlas.places import name_place
from ...core.formats import VALUE
from ...plotting.figures import Layer
from ...regions.overlap_scores import ComponentOverlap
from ..app_context import AppContext
from ..assignment_service import AssignmentResult
from ..controls import bind, card
from ..places import Mm, place_words
from ..widgets.viewer import Viewer
from ..without_webgl import Fallback


class MatchPanel:
    """The picked component and the contour of its region; the other components are paler."""

    def __init__(self, context: AppContext) -> None:
        self.viewer = Viewer(context.banner.guard(self._moved))
        bind(context.choices, "radiological", self.viewer, "radiological")
        self._without_webgl = Fallback(context, self.viewer, self._layer)
        self.readout = widgets.HTML()
        self._answer: AssignmentResult | None = None
        self.match: ComponentOverlap | None = None
        self._picked: tuple[Mm, int] | None = None
        self.readout.add_class("ld-readout")
        self.widget = card("Brain", self.viewer, self.readout, name="match")

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
        self._answer = self._picked = self.match = None
        self.viewer.show()
        self.say(why)

    def pick(self, match: ComponentOverlap) -> None:
        """Go to a component where its region holds it, and show both."""
        answer = self._answer
        if answer is not None:
            place = answer.place_of(match)
            self.match, self._picked = match, (place, match.column)
            self.viewer.move_to(place)
            self._paint(answer)

    def _paint(self, answer: AssignmentResult) -> None:
        self.viewer.show(*answer.mask_layers(self.match))
        x, y, z = self.viewer.mm
        self._moved((x, y, z))

    def _moved(self, mm: Mm) -> None:
        if self._answer is not None:
            self.readout.value = place_html(self._answer, mm)
            self._without_webgl.redraw()

    def _layer(self) -> Layer | None:
        return None if self._answer is None else self._answer.layer(self.match)


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
    parts.append(html.escape(name_place(answer.atlas, mm).words))
    return f'<div aria-live="polite">{" · ".join(parts)}</div>'
