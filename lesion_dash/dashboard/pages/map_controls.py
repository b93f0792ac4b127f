"""What pages of several maps with one crosshair share: k, and when to draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as widgets

from ..app_context import AppContext
from ..controls import bind, labelled, set_text
from ..tasks import FRAME, Debounce


class MapControls:
    """The minimum number of patients, as on the page Maps.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.slider = widgets.IntSlider(min=1, max=5, continuous_update=True)
        self.empty = widgets.HTML()
        bind(context.choices, "min_patients", self.slider)
        self.field = labelled("Minimum lesion overlap (k)", self.slider)

    def follow(self, update: Callable[[], None], draw: Callable[[], None]) -> Debounce:
        """Call `update` where cohorts or k change, and `draw` where the place or the atlas does.

        Returns
        -------
        Debounce
            Asks for an update, a moment later.
        """
        choices, guard = self._context.choices, self._context.banner.guard
        later = Debounce(FRAME, guard(update))
        names = ["cohort_a", "cohort_b", "min_patients", "most_patients"]
        choices.observe(lambda _: later(), names=names)
        choices.observe(guard(lambda _: draw()), names=["mm", "loaded_atlases"])
        return later

    def show(self, parts: Sequence[widgets.DOMWidget], missing: str) -> None:
        """Show the parts of a page, or in their place what is to be chosen first."""
        self.slider.max = max(self._context.choices.most_patients, 1)
        for part in parts:
            (part.add_class if missing else part.remove_class)("ld-hidden")
        (self.empty.remove_class if missing else self.empty.add_class)("ld-hidden")
        if missing:
            set_text(self.empty, missing)
