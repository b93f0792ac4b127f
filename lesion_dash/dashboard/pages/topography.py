"""The main page: where lesions are, how big they are, and in which regions."""

from __future__ import annotations

import ipywidgets as widgets

from ..app_context import AppContext
from ..help import add_help
from .brain import BrainPanel
from .choices import ChoicesPanel
from .code import topography_code
from .figure import FigurePanel
from .patients_at_voxel import PatientsAtVoxelPanel
from .regions import RegionsPanel
from .report import ReportPanel

TITLE = "Topography"


def build(context: AppContext) -> widgets.Widget:
    """Choices on the left, the brain in the centre, its figure beside it; tables, report below."""
    choices, brain = ChoicesPanel(context), BrainPanel(context)
    brain.viewer.follow(choices.min_patients)  # the map follows it without the kernel
    kinds = (FigurePanel, RegionsPanel, PatientsAtVoxelPanel, ReportPanel)
    panels = [choices, brain, *(kind(context) for kind in kinds)]
    page = widgets.Box([panel.widget for panel in panels])
    page.add_class("ld-topography")
    add_help(page)
    return topography_code(context, page)
