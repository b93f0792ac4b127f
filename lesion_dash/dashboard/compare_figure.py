"""The maps of the pages Compare and Larger than chance? as one figure for a paper or a slide."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..plotting.drawing import new_figure
from .colour_scales import STEPS, ColourScale, PColours
from .map_slices import MapLayer
from .places import Mm

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Panel = tuple[str, MapLayer]

_INCHES = 3.6
"""Width of a panel."""

_LETTERS_WIDE, _LINE = 72, 0.13
"""Letters of the foot below a panel, and inches from one of its lines to the next."""

_LETTERS: dict[str, Any] = {"color": "#ffd34d", "fontsize": 9, "fontweight": "bold", "va": "top"}


def draw_panels(panels: Sequence[Panel], mm: Mm, radiological: bool, foot: str = "") -> Figure:
    """Draw maps side by side, each with three slices through one place and its colours.

    Parameters
    ----------
    panels : sequence of (str, MapLayer)
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
    below = _LINE * len(lines)
    height = _INCHES * 1.34 + below
    figure = new_figure((_INCHES * len(panels), height))
    columns = figure.add_gridspec(
        1, len(panels), left=0.01, right=0.99, bottom=below / height, top=0.93, wspace=0.04
    )
    for number, (heading, layer) in enumerate(panels):
        rows = columns[number].subgridspec(2, 1, height_ratios=(1, 0.16), hspace=0.04)
        axes = figure.add_subplot(rows[0])
        _draw_slices(axes, layer, mm, radiological)
        axes.set_title(heading, fontsize=10, loc="left", parse_math=False)
        _draw_colours(figure, rows[1], layer)
    figure.text(0.01, 0.01, "\n".join(lines), fontsize=7, parse_math=False)
    return figure


def _draw_slices(axes: Any, layer: MapLayer, mm: Mm, radiological: bool) -> None:
    """Coronal and axial slice on the left, the sagittal beside them, in millimetres."""
    voxel = layer.voxel(mm)
    cuts = layer.cuts(voxel, radiological)
    facts = [layer.facts(plane, voxel) for plane, _, _ in cuts]
    table = np.frombuffer(layer.shade.palette, np.uint8).reshape(256, 4)
    sagittal, coronal, axial = (plane_facts["mm"] for plane_facts in facts)
    corners = ((coronal[0], 0.0), (0.0, 0.0), (0.0, coronal[1]))
    for (left, top), plane_facts, (_, brain, levels) in zip(corners, facts, cuts, strict=True):
        width, height = plane_facts["mm"]
        extent = (left, left + width, top + height, top)
        axes.imshow(_coloured(brain, levels, table), extent=extent, interpolation="nearest")
        for side, x, place in ((0, left + 4, "left"), (1, left + width - 4, "right")):
            axes.text(x, top + 4, plane_facts["edges"][side], ha=place, **_LETTERS)
        x, y = left + plane_facts["cross"][0] * width, top + plane_facts["cross"][1] * height
        axes.plot([x, x], [top, top + height], color="white", linewidth=0.5)
        axes.plot([left, left + width], [y, y], color="white", linewidth=0.5)
    axes.set_xlim(0, coronal[0] + sagittal[0])
    axes.set_ylim(coronal[1] + axial[1], 0)
    axes.set_facecolor("black")
    axes.set_xticks([])
    axes.set_yticks([])


def _coloured(
    brain: NDArray[np.uint8], levels: NDArray[np.uint8], table: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The map over the brain, as the page draws it."""
    colours = table[levels]
    share = colours[..., 3:] / 255
    return np.rint(brain[..., None] * (1 - share) + colours[..., :3] * share).astype(np.uint8)


def _draw_colours(figure: Figure, place: Any, layer: MapLayer) -> None:
    axes = figure.add_subplot(place)
    axes.set_axis_off()
    shade = layer.shade
    if isinstance(shade, PColours):
        _draw_steps(axes, shade)
        return
    _draw_bar(axes, shade)


def _draw_steps(axes: Any, shade: PColours) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(color="#{:02x}{:02x}{:02x}".format(*step.colour), label=step.label) for step in STEPS
    ]
    axes.legend(
        handles=patches, title=shade.title, title_fontsize=8, fontsize=7, ncols=2, frameon=False,
        loc="upper center", borderaxespad=0,
    )  # fmt: skip


def _draw_bar(axes: Any, shade: ColourScale) -> None:
    table = np.frombuffer(shade.palette, np.uint8).reshape(256, 4)[1:, :3]
    axes.imshow(table[None], extent=(0.02, 0.98, 0.5, 0.68), aspect="auto")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    low, high = shade.ends
    above = ((0.02, "left", low), (0.5, "center", shade.title), (0.98, "right", high))
    for x, side, words in above:
        axes.text(x, 0.74, words, ha=side, va="bottom", fontsize=7)
    for x, side, words in zip(
        (0.02, 0.5, 0.98), ("left", "center", "right"), shade.ticks, strict=True
    ):
        axes.text(x, 0.44, words, ha=side, va="top", fontsize=7)
