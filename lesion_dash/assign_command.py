"""What `lesion-dash assign` does: the regions that the parts of a map, or points, lie in."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .assign_report import print_components, print_points, warn_of_none
from .atlas_option import open_atlas
from .console import say
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from .assignment import Assignment
    from .atlas import Atlas
    from .points import PointAssignment

    Assigned = tuple[Assignment | PointAssignment, pd.DataFrame, dict[str, Any]]

_CHOICES = ("threshold", "signs", "connectivity", "min_size_voxels", "min_size_mm3", "on")
"""Of a map; those that were not made are left to `assign_regions`."""


def run_assign(options: argparse.Namespace) -> int:
    """Write the table of regions and, beside it, how it was made."""
    from .files import write_together
    from .provenance import atlas_input, provenance_bytes
    from .tables import csv_bytes

    assign = _choose(options)
    output = _output_path(options.output)
    beside = f"{output.stem}.provenance.json"
    with write_together(output.parent, [output.name, beside], options.overwrite) as outbox:
        atlas = open_atlas(options.atlas, options.labels)
        found, table, source = assign(options, atlas)
        outbox.add(output.name, csv_bytes(table))
        own = {"like": options.like, "min_correlation": options.min_correlation}
        counts = {"rows": len(table), "notes": list(found.notes)}
        inputs = [source, atlas_input(atlas)]
        outbox.add(
            beside, provenance_bytes("assign", found.parameters | own, inputs, counts, outbox.sums)
        )
    _print(found, atlas)
    say(f"{len(table):,} rows in {output}")
    return 0


def _print(found: Assignment | PointAssignment, atlas: Atlas) -> None:
    from .assignment import Assignment
    from .atlas import ProbabilityAtlas, doubts

    said = {f"{atlas.name}: {doubt}" for doubt in doubts(atlas.notes)}
    for note in found.notes:
        if note not in said:
            say(f"note: {note}")
    if isinstance(found, Assignment):
        print_components(found, isinstance(atlas, ProbabilityAtlas))
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
    from .files import local_path

    path = local_path(text)
    if path.suffix.lower() != ".csv":
        raise InputError(text, "is no name of a CSV file", "let it end in .csv")
    return path


def _assign_map(
    options: argparse.Namespace, atlas: Atlas
) -> tuple[Assignment, pd.DataFrame, dict[str, Any]]:
    from .assignment import assign_regions, rank_rows
    from .files import as_path
    from .images import read_map
    from .provenance import map_input

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
    from .files import as_path
    from .points import Points, assign_points, read_points

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
