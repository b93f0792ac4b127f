"""Where the crosshair of the page Inspect is: typed as a voxel or as a place, or clicked."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from ...images.nifti import number, point
from ..app_context import AppContext
from ..controls import bind, card, heading, labelled, note
from ..loaded_volume import LoadedVolume, Voxel, planes_of
from ..slice_view import SliceView

EMPTY = "Choose an image on the left, or drop one onto this page."


class CrosshairPanel:
    """Three slices, the voxel and the place at their crosshair, and the value there.

    Parameters
    ----------
    context : AppContext
    on_volume : callable
        Given the number of the volume that is wanted.
    """

    def __init__(self, context: AppContext, on_volume: Callable[[int], None]) -> None:
        self._context, self._on_volume = context, on_volume
        self.loaded: LoadedVolume | None = None
        self.voxel: Voxel = (0, 0, 0)
        self._is_filling = False
        guard = context.banner.guard
        self.slices = SliceView(guard(self._clicked))
        self.stage = widgets.VBox([self.slices])
        self.readout = widgets.HTML()
        self.orientation = widgets.ToggleButtons(
            options=[("Neurological", False), ("Radiological", True)],
            tooltips=["Patient's left on the left", "Patient's left on the right"],
        )
        self.ijk = [widgets.BoundedIntText(min=0, max=0, description=name) for name in "ijk"]
        self.xyz = [widgets.FloatText(description=name, step=1) for name in "xyz"]
        self.volume = widgets.IntSlider(min=0, max=0, continuous_update=False)
        self.hint, self.remark = note(), note()
        self.to_middle = _button("Middle", "Move the crosshair to the centre of the image")
        self.to_highest = _button("Highest value", "Move the crosshair to the highest value")
        bind(context.choices, "radiological", self.orientation)
        context.choices.observe(guard(lambda _: self._draw()), names="radiological")
        self.to_middle.on_click(guard(self._go_to_middle))
        self.to_highest.on_click(guard(self._go_to_highest))
        for field in self.ijk:
            field.observe(guard(self._voxel_typed), names="value")
        for field in self.xyz:
            field.observe(guard(self._place_typed), names="value")
        self.volume.observe(guard(self._volume_chosen), names="value")
        self.fields = self._lay_out_fields()
        self.widget = self._lay_out()
        self.clear(EMPTY)

    def show(self, volume: LoadedVolume) -> None:
        """Show an image, or another volume of it with the crosshair where it was."""
        is_same = self.loaded is not None and self.loaded.inspection is volume.inspection
        self.loaded = volume
        if volume.stored is None:
            self.clear("There are no slices to show of this image.")
            return
        with self._filling():
            for field, count in zip(self.ijk, volume.inspection.shape, strict=False):
                field.value = 0
                field.max = count - 1
            self.volume.max = volume.inspection.volumes - 1
            self.volume.value = volume.volume
        for field in self._moving:
            field.disabled = False
        self.volume.disabled = volume.inspection.volumes < 2
        self.stage.remove_class("ld-hidden")
        self.move(self.voxel if is_same else volume.middle)

    def clear(self, why: str) -> None:
        """Show nothing but the reason."""
        for field in (*self._moving, self.volume):
            field.disabled = True
        self.stage.add_class("ld-hidden")
        self.readout.value = f'<div class="ld-empty">{html.escape(why)}</div>'
        self.hint.value = self.remark.value = ""

    def move(self, voxel: Voxel, place: tuple[float, ...] | None = None) -> None:
        """Put the crosshair on a voxel; a place that was typed is left as it is."""
        if self.loaded is None or self.loaded.stored is None:
            return
        self.loaded.inspection.check_voxel(*voxel)
        self.voxel = voxel
        centre = self.loaded.inspection.to_mm(*voxel)
        with self._filling():
            for index, field in zip(voxel, self.ijk, strict=True):
                field.value = index
            for mm, field in zip(place or centre, self.xyz, strict=True):
                field.value = round(mm, 2)
        self._draw()

    @property
    def _moving(self) -> tuple[Any, ...]:
        """What moves the crosshair."""
        return *self.ijk, *self.xyz, self.to_middle, self.to_highest

    def _lay_out_fields(self) -> widgets.VBox:
        rows = [widgets.HBox(row) for row in (self.ijk, self.xyz)]
        for row in rows:
            row.add_class("ld-triple")
        return widgets.VBox(
            [
                labelled("Voxel (i, j, k), counted from 0", rows[0]),
                labelled("Coordinates (x, y, z) in mm", rows[1], self.hint),
                labelled("Volume, counted from 0", self.volume),
            ]
        )

    def _lay_out(self) -> widgets.VBox:
        self.stage.add_class("ld-stage")
        self.readout.add_class("ld-readout")
        head = widgets.HBox([heading("Slices"), self.to_middle, self.to_highest, self.orientation])
        return card(head, self.stage, self.readout, self.remark, name="inspect-view")

    @contextmanager
    def _filling(self) -> Iterator[None]:
        """While fields are filled in, they are not taken as typed."""
        self._is_filling = True
        try:
            yield
        finally:
            self._is_filling = False

    def _voxel_typed(self, _change: Any) -> None:
        if not self._is_filling:
            i, j, k = (int(field.value) for field in self.ijk)
            self.move((i, j, k))

    def _place_typed(self, _change: Any) -> None:
        if self._is_filling or self.loaded is None:
            return
        x, y, z = (float(field.value) for field in self.xyz)
        try:
            voxel = self.loaded.inspection.nearest_voxel(x, y, z)
        except ValueError:
            self.move(self.voxel)  # what lies outside is not left standing in the fields
            raise
        self._context.banner.clear()
        self.move(voxel, (x, y, z))

    def _go_to_middle(self, _button: Any) -> None:
        if self.loaded is not None:
            self.move(self.loaded.middle)

    def _go_to_highest(self, _button: Any) -> None:
        if self.loaded is not None:
            self.move(self.loaded.highest)

    def _volume_chosen(self, change: dict[str, Any]) -> None:
        if not self._is_filling:
            self.hint.value = f"reading volume {int(change['new'])} ..."
            self._on_volume(int(change["new"]))

    def _clicked(self, pane: int, x: float, y: float) -> None:
        if self.loaded is None or self.loaded.inspection.space is None:
            return
        space = self.loaded.inspection.space
        plane = planes_of(space.axes, bool(self._context.choices.radiological))[pane]
        self.move(plane.voxel(x, y, self.voxel, space.grid.shape))

    def _draw(self) -> None:
        volume = self.loaded
        if volume is None or volume.stored is None:
            return
        self.slices.show(volume, self.voxel, bool(self._context.choices.radiological))
        self.readout.value = html.escape(self._words(volume))
        self.hint.value = html.escape(self._exactly(volume))
        self.remark.value = html.escape(_remark(volume))

    def _words(self, loaded: LoadedVolume) -> str:
        value = loaded.value(self.voxel)
        shown = number(value) if math.isfinite(value) else str(value).replace("nan", "NaN")
        volume = f" · volume {loaded.volume}" if loaded.inspection.volumes > 1 else ""
        centre = point(loaded.inspection.to_mm(*self.voxel))
        low, high = loaded.window
        return (
            f"voxel {point(self.voxel)} · centre {centre} mm{volume} · value {shown} "
            f"· grey from {number(low)} (black) to {number(high)} (white)"
        )

    def _exactly(self, volume: LoadedVolume) -> str:
        x, y, z = (float(field.value) for field in self.xyz)
        voxel = volume.inspection.to_voxel(x, y, z)
        return f"there (i, j, k) = {point(round(index, 2) for index in voxel)}"


def _button(text: str, tooltip: str) -> widgets.Button:
    button = widgets.Button(description=text, tooltip=tooltip)
    button.add_class("ld-button")
    return button


def _remark(volume: LoadedVolume) -> str:
    """How the slices lie, and what the letters at their edges stand for."""
    space = volume.inspection.space
    if space is None:
        return ""
    letters = (
        "Letters are the patient's: left and right, anterior (front) and posterior, superior (top) "
        "and inferior. "
    )
    if volume.inspection.form_used == "none":
        return f"{letters}The file states no orientation: left may be right."
    if not space.is_oblique:
        return f"{letters}Click into a slice, or press the arrow keys there, to move the crosshair."
    return (
        f"{letters}The image is oblique by {space.oblique_degrees:.3g}°: these are its own planes, "
        "and each edge is named after the direction it comes nearest to."
    )
