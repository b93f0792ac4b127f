"""What pages of several maps with one crosshair share: k, the sides, and where a click leads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as widgets

from ..app_context import AppContext
from ..controls import bind, labelled, set_text
from ..map_slices import MapLayer
from ..tasks import FRAME, Debounce


class MapControls:
    """The minimum number of patients and the sides, as on the page Maps.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.slider = widgets.IntSlider(min=1, max=5, continuous_update=True)
        self.orientation = widgets.ToggleButtons(
            options=[("Neurological", False), ("Radiological", True)],
            tooltips=["Patient's left on the left", "Patient's left on the right"],
        )
        self.empty = widgets.HTML()
        bind(context.choices, "min_patients", self.slider)
        bind(context.choices, "radiological", self.orientation)

    @property
    def fields(self) -> tuple[widgets.Widget, widgets.Widget]:
        """Both under their labels."""
        min_patients = labelled("Minimum lesion overlap (k)", self.slider)
        return min_patients, labelled("Sides", self.orientation)

    def follow(self, update: Callable[[], None], draw: Callable[[], None]) -> Debounce:
        """Call `update` where cohorts or k change, and `draw` where the place or the sides do.

        Returns
        -------
        Debounce
            Asks for an update, a moment later.
        """
        choices, guard = self._context.choices, self._context.banner.guard
        later = Debounce(FRAME, guard(update))
        names = ["cohort_a", "cohort_b", "min_patients", "most_patients"]
        choices.observe(lambda _: later(), names=names)
        choices.observe(guard(lambda _: draw()), names=["mm", "radiological", "loaded_atlas"])
        return later

    def show(self, parts: Sequence[widgets.DOMWidget], missing: str) -> None:
        """Show the parts of a page, or in their place what is to be chosen first."""
        self.slider.max = max(self._context.choices.most_patients, 1)
        for part in parts:
            (part.add_class if missing else part.remove_class)("ld-hidden")
        (self.empty.remove_class if missing else self.empty.add_class)("ld-hidden")
        if missing:
            set_text(self.empty, missing)

    def click(self, layer: MapLayer, pane: int, x: float, y: float) -> None:
        """Move the crosshair to a share of width and height of a slice."""
        choices = self._context.choices
        voxel, radiological = layer.voxel(choices.mm), bool(choices.radiological)
        choices.mm = layer.mm(layer.clicked(pane, x, y, voxel, radiological))
