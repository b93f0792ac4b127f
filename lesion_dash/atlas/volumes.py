"""Read probabilistic atlases: a 4D image, or a folder of maps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..files import AnyPath, strip_ending
from ..grid import is_near
from ..images import Progress, SpatialImage, Stored, Volumes, count_volumes, read_volumes
from ..label_tables import LabelTable, Region
from .fit import check_fit
from .probabilities import ProbabilityAtlas
from .scale import Column, check_one_scale, to_probabilities
from .sides import check_map_sides, shorten

if TYPE_CHECKING:
    from scipy import sparse


def volumes_atlas(
    source: AnyPath | SpatialImage | Stored,
    table: LabelTable | None,
    progress: Progress | None = None,
) -> ProbabilityAtlas:
    """Read a 4D image with a map of probabilities for every region.

    Raises
    ------
    InputError
        Where the values are no probabilities.
    """
    read = read_volumes(source, progress)
    sources = {str(read.path): read.sha256}
    if table is None:
        numbers = range(1, len(read.columns) + 1)
        regions: tuple[Region | None, ...] = tuple(Region(n, f"label {n}") for n in numbers)
        notes: tuple[str, ...] = ("no label table found: regions are called by their number",)
    else:
        regions, notes = table.for_volumes(len(read.columns))
        notes = _check_fit(table, regions, len(read.columns)) + notes + table.notes
        sources[str(table.path)] = table.sha256
    name = strip_ending(read.path.name)
    return _make(name, read, read.columns, regions, read.notes + notes, sources)


def folder_atlas(
    folder: AnyPath,
    images: Sequence[AnyPath],
    table: LabelTable | None,
    progress: Progress | None = None,
) -> ProbabilityAtlas:
    """Read a folder that holds a map of probabilities for every region.

    Maps are in the order of their file names, in which numbers count as numbers. Their names are
    those of the files, or of the table's rows: by name where a file is called as a row is, else
    in order.

    Raises
    ------
    InputError
        Where the maps are not on one grid, or are no probabilities.
    """
    files = sorted(images, key=_natural_order)
    maps = []
    for file in files:
        maps.append(_read_single(file))
        if progress is not None:
            progress(len(maps), len(files))
    first = maps[0]
    for other in maps[1:]:
        if not is_near(other.grid, first.grid):
            problem = f"is not on the grid of {first.path.name}: "
            problem += other.grid.difference(first.grid)
            raise InputError(other.path, problem, "bring all maps of an atlas onto one grid")
    regions, notes = _name_files([strip_ending(file.name) for file in files], table)
    sources = {str(one.path): one.sha256 for one in maps}
    if table is not None:
        sources[str(table.path)] = table.sha256
        notes = _check_fit(table, regions, len(maps)) + notes + table.notes
    columns = [one.columns[0] for one in maps]
    check_one_scale(files, columns)
    said = _count_notes(maps) + _shift_notes(maps)
    return _make(folder.name, first, columns, regions, said + notes, sources)


def _check_fit(
    table: LabelTable, regions: Sequence[Region | None], volumes: int
) -> tuple[str, ...]:
    both = sum(region is not None for region in regions[:volumes])
    return check_fit(table.path, volumes, both + len(regions) - volumes, both)


def _read_single(path: AnyPath) -> Volumes:
    if (volumes := count_volumes(path)) > 1:
        problem = f"several volumes: {volumes} in one file among the maps of a folder"
        raise InputError(path, problem, "give that image alone, or one map a file")
    return read_volumes(path)


def _natural_order(path: AnyPath) -> list[tuple[str, int]]:
    """``map_2`` comes before ``map_10``."""
    parts = re.findall(r"(\D*)(\d*)", path.name.lower())
    return [(text, int(number or -1)) for text, number in parts]


def _name_files(
    names: list[str], table: LabelTable | None
) -> tuple[tuple[Region | None, ...], tuple[str, ...]]:
    """The region of each file, in order, then the rows of the table that no file belongs to."""
    if table is None:
        note = "no label table found: regions are called after their files"
        return tuple(Region(n, name) for n, name in enumerate(names, start=1)), (note,)
    rows = {row.name.casefold(): row for row in table.rows}
    found = [rows.pop(name.casefold(), None) for name in names]
    if any(found):
        return (*found, *rows.values()), ()
    return table.for_volumes(len(names))


def _count_notes(maps: list[Volumes]) -> tuple[str, ...]:
    times = Counter(note for one in maps for note in one.notes)
    return tuple(f"{note} ({times[note]} of {len(maps)} maps)" for note in times)


def _shift_notes(maps: list[Volumes]) -> tuple[str, ...]:
    first = maps[0]
    moved = [one for one in maps if not one.grid.matches(first.grid)]
    if not moved:
        return ()
    far = max(one.grid.corner_shift(first.grid) for one in moved)
    others = f"{len(moved)} of {len(maps)} maps, such as {moved[0].path.name},"
    return (f"{others} lie up to {far:.2g} mm beside {first.path.name}: its grid is used",)


def _make(
    name: str,
    read: Volumes,
    columns: Sequence[Column],
    regions: tuple[Region | None, ...],
    notes: tuple[str, ...],
    sources: dict[str, str],
) -> ProbabilityAtlas:
    """Put maps and names together; a row of the table without a volume has an empty map."""
    probabilities, said = to_probabilities(read.path, columns, read.dtype, read.repetition_time)
    named = _name_all(regions)
    notes += said + _compare(named, regions, len(columns))
    empty = np.empty(0, np.int32), np.empty(0)
    filled = [*probabilities, *[empty] * (len(named) - len(columns))]
    maps = _stack(filled, read.grid.size)
    notes += check_map_sides(read.grid, maps, named)
    return ProbabilityAtlas(name, read.grid, maps, named, notes, sources)


def _stack(columns: Sequence[Column], voxels: int) -> sparse.csc_array:
    from scipy import sparse

    bounds = np.cumsum([0, *(indices.size for indices, _ in columns)])
    values = np.concatenate([values for _, values in columns])
    rows = np.concatenate([indices for indices, _ in columns])
    return sparse.csc_array((values, rows, bounds), (voxels, len(columns)))


def _name_all(regions: tuple[Region | None, ...]) -> tuple[Region, ...]:
    """Give volumes that no row names the first numbers that no row has."""
    taken = {region.label for region in regions if region is not None}
    free = (number for number in count(0 if 0 in taken else 1) if number not in taken)
    known = [region or Region(next(free), "") for region in regions]
    return tuple(replace(region, name=region.name or f"label {region.label}") for region in known)


def _compare(
    named: tuple[Region, ...], regions: tuple[Region | None, ...], volumes: int
) -> tuple[str, ...]:
    pairs = list(zip(named, regions, strict=True))
    notes: tuple[str, ...] = ()
    if missing := [region.label for region, row in pairs if row is None]:
        notes += (f"volume without a name: {shorten(missing)}",)
    if extra := [region.label for region in named[volumes:]]:
        notes += (f"name without a volume: label {shorten(extra)}",)
    return notes
