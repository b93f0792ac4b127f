"""The folders below one folder: which hold masks, images, atlases, and which are not offered."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path

import numpy as np

from ...atlas.finding import atlases_in, name_atlases
from ...atlas.formats import has_table_ending
from ...cohort.names import MAX_FINDINGS, read_names
from ...core.errors import InputError
from ...files.listing import confine_to, has_image_ending, is_confined, strip_ending
from ...files.temporary import is_temporary
from ...images.masks import mask_of
from ...images.reading import ImageFile

_DEPTH = 7  # study/derivatives/lesions/sub-01/ses-1/anat below a folder of studies
_MOST_FOLDERS = 10_000
"""Arbitrary: a BIDS dataset of 1,449 patients with sessions has 4,300 of them."""
_MOST_ATLASES = 500  # images in a folder that may hold atlases; cohorts have more
_MOST_LOOKED_INTO = 100
"""Folders of which images are opened to tell masks from other images, arbitrary."""
_LARGEST_FILE, _LARGEST_IMAGE = 2**20, 2**25
"""Bytes of a compressed file, and of the voxels in it, up to which an image is read to tell whether
it is a mask: masks of 1 mm take some 7 MB, and compressed 20 to 50 kB."""


class ImageKind(IntEnum):
    """What an image holds; folders are listed in this order."""

    MASK = 0
    OTHER = 1
    """One volume of other values than two, or one too large to be read for a look."""
    UNREADABLE = 2
    """Damaged, or without a number."""
    SERIES = 3


def check_whole(path: Path) -> str:
    """Go through all voxels of an image of any size; gives why it cannot be read, if so."""
    try:
        file = ImageFile(path)
        for _ in file.blocks(file.header(), []):
            pass
    except InputError as error:
        return error.reason
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


def kind_of(path: Path) -> tuple[ImageKind, str]:
    """Tell by an image's header, and where it is small by its voxels, what it holds.

    Returns
    -------
    kind : ImageKind
    reason : str
        Why it is not a mask.
    """
    file = ImageFile(path)
    try:
        header, size = file.header(), file.size
        if header.volumes > 1:
            return ImageKind.SERIES, f"holds {header.volumes:,} volumes"
        is_packed = size < header.voxel_bytes
        if (is_packed and size > _LARGEST_FILE) or header.voxel_bytes > _LARGEST_IMAGE:
            return ImageKind.OTHER, "is too large for a look"
        stored = file.stored()
    except InputError as error:
        return ImageKind.UNREADABLE, error.reason
    except OSError as error:
        return ImageKind.UNREADABLE, f"cannot be read ({error.strerror})"
    try:
        mask_of(stored)
    except InputError as error:
        is_map = bool(np.isfinite(stored.values).any())
        return ImageKind.OTHER if is_map else ImageKind.UNREADABLE, error.reason
    return ImageKind.MASK, ""


@dataclass(frozen=True)
class FolderTree:
    """A folder whose sub-folders hold masks and atlases, each under a name of its own.

    Nothing outside it is read: once this was made, no read of the process follows a link out of it,
    see `confine_to`.

    Parameters
    ----------
    path : Path
    prefix : str
        What all names begin with; empty for paths below the folder.
    """

    path: Path
    prefix: str = ""
    _links: dict[str, str] = field(default_factory=dict, init=False, compare=False)

    def __post_init__(self) -> None:
        confine_to(self.path)

    def name_of(self, path: Path) -> str:
        """The name of a folder or file below this one."""
        below = path.relative_to(self.path).as_posix()
        if not self.prefix:
            return below
        return self.prefix if below == "." else f"{self.prefix}/{below}"

    def place(self, name: str) -> Path:
        """The folder or file of a name, which is listed or stands below one that is."""
        return self.path / name.removeprefix(self.prefix).removeprefix("/")

    @cached_property
    def cohorts(self) -> dict[str, int]:
        """Names of the folders that hold masks, and the number of images in each.

        Those of binary masks come first. Series and atlases are not cohorts, nor are images beside
        a template; see `withheld`. One image makes a cohort only where it is a mask of the
        visitor's own.
        """
        ordered = sorted(self._kinds.items(), key=lambda item: (item[1], item[0]))
        return {name: len(self._masks[name]) for name, _ in ordered if name not in self._unfit}

    def masks_in(self, name: str) -> tuple[Path, ...]:
        """The images that count for a listed cohort."""
        return tuple(self._masks.get(name, ()))

    @cached_property
    def withheld(self) -> dict[str, str]:
        """Names of folders that are not offered as cohorts, and why."""
        return dict(sorted((self._unfit | self._links).items())) if self._folders else {}

    @cached_property
    def image_counts(self) -> dict[str, int]:
        """Names of the folders that hold any image, and the number of images in each."""
        counts: dict[str, int] = {}
        for folder, images in self._folders.items():
            if images:
                name = self._owner(folder)
                counts[name] = counts.get(name, 0) + len(images)
        return dict(sorted(counts.items()))

    @cached_property
    def atlases(self) -> dict[str, tuple[Path, Path | None]]:
        """Names of the atlases, each with its image and its label table.

        The table is None where one of the image's name cannot be read; see `atlases_in`. Atlases
        beside a template of their own come last: lesions seldom lie in its space.
        """
        folders = {
            folder: images
            for folder, images in self._folders.items()
            if 0 < len(images) <= _MOST_ATLASES
        }
        pairs = [pair for folder in folders for pair in self._atlases_in(folder)]
        places = [image for image, _ in pairs]
        # Names of a folder that grows are paths, so that each stays what it was called.
        names = [*map(self.name_of, places)] if self.prefix else name_atlases(places, self.path)
        own = {folder for folder, images in folders.items() if _has_template(images)}
        listed = sorted(
            zip(names, pairs, strict=True), key=lambda item: (item[1][0].parent in own, item)
        )
        return dict(listed)

    @cached_property
    def _folders(self) -> dict[Path, list[str]]:
        """The names of the images in each folder, those of few folders above them first."""
        folders: dict[Path, list[str]] = {}
        waiting = deque([(self.path, 0)])
        while waiting and len(folders) < _MOST_FOLDERS:
            folder, depth = waiting.popleft()
            folders[folder], below = self._scan(folder)
            if depth < _DEPTH:
                waiting += [(Path(path), depth + 1) for path in below]
        if waiting:
            self._links["..."] = f"only the first {_MOST_FOLDERS:,} folders are searched"
        return folders

    def _scan(self, folder: Path) -> tuple[list[str], list[str]]:
        """Names of the images in a folder, and the folders in it; notes links to folders."""
        images, below = [], []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        below += [] if is_temporary(entry.path) else [entry.path]
                    elif has_image_ending(entry.name):
                        images.append(entry.name)
                    elif entry.is_symlink() and entry.is_dir():
                        self._note_link(Path(entry.path))
        except OSError:
            return [], []
        return images, sorted(below)

    def _note_link(self, path: Path) -> None:
        """Say why a folder that is a link is not offered."""
        reason = "is a link that leads out of the data root"
        if is_confined(path):
            reason = "is a link to a folder that is offered under its own name"
        self._links[self.name_of(path)] = reason

    @cached_property
    def _masks(self) -> dict[str, list[Path]]:
        """The images that may be masks, by the name of the folder that they count for."""
        fewest = 1 if self.prefix else 2
        folders = {folder: images for folder, images in self._folders.items() if images}
        joint = _folders_of_patients(folders)
        masks: dict[str, list[Path]] = defaultdict(list)
        for folder, images in folders.items():
            if not _has_template(images):
                owner = self._owner(folder.parent if folder.parent in joint else folder)
                masks[owner] += [folder / name for name in images if not _is_series(name)]
        return {name: paths for name, paths in sorted(masks.items()) if len(paths) >= fewest}

    @cached_property
    def _kinds(self) -> dict[str, ImageKind]:
        """What the folders of masks hold, by a look at few of their images."""
        looked_into = [*self._masks][:_MOST_LOOKED_INTO]
        kinds = {name: _kind_of_folder(self._masks[name]) for name in looked_into}
        return {name: kinds.get(name, ImageKind.OTHER) for name in self._masks}

    @cached_property
    def _unfit(self) -> dict[str, str]:
        """Folders whose images are not masks, and why."""
        atlases = {image for image, _ in self.atlases.values()}
        unfit = {}
        for name, kind in self._kinds.items():
            if kind == ImageKind.SERIES:
                unfit[name] = "holds 4-D series"
                continue
            is_one, is_mask = len(self._masks[name]) == 1, kind == ImageKind.MASK
            in_atlases = [not atlases.isdisjoint((path, path.parent)) for path in self._masks[name]]
            if all(in_atlases) and (is_one or not is_mask):
                unfit[name] = "holds an atlas"
            elif is_one and not is_mask:
                unfit[name] = "holds one image that is not a mask"
        return unfit

    def _atlases_in(self, folder: Path) -> Iterator[tuple[Path, Path | None]]:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        images = [path for path in files if has_image_ending(path.name)]
        for pair in atlases_in(folder, images, above=folder != self.path):
            image, table = (Path(str(path)) if path is not None else None for path in pair)
            # A table that is not read may lie outside: then nothing is said of it.
            others = [table] if table else [file for file in files if has_table_ending(file)]
            if image and all(map(is_confined, (image, *others))):
                yield image, table

    def _owner(self, folder: Path) -> str:
        """The folder an image belongs to: a subject's own folders count for the one above."""
        parts = folder.relative_to(self.path).parts
        subject = next((i for i, part in enumerate(parts) if part.startswith("sub-")), len(parts))
        return self.name_of(self.path.joinpath(*parts[:subject]))


def _kind_of_folder(paths: Sequence[Path]) -> ImageKind:
    """The best of the first, middle and last image: one mask makes a folder of masks."""
    ordered = sorted(paths)
    kinds = set()
    for place in dict.fromkeys((0, len(ordered) // 2, len(ordered) - 1)):
        kinds.add(kind_of(ordered[place])[0])
        if ImageKind.MASK in kinds:
            break
    return min(kinds)


def _is_series(name: str) -> bool:
    """Whether an image is named as BIDS names a functional series, such as ``..._bold.nii.gz``."""
    return strip_ending(name).lower().endswith("_bold")


def _has_template(images: list[str]) -> bool:
    return any(strip_ending(name).lower() == "template" for name in images)


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
