"""Figures of lesion-symptom maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.defaults import SIGNIFICANCE_LEVEL
from ..stats.lesion_symptom.cluster_table import SymptomClusters
from ..stats.lesion_symptom.mapping import SymptomMap
from .drawing import new_figure
from .mosaic import lay_out_slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SLICES_NAME = "symptom_slices.png"
SCATTER_NAME = "scatter.png"

_SLICES = 8  # axial slices, arbitrary
_SMALLEST = 1e-6  # drawn in place of 0, far below what colours tell apart
_JITTER = 0.12  # of dots beside each other, in widths of a group; arbitrary
LESIONED, SPARED = "#b2182b", "#4d4d4d"


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
    assert row is not None, "a peak is a tested voxel"
    is_lesioned = symptom_map.is_lesioned(row)
    random = np.random.default_rng(0)
    groups = ((0, ~is_lesioned, SPARED), (1, is_lesioned, LESIONED))
    for place, group, colour in groups:
        score = symptom_map.patients.score[group]
        beside = place + random.uniform(-_JITTER, _JITTER, score.size)
        panel.plot(beside, score, "o", color=colour, alpha=0.6, markersize=4)
        panel.plot([place - 0.25, place + 0.25], [score.mean()] * 2, color=colour, linewidth=2)
    sizes = [int(group.sum()) for _, group, _ in groups]
    panel.set_xticks([0, 1], [f"spared\n(n = {sizes[0]})", f"lesioned\n(n = {sizes[1]})"])
    panel.set_xlim(-0.5, 1.5)
    place_text = ", ".join(f"{value:.0f}" for value in mm)
    panel.set_title(f"{title}\n{place_text} mm", fontsize=9)
