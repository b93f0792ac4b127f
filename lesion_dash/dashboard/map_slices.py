"""Three slices of the brain with a map over it, drawn by the browser without WebGL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import anywidget
import numpy as np
import traitlets as t
from numpy.typing import NDArray

from ..core.formats import COORDINATE
from ..core.grid import Grid, find_index
from ..core.memory import derived
from ..images.nifti import Axis, Space
from ..images.survey import axis_codes
from ..images.template import template_on
from .colour_scales import AnyShade
from .loaded_volume import Plane, Voxel, planes_of
from .pane_click import read_click
from .places import Mm
from .scripts import static_text

_BLACK, _WHITE = 30, 250
"""Levels of the template that are drawn darkest and brightest, as on the page Maps."""

_BRIGHTEST = 190
"""The grey of the brightest, dark enough to be told from the colour of no difference."""

Clicked = Callable[[int, float, float], None]


@dataclass(frozen=True, eq=False)
class MapLayer:
    """A map to be drawn on the brain.

    Parameters
    ----------
    grid : Grid
    indices : array of int32, shape (voxels,)
        The voxels that are drawn, linear positions in ascending order, the first axis fastest.
    values : array of float64, shape (voxels,)
        In the unit of the shade.
    shade : MapColours, DifferenceColours or PColours
    """

    grid: Grid
    indices: NDArray[np.int32]
    values: NDArray[np.float64]
    shade: AnyShade

    @cached_property
    def levels(self) -> NDArray[np.uint8]:
        """Entry of the colour table at each voxel of the grid, 0 where nothing is drawn."""
        flat = np.zeros(self.grid.size, np.uint8)
        flat[self.indices] = self.shade.levels(self.values)
        return flat.reshape(self.grid.shape, order="F")

    @cached_property
    def axes(self) -> tuple[Axis, Axis, Axis]:
        """The axes of the grid."""
        return Space(self.grid, axis_codes(self.grid.affine)).axes

    def value_at(self, voxel: Voxel) -> float:
        """The value of a voxel, NaN where nothing is drawn."""
        row = find_index(self.indices, self.grid.linear_index(voxel))
        return float("nan") if row is None else float(self.values[row])

    def extreme(self, largest: bool) -> Mm | None:
        """Where the largest, or the smallest, value is; None where nothing is drawn."""
        if not self.values.size:
            return None
        at = np.argmax(self.values) if largest else np.argmin(self.values)
        x, y, z = self.grid.mm_of_index(self.indices[[at]])[0].tolist()
        return x, y, z

    def voxel(self, mm: Mm) -> Voxel:
        """The voxel that holds a place, or the nearest one of the grid."""
        near = np.floor(self.grid.to_voxel(np.nan_to_num(mm)) + 0.5)
        i, j, k = np.clip(near, 0, np.asarray(self.grid.shape) - 1).astype(int).tolist()
        return i, j, k

    def mm(self, voxel: Voxel) -> Mm:
        """The centre of a voxel."""
        x, y, z = self.grid.to_mm(voxel).tolist()
        return x, y, z

    def clicked(self, pane: int, x: float, y: float, current: Voxel, radiological: bool) -> Voxel:
        """The voxel at a share of width and height of a slice."""
        return planes_of(self.axes, radiological)[pane].voxel(x, y, current, self.grid.shape)

    def cuts(self, voxel: Voxel, radiological: bool) -> list[tuple[Plane, NDArray, NDArray]]:
        """Each plane through a voxel, with its slice of the brain and of the map."""
        brain = brain_greys(self.grid)
        planes = planes_of(self.axes, radiological)
        return [(plane, plane.cut(brain, voxel), plane.cut(self.levels, voxel)) for plane in planes]

    def facts(self, plane: Plane, voxel: Voxel) -> dict[str, Any]:
        """What the browser needs to know of a slice."""
        across, up = (self.axes[axis] for axis in (plane.across, plane.up))
        column, row = plane.place(voxel, self.grid.shape)
        world = "xyz"[("sagittal", "coronal", "axial").index(plane.name)]
        mm = self.mm(voxel)["xyz".index(world)]
        return {
            "name": plane.name,
            "title": f"{world} = {COORDINATE.with_unit(mm)}",
            "pixels": [across.voxels, up.voxels],
            "mm": [across.voxels * across.edge_mm, up.voxels * up.edge_mm],
            "cross": [(column + 0.5) / across.voxels, (row + 0.5) / up.voxels],
            "step": [1 / across.voxels, 1 / up.voxels],
            "edges": list(plane.edges),
        }


def brain_greys(grid: Grid) -> NDArray[np.uint8]:
    """The MNI152 brain on a grid, as greys; black where the grid is oblique to it."""
    return derived(grid, "brain greys", lambda: _brain_greys(grid))


def _brain_greys(grid: Grid) -> NDArray[np.uint8]:
    template = template_on(grid)
    own = np.asarray(template.dataobj)
    if own.shape != grid.shape or not np.allclose(template.affine, grid.affine):
        return np.zeros(grid.shape, np.uint8, order="F")
    share = np.clip((own.astype(np.float32) - _BLACK) / (_WHITE - _BLACK), 0, 1)
    greys = np.asfortranarray(np.rint(share * _BRIGHTEST).astype(np.uint8))
    greys.setflags(write=False)
    return greys


class MapSlices(anywidget.AnyWidget):
    """Three slices in one picture, with a crosshair that mouse and arrow keys move.

    Nothing is sent while the slices are not on the screen.

    Parameters
    ----------
    name : str
        What is shown, for screen readers.
    on_click : callable
        Given the number of the slice and the place in it, as shares of width and height.
    """

    _esm = static_text("maps.js")
    name = t.Unicode("").tag(sync=True)
    panes: t.List[dict[str, Any]] = t.List().tag(sync=True)
    under = t.Bytes(b"", help="slices of the brain").tag(sync=True)
    over = t.Bytes(b"", help="slices of the map").tag(sync=True)
    palette = t.Bytes(b"").tag(sync=True)
    value = t.Unicode("", help="the value at the crosshair").tag(sync=True)
    remark = t.Unicode("", help="what is to be said of it").tag(sync=True)
    empty = t.Unicode("", help="said where there is nothing to show").tag(sync=True)
    visible = t.Bool(True, help="whether it is on the screen").tag(sync=True)
    answered = t.Int(0, help="counts what was asked for and answered").tag(sync=True)

    def __init__(self, name: str, on_click: Clicked) -> None:
        super().__init__(name=name)
        self._on_click = on_click
        self._late: tuple[MapLayer, Voxel, bool, str, str] | None = None
        self.on_msg(self._received)
        self.observe(self._seen, names="visible")

    def show(
        self, layer: MapLayer, voxel: Voxel, radiological: bool, value: str, remark: str = ""
    ) -> None:
        """Show the slices through a voxel, and what is known of it."""
        if not self.visible:
            self._late = (layer, voxel, radiological, value, remark)
            return
        self._late = None
        cuts = layer.cuts(voxel, radiological)
        with self.hold_sync():
            self.empty = ""
            self.panes = [layer.facts(plane, voxel) for plane, _, _ in cuts]
            self.under = b"".join(brain.tobytes() for _, brain, _ in cuts)
            self.over = b"".join(levels.tobytes() for _, _, levels in cuts)
            self.palette = layer.shade.palette
            self.value, self.remark = value, remark

    def clear(self, why: str) -> None:
        """Show nothing but the reason."""
        self._late = None
        with self.hold_sync():
            self.empty = why
            self.panes, self.under, self.over = [], b"", b""
            self.value = self.remark = ""

    def _seen(self, _change: Any) -> None:
        if self.visible and self._late is not None:
            self.show(*self._late)

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """A click or a key, checked here whatever the browser sends."""
        click = read_click(content, len(self.panes))
        if click is not None:
            self._on_click(*click)
        self.answered += 1
