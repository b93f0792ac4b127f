"""The folders whose sub-folders can be chosen, by name: the data root, and the visitor's own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..atlas.installed import INSTALLED, PREFIX, data_folder
from ..atlas.tables import read_label_table
from ..cohort.file_choice import FileChoice
from ..core.errors import InputError, LesionDashError
from ..files.listing import is_confined
from ..files.paths import below_pattern, sample_data
from .atlas_use import AS_STORED, AtlasUse
from .environment import ATLAS_VARIABLE, RESULTS_VARIABLE, ROOT_VARIABLE
from .model.folder_tree import FolderTree

OWN_FILES = "My masks (dropped)"
"""What the names of the visitor's own folders, atlases and files begin with."""


@dataclass(frozen=True)
class DataRoot:
    """A folder whose sub-folders hold masks and atlases, and beside it the visitor's own files.

    Nothing outside both is read: a choice is a name from their listings, never a path. Once this
    was made, no read of the process follows a link out of it, see `confine_to`.

    Parameters
    ----------
    path : Path
    file_choices, atlas_uses : dict
        Filled as a user chooses.
    """

    path: Path
    file_choices: dict[str, FileChoice] = field(default_factory=dict, compare=False)
    """Which of a patient's files count, by folder, where that was chosen."""
    atlas_uses: dict[str, AtlasUse] = field(default_factory=dict, compare=False)
    """What was said of atlases, by name."""
    _own: list[FolderTree] = field(default_factory=list, init=False, compare=False)
    _server_folders: set[Path] = field(default_factory=set, init=False, compare=False)
    """Where the visitor's own files lie, or lay: a sentence may come later than they go."""
    _heard: list[Callable[[], None]] = field(default_factory=list, init=False, compare=False)

    def __post_init__(self) -> None:
        _ = self._shared

    @cached_property
    def _shared(self) -> FolderTree:
        return FolderTree(self.path)

    def set_own(self, folder: Path | None) -> None:
        """List this folder, as it is now, as the visitor's own files; or list none any more."""
        self._own[:] = [] if folder is None else [FolderTree(folder, OWN_FILES)]
        self._server_folders.update(tree.path for tree in self._own)

    def observe(self, heard: Callable[[], None]) -> None:
        """Call somebody whenever `announce` is called."""
        self._heard.append(heard)

    def announce(self) -> None:
        """Say, on the kernel's own loop, that other folders are listed than before."""
        for heard in self._heard:
            heard()

    @property
    def cohorts(self) -> dict[str, int]:
        """Names of the folders that hold masks, and the number of images in each.

        The visitor's own come first, then those of binary masks; see `FolderTree.cohorts`.
        """
        return self._merged("cohorts")

    def masks_in(self, name: str) -> tuple[Path, ...]:
        """The images that count for a listed cohort."""
        return self._tree(name).masks_in(name)

    @property
    def withheld(self) -> dict[str, str]:
        """Names of folders that are not offered as cohorts, and why."""
        return self._merged("withheld")

    @property
    def image_counts(self) -> dict[str, int]:
        """Names of the folders that hold any image, and the number of images in each."""
        return self._merged("image_counts")

    @property
    def atlases(self) -> dict[str, tuple[Path | str, Path | None]]:
        """Names of the atlases, each with its image and its label table; see `FolderTree`.

        Those of an installed package come last; `load_atlas` knows them by their names.
        """
        installed = {name: (name, None) for name in self._installed}
        return {**self._merged("atlases"), **installed}

    @cached_property
    def _installed(self) -> tuple[str, ...]:
        has_data = data_folder() is not None
        return tuple(entry.full_name for entry in INSTALLED.values()) if has_data else ()

    def _merged(self, listing: str) -> dict[str, Any]:
        shared: Mapping[str, Any] = getattr(self._shared, listing)
        # A folder of the data root that bears the name of the visitor's own is not offered.
        others = {name: value for name, value in shared.items() if not self.is_own(name)}
        own = [getattr(tree, listing) for tree in self._own]
        return {name: value for each in (*own, others) for name, value in each.items()}

    def is_own(self, name: str) -> bool:
        """Whether a name is one of the visitor's own files and folders, or would be."""
        return f"{name}/".startswith(f"{OWN_FILES}/")

    def place(self, name: str) -> Path:
        """Where a folder or file lies whose name is listed, or stands below one that is."""
        return self._tree(name).place(name)

    def within(self, name: str) -> Path:
        """The folder outside of which nothing is looked for that belongs to a listed one."""
        return self._tree(name).path

    def name_of(self, path: Path) -> str:
        """The name of a folder or file of the data root, or of the visitor's own."""
        trees = (tree for tree in self._own if path.is_relative_to(tree.path))
        return next(trees, self._shared).name_of(path)

    def _tree(self, name: str) -> FolderTree:
        if not self.is_own(name):
            return self._shared
        if not self._own:
            raise InputError(name, "is no longer available", "drop the files again")
        return self._own[0]

    def without_paths(self, text: str) -> str:
        """A sentence in which files are named from the data root, or from what was dropped."""
        return re.sub(below_pattern(self.path), "", self.without_own_folders(text))

    def without_own_folders(self, text: str) -> str:
        """A sentence in which what was dropped is named as it was dropped."""
        for folder in self._server_folders:
            # The number of the drop as well.
            text = re.sub(rf"{below_pattern(folder)}(\d+([/\\]+|\b))?", "", text)
        return text

    def first_named_atlas(self) -> str:
        """The configured atlas, else the first whose table can be read; empty without one."""
        if (configured := os.environ.get(ATLAS_VARIABLE, "")) in self.atlases:
            return configured
        for name, (_image, table) in self.atlases.items():
            with suppress(LesionDashError):
                if table is not None:
                    read_label_table(table)
                    return name
        return ""

    @property
    def atlas_options(self) -> list[tuple[str, str]]:
        """What the atlases are called in lists on the page, and their names."""
        remarks = {
            name: "" if table is not None else " (numbers only: its table is not read)"
            for name, (_image, table) in self.atlases.items()
        } | dict.fromkeys(self._installed, " (installed)")
        return [(f"{self.words_of(name)}{remark}", name) for name, remark in remarks.items()]

    def words_of(self, name: str) -> str:
        """What a folder or an atlas is called on the page.

        The root, which has no name of its own, by its; the visitor's own by what was dropped.
        """
        if name == ".":
            return self.path.resolve().name or name
        if name in self._installed:
            return name.removeprefix(PREFIX)
        if not self.is_own(name):
            return name
        drop, _, below = name.removeprefix(f"{OWN_FILES}/").partition("/")
        same = [each for each in self.image_counts if self.is_own(each) and each.endswith(below)]
        number = f", {drop}" if len(same) > 1 else ""
        return f"{below} (dropped{number})" if below else OWN_FILES

    def cohort_folder(self, name: str) -> Path:
        """The folder of a listed cohort.

        Raises
        ------
        InputError
            Where the name is not in the listing, or the folder no longer lies below the root.
        """
        if name not in self.cohorts:
            raise InputError(name, "is not a folder of the data root", "choose one from the list")
        folder = self.place(name)
        if not is_confined(folder):
            raise InputError(name, "no longer lies below the data root", "choose another folder")
        return folder

    def atlas_files(self, name: str) -> tuple[Path | str, Path | None]:
        """Image and label table of a listed atlas; None in place of one that cannot be read.

        Of an installed one the name, by which it is loaded, in place of the image.

        Raises
        ------
        InputError
            Where the name is not in the listing.
        """
        if name not in self.atlases:
            raise InputError(name, "is not an atlas of the data root", "choose one from the list")
        return self.atlases[name]

    def use_of_image(self, image: str) -> AtlasUse:
        """What was said of the atlas of an image."""
        names = (name for name, (own, _) in self.atlases.items() if str(own) == image)
        return next((self.atlas_uses[name] for name in names if name in self.atlas_uses), AS_STORED)


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
        raise InputError(path, "the data root is not a folder", remedy)
    return DataRoot(path.resolve())


def results_folder() -> Path | None:
    """The folder for results from the environment, where one is configured."""
    configured = os.environ.get(RESULTS_VARIABLE)
    return Path(configured).expanduser() if configured else None
