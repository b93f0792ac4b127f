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
from ..core.text import counted
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
Plane = Literal["all", "axial", "coronal", "sagittal"]
_AXES: dict[Plane, str] = {"axial": "z", "coronal": "y", "sagittal": "x"}
MOSAIC_SLICES = 7
"""In each plane, as many as nilearn's own mosaics have."""
_BRAIN_MM = {"x": (-58, 58), "y": (-89, 56), "z": (-46, 64)}
"""Limits of a mosaic: they hold nine tenths of MNI152's brain along each axis."""
_EXTENT = {"x": (217.0, 189.0), "y": (181.0, 189.0), "z": (181.0, 217.0)}
"""Width and height of MNI152's slices across an axis, mm."""
_WIDE = 1.45  # from this ratio of width to height on, three slices in a row are larger than in two
_BAR_SHARE = 0.1  # of the width
_TOP = 0.92  # of the height, below the title
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
    *,
    plane: Plane = "all",
    slices: int = MOSAIC_SLICES,
    inches: tuple[float, float] | None = None,
    dark: bool = False,
) -> Figure:
    """Draw a map with nilearn on the MNI152 template.

    Parameters
    ----------
    layer : Layer
        What to draw.
    kind : {"slices", "mosaic", "glass"}
        Slices through ``mm``, evenly spaced slices through the brain, or a glass brain.
    mm : array, shape (3,)
        Where the slices cut, MNI mm; used by "slices" alone.
    radiological : bool
        Show the patient's left on the right of the figure.
    plane : {"all", "axial", "coronal", "sagittal"}
        All three planes, or one.
    slices : int
        Of a mosaic, in each plane.
    inches : tuple of float, optional
        Width and height of the figure.
    dark : bool
        Draw on black.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(inches or _SIZES[kind])
    if dark:
        figure.set_facecolor("black")
    with warnings.catch_warnings():
        # A map without a voxel is not a mistake here: the threshold may be that high. Its field of
        # view may end before the brain does.
        empty = "empty mask|.*masked element|.*cut_coords seem to be out"
        warnings.filterwarnings("ignore", empty, UserWarning)
        rows = _rows(figure, layer, kind, np.asarray(mm, float), plane, slices)
        for row in rows:
            _plot(figure, layer, row, radiological, dark)
    if not layer.classes:
        _add_bar(figure, layer, dark)
    _finish(figure, layer, dark)
    return figure


@dataclass(frozen=True)
class _Row:
    """What nilearn draws at once: its display mode and cuts, and the part of the figure."""

    mode: str
    cuts: Any
    rect: tuple[float, float, float, float]
    decimals: int = 0
    text_size: float = _DIRECTION_SIZE


def _rows(
    figure: Figure,
    layer: Layer,
    kind: Kind,
    mm: NDArray[np.float64],
    plane: Plane,
    slices: int,
) -> list[_Row]:
    """What is drawn where: titles stand above it, the legend of classes below, a bar beside it."""
    bottom, right = (0.07, 1.0) if layer.classes else (0.0, 1 - _BAR_SHARE)
    whole = (0.0, bottom, right, _TOP - bottom)
    room = figure.get_size_inches() * (right, _TOP - bottom)
    if kind == "glass":
        return [_Row(_AXES.get(plane, "ortho"), None, whole)]
    # nilearn cuts decimals off: 11.6 would be told as 11.
    decimals = 0 if np.all(mm % 1 == 0) else 1
    if kind == "slices" and plane == "all":
        mode = "ortho" if room[0] > _WIDE * room[1] else "tiled"
        return [_Row(mode, tuple(mm.tolist()), whole, decimals)]
    if kind == "slices":
        axis = _AXES[plane]
        return [_Row(axis, [float(mm["xyz".index(axis)])], whole, decimals)]
    if plane == "all":
        cuts = {axis: mosaic_cuts(axis, slices) for axis in "xyz"}
        return [_Row("mosaic", cuts, whole, text_size=_text_size(room / (slices, 3)))]
    return _grid_of_slices(_AXES[plane], slices, whole, room)


def _grid_of_slices(
    axis: str,
    slices: int,
    whole: tuple[float, float, float, float],
    room: NDArray[np.float64],
) -> list[_Row]:
    """Rows of slices of one plane, in as many columns as show them largest."""
    left, bottom, width, height = whole

    def scale(columns: int) -> float:
        return float(min(room / (columns, -(-slices // columns)) / _EXTENT[axis]))

    columns = max(range(1, slices + 1), key=scale)
    number = -(-slices // columns)
    cuts, size = mosaic_cuts(axis, slices), _text_size(room / (columns, number))
    rows = []
    for row in range(number):
        own = cuts[row * columns : (row + 1) * columns]
        up = bottom + height * (number - 1 - row) / number
        rect = (left, up, width * len(own) / columns, height / number)
        rows.append(_Row(axis, own, rect, text_size=size))
    return rows


def mosaic_cuts(axis: str, slices: int) -> list[float]:
    """Evenly spaced slices through the brain, from the cerebellum up, in whole mm.

    Examples
    --------
    >>> mosaic_cuts("z", 7)
    [-46.0, -28.0, -9.0, 9.0, 27.0, 46.0, 64.0]
    """
    low, high = _BRAIN_MM[axis]
    places = np.linspace(low, high, slices) if slices > 1 else [(low + high) / 2]
    return [float(place) for place in dict.fromkeys(np.rint(places).tolist())]


def _text_size(inches: NDArray[np.float64]) -> float:
    """Points of labels that fit on a slice of this width and height."""
    return float(np.clip(min(inches) * 8, 5, _DIRECTION_SIZE))


def _plot(figure: Figure, layer: Layer, row: _Row, radiological: bool, dark: bool) -> None:
    from nilearn import plotting

    image = drawable(layer.to_nifti())
    shared = {
        "figure": figure,
        "axes": row.rect,
        "display_mode": row.mode,
        "threshold": 1e-9,
        "cmap": _matplotlib_colours(layer),
        "colorbar": False,  # its own is as wide as a slice where there is one, and covers labels
        "radiological": radiological,
        "black_bg": dark,
        "annotate": False,
        **_limits(layer),
    }
    if row.cuts is None:
        display = plotting.plot_glass_brain(image, plot_abs=False, **shared)
    else:
        display = plotting.plot_stat_map(
            image,
            bg_img=load_template(),
            cut_coords=row.cuts,
            symmetric_cbar=False,
            dim=0,
            resampling_interpolation="nearest",
            **shared,
        )
    display.annotate(positions=row.cuts is not None, size=row.text_size, decimals=row.decimals)
    for view in display.axes.values():
        if view.direction == "x":
            _orient_sagittal(view.ax, row.text_size, "white" if dark else "black")


def _orient_sagittal(axes: Any, size: float, colour: str) -> None:
    """Front on the right, and said so: nilearn mirrors this plane too in radiological view."""
    axes.set_xlim(sorted(axes.get_xlim()))
    layout: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "top"}
    for x, direction in ((0.1, "P"), (0.9, "A")):
        axes.text(x, 0.95, direction, size=size, color=colour, **layout)


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
    patients = counted(volumes.size, "patient")
    title = f"{name}: {patients}" if name else patients
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
    # As the figure is: white, or black for a dark one.
    figure.savefig(buffer, format=file_format, dpi=dpi, facecolor="auto", metadata=undated)
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


def _finish(figure: Figure, layer: Layer, dark: bool) -> None:
    ink = "white" if dark else "black"
    unit = f" ({layer.unit})" if layer.unit and layer.unit not in layer.title else ""
    title = f"{layer.title}{unit}"
    points = 72 * figure.get_size_inches()[0]
    # A letter is about 0.6 times as wide as it is high.
    size = float(np.clip(points / (0.6 * len(title)), 5, 12))
    figure.suptitle(title, fontsize=size, x=0.01, ha="left", color=ink, parse_math=False)
    if layer.classes:
        from matplotlib.patches import Patch

        patches = [
            Patch(color="#{:02x}{:02x}{:02x}".format(*part.colour), label=part.label)
            for part in layer.classes
        ]
        layout: dict[str, Any] = {"loc": "lower center", "ncols": len(patches), "frameon": False}
        figure.legend(handles=patches, fontsize=min(size, 10), labelcolor=ink, **layout)


def _add_bar(figure: Figure, layer: Layer, dark: bool) -> None:
    """The colour bar beside the slices."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    limits = _limits(layer)
    scale = ScalarMappable(Normalize(limits["vmin"], limits["vmax"]), _matplotlib_colours(layer))
    place = figure.add_axes((0.975, 0.08, 0.018, 0.76))
    ticks = np.linspace(limits["vmin"], limits["vmax"], 5)
    bar = figure.colorbar(scale, cax=place, format="%.4g", ticks=ticks)
    ink = "white" if dark else "black"
    place.yaxis.tick_left()
    place.tick_params(colors=ink, width=0)
    bar.outline.set_edgecolor(ink)


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
