"""A component and a region together on the brain."""

from __future__ import annotations

import html
import math

import ipywidgets as widgets

from ...components import Component
from ...matches import Match
from ...plots import ColourClass, Layer
from ..assigning import CHOSEN, CLASSES, CONTOUR, OTHERS, Answer, largest
from ..canvas import BrainCanvas
from ..controls import card, css_colour, heading
from ..desk import Desk
from ..picture import Mm, Picture


class MatchPanel:
    """The picked component and the contour of its region; the other components are paler."""

    def __init__(self, desk: Desk) -> None:
        self.canvas = BrainCanvas(desk, self._moved, lambda: None, self._layer, CLASSES)
        self.viewer = self.canvas.viewer
        self.readout = widgets.HTML()
        self.legend = widgets.HTML()
        self._answer: Answer | None = None
        self.picture: Picture | None = None
        self._parts: Picture | None = None
        self._column = -1
        self._picked: tuple[Mm, int] | None = None
        title = widgets.HBox([heading("Brain"), self.canvas.orientation])
        self.readout.add_class("ld-readout")
        self.legend.add_class("ld-scale-box")
        self.widget = card(title, *self.canvas.widgets, self.readout, self.legend, name="match")

    def show(self, answer: Answer) -> None:
        """Show an answer: what was picked stays picked where it is about the same map and atlas."""
        last, self._answer = self._answer, answer
        if last is None or last.question.subject != answer.question.subject:
            self._picked = None
        if self._picked is None:
            self._pick_largest(answer)
        else:
            self._paint(answer)

    def clear(self, why: str) -> None:
        """Show the brain alone, and say what to do."""
        self._answer = self._picked = self._parts = self.picture = None
        self.viewer.clear()
        self.readout.value = f"<div>{html.escape(why)}</div>"
        self.legend.value = ""

    def pick(self, match: Match) -> None:
        """Go to a component where its region holds it, and show both."""
        answer = self._answer
        if answer is not None:
            place = answer.place_of(match)
            self._picked = place, match.column
            self._parts = None  # painted once, when the crosshair is there
            self.viewer.move_to(place)
            self._paint(answer)

    def _pick_largest(self, answer: Answer) -> None:
        part = largest(answer.found.components.parts)
        if part is None:
            self._paint(answer)
        else:
            best = answer.best[answer.best["component"] == part.number].iloc[0]
            self.pick(answer.match_of(part.number, int(best["label"]), best["region"]))

    def _paint(self, answer: Answer) -> None:
        mm, column = self._picked or ((0.0, 0.0, 0.0), -1)
        chosen = answer.component_at(mm) if self._picked else None
        self._parts, self._column = answer.picture(chosen), column
        self.legend.value = legend_html(answer, chosen, column)
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


def legend_html(answer: Answer, chosen: Component | None, column: int) -> str:
    """What the colours stand for; names are escaped."""
    parts: list[tuple[ColourClass, str]] = []
    if chosen is not None:
        parts.append((CHOSEN, f"component {chosen.number} ({chosen.volume_mm3:,.0f} mm³)"))
    if len(answer.found.components) > (chosen is not None):
        parts.append((OTHERS, OTHERS.label if chosen is not None else "components"))
    if column >= 0:
        least = answer.question.lower_threshold
        where = f" (probability ≥ {least:g})" if least and answer.is_probabilistic else ""
        parts.append((CONTOUR, f"contour of {answer.atlas.regions[column].name}{where}"))
    swatches = "".join(
        f'<span class="ld-swatch"><i style="background:{css_colour(one.colour)}"></i>'
        f"{html.escape(text)}</span>"
        for one, text in parts
    )
    return f'<div class="ld-scale"><div class="ld-legend">{swatches}</div></div>'


def place_html(answer: Answer, mm: Mm) -> str:
    """One line on a place: coordinates, value of the map, component, region."""
    x, y, z = (f"{round(v):d}".replace("-", "−") for v in mm)
    parts = [f"<b>MNI {x}, {y}, {z}</b>"]
    source = answer.source
    value = source.found.value_at(mm) / source.scale
    if not source.is_binary and math.isfinite(value):
        parts.append(f"{value:.4g} {html.escape(source.unit)}".strip().replace("-", "−"))
    part = answer.component_at(mm)
    parts.append("no component" if part is None else f"component {part.number}")
    parts.append(html.escape(answer.atlas.region_at(mm)))
    return f'<div aria-live="polite">{" · ".join(parts)}</div>'
