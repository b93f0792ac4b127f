"""Atlases in a folder: images, the label tables that belong to them, the list of both."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

from ..core.errors import InputError
from ..files.listing import list_images, strip_ending
from ..files.paths import AnyPath, PathInput, UrlPath, as_path, path_below
from ..files.reading import read_text
from ..images.nifti import Header
from ..images.reading import read_header
from ..images.space import space_of
from .formats import has_table_ending
from .published import LIBRARY, probable_credit
from .tables import is_label_table, read_label_table

# Arbitrary, but for what FSL, BIDS and FreeSurfer put into names; it grew with the atlases that
# were tried. A word too many here lets one table fit two atlases; one too few, no atlas of its own.
_GENERIC = {
    *("", "atlas", "atlases", "map", "maps", "prob", "dseg", "mask", "lesion", "nii", "gz"),
    *("label", "labels", "lut", "name", "names", "table", "region", "regions", "1mm", "2mm"),
}
"""Words in a file's name that do not tell one atlas from another."""


@overload
def find_label_table(image: Path) -> Path | None: ...
@overload
def find_label_table(image: UrlPath) -> UrlPath | None: ...
def find_label_table(image: AnyPath) -> AnyPath | None:
    """The label table beside an atlas image that is named after it.

    Words such as "labels" or "2mm" aside, every word of the table's name is one of the image's:
    ``BN_Atlas_246_LUT.txt`` belongs to ``BN_Atlas_246_2mm.nii.gz``. A table of FSL's names its
    images, and may lie one folder above them. A file that is no label table is none, whatever its
    name.
    """
    if not image.parent.is_dir():
        return None
    return _choose(image, _tables_in(image.parent), _fsl_tables(image.parent))


@dataclass(frozen=True)
class _Table:
    """A file that may be a label table, and what its name says it belongs to."""

    path: AnyPath
    stem: str
    words: frozenset[str]

    @cached_property
    def is_read(self) -> bool:
        """Whether it can be read; asked of the file once, for all the images beside it."""
        return is_label_table(self.path)


def _choose(image: AnyPath, tables: list[_Table], fsl: Mapping[str, AnyPath]) -> AnyPath | None:
    stem, words = strip_ending(image.name).lower(), _words(image.name)
    same = [table for table in tables if table.stem == stem]
    alike = [table for table in tables if table.words and table.words <= words]
    ranked = same + sorted(alike, key=lambda table: -len(table.words))
    path = next((table.path for table in ranked if table.is_read), None)
    return path or fsl.get(_fsl_stem(image.name))


def _fsl_tables(folder: AnyPath, above: bool = True) -> dict[str, AnyPath]:
    """Tables of FSL's in a folder or the one above, by what their images are called."""
    if not isinstance(folder, Path):
        return {}
    tables: dict[str, AnyPath] = {}
    for table in [*(folder.parent.glob("*.xml") if above else ()), *folder.glob("*.xml")]:
        with suppress(InputError):
            images = re.findall(r"<(?:summary)?imagefile>([^<]+)<", read_text(table)[0])
            if images and is_label_table(table):
                tables |= {_fsl_stem(image.strip().rpartition("/")[2]): table for image in images}
    return tables


def _fsl_stem(name: str) -> str:
    """Images of one atlas of FSL's differ in resolution and threshold only."""
    return re.sub(r"-(thr\d+|\d(\.\d)?mm)", "", strip_ending(name).lower())


def find_folder_table(folder: AnyPath) -> AnyPath | None:
    """The label table in a folder of maps: the one that is named after it, or the only one."""
    tables = [table for table in _tables_in(folder) if table.is_read]
    named = [table.path for table in tables if table.words <= _words(folder.name)]
    return next(iter(named), tables[0].path if len(tables) == 1 else None)


def find_maps_table(folder: AnyPath, images: int | None = None) -> AnyPath | None:
    """The label table that makes a folder of maps an atlas: named after it, with a row a map.

    A folder of masks may hold a table of something else; its name or its rows tell. The number of
    images is counted where it is not given.
    """
    count = len(maps_in(folder)) if images is None else images
    table = find_folder_table(folder) if count > 1 else None
    if table is None or not _words(table.name) <= _words(folder.name):
        return None
    return table if len(read_label_table(table).rows) == count else None


def maps_in(folder: AnyPath) -> tuple[AnyPath, ...]:
    """The images of a folder, without those of its subfolders."""
    return tuple(image for image in list_images(folder).images if image.parent == folder)


def _tables_in(folder: AnyPath) -> list[_Table]:
    paths: list[AnyPath] = list(folder.iterdir())
    return [
        _Table(path, strip_ending(path.stem).lower(), _words(path.name))
        for path in sorted(paths, key=lambda path: path.name)
        if has_table_ending(path) and "participants" not in path.name
    ]


def atlases_in(
    folder: AnyPath, images: Sequence[AnyPath], above: bool = True
) -> list[tuple[AnyPath, AnyPath]]:
    """The atlases among the images of one folder, each with its label table.

    An image has a table that is named after it. A folder of maps has one table for all of them,
    with a row for each; then the folder stands in place of the image. Tables of FSL's are looked
    for in the folder above, where that may be read.
    """
    tables = _tables_in(folder)
    fsl = _fsl_tables(folder, above)
    chosen = [(image, _choose(image, tables, fsl)) for image in images]
    pairs = [(image, table) for image, table in chosen if table is not None]
    whole = find_maps_table(folder, len(images)) if not pairs else None
    return [(folder, whole)] if whole is not None else pairs


def find_atlases(folder: PathInput) -> dict[str, tuple[AnyPath, AnyPath]]:
    """Atlases below a folder that have a label table: name to the paths of image and table.

    A folder of maps stands in place of an image; see `atlases_in` and `name_atlases`.
    """
    root = as_path(folder)
    images: dict[AnyPath, list[AnyPath]] = {}
    for image in list_images(root).images:
        images.setdefault(image.parent, []).append(image)
    pairs = [pair for parent, own in images.items() for pair in atlases_in(parent, own)]
    names = name_atlases([place for place, _ in pairs], root)
    return dict(zip(names, pairs, strict=True))


def name_atlases(places: Sequence[AnyPath], root: AnyPath) -> list[str]:
    """A name of its own for each atlas: its file's, or where these repeat its path below the root.

    The ending is dropped, except where two atlases of one folder differ in nothing else.
    """
    below = [path_below(place, root) for place in places]
    spellings = [[strip_ending(place.name) for place in places], [*map(strip_ending, below)], below]
    times = [Counter(names) for names in spellings]
    return [
        next(name for name, counted in zip(own, times, strict=True) if counted[name] == 1)
        for own in zip(*spellings, strict=True)
    ]


def _words(name: str) -> frozenset[str]:
    words = re.split(r"[^a-z0-9]+", strip_ending(Path(name).stem if "." in name else name).lower())
    return frozenset(words) - _GENERIC


# The atlases there are: in a folder, and in the library of published ones.


_ASK = "citation and licence: see the authors"


@dataclass(frozen=True)
class Listed:
    """What is known of an atlas before it is read.

    Parameters
    ----------
    name : str
    kind : str
        ``labels``, ``probabilities``, or ``unreadable``.
    space : str
        As the image or its authors state it.
    regions : int or None
        Rows of the label table, without the background.
    place : str
        Path of the image or the folder of maps; empty where it is not on this computer.
    credit : str
        Citation and licence; for a file that looks like a well-known atlas what is probably to be
        cited; or why the atlas cannot be read.
    """

    name: str
    kind: str
    space: str
    regions: int | None
    place: str
    credit: str


def list_atlases(folder: PathInput | None = None) -> tuple[Listed, ...]:
    """List the atlases of a folder, or the published ones that have a name.

    Nothing is downloaded, and no voxel is read.

    Examples
    --------
    >>> [(listed.name, listed.kind, listed.regions) for listed in list_atlases("sample_data/atlas")]
    [('synthetic_atlas', 'labels', 62)]
    """
    if folder is not None:
        return tuple(_listed(name, *files) for name, files in find_atlases(folder).items())
    return tuple(
        Listed(
            *(entry.name, entry.kind, entry.space, entry.regions),
            *("nilearn's cache" if entry.on_disk else "", entry.credit),
        )
        for entry in LIBRARY.values()
    )


def _space_words(header: Header) -> str:
    """The standard space that an image states."""
    stated = None if header.grid is None else space_of(header.grid)
    return stated.name if stated is not None and stated.kind == "template" else "not stated"


def _listed(name: str, place: AnyPath, table: AnyPath) -> Listed:
    try:
        rows = read_label_table(table)
        credit = probable_credit(place.name, (row.name for row in rows.rows)) or _ASK
        if place.is_dir():
            return Listed(name, "probabilities", "", len(rows.rows), str(place), credit)
        header = read_header(place)
        several = header.volumes > 1
        kind = "probabilities" if several else "labels"
        regions = header.volumes if several else len(rows.regions)
        space = _space_words(header)
        return Listed(name, kind, space, regions, str(place), credit)
    except InputError as error:
        return Listed(name, "unreadable", "", None, str(place), error.reason)
