"""Lesion load as a heat map: regions x patients under the patients' lesion volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .loads import LesionLoad, Measure
from .plots import new_figure

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
_MOST_NAMED = 60  # patients whose names can be read side by side
_NOTHING = "#f4f4f4"
_LEAST_ML = 0.001
_ML = 1000.0
_BAR: dict[str, Any] = {"fraction": 0.025, "pad": 0.01, "aspect": 40}


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
    _draw_volumes(above, load.cohort.volumes[order] * (load.cohort.grid.voxel_volume / _ML))
    image = _draw_cells(axes, values / _ML if measure == "mm3" else 100 * values, measure)
    _name_axes(axes, load, order.tolist(), touched.tolist())
    title, unit = _TITLES[measure]
    figure.colorbar(image, ax=[above, axes], label=unit, format="%g", **_BAR)
    patients = f"{load.cohort.name}, {len(order)} patient{'' if len(order) == 1 else 's'}"
    heading = f"{title.format(load.atlas.name)}: {patients}"
    figure.suptitle(heading, fontsize=11, x=0.01, ha="left", parse_math=False)
    figure.set_layout_engine("constrained")
    return figure


def _inches(patients: int, regions: int) -> tuple[float, float]:
    """Wide and high enough for names to be read; a row is a line of the smallest type."""
    width = float(np.clip(3.5 + 0.16 * min(patients, _MOST_NAMED) + 0.03 * patients, 7, 20))
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
    # left out, so that the smallest load differs from none.
    palette = ListedColormap(colormaps["YlGnBu"](np.linspace(0.2, 1, 256)))
    colours = palette.with_extremes(bad=_NOTHING)
    if measure == "mm3":
        least = max(np.min(values, where=values > 0, initial=1.0), _LEAST_ML)
        norm: Normalize = LogNorm(least, np.max(values, initial=10 * least))
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
    untouched = len(load.atlas.regions) - len(touched)
    regions = "1 region that no lesion touches is"
    if untouched > 1:
        regions = f"{untouched} regions that no lesion touches are"
    rest = f"; {regions} not shown" if untouched else ""
    axes.set_xlabel(f"Patients, the largest lesion on the left{rest}", fontsize=8)
    if len(order) <= _MOST_NAMED:
        people = [load.cohort.used[row].id for row in order]
        axes.set_xticks(
            range(len(people)), labels=people, fontsize=6, rotation=90, parse_math=False
        )
    else:
        axes.set_xticks([])
    axes.tick_params(length=0)
