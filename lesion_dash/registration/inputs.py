"""The images that are to be registered, read and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import as_path
from ..grid import Grid
from ..images import Map, MapLike, Mask, MaskLike, as_map
from ..memory import free_memory
from ..region_masks import binary_mask
from ..transforms import Transform
from .engine import Task, Volume
from .registration import Kind

FEWEST_VOXELS = 8
"""Along each axis: fewer hold no structure that a position could be told from."""

MOST_LESIONED = 0.75
"""Of the image's brighter voxels; beyond that, too little is left to register by."""

_BYTES_A_VOXEL = 24  # as float32 in both processes, in the file between them, and smoothed
_BASE_BYTES = 7e8  # the engine's program and its work on at most 16 million voxels
_FIELD_BYTES = 48  # a voxel of displacement: three float32 twice, there and back


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a registration is made of.

    Parameters
    ----------
    moving, template : Map
    lesion : Mask or None
        On the moving image's grid.
    others : tuple of Map or Mask
    notes : tuple of str
    sources : dict
        SHA-256 of each file, by its path; a URL without its password.
    """

    moving: Map
    template: Map
    lesion: Mask | None
    others: tuple[Map | Mask, ...]
    notes: tuple[str, ...]
    sources: dict[str, str] = field(default_factory=dict)

    def task(self, kind: Kind) -> Task:
        """What an engine is asked for, NaN filled with the darkest value."""
        lesion = None if self.lesion is None else self.lesion.array
        return Task(_volume(self.moving), _volume(self.template), kind, Transform(), lesion)


def read_inputs(
    moving: MapLike,
    template: MapLike,
    lesion: MaskLike | None,
    others: Sequence[MapLike],
    kind: Kind,
) -> Inputs:
    """Read the images and refuse, with a sentence each, what cannot be registered."""
    image, target = as_map(moving), as_map(template)
    for found in (image, target):
        _check_image(found)
    _check_memory(image, target, kind)
    mask = None if lesion is None else _read_lesion(lesion, image)
    brought = tuple(other if isinstance(other, Mask) else as_map(other) for other in others)
    _check_others(brought, image)
    read = [found for found in (image, target, mask) if found is not None]
    notes = [f"{found.name}: {note}" for found in read for note in _notes_of(found)]
    given = [(moving, image), (template, target), (lesion, mask)]
    given += list(zip(others, brought, strict=True))
    sources = {
        _path_of(source, found): found.sha256
        for source, found in given
        if found is not None and found.sha256
    }
    return Inputs(image, target, mask, brought, tuple(dict.fromkeys(notes)), sources)


def _notes_of(found: Map | Mask) -> tuple[str, ...]:
    """All but that it lies in no standard space: it is about to be brought to one."""
    return tuple(note for note in found.notes if "standard space" not in note)


def _check_image(found: Map) -> None:
    name, shape = found.name, found.grid.shape
    if min(shape) < FEWEST_VOXELS:
        problem = f"{' x '.join(map(str, shape))} voxels: a slice or a thin slab, not a volume"
        remedy = f"give an image of at least {FEWEST_VOXELS} voxels along each axis"
        raise InputError(name, problem, remedy)
    values = found.array[np.isfinite(found.array)]
    if values.size == 0:
        raise InputError(name, "holds no number but NaN", "give an image with intensities")
    if values.min() == values.max():
        problem = f"constant: every voxel is {values.flat[0]:g}"
        raise InputError(name, problem, "give an image that shows something")


def _check_memory(moving: Map, template: Map, kind: Kind) -> None:
    voxels = moving.grid.size + template.grid.size
    each = _BYTES_A_VOXEL + (_FIELD_BYTES if kind == "deformable" else 0)
    needed, free = voxels * each + _BASE_BYTES, free_memory()
    if needed > free:
        problem = (
            f"registering {voxels:,} voxels takes about {needed / 1e9:.1f} GB of memory, "
            f"and {free / 1e9:.1f} GB are free"
        )
        raise InputError(moving.name, problem, "bring the images to coarser voxels first")


def _read_lesion(source: MaskLike, image: Map) -> Mask:
    mask = binary_mask(source)
    if mask.voxels == 0:
        raise InputError(mask.name, "the lesion mask is empty", "leave it out, or draw the lesion")
    try:
        mask = mask.on_grid(image.grid)
    except InputError as error:
        remedy = "give the mask on the grid of the moving image, which it was drawn on"
        raise InputError(mask.name, error.problem, remedy) from None
    # The mean parts tissue from air; most images are half air.
    bright = image.array > np.nanmean(image.array)
    covered = float(mask.array[bright].mean()) if bright.any() else 1.0
    if covered > MOST_LESIONED or mask.voxels == mask.grid.size:
        problem = f"the lesion mask covers {covered:.0%} of what {image.name} shows: inverted?"
        raise InputError(mask.name, problem, "mark the lesion alone")
    return mask


def _check_others(others: tuple[Map | Mask, ...], image: Map) -> None:
    names = Counter(found.name for found in others)
    for found in others:
        if names[found.name] > 1:
            problem = "two images that are brought along bear this name"
            raise InputError(found.name, problem, "rename one of the files")
        if not _meet(found.grid, image.grid):
            problem = f"lies nowhere near {image.name} by its header"
            raise InputError(found.name, problem, "bring along images of the same scan session")


def _meet(one: Grid, other: Grid) -> bool:
    first, second = one.corners(), other.corners()
    low = np.maximum(first.min(axis=0), second.min(axis=0))
    return bool((low <= np.minimum(first.max(axis=0), second.max(axis=0))).all())


def _path_of(source: object, found: Map | Mask) -> str:
    # A URL may hold a password, which its path does not show.
    return str(as_path(source)) if isinstance(source, (str, PathLike)) else found.name


def _volume(found: Map) -> Volume:
    array: NDArray = found.array.astype(np.float32)
    known = np.isfinite(array)
    if not known.all():
        array[~known] = array[known].min()
    return Volume(array, found.grid)
