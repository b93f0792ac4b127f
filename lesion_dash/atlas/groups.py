"""Regions put together by what they are part of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import InputError
from ..label_tables import Region
from .labelled import LabelAtlas
from .probabilities import ProbabilityAtlas
from .sides import hemisphere_of, parent_of

if TYPE_CHECKING:
    from scipy import sparse

By = Literal["hemisphere", "parent"]
"""What regions can be put together by."""

_TELL = {"hemisphere": hemisphere_of, "parent": parent_of}


def group_regions(atlas: LabelAtlas | ProbabilityAtlas, by: By) -> LabelAtlas | ProbabilityAtlas:
    """Put the regions of an atlas together by hemisphere or parent, such as the lobe.

    Parameters
    ----------
    atlas : LabelAtlas or ProbabilityAtlas
    by : {"hemisphere", "parent"}
        See `hemisphere_of` and `parent_of`.

    Returns
    -------
    LabelAtlas or ProbabilityAtlas
        Of the same kind and grid. Groups are numbered from 1 in the order in which the regions
        name them; regions that name none are the last group. The probability of a group is the
        sum of those of its regions, 1 at most.

    Raises
    ------
    InputError
        Where no region has a hemisphere or parent.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> [region.name for region in group_regions(atlas, "hemisphere").regions]
    ['left', 'right']
    """
    if by not in _TELL:
        raise InputError("by", f"{by!r} is no way to group regions", "give hemisphere or parent")
    told = [_TELL[by](region) for region in atlas.regions]
    if not any(told):
        remedy = f"give a label table with a column {by}"
        raise InputError(atlas.name, f"no region has a {by}", remedy)
    names = [*dict.fromkeys(filter(None, told)), *([""] if "" in told else [])]
    numbers = {name: number for number, name in enumerate(names, start=1)}
    groups = [numbers[name] for name in told]
    regions = tuple(Region(number, name or f"no {by} given") for name, number in numbers.items())
    grouped = replace(atlas, name=f"{atlas.name} by {by}", regions=regions)
    if isinstance(grouped, LabelAtlas):
        return replace(grouped, labels=_group_labels(atlas.regions, grouped, groups))
    return replace(grouped, maps=_group_maps(grouped.maps, groups))


def _group_labels(
    regions: tuple[Region, ...], atlas: LabelAtlas, groups: Sequence[int]
) -> np.ndarray:
    """Put the number of the group in place of every label."""
    numbers = dict(zip((region.label for region in regions), groups, strict=True))
    found, place = np.unique(atlas.labels, return_inverse=True)
    table = np.array([numbers.get(label, 0) for label in found.tolist()], np.int32)
    labels = table[place].reshape(atlas.labels.shape)
    labels.setflags(write=False)
    return labels


def _group_maps(maps: sparse.csc_array, groups: Sequence[int]) -> sparse.csc_array:
    from scipy import sparse

    regions = np.arange(len(groups))
    members = sparse.csc_array(
        (np.ones(len(groups)), (regions, np.array(groups) - 1)), (len(groups), max(groups))
    )
    summed = sparse.csc_array(maps @ members)
    summed.sort_indices()
    summed.data = np.minimum(summed.data, 1.0)
    return summed
