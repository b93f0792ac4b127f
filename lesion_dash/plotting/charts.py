"""Lesion load as a heat map, and coverage as a curve."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.text import counted
from ..regions.load import LesionLoad, Measure
from ..stats.coverage import Coverage, Mark
from ..stats.voxel_maps import MM3_PER_ML
from .drawing import explain_failure, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FILE_NAMES: dict[Measure, str] = {
    "region": "lesion_load_region.png",
    "lesion": "lesion_load_lesion.png",
    "mm3": "lesion_load_mm3.png",
}

_TITLES: dict[Measure, tuple[str, str]] = {
    "region": ("How much of each region of {} is lesioned", "% of the region"),
    "lesion": ("Share of each lesion in the regions of {}", "% of the lesion"),
    "mm3": ("Lesioned volume of each region of {}", "mL"),
}
_MAX_NAMED = 60  # patients whose names can be read side by side in the widest figure
_NOTHING = "#f4f4f4"
_MIN_ML = 0.001  # arbitrary: where the logarithmic scale begins
_BAR: dict[str, Any] = {"fraction": 0.025, "pad": 0.01, "aspect": 40}

_CURVE, _CHOSEN, _MARK = "#2f7f86", "#b3541e", "#5a6b78"
_FEW = 40  # arbitrary: numbers of patients whose points are distinct


@explain_failure
def draw_load(load: LesionLoad, measure: Measure = "region") -> Figure:
    """Draw the lesion load of a cohort as a heat map.

    Patients are columns, the largest lesion on the left, their volumes above; the regions that any
    lesion touches are rows, in the order of the atlas. Light grey is no lesion at all.

    Parameters
    ----------
    load : LesionLoad
    measure : {"region", "lesion", "mm3"}
        Per cent of the region, per cent of the lesion, or mL (on a logarithmic scale).

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from lesion_dash import lesion_load, load_atlas, load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> load = lesion_load(cohort, load_atlas("sample_data/atlas/synthetic_atlas.nii.gz"))
    >>> draw_load(load).get_suptitle()
    'How much of each region of synthetic_atlas is lesioned: cohort_a, 40 patients'
    """
    order = np.argsort(-load.cohort.volumes, kind="stable")
    touched = np.flatnonzero(np.any(load.voxels > 0, axis=0))
    values = load.values(measure)[np.ix_(order, touched)].T
    figure = new_figure(_inches(len(order), len(touched)))
    heights = [0.7, max(figure.get_figheight() - 1.9, 1.0)]
    above, axes = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    _draw_volumes(above, load.cohort.volumes[order] * (load.cohort.grid.voxel_volume / MM3_PER_ML))
    image = _draw_cells(axes, values / MM3_PER_ML if measure == "mm3" else 100 * values, measure)
    _name_axes(axes, load, order.tolist(), touched.tolist())
    title, unit = _TITLES[measure]
    figure.colorbar(image, ax=[above, axes], label=unit, format="%g", **_BAR)
    patients = counted(len(order), "patient")
    heading = f"{title.format(load.atlas.name)}: {load.cohort.name}, {patients}"
    figure.suptitle(heading, fontsize=11, x=0.01, ha="left", parse_math=False)
    figure.set_layout_engine("constrained")
    return figure


def _inches(patients: int, regions: int) -> tuple[float, float]:
    """Wide and high enough for names to be read; a row is a line of the smallest type."""
    # Arbitrary, by eye: 0.16 inches hold a name of 6 points; 7 to 20 inches in all.
    width = float(np.clip(3.5 + 0.16 * min(patients, _MAX_NAMED) + 0.03 * patients, 7, 20))
    return width, 2.6 + max(regions, 4) * _row_inches(regions)


def _row_inches(regions: int) -> float:
    return float(np.clip(14 / max(regions, 1), 0.095, 0.18))


def _draw_volumes(axes: Axes, volumes_ml: NDArray[np.floating]) -> None:
    edges = np.arange(volumes_ml.size + 1) - 0.5
    axes.stairs(volumes_ml, edges, fill=True, color="#5a6b78")
    axes.set_ylabel("Lesion (mL)", fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_cells(axes: Axes, values: NDArray[np.float64], measure: Measure) -> Any:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    # Ordered in lightness, so that it is read without seeing colours, too; the palest fifth is
    # unused, so that the smallest load differs from none.
    palette = ListedColormap(colormaps["YlGnBu"](np.linspace(0.2, 1, 256)))
    colours = palette.with_extremes(bad=_NOTHING)
    if measure == "mm3":
        low = max(np.min(values, where=values > 0, initial=1.0), _MIN_ML)
        norm: Normalize = LogNorm(low, np.max(values, initial=10 * low))
    else:
        norm = Normalize(0, 100)
    if not values.size:  # no lesion touches a region: a picture needs a cell all the same
        values = np.zeros([max(side, 1) for side in values.shape])
    shown = np.ma.masked_where(~(values > 0), values)
    return axes.imshow(shown, cmap=colours, norm=norm, aspect="auto", interpolation="nearest")


def _name_axes(axes: Axes, load: LesionLoad, order: list[int], touched: list[int]) -> None:
    """Names of regions and, where they are few enough to be read, of patients; no formulas."""
    points = min(72 * _row_inches(len(touched)) * 0.72, 8.0)
    names = [load.atlas.regions[column].name for column in touched]
    axes.set_yticks(range(len(names)), labels=names, fontsize=points, parse_math=False)
    label = "Patients, the largest lesion on the left"
    if untouched := len(load.atlas.regions) - len(touched):
        verb = "is" if untouched == 1 else "are"
        label += f"; {counted(untouched, 'region')} that no lesion touches {verb} not shown"
    axes.set_xlabel(label, fontsize=8)
    if len(order) <= _MAX_NAMED:
        ids = [load.cohort.used[row].id for row in order]
        axes.set_xticks(range(len(ids)), labels=ids, fontsize=6, rotation=90, parse_math=False)
    else:
        axes.set_xticks([])
    axes.tick_params(length=0)


@explain_failure
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
    >>> from lesion_dash.stats.coverage import threshold_coverage
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
    patients = counted(coverage.n_patients, "patient")
    title = f"{coverage.name}: {patients}, maximum overlap {coverage.max_overlap}"
    figure.suptitle(title, fontsize=11, x=0.01, ha="left", parse_math=False)
    figure.supxlabel(_references(coverage), fontsize=6.5, color=_MARK, x=0.01, ha="left")
    figure.set_layout_engine("constrained")
    return figure


def _draw_curve(axes: Axes, percent: list[float], label: str) -> None:
    marker = "o" if len(percent) <= _FEW else ""
    numbers = np.arange(1, len(percent) + 1)
    axes.plot(numbers, percent, color=_CURVE, linewidth=1.8, marker=marker, markersize=3.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
    axes.spines[["top", "right"]].set_visible(False)


def _reached(coverage: Coverage) -> list[Mark]:
    return [mark for mark in coverage.marks if mark.min_patients <= coverage.max_overlap]


def _name_marks(axes: Axes, marks: list[Mark]) -> None:
    """Names along the dashed lines; rules that ask for one number share a name."""
    for min_patients, group in groupby(marks, key=lambda mark: mark.min_patients):
        axes.annotate(
            " = ".join(mark.label for mark in group),
            (min_patients, 1.0),
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
    panels[0].set_title(row.sentence, fontsize=8, color=_CHOSEN, loc="left")


def _scale_patients(axes: Axes, coverage: Coverage) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("Minimum lesion overlap (k)")
    axes.set_xlim(0.5, max(coverage.max_overlap, 1) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _references(coverage: Coverage) -> str:
    """A line for each rule; that no voxel reaches it, where none does."""
    lines = []
    for mark in coverage.marks:
        number = f", k = {mark.min_patients}" if "%" in mark.label else ""
        missed = " (no voxel)" if mark.min_patients > coverage.max_overlap else ""
        lines.append(f"{mark.label}{number}{missed}: {mark.reference}")
    return "\n".join(lines)
