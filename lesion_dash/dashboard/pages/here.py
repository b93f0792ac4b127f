"""Below the brain: the patients lesioned at the crosshair."""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets as widgets
import pandas as pd

from ..controls import card, heading, note, set_text
from ..desk import Desk
from ..here import Here, find_here, volumes_svg
from ..picture import Mm
from ..tables import Table
from ..tasks import Later
from .patients import shown_columns

_NOBODY = pd.DataFrame(columns=["patient", "volume_mm3", "voxels"])


class HerePanel:
    """Who is lesioned at the crosshair, with their volumes among those of all patients."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.side = widgets.ToggleButtons(options=[("A", "a"), ("B", "b")])
        self.caption = note()
        self.table = Table("here", rows=6, order=(1, "desc"), empty="Nobody is lesioned here")
        self.strip = widgets.HTML()
        self.here: Here | None = None
        self._tables: dict[str, pd.DataFrame] = {}
        self._finder = desk.worker()
        self.widget = self._lay_out()
        guarded = desk.banner.guard(self._update)
        update = Later(0.05, guarded)
        self.side.observe(lambda _: update(), names="value")
        desk.choices.observe(lambda _: update(), names=["cohort_a", "cohort_b", "mm"])
        guarded()

    def _lay_out(self) -> widgets.VBox:
        self.strip.add_class("ld-strip-box")
        title = widgets.HBox([heading("Patients here"), self.caption, self.side])
        body = widgets.HBox([self.table.widget, self.strip])
        body.add_class("ld-here-row")
        return card(title, body, name="here")

    def _update(self) -> None:
        name = str(getattr(self._desk.choices, f"cohort_{self.side.value}"))
        if not name:
            side = self.side.value.upper()
            self.here = None
            set_text(self.caption, f"Choose folder {side} to see who is lesioned at the crosshair.")
            self.table.show(shown_columns(_NOBODY))
            self.strip.value = ""
            return
        self._finder.submit(partial(self._find, name, self._desk.choices.mm), self._show)

    def _find(self, name: str, mm: Mm) -> Here:
        cohort = self._desk.session.load(name)
        if name not in self._tables:
            self._tables = {name: cohort.used_table}
        return find_here(cohort, self._tables[name], mm)

    def _show(self, here: Here) -> None:
        self.here = here
        set_text(self.caption, here.words)
        shown: Any = shown_columns(here.table.drop(columns="status"))
        self.table.show(shown.reset_index(drop=True))
        self.strip.value = volumes_svg(here)
