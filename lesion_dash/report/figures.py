"""The figures of a report, with the numbers that their captions tell."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid
from ..core.text import counted
from ..plotting.charts import draw_coverage
from ..plotting.drawing import explain_failure, new_figure
from ..plotting.figures import (
    BOTH,
    COLOUR_STOPS,
    ML,
    ONLY_A,
    ONLY_B,
    OVERLAP_CLASSES,
    Colour,
    ColourClass,
    class_stops,
    fixed_maximum,
    nice_ceiling,
)
from ..plotting.mosaic import Mosaic, choose_cuts, lay_out_slices
from ..plotting.predictions import draw_prediction
from ..plotting.symptoms import draw_forest, draw_symptom_scatter, draw_symptom_slices
from ..stats.differences import CohortDifferences
from ..stats.lesion_symptom.column_tests import ColumnTests
from ..stats.overlap import Overlap
from ..stats.topography import STATISTICS
from .findings import Findings, Side
from .formatting import fixed, ml, share
from .symptoms import SymptomFindings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


Volumes = Mapping[str, NDArray[np.float64]]
"""Total lesion volumes in mL by the name of the cohort."""

# Colours, sizes (inches) and numbers of bins are arbitrary: what reads well on A4.
_ALONE, _MEDIAN = "#2f7f86", "#1d2b36"
_WIDTH, _HEIGHTS = 7.2, {1: 3.0, 2: 4.8}
_MIN_BINS, _MAX_BINS = 5, 40


def bin_edges(volumes: Volumes) -> NDArray[np.float64]:
    """Edges in mL of bins that hold all volumes of all cohorts; their width is a round number.

    Examples
    --------
    >>> bin_edges({"A": np.array([1.0, 14.0]), "B": np.array([48.0])}).tolist()
    [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    """
    highest = max(float(own.max(initial=0.0)) for own in volumes.values())
    if not highest > 0:
        return np.array([0.0, 1.0])
    patients = max(own.size for own in volumes.values())
    bins = int(np.clip(np.ceil(2 * np.sqrt(patients)), _MIN_BINS, _MAX_BINS))
    width = nice_ceiling(highest / bins)
    return np.arange(int(highest // width) + 2, dtype=np.float64) * width


@explain_failure
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
    colours = [_ALONE] if len(volumes) == 1 else [*map(_hexadecimal, (ONLY_A, ONLY_B))]
    for axes, (name, own), colour in zip(panels, volumes.items(), colours, strict=True):
        _draw_histogram(axes, name, own, edges, colour, as_share=len(volumes) > 1)
    panels[-1].set_xlabel("Total lesion volume (mL)")
    figure.set_layout_engine("constrained")
    return figure


def _draw_histogram(
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
    title = f"{name}: {counted(volumes.size, 'patient')}"
    axes.set_title(title, loc="left", fontsize=11, parse_math=False)
    axes.set_xlim(0, float(edges[-1]))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _hexadecimal(colour_class: ColourClass) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour_class.colour)


# Rows of slices through a map: the same slices for every map of a report.


Stops = Sequence[tuple[int, Colour]]
"""Colours at positions from 0 to 255."""

_INCHES = (9.0, 3.3)
_SLICES = (0.0, 0.0, 0.87, 1.0)
_BAR = (0.885, 0.08, 0.018, 0.84)
"""Where slices and colour bar stand: left, bottom, width and height as parts of the figure."""

# Orange where A has more and blue where B has, as A and B are coloured elsewhere.
_DIVERGING: Stops = (
    (0, (5, 60, 110)),
    (64, (86, 160, 215)),
    (127, (235, 235, 235)),
    (191, (235, 160, 40)),
    (255, (150, 70, 0)),
)


@explain_failure
def draw_values(
    values: NDArray[Any], mosaic: Mosaic, label: str, maximum: float, colours: str
) -> Figure:
    """Draw a map of numbers from 0 on; 0 and NaN are not drawn.

    Parameters
    ----------
    values : array, shape of the grid
    mosaic : Mosaic
        The slices.
    label : str
        What the colours stand for, with the unit.
    maximum : float
        Value of the last colour.
    colours : str
        One of `COLOUR_STOPS`.
    """
    return _draw_with_bar(values, mosaic, label, (0.0, maximum), COLOUR_STOPS[colours])


@explain_failure
def draw_difference(values: NDArray[Any], mosaic: Mosaic, label: str, maximum: float) -> Figure:
    """Draw a map of differences around 0, which is not drawn itself."""
    return _draw_with_bar(values, mosaic, label, (-maximum, maximum), _DIVERGING)


@explain_failure
def draw_classes(values: NDArray[Any], mosaic: Mosaic, classes: tuple[ColourClass, ...]) -> Figure:
    """Draw a map whose values are those of some classes, with their names beside it."""
    from matplotlib.patches import Patch

    figure = new_figure(_INCHES)
    mosaic.draw(values, (0.0, 255.0), _colormap(class_stops(classes)), figure, _SLICES)
    patches = [Patch(color=_hexadecimal(each), label=each.label) for each in classes]
    layout: dict[str, Any] = {"loc": "center right", "handlelength": 1.2}
    figure.legend(handles=patches, frameon=False, fontsize=11, **layout)
    return figure


def _draw_with_bar(
    values: NDArray[Any], mosaic: Mosaic, label: str, limits: tuple[float, float], stops: Stops
) -> Figure:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    colours = _colormap(stops)
    figure = new_figure(_INCHES)
    mosaic.draw(values, limits, colours, figure, _SLICES)
    scale = ScalarMappable(Normalize(*limits), colours)
    figure.colorbar(scale, cax=figure.add_axes(_BAR)).set_label(label, fontsize=11)
    return figure


def _colormap(stops: Stops) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    colours = [(position / 255, tuple(part / 255 for part in colour)) for position, colour in stops]
    return LinearSegmentedColormap.from_list("lesion_dash_report", colours)


# The pictures of a report; captions stand in ``templates/figures.html.jinja``.


_DPI = 110
"""Arbitrary: a map of 990 pixels, which reads well on A4."""

MosaicOn = Callable[[Grid], Mosaic]
"""Gives the slices through a map on a grid."""

_KEYS = ("n", "mean", "std")
_COVERAGE_INCHES = (7.2, 4.4)


@dataclass(frozen=True)
class Picture:
    """A figure of the page, with what its caption tells of its colours.

    Parameters
    ----------
    png : bytes
    title : str
        What is drawn, where the caption cannot know it.
    unit : str
    low, high : str
        Least and greatest value.
    scale_end : float
        Value of the last colour; width of the bins of a histogram.
    is_beyond : bool
        Whether values lie beyond the last colour.
    """

    png: bytes
    title: str = ""
    unit: str = ""
    low: str = ""
    high: str = ""
    scale_end: float = 0.0
    is_beyond: bool = False


def drawings(findings: Findings) -> dict[str, Callable[[], Picture]]:
    """The pictures of a report by name, each drawn when it is called.

    Maps without a voxel are left out: there is nothing to see.
    """
    calls: dict[str, Callable[[], Picture]] = {"volumes": partial(_volumes, findings)}
    for side in findings.sides:
        if side.coverage.max_overlap:
            calls[f"coverage_{side.letter}"] = partial(_coverage, findings, side)
    if not findings.lesioned.size:
        return calls
    mm = findings.grid.mm_of_index(findings.lesioned)
    cuts = choose_cuts(mm)

    @cache
    def mosaic_on(grid: Grid) -> Mosaic:
        """The same slices for all: A and B may lie on grids of their own."""
        return lay_out_slices(grid, cuts, mm)

    for side in findings.sides:
        if side.stats.voxels:
            calls |= {
                f"{key}_{side.letter}": partial(_map, findings, side, key, mosaic_on)
                for key in _KEYS
            }
    calls |= _of_pair(findings, mosaic_on)
    for symptoms in findings.symptoms:
        calls |= _of_symptoms(symptoms)
    return calls


def _of_pair(findings: Findings, mosaic_on: MosaicOn) -> dict[str, Callable[[], Picture]]:
    calls: dict[str, Callable[[], Picture]] = {}
    if findings.overlap is not None and findings.overlap.either.voxels:
        calls["overlap"] = partial(_overlap, findings.overlap, mosaic_on)
    if findings.differences is not None:
        calls["frequency"] = partial(_frequency, findings.differences, mosaic_on)
        if findings.differences.compared.voxels:
            calls["difference"] = partial(_mean_difference, findings.differences, mosaic_on)
    return calls


def _of_symptoms(symptoms: SymptomFindings) -> dict[str, Callable[[], Picture]]:
    calls: dict[str, Callable[[], Picture]] = {
        "slices": partial(_symptom_slices, symptoms),
        "scatter": partial(_symptom_scatter, symptoms),
        "prediction": partial(_prediction, symptoms),
    }
    if symptoms.regions is not None:
        calls["regions"] = partial(_region_forest, symptoms.regions)
    return {f"symptom_{name}_{symptoms.letter}": call for name, call in calls.items()}


def _symptom_slices(symptoms: SymptomFindings) -> Picture:
    statistic = symptoms.symptom_map.statistic
    low, high = (fixed(float(end), 2, plus=True) for end in (statistic.min(), statistic.max()))
    name = symptoms.symptom_map.statistic_name
    png = png_bytes(draw_symptom_slices(symptoms.symptom_map))
    return Picture(png, low=low, high=high, unit=name)


def _symptom_scatter(symptoms: SymptomFindings) -> Picture:
    return Picture(png_bytes(draw_symptom_scatter(symptoms.symptom_map, symptoms.clusters)))


def _prediction(symptoms: SymptomFindings) -> Picture:
    return Picture(png_bytes(draw_prediction(symptoms.prediction)))


def _region_forest(tests: ColumnTests) -> Picture:
    return Picture(png_bytes(draw_forest(tests)))


def png_bytes(figure: Figure) -> bytes:
    """A figure as PNG, without the date and the name of a program."""
    buffer = io.BytesIO()
    undated = {"Software": None}
    figure.savefig(buffer, format="png", dpi=_DPI, facecolor="white", metadata=undated)
    return buffer.getvalue()


def _title(findings: Findings, side: Side) -> str:
    """Names of folders stay out of figures: a font may lack their letters, and $ means maths."""
    return f"Cohort {side.letter.upper()}" if findings.is_pair else "Cohort"


def _volumes(findings: Findings) -> Picture:
    volumes = {_title(findings, side): side.volumes_mm3 / ML for side in findings.sides}
    return Picture(png_bytes(draw_volumes(volumes)), scale_end=float(bin_edges(volumes)[1]))


def _coverage(findings: Findings, side: Side) -> Picture:
    row = side.coverage.at(findings.request.min_patients)
    figure = draw_coverage(replace(side.coverage, name=_title(findings, side)), row.min_patients)
    figure.set_size_inches(_COVERAGE_INCHES)
    figure.supxlabel("")  # who asks for what stands beside the table
    outside = f" and {row.voxels_outside:,} outside it" if row.voxels_outside else ""
    title = (
        f"k = {row.min_patients}: {counted(row.voxels, 'voxel')}, "
        f"{share(row.percent_of_brain)} of the brain{outside}, "
        f"{share(row.percent_of_lesioned)} of all lesioned voxels"
    )
    figure.axes[0].set_title(title, loc="left", fontsize=9)
    return Picture(png_bytes(figure), title)


def _map(findings: Findings, side: Side, key: str, mosaic_on: MosaicOn) -> Picture:
    statistic = STATISTICS[key]
    factor, unit = statistic.display
    drawn = getattr(side.stats, key)
    values = side.stats.values[key]
    maximum = max(fixed_maximum(other.everywhere, key, factor) for other in findings.sides)
    label = f"{statistic.title} ({unit})"
    figure = draw_values(
        drawn.array * factor, mosaic_on(drawn.grid), label, maximum, statistic.colormap
    )
    low, high = (f"{end:.0f}" if key == "n" else ml(end) for end in (values.min(), values.max()))
    is_beyond = bool(values.max() * factor > maximum)
    return Picture(png_bytes(figure), statistic.title, unit, low, high, maximum, is_beyond)


def _overlap(overlap: Overlap, mosaic_on: MosaicOn) -> Picture:
    grid, flat = overlap.a.grid, np.zeros(overlap.a.grid.size)
    masks = (overlap.only_a, ONLY_A), (overlap.only_b, ONLY_B), (overlap.both, BOTH)
    for mask, voxel_class in masks:
        flat[mask.indices] = voxel_class.value
    array = flat.reshape(grid.shape, order="F")
    return Picture(png_bytes(draw_classes(array, mosaic_on(grid), OVERLAP_CLASSES)))


def _frequency(differences: CohortDifferences, mosaic_on: MosaicOn) -> Picture:
    values = differences.frequency.array
    known = values[np.isfinite(values)]  # NaN where one cohort has no data
    maximum = _scale_end(known[known != 0])
    label = "Patients lesioned, A - B (percentage points)"
    figure = draw_difference(values, mosaic_on(differences.grid), label, maximum)
    return _picture_of_difference(figure, known, 1, "percentage points", maximum)


def _mean_difference(differences: CohortDifferences, mosaic_on: MosaicOn) -> Picture:
    array = differences.mean.array / ML
    values = array[np.isfinite(array)]
    maximum = _scale_end(values)
    label = "Mean total lesion volume, A - B (mL)"
    figure = draw_difference(array, mosaic_on(differences.grid), label, maximum)
    return _picture_of_difference(figure, values, 2, "mL", maximum)


def _picture_of_difference(
    figure: Figure, values: NDArray[Any], decimals: int, unit: str, maximum: float
) -> Picture:
    low, high = (fixed(float(end), decimals, plus=True) for end in (values.min(), values.max()))
    is_beyond = bool(np.abs(values).max() > maximum)
    return Picture(png_bytes(figure), "", unit, low, high, maximum, is_beyond)


def _scale_end(values: NDArray[Any]) -> float:
    """The end of a scale around 0, which a few extreme voxels do not stretch."""
    return nice_ceiling(float(np.percentile(np.abs(values), 99))) if values.size else 1.0
