"""Rows of slices through a map, drawn by nilearn: the same slices for every map of a report."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from ..images import Map
from ..plots import COLOUR_STOPS, Colour, ColourClass, class_stops, new_figure
from ..template import load_template

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

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
    return _draw(found, grid, cuts, label, (0.0, maximum), _colormap(COLOUR_STOPS[colours]))


def draw_difference(
    found: NDArray[Any], grid: Grid, cuts: Cuts, label: str, maximum: float
) -> Figure:
    """Draw a map of differences around 0, which is not drawn itself."""
    return _draw(found, grid, cuts, label, (-maximum, maximum), _colormap(_DIVERGING))


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


def _draw(
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
