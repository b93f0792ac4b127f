"""Step 3 of Template & signal: a map, one of its regions, and from which probability on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ...atlas.formats import Region
from ...core.formats import VOLUME
from ...core.text import counted
from ...plotting.figures import ML
from ..app_context import AppContext
from ..controls import card, labelled, note, set_text
from ..lab_files import LabFiles
from ..measurement_service import ONE, PERCENT, MapFacts, Placed, RegionChoice
from ..page_inputs import number_field
from ..source_field import SourceField
from .template_images import unseen

_CHOOSE = "Choose a map of probabilities or labels in the template's space."
_PERCENT = "No labels: per cent of one region"


class RegionPanel:
    """Which region, and how large it is.

    Parameters
    ----------
    context : AppContext
    files : LabFiles
    map_chosen, changed : callable
        Told the path of another map; told that region or threshold changed.
    """

    def __init__(
        self,
        context: AppContext,
        files: LabFiles,
        map_chosen: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self._context = context
        self._map_chosen, self._changed = map_chosen, changed
        self.map = SourceField(files, "Choose a folder", title="Map")
        self.label = widgets.Dropdown(options=[], tooltip="Region", disabled=True)
        self.threshold = widgets.FloatSlider(
            **number_field("template", "threshold"),
            step=0.01,
            readout_format=".2f",
            tooltip="Threshold",
        )
        self.size = widgets.HTML()
        self.hint = note()
        self.facts: MapFacts | None = None
        self._awaited = ""
        self._is_filling = False
        guard = context.banner.guard
        self.map.observe(guard(self._file_chosen), names=["folder", "name"])
        self.label.observe(guard(self._moved), names="value")
        self.threshold.observe(guard(self._moved), names="value")
        self.widget = self._lay_out()
        self.clear()

    @property
    def choice(self) -> RegionChoice | None:
        """What is chosen; None while something is missing."""
        if self.facts is None or self.label.value is None:
            return None
        return RegionChoice(self.facts.path, self.label.value, self.threshold.value)

    @property
    def region(self) -> str:
        """The number of the region; also of one that is still to be read."""
        return self._awaited or self.label.value or ONE

    def choose(self, number: str) -> None:
        """Choose a region by its number, once the map is read.

        Raises
        ------
        TraitError
            Where the map that is read does not have it.
        """
        if self.facts is None:
            self._awaited = number
        else:
            self.label.value = number

    @property
    def others(self) -> dict[str, str]:
        """Words for the other regions of the map, by their number."""
        if self.facts is None or self.label.value == PERCENT:
            return {}
        regions = self.facts.regions
        return {str(r.label): name_of(r) for r in regions if str(r.label) != self.label.value}

    def offer(self, facts: MapFacts) -> None:
        """Offer the regions of a map."""
        self.facts = facts
        options = [(name_of(region), str(region.label)) for region in facts.regions]
        if facts.may_be_percent:
            options.append((_PERCENT, PERCENT))
        self._is_filling = True
        self.label.options = options or [("The one region of this map", ONE)]
        self.label.index = 0
        if self._awaited in {number for _, number in self.label.options}:
            self.label.value = self._awaited
        self._awaited = ""
        self.label.disabled = len(self.label.options) < 2
        self._is_filling = False
        set_text(self.hint, "")

    def show(self, placed: Placed) -> None:
        """Say how large the mask is."""
        unseen(self._field, placed.is_label)
        if placed.mask is None:
            self.size.value = ""
            set_text(self.hint, self._context.session.root.without_paths(placed.why))
            return
        mask, grid = placed.mask, placed.mask.grid
        edges = " x ".join(f"{edge:.3g}" for edge in grid.voxel_size)
        self.size.value = f"<b>{VOLUME.with_unit(mask.volume_mm3 / ML)}</b>"
        words = f"{counted(mask.voxels, 'voxel')} of {edges} mm"
        set_text(self.hint, "; ".join([words, *mask.notes]))

    def say(self, text: str) -> None:
        """What is being done, or is missing."""
        self.size.value = ""
        set_text(self.hint, text)

    def clear(self) -> None:
        """No map."""
        self.facts, self._awaited = None, ""
        self._is_filling = True
        self.label.options = []
        self._is_filling = False
        self.label.disabled = True
        unseen(self._field, True)
        self.say(_CHOOSE)

    def _lay_out(self) -> widgets.VBox:
        self.size.add_class("ld-region-size")
        self._field = labelled("Minimum probability", self.threshold)
        size = labelled("Size", self.size)
        row = widgets.HBox(
            [
                labelled("Map, in the template's space", self.map.widget),
                labelled("Region", self.label),
                self._field,
                size,
            ]
        )
        row.add_class("ld-region-row")
        self.hint.add_class("ld-two-lines")
        return card("3  Region", row, self.hint, name="template-region")

    def _file_chosen(self, _change: Any) -> None:
        path = self.map.path
        if path:
            self._map_chosen(path)
        else:
            self.clear()
            self._changed()

    def _moved(self, _change: Any) -> None:
        if not self._is_filling:
            self._changed()


def name_of(region: Region) -> str:
    """A region as it is listed."""
    is_plain = region.name in ("", f"label {region.label}")
    return f"Label {region.label}" if is_plain else f"{region.name} ({region.label})"
