"""Figures of lesion-symptom maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.defaults import SIGNIFICANCE_LEVEL
from ..core.errors import InputError
from ..core.text import printable
from ..stats.lesion_symptom.cluster_table import SymptomClusters
from ..stats.lesion_symptom.column_tests import ColumnTests
from ..stats.lesion_symptom.effects import mean_interval
from ..stats.lesion_symptom.mapping import SymptomMap
from ..stats.lesion_symptom.univariate import BINARY
from .drawing import new_figure, with_plain_text
from .mosaic import lay_out_slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SLICES_NAME = "symptom_slices.png"
SCATTER_NAME = "scatter.png"
REGIONS_FIGURE, FEATURES_FIGURE = "regions.png", "features.png"

_SLICES = 8  # axial slices, arbitrary
_SMALLEST = 1e-6  # drawn in place of 0, far below what colours tell apart
_MAX_REGIONS = 30  # of a forest plot, arbitrary: as many as can be read on a screen
_JITTER = 0.12  # of dots beside each other, in widths of a group; arbitrary
LESIONED, SPARED = "#b2182b", "#808080"


@with_plain_text
def draw_symptom_slices(symptom_map: SymptomMap) -> Figure:
    """Axial slices of the statistic on the MNI152 template, significant voxels outlined.

    The patient's left is on the left. Black lines enclose voxels whose corrected p is at most 0.05.
    """
    import matplotlib as mpl

    grid, tested = symptom_map.grid, symptom_map.indices
    # Zero is not drawn, so that the template shows where nothing is tested.
    flat = np.zeros(grid.size, np.float32)
    flat[tested] = np.where(symptom_map.statistic, symptom_map.statistic, _SMALLEST)
    limit = float(np.abs(symptom_map.statistic).max()) or 1.0
    mm = grid.mm_of_index(tested)
    lowest, highest = mm[:, 2].min(), mm[:, 2].max()
    cuts = np.unique(np.linspace(lowest, highest, _SLICES + 2)[1:-1].round()) + 0.0
    mosaic = lay_out_slices(grid, {"z": cuts.tolist()}, mm)
    figure = new_figure((12, 2.6))
    limits, colours = (-limit, limit), mpl.colormaps["coolwarm"]
    statistic = flat.reshape(grid.shape, order="F")
    axes = mosaic.draw(statistic, limits, colours, figure, (0.0, 0.02, 0.91, 0.84))
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(*limits), colours)
    figure.colorbar(scale, cax=figure.add_axes((0.93, 0.1, 0.012, 0.7)))
    flat[:] = 0
    flat[tested[symptom_map.corrected_p <= SIGNIFICANCE_LEVEL]] = 1
    if flat.any():
        significant = mosaic.values(flat.reshape(grid.shape, order="F"))
        axes.contour(significant, levels=[0.5], colors=["black"], linewidths=0.8)
    name, label = symptom_map.statistic_name, symptom_map.patients.name
    outlined = f"outlined: corrected p at most {SIGNIFICANCE_LEVEL:g}"
    figure.suptitle(f"{name} of {label}, lesioned minus spared patients; {outlined}", fontsize=10)
    return figure


@with_plain_text
def draw_symptom_groups(symptom_map: SymptomMap, mm: tuple[float, float, float]) -> Figure:
    """Scores of lesioned and spared patients at one place, a dot for each, with 95 % intervals.

    Raises
    ------
    InputError
        Where the place is not tested.
    """
    figure = new_figure((3.6, 4))
    panel = figure.subplots()
    _draw_groups(panel, symptom_map, "", mm)
    panel.set_ylabel(symptom_map.patients.name)
    figure.set_layout_engine("constrained")
    return figure


@with_plain_text
def draw_forest(tests: ColumnTests, part: float = 0.1) -> Figure:
    """Effects with 95 % intervals of regions or other columns, the surest first.

    Filled marks have a corrected p of at most 0.05.

    Parameters
    ----------
    tests : ColumnTests
    part : float
        Of a column that effects are drawn for: 0.1 for 10 % of each region, 1 for other columns.
    """
    table = tests.table
    order = np.argsort(-np.abs(table["t"].to_numpy()), kind="stable")[:_MAX_REGIONS]
    rows = table.iloc[order]
    figure = new_figure((7.2, 1.2 + 0.24 * len(rows)))
    panel = figure.subplots()
    places = np.arange(len(rows))[::-1]
    values = part * rows[["effect", "ci_low", "ci_high"]].to_numpy(float)
    is_small = rows["corrected_p"].to_numpy() <= SIGNIFICANCE_LEVEL
    for chosen, face in ((is_small, LESIONED), (~is_small, "white")):
        effect, low, high = values[chosen].T
        panel.errorbar(
            effect, places[chosen], xerr=[effect - low, high - effect], fmt="s", color=LESIONED,
            markersize=5, markerfacecolor=face, linewidth=1, capsize=2,
        )  # fmt: skip
    panel.axvline(0, color="0.5", linewidth=0.8)
    names = [printable(str(name)) for name in rows["name"]]
    panel.set_yticks(places, names, fontsize=8, parse_math=False)
    panel.set_ylim(-0.7, len(rows) - 0.3)
    of_part = "1 more" if part == 1 else f"{100 * part:g} % of the region lesioned"
    panel.set_xlabel(f"difference of {tests.patients.name} for {of_part}")
    left = len(table) - len(rows)
    more = f"; {left:,} with smaller |t| not drawn" if left else ""
    title = f"filled: corrected p at most {SIGNIFICANCE_LEVEL:g} of {len(table)} tested{more}"
    panel.set_title(title, fontsize=9)
    figure.set_layout_engine("constrained")
    return figure


@with_plain_text
def draw_symptom_scatter(symptom_map: SymptomMap, clusters: SymptomClusters) -> Figure:
    """Scores of lesioned and spared patients at the peaks of the first clusters, or the maximum."""
    if len(clusters):
        rows = [(f"cluster {row.cluster}", row.mm) for row in clusters.rows[:4]]
    else:
        peak = int(np.argmax(np.abs(symptom_map.statistic)))
        mm = symptom_map.grid.mm_of_index([int(symptom_map.indices[peak])])[0]
        rows = [("largest statistic", (float(mm[0]), float(mm[1]), float(mm[2])))]
    figure = new_figure((2.8 * len(rows) + 0.6, 4))
    panels = figure.subplots(1, len(rows), squeeze=False, sharey=True)[0]
    for panel, (title, mm) in zip(panels, rows, strict=True):
        _draw_groups(panel, symptom_map, title, mm)
    panels[0].set_ylabel(symptom_map.patients.name)
    figure.set_layout_engine("constrained")
    return figure


def _draw_groups(
    panel: Axes, symptom_map: SymptomMap, title: str, mm: tuple[float, float, float]
) -> None:
    row = symptom_map.row_at(mm)
    if row is None:
        where = ", ".join(f"{value:g}" for value in mm)
        raise InputError(f"{where} mm", "is not tested", "choose a voxel of the map")
    is_lesioned = symptom_map.is_lesioned(row)
    random = np.random.default_rng(0)
    groups = ((0, ~is_lesioned, SPARED), (1, is_lesioned, LESIONED))
    for place, group, colour in groups:
        score = symptom_map.patients.score[group]
        beside = place + random.uniform(-_JITTER, _JITTER, score.size)
        panel.plot(beside, score, "o", color=colour, alpha=0.6, markersize=4)
        panel.plot([place - 0.25, place + 0.25], [score.mean()] * 2, color=colour, linewidth=2)
        low, high = mean_interval(score, symptom_map.test in BINARY)
        panel.plot([place] * 2, [low, high], color=colour, linewidth=1.5)
    sizes = [int(group.sum()) for _, group, _ in groups]
    panel.set_xticks([0, 1], [f"spared\n(n = {sizes[0]})", f"lesioned\n(n = {sizes[1]})"])
    panel.set_xlim(-0.5, 1.5)
    place_text = ", ".join(f"{value:.0f}" for value in mm)
    panel.set_title(f"{title}\n{place_text} mm".strip(), fontsize=9)
