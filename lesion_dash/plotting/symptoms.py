"""Figures of lesion-symptom maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from nibabel.funcs import as_closest_canonical

from ..stats.lesion_symptom.cluster_table import SymptomClusters
from ..stats.lesion_symptom.mapping import SymptomMap
from .figures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SLICES_NAME = "symptom_slices.png"
SCATTER_NAME = "scatter.png"

_SLICES = 8  # axial slices in two rows, arbitrary
_JITTER = 0.12  # of dots beside each other, in widths of a group; arbitrary
LESIONED, SPARED = "#b2182b", "#4d4d4d"


def draw_symptom_slices(found: SymptomMap) -> Figure:
    """Axial slices of the statistic, with the voxels outlined that are significant.

    The subject's left is on the left, as `L` and `R` say; black lines enclose voxels whose
    corrected p is at most 0.05.
    """
    statistic, corrected = found.map("statistic"), found.map("corrected_p")
    image = as_closest_canonical(statistic.to_nifti())
    values = np.asarray(image.dataobj, np.float32)
    significant = np.asarray(as_closest_canonical(corrected.to_nifti()).dataobj) <= 0.05
    tested = np.flatnonzero(np.isfinite(values).any(axis=(0, 1)))
    chosen = np.unique(np.linspace(tested[0], tested[-1], _SLICES + 2).round().astype(int)[1:-1])
    limit = float(np.nanmax(np.abs(values))) or 1.0
    figure = new_figure((11, 6))
    panels = figure.subplots(2, -(-chosen.size // 2), squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    colours = ScalarMappable(Normalize(-limit, limit), "coolwarm")
    for panel, k in zip(panels, chosen.tolist(), strict=False):
        plane = values[:, :, k].T
        panel.imshow(colours.to_rgba(plane), origin="lower", interpolation="nearest")
        if significant[:, :, k].any():
            panel.contour(significant[:, :, k].T, [0.5], colors="black", linewidths=0.8)
        z = (image.affine @ [0, 0, k, 1])[2]
        panel.set_title(f"z = {z:.0f} mm", fontsize=9)
        panel.text(0.02, 0.5, "L", transform=panel.transAxes, fontsize=8, color="grey")
        panel.text(0.94, 0.5, "R", transform=panel.transAxes, fontsize=8, color="grey")
    label = f"{found.quantities[0].label}: lesioned minus spared patients"
    figure.colorbar(colours, ax=panels.tolist(), shrink=0.7, label=label)
    return figure


def draw_symptom_scatter(found: SymptomMap, clusters: SymptomClusters) -> Figure:
    """Scores of lesioned and spared patients at the peaks of the first clusters, or the maximum."""
    if len(clusters):
        rows = [(f"cluster {row.cluster}", row.mm) for row in clusters.rows[:4]]
    else:
        peak = int(np.argmax(np.abs(found.statistic)))
        mm = found.grid.mm_of_index([int(found.indices[peak])])[0]
        rows = [("largest statistic", (float(mm[0]), float(mm[1]), float(mm[2])))]
    figure = new_figure((2.8 * len(rows) + 0.6, 4))
    panels = figure.subplots(1, len(rows), squeeze=False, sharey=True)[0]
    for panel, (title, mm) in zip(panels, rows, strict=True):
        _draw_groups(panel, found, title, mm)
    panels[0].set_ylabel(found.patients.name)
    return figure


def _draw_groups(
    panel: Axes, found: SymptomMap, title: str, mm: tuple[float, float, float]
) -> None:
    row = found.row_at(mm)
    assert row is not None, "a peak is a tested voxel"
    is_lesioned = found.is_lesioned(row)
    random = np.random.default_rng(0)
    groups = ((0, ~is_lesioned, SPARED), (1, is_lesioned, LESIONED))
    for place, group, colour in groups:
        score = found.patients.score[group]
        beside = place + random.uniform(-_JITTER, _JITTER, score.size)
        panel.plot(beside, score, "o", color=colour, alpha=0.6, markersize=4)
        panel.plot([place - 0.25, place + 0.25], [score.mean()] * 2, color=colour, linewidth=2)
    sizes = [int(group.sum()) for _, group, _ in groups]
    panel.set_xticks([0, 1], [f"spared\n(n = {sizes[0]})", f"lesioned\n(n = {sizes[1]})"])
    panel.set_xlim(-0.5, 1.5)
    place_text = ", ".join(f"{value:.0f}" for value in mm)
    panel.set_title(f"{title}\n{place_text} mm", fontsize=9)
