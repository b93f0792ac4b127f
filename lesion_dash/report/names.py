"""What folders and files are called in a report: by names that hold on any computer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from ..atlas import Atlas
from ..atlas_library import is_library_name
from ..cohort import Cohort
from ..cohort.participants import FILE_NAMES as PARTICIPANTS_NAMES
from ..files import AnyPath, has_image_ending


def folder_names(cohorts: Sequence[Cohort]) -> tuple[str, ...]:
    """A name for the folder of each cohort: as short as tells them apart.

    A URL is called by its whole address, without passwords.
    """
    places = [cohort.folder.resolve() for cohort in cohorts]
    depth = 1
    while len({_tail(place, depth) for place in places}) < len(set(places)):
        depth += 1
    return tuple(_tail(place, depth) for place in places)


def _tail(place: AnyPath, depth: int) -> str:
    """The last parts of a path."""
    if not isinstance(place, Path):
        return str(place)
    return "/".join(place.parts[1:][-depth:]) or "."


def file_name(path: str) -> str:
    """The name of a file without its folders; a name of the library as it is.

    Examples
    --------
    >>> file_name("/data/atlases/AAL.nii.gz"), file_name("nilearn:aal")
    ('AAL.nii.gz', 'nilearn:aal')
    """
    return PurePath(path).name


def atlas_files(atlas: Atlas) -> tuple[str, ...]:
    """Image and label table of an atlas as they are given to `load_atlas`, by their names."""
    if is_library_name(atlas.name):
        return (atlas.name,)
    names = [file_name(path) for path in atlas.sources]
    images = [name for name in names if has_image_ending(name)]
    tables = [name for name in names if not has_image_ending(name)]
    if not images:
        return (atlas.name,)
    return (images[0] if len(images) == 1 else atlas.name, *tables)


def table_to_name(cohorts: Sequence[Cohort]) -> AnyPath | None:
    """A participants table that must be named, as it does not lie where it is looked for."""
    for cohort in cohorts:
        table, folder = cohort.participants, cohort.folder.resolve()
        if table is None:
            continue
        places = (place / name for place in (folder, folder.parent) for name in PARTICIPANTS_NAMES)
        found = next((place for place in places if place.is_file()), None)
        if found is None or found.resolve() != table.path.resolve():
            return table.path
    return None


def without_folders(text: str, cohorts: Sequence[Cohort]) -> str:
    """A sentence in which the folders of the cohorts are called by their names."""
    for cohort, name in zip(cohorts, folder_names(cohorts), strict=True):
        for place in (str(cohort.folder.resolve()), str(cohort.folder)):
            if "/" in place or "\\" in place:
                pattern = rf"(?<![\w/\\]){re.escape(place)}(?!\w)"
                text = name.join(re.split(pattern, text))
    return text
