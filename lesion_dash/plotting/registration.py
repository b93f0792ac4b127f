"""Figures by which the eye judges a registration."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..images.hounsfield import brain_window
from ..images.maps import Map
from ..scans.registration.levels import otsu_threshold
from ..scans.registration.task import Registration
from .drawing import explain_failure, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# All arbitrary: chosen by eye.
_INCHES = (11.0, 7.2)
_ROWS = (("z", 0.0), ("y", 0.315), ("x", 0.63))
"""Directions of the cuts, and where their row begins, from below, as a fraction of the height."""
_HEIGHT = 0.3
_CUTS = 6
_SQUARES = 7
"""Squares of the checkerboard along the longest edge of what the template shows."""

_BORDER = 0.15
"""Fraction of a template's contrast from which on there is something to see."""
_SMOOTH_MM = 1.0

_EDGES = "#ff3b30"
_LESION = "#ffd60a"
_MAX_POINTS = 20_000
"""Voxels of the foreground whose extent is measured."""


@explain_failure
def draw_overlay(registration: Registration, title: str = "") -> Figure:
    """Draw the registered image with the template's edges over it, and the lesion's outline.

    Parameters
    ----------
    registration : Registration
    title : str, optional
        In place of one that names image, template and engine.

    Returns
    -------
    matplotlib.figure.Figure
        Six slices in each of three directions; L and R are the patient's left and right.

    Examples
    --------
    >>> from lesion_dash import read_map
    >>> from lesion_dash.scans import Transform
    >>> from lesion_dash.scans.registration.task import Quality
    >>> scan = read_map("sample_data/template/template.nii.gz")
    >>> quality = Quality(0.2, 0.9, 1.0, 1.0, 1.0, 1.0, 6, 6)
    >>> registration = Registration(scan, scan, "rigid", "nothing", Transform(), scan, quality)
    >>> draw_overlay(registration).get_suptitle()
    'template on template, rigid by nothing; red lines: edges of the template'
    """
    lines = "red lines: edges of the template"
    if registration.lesion is not None:
        lines += ", yellow: the lesion"
    figure = _titled(registration, title, lines)
    smooth, levels = _outlines(registration.template)
    image = registration.image
    displays = _draw_rows(figure, registration, replace(image, array=_levels(image.array)))
    _add_lines(displays, smooth, levels, _EDGES, 0.8)
    if registration.lesion is not None and registration.lesion.voxels:
        _add_lines(displays, registration.lesion.to_nifti(), [0.5], _LESION, 1.2)
    return figure


@explain_failure
def draw_checkerboard(registration: Registration, title: str = "") -> Figure:
    """Draw squares of the registered image and of the template in turn.

    Lines of the anatomy run on from square to square where the two lie on one another.

    Parameters and result are those of `draw_overlay`.
    """
    figure = _titled(registration, title, "squares: image and template in turn")
    template = registration.template
    mixed = np.where(_squares(template), _levels(registration.image.array), _levels(template.array))
    _draw_rows(figure, registration, replace(template, array=mixed))
    return figure


def _add_lines(
    displays: list[Any], image: Any, levels: list[float], colour: str, width: float
) -> None:
    with warnings.catch_warnings():
        # A template without anything in it has no lines; that is seen.
        warnings.filterwarnings("ignore", "empty mask|No contour levels", UserWarning)
        for display in displays:
            display.add_contours(image, levels=levels, colors=[colour], linewidths=width)


def _titled(registration: Registration, title: str, lines: str) -> Figure:
    names = f"{registration.moving.name} on {registration.template.name}"
    how = f"{registration.kind} by {registration.engine}"
    figure = new_figure(_INCHES)
    # Names of files are not formulas, whatever dollar signs they hold.
    figure.suptitle(
        f"{title or f'{names}, {how}'}; {lines}", fontsize=11, x=0.01, ha="left", parse_math=False
    )
    return figure


def _draw_rows(figure: Figure, registration: Registration, shown: Map) -> list[Any]:
    """A row of slices for each direction; gives nilearn's displays to draw on."""
    from nilearn import plotting

    image = shown.to_nifti()
    low, high = _foreground_box(registration.template)
    displays = []
    for direction, bottom in _ROWS:
        axis = "xyz".index(direction)
        inner = np.linspace(low[axis], high[axis], _CUTS + 2)[1:-1]
        with warnings.catch_warnings():
            # A slice beyond the image is not a mistake: it is empty.
            warnings.filterwarnings("ignore", "Some of the specified cut_coords", UserWarning)
            warnings.filterwarnings("ignore", "empty mask", UserWarning)
            display = plotting.plot_anat(
                image,
                display_mode=direction,
                cut_coords=inner.round(1).tolist(),
                figure=figure,
                axes=(0.0, bottom, 1.0, _HEIGHT),
                black_bg=True,
                colorbar=False,
                draw_cross=False,
                vmin=0,
                vmax=1,
                dim=0,
            )
        if direction == "x":
            _label_sides(display)
        displays.append(display)
    return displays


def _label_sides(display: Any) -> None:
    """Back and front of sagittal slices; nilearn writes L and R on the others."""
    for view in display.axes.values():
        for x, side in ((0.04, "P"), (0.96, "A")):
            view.ax.text(
                x,
                0.96,
                side,
                transform=view.ax.transAxes,
                ha="left" if side == "P" else "right",
                va="top",
                size=11,
                color="white",
                bbox={"facecolor": "black", "edgecolor": "none", "pad": 2},
            )


def _levels(array: NDArray[Any]) -> NDArray[np.float32]:
    """Values from 0 to 1: between the 1st and the 99.5th percentile of what is not background."""
    values = np.nan_to_num(brain_window(array).astype(np.float32), nan=0, posinf=0, neginf=0)
    known = values[values != 0]
    low, high = np.percentile(known, [1, 99.5]) if known.size else (0.0, 1.0)
    low = min(low, 0.0) if values.min(initial=0) >= 0 else low
    scaled = (values - low) / max(float(high - low), 1e-6)
    return np.where(values == 0, 0, np.clip(scaled, 0, 1)).astype(np.float32)


def _outlines(template: Map) -> tuple[Any, list[float]]:
    """The template without its noise, and the values at which its lines are drawn.

    These are the border of what it shows, and the value that parts its tissue best.
    """
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(_levels(template.array), _SMOOTH_MM / template.grid.voxel_size)
    image = replace(template, array=smooth).to_nifti()
    return image, sorted({_BORDER, otsu_threshold(smooth[smooth > _BORDER], 64, (_BORDER, 1.0))})


def _foreground_box(template: Map) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest mm of what the template shows, along x, y and z."""
    voxels = np.argwhere(_levels(template.array) > _BORDER)
    points = template.grid.to_mm(voxels[:: max(len(voxels) // _MAX_POINTS, 1)])
    if not len(points):
        points = template.grid.corners()
    return points.min(axis=0), points.max(axis=0)


def _squares(template: Map) -> NDArray[np.bool_]:
    """Cubes of the template's grid that take turns, in voxels so that they are not sawteeth."""
    low, high = _foreground_box(template)
    edge = float((high - low).max()) / _SQUARES
    steps = [max(round(edge / size), 1) for size in template.grid.voxel_size.tolist()]
    voxels = np.indices(template.grid.shape, sparse=True)
    return sum(axis // step for axis, step in zip(voxels, steps, strict=True)) % 2 == 0
