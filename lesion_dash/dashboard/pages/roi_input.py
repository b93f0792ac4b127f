"""Step 1 of the ROI lab: which files, and how they are read."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ...core.errors import LesionDashError
from ...core.text import counted
from ...images.events import list_conditions
from ..app_context import AppContext
from ..controls import NameList, bind, card, labelled, note, set_text
from ..file_field import FileField
from ..lab_choices import KINDS, InputChoices
from ..lab_files import LabFiles
from ..lab_inputs import tables_of_runs
from ..page_inputs import number_field
from ..pick_list import PickList

_MOST_GROUPS = 12
"""A column with more values splits no cohort in groups."""

_FOLDER_WORDS = {
    "series": "Folder of the runs",
    "images": "Folder A",
    "cohorts": "Folder A",
    "split": "Folder of masks",
    "score": "Folder of masks",
    "map": "Folder of the map",
}
_FIELDS_OF = {
    "series": ("runs", "table", "groups", "delay", "time", "smooth", "mask"),
    "images": ("folder_b", "smooth", "mask"),
    "cohorts": ("folder_b",),
    "split": ("column", "groups"),
    "score": ("column",),
    "map": ("file",),
}
"""The fields that a kind of input needs, beside its folder."""
_BESIDE = "The table beside each run"
_OF_TIMES = "Delay: from an event to its response. TR 0: from the images. "
_OF_SMOOTHING = "Smooth: full width at half maximum."


class InputPanel:
    """The kind of input and its files.

    Parameters
    ----------
    context : AppContext
    files : LabFiles
    choices : InputChoices
    """

    def __init__(self, context: AppContext, files: LabFiles, choices: InputChoices) -> None:
        self._context, self._files, self._choices = context, files, choices
        self.kind = widgets.Dropdown(options=[(words, key) for key, words in KINDS.items()])
        self.folder, self.folder_b = NameList(), NameList()
        self.runs = PickList("run", rows=4)
        nothing = [("Choose", "")]
        self.table, self.file, self.column, self.a, self.b = (
            widgets.Dropdown(options=nothing) for _ in range(5)
        )
        self.delay_s = widgets.BoundedFloatText(**number_field("roi", "delay_s"), step=0.5)
        self.repetition_time = widgets.BoundedFloatText(
            **number_field("roi", "repetition_time"), step=0.1
        )
        self.fwhm_mm = widgets.BoundedFloatText(**number_field("roi", "fwhm_mm"), step=1)
        self.mask = FileField(files, "Whole image")
        self.hint, self.numbers_hint = note(), note()
        self.folder_name = widgets.Label()
        self._fields = self._make_fields()
        self.widget = card("1  Input", labelled("Kind", self.kind), *self._fields.values(),
                           name="roi-input")  # fmt: skip
        self._offer_folders()
        self._bind()
        context.session.root.observe(context.banner.guard(self._offer_folders))
        guard = context.banner.guard
        self.kind.observe(guard(self._kind_chosen), names="value")
        choices.observe(guard(self._folder_chosen), names="folder")
        choices.observe(guard(self._offer_groups), names=["runs", "table", "column"])
        self._show_fields()

    def _make_fields(self) -> dict[str, widgets.Widget]:
        self.folder_name.add_class("ld-label")
        folder = widgets.VBox([self.folder_name, self.folder, self.hint])
        folder.add_class("ld-field")
        self.hint.add_class("ld-if-any")
        self._numbers = {
            "delay": labelled("Delay (s)", self.delay_s),
            "time": labelled("TR (s)", self.repetition_time),
            "smooth": labelled("Smooth (mm)", self.fwhm_mm),
        }
        numbers = widgets.HBox(list(self._numbers.values()))
        groups = widgets.HBox([labelled("A", self.a), labelled("B", self.b)])
        for row in (numbers, groups):
            row.add_class("ld-pair")
        return {
            "folder": folder,
            "folder_b": labelled("Folder B", self.folder_b),
            "runs": labelled("Runs", self.runs.widget),
            "table": labelled("Conditions (events.tsv or labels)", self.table),
            "file": labelled("File", self.file),
            "column": labelled("Column of the participants table", self.column),
            "groups": groups,
            "numbers": numbers,
            "numbers_hint": self.numbers_hint,
            "mask": labelled("Test mask", self.mask.widget),
        }

    def _bind(self) -> None:
        names = ("folder", "folder_b", "runs", "table", "file", "column", "a", "b", "delay_s")
        for name in (*names, "repetition_time", "fwhm_mm"):
            bind(self._choices, name, getattr(self, name))
        self.mask.observe(self._mask_chosen, names=["folder", "name"])

    def _mask_chosen(self, _change: Any) -> None:
        self._choices.mask_folder, self._choices.mask = self.mask.folder, self.mask.name

    def _kind_chosen(self, change: dict[str, Any]) -> None:
        self._context.banner.clear()
        self._choices.begin(change["new"])
        self.mask.clear()
        self._offer_folders()
        self._show_fields()

    def _show_fields(self) -> None:
        kind = self._choices.kind
        self.folder_name.value = _FOLDER_WORDS[kind]
        used = ("folder", *_FIELDS_OF[kind])
        has_numbers = "smooth" in used
        used = (*used, "numbers", "numbers_hint") if has_numbers else used
        for name, field in (self._fields | self._numbers).items():
            (field.remove_class if name in used else field.add_class)("ld-hidden")
        hint = _OF_TIMES + _OF_SMOOTHING if "delay" in used else _OF_SMOOTHING
        set_text(self.numbers_hint, hint)

    def _offer_folders(self) -> None:
        is_masks = self._choices.kind in ("cohorts", "split", "score")
        folders = self._context.session.root.cohorts if is_masks else self._files.folders
        words = self._context.session.root.words_of
        options = [(f"{words(name)} ({counted(n, 'image')})", name) for name, n in folders.items()]
        self.folder.offer([("Choose a folder", ""), *options])
        self.folder_b.offer([("Choose a folder", ""), *options])

    def _folder_chosen(self, change: dict[str, Any]) -> None:
        folder, choices = change["new"], self._choices
        kind = choices.kind
        choices.runs, choices.table, choices.file, choices.column = (), "", "", ""
        images = self._files.images(folder) if folder and kind in ("series", "map") else ()
        tables = self._files.tables(folder) if folder and kind == "series" else ()
        self.runs.offer(images)
        self.file.options = [("Choose a file", ""), *((name, name) for name in images)]
        self.table.options = [(_BESIDE, ""), *((name, name) for name in tables)]
        if kind == "series" and folder:
            choices.runs = self._files.runs_like_the_first(folder)
        if kind in ("split", "score"):
            self._offer_columns(folder)

    def _offer_columns(self, folder: str) -> None:
        columns = self._files.columns(folder) if folder else {}
        fits = _is_score if self._choices.kind == "score" else _is_grouping
        names = [name for name, values in columns.items() if fits(values)]
        self.column.options = [("Choose a column", ""), *((name, name) for name in names)]
        hint = "No participants table lies beside these masks." if folder and not columns else ""
        set_text(self.hint, hint)

    def _offer_groups(self, _change: Any = None) -> None:
        choices = self._choices
        conditions = choices.a, choices.b
        names = self._groups()
        for field in (self.a, self.b):
            field.options = [("Choose", ""), *((name, name) for name in names)]
        if len(names) < 2:
            choices.a = choices.b = ""
            return
        choices.a, choices.b = conditions if set(conditions) <= set(names) else names[:2]

    def _groups(self) -> tuple[str, ...]:
        """The conditions of the chosen runs, or the values of the chosen column."""
        choices = self._choices
        set_text(self.hint, "")
        if choices.kind == "split" and choices.column:
            return self._files.columns(choices.folder)[choices.column]
        if choices.kind == "series" and choices.runs:
            try:
                return list_conditions(tables_of_runs(choices, self._files))
            except LesionDashError as error:
                # Not in the banner: the choice is not finished, and this says what it needs.
                set_text(self.hint, self._context.session.root.without_paths(str(error)))
        return ()


def _is_grouping(values: tuple[str, ...]) -> bool:
    return 2 <= len(values) <= _MOST_GROUPS


def _is_score(values: tuple[str, ...]) -> bool:
    try:
        return len({float(value) for value in values}) > 2
    except ValueError:
        return False
