"""The steps of the ROI lab as short texts, for an address or a file; files by their own names."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from ..atlas.doubts import unmarked
from ..atlas.loading import load_atlas
from ..atlas.tables import read_label_table
from ..core.errors import InputError
from ..rois.recipe import InsideFile, InsideRegions, MoreIn, RecipeStep
from ..rois.steps import FillHoles, Morph, Operation, Unit
from ..stats.components import SHARED
from .data_root import OWN_FILES, DataRoot
from .lab_files import LabFiles

_OPERATIONS, _UNITS = get_args(Operation), get_args(Unit)
_LARGEST_RADIUS = 100.0
_LARGEST = 1e9
_EVERYWHERE = "."
"""The folder that every image of the data root lies in or below."""


def step_text(step: RecipeStep, root: DataRoot) -> str:
    """A step as a line of JSON; no path in it leads further than the data root.

    Examples
    --------
    >>> step_text(Morph("dilate", 2), DataRoot(Path("sample_data")))
    '["dilate",2,"voxels",6]'
    """
    return json.dumps(_parts(step, root), separators=(",", ":"), ensure_ascii=False)


def _parts(step: RecipeStep, root: DataRoot) -> list[object]:
    if isinstance(step, Morph):
        return [step.operation, step.radius, step.unit, step.connectivity]
    if isinstance(step, MoreIn):
        return ["more in", step.group]
    if isinstance(step, InsideFile):
        return ["file", root.name_of(Path(step.path)), step.threshold or 0]
    if isinstance(step, InsideRegions):
        files = root.atlases.items()
        atlas = next(name for name, (image, _) in files if str(image) == step.atlas)
        return ["regions", atlas, *step.names]
    return ["fill"]


def step_of(text: str, root: DataRoot) -> RecipeStep:
    """The step of a text, whoever wrote it.

    Raises
    ------
    InputError
        Where it is not a step, or names what the data root does not hold.

    Examples
    --------
    >>> step_of('["dilate",2,"voxels",6]', DataRoot(Path("sample_data")))
    Morph(operation='dilate', radius=2, unit='voxels', connectivity=6)
    """
    try:
        kind, *parts = json.loads(text)
        if kind in _OPERATIONS:
            return _morph(kind, *parts)
        return _MAKERS[kind](root, *parts)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("step", "is not a step of the ROI lab") from None


def _morph(operation: Any, radius: object, unit: Any, connectivity: Any) -> RecipeStep:
    is_known = unit in _UNITS and connectivity in SHARED and not isinstance(connectivity, bool)
    if not is_known or not _is_number(radius, _LARGEST_RADIUS):
        raise TypeError
    return Morph(operation, radius, unit, connectivity)  # type: ignore[arg-type]


def _more_in(_root: DataRoot, group: Any) -> RecipeStep:
    if group not in ("a", "b"):
        raise TypeError
    return MoreIn(group)


def _inside_file(root: DataRoot, name: Any, threshold: Any) -> RecipeStep:
    if not isinstance(name, str) or not _is_number(threshold, _LARGEST):
        raise TypeError
    folder = OWN_FILES if root.is_own(name) else _EVERYWHERE
    file = name.removeprefix(f"{OWN_FILES}/")
    return InsideFile(LabFiles(root).path(folder, file), threshold or None)


def _inside_regions(root: DataRoot, atlas: str, *names: str) -> RecipeStep:
    image, labels = root.atlas_files(atlas)
    regions = read_label_table(labels).rows if labels is not None else load_atlas(image).regions
    if not names or not {unmarked(name) for name in names} <= {region.name for region in regions}:
        raise InputError("step", "names a region that the atlas does not have")
    return InsideRegions(str(image), names, str(labels) if labels is not None else None)


def _is_number(value: object, largest: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= largest


_MAKERS: dict[str, Callable[..., RecipeStep]] = {
    "more in": _more_in,
    "file": _inside_file,
    "regions": _inside_regions,
    "fill": lambda _root: FillHoles(),
}
