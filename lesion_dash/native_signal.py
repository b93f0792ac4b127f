"""Signal and contrast to noise of a template's region, measured on the native image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .atlas import resample_sparse
from .errors import InputError
from .grid import Grid
from .images import MapLike, Mask, MaskLike, as_map
from .region_masks import RegionMap
from .region_masks.placing import check_overlap
from .signal_quality import DEFINITIONS, Definition, SignalQuality, measure_signal
from .signal_quality.scene import check_same_grid

_FEWEST_RESAMPLES = 100
"""To see whether a region is refused, no interval is needed."""

_INPUTS = {
    "background": ("background",),
    "air": ("air",),
    "pair_signal": ("second",),
    "difference": ("second",),
    "pair_background": ("background", "second"),
}
"""What has to be given for a role of a definition."""


@dataclass(frozen=True, eq=False)
class NativeSignal:
    """What could be measured, and why the rest could not.

    Parameters
    ----------
    quality : SignalQuality
    given : tuple of str
        Which of ``background``, ``second`` and ``air`` were given.
    refusals : dict of str to InputError
        What is wrong with those that are.
    """

    quality: SignalQuality
    given: tuple[str, ...]
    refusals: dict[str, InputError]

    @property
    def refused(self) -> tuple[tuple[Definition, InputError], ...]:
        """Definitions whose inputs were given, and what is wrong with one of these."""
        found = []
        for one in DEFINITIONS:
            inputs = {name for role in one.needs for name in _INPUTS.get(role, ())}
            wrong = [error for name, error in self.refusals.items() if name in inputs]
            if wrong and inputs <= set(self.given):
                found.append((one, wrong[0]))
        return tuple(found)


def region_on(region: RegionMap, grid: Grid) -> RegionMap:
    """A region with its probabilities on another grid, for many thresholds to be tried there.

    Parameters
    ----------
    region : RegionMap
    grid : Grid

    Returns
    -------
    RegionMap
        Whose masks on the grid are those of the region, found faster; a region of labels, and one
        that lies on the grid, as it is.

    Raises
    ------
    InputError
        Where map and grid do not overlap.
    """
    if region.probabilities is None or region.grid.matches(grid):
        return region
    check_overlap(region.name, region.grid, grid)
    places, shares = resample_sparse(region.indices, region.probabilities, region.grid, grid)
    note = f"probabilities brought from {region.grid} to these voxels by linear interpolation"
    notes = (*region.notes, note)
    return replace(region, grid=grid, indices=places, probabilities=shares, notes=notes)


def leave_out(mask: Mask, other: Mask) -> Mask:
    """A mask without the voxels of another one, such as that of its neighbour.

    Two regions that touch may come to share voxels where an image is coarser than their map.

    Parameters
    ----------
    mask, other : Mask
        On one grid.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Grid((2, 2, 2), np.eye(4))
    >>> fat, nerve = Mask(grid, np.array([1, 2, 3]), "fat"), Mask(grid, np.array([3]), "nerve")
    >>> leave_out(fat, nerve).indices.tolist()
    [1, 2]
    """
    kept = np.setdiff1d(mask.indices, other.indices, assume_unique=True)
    shared = mask.voxels - kept.size
    if not shared:
        return mask
    note = f"{mask.name}: {shared:,} of its voxels left out, as {other.name} has them as well"
    return replace(mask, indices=kept, notes=(*mask.notes, note))


def measure_native(
    image: MapLike,
    signal: MaskLike,
    background: MaskLike | None = None,
    *,
    second: MapLike | None = None,
    air: MaskLike | None = None,
    coils: int = 1,
) -> NativeSignal:
    """Measure what can be measured: a background that holds no noise does not refuse the rest.

    Parameters are those of `measure_signal`.

    Raises
    ------
    InputError
        Where the image or the signal's mask cannot be used, masks share voxels, or the second
        acquisition is on another grid.
    """
    if second is not None:
        image, second = as_map(image), as_map(second)
        check_same_grid(image, second)
    given = {"background": background, "second": second, "air": air}
    extras = {name: one for name, one in given.items() if one is not None}
    try:
        return NativeSignal(_measure(image, signal, extras, coils), tuple(extras), {})
    except InputError as error:
        measure_signal(image, signal, resamples=_FEWEST_RESAMPLES)  # raises where it is the signal
        refusals = _refusals(image, signal, extras)
        if not refusals:
            raise  # all are well alone, such as masks that share voxels with one another
        rest = {name: one for name, one in extras.items() if name not in refusals}
        try:
            return NativeSignal(_measure(image, signal, rest, coils), tuple(extras), refusals)
        except InputError:
            raise error from None


def _measure(
    image: MapLike, signal: MaskLike, extras: Mapping[str, Any], coils: int
) -> SignalQuality:
    return measure_signal(image, signal, coils=coils, **extras)


def _refusals(image: MapLike, signal: MaskLike, extras: Mapping[str, Any]) -> dict[str, InputError]:
    refusals = {}
    for name, one in extras.items():
        try:
            measure_signal(image, signal, resamples=_FEWEST_RESAMPLES, **{name: one})
        except InputError as error:
            refusals[name] = error
    return refusals
