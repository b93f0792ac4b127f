"""Read an atlas, and check that table, image and sides belong together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import get_args

import numpy as np

from ..core.errors import InputError, MissingFile, check_choice
from ..core.grid import is_near
from ..files.listing import has_image_ending, strip_ending
from ..files.paths import AnyPath, PathInput, as_path
from ..images.maps import NotWhole, read_labels
from ..images.nifti import SpatialImage
from ..images.probabilities import NOISE, Scale, refuse_statistic
from ..images.reading import Progress, RawImage
from ..images.series import Volumes, count_volumes, read_volumes
from ..images.space import in_space
from .atlas import Atlas, LabelAtlas, ProbabilityAtlas, stack_columns
from .finding import (
    atlases_in,
    find_atlases,
    find_folder_table,
    find_label_table,
    find_unread_table,
    maps_in,
    unread_note,
)
from .formats import Region
from .grouping import check_map_sides, check_sides, shorten
from .hierarchies import find_hierarchy, read_hierarchy
from .installed import Installed, installed_atlas
from .nomenclature import complete_levels
from .published import alike_names, fetch_atlas, is_library_name
from .tables import LabelTable, read_label_table
from .values import Column, check_one_scale, check_parcels, to_probabilities


def _with_names(fault: MissingFile, given: object) -> MissingFile:
    """The same fault, with the names of published atlases that what was given may stand for."""
    alike = alike_names(str(given))
    if not alike:
        return fault
    remedy = f"did you mean {' or '.join(alike)}? `lesion-dash atlases` lists the names"
    return MissingFile(given, fault.problem, remedy)


def _without_image(folder: AnyPath) -> InputError:
    """Why a folder is not an atlas, and which atlases lie deeper."""
    below = [place for place, _ in find_atlases(folder).values()]
    if not below:
        return InputError(folder, "holds no image", "give an atlas image or a folder of maps")
    atlases = "1 atlas lies" if len(below) == 1 else f"{len(below)} atlases lie"
    problem = f"holds no image itself, but {atlases} in its subfolders"
    return InputError(folder, problem, _choose_one(folder, below[0]))


def _check_is_one(folder: AnyPath, images: Sequence[AnyPath]) -> None:
    """Refuse a folder of several atlases, each with a table of its own, as the maps of one."""
    pairs = atlases_in(folder, images) if len(images) > 1 else []
    if len({table for _, table in pairs if table is not None}) > 1:
        problem = f"holds {len(pairs)} atlases, each with its own label table"
        raise InputError(folder, problem, _choose_one(folder, pairs[0][0]))


def _choose_one(folder: AnyPath, example: AnyPath) -> str:
    listing = f"`lesion-dash atlases --atlases {folder}` lists them"
    return f"give one of them, such as {example}; {listing}"


# Whether a label table is that of an image: a wrong one gives wrong names without an error.


_MIN_NAMED = 0.5
"""Part of the image's labels that a table must name; below it, it is that of another atlas."""

_SURE = 0.9
"""Part of the image's labels, and of the table's, below which a note asks.

Both are arbitrary: tables of one atlas differ by a few regions, those of two by most.
"""

_QUESTION = "is it the table of this atlas?"


class OtherTable(InputError):
    """A label table that names too few of an image's labels to be its table."""


def _check_fit(table: AnyPath, labels: int, rows: int, both: int) -> tuple[str, ...]:
    """Compare how many labels an image has with how many a table names, and both have.

    The same holds for a table that was given and for one that was found beside the image: names
    that belong to another atlas are no better for having been found.
    """
    if both < _MIN_NAMED * labels:
        problem = f"names {both:,} of the image's {labels:,} labels: it is another atlas's table"
        remedy = "give the table of this atlas with --labels, or move this one out of the folder"
        raise OtherTable(table, problem, remedy)
    differences = []
    if both < _SURE * labels:
        differences.append(f"the table names {both:,} of the image's {labels:,} labels")
    if both < _SURE * rows:
        differences.append(f"the image has {both:,} of the table's {rows:,} labels")
    return (f"{' and '.join(differences)}: {_QUESTION}",) if differences else ()


@dataclass(frozen=True)
class _Reading:
    """How an atlas is read: the table of its names or why there is none, and what was stated."""

    table: LabelTable | None = None
    unread: InputError | None = None
    scale: Scale | None = None
    progress: Progress | None = None
    is_labels: bool = False

    def with_table_beside(self, place: AnyPath | None) -> _Reading:
        """The same with the table of an image or a folder's name, where no table was given."""
        if self.table is not None or place is None:
            return self
        path = find_folder_table(place) if place.is_dir() else find_label_table(place)
        if path is not None:
            return replace(self, table=read_label_table(path))
        return replace(self, unread=find_unread_table(place))

    def without_table(self, how: str) -> str:
        """The note on an atlas without a table, and how its regions are named instead."""
        if self.unread is None:
            return f"no label table found: regions are named {how}"
        return f"{unread_note(self.unread)}; regions are named {how}"


_Source = AnyPath | SpatialImage | RawImage

# Read probabilistic atlases: a 4D image, or a folder of maps.


def _volumes_atlas(source: _Source, how: _Reading) -> ProbabilityAtlas:
    """Read a 4D image with a map of probabilities for every region."""
    if how.scale is None:
        refuse_statistic(source)
    read, table = read_volumes(source, how.progress), how.table
    sources = {str(read.path): read.sha256}
    if table is None:
        numbers = range(1, len(read.columns) + 1)
        regions: tuple[Region | None, ...] = tuple(Region(n, f"label {n}") for n in numbers)
        notes: tuple[str, ...] = (how.without_table("by their number"),)
    else:
        regions, notes = table.for_volumes(len(read.columns))
        notes = _check_volumes(table, regions, len(read.columns)) + notes + table.notes
        sources[str(table.path)] = table.sha256
    name = strip_ending(read.path.name)
    return _make(name, read, read.columns, regions, read.notes + notes, sources, how.scale)


def _folder_atlas(folder: AnyPath, images: Sequence[AnyPath], how: _Reading) -> ProbabilityAtlas:
    """Read a folder that holds a map of probabilities for every region.

    Maps are in the order of their file names, in which numbers count as numbers. Their names are
    those of the files, or of the table's rows: by name where a file is called as a row is, else
    in order.
    """
    files = sorted(images, key=_natural_order)
    maps = []
    for file in files:
        maps.append(_read_single(file))
        if how.scale is None:
            refuse_statistic(file)
        if how.progress is not None:
            how.progress(len(maps), len(files))
    first, table = maps[0], how.table
    for other in maps[1:]:
        if not is_near(other.grid, first.grid):
            problem = f"is not on the grid of {first.path.name}: "
            problem += other.grid.difference(first.grid)
            raise InputError(other.path, problem, "resample all maps of an atlas to one grid")
    regions, notes = _name_files([strip_ending(file.name) for file in files], how)
    sources = {str(read.path): read.sha256 for read in maps}
    if table is not None:
        sources[str(table.path)] = table.sha256
        notes = _check_volumes(table, regions, len(maps)) + notes + table.notes
    columns = [read.columns[0] for read in maps]
    if how.scale is None:
        check_one_scale(files, columns)
    notes = _map_notes(maps) + notes
    return _make(folder.name, first, columns, regions, notes, sources, how.scale)


def _check_volumes(
    table: LabelTable, regions: Sequence[Region | None], volumes: int
) -> tuple[str, ...]:
    both = sum(region is not None for region in regions[:volumes])
    return _check_fit(table.path, volumes, both + len(regions) - volumes, both)


def _read_single(path: AnyPath) -> Volumes:
    if (volumes := count_volumes(path)) > 1:
        problem = f"several volumes: {volumes} in one file among the maps of a folder"
        raise InputError(path, problem, "give that image alone, or one map per file")
    return read_volumes(path)


def _natural_order(path: AnyPath) -> list[tuple[str, int]]:
    """``map_2`` comes before ``map_10``."""
    parts = re.findall(r"(\D*)(\d*)", path.name.lower())
    return [(text, int(number or -1)) for text, number in parts]


def _name_files(
    names: list[str], how: _Reading
) -> tuple[tuple[Region | None, ...], tuple[str, ...]]:
    """The region of each file, in order, then the rows of the table that no file belongs to."""
    if how.table is None:
        regions = tuple(Region(n, name) for n, name in enumerate(names, start=1))
        return regions, (how.without_table("after their files"),)
    rows = {row.name.casefold(): row for row in how.table.rows}
    named = [rows.pop(name.casefold(), None) for name in names]
    if any(named):
        return (*named, *rows.values()), ()
    return how.table.for_volumes(len(names))


def _map_notes(maps: list[Volumes]) -> tuple[str, ...]:
    """Notes of several maps, and how far some lie from the first."""
    times = Counter(note for read in maps for note in read.notes)
    notes = tuple(f"{note} ({times[note]} of {len(maps)} maps)" for note in times)
    first = maps[0]
    moved = [read for read in maps if not read.grid.matches(first.grid)]
    if moved:
        far = max(read.grid.corner_shift(first.grid) for read in moved)
        others = f"{len(moved)} of {len(maps)} maps, such as {moved[0].path.name},"
        notes += (f"{others} lie up to {far:.2g} mm beside {first.path.name}: its grid is used",)
    return notes


def _make(
    name: str,
    read: Volumes,
    columns: Sequence[Column],
    regions: tuple[Region | None, ...],
    notes: tuple[str, ...],
    sources: dict[str, str],
    scale: Scale | None,
) -> ProbabilityAtlas:
    """Put maps and names together; a row of the table without a volume has an empty map."""
    probabilities, scale_notes = to_probabilities(
        read.path, columns, read.dtype, read.repetition_time, scale
    )
    named = _name_volumes(regions)
    notes += scale_notes
    if missing := [region.label for region, row in zip(named, regions, strict=True) if row is None]:
        notes += (f"volume without a name: {shorten(missing)}",)
    if extra := [region.label for region in named[len(columns) :]]:
        notes += (f"name without a volume: label {shorten(extra)}",)
    empty = np.empty(0, np.int32), np.empty(0)
    probabilities += [empty] * (len(named) - len(columns))
    maps = stack_columns(probabilities, read.grid.size)
    notes += check_map_sides(read.grid, maps, named)
    return ProbabilityAtlas(name, read.grid, maps, named, notes, sources, scale)


def _name_volumes(regions: tuple[Region | None, ...]) -> tuple[Region, ...]:
    """Give volumes that no row names the first numbers that no row has."""
    taken = {region.label for region in regions if region is not None}
    free = (number for number in count(0 if 0 in taken else 1) if number not in taken)
    known = [region or Region(next(free), "") for region in regions]
    return tuple(replace(region, name=region.name or f"label {region.label}") for region in known)


# Read an atlas and the table of its region names.


def load_atlas(
    image: PathInput | SpatialImage,
    labels: PathInput | None = None,
    progress: Progress | None = None,
    scale: Scale | None = None,
    space: str | None = None,
) -> Atlas:
    """Read an atlas, labelled or of probabilities, and the table of its region names.

    Parameters
    ----------
    image : path, URL, nibabel image, or name
        A 3D image of labels: whole numbers, 0 is outside the atlas. A 4D image, or a folder of 3D
        images: a map of probabilities for every region, from 0 to 1 or in percent; that of a
        single region may be a 3D image, from 0 to 1. A folder with one image stands for that
        image. A name such as ``nilearn:schaefer_400`` is one of `published.LIBRARY`,
        downloaded on first use; one such as ``harvard-oxford`` of `installed.INSTALLED`.
    labels : path or URL, optional
        Table of the regions in any of the formats of `formats.FORMATS`. By default the one
        that lies beside the image and is named after it; see `find_label_table`.
    progress : callable, optional
        Called with (maps done, maps in all) of an atlas of probabilities; what it raises ends
        the reading.
    scale : {"fraction", "percent"}, optional
        Of probabilities: from 0 to 1, or to 100. By default the largest value tells; where it
        lies between, as of t values, the image is refused. Where it is stated, an image of one
        volume without a table of several regions is the map of a single one.
    space : str, optional
        The space that it lies in, such as ``MNI152NLin6Asym``; by default what its file states,
        or its authors.

    Returns
    -------
    Atlas

    Raises
    ------
    InputError
        Where image or table cannot be used.

    Examples
    --------
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> atlas.region_at([0, 0, 200])
    'outside the atlas'
    """
    if scale is not None:
        check_choice("scale", scale, get_args(Scale))
    atlas = _with_levels(_load(image, labels, scale, progress))
    return atlas if space is None else atlas.replaced(grid=in_space(atlas.grid, space))


def _with_levels(atlas: Atlas) -> Atlas:
    """The atlas with all that its files and the facts tell of its regions' names."""
    images = [as_path(file) for file in atlas.sources if has_image_ending(file)]
    path = find_hierarchy(images[0]) if images else None
    read = read_hierarchy(path, atlas.regions) if path is not None else None
    sources = dict(atlas.sources)
    beside: dict[int, dict[str, str]] = {}
    name = ""
    if read is not None:
        table, beside = read
        name = table.path.name
        sources[str(table.path)] = table.sha256
    regions, notes = complete_levels(atlas.regions, beside, name)
    return atlas.replaced(regions=regions, notes=atlas.notes + notes, sources=sources)


def _load(
    image: PathInput | SpatialImage,
    labels: PathInput | None,
    scale: Scale | None,
    progress: Progress | None,
) -> Atlas:
    if isinstance(image, str) and is_library_name(image):
        return _of_library(image, labels, _Reading(scale=scale, progress=progress))
    if isinstance(image, str) and (entry := installed_atlas(image)) is not None:
        return _of_package(entry, labels, _Reading(scale=scale, progress=progress))
    source = image if isinstance(image, SpatialImage) else as_path(image)
    given = read_label_table(as_path(labels)) if labels is not None else None
    how = _Reading(given, scale=scale, progress=progress)
    if not isinstance(source, SpatialImage) and source.is_dir():
        return _of_folder(source, how)
    file = source.get_filename() if isinstance(source, SpatialImage) else source
    try:
        return _of_image(source, how.with_table_beside(as_path(file) if file else None))
    except MissingFile as fault:
        raise _with_names(fault, image) from fault


def label_regions(source: AnyPath | SpatialImage, labels: PathInput | None) -> Atlas:
    """The same of an image that is known to hold labels, whatever its values look like."""
    table = read_label_table(as_path(labels)) if labels is not None else None
    file = source.get_filename() if isinstance(source, SpatialImage) else source
    how = _Reading(table, is_labels=True).with_table_beside(as_path(file) if file else None)
    return _labelled(source, how)


def atlas_of(stored: RawImage) -> Atlas:
    """The atlas in an image that was read already, its regions called by their number."""
    return _of_image(stored, _Reading())


def _of_image(source: _Source, how: _Reading) -> Atlas:
    # A scale that was stated makes one volume the map of a region, unless a table names several.
    is_one = how.scale is not None and (how.table is None or len(how.table.regions) == 1)
    if is_one or count_volumes(source) > 1:
        return _volumes_atlas(source, how)
    try:
        return _labelled(source, how)
    except NotWhole as fault:
        if fault.largest > 1 + NOISE:
            raise
        return _volumes_atlas(source, how)  # the map of a single region


def _of_library(name: str, labels: PathInput | None, how: _Reading) -> Atlas:
    entry, image, table = fetch_atlas(name)
    table = read_label_table(as_path(labels)) if labels is not None else table
    atlas = _of_image(image, replace(how, table=table))
    # What nilearn changed in memory, and its list of names, have no checksum.
    sources = {file: sha256 for file, sha256 in atlas.sources.items() if sha256}
    sources = sources or {entry.name: ""}
    grid = replace(atlas.grid, space=entry.stated_space)
    notes = atlas.notes + entry.notes
    return atlas.replaced(name=entry.name, grid=grid, notes=notes, sources=sources)


def _of_package(entry: Installed, labels: PathInput | None, how: _Reading) -> Atlas:
    image, own = entry.files
    table = read_label_table(as_path(labels) if labels is not None else own)
    atlas = _of_image(image, replace(how, table=table))
    grid = replace(atlas.grid, space=entry.stated_space)
    return atlas.replaced(name=entry.full_name, grid=grid, notes=(*atlas.notes, entry.credit))


def _of_folder(folder: AnyPath, how: _Reading) -> Atlas:
    images = maps_in(folder)
    if not images:
        raise _without_image(folder)
    if how.table is None:
        _check_is_one(folder, images)
    how = how.with_table_beside(folder)
    if len(images) > 1:
        return _folder_atlas(folder, images, how)
    return _of_image(images[0], how.with_table_beside(images[0]))


def _labelled(source: _Source, how: _Reading) -> LabelAtlas:
    data, grid, stored, notes = read_labels(source)
    path, table = stored.path, how.table
    if not data.any():
        raise InputError(path, "atlas is empty: no voxel has a label")
    sources = {str(path): stored.sha256}
    present = set(np.unique(data).tolist()) - {0}
    if table is None:
        if len(present) == 1:
            problem = "holds a single label and has no label table: it is a mask, not an atlas"
            if how.unread is not None:
                problem = f"holds a single label, and {unread_note(how.unread)}"
            remedy = "give an atlas; where one region is meant, give its label table with --labels"
            raise InputError(path, problem, remedy)
        if not how.is_labels:
            check_parcels(path, data, grid)
        regions: tuple[Region, ...] = ()
        notes += (how.without_table("by their number"),)
    else:
        sources[str(table.path)] = table.sha256
        regions, reading_notes = table.for_labels(present)
        named = {region.label for region in regions}
        fit = _check_fit(table.path, len(present), len(named), len(present & named))
        notes = fit + notes + table.notes + reading_notes
        if missing := sorted(present - named):
            notes += (f"label without a name: {shorten(missing)}",)
        if empty := sorted(named - present):
            notes += (f"region without voxels: label {shorten(empty)}",)
        notes += check_sides(grid, data, regions)
    all_regions = {label: Region(label, "") for label in present}
    all_regions |= {region.label: region for region in regions}
    named_regions = tuple(
        replace(region, name=region.name or f"label {label}")
        for label, region in sorted(all_regions.items())
    )
    return LabelAtlas(strip_ending(path.name), grid, data, named_regions, notes, sources)
