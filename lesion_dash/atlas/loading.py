"""Read an atlas, and check that table, image and sides belong together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError, MissingFile
from ..core.grid import is_near
from ..files.listing import strip_ending
from ..files.paths import AnyPath, PathInput, as_path
from ..images.maps import NotWhole, read_labels
from ..images.nifti import SpatialImage
from ..images.reading import Progress, RawImage
from ..images.series import Volumes, count_volumes, read_volumes
from .atlas import Atlas, LabelAtlas, ProbabilityAtlas, stack_columns
from .finding import atlases_in, find_atlases, find_folder_table, find_label_table, maps_in
from .formats import Region
from .grouping import check_map_sides, check_sides, shorten
from .published import alike_names, fetch_atlas, is_library_name
from .tables import LabelTable, read_label_table


def _with_names(fault: MissingFile, given: object) -> MissingFile:
    """The same fault, with the names of published atlases that what was given may stand for."""
    alike = alike_names(str(given))
    if not alike:
        return fault
    remedy = f"did you mean {' or '.join(alike)}? `lesion-dash atlases` lists the names"
    return MissingFile(given, fault.problem, remedy)


def _without_image(folder: AnyPath) -> InputError:
    """Why a folder is no atlas, and which atlases lie deeper."""
    below = [place for place, _ in find_atlases(folder).values()]
    if not below:
        return InputError(folder, "holds no image", "give an atlas image or a folder of maps")
    atlases = "1 atlas lies" if len(below) == 1 else f"{len(below)} atlases lie"
    problem = f"holds no image itself, but {atlases} in its subfolders"
    return InputError(folder, problem, _choose_one(folder, below[0]))


def _check_is_one(folder: AnyPath, images: Sequence[AnyPath]) -> None:
    """Refuse a folder of several atlases, each with a table of its own, as the maps of one."""
    pairs = atlases_in(folder, images) if len(images) > 1 else []
    if len({table for _, table in pairs}) > 1:
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


def _check_fit(table: AnyPath, labels: int, rows: int, both: int) -> tuple[str, ...]:
    """Compare how many labels an image has with how many a table names, and both have.

    The same holds for a table that was given and for one that was found beside the image: names
    that belong to another atlas are no better for having been found.
    """
    if both < _MIN_NAMED * labels:
        problem = f"names {both:,} of the image's {labels:,} labels: it is another atlas's table"
        remedy = "give the table of this atlas with --labels, or move this one out of the folder"
        raise InputError(table, problem, remedy)
    differences = []
    if both < _SURE * labels:
        differences.append(f"the table names {both:,} of the image's {labels:,} labels")
    if both < _SURE * rows:
        differences.append(f"the image has {both:,} of the table's {rows:,} labels")
    return (f"{' and '.join(differences)}: {_QUESTION}",) if differences else ()


# Whether maps hold probabilities from 0 to 1 or percent.


NOISE = 1e-3
"""Part of the whole scale by which an interpolation may miss its ends; arbitrary."""

_MAX_PERCENT = 200.0
"""That all regions may add up to at a voxel, on average: atlases of overlapping parts exist.

Arbitrary: anatomical atlases add up to about 100, time series of values to 100 to thousands.
"""

Column = tuple[NDArray[np.int32], NDArray]
"""Positions of the voxels of a map that are not zero, and the values there."""


def to_probabilities(
    path: AnyPath, columns: Sequence[Column], dtype: np.dtype, repetition_time: float = 0.0
) -> tuple[list[tuple[NDArray[np.int32], NDArray[np.float64]]], tuple[str, ...]]:
    """Bring the values of all maps of an atlas to probabilities from 0 to 1.

    The largest value of all maps tells the scale: up to 1 they are probabilities, up to 100
    percent. Values that miss 0 or the top by less than a thousandth of the scale, as after an
    interpolation, are set to it.

    Parameters
    ----------
    path : Path or UrlPath
        For messages.
    columns : sequence of (array of int32, array)
    dtype : numpy.dtype
        In which the file stores its values.
    repetition_time : float
        See `Header`; atlases may have one, too.

    Returns
    -------
    columns : list of (array of int32, array of float64)
    notes : tuple of str
        The scale that was found, and what was set.

    Raises
    ------
    InputError
        Where the values are neither.
    """
    largest = max((float(values.max(initial=0)) for _, values in columns), default=0.0)
    lowest = min((float(values.min(initial=0)) for _, values in columns), default=0.0)
    scale = check_scale(path, len(columns), dtype, lowest, largest)
    if scale != 1 and repetition_time > 0:
        _check_no_series(path, columns)
    meaning = "probabilities from 0 to 1" if scale == 1 else "percent"
    notes: tuple[str, ...] = (f"values up to {largest:g} taken as {meaning}",)
    below = sum(int((values < 0).sum()) for _, values in columns)
    if below:
        notes += (f"tiny negative values treated as 0 in {below:,} places",)
    scaled = []
    for indices, values in columns:
        is_above = values > 0
        probabilities = np.minimum(values[is_above].astype(np.float64) / scale, 1.0)
        scaled.append((indices[is_above], probabilities))
    return scaled, notes


def check_scale(path: AnyPath, count: int, dtype: np.dtype, lowest: float, largest: float) -> float:
    """What stands for a probability of 1 in maps whose values end there: 1, or 100 for percent.

    Raises
    ------
    InputError
        Where these are no ends of probabilities.
    """
    if largest <= 0:
        raise InputError(path, "atlas is empty: no voxel has a probability above 0")
    scale = 1.0 if largest <= 1 + NOISE else 100.0
    if count in (3, 4) and dtype == np.uint8 and largest > 100:
        problem = f"colour picture (RGB): {count} volumes of whole numbers up to {largest:g}"
        raise InputError(path, problem, "give the image of labels or the maps of probabilities")
    remedy = "probabilities from 0 to 1 or percent are expected"
    if largest > scale * (1 + NOISE):
        problem = f"not a probabilistic atlas: {count} volumes with values up to {largest:g}"
        raise InputError(path, problem, f"{remedy}; a time series or a statistic is not an atlas")
    if lowest < -scale * NOISE:
        raise InputError(path, f"not a probabilistic atlas: negative value {lowest:g}", remedy)
    return scale


def _check_no_series(path: AnyPath, columns: Sequence[Column]) -> None:
    """Refuse a time series of values up to 100, which only looks like percent.

    The percent of all regions add up to about 100 at a voxel, however many regions there are.
    """
    covered = np.zeros(1 + max(int(indices.max(initial=0)) for indices, _ in columns), bool)
    for indices, _ in columns:
        covered[indices] = True
    whole = sum(float(values.sum(dtype=np.float64)) for _, values in columns)
    mean = whole / np.count_nonzero(covered)
    if mean > _MAX_PERCENT:
        problem = f"looks like a time series: {len(columns)} volumes with a repetition time, and "
        problem += f"the values at a voxel add up to {mean:,.0f} on average"
        remedy = "give maps of probabilities; if these are percent, set the header's repetition "
        raise InputError(path, problem, f"{remedy}time (pixdim[4]) to 0")


def _check_one_scale(paths: Sequence[AnyPath], columns: Sequence[Column]) -> None:
    """Refuse maps of a folder of which some hold percent and others probabilities from 0 to 1.

    The first map that is unlike the one with the largest value is named; empty maps are like all.
    """
    tops = [float(values.max(initial=0)) for _, values in columns]
    highest = int(np.argmax(tops))
    low = [number for number, top in enumerate(tops) if 0 < top <= 1 + NOISE]
    if low and tops[highest] > 1 + NOISE:
        problem = f"values up to {tops[low[0]]:g}, while those of {paths[highest].name} go up to "
        remedy = "bring all maps of an atlas to one scale, from 0 to 1 or percent"
        raise InputError(paths[low[0]], f"{problem}{tops[highest]:g}", remedy)


# Read probabilistic atlases: a 4D image, or a folder of maps.


def _volumes_atlas(
    source: AnyPath | SpatialImage | RawImage,
    table: LabelTable | None,
    progress: Progress | None = None,
) -> ProbabilityAtlas:
    """Read a 4D image with a map of probabilities for every region."""
    read = read_volumes(source, progress)
    sources = {str(read.path): read.sha256}
    if table is None:
        numbers = range(1, len(read.columns) + 1)
        regions: tuple[Region | None, ...] = tuple(Region(n, f"label {n}") for n in numbers)
        notes: tuple[str, ...] = ("no label table found: regions are named by their number",)
    else:
        regions, notes = table.for_volumes(len(read.columns))
        notes = _check_volumes(table, regions, len(read.columns)) + notes + table.notes
        sources[str(table.path)] = table.sha256
    name = strip_ending(read.path.name)
    return _make(name, read, read.columns, regions, read.notes + notes, sources)


def _folder_atlas(
    folder: AnyPath,
    images: Sequence[AnyPath],
    table: LabelTable | None,
    progress: Progress | None = None,
) -> ProbabilityAtlas:
    """Read a folder that holds a map of probabilities for every region.

    Maps are in the order of their file names, in which numbers count as numbers. Their names are
    those of the files, or of the table's rows: by name where a file is called as a row is, else
    in order.
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
    sources = {str(read.path): read.sha256 for read in maps}
    if table is not None:
        sources[str(table.path)] = table.sha256
        notes = _check_volumes(table, regions, len(maps)) + notes + table.notes
    columns = [read.columns[0] for read in maps]
    _check_one_scale(files, columns)
    notes = _map_notes(maps) + notes
    return _make(folder.name, first, columns, regions, notes, sources)


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
    names: list[str], table: LabelTable | None
) -> tuple[tuple[Region | None, ...], tuple[str, ...]]:
    """The region of each file, in order, then the rows of the table that no file belongs to."""
    if table is None:
        note = "no label table found: regions are named after their files"
        return tuple(Region(n, name) for n, name in enumerate(names, start=1)), (note,)
    rows = {row.name.casefold(): row for row in table.rows}
    regions = [rows.pop(name.casefold(), None) for name in names]
    if any(regions):
        return (*regions, *rows.values()), ()
    return table.for_volumes(len(names))


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
) -> ProbabilityAtlas:
    """Put maps and names together; a row of the table without a volume has an empty map."""
    probabilities, scale_notes = to_probabilities(
        read.path, columns, read.dtype, read.repetition_time
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
    return ProbabilityAtlas(name, read.grid, maps, named, notes, sources)


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
) -> Atlas:
    """Read an atlas, labelled or of probabilities, and the table of its region names.

    Parameters
    ----------
    image : path, URL, nibabel image, or name
        A 3D image of labels: whole numbers, 0 is outside the atlas. A 4D image, or a folder of 3D
        images: a map of probabilities for every region, from 0 to 1 or in percent; that of a
        single region may be a 3D image, from 0 to 1. A folder with one image stands for that
        image. A name such as ``nilearn:schaefer_400`` is one of `published.LIBRARY`,
        downloaded on first use.
    labels : path or URL, optional
        Table of the regions in any of the formats of `formats.FORMATS`. By default the one
        that lies beside the image and is named after it; see `find_label_table`.
    progress : callable, optional
        Called with (maps done, maps in all) of an atlas of probabilities; what it raises ends
        the reading.

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
    if isinstance(image, str) and is_library_name(image):
        return _of_library(image, labels, progress)
    source = image if isinstance(image, SpatialImage) else as_path(image)
    if not isinstance(source, SpatialImage) and source.is_dir():
        return _of_folder(source, labels, progress)
    path = as_path(labels) if labels is not None else _table_beside(source)
    table = read_label_table(path) if path is not None else None
    try:
        return _of_image(source, table, progress)
    except MissingFile as fault:
        raise _with_names(fault, image) from fault


def atlas_of(stored: RawImage) -> Atlas:
    """The atlas in an image that was read already, its regions called by their number."""
    return _of_image(stored, None, None)


def _of_image(
    source: AnyPath | SpatialImage | RawImage, table: LabelTable | None, progress: Progress | None
) -> Atlas:
    if count_volumes(source) > 1:
        return _volumes_atlas(source, table, progress)
    try:
        return _labelled(source, table)
    except NotWhole as fault:
        if fault.largest > 1:
            raise
        return _volumes_atlas(source, table, progress)  # the map of a single region


def _of_library(name: str, labels: PathInput | None, progress: Progress | None) -> Atlas:
    entry, image, table = fetch_atlas(name)
    table = read_label_table(as_path(labels)) if labels is not None else table
    atlas = _of_image(image, table, progress)
    # What nilearn changed in memory, and its list of names, have no checksum.
    sources = {file: sha256 for file, sha256 in atlas.sources.items() if sha256}
    sources = sources or {entry.name: ""}
    return atlas.replaced(name=entry.name, notes=atlas.notes + entry.notes, sources=sources)


def _of_folder(folder: AnyPath, labels: PathInput | None, progress: Progress | None) -> Atlas:
    images = maps_in(folder)
    if not images:
        raise _without_image(folder)
    if labels is None:
        _check_is_one(folder, images)
    path = as_path(labels) if labels is not None else find_folder_table(folder)
    table = read_label_table(path) if path is not None else None
    if len(images) == 1:
        return _of_image(images[0], table, progress)
    return _folder_atlas(folder, images, table, progress)


def _table_beside(source: AnyPath | SpatialImage) -> AnyPath | None:
    if not isinstance(source, SpatialImage):
        return find_label_table(source)
    file = source.get_filename()
    return find_label_table(as_path(file)) if file else None


def _labelled(source: AnyPath | SpatialImage | RawImage, table: LabelTable | None) -> LabelAtlas:
    data, grid, stored, notes = read_labels(source)
    path = stored.path
    if not data.any():
        raise InputError(path, "atlas is empty: no voxel has a label")
    sources = {str(path): stored.sha256}
    present = set(np.unique(data).tolist()) - {0}
    if table is None:
        if len(present) == 1:
            problem = "holds a single label and has no label table: it is a mask, not an atlas"
            remedy = "give an atlas; where one region is meant, give its label table with --labels"
            raise InputError(path, problem, remedy)
        regions: tuple[Region, ...] = ()
        notes += ("no label table found: regions are named by their number",)
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
