"""Whether the masks of a cohort lie in one standard space, as far as their files say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..core.grid import Grid
from ..core.space import TALAIRACH, USER, StatedSpace
from ..core.text import counted

_COMMON = "a map of them is correct only in a common space"
_NOT_MNI = "places in MNI152 and in its atlases are up to about 10 mm off (Lancaster et al. 2007)"
_UNMARKED = "not marked as standard space"
_MIN_ANGLE = 1e-3  # sine of an angle below which affines stored as float32 are not oblique


def common_space(spaces: Sequence[StatedSpace]) -> StatedSpace | None:
    """The space that most masks state, told by `notes_on_spaces`; None where there is no mask."""
    counts = Counter(spaces)
    return replace(counts.most_common(1)[0][0], is_noted=True) if counts else None


def notes_on_spaces(spaces: Mapping[str, StatedSpace], grid: Grid) -> tuple[str, ...]:
    """A sentence where masks state no standard space, Talairach's, or several.

    Parameters
    ----------
    spaces : mapping
        The space of each mask that is used, by its file.
    grid : Grid
        Of the masks; nothing is said where a user has stated its space.

    Examples
    --------
    >>> scanner = StatedSpace("scanner", "", "sform code 1")
    >>> grid = Grid((9, 9, 9), np.diag([0.5, 0.5, 6.5, 1]), 1)
    >>> notes_on_spaces({"a.nii": scanner, "b.nii": scanner}, grid)[0]
    'all 2 masks, such as a.nii, state scanner space (sform code 1), on a grid of voxels of 0.5 x 0.5 x 6.5 mm: a map of them is correct only in a common space'
    """  # noqa: E501
    if not spaces or (grid.space is not None and grid.space.source == USER):
        return ()
    files: dict[StatedSpace, list[str]] = {}
    for file, space in spaces.items():
        files.setdefault(space, []).append(file)
    groups = sorted(files, key=lambda space: -len(files[space]))
    if len(groups) > 1:
        return _on_several(groups, files)
    space = groups[0]
    if space.kind == "template" and space.name != TALAIRACH:
        return ()
    meaning = _NOT_MNI if space.kind == "template" else _COMMON
    who = f"all {len(spaces)} masks, such as {files[space][0]}, state"
    if len(spaces) == 1:
        who = f"{_UNMARKED}: {files[space][0]} states"
    return (f"{who} {space}, on {_grid_words(grid)}: {meaning}",)


def note_on_space(space: StatedSpace, common: Grid) -> tuple[str, ...]:
    """What is said of a mask that states no standard space, where most of its cohort do.

    Examples
    --------
    >>> template = Grid((9, 9, 9), np.eye(4), 4, StatedSpace("template", "MNI152", "sform code 4"))
    >>> note_on_space(StatedSpace("scanner", "", "sform code 1"), template)
    ('not marked as standard space: states scanner space (sform code 1)',)
    """
    of_most = common.space
    if of_most is None or of_most.source == USER or of_most.kind != "template":
        return ()
    return () if space.kind == "template" else (f"{_UNMARKED}: states {space}",)


def _on_several(
    groups: list[StatedSpace], files: Mapping[StatedSpace, list[str]]
) -> tuple[str, ...]:
    is_standard = all(space.kind == "template" for space in groups)
    differ = any(a.difference(b) for a in groups for b in groups)
    if is_standard and not differ:
        return ()
    parts = [
        f"{counted(len(files[space]), 'mask')} {space}, such as {files[space][0]}"
        for space in groups
    ]
    return (f"masks state different spaces: {'; '.join(parts)}: {_COMMON}",)


def _grid_words(grid: Grid) -> str:
    """Such as ``an oblique grid of voxels of 0.45 x 0.45 x 6.5 mm``."""
    edges = " x ".join(f"{edge:g}" for edge in np.round(grid.voxel_size, 3))
    directions = np.abs(grid.affine[:3, :3] / grid.voxel_size)
    is_oblique = np.sort(directions, axis=0)[:2].max() > _MIN_ANGLE
    return f"{'an oblique' if is_oblique else 'a'} grid of voxels of {edges} mm"
