"""What each minimum number of patients leaves, as a figure with the conventions marked."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from .plots import new_figure
from .thresholds import Coverage, Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CURVE, _CHOSEN, _MARK = "#2f7f86", "#b3541e", "#5a6b78"
_FEW = 40  # numbers of patients whose points can be told apart


def draw_coverage(coverage: Coverage, min_patients: int | None = None) -> Figure:
    """Draw the share of the brain, and of the lesioned voxels, left at every number of patients.

    Dashed lines are the conventions of the literature; their references stand below.

    Parameters
    ----------
    coverage : Coverage
        From `threshold_coverage`.
    min_patients : int, optional
        The number that was chosen, drawn as a line with what it leaves.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> from lesion_dash.thresholds import threshold_coverage
    >>> figure = draw_coverage(threshold_coverage(load_cohort("sample_data/cohort_a")), 5)
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['% of the brain', '% of all lesioned voxels']
    """
    figure = new_figure((7.2, 5.6))
    above, below = figure.subplots(2, 1, sharex=True)
    rows = coverage.rows
    for axes, key, label in (
        (above, "percent_of_brain", "% of the brain"),
        (below, "percent_of_lesioned", "% of all lesioned voxels"),
    ):
        _draw_curve(axes, [getattr(row, key) for row in rows], label)
        for mark in _reached(coverage):
            axes.axvline(mark.min_patients, color=_MARK, linewidth=1, linestyle=(0, (4, 3)))
    _name_marks(above, _reached(coverage))
    if min_patients is not None:
        _draw_chosen((above, below), coverage, min_patients)
    _scale_patients(below, coverage)
    patients = f"{coverage.n_patients} patient{'' if coverage.n_patients == 1 else 's'}"
    title = f"{coverage.name}: {patients}, at most {coverage.most} share a voxel"
    figure.suptitle(title, fontsize=11, x=0.01, ha="left", parse_math=False)
    figure.supxlabel(_references(coverage), fontsize=6.5, color=_MARK, x=0.01, ha="left")
    figure.set_layout_engine("constrained")
    return figure


def _draw_curve(axes: Axes, shares: list[float], label: str) -> None:
    marker = "o" if len(shares) <= _FEW else ""
    least = np.arange(1, len(shares) + 1)
    axes.plot(least, shares, color=_CURVE, linewidth=1.8, marker=marker, markersize=3.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
    axes.spines[["top", "right"]].set_visible(False)


def _reached(coverage: Coverage) -> list[Mark]:
    return [mark for mark in coverage.marks if mark.min_patients <= coverage.most]


def _name_marks(axes: Axes, marks: list[Mark]) -> None:
    """Names along the dashed lines; rules that ask for one number share a name."""
    for least, group in groupby(marks, key=lambda mark: mark.min_patients):
        axes.annotate(
            " = ".join(mark.label for mark in group),
            (least, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -2),
            textcoords="offset points",
            rotation=90,
            va="top",
            fontsize=7,
            color=_MARK,
        )


def _draw_chosen(panels: tuple[Axes, Axes], coverage: Coverage, min_patients: int) -> None:
    row = coverage.at(min_patients)
    for axes in panels:
        axes.axvline(row.min_patients, color=_CHOSEN, linewidth=1.8)
    panels[0].set_title(row.sentence, fontsize=9, color=_CHOSEN, loc="left")


def _scale_patients(axes: Axes, coverage: Coverage) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("Minimum patients at a voxel (k)")
    axes.set_xlim(0.5, max(coverage.most, 1) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _references(coverage: Coverage) -> str:
    """A line for each rule; that no voxel reaches it, where none does."""
    lines = []
    for mark in coverage.marks:
        least = f", k = {mark.min_patients}" if "%" in mark.label else ""
        missed = " (no voxel)" if mark.min_patients > coverage.most else ""
        lines.append(f"{mark.label}{least}{missed}: {mark.reference}")
    return "\n".join(lines)
