"""`lesion-dash assign`: the regions that the components of a map, or points, lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator

from ..core import defaults
from ..core.errors import InputError
from ..core.notes import note_on
from ..core.space import spaces_stated
from ..core.text import counted
from . import fields
from .console import LONGEST_LIST
from .fields import option, source
from .inputs import open_atlases, side_notices
from .request import TABLE, Progress, Request, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from ..atlas import atlas as atlases
    from ..images.maps import Map
    from ..regions.assignment import Assignment
    from ..regions.points import PointAssignment

    Assigned = tuple[Assignment | PointAssignment, pd.DataFrame, dict[str, Any], list[str]]

_OF_MAPS = (
    *("threshold", "signs", "connectivity", "min_size_voxels", "min_size_mm3", "on", "like"),
    "min_correlation",
)


class Assign(Request):
    """Regions of one or several atlases in which the components of a map, or points, lie."""

    command = "assign"
    endings = TABLE
    example = "t_map.nii.gz --atlas maps_4d.nii.gz --threshold 3 -o regions.csv"

    image: str | None = source(
        "a map, such as a mask or t map", "IMAGE", positional=True, default=None
    )
    atlas: fields.Atlases
    labels: fields.LabelsOfEach
    scale: fields.AtlasScale
    accept_swapped: fields.AcceptSwapped
    mirror_atlas: fields.MirrorAtlas
    output: fields.OutputTable
    overwrite: fields.Overwrite
    strict: fields.Strict
    threshold: float = option("voxels with a value above T count", "T", default=defaults.THRESHOLD)
    signs: defaults.Signs = option(
        "which side of the map; negative: below -T", default=defaults.SIGNS
    )
    connectivity: fields.Connectivity = defaults.CONNECTIVITY
    min_size_voxels: int = option(
        "keep components with more than N voxels", "N", default=defaults.MIN_SIZE_VOXELS
    )
    min_size_mm3: float = option("and at least V mm³", "V", default=defaults.MIN_SIZE_MM3)
    on: Literal["map", "atlas"] | None = option(
        "grid of the comparison (default map; atlas with --like siibra)", default=None
    )
    lower_threshold: float = option(
        "probabilities of the atlas below P count as 0", "P", default=defaults.LOWER_THRESHOLD
    )
    min_correlation: float | None = option(
        "only rows with a correlation of at least R, the highest first", "R", default=None
    )
    like: Literal["siibra"] | None = option(
        "columns and order of siibra's assignment, on the atlas's grid; its numbers for atlases of "
        "probabilities, for labelled ones without its swapped columns",
        default=None,
    )
    points: tuple[str, ...] = option(
        "in place of IMAGE: x y z in mm, or a file of them", "P", several=True, default=()
    )
    space: fields.SpaceOfMap
    sigma: float | None = option(
        f"uncertainty of points in mm (default {defaults.POINT_SIGMA_MM:g})", "S", default=None
    )

    @model_validator(mode="after")
    def _check_choices(self) -> Assign:
        if (self.image is None) == (not self.points):
            problem = "give an image or --points" if self.image is None else "both given"
            raise InputError("IMAGE and --points", problem, "one of them is assigned at a time")
        if self.image is not None and self.sigma is not None:
            raise InputError("--sigma", "is for --points", "a map has no sigma")
        of_maps = [name for name in _OF_MAPS if name in self.model_fields_set]
        if self.points and of_maps:
            flag = self.flag(of_maps[0])
            raise InputError(flag, "is for maps", "omit it with --points")
        if self.points and any(text.startswith("map=") for text in self.space):
            raise InputError("--space", "map=SPACE is for maps", "omit it with --points")
        return self

    def run(self, progress: Progress) -> Result:
        from ..atlas.atlas import atlas_input
        from ..core.tables import csv_bytes

        atlases = open_atlases(self)
        assign = self._assign_map if self.image is not None else self._assign_points
        assigned = [(atlas, *assign(atlas)) for atlas in atlases]
        _, assignment, table, source, _ = assigned[0]
        lines = _lines(assignment, atlases[0])
        notes = {atlas.name: [*own, *each.notes] for atlas, each, _, _, own in assigned}
        said = notes[atlases[0].name]
        if len(assigned) > 1:
            tables = [own.assign(atlas=atlas.name) for atlas, _, own, _, _ in assigned]
            table = _joined(tables, ["atlas", *table.columns])
            lines = [line for atlas, each, *_ in assigned for line in _of_atlas(each, atlas)]
            said = _notes_of_each(notes)
        own: dict[str, Any] = {"like": self.like, "min_correlation": self.min_correlation}
        chosen = {"accept_swapped": self.accept_swapped, "mirror_atlas": self.mirror_atlas}
        own |= {name: value for name, value in chosen.items() if value}
        return Result(
            files=[(self.target.path.name, csv_bytes(table))],
            inputs=[source, *map(atlas_input, atlases)],
            counts={"rows": len(table), "notes": said},
            parameters=assignment.parameters | own,
            lines=[*side_notices(*atlases), *lines, self.rows_line(table)],
            notes=said,
        )

    def _assign_map(self, atlas: atlases.Atlas) -> Assigned:
        from ..files.paths import as_path
        from ..images.maps import map_input, read_map
        from ..regions.assignment import assign_regions, rank_rows

        path = as_path(self.image or "")
        image = read_map(path, *spaces_stated(self.space, "map"))
        assignment = assign_regions(
            image,
            atlas,
            threshold=self.threshold,
            signs=self.signs,
            connectivity=self.connectivity,
            min_size_voxels=self.min_size_voxels,
            min_size_mm3=self.min_size_mm3,
            lower_threshold=self.lower_threshold,
            on=self.on or ("atlas" if self.like else "map"),
        )
        notes = [] if len(assignment.components) else [_why_none(assignment, image)]
        table = assignment.siibra_table if self.like else assignment.table
        if self.min_correlation is not None:
            table = rank_rows(table, self.min_correlation)
        return assignment, table, map_input(path, image), notes

    def _assign_points(self, atlas: atlases.Atlas) -> Assigned:
        """Assign one point, or those of a file."""
        from ..files.paths import as_path
        from ..regions.points import Points, assign_points, read_points

        path = as_path(self.points[0]) if len(self.points) == 1 else None
        points = read_points(path) if path else Points(_point(self.points), None, "")
        if points.sigma_mm is not None and self.sigma is not None:
            raise InputError(path, "holds a sigma for every point", "omit --sigma")
        sigma = (
            points.sigma_mm
            if points.sigma_mm is not None
            else self.sigma or defaults.POINT_SIGMA_MM
        )
        assignment = assign_points(points.mm, atlas, sigma, self.lower_threshold)
        file = str(path) if path else None
        source = {"kind": "points", "file": file, "sha256": points.sha256 or None}
        return assignment, assignment.table, source, []


def _point(texts: Sequence[str]) -> NDArray[np.float64]:
    """One point in a row of its own."""
    import numpy as np

    try:
        return np.array(texts, float).reshape(1, 3)
    except ValueError:
        problem = f"{' '.join(texts)!r} is not a point"
        raise InputError("--points", problem, "give a file, or x y z of one point in mm") from None


def _joined(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """The rows of several atlases, which of them in the first column."""
    import pandas as pd

    return pd.concat(tables, ignore_index=True)[[*columns]]


def _of_atlas(assignment: Assignment | PointAssignment, atlas: atlases.Atlas) -> list[str]:
    return ["", f"atlas: {atlas.name}", *_lines(assignment, atlas)]


def _notes_of_each(notes: Mapping[str, Sequence[str]]) -> list[str]:
    """The notes of all atlases; with its name, what is not said of each of them."""
    of_all = set.intersection(*map(set, notes.values()))
    every = (
        note if note in of_all else note_on(name, note)
        for name, own in notes.items()
        for note in own
    )
    return [*dict.fromkeys(every)]


def _lines(assignment: Assignment | PointAssignment, atlas: atlases.Atlas) -> list[str]:
    from ..regions.assignment import Assignment

    if isinstance(assignment, Assignment):
        return list(_components_lines(assignment, atlas.is_probabilistic))
    return _points_lines(assignment)


# What the terminal shows of an assignment: the largest components, and their best regions.

_REGIONS = 3
"""Printed of each component; arbitrary, the table holds them all."""

_TINY = 10
"""Voxels; a component of fewer is a speck. Arbitrary, and only for the hint that is printed."""


def _components_lines(assignment: Assignment, is_probabilistic: bool) -> Iterator[str]:
    """The components from the largest on, each with its best regions below it."""
    parts = sorted(assignment.components, key=lambda part: -part.voxels)
    rows: dict[int, list[Any]] = {part.number: [] for part in parts}
    best: Iterable[Any] = assignment.top(_REGIONS).itertuples(index=False)
    for row in best:
        rows[row.component].append(row)
    for part in parts[:LONGEST_LIST]:
        yield _describe_component(rows[part.number][0])
        for row in rows[part.number]:
            yield f"    {_describe_region(row, is_probabilistic)}"
    more = len(parts) - LONGEST_LIST
    tiny = sum(part.voxels < _TINY for part in parts)
    if more > 0:
        yield f"and {more:,} smaller components, in the table that was written"
    if tiny > 1:
        few = f"of all {len(parts):,} components have fewer than {_TINY} voxels"
        yield f"{tiny:,} {few}; --min-size-voxels {_TINY - 1} excludes them"


def _points_lines(assignment: PointAssignment) -> list[str]:
    """A line for each point: where it is, and its best region."""
    lines = [_describe_point(row) for row in assignment.best.itertuples(index=False)]
    more = len(lines) - LONGEST_LIST
    rest = [f"and {more:,} more points, in the table that was written"] if more > 0 else []
    return [*lines[:LONGEST_LIST], *rest]


def _why_none(assignment: Assignment, image: Map) -> str:
    """Why there is no component: too small, or the threshold beyond all values of the map."""
    import numpy as np

    chosen = assignment.parameters
    valid = image.array[~np.isnan(image.array)]
    low, high = float(valid.min(initial=0)), float(valid.max(initial=0))
    ends = {"positive": f"maximum is {high:g}", "negative": f"minimum is {low:g}"}
    extremes = ends.get(chosen["signs"], f"values go from {low:g} to {high:g}")
    few = f"no component: threshold {chosen['threshold']:g}, signs {chosen['signs']}"
    size = f"more than {chosen['min_size_voxels']:g} voxels"
    if chosen["min_size_mm3"]:
        size += f" and at least {chosen['min_size_mm3']:g} mm³"
    return f"{few}, {size}; the map's {extremes}"


def _describe_component(row: Any) -> str:
    volume = row.component_volume_mm3
    mm3 = f"{volume:,.0f} mm³"
    size = f"{volume / 1000:,.1f} mL ({mm3})" if volume >= 1000 else mm3
    place = ", ".join(f"{round(mm)}" for mm in (row.peak_x_mm, row.peak_y_mm, row.peak_z_mm))
    peak = f"peak {row.peak_value:.4g} at {place} mm"
    return f"component {row.component}: {size}, {counted(row.component_voxels, 'voxel')}, {peak}"


def _describe_region(row: Any, is_probabilistic: bool) -> str:
    """How well a region fits: what lies outside all regions has a part of the component only."""
    if is_probabilistic:
        scores = [f"mean probability {_two(row.mean_probability)} over the component"]
        percent = row.percent_of_region_probability
    else:
        scores = [f"{row.percent_of_component:.0f} % of the component"]
        percent = row.percent_of_region
    if percent == percent:
        scores.append(f"{percent:.0f} % of the region")
    if row.correlation == row.correlation:
        scores.append(f"correlation {_two(row.correlation)}")
    return f"{row.region}: {', '.join(scores)}"


def _describe_point(row: Any) -> str:
    place = ", ".join(f"{mm + 0.0:g}" for mm in (row.x_mm, row.y_mm, row.z_mm))
    chance = f", probability {row.probability:.2f}" if row.probability > 0 else ""
    away = f", {row.nearest_mm:.1f} mm from {row.nearest_region}" if row.nearest_mm > 0 else ""
    return f"point {row.point} at {place} mm: {row.region}{chance}{away}"


def _two(value: float) -> str:
    """Two decimals, and no minus before a 0."""
    return f"{round(value, 2) + 0.0:.2f}"
