"""Maps and histograms as figures, and the colours that every view of a map shares."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.formats import VOLUME
from ..core.grid import Grid
from ..images.maps import Map
from ..images.survey import Survey
from ..images.template import load_template
from ..stats.topography import VolumeStats
from ..stats.voxel_maps import MM3_PER_ML
from .drawing import drawable, explain_failure, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


ML = MM3_PER_ML  # under the name by which pages and reports know it
_RANGE_PERCENTILE = 99  # arbitrary: a few extreme voxels do not stretch the scale
_RANGE_PATIENTS = 5  # Weaver et al. (2019): a usual minimum

Kind = Literal["slices", "mosaic", "glass"]
Colour = tuple[int, int, int]
_SIZES = {"slices": (7.0, 6.2), "mosaic": (9.0, 6.8), "glass": (9.0, 4.2)}
"""Inches of a figure."""
_DIRECTION_SIZE = 12  # points

FILE_FORMATS = ("png", "svg", "pdf")

# The stops are those of niivue's tables of the same names, so that both views show one colour for
# one value. All three are perceptually ordered and safe for colour-blind eyes.
_POSITIONS = (0, 64, 192, 255)
_COLOURS: dict[str, tuple[Colour, ...]] = {
    "viridis": ((68, 1, 84), (49, 104, 142), (53, 183, 121), (253, 231, 37)),
    "plasma": ((13, 8, 135), (156, 23, 158), (237, 121, 83), (240, 249, 33)),
    "cividis": ((0, 32, 76), (86, 92, 108), (166, 156, 117), (255, 233, 69)),
}
COLOUR_STOPS: dict[str, tuple[tuple[int, Colour], ...]] = {
    name: tuple(zip(_POSITIONS, colours, strict=True)) for name, colours in _COLOURS.items()
}

OUTLINE: Colour = (255, 255, 255)
OUTLINE_EDGE: Colour = (0, 0, 0)
"""Of a lesion's border, white, and of the edge around it, black. No single colour is far from all
those of the maps to colour-blind eyes; of black and white, one stands out from what is below."""
OUTLINED = "_outlined"
"""Ending of the tables that keep their last two levels for the outline and its edge."""


def fixed_maximum(everywhere: VolumeStats, key: str, factor: float) -> float:
    """The end of the colour scale: it depends on the cohort and never on the threshold.

    Voxels of one or two patients hold single, extreme volumes that would push all others into the
    first colours, so the range is that of voxels with a usual number of patients, but for the
    highest hundredth.

    Parameters
    ----------
    everywhere : VolumeStats
        Of at least one patient.
    key : str
        One of `STATISTICS`.
    factor : float
        That volumes are multiplied with; see `Quantity.display`.
    """
    n = everywhere.values["n"]
    if not n.size:
        return 1.0
    if key == "n":
        return counted_maximum(int(n.max()))
    usual = everywhere.values[key][n >= min(_RANGE_PATIENTS, n.max())]
    return nice_ceiling(float(np.percentile(usual, _RANGE_PERCENTILE)) * factor)


def counted_maximum(maximum: int) -> float:
    """The end of the scale of patients: its quarters are whole patients.

    Examples
    --------
    >>> counted_maximum(14)
    16.0
    """
    return float(-(-maximum // 4) * 4)


def nice_ceiling(value: float) -> float:
    """The next number above that is easy to read on a scale.

    Examples
    --------
    >>> [nice_ceiling(v) for v in (0.0, 7, 11, 43.2, 130)]
    [1.0, 8.0, 12.0, 50.0, 150.0]
    """
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    steps = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return float(next(step * power for step in steps if step * power >= value * (1 - 1e-9)))


COLOUR_STOPS |= {
    f"{name}{OUTLINED}": (*stops[:-1], (253, stops[-1][1]), (254, OUTLINE_EDGE), (255, OUTLINE))
    for name, stops in COLOUR_STOPS.items()
}


@dataclass(frozen=True)
class ColourClass:
    """One class of a map of classes: its value, its label and its colour (0 to 255)."""

    value: int
    label: str
    colour: Colour


# Okabe and Ito's orange and sky blue, and a purple that both blend towards.
ONLY_A = ColourClass(64, "A only", (230, 159, 0))
ONLY_B = ColourClass(128, "B only", (86, 180, 233))
BOTH = ColourClass(255, "A and B", (204, 62, 132))
OVERLAP_CLASSES = (ONLY_A, ONLY_B, BOTH)
OUTLINE_CLASS = ColourClass(192, "outline", OUTLINE)
EDGE_CLASS = ColourClass(224, "edge of the outline", OUTLINE_EDGE)
OUTLINED_CLASSES = (ONLY_A, ONLY_B, OUTLINE_CLASS, EDGE_CLASS, BOTH)


@dataclass(frozen=True, eq=False)
class Layer:
    """A map made ready for drawing.

    Parameters
    ----------
    array : array, shape ``grid.shape``
        Values in the unit that is shown; 0 is not drawn.
    grid : Grid
        Where the voxels are (MNI152 space for the template to fit).
    title : str
        What the map shows.
    unit : str
        ``mL`` or ``patients``; empty for a map of classes.
    maximum : float
        Value of the last colour; the first colour is at 0.
    colormap : str
        Name of one of ``COLOUR_STOPS``; ignored for a map of classes.
    classes : tuple of ColourClass
        The classes, for a map of classes.

    Examples
    --------
    >>> grid = Grid((2, 2, 2), np.diag([2.0, 2, 2, 1]))
    >>> layer = Layer(np.full(grid.shape, 5.0), grid, "mean", "mL", maximum=10.0)
    >>> layer.levels[0, 0, 0]
    np.uint8(128)
    """

    array: NDArray[Any]
    grid: Grid
    title: str
    unit: str
    maximum: float
    colormap: str = "viridis"
    classes: tuple[ColourClass, ...] = ()

    @property
    def levels(self) -> NDArray[np.uint8]:
        """The map in the 256 levels of a colour table, uint8, 0 where nothing is drawn."""
        if self.classes:
            return self.array.astype(np.uint8)
        return to_levels(self.array, self.maximum)

    def to_nifti(self) -> Any:
        """The values as drawn, as a float32 NIfTI image."""
        return Map(self.title, self.array, self.grid, self.unit, "").to_nifti()


def to_levels(array: NDArray[Any], maximum: float) -> NDArray[np.uint8]:
    """Scale values to the 255 visible levels of a colour table; values above 0 stay above 0.

    Parameters
    ----------
    array : array of numbers, any shape
        Values from 0 on; NaN is shown as 0.
    maximum : float
        Value of level 255 and above.

    Returns
    -------
    array of uint8, same shape
    """
    scale = np.float32(255.0 / maximum if maximum > 0 else 0.0)
    scaled = np.asarray(array, np.float32) * scale
    np.nan_to_num(scaled, copy=False, nan=0.0)
    return np.ceil(np.clip(scaled, 0, 255, out=scaled), out=scaled).astype(np.uint8)


@explain_failure
def draw_map(
    layer: Layer,
    kind: Kind = "slices",
    mm: ArrayLike = (0, 0, 0),
    radiological: bool = False,
) -> Figure:
    """Draw a map with nilearn on the MNI152 template.

    Parameters
    ----------
    layer : Layer
        What to draw.
    kind : {"slices", "mosaic", "glass"}
        Three slices through ``mm``, rows of slices along the three axes, or a glass brain.
    mm : array, shape (3,)
        Where the slices cut, MNI mm; used by "slices" alone.
    radiological : bool
        Show the patient's left on the right of the figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(_SIZES[kind])
    with warnings.catch_warnings():
        # A map without a voxel is no mistake here: the threshold may be that high.
        warnings.filterwarnings("ignore", "empty mask|.*masked element", UserWarning)
        _plot(figure, layer, kind, mm, radiological)
    _finish(figure, layer)
    return figure


def _plot(figure: Figure, layer: Layer, kind: Kind, mm: ArrayLike, radiological: bool) -> None:
    from nilearn import plotting

    image = drawable(layer.to_nifti())
    shared = {
        "figure": figure,
        "threshold": 1e-9,
        "cmap": _matplotlib_colours(layer),
        # The legend of classes stands below the slices.
        "axes": (0.0, 0.07, 1.0, 0.85) if layer.classes else (0.0, 0.0, 1.0, 0.92),
        "colorbar": not layer.classes,
        "cbar_tick_format": "%.4g",
        "radiological": radiological,
        **_limits(layer),
    }
    if kind == "glass":
        display = plotting.plot_glass_brain(image, plot_abs=False, display_mode="ortho", **shared)
    else:
        cuts = 7 if kind == "mosaic" else tuple(float(v) for v in np.asarray(mm))
        mode = "mosaic" if kind == "mosaic" else "tiled"
        display = plotting.plot_stat_map(
            image,
            bg_img=load_template(),
            display_mode=mode,
            cut_coords=cuts,
            symmetric_cbar=False,
            black_bg=False,
            dim=0,
            resampling_interpolation="nearest",
            annotate=False,
            **shared,
        )
        # nilearn cuts decimals off: 11.6 would be told as 11.
        is_whole = kind == "mosaic" or np.all(np.asarray(mm) % 1 == 0)
        display.annotate(decimals=0 if is_whole else 1)
    for view in display.axes.values():
        if view.direction == "x":
            _orient_sagittal(view.ax)


def _orient_sagittal(axes: Any) -> None:
    """Front on the right, and said so: nilearn mirrors this plane too in radiological view."""
    axes.set_xlim(sorted(axes.get_xlim()))
    for x, direction in ((0.1, "P"), (0.9, "A")):
        axes.text(
            x,
            0.95,
            direction,
            transform=axes.transAxes,
            ha="center",
            va="top",
            size=_DIRECTION_SIZE,
        )


def _chart(height: float) -> tuple[Figure, Axes]:
    """A figure of one pair of axes without a frame."""
    figure = new_figure((7.2, height))
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


@explain_failure
def draw_histogram(volumes_ml: ArrayLike, name: str = "") -> Figure:
    """Draw how many patients have lesions of which volume.

    Parameters
    ----------
    volumes_ml : array, shape (patients,)
        Total lesion volumes in mL.
    name : str
        Name of the cohort, for the title.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.ticker import MaxNLocator

    volumes = np.asarray(volumes_ml, float)
    figure, axes = _chart(3.6)
    axes.hist(volumes, bins=_bins(volumes).tolist(), color="#2f7f86", edgecolor="white")
    median = float(np.median(volumes)) if volumes.size else 0.0
    axes.axvline(median, color="#b3541e", linewidth=1.5, label=f"median {VOLUME.with_unit(median)}")
    axes.set_xlabel("Total lesion volume (mL)")
    axes.set_ylabel("Patients")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    title = f"{name}: {volumes.size} patients" if name else f"{volumes.size} patients"
    axes.set_title(title, loc="left", parse_math=False)
    axes.legend(frameon=False)
    return figure


def figure_bytes(figure: Figure, file_format: str = "png", dpi: int = 150) -> bytes:
    """Give the content of a figure file.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What ``draw_map`` or ``draw_histogram`` gave.
    file_format : {"png", "svg", "pdf"}
        Format of the file.
    dpi : int
        Dots per inch of a PNG file.

    Raises
    ------
    ValueError
        If the format is none of the three.
    """
    if file_format not in FILE_FORMATS:
        raise ValueError(f"a figure is saved as {', '.join(FILE_FORMATS)}, not as {file_format!r}")
    buffer = io.BytesIO()
    # Dates would make two files of the same figure differ.
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(file_format)
    figure.savefig(buffer, format=file_format, dpi=dpi, facecolor="white", metadata=undated)
    return buffer.getvalue()


def interactive_html(layer: Layer, mm: ArrayLike = (0, 0, 0)) -> str:
    """Make nilearn's interactive viewer of a map, one self-contained HTML page without WebGL.

    Parameters
    ----------
    layer : Layer
        What to draw.
    mm : array, shape (3,)
        Where the crosshair starts, MNI mm.
    """
    from nilearn import plotting

    view = plotting.view_img(
        drawable(layer.to_nifti()),
        bg_img=load_template(),
        cut_coords=[float(v) for v in np.asarray(mm)],
        threshold=1e-9,
        cmap=_matplotlib_colours(layer),
        symmetric_cmap=False,
        black_bg=False,
        resampling_interpolation="nearest",
        colorbar=not layer.classes,
        **_limits(layer),
    )
    # The page's icon is the one thing it would fetch from elsewhere.
    return re.sub(r'<link rel="icon"[^>]*>', "", view.get_standalone())


def _limits(layer: Layer) -> dict[str, float]:
    return {"vmin": 0.0, "vmax": 255.0 if layer.classes else max(layer.maximum, 1e-6)}


def _matplotlib_colours(layer: Layer) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    name = "classes" if layer.classes else layer.colormap
    stops = class_stops(layer.classes) if layer.classes else COLOUR_STOPS[name]
    colours = [(position / 255, tuple(c / 255 for c in colour)) for position, colour in stops]
    return LinearSegmentedColormap.from_list(f"lesion_dash_{name}", colours)


def class_stops(classes: tuple[ColourClass, ...]) -> tuple[tuple[int, Colour], ...]:
    """Colour stops of a table that gives each class its own flat colour around its value."""
    stops: list[tuple[int, Colour]] = []
    start = 0
    for this, following in zip(classes, [*classes[1:], None], strict=True):
        end = 255 if following is None else (this.value + following.value) // 2
        stops += [(start, this.colour), (end, this.colour)]
        start = end + 1
    return tuple(stops)


def _finish(figure: Figure, layer: Layer) -> None:
    unit = f" ({layer.unit})" if layer.unit and layer.unit not in layer.title else ""
    figure.suptitle(f"{layer.title}{unit}", fontsize=12, x=0.01, ha="left", parse_math=False)
    if layer.classes:
        from matplotlib.patches import Patch

        patches = [
            Patch(color="#{:02x}{:02x}{:02x}".format(*part.colour), label=part.label)
            for part in layer.classes
        ]
        where: dict[str, Any] = {"loc": "lower center", "ncols": len(patches)}
        figure.legend(handles=patches, frameon=False, fontsize=10, **where)


def _bins(volumes: NDArray[np.float64]) -> NDArray[np.float64]:
    if volumes.size == 0 or volumes.max() <= 0:
        return np.array([0.0, 1.0])
    count = int(np.clip(np.ceil(2 * np.sqrt(volumes.size)), 5, 40))
    return np.linspace(0, float(volumes.max()), count + 1)


@explain_failure
def draw_values(survey: Survey, log_counts: bool = False) -> Figure:
    """Draw how often values occur in an image.

    Parameters
    ----------
    survey : Survey
    log_counts : bool
        Count on a logarithmic scale, so that rare values show despite a large background.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    figure, axes = _chart(3.2)
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
    if excluded := survey.voxels - survey.finite:
        axes.set_title(f"{excluded:,} values excluded: NaN or infinite", loc="left")
    return figure
