"""A labelled atlas counted by its labels gives what its maps of 1 give."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import AFFINE

from lesion_dash.atlas.atlas import LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.core.grid import Grid
from lesion_dash.images.masks import Mask
from lesion_dash.regions.counts import probabilities_in, region_shares, shares_of_maps

SHAPE = (4, 3, 5)
GRID = Grid(SHAPE, AFFINE)
REGIONS = tuple(Region(label, f"region {label}") for label in (1, 2, 7, 300))
LABELS = hnp.arrays(np.int16, SHAPE, elements=st.sampled_from([0, 1, 2, 7]))  # none of 300


def shares_of(mask, labels):
    return region_shares(Mask.from_array(mask, GRID, "m"), LabelAtlas("a", GRID, labels, REGIONS))


def same(one, two):
    for field in fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name))


@given(hnp.arrays(bool, SHAPE), LABELS)
def test_labels_give_what_their_maps_give(array, labels):
    mask, atlas = Mask.from_array(array, GRID, "m"), LabelAtlas("a", GRID, labels, REGIONS)
    same(region_shares(mask, atlas), shares_of_maps(probabilities_in(mask, atlas)))


@given(hnp.arrays(bool, SHAPE), LABELS)
def test_labels_are_counted_as_by_numpy(array, labels):
    shares = shares_of(array, labels)
    assert shares.voxels.tolist() == [(labels[array] == one.label).sum() for one in REGIONS]
    assert shares.missed == (labels[array] == 0).sum()


def test_a_map_of_several_pieces_is_counted_whole():
    """More voxels than are counted at once."""
    shape = (80, 80, 80)
    rng = np.random.default_rng(5)
    labels = rng.choice([0, 1, 2, 7], shape).astype(np.int16)
    grid = Grid(shape, AFFINE)
    mask = Mask.from_array(np.ones(shape, bool), grid, "all")
    shares = region_shares(mask, LabelAtlas("a", grid, labels, REGIONS))
    assert shares.voxels.tolist() == [(labels == one.label).sum() for one in REGIONS]
    assert shares.missed + shares.voxels.sum() == mask.voxels


def test_more_regions_than_a_byte_holds_are_told_apart():
    labels = np.arange(60 * 10, dtype=np.int32).reshape((10, 10, 6), order="F")
    grid = Grid(labels.shape, AFFINE)
    atlas = LabelAtlas("a", grid, labels, tuple(Region(n, f"r{n}") for n in range(1, 600)))
    shares = region_shares(Mask.from_array(labels >= 290, grid, "m"), atlas)
    assert np.flatnonzero(shares.voxels).tolist() == list(range(289, 599))
