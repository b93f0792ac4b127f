"""Inspect: what is in an image file, where its voxels are, and whether it can be used."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import traitlets as t

from ...images.reading import ImageSource
from ...plotting.figures import draw_values
from ..app_context import AppContext
from ..code import Code
from ..controls import NameList, card, heading, labelled, note, set_text
from ..data_root import OWN_FILES
from ..file_field import file_text, split_file
from ..image_facts import forms_html, section_html, space_html
from ..image_files import ImageFiles
from ..loaded_volume import LoadedVolume, open_volume, other_volume
from ..model.own_files import Drop
from ..persisted_inputs import Control, control
from .chart import Chart
from .code import CodeCard, place_below
from .crosshair import EMPTY, CrosshairPanel
from .own_files import OwnFilesDrop


def inspect_code(context: AppContext, page: InspectPage) -> widgets.Box:
    """The page, and below it the code of what is in an image."""
    code = Code(context.session)

    def lines() -> tuple[str, str]:
        volume = page.loaded
        if volume is None:
            return "", ""
        folder = str(page.folder.value) if page.file.value else ""
        file = str(page.file.value) or volume.inspection.name
        voxel = None if volume.stored is None else page.crosshair.voxel
        return code.inspect(folder, file, voxel, volume.volume)

    nothing = "# Choose an image: the Python code appears here."
    made = CodeCard(context, lines, nothing).follow(page.crosshair.readout, "value")
    return place_below(page.widget, made.follow(page.name, "value"))


# Inspect: what is in an image file, where its voxels are, and whether it can be used.


TITLE = "Inspect"

_DROP_AGAIN = "The file that was dropped here is not kept: drop it again."


def build(context: AppContext) -> widgets.Widget:
    """The file and the crosshair on the left, slices and facts beside them."""
    page = InspectPage(context)
    lists = (page.folder, page.file)
    fields = {
        "file": Control(lambda: page.chosen, page.choose, lists),
        "dropped": control(page.dropped, "is_shown"),
    }
    context.inputs.follow("inspect", fields, page.miss_dropped)
    return inspect_code(context, page)


class Dropped(t.HasTraits):
    """Whether what is shown is a file of the visitor's own."""

    is_shown = t.Bool(False)


class InspectPage:
    """One image file, looked into."""

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.files = ImageFiles(context.session.root)
        self.loaded: LoadedVolume | None = None
        self.dropped = Dropped()
        guard = context.banner.guard
        self.folder = NameList()
        self.file = widgets.Dropdown()
        self.own = OwnFilesDrop(context, self._dropped, "Drop an image here", ".ld-inspect")
        self.crosshair = CrosshairPanel(context, guard(self._volume_chosen))
        self.name = note()
        self.facts, self.space, self.forms, self.validation, self.values = (
            widgets.HTML() for _ in range(5)
        )
        self.histogram = Chart(context, "Histogram of the values of the image")
        self.log_counts = widgets.ToggleButtons(options=[("Counts", False), ("Log counts", True)])
        self._reader = context.worker(self._failed)
        self.widget = self._lay_out()
        self._offer_folders()
        self._offer_files()
        context.session.root.observe(guard(self._offer_folders))
        self.folder.observe(guard(self._folder_chosen), names="value")
        self.file.observe(guard(self._file_chosen), names="value")
        self.log_counts.observe(guard(self._draw_histogram), names="value")
        self._show_nothing(EMPTY)

    @property
    def chosen(self) -> str:
        """Folder and file, as one text; empty where none is chosen."""
        return file_text(self.folder.value, self.file.value)

    def choose(self, text: str) -> None:
        """Choose what such a text says."""
        self.folder.value, self.file.value = split_file(text)

    def miss_dropped(self) -> None:
        """Say that a file of the visitor's own did not come back with the other choices."""
        if self.dropped.is_shown:
            self._show_nothing(_DROP_AGAIN)

    def _lay_out(self) -> widgets.Box:
        for part in (self.facts, self.space, self.forms, self.validation, self.values):
            part.add_class("ld-facts")
        ask = card(
            "Image",
            labelled("Folder", self.folder),
            labelled("File", self.file),
            labelled("Or a file of your own", self.own.widget),
            self.crosshair.fields,
            name="inspect-ask",
        )
        values = widgets.HBox([heading("Values"), self.log_counts])
        file = widgets.HBox([heading("File"), self.name])
        self._cards = [
            card(file, self.facts, name="inspect-file"),
            card("Suitability", self.validation, name="inspect-validation"),
            card(values, self.values, self.histogram.widget, name="inspect-values"),
            card("Voxels and millimetres", self.space, name="inspect-space"),
            card("The two forms of the header", self.forms, name="inspect-forms"),
        ]
        page = widgets.Box([ask, self.crosshair.widget, *self._cards])
        page.add_class("ld-inspect")
        return page

    def _offer_folders(self) -> None:
        words, before = self.context.session.root.words_of, self.folder.value
        folders = [(f"{words(name)} ({n})", name) for name, n in self.files.folders.items()]
        self.folder.offer([("Choose a folder", ""), *folders])
        if self.folder.value != before:
            self._offer_files()
            self._show_nothing(EMPTY)

    def _offer_files(self) -> None:
        names = self.files.names(self.folder.value) if self.folder.value else ()
        self.file.options = [("Choose an image", ""), *((name, name) for name in names)]
        self.file.value = ""
        self.file.disabled = not names

    def _folder_chosen(self, _change: Any) -> None:
        if not self.folder.is_filling:
            self._offer_files()

    def _file_chosen(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self.dropped.is_shown = self.context.session.root.is_own(self.folder.value)
            path: Path = self.files.path(self.folder.value, change["new"])
            self._open(path, path.name)

    def _dropped(self, drop: Drop) -> None:
        """Open the first of the images that were dropped."""
        start = f"{OWN_FILES}/{drop.number}"
        folders = [name for name in self.files.folders if f"{name}/".startswith(f"{start}/")]
        if folders:
            self.folder.value = folders[0]
            self.file.value = self.files.names(folders[0])[0]

    def _open(self, source: ImageSource, name: str) -> None:
        self.context.banner.clear()
        self._show_nothing(f"Reading {name} ...")
        self._reader.submit(partial(open_volume, source), self._show)

    def _volume_chosen(self, volume: int) -> None:
        if self.loaded is not None:
            job = partial(other_volume, self.loaded, volume)
            self._reader.submit(job, self._show_volume)

    def _show_volume(self, volume: LoadedVolume) -> None:
        if self.loaded is not None and self.loaded.inspection is volume.inspection:
            self.loaded = volume
            self.crosshair.show(volume)

    def _show(self, volume: LoadedVolume) -> None:
        self.loaded = volume
        inspection = volume.inspection
        for result_card in self._cards:
            result_card.remove_class("ld-hidden")
        set_text(self.name, inspection.name)
        self.facts.value = section_html(inspection, "File", "Voxels")
        self.validation.value = section_html(
            inspection, "This image cannot be used", "Suitability", "Notes"
        )
        self.values.value = section_html(inspection, "Values")
        self.space.value = space_html(inspection)
        self.forms.value = forms_html(inspection)
        self.crosshair.show(volume)
        self._draw_histogram()

    def _show_nothing(self, why: str) -> None:
        self.loaded = None
        set_text(self.name, "")
        for part in (self.facts, self.space, self.forms, self.validation, self.values):
            part.value = ""
        self.histogram.clear()
        self.crosshair.loaded = None
        self.crosshair.clear(why)
        for result_card in self._cards:
            result_card.add_class("ld-hidden")

    def _failed(self, error: Exception) -> None:
        self._show_nothing("Nothing to show: see the message.")
        self.context.banner.show(error)

    def _draw_histogram(self, _change: Any = None) -> None:
        survey = self.loaded.inspection.survey if self.loaded is not None else None
        if survey is None or not survey.counts.size:
            self.histogram.clear()
            return
        self.histogram.show(partial(draw_values, survey, bool(self.log_counts.value)))
