"""The space an image states: by its name, its sidecar, its form code or its grid."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..core.errors import InputError
from ..core.grid import Grid
from ..core.space import (
    MNI,
    OTHER_TEMPLATE,
    TALAIRACH,
    USER,
    StatedSpace,
    known_label,
    space_named,
    space_of_user,
)
from ..files.listing import has_image_ending, strip_ending
from ..files.paths import AnyPath
from .sidecars import own_sidecar, read_sidecar

_TEMPLATES = {3: TALAIRACH, 4: MNI, 5: OTHER_TEMPLATE}
"""NIfTI form codes of a standard space."""

_CODES = {TALAIRACH: 3}
_ALIGNED = "aligned to another scan"

_MNI_BOX = ((-98, -134, -78), (98, 98, 116))
"""Centres (mm) of the outermost voxels of the grids of MNI152 templates: those of ICBM 2009a to c.

The grids of FSL, SPM, CAT12 and Colin 27 lie within, and so does one that is cut to the brain.
"""

_BRAIN_MM = 100.0
"""A grid that is shorter along an axis does not hold a brain; arbitrary, brains are 130 mm wide."""

_OFF_CENTRE = 0.01  # of a voxel; affines are stored as float32, which is off by far less

_STRAIGHT = 1e-3  # of an edge; arbitrary: 0.1 mm at the edge of a brain

_ENTITY = re.compile(r"(?:^|[_/\\])(tpl|space)-([A-Za-z0-9+]+)")
_SIDECAR_FIELD = "SpatialReference"  # BIDS, common derivatives


def image_space(
    path: AnyPath,
    form: str,
    code: int,
    grid: Grid,
    *,
    source: str = "",
    has_sidecar: bool = True,
) -> StatedSpace:
    """The space of an image file, by what says most about it.

    In this order: ``space-`` or ``tpl-`` in the name; `SpatialReference` of the sidecar; a form
    code of a standard space; a template's name as a word of the file's; an MNI template's grid;
    and any other form code.

    Parameters
    ----------
    path : Path or UrlPath
        The sidecar beside a URL is not looked for.
    form : str
        The affine that is used: ``sform``, ``qform`` or ``none``.
    code : int
        Its code.
    grid : Grid
    source : str
        What says it in place of a form code, in formats that have none.
    has_sidecar : bool
        Whether files may lie beside it.

    Examples
    --------
    >>> grid = Grid((20, 24, 20), [[2, 0, 0, -20], [0, 2, 0, -26], [0, 0, 2, -18], [0, 0, 0, 1]])
    >>> print(image_space(Path("sub-01_space-MNI152NLin6Asym_mask.nii.gz"), "sform", 1, grid))
    MNI152NLin6Asym (space-MNI152NLin6Asym in the name)
    >>> print(image_space(Path("sub-01_mask.nii.gz"), "sform", 1, grid))
    scanner space (sform code 1)
    """
    stem = strip_ending(path.name)
    if entity := _ENTITY.search(stem):
        return space_named(entity[2], f"{entity[0].lstrip('_')} in the name")
    if has_sidecar and isinstance(path, Path) and (space := _of_sidecar(path)):
        return space
    if code in _TEMPLATES:
        return StatedSpace("template", _TEMPLATES[code], source or f"{form} code {code}")
    # A hospital may be called MNI; no template is oblique.
    if (label := known_label(stem)) and _is_along_axes(grid):
        return space_named(label, f"{label} in the name")
    return _of_grid(grid, code, source or _spoken(form, code))


def space_of(grid: Grid) -> StatedSpace:
    """The space that the image of a grid stated, or what code and voxels of the grid say."""
    if grid.space is not None:
        return grid.space
    if grid.code in _TEMPLATES:
        return StatedSpace("template", _TEMPLATES[grid.code], f"form code {grid.code}")
    return _of_grid(grid, grid.code, _spoken("form", grid.code))


def _spoken(form: str, code: int) -> str:
    return f"{form} code {code}" if form != "none" else "no form code"


def _of_grid(grid: Grid, code: int, source: str) -> StatedSpace:
    if is_on_mni_grid(grid):
        return StatedSpace("template", MNI, f"by its grid, {source}")
    if code == 1:
        return StatedSpace("scanner", "", source)
    is_aligned = code == 2 and source.endswith("code 2")
    return StatedSpace("unknown", "", f"{source}: {_ALIGNED}" if is_aligned else source)


def is_on_mni_grid(grid: Grid) -> bool:
    """Whether a grid is one of an MNI template's, or a part that holds a brain.

    Its voxels are cubes along the axes of the world, the origin is the centre of one, and they
    reach no further than those of the templates. A scanner puts its voxels anywhere.

    Examples
    --------
    >>> affine = [[-1, 0, 0, 90], [0, 1, 0, -126], [0, 0, 1, -72], [0, 0, 0, 1]]
    >>> is_on_mni_grid(Grid((182, 218, 182), affine)), is_on_mni_grid(Grid((182, 218, 9), affine))
    (True, False)
    """
    return _is_on_mni_grid(grid.shape, grid.affine.tobytes())


@lru_cache(64)  # one or few grids in a folder of masks; the number is arbitrary
def _is_on_mni_grid(shape: tuple[int, int, int], affine: bytes) -> bool:
    grid = Grid(shape, np.frombuffer(affine).reshape(4, 4))
    edge = float(grid.voxel_size.max())
    is_cube = np.allclose(grid.voxel_size, edge, atol=_STRAIGHT * edge)
    origin = grid.to_voxel((0, 0, 0))
    off_centre = np.abs(origin - np.rint(origin)).max()
    if not is_cube or not _is_along_axes(grid) or off_centre > _OFF_CENTRE:
        return False
    corners = grid.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    is_within = (low >= np.array(_MNI_BOX[0]) - edge) & (high <= np.array(_MNI_BOX[1]) + edge)
    return bool(is_within.all() and (high - low).min() >= _BRAIN_MM)


def _is_along_axes(grid: Grid) -> bool:
    """Whether the axes of a grid are those of the world, in whatever order and direction."""
    cosines = np.sort(np.abs(grid.affine[:3, :3] / grid.voxel_size), axis=0)
    return bool(cosines[:2].max() < _STRAIGHT)


def _of_sidecar(path: Path) -> StatedSpace | None:
    """What the JSON file beside an image says of its space; None where it says nothing."""
    sidecar = own_sidecar(path)
    if not os.path.lexists(sidecar):  # as most have none, and this costs less than to open it
        return None
    value = None
    with suppress(InputError):
        value = read_sidecar(sidecar).get(_SIDECAR_FIELD)
    if isinstance(value, dict):
        value = next((text for text in value.values() if isinstance(text, str)), None)
    if not isinstance(value, str) or not value.strip():
        return None
    source = f"{_SIDECAR_FIELD} in {sidecar.name}"
    name = value.strip().rpartition("/")[2]
    if entity := _ENTITY.search(name) or _ENTITY.search(value):
        return space_named(entity[2], source)
    if label := known_label(value):
        return space_named(label, source)
    if has_image_ending(name):  # another image of the patient
        return StatedSpace("scanner", "", source)
    return space_named(name, source) if re.fullmatch(r"[A-Za-z0-9+]+", name) else None


def in_space(grid: Grid, space: str | None) -> Grid:
    """The grid in the space that a user states; the same where none is stated.

    Images that are made on it bear that space's form code.

    Examples
    --------
    >>> in_space(Grid((4, 4, 4), np.eye(4), 1), "MNI152NLin6Asym").code
    4
    """
    if space is None:
        return grid
    stated = space_of_user(space)
    if stated.kind == "scanner":
        return replace(grid, space=stated, code=1)
    return replace(grid, space=stated, code=4 if stated.is_mni else _CODES.get(stated.name, 5))


def compare_spaces(what: str, own: Grid, others: str, grid: Grid) -> tuple[str, ...]:
    """A note where an input states another space than those it is used with.

    Of an input whose space the user has stated, nothing is said.

    Parameters
    ----------
    what, others : str
        The inputs in words, such as ``atlas AAL`` and ``the map``.
    own, grid : Grid
        Theirs, as they were read.

    Examples
    --------
    >>> talairach, mni = (Grid((4, 4, 4), np.eye(4), code) for code in (3, 4))
    >>> compare_spaces("the atlas", talairach, "the map", mni)[0]
    'the atlas states Talairach space (form code 3), the map MNI152 (form code 4): they differ by up to about 10 mm (Lancaster et al. 2007)'
    """  # noqa: E501
    one, other = space_of(own), space_of(grid)
    difference = "" if one.source == USER else one.difference(other)
    return (f"{what} states {one}, {others} {other}: {difference}",) if difference else ()


def space_input(grid: Grid) -> dict[str, str]:
    """A space for the provenance: its name, and what states it."""
    space = space_of(grid)
    return {"name": space.words, "source": space.source}
