"""Lesion volumes as histograms: those of two cohorts in the same bins and on the same axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..map_scales import nice_ceiling
from ..plots import ONLY_A, ONLY_B, ColourClass, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Volumes = Mapping[str, NDArray[np.float64]]
"""Total lesion volumes in mL by the name of the cohort."""

_ALONE, _MEDIAN = "#2f7f86", "#1d2b36"
_WIDTH, _HEIGHTS = 7.2, {1: 3.0, 2: 4.8}
_FEWEST, _MOST = 5, 40


def bin_edges(volumes: Volumes) -> NDArray[np.float64]:
    """Edges in mL of bins that hold all volumes of all cohorts; their width is a round number.

    Examples
    --------
    >>> bin_edges({"A": np.array([1.0, 14.0]), "B": np.array([48.0])}).tolist()
    [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    """
    highest = max(float(one.max(initial=0.0)) for one in volumes.values())
    if not highest > 0:
        return np.array([0.0, 1.0])
    patients = max(one.size for one in volumes.values())
    width = nice_ceiling(highest / int(np.clip(np.ceil(2 * np.sqrt(patients)), _FEWEST, _MOST)))
    return np.arange(int(highest // width) + 2, dtype=np.float64) * width


def draw_volumes(volumes: Volumes) -> Figure:
    """Draw how many patients of a cohort, or which share of each of two, have lesions of a volume.

    Parameters
    ----------
    volumes : mapping
        Shares are drawn of two cohorts, as these may differ in size.
    """
    figure = new_figure((_WIDTH, _HEIGHTS[len(volumes)]))
    panels = figure.subplots(len(volumes), 1, sharex=True, sharey=True, squeeze=False).ravel()
    edges = bin_edges(volumes)
    colours = [_ALONE] if len(volumes) == 1 else [_hexadecimal(one) for one in (ONLY_A, ONLY_B)]
    for axes, (name, one), colour in zip(panels, volumes.items(), colours, strict=True):
        _draw(axes, name, one, edges, colour, as_share=len(volumes) > 1)
    panels[-1].set_xlabel("Total lesion volume (mL)")
    figure.set_layout_engine("constrained")
    return figure


def _draw(
    axes: Axes,
    name: str,
    volumes: NDArray[np.float64],
    edges: NDArray[np.float64],
    colour: str,
    as_share: bool,
) -> None:
    from matplotlib.ticker import MaxNLocator

    weights = np.full(volumes.size, 100 / volumes.size if as_share else 1.0)
    axes.hist(volumes, bins=edges.tolist(), weights=weights, color=colour, edgecolor="white")
    median = float(np.median(volumes))
    axes.axvline(median, color=_MEDIAN, linewidth=1.5, label=f"median {median:,.2f} mL")
    axes.set_ylabel("% of patients" if as_share else "Patients")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    patients = f"{volumes.size:,} patient{'' if volumes.size == 1 else 's'}"
    axes.set_title(f"{name}: {patients}", loc="left", fontsize=11, parse_math=False)
    axes.set_xlim(0, float(edges[-1]))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _hexadecimal(one: ColourClass) -> str:
    return "#{:02x}{:02x}{:02x}".format(*one.colour)
