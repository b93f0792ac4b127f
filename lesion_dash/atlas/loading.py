"""Read an atlas and the table of its region names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..files import PathInput, as_path, strip_ending
from ..images import SpatialImage, read_labels
from ..label_tables import Region, read_label_table
from .finding import find_label_table
from .labelled import LabelAtlas
from .sides import check_sides, shorten


def load_atlas(image: PathInput | SpatialImage, labels: PathInput | None = None) -> LabelAtlas:
    """Read a labelled atlas and the table of its region names.

    Parameters
    ----------
    image : path, URL or nibabel image
        Whole numbers; 0 is outside the atlas.
    labels : path or URL, optional
        CSV or TSV with columns for index and name, or a FreeSurfer colour table. By default the
        table that lies beside the image and is named after it; see `find_label_table`.

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
    source = image if isinstance(image, SpatialImage) else as_path(image)
    data, grid, stored, notes = read_labels(source)
    path = stored.path
    if not data.any():
        raise InputError(path, "atlas is empty: no voxel has a label")
    sources = {str(path): stored.sha256}
    table_path = as_path(labels) if labels is not None else find_label_table(path)
    present = set(np.unique(data).tolist()) - {0}
    if table_path is None:
        regions: tuple[Region, ...] = ()
        notes += ("no label table found: regions are called by their number",)
    else:
        table = read_label_table(table_path)
        sources[str(table_path)] = table.sha256
        regions, notes = table.regions, notes + table.notes + _compare(present, table.regions)
        notes += check_sides(grid, data, regions)
    named = _name_all(present, regions)
    return LabelAtlas(strip_ending(path.name), grid, data, named, notes, sources)


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
