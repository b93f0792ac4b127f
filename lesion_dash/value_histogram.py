"""The histogram of an image's values as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .images import Survey
from .plots import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_values(survey: Survey, log_counts: bool = False) -> Figure:
    """Draw how often values occur in an image.

    Parameters
    ----------
    survey : Survey
    log_counts : bool
        Count on a logarithmic scale, so that rare values show beside a large background.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    figure = new_figure((7.2, 3.2))
    axes = figure.subplots()
    if survey.counts.size:
        axes.stairs(survey.counts, survey.edges, fill=True, color="#2f7f86")
    if log_counts and survey.counts.size:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)
    if survey.edges.size and survey.edges[0] % 1 == 0.5:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # bins of whole numbers
    if not log_counts:
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("Value")
    axes.set_ylabel("Voxels (logarithmic)" if log_counts else "Voxels")
    axes.spines[["top", "right"]].set_visible(False)
    left_out = survey.voxels - survey.finite
    if left_out:
        axes.set_title(f"{left_out:,} values that are NaN or infinite are left out", loc="left")
    figure.set_layout_engine("constrained")
    return figure
