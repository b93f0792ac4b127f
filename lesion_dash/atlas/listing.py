"""The atlases there are: in a folder, and in the library of published ones."""

from __future__ import annotations

from dataclasses import dataclass

from ..atlas_library import LIBRARY, probable_credit
from ..errors import InputError
from ..files import AnyPath, PathInput
from ..images import count_volumes, read_header
from ..label_tables import read_label_table
from .finding import find_atlases

_SPACES = {3: "Talairach", 4: "MNI152", 5: "a template"}
"""NIfTI form codes of a standard space."""

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
        Rows of the label table, background left out.
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
    >>> [(one.name, one.kind, one.regions) for one in list_atlases("sample_data/atlas")]
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


def _listed(name: str, place: AnyPath, table: AnyPath) -> Listed:
    try:
        rows = read_label_table(table)
        credit = probable_credit(place.name, (row.name for row in rows.rows)) or _ASK
        if place.is_dir():
            return Listed(name, "probabilities", "", len(rows.rows), str(place), credit)
        volumes = count_volumes(place)
        kind = "probabilities" if volumes > 1 else "labels"
        regions = volumes if volumes > 1 else len(rows.regions)
        space = _SPACES.get(read_header(place).code, "not stated")
        return Listed(name, kind, space, regions, str(place), credit)
    except InputError as error:
        return Listed(name, "unreadable", "", None, str(place), error.reason)
