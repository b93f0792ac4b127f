"""The linked three-plane viewer: a picture on the MNI152 template, and where its crosshair is."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ipywidgets as widgets
import numpy as np
from ipyniivue import ShowRender, Volume
from ipyniivue.traits import NIFTI1Hdr
from numpy.typing import NDArray

from ..core.grid import Grid
from ..images.maps import nifti_bytes
from ..images.template import eight_bit_image, template_on
from ..plotting.figures import OVERLAP_CLASSES, ColourClass, class_stops
from .niivue import QuickNiiVue
from .outline import Outline, outline_tables, outlined_picture
from .picture import Box, Mm, Picture

_CLASSES = "lesion_dash_classes"
_OPACITY = 0.85


@dataclass(eq=False)
class BrainViewer:
    """Three linked planes through the brain.

    niivue is given eight-bit pictures and only the voxels that change: sending a whole volume
    takes five to fifty times longer, and the screen has no more than 256 colours for it.
    """

    on_move: Callable[[Mm], None]
    on_paint: Callable[[], None]
    classes: tuple[ColourClass, ...] = OVERLAP_CLASSES
    mm: Mm = (0.0, 0.0, 0.0)
    _grid: Grid | None = field(default=None, init=False)
    _under: Any = field(default=None, init=False)
    box: Any = field(default=None, init=False)
    _plain: Any = field(default=None, init=False)
    _outline: Outline | None = field(default=None, init=False)
    picture: Any = field(default=None, init=False)
    overlay: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.niivue = QuickNiiVue(
            height=400,
            back_color=(0.0, 0.0, 0.0, 1.0),
            crosshair_color=(0.95, 0.95, 0.95, 0.8),
            crosshair_gap=6.0,
            crosshair_width=1.2,
            crosshair_width_unit="mm",
            font_color=(0.92, 0.95, 0.97, 1.0),
            font_min_px=15,
            multiplanar_show_render=ShowRender.NEVER,
            multiplanar_pad_pixels=16,
            show_all_orientation_markers=True,
            drag_and_drop_enabled=False,
            is_colorbar=False,
            view_mode_hot_key="",
            clip_plane_hot_key="",
            cycle_clip_plane_hot_key="",
            loading_text="",
        )
        self.niivue.on_location_change(self._located)
        self.niivue.on_image_loaded(self._resend)
        self.niivue.observe(self._attached, names="_canvas_attached")
        self.widget = widgets.Box()
        self.widget.add_class("ld-canvas")

    def open(self) -> None:
        """Put the viewer on the page; without WebGL 2 it would fail there, unheard by Python."""
        self.widget.children = [self.niivue]

    def show(self, picture: Picture) -> None:
        """Show a picture; on the same grid, only what differs from the last one is sent."""
        self._plain = picture
        outline = self._outline
        if outline is not None and outline.lies_on(picture.grid):
            picture = outlined_picture(picture, outline)
        self._draw(picture)

    def outline(self, outline: Outline | None) -> None:
        """Draw a lesion's outline over the picture, on whose grid it is; None takes it away."""
        if outline is not self._outline:
            self._outline = outline
            self.show(self._plain)

    def _draw(self, picture: Picture) -> None:
        if self._grid != picture.grid or not self.box.holds(picture.levels):
            self._load(picture)
            return
        last, self.picture = self.picture, self.box.crop(picture)
        if last.colormap != picture.colormap:
            self._send_colours()
            self.overlay.colormap = picture.colormap or _CLASSES
        self._send_changes(last.levels, self.picture.levels)

    def clear(self) -> None:
        """Show the template alone."""
        if self._grid is not None:
            empty = np.zeros(self._grid.shape, np.uint8)
            self.show(Picture(empty, self._grid, self._plain.colormap))

    def move_to(self, mm: Mm) -> None:
        """Put the crosshair at a place in mm. niivue reports no move of ours, so this does."""
        self.mm = mm
        if self._grid is not None:
            self._point()
        self.on_move(mm)

    def _point(self) -> None:
        grid = self._under
        fraction = (grid.to_voxel(self.mm) + 0.5) / np.asarray(grid.shape)
        # niivue counts from the left, posterior, inferior corner whatever the file's order.
        fraction = np.where(_grows_backwards(grid), 1 - fraction, fraction)[_world_order(grid)]
        self.niivue.scene.crosshair_pos = [float(f) for f in np.clip(fraction, 0, 1)]

    def set_radiological(self, radiological: bool) -> None:
        """Show the patient's left on the right (radiological) or on the left (neurological)."""
        self.niivue.set_radiological_convention(radiological)

    def _load(self, picture: Picture) -> None:
        template = template_on(picture.grid)
        brain = np.asarray(template.dataobj)
        self._grid, self.box = picture.grid, Box.whole(picture.grid.shape)
        nx, ny, nz = brain.shape
        self._under = Grid((nx, ny, nz), template.affine)
        if brain.shape == picture.grid.shape:
            # Half of an image is air around the head: without it, redrawing takes half as long.
            self.box = Box.around(brain | picture.levels)
            under = self.box.crop(Picture(brain, picture.grid, ""))
            self._under, brain = under.grid, under.levels
        self.picture = self.box.crop(picture)
        self.overlay = _volume(
            self.picture.levels, self.picture.grid, picture.colormap or _CLASSES, 0, 255
        )
        self.overlay.opacity = _OPACITY
        self.niivue.load_volumes([_volume(brain, self._under, "gray", 30, 250), self.overlay])
        self._point()

    def _send_changes(self, old: NDArray[np.uint8], new: NDArray[np.uint8]) -> None:
        before, after = old.ravel(order="F"), new.ravel(order="F")
        changed = np.flatnonzero(before != after).astype(np.uint32)
        if changed.size:
            self.overlay.send(
                {
                    "type": "buffer_update",
                    "data": {"attr": "img", "type": "uint8", "indices_type": "uint32"},
                },
                buffers=[changed.tobytes(), after[changed].tobytes()],
            )

    def _resend(self, volume: Any) -> None:
        self.on_paint()
        # Changes sent while the browser was still loading the volume are lost, and the colours it
        # began with come back as if they had been chosen; send all again.
        if volume is self.overlay:
            self._send_colours()
            volume.colormap = "gray"  # as the browser follows nothing but a change
            volume.colormap = self.picture.colormap or _CLASSES
            volume.send(
                {"type": "buffer_change", "data": {"attr": "img", "type": "uint8"}},
                buffers=[self.picture.levels.tobytes(order="F")],
            )

    def _attached(self, _change: object) -> None:
        self._send_colours()

    def _send_colours(self) -> None:
        self.niivue.add_colormap(_CLASSES, _class_table(self.classes))
        for name, table in outline_tables().items():
            self.niivue.add_colormap(name, table)

    def _located(self, location: dict[str, Any]) -> None:
        """The crosshair was moved, checked here whatever the browser sends."""
        try:
            # To a tenth of a mm, as it is shown: who types what is shown comes to the same voxel.
            x, y, z = (round(float(v), 1) + 0.0 for v in location["mm"][:3])
        except (KeyError, TypeError, ValueError, OverflowError):
            return
        if all(map(math.isfinite, (x, y, z))):
            self.mm = (x, y, z)
            self.on_move(self.mm)


def _class_table(classes: tuple[ColourClass, ...]) -> dict[str, list[int]]:
    stops = class_stops(classes)
    channels = {name: [c[i] for _, c in stops] for i, name in enumerate("RGB")}
    opaque = [0] + [255] * (len(stops) - 1)
    return channels | {"A": opaque, "I": [position for position, _ in stops]}


def _volume(
    levels: NDArray[np.uint8], grid: Grid, colormap: str, low: float, high: float
) -> Volume:
    content = gzip.compress(nifti_bytes(eight_bit_image(levels, grid)), compresslevel=1)
    volume = Volume(data=content, name="v.nii.gz", colormap=colormap, cal_min=low, cal_max=high)
    # ipyniivue tells that an image was loaded only once it has voxels and a header. The page would
    # send both back, and may set neither.
    volume.img, volume.hdr = levels.ravel(order="F"), NIFTI1Hdr()
    return volume


def _world_order(grid: Grid) -> NDArray[np.intp]:
    return np.argmax(np.abs(grid.affine[:3, :3]), axis=1)


def _grows_backwards(grid: Grid) -> NDArray[np.bool_]:
    columns = grid.affine[:3, :3]
    return columns[np.argmax(np.abs(columns), axis=0), np.arange(3)] < 0
