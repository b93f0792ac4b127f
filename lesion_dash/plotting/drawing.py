"""What all figures need: an empty one, images nilearn can draw, and one in place of a fault."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from ..core.errors import LesionDashError
from ..images.nifti import Nifti1Image, SpatialImage
from ..images.template import load_template

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_P = ParamSpec("_P")
_INCHES = (7.2, 3.0)  # arbitrary: room for three lines
_LINE = 80  # characters; arbitrary
_DARK, _LIGHT = "#18232b", "#e3eaef"  # paper and ink of the page in the dark: style.css


def new_figure(inches: tuple[float, float]) -> Figure:
    """Make an empty white figure of this width and height."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, facecolor="white")
    # pyplot keeps every figure it makes alive; a bare figure is freed with its last reference.
    FigureCanvasAgg(figure)
    return figure


def darkened(figure: Figure) -> Figure:
    """Turn a chart on white into one on the dark of the page: black lines and text become light.

    Examples
    --------
    >>> figure = new_figure((3.0, 2.0))
    >>> axes = figure.subplots()
    >>> darkened(figure).get_facecolor() == axes.get_facecolor() != (1.0, 1.0, 1.0, 1.0)
    True
    """
    from matplotlib.colors import same_color
    from matplotlib.spines import Spine
    from matplotlib.text import Text

    figure.set_facecolor(_DARK)
    for axes in figure.axes:
        axes.set_facecolor(_DARK)
        axes.tick_params(colors=_LIGHT, which="both")
        for bar in axes.patches:
            if same_color(bar.get_edgecolor(), "white"):
                bar.set_edgecolor(_DARK)
    for spine in figure.findobj(Spine):
        spine.set_edgecolor(_LIGHT)
    for text in figure.findobj(Text):
        if same_color(text.get_color(), "black"):
            text.set_color(_LIGHT)
    return figure


def prepare_drawing() -> None:
    """Import what the first figure needs, and read the template: together this takes seconds."""
    from nilearn import plotting  # noqa: F401

    load_template()


def explain_failure(draw: Callable[_P, Figure]) -> Callable[_P, Figure]:
    """Give a figure that says what went wrong where drawing fails: results do not depend on it.

    A warning says so as well. What is wrong with the user's choices is raised all the same.
    """

    @wraps(draw)
    def call(*given: _P.args, **more: _P.kwargs) -> Figure:
        try:
            return draw(*given, **more)
        except (LesionDashError, MemoryError, Warning):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library of figures finds impossible
            fault = f"a picture could not be drawn ({type(error).__name__}: {error})"
            warnings.warn(f"{fault}; numbers and other files are as they should be", stacklevel=2)
            figure = new_figure(_INCHES)
            lines = textwrap.fill(fault[0].upper() + fault[1:], _LINE)
            figure.text(0.02, 0.9, lines, va="top", parse_math=False)
            return figure

    return call


def with_plain_text(draw: Callable[_P, Figure]) -> Callable[_P, Figure]:
    r"""Draw names of columns as they are: a dollar sign begins no formula.

    Examples
    --------
    >>> @with_plain_text
    ... def draw():
    ...     figure = new_figure((2.0, 1.0))
    ...     figure.subplots().set_title(r"x$\frac$y")
    ...     return figure
    >>> draw().canvas.draw()
    """

    @wraps(draw)
    def call(*given: _P.args, **more: _P.kwargs) -> Figure:
        import matplotlib as mpl

        with mpl.rc_context({"text.parse_math": False}):
            return draw(*given, **more)

    return call


def drawable(image: SpatialImage) -> SpatialImage:
    """An image with an empty voxel on either side of each axis of length one.

    A plane of one row has no extent for matplotlib: no limits of its axes, and no contour.

    Examples
    --------
    >>> slice_ = Nifti1Image(np.ones((4, 4, 1), np.float32), np.eye(4))
    >>> drawable(slice_).shape, drawable(slice_).affine[2, 3].item()
    ((4, 4, 3), -1.0)
    """
    thin = np.array(image.shape[:3]) == 1
    if not thin.any():
        return image
    array: Any = np.pad(np.asanyarray(image.dataobj), [(int(one), int(one)) for one in thin])
    affine = image.affine.copy()
    affine[:3, 3] -= image.affine[:3, :3] @ thin
    return Nifti1Image(array, affine, dtype=array.dtype)
