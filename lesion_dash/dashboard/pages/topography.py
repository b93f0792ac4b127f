"""The main page: where lesions are, how big they are, and in which regions."""

from __future__ import annotations

import ipywidgets as widgets

from ..desk import Desk
from .brain import BrainPanel
from .choices import ChoicesPanel
from .figure import FigurePanel
from .regions import RegionsPanel

TITLE = "Topography"


def build(desk: Desk) -> widgets.Widget:
    """Choices on the left, the brain in the centre, its figure beside it, regions below."""
    panels = (ChoicesPanel(desk), BrainPanel(desk), FigurePanel(desk), RegionsPanel(desk))
    page = widgets.Box([panel.widget for panel in panels])
    page.add_class("ld-topography")
    return page
