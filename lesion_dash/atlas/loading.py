"""Read an atlas and the table of its region names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..atlas_library import Fetched, fetch_atlas, is_library_name
from ..errors import InputError, MissingFile
from ..files import AnyPath, PathInput, as_path, strip_ending
from ..images import NotWhole, Progress, SpatialImage, Stored, count_volumes, read_labels
from ..label_tables import LabelTable, Region, read_label_table
from .finding import find_folder_table, find_label_table, maps_in
from .fit import check_fit, check_is_atlas
from .labelled import LabelAtlas
from .missing import check_is_one, with_names, without_image
from .probabilities import ProbabilityAtlas
from .sides import check_sides, shorten
from .volumes import folder_atlas, volumes_atlas


def load_atlas(
    image: PathInput | SpatialImage,
    labels: PathInput | None = None,
    progress: Progress | None = None,
) -> LabelAtlas | ProbabilityAtlas:
    """Read an atlas, labelled or of probabilities, and the table of its region names.

    Parameters
    ----------
    image : path, URL, nibabel image, or name
        A 3D image of labels: whole numbers, 0 is outside the atlas. A 4D image, or a folder of 3D
        images: a map of probabilities for every region, from 0 to 1 or in percent; that of a
        single region may be a 3D image, from 0 to 1. A folder with one image stands for that
        image. A name such as ``nilearn:schaefer_400`` is one of `atlas_library.LIBRARY`,
        downloaded on first use.
    labels : path or URL, optional
        Table of the regions in any of the formats of `label_tables.PARSERS`. By default the one
        that lies beside the image and is named after it; see `find_label_table`.
    progress : callable, optional
        Called with (maps done, maps in all) of an atlas of probabilities; what it raises ends
        the reading.

    Returns
    -------
    LabelAtlas or ProbabilityAtlas

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
        return _of_library(fetch_atlas(image), labels, progress)
    source = image if isinstance(image, SpatialImage) else as_path(image)
    if not isinstance(source, SpatialImage) and source.is_dir():
        return _of_folder(source, labels, progress)
    path = as_path(labels) if labels is not None else _table_beside(source)
    table = read_label_table(path) if path is not None else None
    try:
        return _of_image(source, table, progress)
    except MissingFile as fault:
        raise with_names(fault, image) from fault


def atlas_of(stored: Stored) -> LabelAtlas | ProbabilityAtlas:
    """The atlas in an image that was read already, its regions called by their number."""
    return _of_image(stored, None, None)


def _of_image(
    source: AnyPath | SpatialImage | Stored, table: LabelTable | None, progress: Progress | None
) -> LabelAtlas | ProbabilityAtlas:
    if count_volumes(source) > 1:
        return volumes_atlas(source, table, progress)
    try:
        return _labelled(source, table)
    except NotWhole as fault:
        if fault.largest > 1:
            raise
        return volumes_atlas(source, table, progress)  # the map of a single region


def _of_library(
    fetched: Fetched, labels: PathInput | None, progress: Progress | None
) -> LabelAtlas | ProbabilityAtlas:
    table = read_label_table(as_path(labels)) if labels is not None else fetched.table
    atlas = _of_image(fetched.image, table, progress)
    # What nilearn changed in memory, and its list of names, have no checksum.
    sources = {file: sha256 for file, sha256 in atlas.sources.items() if sha256}
    sources = sources or {fetched.entry.name: ""}
    notes = atlas.notes + fetched.entry.notes
    return replace(atlas, name=fetched.entry.name, notes=notes, sources=sources)


def _of_folder(
    folder: AnyPath, labels: PathInput | None, progress: Progress | None
) -> LabelAtlas | ProbabilityAtlas:
    images = maps_in(folder)
    if not images:
        raise without_image(folder)
    if labels is None:
        check_is_one(folder, images)
    path = as_path(labels) if labels is not None else find_folder_table(folder)
    table = read_label_table(path) if path is not None else None
    if len(images) == 1:
        return _of_image(images[0], table, progress)
    return folder_atlas(folder, images, table, progress)


def _table_beside(source: AnyPath | SpatialImage) -> AnyPath | None:
    if not isinstance(source, SpatialImage):
        return find_label_table(source)
    file = source.get_filename()
    return find_label_table(as_path(file)) if file else None


def _labelled(source: AnyPath | SpatialImage | Stored, table: LabelTable | None) -> LabelAtlas:
    data, grid, stored, notes = read_labels(source)
    path = stored.path
    if not data.any():
        raise InputError(path, "atlas is empty: no voxel has a label")
    sources = {str(path): stored.sha256}
    present = set(np.unique(data).tolist()) - {0}
    if table is None:
        check_is_atlas(path, len(present))
        regions: tuple[Region, ...] = ()
        notes += ("no label table found: regions are called by their number",)
    else:
        sources[str(table.path)] = table.sha256
        regions, said = table.for_labels(present)
        named = {region.label for region in regions}
        fit = check_fit(table.path, len(present), len(named), len(present & named))
        notes = fit + notes + table.notes + said + _compare(present, regions)
        notes += check_sides(grid, data, regions)
    whole = _name_all(present, regions)
    return LabelAtlas(strip_ending(path.name), grid, data, whole, notes, sources)


def _compare(present: set[int], regions: tuple[Region, ...]) -> tuple[str, ...]:
    named = {region.label for region in regions}
    notes = []
    if missing := sorted(present - named):
        notes.append(f"label without a name: {shorten(missing)}")
    if empty := sorted(named - present):
        notes.append(f"region without voxels: label {shorten(empty)}")
    return tuple(notes)


def _name_all(present: set[int], regions: tuple[Region, ...]) -> tuple[Region, ...]:
    named = {region.label: region for region in regions}
    for label in present - set(named):
        named[label] = Region(label, f"label {label}")
    whole = [
        replace(region, name=region.name or f"label {label}") for label, region in named.items()
    ]
    return tuple(sorted(whole, key=lambda region: region.label))
