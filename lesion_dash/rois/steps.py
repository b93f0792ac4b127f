"""Steps from a map to a mask: threshold, masks, morphology; each can be undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas
from ..atlas.doubts import unmarked
from ..core.defaults import THRESHOLD_SIDE, Connectivity, ThresholdSide
from ..core.errors import InputError
from ..core.grid import Grid
from ..images.maps import Map
from ..images.masks import Mask
from ..images.space import compare_spaces
from ..stats.components import SHARED
from .calls import call_of

Unit = Literal["voxels", "mm"]
_UNIT: Unit = "voxels"
_NEIGHBOURS: Connectivity = 6  # over faces: the smallest step
Operation = Literal["dilate", "erode", "open", "close"]

_SCIPY = {
    "dilate": "binary_dilation",
    "erode": "binary_erosion",
    "open": "binary_opening",
    "close": "binary_closing",
}
_LARGEST_BALL = 10**5
"""Voxels of the box around a ball; arbitrary, since a larger one takes minutes."""

_SLACK_MM = 1e-4
"""Affines are stored as float32: a voxel 4 mm away may be computed as 4.0000001 mm away."""


def morph_mask(
    mask: Mask,
    operation: Operation,
    radius: float = 1,
    unit: Unit = _UNIT,
    connectivity: Connectivity = _NEIGHBOURS,
) -> Mask:
    """Dilate, erode, open or close a binary map.

    Parameters
    ----------
    mask : Mask
    operation : {"dilate", "erode", "open", "close"}
        Opening erodes, then dilates: thin bridges and specks go. Closing dilates, then erodes:
        cracks are filled.
    radius : float
        A whole number of steps where `unit` is ``voxels``; the radius of a ball where it is ``mm``.
    unit : {"voxels", "mm"}
    connectivity : {6, 18, 26}
        For voxels: one step goes over faces; over edges as well; over corners as well.

    Returns
    -------
    Mask
        As `scipy.ndimage` has it: what lies beyond the image counts as empty, so erosion and
        closing take off voxels at its border.

    Raises
    ------
    InputError
        Where an argument is invalid, or a ball holds no neighbour of a voxel.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Mask
    >>> point = Mask(Grid((5, 5, 5), np.diag([2.0, 2, 2, 1])), np.array([62]), "point")
    >>> morph_mask(point, "dilate", 1).voxels, morph_mask(point, "dilate", 3.0, "mm").voxels
    (7, 19)
    """
    from scipy import ndimage

    if operation not in _SCIPY:
        remedy = f"choose one of {', '.join(_SCIPY)}"
        raise InputError("operation", f"is {operation!r}", remedy)
    structure, steps = _element(mask.grid, radius, unit, connectivity)
    function = partial(getattr(ndimage, _SCIPY[operation]), structure=structure, iterations=steps)
    return _change_box(mask, steps * (np.array(structure.shape) // 2), function)


def fill_holes(mask: Mask) -> Mask:
    """Fill what a binary map encloses on all sides.

    Parameters
    ----------
    mask : Mask

    Returns
    -------
    Mask
        As `scipy.ndimage.binary_fill_holes`: what can be reached from outside over faces stays
        empty; a gap over an edge or a corner is closed.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Mask
    >>> shell = np.ones((3, 3, 3))
    >>> shell[1, 1, 1] = 0
    >>> fill_holes(Mask.from_array(shell, Grid((3, 3, 3), np.eye(4)), "shell")).voxels
    27
    """
    from scipy.ndimage import binary_fill_holes

    return _change_box(mask, np.zeros(3, int), binary_fill_holes)


def _change_box(
    mask: Mask,
    reach: NDArray[np.integer],
    function: Callable[[NDArray[np.bool_]], NDArray[np.bool_]],
) -> Mask:
    """Change the smallest box that holds a mask and all it can grow to; elsewhere all is empty."""
    if not mask.voxels:
        return mask
    voxels = np.stack(np.unravel_index(mask.indices, mask.grid.shape, order="F"))
    first = np.maximum(voxels.min(axis=1) - reach, 0).tolist()
    last = np.minimum(voxels.max(axis=1) + reach, np.array(mask.grid.shape) - 1).tolist()
    box = tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))
    array = np.zeros(mask.grid.shape, bool)
    array[box] = function(mask.array[box])
    return replace(Mask.from_array(array, mask.grid, mask.name), notes=mask.notes)


def _element(
    grid: Grid, radius: float, unit: str, connectivity: int
) -> tuple[NDArray[np.bool_], int]:
    from scipy.ndimage import generate_binary_structure

    if not (np.isfinite(radius) and radius > 0):
        raise InputError("radius", f"is {radius}", "give a number above 0")
    if unit == "mm":
        return ball(grid, radius), 1
    if unit != "voxels":
        raise InputError("unit", f"is {unit!r}", "choose voxels or mm")
    if connectivity not in SHARED:
        remedy = "choose 6 (faces), 18 (and edges) or 26 (and corners)"
        raise InputError("connectivity", f"is {connectivity}", remedy)
    if radius != int(radius):
        raise InputError("radius", f"is {radius} voxels", "give a whole number, or choose mm")
    # After so many steps all of the image is reached, or nothing is left of it.
    steps = min(int(radius), sum(grid.shape))
    return generate_binary_structure(3, SHARED[connectivity]), steps


def ball(grid: Grid, radius_mm: float) -> NDArray[np.bool_]:
    """The voxels whose centre lies within so many mm of the middle one, on this grid.

    Parameters
    ----------
    grid : Grid
        Voxels may be of unequal edges, oblique or sheared.
    radius_mm : float

    Returns
    -------
    array of bool, odd sides

    Raises
    ------
    InputError
        Where no other voxel lies so near, or the ball is too large to be of use.

    Examples
    --------
    >>> ball(Grid((9, 9, 9), np.diag([2.0, 2, 4, 1])), 4.0).sum(axis=(0, 1)).tolist()
    [1, 13, 1]
    """
    # What lies within the ball is at most this many voxels away along an axis of the array.
    reach = np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1) * (radius_mm + _SLACK_MM)
    if reach.max() > _LARGEST_BALL or np.prod(2 * np.floor(reach) + 1) > _LARGEST_BALL:
        remedy = "give a smaller one, or several steps"
        raise InputError("radius", f"is {radius_mm:g} mm, thousands of voxels", remedy)
    sides = np.floor(reach).astype(int)
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in sides), indexing="ij"), axis=-1)
    away = np.linalg.norm(steps @ grid.affine[:3, :3].T, axis=-1)
    inside: NDArray[np.bool_] = away <= radius_mm + _SLACK_MM
    if inside.sum() == 1:
        nearest = f"the nearest voxels are {grid.voxel_size.min():g} mm off"
        problem = f"is {radius_mm:g} mm, and {nearest}"
        raise InputError("radius", problem, "give a larger one")
    return inside


# Steps from a map to a mask. Each is a small value: `apply` does the step, `summary` names it in a
# list, and `call` is its part of a recipe (see `calls`).


def check_side(side: str) -> None:
    """Raise InputError where a threshold has no such side."""
    if side not in get_args(ThresholdSide):
        raise InputError("side", f"is {side!r}", "choose above, below or both")


@dataclass(frozen=True)
class Threshold:
    """Voxels of a map beyond a value; NaN is never beyond.

    Parameters
    ----------
    value : float
    side : {"above", "below", "both"}
        ``above``: larger than it; ``below``: smaller; ``both``: of an absolute value larger.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map
    >>> stat_map = Map("t", np.array([[[-4.0, 1, 3]]]), Grid((1, 1, 3), np.eye(4)), "", "")
    >>> Threshold(2).apply(stat_map).voxels, Threshold(2, "both").apply(stat_map).voxels
    (1, 2)
    """

    value: float
    side: ThresholdSide = THRESHOLD_SIDE

    def apply(self, stat_map: Map) -> Mask:
        """The mask of a map."""
        if not np.isfinite(self.value):
            raise InputError("threshold", f"is {self.value}", "give a number")
        check_side(self.side)
        inside = (
            stat_map.array < self.value if self.side == "below" else stat_map.array > self.value
        )
        if self.side == "both":
            inside = inside | (stat_map.array < -self.value)
        return Mask.from_array(inside, stat_map.grid, stat_map.name)

    @property
    def call(self) -> Any:
        """The call that makes it."""
        return call_of(Threshold, self.value, self.side)

    @property
    def summary(self) -> str:
        """The step in a list."""
        sign = {"above": ">", "below": "<", "both": "beyond ±"}[self.side]
        return f"threshold: {sign} {self.value:g}"


@dataclass(frozen=True, eq=False)
class Within:
    """Only what lies inside another mask (logical AND).

    Parameters
    ----------
    mask : Mask
        On the same grid, or on one whose voxels coincide; what lies beyond it is not used.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Mask
    >>> grid = Grid((4, 1, 1), np.eye(4))
    >>> left, middle = Mask(grid, np.array([0, 1]), "left"), Mask(grid, np.array([1, 2]), "middle")
    >>> Within(middle).summary, Within(middle).apply(left).voxels
    ('inside middle', 1)
    """

    mask: Mask

    def apply(self, mask: Mask) -> Mask:
        """The voxels of both."""
        other = self.mask.cut_to(mask.grid)
        common = np.intersect1d(mask.indices, other.indices, assume_unique=True)
        how = other.notes[len(self.mask.notes) :]  # it was brought onto the grid
        how += compare_spaces(f"mask {self.mask.name}", self.mask.grid, "the map", mask.grid)
        return Mask(mask.grid, common.astype(np.int32), mask.name, (*mask.notes, *how))

    @property
    def summary(self) -> str:
        """The step in a list."""
        return f"inside {self.mask.name}"


@dataclass(frozen=True)
class Morph:
    """A step: dilate, erode, open or close.

    Parameters
    ----------
    operation, radius, unit, connectivity
        As for `morph_mask`.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Mask
    >>> point = Mask(Grid((5, 5, 5), np.diag([2.0, 2, 2, 1])), np.array([62]), "point")
    >>> Morph("dilate", 3, "mm").summary, Morph("dilate", 3, "mm").apply(point).voxels
    ('dilate by a ball of 3 mm', 19)
    """

    operation: Operation
    radius: float = 1
    unit: Unit = _UNIT
    connectivity: Connectivity = _NEIGHBOURS

    def apply(self, mask: Mask) -> Mask:
        """The changed mask."""
        return morph_mask(mask, self.operation, self.radius, self.unit, self.connectivity)

    def call(self, stat_map: Any, contrast: Any) -> Any:  # noqa: ARG002
        """The call that makes it."""
        # A ball in mm has no neighbours to choose.
        neighbours = self.connectivity if self.unit == "voxels" else None
        size = (self.operation, self.radius)
        return call_of(Morph, *size, unit=self.unit, connectivity=neighbours)

    @property
    def summary(self) -> str:
        """The step in a list."""
        if self.unit == "mm":
            return f"{self.operation} by a ball of {self.radius:g} mm"
        steps = f"{self.radius:g} voxel{'' if self.radius == 1 else 's'}"
        return f"{self.operation} by {steps} ({self.connectivity} neighbours)"


@dataclass(frozen=True)
class FillHoles:
    """A step: fill what is enclosed on all sides; see `fill_holes`.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Mask
    >>> shell = np.ones((3, 3, 3))
    >>> shell[1, 1, 1] = 0
    >>> mask = Mask.from_array(shell, Grid((3, 3, 3), np.eye(4)), "shell")
    >>> mask.voxels, FillHoles().apply(mask).voxels
    (26, 27)
    """

    def apply(self, mask: Mask) -> Mask:
        """The filled mask."""
        return fill_holes(mask)

    def call(self, stat_map: Any, contrast: Any) -> Any:  # noqa: ARG002
        """The call that makes it."""
        return call_of(FillHoles)

    @property
    def summary(self) -> str:
        """The step in a list."""
        return "fill holes"


Step = Within | Morph | FillHoles
"""A step from a mask to a mask."""


def run_steps(stat_map: Map, threshold: Threshold, steps: Sequence[Step] = ()) -> tuple[Mask, ...]:
    """The mask after the threshold and after each further step, in their order.

    Parameters
    ----------
    stat_map : Map
    threshold : Threshold
    steps : sequence of Within, Morph or FillHoles
        A step depends only on those before it, so the last one is undone by leaving it out.

    Returns
    -------
    tuple of Mask
        One more than there are steps, all on the grid of the map.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map
    >>> from lesion_dash.rois import Morph, Threshold
    >>> values = np.zeros((5, 5, 5))
    >>> values[2, 2, 1:4] = 3, 5, 4
    >>> stat_map = Map("t", values, Grid((5, 5, 5), np.eye(4)), "", "")
    >>> [mask.voxels for mask in run_steps(stat_map, Threshold(3), [Morph("dilate", 1)])]
    [2, 12]
    """
    masks = [threshold.apply(stat_map)]
    for step in steps:
        masks.append(step.apply(masks[-1]))
    return tuple(masks)


def mask_of_regions(atlas: Atlas, names: Sequence[str]) -> Mask:
    """The voxels of some regions of an atlas; those of any probability in a probabilistic one.

    Parameters
    ----------
    atlas : Atlas
        On the grid that the mask is to have; see their `on_grid`.
    names : sequence of str
        As in the atlas's label table, marked as doubtful or not. A name of several regions means
        all of them.

    Returns
    -------
    Mask
        On the atlas's grid.

    Raises
    ------
    InputError
        Where the atlas has no region of a name, or no name is given.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> mask_of_regions(atlas, ["Synthetic putamen L", "Synthetic putamen R"]).name
    'Synthetic putamen L + Synthetic putamen R'
    """
    if isinstance(names, str):
        names = [names]
    known = [unmarked(region.name) for region in atlas.regions]
    present = frozenset(known)
    missing = [name for name in names if unmarked(name) not in present]
    if missing or not names:
        problem = f"has no region {missing[0]!r}" if missing else "no region is named"
        near = get_close_matches(missing[0], known, n=1, cutoff=0.5) if missing else []
        remedy = "give names as in its label table" + (f", such as {near[0]!r}" if near else "")
        raise InputError(atlas.name, problem, remedy)
    requested = frozenset(map(unmarked, names))
    columns = [column for column, name in enumerate(known) if name in requested]
    rows = [atlas.maps[:, [column]].tocoo().coords[0] for column in columns]
    indices = np.unique(np.concatenate(rows)).astype(np.int32)
    return Mask(atlas.grid, indices, " + ".join(names))
