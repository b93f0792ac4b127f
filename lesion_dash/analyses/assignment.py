"""What `lesion-dash assign` does: the regions that the components of a map, or points, lie in."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from .console import LONGEST_LIST, say, warn
from .options import open_atlas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from ..atlas.atlas import Atlas
    from ..images.maps import Map
    from ..regions.assignment import Assignment
    from ..regions.points import PointAssignment

    Assigned = tuple[Assignment | PointAssignment, pd.DataFrame, dict[str, Any]]


TEXT = "which regions of an atlas the parts of a map, or points, lie in"


def add_assign_choices(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of `lesion-dash assign`."""
    parser.add_argument("image", metavar="IMAGE", nargs="?", help="a map, such as a mask or t map")
    parser.add_argument(
        "--atlas",
        metavar="ATLAS",
        required=True,
        help="labelled or probabilistic NIfTI image, a folder of maps, or a name from "
        "`lesion-dash atlases`",
    )
    parser.add_argument(
        "--labels", metavar="TABLE", help="names of its regions (default: the table beside it)"
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT.csv", required=True, help="the table; provenance beside it"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier OUT.csv")
    _add_component_choices(parser)
    _add_score_choices(parser)


def _add_component_choices(parser: argparse.ArgumentParser) -> None:
    """Which parts of a map there are; without a default here, as the library has it."""
    parser.add_argument(
        "--threshold", metavar="T", type=float, help="voxels with a value above T count (default 0)"
    )
    parser.add_argument(
        "--signs",
        choices=("positive", "negative", "both"),
        help="which side of the map; negative: below -T (default positive)",
    )
    parser.add_argument(
        "--connectivity",
        type=int,
        choices=(6, 18, 26),
        help="voxels of one part share a face, an edge too, or a corner too (default 18)",
    )
    parser.add_argument(
        "--min-size-voxels",
        metavar="N",
        type=int,
        help="parts with more than N voxels are kept (default 1)",
    )
    parser.add_argument(
        "--min-size-mm3", metavar="V", type=float, help="and at least V mm³ (default 0)"
    )


def _add_score_choices(parser: argparse.ArgumentParser) -> None:
    """How parts, or points, and regions are compared."""
    parser.add_argument(
        "--on", choices=("map", "atlas"), help="whose grid everything is on (default map)"
    )
    parser.add_argument(
        "--lower-threshold",
        metavar="P",
        type=float,
        help="probabilities of the atlas below P count as 0 (default 0)",
    )
    parser.add_argument(
        "--min-correlation",
        metavar="R",
        type=float,
        help="only rows with a correlation of at least R, the highest first",
    )
    parser.add_argument(
        "--like",
        choices=("siibra",),
        help="columns, order and numbers of siibra's assignment, on the atlas's grid",
    )
    parser.add_argument(
        "--points", nargs="+", metavar="P", help="in place of IMAGE: x y z in mm, or a file of them"
    )
    parser.add_argument(
        "--sigma", metavar="S", type=float, help="uncertainty of points in mm (default 0)"
    )


# What the terminal shows of an assignment: the largest components, and their best regions.


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


# What `lesion-dash assign` does: the regions that the parts of a map, or points, lie in.


_CHOICES = ("threshold", "signs", "connectivity", "min_size_voxels", "min_size_mm3", "on")
"""Of a map; those that were not made are left to `assign_regions`."""


def run_assign(options: argparse.Namespace) -> int:
    """Write the table of regions and, beside it, how it was made."""
    from ..atlas.atlas import atlas_input
    from ..core.tables import csv_bytes
    from ..files.provenance import provenance_bytes
    from ..files.writing import write_atomically

    assign = _choose(options)
    output = _output_path(options.output)
    beside = f"{output.stem}.provenance.json"
    with write_atomically(output.parent, [output.name, beside], options.overwrite) as writer:
        atlas = open_atlas(options.atlas, options.labels)
        found, table, source = assign(options, atlas)
        writer.add(output.name, csv_bytes(table))
        own = {"like": options.like, "min_correlation": options.min_correlation}
        counts = {"rows": len(table), "notes": list(found.notes)}
        inputs = [source, atlas_input(atlas)]
        writer.add(
            beside, provenance_bytes("assign", found.parameters | own, inputs, counts, writer.sums)
        )
    _print(found, atlas)
    say(f"{len(table):,} rows in {output}")
    return 0


def _print(found: Assignment | PointAssignment, atlas: Atlas) -> None:
    from ..atlas.loading import doubts
    from ..regions.assignment import Assignment

    said = {f"{atlas.name}: {doubt}" for doubt in doubts(atlas.notes)}
    for note in found.notes:
        if note not in said:
            say(f"note: {note}")
    if isinstance(found, Assignment):
        print_components(found, atlas.is_probabilistic)
    else:
        print_points(found)


def _choose(options: argparse.Namespace) -> Callable[..., Assigned]:
    """The function that assigns what was given: a map or points."""
    if (options.image is None) == (options.points is None):
        problem = "give an image or --points" if options.image is None else "both given"
        raise InputError("IMAGE and --points", problem, "one of them is assigned at a time")
    if options.image is not None:
        if options.sigma is not None:
            raise InputError("--sigma", "is for --points", "a map has no sigma")
        return _assign_map
    of_maps = (*_CHOICES, "like", "min_correlation")
    if made := [name for name in of_maps if getattr(options, name) is not None]:
        option = f"--{made[0].replace('_', '-')}"
        raise InputError(option, "is for maps", "leave it out with --points")
    return _assign_points


def _output_path(text: str) -> Path:
    from ..files.paths import local_path

    path = local_path(text)
    if path.suffix.lower() != ".csv":
        raise InputError(text, "is no name of a CSV file", "let it end in .csv")
    return path


def _assign_map(
    options: argparse.Namespace, atlas: Atlas
) -> tuple[Assignment, pd.DataFrame, dict[str, Any]]:
    from ..files.paths import as_path
    from ..images.maps import map_input, read_map
    from ..regions.assignment import assign_regions, rank_rows

    path = as_path(options.image)
    image = read_map(path)
    choices = {name: getattr(options, name) for name in (*_CHOICES, "lower_threshold")}
    if options.like == "siibra" and options.on is None:
        choices["on"] = "atlas"
    made = {name: value for name, value in choices.items() if value is not None}
    found = assign_regions(image, atlas, **made)
    if not len(found.components):
        warn_of_none(found, image)
    table = found.siibra_table if options.like == "siibra" else found.table
    if options.min_correlation is not None:
        table = rank_rows(table, options.min_correlation)
    return found, table, map_input(path, image)


def _assign_points(
    options: argparse.Namespace, atlas: Atlas
) -> tuple[PointAssignment, pd.DataFrame, dict[str, Any]]:
    """Assign one point from the command line, or those of a file."""
    from ..files.paths import as_path
    from ..regions.points import Points, assign_points, read_points

    place = as_path(options.points[0]) if len(options.points) == 1 else None
    points = read_points(place) if place else Points(_point(options.points), None, "")
    if points.sigma_mm is not None and options.sigma is not None:
        raise InputError(place, "holds a sigma for every point", "leave --sigma out")
    sigma = points.sigma_mm if points.sigma_mm is not None else options.sigma or 0.0
    found = assign_points(points.mm, atlas, sigma, options.lower_threshold or 0.0)
    file = str(place) if place else None
    source = {"kind": "points", "file": file, "sha256": points.sha256 or None}
    return found, found.table, source


def _point(words: list[str]) -> NDArray[np.float64]:
    """One point in a row of its own."""
    import numpy as np

    try:
        return np.array(words, float).reshape(1, 3)
    except ValueError:
        problem = f"{' '.join(words)!r} is no point"
        raise InputError("--points", problem, "give a file, or x y z of one point in mm") from None
