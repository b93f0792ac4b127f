"""Steps from a map to a mask, each a small value that can be told, undone and redone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import numpy as np

from ..atlas import Atlas
from ..components import Connectivity
from ..errors import InputError
from ..images import Map, Mask
from .morphology import Operation, Unit, fill_holes, morph_mask

Side = Literal["above", "below", "both"]


def check_side(side: str) -> None:
    """Raise InputError where a side of a threshold is none."""
    if side not in ("above", "below", "both"):
        raise InputError("side", f"is {side!r}", "choose above, below or both")


@dataclass(frozen=True)
class Threshold:
    """Voxels of a map beyond a value; NaN is never beyond.

    Parameters
    ----------
    value : float
    side : {"above", "below", "both"}
        ``above``: larger than it; ``below``: smaller; ``both``: of an absolute value larger.
    """

    value: float
    side: Side = "above"

    def apply(self, found: Map) -> Mask:
        """The mask of a map."""
        if not np.isfinite(self.value):
            raise InputError("threshold", f"is {self.value}", "give a number")
        check_side(self.side)
        inside = found.array < self.value if self.side == "below" else found.array > self.value
        if self.side == "both":
            inside = inside | (found.array < -self.value)
        return Mask.from_array(inside, found.grid, found.name)

    @property
    def words(self) -> str:
        """What is done, for a list of steps."""
        sign = {"above": ">", "below": "<", "both": "beyond ±"}[self.side]
        return f"threshold: {sign} {self.value:g}"


@dataclass(frozen=True, eq=False)
class Within:
    """Only what lies inside another mask (logical AND).

    Parameters
    ----------
    mask : Mask
        On the same grid, or on one whose voxels coincide.
    """

    mask: Mask

    def apply(self, mask: Mask) -> Mask:
        """The voxels of both."""
        other = self.mask.on_grid(mask.grid)
        common = np.intersect1d(mask.indices, other.indices, assume_unique=True)
        how = other.notes[len(self.mask.notes) :]  # it was brought onto the grid
        return Mask(mask.grid, common.astype(np.int32), mask.name, (*mask.notes, *how))

    @property
    def words(self) -> str:
        """What is done, for a list of steps."""
        return f"inside {self.mask.name}"


@dataclass(frozen=True)
class Morph:
    """Dilate, erode, open or close; see `morph_mask`."""

    operation: Operation
    radius: float = 1
    unit: Unit = "voxels"
    connectivity: Connectivity = 6

    def apply(self, mask: Mask) -> Mask:
        """The changed mask."""
        return morph_mask(mask, self.operation, self.radius, self.unit, self.connectivity)

    @property
    def words(self) -> str:
        """What is done, for a list of steps."""
        if self.unit == "mm":
            return f"{self.operation} by a ball of {self.radius:g} mm"
        steps = f"{self.radius:g} voxel{'' if self.radius == 1 else 's'}"
        return f"{self.operation} by {steps} ({self.connectivity} neighbours)"


@dataclass(frozen=True)
class FillHoles:
    """Fill what is enclosed on all sides."""

    def apply(self, mask: Mask) -> Mask:
        """The filled mask."""
        return fill_holes(mask)

    @property
    def words(self) -> str:
        """What is done, for a list of steps."""
        return "fill holes"


Step = Within | Morph | FillHoles
"""A step from a mask to a mask."""


def run_steps(found: Map, threshold: Threshold, steps: Sequence[Step] = ()) -> tuple[Mask, ...]:
    """The mask after the threshold and after each further step, in their order.

    Parameters
    ----------
    found : Map
    threshold : Threshold
    steps : sequence of Within, Morph or FillHoles
        A step depends on those before it only: undoing the last one is leaving it out.

    Returns
    -------
    tuple of Mask
        One more than there are steps, all on the grid of the map.

    Examples
    --------
    >>> from lesion_dash import Grid, Map
    >>> values = np.zeros((5, 5, 5))
    >>> values[2, 2, 1:4] = 3, 5, 4
    >>> found = Map("t", values, Grid((5, 5, 5), np.eye(4)), "", "")
    >>> [mask.voxels for mask in run_steps(found, Threshold(3), [Morph("dilate", 1)])]
    [2, 12]
    """
    masks = [threshold.apply(found)]
    for step in steps:
        masks.append(step.apply(masks[-1]))
    return tuple(masks)


def mask_of_regions(atlas: Atlas, names: Sequence[str]) -> Mask:
    """The voxels of some regions of an atlas; those of any probability in a probabilistic one.

    Parameters
    ----------
    atlas : LabelAtlas or ProbabilityAtlas
        On the grid the mask is wanted on; see their `on_grid`.
    names : sequence of str
        As in the atlas's label table. A name that several regions bear means all of them.

    Returns
    -------
    Mask
        On the atlas's grid.

    Raises
    ------
    InputError
        Where a name is none of the atlas, or no name is given.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> mask_of_regions(atlas, ["Synthetic putamen L", "Synthetic putamen R"]).name
    'Synthetic putamen L + Synthetic putamen R'
    """
    if isinstance(names, str):
        names = [names]
    known = [region.name for region in atlas.regions]
    present = frozenset(known)
    missing = [name for name in names if name not in present]
    if missing or not names:
        problem = f"has no region {missing[0]!r}" if missing else "no region is named"
        near = get_close_matches(missing[0], known, n=1, cutoff=0.5) if missing else []
        remedy = "give names as in its label table" + (f", such as {near[0]!r}" if near else "")
        raise InputError(atlas.name, problem, remedy)
    asked = frozenset(names)
    columns = [column for column, name in enumerate(known) if name in asked]
    rows = [atlas.maps[:, [column]].tocoo().coords[0] for column in columns]
    indices = np.unique(np.concatenate(rows)).astype(np.int32)
    return Mask(atlas.grid, indices, " + ".join(names))
