"""The one folder whose sub-folders can be chosen, by name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..atlas.finding import atlases_in, name_atlases
from ..atlas.formats import has_table_ending
from ..atlas.tables import read_label_table
from ..cohort.names import MAX_FINDINGS, read_names
from ..cohort.selection import FileChoice
from ..core.errors import InputError, LesionDashError
from ..files.listing import confine_to, has_image_ending, is_confined, strip_ending
from ..files.paths import sample_data
from .environment import RESULTS_VARIABLE, ROOT_VARIABLE

_DEPTH = 7  # study/derivatives/lesions/sub-01/ses-1/anat below a folder of studies
_MOST_FOLDERS = 2000
_MOST_ATLASES = 500  # images in a folder that may hold atlases; cohorts have more


@dataclass(frozen=True)
class DataRoot:
    """A folder whose sub-folders hold masks and atlases.

    Nothing outside it is read: a choice is a name from its own listing, never a path. Once this
    was made, no read of the process follows a link out of it, see `confine_to`.

    Parameters
    ----------
    path : Path
    file_choices : dict
        Filled as a user chooses.
    """

    path: Path
    file_choices: dict[str, FileChoice] = field(default_factory=dict, compare=False)
    """Which of a patient's files count, by folder, where that was chosen."""

    def __post_init__(self) -> None:
        confine_to(self.path)

    @cached_property
    def cohorts(self) -> dict[str, int]:
        """Names of the folders that hold masks, and the number of images in each.

        Functional series, and what lies beside a template, are not counted: they are no lesions.
        """
        counts = self._count(_count_masks, of_patients=True)
        return {name: count for name, count in counts.items() if count > 1}

    @cached_property
    def image_counts(self) -> dict[str, int]:
        """Names of the folders that hold any image, and the number of images in each."""
        return self._count(len)

    def _count(
        self, count: Callable[[list[str]], int], *, of_patients: bool = False
    ) -> dict[str, int]:
        counts: dict[str, int] = {}
        folders = {folder: images for folder, images in self._folders() if images}
        joint = _folders_of_patients(folders) if of_patients else set()
        for folder, images in folders.items():
            own = count(images)
            above = folder.parent if folder.parent in joint else folder
            for owner in _owners(above, self.path):
                counts[owner] = counts.get(owner, 0) + own
        return {name: count for name, count in sorted(counts.items()) if count}

    @cached_property
    def atlases(self) -> dict[str, tuple[Path, Path | None]]:
        """Names of the atlases below the root, each with its image and its label table.

        The table is None where one of the image's name cannot be read; see `atlases_in`. Atlases
        beside a template of their own come last: lesions seldom lie in its space.
        """
        folders = [pair for pair in self._folders() if 0 < len(pair[1]) <= _MOST_ATLASES]
        pairs = [pair for folder, _ in folders for pair in self._atlases_in(folder)]
        names = name_atlases([image for image, _ in pairs], self.path)
        own = {folder for folder, images in folders if _has_template(images)}
        listed = sorted(
            zip(names, pairs, strict=True), key=lambda item: (item[1][0].parent in own, item)
        )
        return dict(listed)

    def first_named_atlas(self) -> str:
        """The first atlas whose label table can be read, empty where there is none."""
        for name, (_image, table) in self.atlases.items():
            with suppress(LesionDashError):
                if table is not None:
                    read_label_table(table)
                    return name
        return ""

    @cached_property
    def atlas_options(self) -> list[tuple[str, str]]:
        """What the atlases are called in lists on the page, and their names."""
        return [
            (name if table is not None else f"{name} (numbers only: its table is not read)", name)
            for name, (_image, table) in self.atlases.items()
        ]

    def words_of(self, folder: str) -> str:
        """What a folder is called on the page: the root, which has no name of its own, by its."""
        return self.path.resolve().name or folder if folder == "." else folder

    def cohort_folder(self, name: str) -> Path:
        """The folder of a listed cohort.

        Raises
        ------
        InputError
            Where the name is not in the listing, or the folder no longer lies below the root.
        """
        if name not in self.cohorts:
            raise InputError(name, "is no folder of the data root", "choose one from the list")
        folder = self.path if name == "." else self.path / name
        if not is_confined(folder):
            raise InputError(name, "no longer lies below the data root", "choose another folder")
        return folder

    def atlas_files(self, name: str) -> tuple[Path, Path | None]:
        """Image and label table of a listed atlas; None in place of one that cannot be read.

        Raises
        ------
        InputError
            Where the name is not in the listing.
        """
        if name not in self.atlases:
            raise InputError(name, "is no atlas of the data root", "choose one from the list")
        return self.atlases[name]

    def _atlases_in(self, folder: Path) -> Iterator[tuple[Path, Path | None]]:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        images = [path for path in files if has_image_ending(path.name)]
        for pair in atlases_in(folder, images, above=folder != self.path):
            image, table = (Path(str(path)) if path is not None else None for path in pair)
            # A table that is not read may lie outside: then nothing is said of it.
            others = [table] if table else [file for file in files if has_table_ending(file)]
            if image and all(map(is_confined, (image, *others))):
                yield image, table

    def _folders(self) -> Iterator[tuple[Path, list[str]]]:
        waiting = [(self.path, 0)]
        for _ in range(_MOST_FOLDERS):
            if not waiting:
                return
            folder, depth = waiting.pop()
            images, below = _scan(folder)
            yield folder, images
            if depth < _DEPTH:
                waiting += [(Path(path), depth + 1) for path in reversed(below)]


def configured_root() -> DataRoot:
    """The data root from the environment, else the sample data beside the notebook.

    Raises
    ------
    InputError
        Where the configured folder does not exist.
    """
    configured = os.environ.get(ROOT_VARIABLE)
    path = Path(configured).expanduser() if configured else sample_data()
    if not path.is_dir():
        remedy = f"set {ROOT_VARIABLE} to the folder that holds your cohorts and atlases"
        raise InputError(path, "the data root is no folder", remedy)
    return DataRoot(path.resolve())


def results_folder() -> Path | None:
    """The folder for results from the environment, where one is configured."""
    configured = os.environ.get(RESULTS_VARIABLE)
    return Path(configured).expanduser() if configured else None


def _scan(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the images in a folder, and the folders in it."""
    images, below = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                elif has_image_ending(entry.name):
                    images.append(entry.name)
    except OSError:
        return [], []
    return images, sorted(below)


def _is_series(name: str) -> bool:
    """Whether an image is named as BIDS names a functional series, such as ``..._bold.nii.gz``."""
    return has_image_ending(name) and strip_ending(name).lower().endswith("_bold")


def _has_template(images: list[str]) -> bool:
    return any(strip_ending(name).lower() == "template" for name in images)


def _count_masks(images: list[str]) -> int:
    return 0 if _has_template(images) else sum(not _is_series(name) for name in images)


def _folders_of_patients(folders: Mapping[Path, list[str]]) -> set[Path]:
    """Folders that hold a folder for each patient, in which the same names recur.

    Such as ``P01/lesion.nii.gz``, and ``P01/P01_seg.nii.gz``, where the folder's name is left out.
    """
    below: dict[Path, list[Path]] = defaultdict(list)
    for folder in folders:
        below[folder.parent].append(folder)
    return {
        parent
        for parent, own in below.items()
        if len(own) > 1
        and parent not in folders
        and max(len(folders[folder]) for folder in own) <= MAX_FINDINGS
        and any(map(strip_ending, _common_names(own, folders)))
        and _are_patients(own, folders)
    }


def _common_names(own: Sequence[Path], folders: Mapping[Path, list[str]]) -> set[str]:
    names = ({name.replace(folder.name, "") for name in folders[folder]} for folder in own)
    return set.intersection(*names)


def _are_patients(own: Sequence[Path], folders: Mapping[Path, list[str]]) -> bool:
    """Whether the files of every folder are those of one patient, each of another."""
    files = [f"{folder.name}/{name}" for folder in own for name in folders[folder]]
    pairs = {(name.file.partition("/")[0], name.patient) for name in read_names(files)}
    return len(pairs) == len(own) == len({patient for _, patient in pairs})


def _owners(folder: Path, root: Path) -> list[str]:
    """The listed folder an image belongs to: a subject's own folders count for the one above."""
    parts = folder.relative_to(root).parts
    subject = next((i for i, part in enumerate(parts) if part.startswith("sub-")), len(parts))
    return ["/".join(parts[:subject]) or "."]
