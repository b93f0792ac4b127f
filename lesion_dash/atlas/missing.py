"""What to say where no atlas was found, and what was meant can be guessed."""

from __future__ import annotations

from collections.abc import Sequence

from ..atlas_library import alike_names
from ..errors import InputError, MissingFile
from ..files import AnyPath
from .finding import atlases_in, find_atlases

_LIST = "`lesion-dash atlases` lists the names"


def with_names(fault: MissingFile, given: object) -> MissingFile:
    """The same fault, with the names of published atlases that what was given may stand for."""
    alike = alike_names(str(given))
    if not alike:
        return fault
    return MissingFile(given, fault.problem, f"did you mean {' or '.join(alike)}? {_LIST}")


def without_image(folder: AnyPath) -> InputError:
    """Why a folder is no atlas, and which atlases lie deeper."""
    below = [place for place, _ in find_atlases(folder).values()]
    if not below:
        return InputError(folder, "holds no image", "give an atlas image or a folder of maps")
    atlases = "1 atlas lies" if len(below) == 1 else f"{len(below)} atlases lie"
    problem = f"holds no image itself, but {atlases} in its subfolders"
    return InputError(folder, problem, _choose_one(folder, below[0]))


def check_is_one(folder: AnyPath, images: Sequence[AnyPath]) -> None:
    """Refuse a folder of several atlases, each with a table of its own, as the maps of one."""
    pairs = atlases_in(folder, images) if len(images) > 1 else []
    if len({table for _, table in pairs}) > 1:
        problem = f"holds {len(pairs)} atlases, each with its own label table"
        raise InputError(folder, problem, _choose_one(folder, pairs[0][0]))


def _choose_one(folder: AnyPath, example: AnyPath) -> str:
    listing = f"`lesion-dash atlases --atlases {folder}` lists them"
    return f"give one of them, such as {example}; {listing}"
