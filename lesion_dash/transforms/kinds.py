"""What the numbers of an image are: a mask, labels or intensities."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..images import Map, Mask

_ALIKE = 0.5
"""Share of neighbouring voxels above 0 with one value, from which on whole numbers are labels."""


class Taken(NamedTuple):
    """What an image is taken for, and the sentence that says so; empty where it is no question."""

    kind: Literal["mask", "labels", "intensities"]
    note: str = ""


def kind_of(found: Map | Mask, as_labels: bool | None = None) -> Taken:
    """Tell what an image is.

    Fractions and negative numbers are intensities; 0 and one other whole number are a mask; other
    whole numbers are labels where at least half of the neighbouring voxels above 0 are equal, for
    regions are of one piece and tissue is not, and intensities otherwise.

    Parameters
    ----------
    found : Map or Mask
    as_labels : bool, optional
        Take it for labels, or for intensities, whatever the rule says.

    Raises
    ------
    InputError
        Where fractions are to be labels.

    Examples
    --------
    >>> from lesion_dash import read_map
    >>> kind_of(read_map("sample_data/atlas/synthetic_atlas.nii.gz")).kind
    'labels'
    """
    if isinstance(found, Mask):
        return Taken("mask")
    array = np.nan_to_num(found.array) if found.array.dtype.kind == "f" else found.array
    is_whole = array.dtype.kind != "f" or bool((array == np.rint(array)).all())
    if as_labels is not None:
        if as_labels and not is_whole:
            problem = "holds fractions, and is to be taken for labels"
            raise InputError(found.name, problem, "labels are whole numbers")
        return (
            Taken("labels", "taken for labels, as was asked for")
            if as_labels
            else Taken("intensities", "taken for intensities, as was asked for")
        )
    if not is_whole or array.min(initial=0) < 0:
        return Taken("intensities")
    if np.count_nonzero(np.unique(array)) == 1:
        return Taken("mask", "holds 0 and one other number: taken for a mask")
    alike = _share_alike(array)
    said = f"{alike:.0%} of neighbouring voxels above 0 are equal"
    if alike >= _ALIKE:
        return Taken("labels", f"holds whole numbers, and {said}: taken for labels")
    return Taken("intensities", f"holds whole numbers, but {said}: taken for intensities")


def _share_alike(array: NDArray) -> float:
    """Of pairs of neighbouring voxels above 0, how many hold one value; 0 where there is none."""
    equal = pairs = 0
    for axis in range(3):
        one, next_one = (np.take(array, part, axis) for part in _neighbours(array.shape[axis]))
        both = (one > 0) & (next_one > 0)
        pairs += int(np.count_nonzero(both))
        equal += int(np.count_nonzero(both & (one == next_one)))
    return equal / pairs if pairs else 0.0


def _neighbours(length: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.arange(length - 1), np.arange(1, length)
