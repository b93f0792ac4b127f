"""Counting a map region by region."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from atlases import probability_atlas, turned
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import AFFINE

from lesion_dash import Grid, LabelAtlas, Mask, count_regions
from lesion_dash.atlas.formats import Region
from lesion_dash.regions.counts import (
    EXPECTED_COLUMNS,
    probabilities_in,
    region_shares,
    shares_of_maps,
)

SHAPE = (4, 3, 5)
GRID = Grid(SHAPE, AFFINE)
REGIONS = tuple(Region(label, f"region {label}") for label in (1, 2, 7, 2_000_000_000))
MAPPED = (Region(0, "alpha"), Region(1, "beta"), Region(2, "gamma"))
MASKS = hnp.arrays(bool, SHAPE)
LABELS = hnp.arrays(np.int64, SHAPE, elements=st.sampled_from([0, 1, 2, 7, 2_000_000_000]))
# Multiples of 1/32 are summed without rounding; three of them up to 10/32 are at most 1.
WITHIN_1 = hnp.arrays(np.int64, (3, *SHAPE), elements=st.integers(0, 10)).map(lambda a: a / 32)
ABOVE_1 = hnp.arrays(np.int64, (3, *SHAPE), elements=st.integers(0, 32)).map(lambda a: a / 32)
# Real probabilities; values of a billionth count as the rounding of a 0.
ANY = hnp.arrays(float, (3, *SHAPE), elements=st.just(0.0) | st.floats(2**-20, 1, width=32))


def mask_of(array):
    return Mask.from_array(array, GRID, "m")


def count(array, labels, grid=GRID, regions=REGIONS):
    return count_regions(mask_of(array), LabelAtlas("a", grid, labels, regions))


def count_likely(array, maps, grid=GRID, regions=MAPPED):
    return count_regions(mask_of(array), probability_atlas(maps, grid, regions))


@given(MASKS, LABELS)
def test_counts_are_those_of_plain_numpy_and_add_up(array, labels):
    table = count(array, labels).table
    assert table["voxels"].sum() == array.sum()
    assert table["region"].iloc[-1] == "outside the atlas"
    assert table["voxels"].iloc[:-1].is_monotonic_decreasing
    assert len(table) == len(REGIONS) + 1
    for row in table.itertuples():
        inside = labels == row.label
        assert row.voxels == (array & inside).sum()
        assert row.volume_mm3 == row.voxels * 8
        if array.any():
            assert row.percent_of_map == pytest.approx(100 * row.voxels / array.sum())
        if row.label and inside.any():
            assert row.percent_of_region == pytest.approx(100 * row.voxels / inside.sum())
            assert row.dice == pytest.approx(2 * row.voxels / (array.sum() + inside.sum()))


@given(MASKS, LABELS)
def test_the_place_of_a_row_lies_in_map_and_region(array, labels):
    counts = count(array, labels)
    for row, place in zip(counts.rows, counts.places, strict=True):
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


@given(MASKS, ABOVE_1)
def test_probabilities_are_summed_voxel_by_voxel(array, maps):
    counts = count_likely(array, maps)
    row_of = {row.region: row for row in counts.rows}
    for region, chances in zip(MAPPED, maps, strict=True):
        inside = [float(chances[voxel]) for voxel in np.ndindex(SHAPE) if array[voxel]]
        row = row_of[region.name]
        assert row.voxels == sum(chance > 0 for chance in inside)
        assert row.expected_voxels == math.fsum(inside)
        assert row.expected_volume_mm3 == 8 * math.fsum(inside)
        assert row.max_probability == max(inside, default=0)
        if inside:
            assert row.mean_probability == pytest.approx(np.mean(inside))
        if chances.any():
            expected = 100 * math.fsum(inside) / math.fsum(chances.ravel())
            assert row.expected_percent_of_region == pytest.approx(expected)
            assert row.percent_of_region == 100 * row.voxels / np.count_nonzero(chances)


@given(MASKS, WITHIN_1)
def test_expected_voxels_add_up_to_the_map_where_probabilities_do_to_one(array, maps):
    counts = count_likely(array, maps)
    assert sum(row.expected_voxels for row in counts.rows) == array.sum()
    assert counts.rows[-1].voxels == (array & ~maps.any(axis=0)).sum()
    assert not any("more than 1" in note for note in counts.notes)


@given(MASKS, ABOVE_1)
def test_where_probabilities_exceed_one_it_is_said(array, maps):
    counts = count_likely(array, maps)
    sums = maps.sum(axis=0)[array]
    above = np.maximum(sums - 1, 0).sum()
    assert sum(row.expected_voxels for row in counts.rows) == array.sum() + above
    assert any("more than 1" in note for note in counts.notes) == bool(above)
    assert any("overlap" in note for note in counts.notes) == bool(
        ((maps > 0).sum(axis=0)[array] > 1).any()
    )


def assert_equal_tables(counts, other):
    pd.testing.assert_frame_equal(counts.table, other.table, check_exact=True)


@settings(max_examples=40)
@given(MASKS, LABELS, ANY)
def test_a_turned_and_mirrored_atlas_gives_the_same_table(array, labels, maps):
    (moved,), grid = turned([labels], GRID)
    assert_equal_tables(count(array, moved, grid), count(array, labels))
    moved, grid = turned(maps, GRID)
    assert_equal_tables(count_likely(array, moved, grid), count_likely(array, maps))


@settings(max_examples=40)
@given(MASKS, LABELS, WITHIN_1)
def test_a_turned_and_mirrored_map_gives_the_same_table(array, labels, maps):
    """The map moves, the atlases stay; the margin around the map is empty."""
    (moved,), grid = turned([array], GRID)
    mask = Mask.from_array(moved, grid, "m")
    labelled, likely = LabelAtlas("a", GRID, labels, REGIONS), probability_atlas(maps, GRID, MAPPED)
    assert_equal_tables(count_regions(mask, labelled), count(array, labels))
    assert_equal_tables(count_regions(mask, likely), count_likely(array, maps))


@settings(max_examples=40)
@given(MASKS, WITHIN_1, st.permutations(range(3)))
def test_the_order_of_the_maps_does_not_matter(array, maps, order):
    regions = [MAPPED[place] for place in order]
    reordered = count_likely(array, maps[list(order)], regions=regions)
    assert_equal_tables(reordered, count_likely(array, maps))


@given(MASKS, LABELS)
def test_a_column_means_the_same_for_both_kinds_of_atlas(array, labels):
    maps = [labels == region.label for region in REGIONS]
    counted, likely = count(array, labels), count_likely(array, maps, regions=REGIONS)
    for row, other in zip(counted.rows, likely.rows, strict=True):
        for field in {field.name for field in fields(row)} - {"label"}:
            np.testing.assert_equal(getattr(row, field), getattr(other, field))
        assert row.expected_voxels == row.voxels
    np.testing.assert_equal(counted.places, likely.places)


def test_a_labelled_atlas_has_no_columns_that_repeat_others():
    labels, ones = np.ones(SHAPE, int), np.ones(SHAPE, bool)
    assert not set(EXPECTED_COLUMNS) & set(count(ones, labels).table)
    assert set(EXPECTED_COLUMNS) <= set(count_likely(ones, [labels] * 3).table)


SIDED = (
    Region(1, "insula L", {"parent": "insula"}),
    Region(2, "insula R", {"parent": "insula"}),
    Region(7, "putamen L"),
    Region(2_000_000_000, "brainstem"),
)


@given(MASKS, LABELS)
def test_hemispheres_and_parents_are_counted_as_one_region_each(array, labels):
    counts = count(array, labels, regions=SIDED)
    assert {"hemisphere", "parent"} <= set(counts.table)
    by_side = {row.region: row for row in counts.rolled_up("hemisphere").rows}
    left = np.isin(labels, [1, 7])
    assert by_side["left"].voxels == (array & left).sum()
    assert by_side["no hemisphere given"].voxels == (array & (labels == 2_000_000_000)).sum()
    by_parent = {row.region: row for row in counts.rolled_up("parent").rows}
    assert list(by_parent)[-1] == "outside the atlas"
    assert by_parent["insula"].voxels == (array & np.isin(labels, [1, 2])).sum()
    for rolled in (by_side, by_parent):
        assert sum(row.voxels for row in rolled.values()) == array.sum()


@given(MASKS, ABOVE_1)
def test_a_voxel_counts_once_in_a_group_of_probability_maps(array, maps):
    regions = (Region(0, "alpha L"), Region(1, "beta L"), Region(2, "gamma R"))
    rows = count_likely(array, maps, regions=regions).rolled_up("hemisphere").rows
    row_of = {row.region: row for row in rows}
    chances = np.minimum(maps[0] + maps[1], 1)
    assert row_of["left"].voxels == (array & (chances > 0)).sum()
    assert row_of["left"].expected_voxels == chances[array].sum()
    assert row_of["right"].expected_voxels == maps[2][array].sum()


# Shares of regions: a labelled atlas counted by its labels gives what its maps of 1 give.


@given(MASKS, LABELS)
def test_labels_give_what_their_maps_give(array, labels):
    mask, atlas = mask_of(array), LabelAtlas("a", GRID, labels, REGIONS)
    parts, expected = region_shares(mask, atlas), shares_of_maps(probabilities_in(mask, atlas))
    for field in fields(parts):
        np.testing.assert_array_equal(getattr(parts, field.name), getattr(expected, field.name))


def test_a_map_of_several_pieces_is_counted_whole():
    """More voxels than are counted at once."""
    labels = np.random.default_rng(5).choice([0, 1, 2, 7], (80, 80, 80))
    grid = Grid(labels.shape, AFFINE)
    mask = Mask.from_array(np.ones(grid.shape, bool), grid, "all")
    parts = region_shares(mask, LabelAtlas("a", grid, labels, REGIONS))
    assert parts.voxels.tolist() == [(labels == region.label).sum() for region in REGIONS]
    assert parts.missed + parts.voxels.sum() == mask.voxels


def test_more_regions_than_a_byte_holds_are_told_from_each_other():
    labels = np.arange(60 * 10, dtype=np.int32).reshape((10, 10, 6), order="F")
    grid = Grid(labels.shape, AFFINE)
    atlas = LabelAtlas("a", grid, labels, tuple(Region(n, f"r{n}") for n in range(1, 600)))
    parts = region_shares(Mask.from_array(labels >= 290, grid, "m"), atlas)
    assert np.flatnonzero(parts.voxels).tolist() == list(range(289, 599))
