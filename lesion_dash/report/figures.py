"""The figures of a report, each with its caption and a description."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid
from ..images.maps import Map
from ..images.template import load_template
from ..plotting.charts import draw_coverage
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
    new_figure,
    nice_ceiling,
)
from ..stats.topography import STATISTICS
from .findings import Findings, Side
from .words import count_words, fixed, list_words, ml, percent_words, scale_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
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
        _draw_histogram(axes, name, one, edges, colour, as_share=len(volumes) > 1)
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
    patients = f"{volumes.size:,} patient{'' if volumes.size == 1 else 's'}"
    axes.set_title(f"{name}: {patients}", loc="left", fontsize=11, parse_math=False)
    axes.set_xlim(0, float(edges[-1]))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _hexadecimal(one: ColourClass) -> str:
    return "#{:02x}{:02x}{:02x}".format(*one.colour)


# Rows of slices through a map, drawn by nilearn: the same slices for every map of a report.


Cuts = Mapping[str, Sequence[float]]
"""Coordinates in mm of the slices along x, y and z."""

_INCHES = (9.0, 4.2)
_SLICES = (0.0, 0.0, 0.87, 1.0)
_ROW_OF_CUTS = 7
_LETTER_SIZE = 10

# Orange where A has more and blue where B has, as A and B are coloured elsewhere.
_DIVERGING: tuple[tuple[int, Colour], ...] = (
    (0, (5, 60, 110)),
    (64, (86, 160, 215)),
    (127, (235, 235, 235)),
    (191, (235, 160, 40)),
    (255, (150, 70, 0)),
)


def choose_cuts(grid: Grid, indices: NDArray[np.int32]) -> Cuts:
    """Seven slices along each axis, evenly over the middle 90 % of some voxels, in whole mm."""
    mm = grid.mm_of_index(indices)
    cuts = {}
    for axis, name in enumerate("xyz"):
        low, high = np.percentile(mm[:, axis], (5, 95))
        places = np.rint(np.linspace(low, high, _ROW_OF_CUTS)).tolist()
        cuts[name] = [place + 0.0 for place in dict.fromkeys(places)]
    return cuts


def draw_values(
    found: NDArray[Any], grid: Grid, cuts: Cuts, label: str, maximum: float, colours: str
) -> Figure:
    """Draw a map of numbers from 0 on; 0 and NaN are not drawn.

    Parameters
    ----------
    found : array, shape of the grid
    grid : Grid
    cuts : mapping
    label : str
        What the colours stand for, with the unit.
    maximum : float
        Value of the last colour.
    colours : str
        One of `COLOUR_STOPS`.
    """
    return _draw_mosaic(found, grid, cuts, label, (0.0, maximum), _colormap(COLOUR_STOPS[colours]))


def draw_difference(
    found: NDArray[Any], grid: Grid, cuts: Cuts, label: str, maximum: float
) -> Figure:
    """Draw a map of differences around 0, which is not drawn itself."""
    return _draw_mosaic(found, grid, cuts, label, (-maximum, maximum), _colormap(_DIVERGING))


def draw_classes(
    found: NDArray[Any], grid: Grid, cuts: Cuts, classes: tuple[ColourClass, ...]
) -> Figure:
    """Draw a map whose values are those of some classes, with their names beside it."""
    from matplotlib.patches import Patch

    figure = new_figure(_INCHES)
    _plot(figure, found, grid, cuts, _SLICES, (0.0, 255.0), _colormap(class_stops(classes)))
    patches = [
        Patch(color="#{:02x}{:02x}{:02x}".format(*one.colour), label=one.label) for one in classes
    ]
    where: dict[str, Any] = {"loc": "center right", "handlelength": 1.2}
    figure.legend(handles=patches, frameon=False, fontsize=11, **where)
    return figure


def _draw_mosaic(
    found: NDArray[Any],
    grid: Grid,
    cuts: Cuts,
    label: str,
    limits: tuple[float, float],
    colours: Colormap,
) -> Figure:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure = new_figure(_INCHES)
    _plot(figure, found, grid, cuts, _SLICES, limits, colours)
    place = figure.add_axes((0.885, 0.08, 0.018, 0.84))
    bar = figure.colorbar(ScalarMappable(Normalize(*limits), colours), cax=place)
    bar.set_label(label, fontsize=11)
    return figure


def _plot(
    figure: Figure,
    found: NDArray[Any],
    grid: Grid,
    cuts: Cuts,
    place: tuple[float, float, float, float],
    limits: tuple[float, float],
    colours: Colormap,
) -> None:
    from nilearn import plotting

    with warnings.catch_warnings():
        # A map may be empty in a slice, or everywhere.
        warnings.filterwarnings("ignore", "empty mask|.*masked element", UserWarning)
        display = plotting.plot_stat_map(
            Map("", np.nan_to_num(found), grid, "", "").to_nifti(),
            bg_img=load_template(),
            display_mode="mosaic",
            cut_coords={name: list(places) for name, places in cuts.items()},
            figure=figure,
            axes=place,
            threshold=1e-9,
            cmap=colours,
            vmin=limits[0],
            vmax=limits[1],
            symmetric_cbar=False,
            colorbar=False,
            black_bg=False,
            dim=0,
            resampling_interpolation="nearest",
        )
    for view in display.axes.values():
        if view.direction == "x":
            for x, letter in ((0.1, "P"), (0.9, "A")):
                where: dict[str, Any] = {"transform": view.ax.transAxes, "ha": "center"}
                view.ax.text(x, 0.95, letter, va="top", size=_LETTER_SIZE, **where)


def _colormap(stops: Sequence[tuple[int, Colour]]) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    colours = [(position / 255, tuple(part / 255 for part in colour)) for position, colour in stops]
    return LinearSegmentedColormap.from_list("lesion_dash_report", colours)


# The pictures of a report, each with its caption and with words for those who cannot see it.


_DPI = 110
_KEYS = ("n", "mean", "std")
_COVERAGE_INCHES = (7.2, 4.4)


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Parameters
    ----------
    png : bytes
    alt : str
        What it shows, in words.
    caption : str
        What it is, with units, n, and what its colours stand for.
    """

    png: bytes
    alt: str
    caption: str


Bootstrap = Callable[[], Picture]


def drawings(findings: Findings) -> dict[str, Bootstrap]:
    """The pictures of a report by name, each drawn when it is called.

    Maps without a voxel are left out: there is nothing to see.
    """
    found: dict[str, Bootstrap] = {"volumes": partial(_volumes, findings)}
    for side in findings.sides:
        if side.coverage.most:
            found[f"coverage_{side.letter}"] = partial(_coverage, findings, side)
    if not findings.lesioned.size:
        return found
    cuts = choose_cuts(findings.a.cohort.grid, findings.lesioned)
    for side in findings.sides:
        if side.stats.voxels:
            found |= {
                f"{key}_{side.letter}": partial(_map, findings, side, key, cuts) for key in _KEYS
            }
    if findings.overlap is not None and findings.overlap.either.voxels:
        found["overlap"] = partial(_overlap, findings, cuts)
    if findings.differences is not None:
        found["frequency"] = partial(_frequency, findings, cuts)
        if findings.differences.compared.voxels:
            found["difference"] = partial(_mean_difference, findings, cuts)
    return found


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
    width = scale_words(float(bin_edges(volumes)[1]))
    who = list_words([_who(findings, side) for side in findings.sides])
    spreads = list_words([_spread(findings, side) for side in findings.sides])
    shared = ", the same for A and B; bars are shares of each cohort" if findings.is_pair else ""
    caption = f"Total lesion volume (mL) of {who}. Bins of {width} mL{shared}; line: median."
    alt = f"Histogram of total lesion volume: {spreads}."
    return Picture(png_bytes(draw_volumes(volumes)), alt, caption)


def _who(findings: Findings, side: Side) -> str:
    return f"{count_words(side.cohort.n_patients, 'patient')} of {findings.owner(side)}"


def _spread(findings: Findings, side: Side) -> str:
    low, median, high = (ml(float(one)) for one in np.percentile(side.volumes_mm3, (0, 50, 100)))
    return f"median {median} mL, from {low} to {high} mL, in {_who(findings, side)}"


def _coverage(findings: Findings, side: Side) -> Picture:
    row = side.coverage.at(findings.request.min_patients)
    figure = draw_coverage(replace(side.coverage, name=_title(findings, side)), row.min_patients)
    figure.set_size_inches(_COVERAGE_INCHES)
    figure.supxlabel("")  # who asks for what stands beside the table
    chosen = (
        f"k = {row.min_patients}: {count_words(row.voxels, 'voxel')}, "
        f"{percent_words(row.percent_of_brain)} of the brain, "
        f"{percent_words(row.percent_of_lesioned)} of all lesioned voxels"
    )
    figure.axes[0].set_title(chosen, loc="left", fontsize=9)
    alt = f"Curve of the share of brain left at each minimum of patients, falling; {chosen}."
    caption = (
        f"What each minimum of patients (k) leaves in {findings.owner(side)}. Solid line: the k of "
        "this report. Dashed lines: what others ask for."
    )
    return Picture(png_bytes(figure), alt, caption)


def _map(findings: Findings, side: Side, key: str, cuts: Cuts) -> Picture:
    statistic = STATISTICS[key]
    factor, unit = statistic.display
    found = getattr(side.stats, key)
    values = side.stats.values[key]
    maximum = max(fixed_maximum(other.everywhere, key, factor) for other in findings.sides)
    label = f"{statistic.title} ({unit})"
    figure = draw_values(found.array * factor, found.grid, cuts, label, maximum, statistic.colormap)
    ends = float(values.min()), float(values.max())
    low, high = (f"{end:.0f}" if key == "n" else ml(end) for end in ends)
    least = count_words(findings.request.min_patients, "patient")
    where = f"{count_words(values.size, 'voxel')} lesioned in at least {least}"
    owner, spread = findings.owner(side), f"{low} to {high} {unit}"
    alt = f"Slices of the brain. {statistic.title} of {owner}: {spread} in {where}."
    patients = count_words(side.cohort.n_patients, "patient")
    scale = _scale(ends[1] * factor, maximum, unit, findings.is_pair)
    care = " Biased towards large lesions: see above." if key == "mean" else ""
    caption = f"{statistic.title} of {owner} (n = {patients}), in {where}: {spread}. {scale}{care}"
    return Picture(png_bytes(figure), alt, caption)


def _overlap(findings: Findings, cuts: Cuts) -> Picture:
    found = findings.overlap
    assert found is not None, "is drawn of two cohorts"
    flat = np.zeros(found.a.grid.size)
    for mask, one in ((found.only_a, ONLY_A), (found.only_b, ONLY_B), (found.both, BOTH)):
        flat[mask.indices] = one.value
    array = flat.reshape(found.a.grid.shape, order="F")
    figure = draw_classes(array, found.a.grid, cuts, OVERLAP_CLASSES)
    counts = (
        f"{count_words(found.only_a.voxels, 'voxel')} in A only, {found.only_b.voxels:,} in B "
        f"only, {found.both.voxels:,} in both"
    )
    least = count_words(findings.request.min_patients, "patient")
    alt = f"Slices of the brain: voxels lesioned in at least {least} of A and of B; {counts}."
    caption = f"Voxels lesioned in at least {least} of A, of B, and of each: {counts}."
    return Picture(png_bytes(figure), alt, caption)


def _frequency(findings: Findings, cuts: Cuts) -> Picture:
    found = findings.differences
    assert found is not None, "is drawn of two cohorts"
    values = found.frequency.array
    maximum = _end(values[values != 0])
    label = "Patients lesioned, A - B (percentage points)"
    figure = draw_difference(values, found.grid, cuts, label, maximum)
    low, high = (fixed(float(end), 1, plus=True) for end in (values.min(), values.max()))
    sizes = " and ".join(map(str, found.sizes))
    spread = f"from {low} to {high} percentage points"
    alt = f"Slices of the brain: patients lesioned in percent of A minus those of B, {spread}."
    caption = (
        f"Patients lesioned in percent of A minus those in percent of B (n = {sizes}), at each of "
        f"{count_words(found.indices.size, 'voxel')} that any patient has lesioned: {spread}. "
        f"Orange: more often in A; blue: more often in B. No test. "
        f"{_ends(float(np.abs(values).max()), maximum, 'percentage points')}"
    )
    return Picture(png_bytes(figure), alt, caption)


def _mean_difference(findings: Findings, cuts: Cuts) -> Picture:
    found = findings.differences
    assert found is not None, "is drawn of two cohorts"
    array = found.mean.array / ML
    values = array[np.isfinite(array)]
    maximum = _end(values)
    label = "Mean total lesion volume, A - B (mL)"
    figure = draw_difference(array, found.grid, cuts, label, maximum)
    low, high = (fixed(float(end), 2, plus=True) for end in (values.min(), values.max()))
    spread = f"from {low} to {high} mL"
    least = count_words(found.min_patients, "patient")
    where = f"{count_words(values.size, 'voxel')} lesioned in at least {least} of A and of B"
    alt = f"Slices of the brain: mean total lesion volume of A minus that of B, {spread}."
    caption = (
        f"Mean total lesion volume of A minus that of B (mL), in {where}: {spread}. Orange: larger "
        f"in A; blue: larger in B. No test. {_ends(float(np.abs(values).max()), maximum, 'mL')}"
    )
    return Picture(png_bytes(figure), alt, caption)


def _end(values: np.ndarray) -> float:
    """The end of a scale around 0, which a few extreme voxels do not stretch."""
    return nice_ceiling(float(np.percentile(np.abs(values), 99))) if values.size else 1.0


def _scale(highest: float, maximum: float, unit: str, is_pair: bool) -> str:
    more = " and more" if highest > maximum else ""
    whose = " and for A and B alike" if is_pair else ""
    return f"Colours run from 0 to {scale_words(maximum)} {unit}{more}, at every k{whose}."


def _ends(farthest: float, maximum: float, unit: str) -> str:
    more = " and beyond" if farthest > maximum else ""
    return f"Colours run to {scale_words(maximum)} {unit}{more} either way; 0 is not coloured."
