"""Step 2 of Template & signal: three slices of template and image, and how well they agree."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets as widgets
import numpy as np

from ...core.formats import COEFFICIENT, PERCENT, VOLUME
from ...images.masks import Mask
from ...images.nifti import Space
from ...images.survey import axis_codes
from ...plotting.figures import ML
from ...scans.registration.task import Registration
from ..app_context import AppContext
from ..blend_view import BlendView
from ..controls import bind, card, heading, note, set_text
from ..image_facts import table_html
from ..loaded_volume import Voxel
from ..volume_pair import VolumePair

EMPTY = "Choose an image on the left, then a template, and press “Register”."
_ENOUGH = 50_000
"""Voxels that tell where the middle of a region is."""

_BEFORE = "Before registration (header alignment)"
_SIMILARITY = "similarity is the mean squared local correlation with the template"
_OWN = "The image in its own space"
_REFUSED = "Refused: the image is misplaced"


class VolumePanel:
    """The slices, and the numbers beside them.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.volumes: VolumePair | None = None
        self.voxel: Voxel = (0, 0, 0)
        self._region: Mask | None = None
        guard = context.banner.guard
        self.view = BlendView(guard(self._clicked), guard(self._turned))
        self.caption = note()
        self.facts = widgets.HTML()
        self.to_region = widgets.Button(
            description="Go to region", tooltip="Move the crosshair to the centre of the region"
        )
        self.orientation = widgets.ToggleButtons(
            options=[("Neurological", False), ("Radiological", True)],
            tooltips=["Patient's left on the left", "Patient's left on the right"],
        )
        bind(context.choices, "radiological", self.orientation)
        context.choices.observe(guard(lambda _: self._draw()), names="radiological")
        self.to_region.on_click(guard(lambda _: self.go_to_region()))
        self.widget = self._lay_out()
        self.clear(EMPTY)

    def show(self, volumes: VolumePair) -> None:
        """Show an image; on the same grid the crosshair stays."""
        is_same = self.volumes is not None and self.volumes.grid.matches(volumes.grid)
        self.volumes, self._region = volumes, None
        self.to_region.disabled = True
        self.voxel = self.voxel if is_same else volumes.middle
        self.view.stamp = "refused" if volumes.refusal is not None else ""
        is_refused = volumes.refusal is not None
        registration = volumes.registration
        words = _OWN if volumes.template is None else _BEFORE
        if registration is not None:
            words = (
                _REFUSED if is_refused else f"{volumes.native.name} on {registration.template.name}"
            )
        set_text(self.caption, words)
        (self.caption.add_class if is_refused else self.caption.remove_class)("ld-alarm")
        self.facts.value = facts_html(volumes)
        self._draw()

    def show_region(self, mask: Mask | None, is_new: bool) -> None:
        """Show the mask of the region; the crosshair goes to a region that is new."""
        self._region = mask
        self.to_region.disabled = mask is None or not mask.voxels
        if self.volumes is None:
            return
        if is_new and mask is not None and mask.voxels:
            self.go_to_region()
        else:
            self.view.mark(self.volumes, self.voxel, self._is_radiological, mask)

    def go_to_region(self) -> None:
        """Put the crosshair on the voxel of the region that is nearest to its middle."""
        if self.volumes is not None and self._region is not None and self._region.voxels:
            self.move(middle_of(self._region))

    def move(self, voxel: Voxel) -> None:
        """Put the crosshair on a voxel."""
        self.voxel = voxel
        self._draw()

    def clear(self, why: str) -> None:
        """Show nothing but the reason."""
        self.volumes, self._region = None, None
        self.view.clear(why)
        set_text(self.caption, "")
        self.to_region.disabled = True
        self.facts.value = '<div class="ld-empty">Registration quality appears here.</div>'

    @property
    def _is_radiological(self) -> bool:
        return bool(self._context.choices.radiological)

    def _lay_out(self) -> widgets.VBox:
        self.to_region.add_class("ld-button")
        self.facts.add_class("ld-facts")
        stage = widgets.VBox([self.view])
        stage.add_class("ld-blend-stage")
        self.facts.add_class("ld-quality")
        row = widgets.HBox([stage, self.facts])
        row.add_class("ld-blend-row")
        head = widgets.HBox([heading("2  Check"), self.caption, self.to_region, self.orientation])
        return card(head, row, name="template-view")

    def _clicked(self, pane: int, x: float, y: float) -> None:
        if self.volumes is not None:
            self.move(self.volumes.voxel(pane, x, y, self.voxel, self._is_radiological))

    def _turned(self, pane: int, step: int) -> None:
        if self.volumes is not None:
            self.move(self.volumes.deeper(pane, step, self.voxel))

    def _draw(self, _change: Any = None) -> None:
        if self.volumes is not None:
            self.view.show(self.volumes, self.voxel, self._is_radiological, self._region)


def middle_of(mask: Mask) -> Voxel:
    """The voxel of a mask that is nearest to its centre of mass; of a large one roughly so."""
    some = mask.indices[:: max(mask.voxels // _ENOUGH, 1)]
    places = np.stack(np.unravel_index(some, mask.grid.shape, order="F"), axis=-1)
    away = ((places - places.mean(axis=0)) ** 2).sum(axis=1)
    i, j, k = places[int(np.argmin(away))].tolist()
    return i, j, k


def facts_html(volumes: VolumePair) -> str:
    """Numbers of a registration with their units, and the volumes of the lesion."""
    own = Space(volumes.native.grid, axis_codes(volumes.native.grid.affine))
    rows = [("Image", f"{own.orientation}, {own.size_summary}")]
    if volumes.template is not None:
        rows.append(
            (
                "Template",
                Space(volumes.grid, axis_codes(volumes.grid.affine)).size_summary,
            )
        )
    if volumes.registration is not None:
        rows += quality_rows(volumes.registration)
    rows += lesion_rows(volumes)
    notes = (_SIMILARITY, *volumes.registration.notes) if volumes.registration is not None else ()
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return table_html(rows) + (f"<ul>{items}</ul>" if items else "")


def quality_rows(registration: Registration) -> list[tuple[str, str]]:
    """How well the image lies on its template."""
    quality = registration.quality
    before, after = quality.similarity_before, quality.similarity_after
    smallest = quality.smallest_jacobian
    # Rigid and affine transforms scale every place alike.
    is_local = not np.isclose(smallest, quality.determinant)
    local = [("Smallest local scaling", f"{smallest:.3f} (Jacobian)")] if is_local else []
    starts = f"{quality.agreeing_starts} of {quality.starts} starting positions agree"
    return [
        ("Similarity", f"{COEFFICIENT.text(before)} → {COEFFICIENT.text(after)} (0 to 1)"),
        ("Coverage", f"{PERCENT.with_unit(100 * quality.coverage)} of the template"),
        ("Volume scaling", f"{quality.determinant:.3f} (template / native; determinant)"),
        *local,
        ("Reproducibility", starts),
        ("Engine", registration.engine),
        ("Took", f"{registration.seconds:.0f} s, {registration.memory_mb:,.0f} MB"),
    ]


def lesion_rows(volumes: VolumePair) -> list[tuple[str, str]]:
    """The lesion's volume is that in the native image."""
    if volumes.native_lesion is None:
        return []
    native = VOLUME.with_unit(volumes.native_lesion.volume_mm3 / ML)
    rows = [("Lesion volume", f"{native} (native)")]
    if volumes.lesion is not None and volumes.registration is not None:
        in_template = VOLUME.with_unit(volumes.lesion.volume_mm3 / ML)
        rows.append(("… in template", f"{in_template}, do not report it"))
    return rows
