"""The images below the data root, by folder and name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InputError
from ..files.listing import has_image_ending, is_confined
from .data_root import DataRoot


@dataclass(frozen=True)
class ImageFiles:
    """Every image below the data root; nothing outside it is read.

    Parameters
    ----------
    root : DataRoot
    """

    root: DataRoot

    @property
    def folders(self) -> dict[str, int]:
        """Names of the folders that hold images, and the number of images in each."""
        return self.root.image_counts

    def names(self, folder: str) -> tuple[str, ...]:
        """Names of the images in a listed folder; those of a subject's own folders as paths."""
        top = self._folder(folder)
        choices = []
        for place, below, files in os.walk(top):
            # A subject's own folders count for the one above, as in the list of folders.
            own = Path(place) != top
            below[:] = sorted(name for name in below if own or name.startswith("sub-"))
            images = (n for n in files if has_image_ending(n) and not n.startswith("."))
            choices += [(Path(place) / name).relative_to(top).as_posix() for name in images]
        return tuple(sorted(choices))

    def path(self, folder: str, name: str) -> Path:
        """The file behind a listed name.

        Raises
        ------
        InputError
            Where the name is not in the listing, or a file behind it lies outside the data root.
        """
        if name not in self.names(folder):
            raise InputError(name, "is not an image of this folder", "choose one from the list")
        path = self._folder(folder) / name
        if not is_confined(path):
            raise InputError(name, "lies outside the data root", "choose another image")
        return path

    def _folder(self, folder: str) -> Path:
        if folder not in self.folders:
            raise InputError(folder, "is not a folder of images", "choose one from the list")
        return self.root.place(folder)
