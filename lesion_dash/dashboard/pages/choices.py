"""The left column: what is compared, and how it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets as widgets

from ...cohort.same_patients import common_patients
from ...core.text import counted
from ...regions.counts import FILE_NAME as REGIONS_FILE
from ...stats.coverage import threshold_coverage
from ...stats.overlap import FILE_NAME as OVERLAP_FILE
from ...stats.topography import FILE_NAMES
from ..app_context import AppContext
from ..controls import NameList, bind, card, labelled, note, set_text
from ..data_root import results_folder
from ..save_field import SaveField
from ..session import PATIENTS_FILE
from ..state import MAPS
from ..tasks import FRAME, Debounce
from .atlases import AtlasFields
from .file_choice import FileChoicePanel
from .filters import FilterPanel
from .loading import LoadingLine
from .own_files import OwnMasks, reasons_html
from .spaces import SpacesPanel
from .split import Split

FILES_IN_WORDS = {
    **{name: MAPS[key] for key, name in FILE_NAMES.items()},
    OVERLAP_FILE: "Overlap map",
    REGIONS_FILE: "Regions, as a table",
    PATIENTS_FILE: "Patients of A, as a table",
}
"""What can be saved, in words."""

_FOUR_LINES = "72px"


class ChoicesPanel:
    """Folders, threshold, atlas, map, and what can be saved."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.folder_a = NameList()
        self.folder_b = NameList()
        self.min_patients = widgets.IntSlider(min=1, max=5, value=1, continuous_update=True)
        self.map_key = widgets.RadioButtons()
        guard = context.banner.guard
        self.files = SaveField(guard(context.save))
        self.file, self.download = self.files.file, self.files.download
        self.reading = LoadingLine(context)
        self.own = OwnMasks(context)
        self.withheld = widgets.HTML()
        self.withheld.add_class("ld-note")
        split = Split(context)
        self.files_a, self.files_b = (FileChoicePanel(context, side) for side in "ab")
        self.filter_a, self.filter_b = (FilterPanel(context, side, split) for side in "ab")
        self.overlap_hint = note()
        self.bound, self.coverage, self.file_name = note(), note(), note()
        self.coverage.layout.min_height = _FOUR_LINES
        self.file_name.add_class("ld-file-name")
        self.atlases = AtlasFields(context)
        self.spaces = SpacesPanel(context)
        self._offer_folders()
        self._bind()
        context.session.root.observe(context.banner.guard(self._offer_folders))
        # Once the map is on its way: every voxel is counted for it.
        self._cover = Debounce(FRAME, context.banner.guard(self._show_coverage))
        for part in (self.filter_a, self.filter_b, self.files_a, self.files_b):
            part.widget.add_class("ld-of-cohort")
        for line in (self.bound, self.coverage, self.overlap_hint):
            line.add_class("ld-of-cohort")
        self.widget = self._lay_out()
        for name in ("cohort_a", "cohort_b", "loaded_atlases", "most_patients", "lowered_from"):
            context.choices.observe(context.banner.guard(self._update), names=name)
        context.choices.observe(
            context.banner.guard(lambda _: self._offer_files()), names="map_key"
        )
        context.choices.observe(lambda _: self._cover(), names="min_patients")
        # What was written belongs to the choices before.
        context.choices.observe(lambda _: set_text(self.exported, ""), names="min_patients")
        self.file.observe(context.banner.guard(self._name_file), names="value")
        self._update()

    def _offer_folders(self) -> None:
        root = self._context.session.root
        folders = [
            (f"{root.words_of(name)}  ({counted(n, 'image')})", name)
            for name, n in root.cohorts.items()
        ]
        self.folder_a.offer([("Choose a folder", ""), *folders])
        self.folder_b.offer([("None", ""), *folders])
        self.atlases.update()
        reasons = {root.words_of(name): reason for name, reason in root.withheld.items()}
        self.withheld.value = reasons_html(reasons, "folder", "not offered")
        self._offer_maps()

    def _bind(self) -> None:
        for name in ("folder_a", "folder_b", "map_key", "min_patients"):
            bind(self._context.choices, name, getattr(self, name))

    def _lay_out(self) -> widgets.VBox:
        return card(
            "Settings",
            labelled("Folder A", self.folder_a, self.withheld, self.own.widget),
            self.files_a.widget,
            self.filter_a.widget,
            labelled("Folder B (optional)", self.folder_b),
            self.files_b.widget,
            self.filter_b.widget,
            self.reading.widget,
            labelled("Minimum lesion overlap (k)", self.min_patients, self.bound, self.coverage),
            labelled("Map", self.map_key, self.overlap_hint),
            self.atlases.widget,
            self.spaces.widget,
            labelled("Save", self.file, self.file_name, self._buttons(), *self._export()),
            name="choices",
        )

    def _export(self) -> tuple[widgets.Widget, ...]:
        """A button that writes all files into the results folder, where one is configured."""
        results = results_folder()
        self.exported = note()
        self.save_all = widgets.Button(description="Save all", tooltip="Write all files together")
        self.save_all.add_class("ld-button")
        if results is None:
            return ()
        worker = self._context.worker()

        def write(_button: widgets.Button) -> None:
            self._context.banner.clear()
            set_text(self.exported, "Writing ...")
            worker.submit(lambda: self._context.export(results), self._show_exported)

        self.save_all.on_click(self._context.banner.guard(write))
        return self.save_all, self.exported

    def _show_exported(self, place: Path) -> None:
        set_text(self.exported, f"All files are in the results folder, in {place.name}.")

    def _buttons(self) -> widgets.HBox:
        row = widgets.HBox([self.download, self.files.plain])
        row.add_class("ld-save-row")
        return row

    def _offer_maps(self) -> None:
        keys = [key for key in MAPS if key != "overlap" or self._context.choices.cohort_b]
        options = [(MAPS[key], key) for key in keys]
        if tuple(options) != self.map_key.options:
            chosen = self._context.choices.map_key
            self.map_key.options = options
            self.map_key.value = chosen if chosen in keys else "n"

    def _update(self, _change: Any = None) -> None:
        choices = self._context.choices
        self._offer_maps()
        self.min_patients.max = max(choices.most_patients, 1)
        self.min_patients.disabled = not choices.cohort_a
        self._offer_files()
        set_text(self.exported, "")
        self.reading.set_summary(self._summarise())
        set_text(self.overlap_hint, self._hint())
        set_text(self.bound, self._bound() if choices.cohort_a else "")
        self._cover()

    def _bound(self) -> str:
        """How many patients there are at most at one voxel."""
        session, choices = self._context.session, self._context.choices
        of_b = session.cohort(choices.cohort_b)
        sides = {" of A" if of_b else "": session.load(choices.cohort_a)}
        sides |= {" of B": of_b} if of_b else {}
        bounds = [
            f"{cohort.max_overlap:,} of {cohort.n_patients:,} patients{side}"
            for side, cohort in sides.items()
        ]
        lowered = f"; lowered from {choices.lowered_from:,}" if choices.lowered_from else ""
        return f"Maximum overlap: {', '.join(bounds)}{lowered}"

    def _offer_files(self) -> None:
        """What can be saved: the map that is shown first, and chosen unless the user chose."""
        choices = self._context.choices
        names = self._context.session.file_names(choices.selection)
        shown = (FILE_NAMES | {"overlap": OVERLAP_FILE})[choices.map_key]
        ordered = sorted(names, key=lambda name: name != shown)
        options = tuple((self._words_of(name), name) for name in ordered)
        # The map that was shown before is not chosen once another one is.
        self.files.offer(options, self.file.value if self.file.index else "")
        self.save_all.disabled = not names

    def _words_of(self, file: str) -> str:
        """What a file that can be saved holds."""
        session, atlases = self._context.session, self._context.choices.loaded_atlases
        atlas = session.region_files(atlases).get(file, "")
        if len(atlases) > 1 and atlas:
            return f"Regions of {session.root.words_of(atlas)}, as a table"
        return FILES_IN_WORDS[file]

    def _show_coverage(self) -> None:
        """What the slider leaves of the brain."""
        choices = self._context.choices
        cohort = self._context.session.cohort(choices.cohort_a)
        left = threshold_coverage(cohort).at(choices.min_patients).sentence if cohort else ""
        set_text(self.coverage, f"A alone, {left}" if choices.cohort_b else left)

    def _name_file(self, _change: Any = None) -> None:
        set_text(self.file_name, self.files.name)

    def _hint(self) -> str:
        choices = self._context.choices
        if not choices.cohort_b:
            return "The overlap needs folder B."
        if choices.cohort_a == choices.cohort_b:
            return "A and B are the same folder: the overlap is all of it."
        a, b = map(self._context.session.cohort, (choices.cohort_a, choices.cohort_b))
        return "; ".join(common_patients(a, b)) if a and b else ""

    def _summarise(self) -> str:
        parts = []
        for side, name in (
            ("A", self._context.choices.cohort_a),
            ("B", self._context.choices.cohort_b),
        ):
            folder = self._context.session.cohort(self._context.session.origin(name)[0])
            part = self._context.session.cohort(name)
            if folder is not None and part is not None:
                skipped = len(folder.patients) - folder.n_patients
                also = f", {counted(skipped, 'file')} skipped" if skipped else ""
                whole = "" if part is folder else f"{part.n_patients:,} of "
                parts.append(f"{side}: {whole}{counted(folder.n_patients, 'patient')}{also}.")
        return " ".join(parts) or "Folder A holds the masks of the patients."
