"""Regions put together by hemisphere or parent."""

from __future__ import annotations

import numpy as np
import pytest
from atlases import probability_atlas
from phantoms import AFFINE

from lesion_dash.atlas.atlas import OUTSIDE, LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.atlas.grouping import group_regions
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid

GRID = Grid((3, 4, 5), AFFINE)
REGIONS = (
    Region(2001, "Precentral_R", {"parent": "frontal"}),
    Region(9, "Vermis"),
    Region(3, "Cuneus_L", {"parent": "occipital"}),
    Region(4, "Insula_R", {"parent": "frontal"}),
)
LABELS = np.random.default_rng(5).choice([0, 3, 4, 9, 2001], GRID.shape)


def test_labels_become_those_of_their_groups():
    grouped = group_regions(LabelAtlas("made", GRID, LABELS, REGIONS), "parent")
    wanted = {0: OUTSIDE, 3: "occipital", 4: "frontal", 9: "no parent given", 2001: "frontal"}
    for voxel in np.ndindex(GRID.shape):
        assert grouped.names[grouped.labels[voxel]] == wanted[LABELS[voxel]]
    assert [region.name for region in grouped.regions] == [
        "frontal",
        "occipital",
        "no parent given",
    ]
    assert not grouped.labels.flags.writeable


def test_a_group_is_as_likely_as_its_regions_together():
    values = np.random.default_rng(6).random((4, *GRID.shape))
    grouped = group_regions(probability_atlas(values, GRID, REGIONS), "hemisphere")
    right, left, neither = (
        grouped.maps[:, [column]].toarray().reshape(GRID.shape, order="F") for column in range(3)
    )
    np.testing.assert_allclose(right, np.minimum(values[0] + values[3], 1), rtol=1e-15)
    np.testing.assert_array_equal(left, values[2])
    np.testing.assert_array_equal(neither, values[1])
    assert [region.name for region in grouped.regions] == ["right", "left", "no hemisphere given"]


def test_grouping_changes_no_atlas():
    atlas = LabelAtlas("made", GRID, LABELS.copy(), REGIONS)
    group_regions(atlas, "hemisphere")
    np.testing.assert_array_equal(atlas.labels, LABELS)


def test_an_atlas_that_names_no_parents_is_told():
    bare = tuple(Region(region.label, region.name) for region in REGIONS)
    with pytest.raises(InputError, match="made: no region has a parent; give a label table"):
        group_regions(LabelAtlas("made", GRID, LABELS, bare), "parent")


def test_another_way_to_group_is_refused():
    with pytest.raises(InputError, match="'size' is no way to group regions"):
        group_regions(LabelAtlas("made", GRID, LABELS, REGIONS), "size")
