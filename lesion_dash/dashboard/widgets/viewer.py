"""The brain viewer: layers over a template or a scan, drawn by NiiVue in the browser."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets as t

from ...core.grid import Grid
from ..places import Mm
from ..scripts import widget_script, widget_text
from .frame import Frame
from .layers import (
    COLOUR_TABLES,
    AnyLayer,
    ScanLayer,
    packed,
    template_layer,
)

MNI_2MM = Grid(
    (91, 109, 91), np.array([[2.0, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
)

VIEWS = ("multiplanar", "axial", "coronal", "sagittal", "render", "mosaic")
FARTHEST_MM = 1000.0
MOST_MASKS = 8
"""Lesions that are shown at once: the browser keeps one bit of a byte for each."""

_MOST_KEPT = 12
"""Layers that the browser keeps, to show them again without their being sent."""


class LayerData(widgets.Widget):  # type: ignore[misc]
    """A layer as it is sent, once: a page can set nothing of it."""

    _model_name = t.Unicode("WidgetModel").tag(sync=True)
    facts = t.Dict().tag(sync=True)
    content = t.Bytes().tag(sync=True)


_HEIGHT = "545px"
"""Room for bars, stage and scale before the script is there, so that nothing below moves."""


class Viewer(anywidget.AnyWidget):
    """Planes of the brain, a 3-D view and a mosaic, with a crosshair.

    Thresholds, limits, colours and opacity are applied in the browser: only they are sent, and a
    layer only once.

    Parameters
    ----------
    on_move : callable, optional
        Given the place in mm where the user put the crosshair.
    """

    _esm = widget_script("viewer")
    _css = widget_text("viewer.css")

    layers = t.List(t.Instance(widgets.Widget)).tag(sync=True, **widgets.widget_serialization)
    tables = t.Dict(
        {name: [[at, list(c)] for at, c in stops] for name, stops in COLOUR_TABLES.items()}
    ).tag(sync=True)
    k_source = t.Instance(widgets.Widget, None, allow_none=True).tag(
        sync=True, **widgets.widget_serialization
    )
    k = t.Int(1, help="patients that a voxel needs to be shown, where no slider is followed").tag(
        sync=True
    )
    page = t.Unicode("", help="nilearn's page, where there is no WebGL 2").tag(sync=True)

    # What a page may set as well; see `page_messages`.
    mm = t.List(t.Float(), [0.0, 0.0, 0.0], minlen=3, maxlen=3).tag(sync=True)
    webgl = t.Enum(["unknown", "yes", "no"], default_value="unknown").tag(sync=True)
    painted = t.Bool(False, help="whether the browser has drawn the brain").tag(sync=True)
    radiological = t.Bool(False).tag(sync=True)
    view = t.Enum(VIEWS, default_value="multiplanar").tag(sync=True)

    FROM_PAGE = frozenset({"mm", "webgl", "painted", "radiological", "view"})
    """Names of the traits that a page may set."""

    def __init__(self, on_move: Callable[[Mm], None] | None = None) -> None:
        super().__init__(layout=widgets.Layout(min_height=_HEIGHT))
        self._on_move = on_move
        self.frame = Frame.around(MNI_2MM)
        self._template: ScanLayer | None = None
        self._kept: OrderedDict[tuple[int, int], tuple[AnyLayer, Frame, LayerData]] = OrderedDict()
        self._is_placing = False
        self.add_class("ld-viewer")
        self.observe(self._moved, names="mm")
        self.show()

    def show(self, *layers: AnyLayer, background: ScanLayer | None = None) -> None:
        """Show layers, the lowest first, over the MNI152 brain or a scan.

        Parameters
        ----------
        *layers : layer
            One `ValueLayer` or `OverlapLayer`, up to `MOST_MASKS` `MaskLayer`, one `LabelLayer`,
            and one `ScanLayer` that is blended with the background. An object that was shown
            before is not sent again.
        background : ScanLayer, optional
        """
        over = tuple(layer for layer in layers if not isinstance(layer, ScanLayer))
        first = next(iter((*over, *layers)), background)
        grid = self.frame.grid if first is None else first.grid
        if background is not None and background.grid == grid:
            frame = Frame.whole(grid)
        else:
            frame = Frame.around(grid, (layer.indices for layer in over if layer.grid == grid))
        if not self.frame.holds(frame):
            self.frame = frame
        if background is None and (self._template is None or self._template.grid != grid):
            self._template = template_layer(grid)
        base = background or self._template
        assert base is not None
        data = [self._data(layer) for layer in (base, *layers)]
        if [d.model_id for d in data] != [d.model_id for d in self.layers]:
            self.layers = data
        self._forget()

    def move_to(self, mm: Mm) -> None:
        """Put the crosshair at a place in mm, without telling anybody."""
        self._is_placing = True
        try:
            self.mm = [float(v) for v in mm]
        finally:
            self._is_placing = False

    def follow(self, slider: widgets.Widget) -> None:
        """Let a slider of the page set k in the browser, without the kernel."""
        self.k_source = slider

    def _data(self, layer: AnyLayer) -> LayerData:
        key = (id(layer), id(self.frame))
        if key not in self._kept:
            facts, arrays = layer.pack(self.frame)
            table, content = packed(arrays)
            facts |= {"shape": list(self.frame.shape), "affine": self.frame.affine.tolist()}
            data = LayerData(facts={**facts, "arrays": table}, content=content)
            self._kept[key] = (layer, self.frame, data)  # kept alive: another may get their id
        self._kept.move_to_end(key)
        return self._kept[key][2]

    def _forget(self) -> None:
        while len(self._kept) > max(_MOST_KEPT, len(self.layers)):
            _, (_, _, data) = self._kept.popitem(last=False)
            data.close()

    @t.validate("mm")
    def _check_place(self, proposal: dict[str, Any]) -> list[float]:
        mm = [round(float(v), 1) + 0.0 for v in proposal["value"]]
        if not all(math.isfinite(v) and abs(v) <= FARTHEST_MM for v in mm):
            raise t.TraitError("a place is three finite numbers of mm")
        return mm

    def _moved(self, change: dict[str, Any]) -> None:
        if not self._is_placing and self._on_move is not None:
            x, y, z = change["new"]
            self._on_move((x, y, z))

    def close(self) -> None:
        """Close the widget and its layers."""
        for _, _, data in self._kept.values():
            data.close()
        self._kept.clear()
        super().close()
