"""Rows of the table of regions: groups above their regions, and what lies outside the atlas."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..atlas.levels import By, group_names
from ..regions.counts import DistanceBand, RegionCount, RegionCounts
from ..regions.involvement import Involvement, RegionInvolvement

if TYPE_CHECKING:
    import pandas as pd

OF_PATIENTS = (
    "patients",
    "patients_at_least",
    "max_patients_at_voxel",
    "mean_percent_lesioned",
)
"""What is shown of a `RegionInvolvement`."""

_OF_BAND = ("voxels", "volume_mm3", "percent_of_map")


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Parameters
    ----------
    kind : {"region", "group", "outside", "band"}
    counted : RegionCount or DistanceBand
        A band is a part of what lies outside.
    place : int or None
        Position of the region in ``rows`` of the counts it comes from; None for a band.
    patients : RegionInvolvement, optional
        None until patients are counted.
    parent : int, optional
        Position of the row that this one is a part of.
    """

    kind: Literal["region", "group", "outside", "band"]
    counted: RegionCount | DistanceBand
    place: int | None = None
    patients: RegionInvolvement | None = None
    parent: int | None = None

    def cells(self, is_probabilistic: bool) -> dict[str, Any]:
        """Its values by column; a band of an atlas of probabilities has voxels alone."""
        if isinstance(self.counted, DistanceBand):
            names = _OF_BAND[:1] if is_probabilistic else _OF_BAND
            values = {name: getattr(self.counted, name) for name in names}
            return values | {"region": self.counted.label}
        values = asdict(self.counted)
        if self.kind == "group":
            values["label"] = None  # that of a group stands in no table
        if self.patients is not None:
            values |= {name: getattr(self.patients, name) for name in OF_PATIENTS}
        return values


@dataclass(frozen=True, eq=False)
class Grouping:
    """The same map, and the same patients, counted by groups of regions.

    Parameters
    ----------
    by : {"lobe", "gyrus", "hemisphere", "system"}
    counts : RegionCounts
    involvement : Involvement or None
    """

    by: By
    counts: RegionCounts
    involvement: Involvement | None


def region_rows(
    counts: RegionCounts, involvement: Involvement | None, grouping: Grouping | None = None
) -> tuple[Row, ...]:
    """The regions that hold a voxel of the map, those with most patients first.

    Until patients are counted, the largest come first. What lies outside the atlas is last, and
    below it its parts by distance.

    Parameters
    ----------
    counts : RegionCounts
    involvement : Involvement or None
        Of the cohort and the same atlas.
    grouping : Grouping, optional
        Puts each region under a row of its group.
    """
    regions = _ordered("region", counts, involvement)
    rows: list[Row] = []
    if grouping is None:
        rows += regions
    else:
        names = group_names(counts.atlas.regions, grouping.by)
        of_label: dict[int | None, str] = {
            region.label: name for region, name in zip(counts.atlas.regions, names, strict=True)
        }
        for group in _ordered("group", grouping.counts, grouping.involvement):
            assert isinstance(group.counted, RegionCount)
            own = [row for row in regions if of_label[_label(row)] == group.counted.region]
            at = len(rows)
            rows += [group, *(Row("region", r.counted, r.place, r.patients, at) for r in own)]
    at, outside = len(rows), counts.rows[-1]
    rows.append(Row("outside", outside, len(counts.rows) - 1))
    if outside.voxels:
        rows += [Row("band", band, parent=at) for band in counts.outside_by_distance if band.voxels]
    return tuple(rows)


def _label(row: Row) -> int | None:
    return row.counted.label if isinstance(row.counted, RegionCount) else None


def _ordered(
    kind: Literal["region", "group"], counts: RegionCounts, involvement: Involvement | None
) -> list[Row]:
    of_label = {} if involvement is None else {row.label: row for row in involvement.rows}
    rank: dict[int | None, int] = {label: number for number, label in enumerate(of_label)}
    rows = [
        Row(kind, row, place, of_label.get(row.label or 0))
        for place, row in enumerate(counts.rows[:-1])
        if row.voxels
    ]
    return sorted(rows, key=lambda row: rank.get(_label(row), 0))


def frame_of(rows: tuple[Row, ...], names: list[str], is_probabilistic: bool) -> pd.DataFrame:
    """The rows as a table with these columns; a value that a row does not have is missing."""
    import pandas as pd

    cells = [row.cells(is_probabilistic) for row in rows]
    columns = {name: [own.get(name) for own in cells] for name in names}
    return pd.DataFrame(columns, dtype=object)
