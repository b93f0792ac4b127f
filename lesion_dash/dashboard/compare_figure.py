"""The maps of the pages Compare and Size bias as one figure for a paper or a slide."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ..images.maps import Map
from ..images.template import load_template
from ..plotting.drawing import drawable, explain_failure, new_figure
from .places import Mm
from .widgets.layers import ValueLayer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Panel = tuple[str, ValueLayer]
Rectangle = tuple[float, float, float, float]
"""Left, bottom, width and height as parts of a figure."""

_INCHES = 3.6
"""Width of a panel."""

_LETTERS_WIDE, _LINE = 72, 0.13
"""Letters of the foot below a panel, and inches from one of its lines to the next."""

_HEADING, _COLOURS, _GAP = 0.3, 0.55, 0.06
"""Inches of a heading, of a colour bar, and between two panels."""


@explain_failure
def draw_panels(panels: Sequence[Panel], mm: Mm, radiological: bool, foot: str = "") -> Figure:
    """Draw maps side by side, each with three slices through one place and its colours.

    Parameters
    ----------
    panels : sequence of (str, ValueLayer)
        A heading and a map each.
    mm : tuple of float
    radiological : bool
        Show the patient's left on the right of the figure.
    foot : str
        What stands below: whose maps these are, of what, and how they were made.

    Returns
    -------
    matplotlib.figure.Figure
    """
    x, y, z = (f"{round(v):d}".replace("-", "−") for v in mm)
    lines = wrap(f"Slices through {x}, {y}, {z} mm. {foot}", _LETTERS_WIDE * len(panels))
    below = _LINE * (len(lines) + 1)
    width, height = _INCHES * len(panels), _INCHES + _HEADING + _COLOURS + below
    figure = new_figure((width, height))
    for number, (heading, layer) in enumerate(panels):
        left, wide = (number * _INCHES + _GAP) / width, (_INCHES - 2 * _GAP) / width
        bottom = below + _COLOURS
        _draw_slices(
            figure, (left, bottom / height, wide, _INCHES / height), layer, mm, radiological
        )
        top = (bottom + _INCHES + _GAP) / height
        figure.text(left, top, heading, fontsize=10, va="bottom", parse_math=False)
        axes = figure.add_axes((left, below / height, wide, _COLOURS / height))
        axes.set_axis_off()
        (_draw_steps if layer.scale.kind == "steps" else _draw_bar)(axes, layer)
    figure.text(0.01, 0.01, "\n".join(lines), fontsize=7, parse_math=False)
    return figure


def _draw_slices(
    figure: Figure, place: Rectangle, layer: ValueLayer, mm: Mm, radiological: bool
) -> None:
    """The three planes, drawn by nilearn from the levels of the colour table."""
    from matplotlib.colors import ListedColormap
    from nilearn import plotting

    flat = np.zeros(layer.grid.size, np.float32)
    flat[layer.indices] = layer.scale.levels(layer.values)
    levels = Map("", flat.reshape(layer.grid.shape, order="F"), layer.grid, "", "")
    with warnings.catch_warnings():
        # A map may be empty in a slice, or everywhere; its field of view may end before.
        empty = "empty mask|.*masked element|.*cut_coords seem to be out"
        warnings.filterwarnings("ignore", empty, UserWarning)
        plotting.plot_stat_map(
            drawable(levels.to_nifti()),
            bg_img=load_template(),
            display_mode="tiled",
            cut_coords=mm,
            figure=figure,
            axes=place,
            threshold=0.5,
            cmap=ListedColormap(layer.scale.palette / 255),
            vmin=0,
            vmax=255,
            symmetric_cbar=False,
            colorbar=False,
            black_bg=True,
            dim=0,
            radiological=radiological,
            resampling_interpolation="nearest",
        )


def _draw_steps(axes: Any, layer: ValueLayer) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(color="#{:02x}{:02x}{:02x}".format(*step.colour), label=step.label)
        for step in layer.scale.steps
    ]
    axes.legend(
        handles=patches, title=layer.title, title_fontsize=8, fontsize=7, ncols=2, frameon=False,
        loc="upper center", borderaxespad=0,
    )  # fmt: skip


def _draw_bar(axes: Any, layer: ValueLayer) -> None:
    table = layer.scale.palette[1:, :3]
    axes.imshow(table[None], extent=(0.02, 0.98, 0.42, 0.62), aspect="auto")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    low, high = layer.scale.sides
    above = (low and f"◀ {low}", layer.title, high and f"{high} ▶")
    places = ((0.02, "left"), (0.5, "center"), (0.98, "right"))
    for (x, side), words in zip(places, above, strict=True):
        axes.text(x, 0.68, words, ha=side, va="bottom", fontsize=7, parse_math=False)
    for (x, side), words in zip(places, _ticks(layer), strict=True):
        axes.text(x, 0.36, words, ha=side, va="top", fontsize=7)


def _ticks(layer: ValueLayer) -> tuple[str, str, str]:
    """Words below a colour bar: at its left end, in the middle and at its right end."""
    scale, values = layer.scale, layer.values
    end = f"{scale.high:g} {layer.unit}"
    more = "≥ " if bool((values > scale.high).any()) else ""
    if scale.kind == "diverging":
        less = "≤ " if bool((values < -scale.high).any()) else ""
        return f"{less}−{scale.high:g}", "0", f"{more}+{end}"
    return f"{scale.low:g}", f"{(scale.low + scale.high) / 2:g}", f"{more}{end}"
