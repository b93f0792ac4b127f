"""The main page: where lesions are, how big they are, and in which regions."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ..app_context import AppContext
from ..controls import bind
from ..state import FIGURES, VIEWS
from .brain import BrainPanel
from .choices import ChoicesPanel
from .code import topography_code
from .figure import FigurePanel
from .patients_at_voxel import PatientsAtVoxelPanel
from .regions import RegionsPanel
from .report import ReportPanel

TITLE = "Maps"


def build(context: AppContext) -> widgets.Widget:
    """Settings on the left, the brain in the centre, who is lesioned there beside it; tables."""
    settings, brain, figure = ChoicesPanel(context), BrainPanel(context), FigurePanel(context)
    brain.viewer.follow(settings.min_patients)  # the map follows it without the kernel
    view = LargeView(context, brain, figure)
    regions, here = RegionsPanel(context), PatientsAtVoxelPanel(context)
    report = ReportPanel(context)
    side = widgets.VBox([here.widget, figure.small_card])
    side.add_class("ld-side")
    page = widgets.Box([settings.widget, view.widget, side, regions.widget, report.widget])
    page.add_class("ld-topography")
    return topography_code(context, page)


class LargeView:
    """The large panel: the interactive brain, or the figure; where there is room, both.

    Parameters
    ----------
    context : AppContext
    brain : BrainPanel
    figure : FigurePanel
    """

    def __init__(self, context: AppContext, brain: BrainPanel, figure: FigurePanel) -> None:
        self._context = context
        options = [(text, key) for key, text in VIEWS.items()]
        self.kind = widgets.ToggleButtons(options=options)
        bind(context.choices, "view", self.kind)
        bar = widgets.HBox([self.kind])
        bar.add_class("ld-view-bar")
        stage = widgets.Box([brain.widget, figure.widget])
        stage.add_class("ld-view-stage")
        self.widget = widgets.VBox([bar, stage])
        for name in ("ld-card", "ld-view"):
            self.widget.add_class(name)
        context.choices.observe(context.banner.guard(self._show), names="view")
        self._show()

    def _show(self, _change: Any = None) -> None:
        view = self._context.choices.view
        is_figure = view in FIGURES
        if is_figure:
            self._context.choices.figure = view
        change = self.widget.add_class if is_figure else self.widget.remove_class
        change("ld-figure-first")
