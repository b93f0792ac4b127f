"""What the terminal shows of an assignment: the largest components, and their best regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .console import LONGEST_LIST, say, warn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .assignment import Assignment
    from .images import Map
    from .points import PointAssignment

_REGIONS = 3
"""Of each component."""

_TINY = 10
"""Voxels; a component of fewer is a speck."""


def print_components(found: Assignment, probabilistic: bool) -> None:
    """The components from the largest on, each with its best regions below it."""
    parts = sorted(found.components, key=lambda part: -part.voxels)
    rows: dict[int, list[Any]] = {part.number: [] for part in parts}
    best: Iterable[Any] = found.top(_REGIONS).itertuples(index=False)
    for row in best:
        rows[row.component].append(row)
    for part in parts[:LONGEST_LIST]:
        say(_describe_component(rows[part.number][0]))
        for row in rows[part.number]:
            say(f"    {_describe_region(row, probabilistic)}")
    more = len(parts) - LONGEST_LIST
    tiny = sum(part.voxels < _TINY for part in parts)
    if more > 0:
        say(f"and {more:,} smaller components, in the table that was written")
    if tiny > 1:
        verb = f"of all {len(parts):,} components have fewer than {_TINY} voxels"
        say(f"{tiny:,} {verb}; --min-size-voxels {_TINY - 1} leaves them out")


def print_points(found: PointAssignment) -> None:
    """A line for each point: where it is, and its best region."""
    lines = [_describe_point(row) for row in found.best.itertuples(index=False)]
    for line in lines[:LONGEST_LIST]:
        say(line)
    if len(lines) > LONGEST_LIST:
        say(f"and {len(lines) - LONGEST_LIST:,} more points, in the table that was written")


def warn_of_none(found: Assignment, image: Map) -> None:
    """Say why there is no component: too small, or the threshold beyond all values of the map."""
    import numpy as np

    chosen = found.parameters
    valid = image.array[~np.isnan(image.array)]
    low, high = float(valid.min(initial=0)), float(valid.max(initial=0))
    ends = {"positive": f"maximum is {high:g}", "negative": f"minimum is {low:g}"}
    told = ends.get(chosen["signs"], f"values go from {low:g} to {high:g}")
    few = f"no component: threshold {chosen['threshold']:g}, signs {chosen['signs']}"
    size = f"more than {chosen['min_size_voxels']:g} voxels"
    if chosen["min_size_mm3"]:
        size += f" and at least {chosen['min_size_mm3']:g} mm³"
    warn(f"{few}, {size}; the map's {told}")


def _describe_component(row: Any) -> str:
    volume = row.component_volume_mm3
    mm3 = f"{volume:,.0f} mm³"
    size = f"{volume / 1000:,.1f} mL ({mm3})" if volume >= 1000 else mm3
    place = ", ".join(f"{round(mm)}" for mm in (row.peak_x_mm, row.peak_y_mm, row.peak_z_mm))
    peak = f"peak {row.peak_value:.4g} at {place} mm"
    return f"component {row.component}: {size}, {row.component_voxels:,} voxels, {peak}"


def _describe_region(row: Any, probabilistic: bool) -> str:
    """How well a region fits: what lies outside all regions has a share of the component only."""
    if probabilistic:
        words = [f"mean probability {_two(row.mean_probability)} over the component"]
        share = row.percent_of_region_probability
    else:
        words = [f"{row.percent_of_component:.0f} % of the component"]
        share = row.percent_of_region
    if share == share:
        words.append(f"{share:.0f} % of the region")
    if row.correlation == row.correlation:
        words.append(f"correlation {_two(row.correlation)}")
    return f"{row.region}: {', '.join(words)}"


def _describe_point(row: Any) -> str:
    place = ", ".join(f"{mm + 0.0:g}" for mm in (row.x_mm, row.y_mm, row.z_mm))
    chance = f", probability {row.probability:.2f}" if row.probability > 0 else ""
    return f"point {row.point} at {place} mm: {row.region}{chance}"


def _two(value: float) -> str:
    """Two decimals, and no minus before a 0."""
    return f"{round(value, 2) + 0.0:.2f}"
