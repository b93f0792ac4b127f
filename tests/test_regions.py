"""Counting a map region by region."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import AFFINE

from lesion_dash import Grid, LabelAtlas, Mask, count_regions
from lesion_dash.label_tables import Region

SHAPE = (4, 3, 5)
GRID = Grid(SHAPE, AFFINE)
REGIONS = tuple(Region(label, f"region {label}") for label in (1, 2, 7, 2_000_000_000))
MASKS = hnp.arrays(bool, SHAPE)
LABELS = hnp.arrays(np.int64, SHAPE, elements=st.sampled_from([0, 1, 2, 7, 2_000_000_000]))


def count(array, labels, grid=GRID):
    return count_regions(Mask.from_array(array, GRID, "m"), LabelAtlas("a", grid, labels, REGIONS))


@given(MASKS, LABELS)
def test_counts_are_those_of_plain_numpy_and_add_up(array, labels):
    table = count(array, labels).table
    assert table["voxels"].sum() == array.sum()
    for row in table.itertuples():
        inside = labels == row.label
        assert row.voxels == (array & inside).sum()
        assert row.volume_mm3 == row.voxels * 8
        if array.any():
            assert row.percent_of_map == pytest.approx(100 * row.voxels / array.sum())
        if row.label and inside.any():
            assert row.percent_of_region == pytest.approx(100 * row.voxels / inside.sum())


@given(MASKS, LABELS)
def test_rows_are_largest_first_and_the_outside_is_last(array, labels):
    table = count(array, labels).table
    assert table["region"].iloc[-1] == "outside the atlas"
    assert table["voxels"].iloc[:-1].is_monotonic_decreasing
    assert len(table) == len(REGIONS) + 1


@given(MASKS, LABELS)
def test_the_place_of_a_row_lies_in_map_and_region(array, labels):
    for row in count(array, labels).table.itertuples():
        place = (row.x_mm, row.y_mm, row.z_mm)
        if row.voxels == 0:
            assert np.isnan(place).all()
        else:
            voxel = GRID.nearest_voxel(place)
            assert array[voxel]
            assert labels[voxel] == row.label


def test_an_atlas_on_a_coarser_grid_still_adds_up():
    coarse = Grid((2, 2, 3), AFFINE @ np.diag([2.0, 2, 2, 1]))
    labels = np.arange(12).reshape(2, 2, 3) % 3
    counts = count(np.ones(SHAPE, bool), labels, coarse)
    assert counts.table["voxels"].sum() == np.prod(SHAPE)
    assert any("resampled" in note for note in counts.notes)
