"""Figures of the way from a map to regions of interest."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..images.maps import Map, labels_to_nifti
from ..images.masks import Mask
from ..images.template import load_template
from ..rois.recipe import RoiRun
from ..rois.steps import Threshold
from ..rois.values import Rois, RoiValues
from .drawing import drawable, explain_failure, new_figure, with_plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure


Mm = tuple[float, float, float]

_INCHES = (9.0, 3.6)
_SLICES = (0.0, 0.0, 0.86, 0.86)
"""Part of the figure that the slices take; the colours stand on the right, the title above."""

_NEAREST: dict[str, Any] = {"resampling_interpolation": "nearest"}
"""Voxels of an oblique image are shown as they are: no value between two of them."""

# Paul Tol's "bright": seven colours that differ for colour-blind eyes as well.
_COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB")
_OUTLINE = "#D81B60"
_MOST_NAMED = 12  # arbitrary: so many names fit beside the slices, so many boxes on a page
_MOST_POINTS = 2000  # of a group; arbitrary: more only cover one another


@explain_failure
def draw_beyond(
    stat_map: Map, threshold: Threshold, mm: ArrayLike | None = None, background: Map | None = None
) -> Figure:
    """Draw where a map is beyond its threshold.

    Parameters
    ----------
    stat_map : Map
    threshold : Threshold
    mm : array, shape (3,), optional
        Where the slices cut, mm; by default through the highest value.
    background : Map, optional
        By default the MNI152 template.

    Returns
    -------
    matplotlib.figure.Figure
        Three slices; L and R are the patient's left and right.

    Examples
    --------
    >>> from lesion_dash import read_map
    >>> stat_map = read_map("sample_data/cohort_a/sub-a01_lesion.nii.gz")
    >>> draw_beyond(stat_map, Threshold(0.5), (30, 20, 10)).get_suptitle()
    'threshold: > 0.5: ... voxels, ... mm³'
    """
    from matplotlib.cm import ScalarMappable

    mask = threshold.apply(stat_map)
    colours, norm = _colours_of(stat_map, mask)
    figure, display = _draw_background(_cut(mm, mask, stat_map), background)
    if mask.voxels:
        _overlay_beyond(display, stat_map, mask, cmap=colours, vmin=norm.vmin, vmax=norm.vmax)
    place = figure.add_axes((0.9, 0.12, 0.018, 0.68))
    name = stat_map.name.replace("minus_log10_", "−log10 ").replace("corrected_p", "corrected p")
    label = f"{name}, {stat_map.unit}" if stat_map.unit else name
    figure.colorbar(ScalarMappable(norm, colours), cax=place, label=label)
    place.yaxis.label.set_parse_math(False)
    return _titled(figure, f"{threshold.summary}: {_size(mask)}")


@contextmanager
def _few_voxels() -> Iterator[None]:
    """Nilearn samples an oblique image anew: of a few voxels nothing may be left to draw."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "empty mask|No contour levels", UserWarning)
        yield


def _overlay_beyond(display: Any, stat_map: Map, mask: Mask, **colours: Any) -> None:
    shown = np.where(mask.array, _finite(stat_map.array), 0)
    image = drawable(Map(stat_map.name, shown, stat_map.grid, "", "").to_nifti())
    inside: dict[str, Any] = {"transparency": drawable(mask.to_nifti())}
    try:
        with _few_voxels():
            display.add_overlay(
                image, threshold=None, transparency_range=[0, 1], **inside, **colours, **_NEAREST
            )
    except ValueError as error:
        if "transparency_range" not in str(error):
            raise


@explain_failure
def draw_mask(
    mask: Mask, title: str, mm: ArrayLike | None = None, background: Map | None = None
) -> Figure:
    """Draw a mask and its outline.

    Parameters
    ----------
    mask : Mask
    title : str
        Such as the step that made it.
    mm, background
        See `draw_beyond`; by default the slices cut the middle of the mask's largest part.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from lesion_dash import read_mask
    >>> mask = read_mask("sample_data/cohort_a/sub-a01_lesion.nii.gz")
    >>> draw_mask(mask, "after dilation").get_suptitle()
    'after dilation: ... voxels, ... mm³'
    """
    figure, display = _draw_background(_cut(mm, mask), background)
    if mask.voxels:
        from matplotlib.colors import ListedColormap

        image = drawable(mask.to_nifti())
        fill = ListedColormap([_OUTLINE])
        with _few_voxels():
            display.add_overlay(
                image, threshold=0.5, cmap=fill, vmin=0, vmax=1, transparency=0.35, **_NEAREST
            )
            display.add_contours(image, levels=[0.5], colors=[_OUTLINE], linewidths=1.5)
    return _titled(figure, f"{title}: {_size(mask)}")


@explain_failure
def draw_rois(rois: Rois, mm: ArrayLike | None = None, background: Map | None = None) -> Figure:
    """Draw regions of interest in one colour each, with the names of the largest ones.

    Parameters
    ----------
    rois : Rois
    mm, background
        See `draw_beyond`; by default the slices cut the peak of the largest region.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from lesion_dash import read_map
    >>> from lesion_dash.rois import find_rois
    >>> stat_map = read_map("sample_data/cohort_a/sub-a01_lesion.nii.gz")
    >>> draw_rois(find_rois(Threshold(0.5).apply(stat_map), stat_map)).get_suptitle()
    '1 region of interest: ... voxels, ... mm³'
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    point = cut_point(rois) if mm is None and len(rois) else _cut(mm, rois.mask)
    figure, display = _draw_background(point, background)
    if len(rois):
        # Colours are given by place, so that picked regions of any number have one each.
        places = np.searchsorted([0, *(part.number for part in rois)], rois.atlas.labels)
        with _few_voxels():
            display.add_overlay(
                drawable(labels_to_nifti(places, rois.grid, "regions of interest")),
                threshold=0.5,
                cmap=ListedColormap([_colour(row) for row in range(len(rois))]),
                vmin=0.5,
                vmax=len(rois) + 0.5,
                **_NEAREST,
            )
    named = list(rois)[:_MOST_NAMED]
    patches = [Patch(color=_colour(row), label=part.name) for row, part in enumerate(named)]
    if len(rois) > _MOST_NAMED:
        patches += [Patch(alpha=0, label=f"and {len(rois) - _MOST_NAMED:,} more")]
    if patches:
        figure.legend(handles=patches, loc="center right", frameon=False, fontsize=8)
    count = f"{len(rois):,} region{'' if len(rois) == 1 else 's'} of interest"
    return _titled(figure, f"{count}: {_size(rois.mask)}")


@explain_failure
@with_plain_text
def draw_values(values: RoiValues) -> Figure:
    """Draw the values of every group in every region: a box of the quartiles, and the points.

    Whiskers reach to the farthest value within 1.5 interquartile ranges of the box. Points are
    moved sideways so that they do not cover one another; the move has no meaning.

    Parameters
    ----------
    values : RoiValues

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> numbers = np.array([[1.0], [2], [4], [5]])
    >>> groups = ("face", "face", "house", "house")
    >>> values = RoiValues(("1", "2", "3", "4"), groups, ("ROI 1",), numbers, "mean signal")
    >>> draw_values(values).axes[0].get_ylabel()
    'mean signal'
    """
    names = values.names[:_MOST_NAMED]
    columns = min(len(names), 4) or 1
    rows = -(-len(names) // columns) or 1
    figure = new_figure((max(2.6 * columns, 4.5), 3.0 * rows + 0.4))
    axes = figure.subplots(rows, columns, squeeze=False)
    for place, panel in enumerate(axes.flat):
        if place >= len(names):
            panel.set_axis_off()
            continue
        _draw_groups(panel, values, place)
        panel.set_title(names[place], fontsize=10, loc="left", parse_math=False)
        if place % columns == 0:
            panel.set_ylabel(values.unit)
    left = len(values.names) - len(names)
    more = f" (and {left} more regions, in the table)" if left else ""
    figure.suptitle(f"Values in each region of interest{more}", fontsize=11, x=0.01, ha="left")
    figure.set_layout_engine("constrained")
    return figure


def draw_run(
    run: RoiRun, mm: ArrayLike | None = None, background: Map | None = None
) -> list[tuple[str, Figure]]:
    """Draw every step of a run at the same cuts.

    Parameters
    ----------
    run : RoiRun
    mm, background
        See `draw_rois`; the default background of a series is its mean.

    Returns
    -------
    list of (str, matplotlib.figure.Figure)
        What each picture shows: the map beyond the threshold, the mask after each step, and the
        regions of interest.
    """
    point = cut_point(run.rois) if mm is None and len(run.rois) else mm
    background = background_of(run) if background is None else background
    pictures = [
        (run.summary[0], draw_beyond(run.stat_map, run.recipe.threshold, point, background))
    ]
    for summary, mask in zip(run.summary[1:], run.masks[1:], strict=True):
        pictures.append((summary, draw_mask(mask, summary, point, background)))
    return [*pictures, ("regions of interest", draw_rois(run.rois, point, background))]


def background_of(run: RoiRun) -> Map | None:
    """The mean of a series, on which its own maps lie; None stands for the MNI152 template."""
    return run.data.series.mean if run.data.series is not None else None


def cut_point(rois: Rois) -> Mm:
    """The peak of the largest region, in mm."""
    x, y, z = max(rois, key=lambda part: part.voxels).peak_mm.tolist()
    return x, y, z


def _cut(mm: ArrayLike | None, mask: Mask, stat_map: Map | None = None) -> Mm:
    """The point given; else the highest voxel of a map, else nilearn's choice."""
    if mm is not None:
        x, y, z = np.asarray(mm, np.float64).tolist()
    elif not mask.voxels:
        x, y, z = mask.grid.to_mm((np.array(mask.grid.shape) - 1) / 2).tolist()
    elif stat_map is not None:
        values = np.abs(_finite(np.ravel(stat_map.array, order="F")[mask.indices]))
        x, y, z = mask.grid.mm_of_index([mask.indices[values.argmax()]])[0].tolist()
    else:
        from nilearn.plotting import find_xyz_cut_coords

        x, y, z = find_xyz_cut_coords(drawable(mask.to_nifti()), activation_threshold=0.5)
    return float(x), float(y), float(z)


def _draw_background(mm: Mm, background: Map | None) -> tuple[Figure, Any]:
    """A figure with three slices of the background, and nilearn's display to draw on."""
    from nilearn import plotting

    figure = new_figure(_INCHES)
    image = load_template() if background is None else drawable(background.to_nifti())
    with warnings.catch_warnings():
        # A point beyond the background is not a mistake: that slice is empty.
        warnings.filterwarnings("ignore", "Some of the specified cut_coords", UserWarning)
        display = plotting.plot_anat(
            image,
            cut_coords=mm,
            figure=figure,
            axes=_SLICES,
            display_mode="ortho",
            black_bg=False,
            colorbar=False,
            dim=0,
        )
    return figure, display


def _titled(figure: Figure, title: str) -> Figure:
    # Names of files and conditions are not formulas, whatever dollar characters they hold.
    figure.suptitle(title, fontsize=11, x=0.01, ha="left", parse_math=False)
    return figure


def _size(mask: Mask) -> str:
    return f"{mask.voxels:,} voxel{'' if mask.voxels == 1 else 's'}, {mask.volume_mm3:,.0f} mm³"


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    """Values that can be drawn: infinite ones as the largest finite, NaN as 0."""
    known = values[np.isfinite(values)]
    high, low = (float(known.max()), float(known.min())) if known.size else (0.0, 0.0)
    return np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=high, neginf=low)


def _colours_of(stat_map: Map, mask: Mask) -> tuple[Colormap, Normalize]:
    """Two-sided colours around 0 where both signs are shown, else one scale of what is shown."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    values = _finite(stat_map.array)[mask.array]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if low < 0 < high:
        limit = max(-low, high)
        return colormaps["RdBu_r"], Normalize(-limit, limit)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    return colormaps["viridis"], Normalize(low, high)


def _colour(row: int) -> str:
    return _COLOURS[row % len(_COLOURS)]


def _draw_groups(axes: Axes, values: RoiValues, column: int) -> None:
    groups = values.group_names
    samples = [values.of_group(group, column) for group in groups]
    drawn = [sample if sample.size else np.array([np.nan]) for sample in samples]
    axes.boxplot(drawn, showfliers=False, widths=0.6, medianprops={"color": "black"})
    # The same places for the same values: two pictures of one table are equal.
    generator = np.random.default_rng(0)
    for place, sample in enumerate(samples, 1):
        shown = sample[:: -(-sample.size // _MOST_POINTS) or 1]
        sideways = place + generator.uniform(-0.18, 0.18, shown.size)
        axes.plot(sideways, shown, ".", color=_colour(place - 1), markersize=4, alpha=0.6)
    labels = [f"{group}\nn = {sample.size}" for group, sample in zip(groups, samples, strict=True)]
    turned = 60 if len(groups) > 3 else 0
    places = range(1, len(groups) + 1)
    axes.set_xticks(places, labels=labels, fontsize=7, rotation=turned, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
