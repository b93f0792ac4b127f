"""Step 3 of the ROI lab: from the map to a mask, one step after the other."""

from __future__ import annotations

from typing import Any, cast

import ipywidgets as widgets

from ...core.errors import InputError
from ...rois.recipe import InsideFile, InsideRegions, MoreIn, RecipeStep
from ...rois.steps import FillHoles, Morph
from ..app_context import AppContext
from ..controls import NameList, labelled, note, set_text
from ..file_field import FileField
from ..lab_choices import WayChoices
from ..pick_list import PickList
from ..roi_lab import RoiLab, RoiResult
from .roi_threshold import ThresholdField

_KINDS = {
    "regions": "Only inside regions of an atlas",
    "file": "Only inside a mask file",
    "more_in_a": "Only where A has more",
    "more_in_b": "Only where B has more",
    "dilate": "Dilate (grow)",
    "erode": "Erode (shrink)",
    "open": "Open (erode, then dilate)",
    "close": "Close (dilate, then erode)",
    "fill": "Fill holes",
}
_MORPHS = ("dilate", "erode", "open", "close")
_UNITS = [
    ("voxels, 6-neighbourhood", ("voxels", 6)),
    ("voxels, 18-neighbourhood", ("voxels", 18)),
    ("voxels, 26-neighbourhood", ("voxels", 26)),
    ("mm, a ball", ("mm", 6)),
]


class StepsPanel:
    """The threshold, a form for one step more, and undo.

    Parameters
    ----------
    context : AppContext
    lab : RoiLab
    choices : WayChoices
    """

    def __init__(self, context: AppContext, lab: RoiLab, choices: WayChoices) -> None:
        self._context, self._lab, self._choices = context, lab, choices
        self.threshold = ThresholdField(context, choices)
        self.kind = widgets.Dropdown(options=[(words, key) for key, words in _KINDS.items()])
        self.atlas = NameList()
        self._offer_atlases()
        context.session.root.observe(self._offer_atlases)
        self.regions = PickList("region", rows=4)
        self.file = FileField(lab.files, "Choose a folder")
        self.above = widgets.BoundedFloatText(min=0, max=1e9, step=0.05)
        self.radius = widgets.BoundedFloatText(value=1, min=0, max=100, step=1)
        self.unit = widgets.Dropdown(options=_UNITS)
        self.add = widgets.Button(description="Add step", icon="plus")
        self.undo = widgets.Button(description="Undo last step", icon="undo", disabled=True)
        self._namer = context.worker()
        self.widget = self._lay_out()
        self._connect()
        self.kind.value = "dilate"

    def _offer_atlases(self) -> None:
        atlases = self._context.session.root.atlas_options
        self.atlas.offer([("Choose an atlas", ""), *atlases])

    def show(self, answer: RoiResult) -> None:
        """Fit the form to what was computed."""
        self.threshold.show(answer)
        self.add.disabled = False
        self.undo.disabled = not answer.question.way.steps

    def clear(self) -> None:
        """There is no map to add a step to."""
        self.add.disabled = self.undo.disabled = True

    def _lay_out(self) -> widgets.VBox:
        for button in (self.add, self.undo):
            button.add_class("ld-button")
        size = widgets.HBox([self.radius, self.unit])
        size.add_class("ld-size")
        above = note("0 for a mask of 0 and 1, otherwise the minimum probability.")
        self._forms = {
            "regions": widgets.VBox([self.atlas, self.regions.widget]),
            "file": widgets.VBox([self.file.widget, self.above, above]),
            "size": size,
        }
        for form in self._forms.values():
            form.add_class("ld-plain")
        buttons = widgets.HBox([self.add, self.undo])
        buttons.add_class("ld-buttons")
        form = labelled("Add step", self.kind, *self._forms.values(), buttons)
        box = widgets.VBox([self.threshold.widget, form])
        box.add_class("ld-roi-form")
        return box

    def _connect(self) -> None:
        guard = self._context.banner.guard
        self.kind.observe(guard(self._kind_chosen), names="value")
        self.atlas.observe(guard(self._atlas_chosen), names="value")
        self.add.on_click(guard(self._add))
        self.undo.on_click(guard(self._undo))

    def _kind_chosen(self, change: dict[str, Any]) -> None:
        field = "size" if change["new"] in _MORPHS else change["new"]
        for name, form in self._forms.items():
            (form.remove_class if name == field else form.add_class)("ld-hidden")

    def _atlas_chosen(self, change: dict[str, Any]) -> None:
        name = change["new"]
        self.regions.offer(())
        if name:
            self._context.banner.clear()
            set_text(self.regions.caption, "Reading the atlas ...")
            self._namer.submit(lambda: self._region_names(name), self._offer_regions)

    def _region_names(self, name: str) -> tuple[str, list[str]]:
        atlas = self._context.session.atlas(name)
        assert atlas is not None
        return name, list(dict.fromkeys(region.name for region in atlas.regions))

    def _offer_regions(self, names: tuple[str, list[str]]) -> None:
        if names[0] == self.atlas.value:  # else another atlas was chosen meanwhile
            self.regions.offer(names[1])

    def _add(self, _button: Any = None) -> None:
        self._context.banner.clear()
        steps = (*self._choices.steps, self._step())
        with self._choices.hold_trait_notifications():
            self._choices.steps, self._choices.picks = steps, ()

    def _undo(self, _button: Any = None) -> None:
        self._context.banner.clear()
        with self._choices.hold_trait_notifications():
            self._choices.steps, self._choices.picks = self._choices.steps[:-1], ()

    def _step(self) -> RecipeStep:
        """The step as the form has it."""
        kind = self.kind.value
        if kind in _MORPHS:
            unit, neighbours = self.unit.value
            # Half a voxel is left as it is: the library says what is wrong with it.
            radius = self.radius.value
            whole = int(radius) if unit == "voxels" and radius.is_integer() else radius
            return Morph(cast("Any", kind), whole, unit, neighbours)
        if kind == "regions":
            return self._inside_regions()
        if kind == "file":
            if not self.file.name:
                raise InputError("step", "no mask is chosen", "choose its folder and its name")
            path = self._lab.files.path(self.file.folder, self.file.name)
            return InsideFile(path, self.above.value or None)
        if kind == "fill":
            return FillHoles()
        return MoreIn("a" if kind == "more_in_a" else "b")

    def _inside_regions(self) -> RecipeStep:
        if not self.regions.value:
            raise InputError("step", "no region is chosen", "choose an atlas, and its regions")
        image, labels = self._context.session.root.atlas_files(self.atlas.value)
        return InsideRegions(str(image), self.regions.value, str(labels) if labels else None)
