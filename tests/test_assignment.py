"""Assignment: against its definitions, voxel by voxel; on any grid; and what must not change it."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from assigning import by_definition, dictionary_of
from atlases import turned
from blobs import (
    COARSE,
    GRID,
    LABELS,
    REGIONS,
    SHAPE,
    chances,
    label_atlas,
    likely_atlas,
    map_of,
    statistic,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.image import resample_to_img
from phantoms import image

import lesion_dash as ld
from lesion_dash import Grid, InputError, LabelAtlas, Mask, find_components
from lesion_dash.atlas.atlas import OUTSIDE
from lesion_dash.atlas.formats import Region
from lesion_dash.regions.assignment import COLUMNS, SIIBRA_COLUMNS
from lesion_dash.regions.overlap_scores import match_regions, sum_regions


def assign(array=None, atlas=None, grid=GRID, **choices):
    """The blobs and the likely atlas, where nothing else is given."""
    source = map_of(statistic(grid) if array is None else array, grid)
    return ld.assign_regions(source, likely_atlas() if atlas is None else atlas, **choices)


def memberships(labels=LABELS):
    return [(labels == region.label).astype(float) for region in REGIONS]


CASES = {
    "probabilities": (likely_atlas(), chances(), 0.0),
    "lower threshold": (likely_atlas(), chances(), 0.2),
    "labels": (label_atlas(), memberships(), 0.0),
}
each_case = pytest.mark.parametrize(("atlas", "arrays", "lower"), CASES.values(), ids=CASES)


@each_case
@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_siibras_columns_are_those_of_the_definitions(atlas, arrays, lower, threshold):
    assignment = assign(None, atlas, threshold=threshold, lower_threshold=lower)
    table = assignment.siibra_table
    assert tuple(table) == SIIBRA_COLUMNS
    expected = by_definition(assignment.components, arrays, lower, beyond=1)
    assert len(expected) >= 2
    assert table["input structure"].tolist() == expected["number"].tolist()
    assert table["volume"].tolist() == expected["column"].tolist()
    assert table["region"].tolist() == [REGIONS[column].name for column in expected["column"]]
    for column in SIIBRA_COLUMNS[4:]:
        np.testing.assert_allclose(table[column], expected[column], rtol=1e-11, atol=1e-13)


@each_case
@pytest.mark.parametrize("signs", ["positive", "both"])
def test_the_full_table_is_that_of_the_definitions(atlas, arrays, lower, signs):
    assignment = assign(None, atlas, signs=signs, lower_threshold=lower)
    table = assignment.table
    assert tuple(table) == COLUMNS
    table = table[table["region"] != OUTSIDE].reset_index(drop=True)
    expected = by_definition(assignment.components, arrays, lower)
    same = {
        "component": expected["number"],
        "voxels": expected["voxels"],
        "volume_mm3": 8.0 * expected["voxels"],
        "percent_of_component": 100 * expected["input containedness"],
        "percent_of_region": 100 * expected["map containedness"],
        "weighted_mean_probability": expected["map weighted mean"],
        "region_max_probability": expected["map value"],
        "weighted_mean_value": expected["input weighted mean"],
        "intersection_over_union": expected["intersection over union"],
    }
    own = ("correlation", "expected_voxels", "mean_probability", "max_probability")
    same |= {column: expected[column] for column in (*own, "percent_of_region_probability")}
    for column, values in same.items():
        np.testing.assert_allclose(table[column], values, rtol=1e-11, atol=1e-13, err_msg=column)


def test_numbers_that_can_be_counted_by_hand():
    region, cluster = np.zeros(SHAPE), np.zeros(SHAPE)
    region[1:5, 3, 3] = 1.0, 0.5, 0.25, 0.25  # four voxels, a sum of 2
    cluster[3:5, 3, 3], cluster[5, 3, 3] = (2.0, 6.0), 2.0  # shares two of its three voxels
    table = assign(cluster, likely_atlas([region, *chances()[1:]])).table
    row = table[table["region"] == "insula"].iloc[0]
    assert (row["component_voxels"], row["component_volume_mm3"]) == (3, 24.0)
    assert (row["voxels"], row["volume_mm3"]) == (2, 16.0)
    assert row["percent_of_component"] == pytest.approx(200 / 3)
    assert (row["percent_of_region"], row["intersection_over_union"]) == (50.0, 0.4)
    assert (row["expected_voxels"], row["max_probability"]) == (0.5, 0.25)
    assert row["mean_probability"] == pytest.approx(0.5 / 3)
    assert row["weighted_mean_probability"] == pytest.approx(2.0 / 10)
    assert row["percent_of_region_probability"] == 25.0
    assert (row["region_max_probability"], row["weighted_mean_value"]) == (1.0, 1.0)
    assert row["correlation"] == pytest.approx(
        np.corrcoef([1, 0.5, 0.25, 0.25, 0], [0, 0, 2, 6, 2])[0, 1]
    )
    assert (row["peak_value"], row["peak_x_mm"], row["sign"]) == (6.0, -3.0, 1)


def test_the_row_outside_holds_the_rest():
    assignment = assign(signs="both", min_size_voxels=0)
    outside = assignment.table[assignment.table["region"] == OUTSIDE]
    assert outside["component"].tolist() == [part.number for part in assignment.components]
    anywhere = np.any(chances(), axis=0)
    for part, voxels in zip(assignment.components, outside["voxels"], strict=True):
        assert voxels == sum(not anywhere[voxel] for voxel in dictionary_of(part))
    rest = np.maximum(0, 1 - np.sum(chances(), axis=0))
    assert rest.min() == 0
    for part, expected in zip(assignment.components, outside["expected_voxels"], strict=True):
        assert expected == pytest.approx(sum(rest[voxel] for voxel in dictionary_of(part)))
    assert outside["correlation"].isna().all()


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 3), min_size=60, max_size=60),
    st.lists(st.integers(-2, 2), min_size=60, max_size=60),
)
def test_regions_and_outside_add_up_to_each_component(labels, values):
    grid = Grid((5, 4, 3), np.diag([2.0, 3, 4, 1]))
    labels = np.reshape(labels, grid.shape)
    labels[0, 0, 0] = 1  # an atlas without any region is refused
    atlas = LabelAtlas("made", grid, labels, tuple(Region(k, f"r{k}") for k in (1, 2, 3)))
    array = np.reshape(values, grid.shape)
    assignment = assign(array, atlas, grid, signs="both", min_size_voxels=0)
    sums = assignment.table.groupby("component")[
        ["voxels", "volume_mm3", "percent_of_component"]
    ].sum()
    assert sums["voxels"].tolist() == [part.voxels for part in assignment.components]
    assert sums["voxels"].sum() == np.count_nonzero(array)
    assert sums["volume_mm3"].sum() == 24.0 * np.count_nonzero(array)
    np.testing.assert_allclose(sums["percent_of_component"].astype(float), 100)
    by_region = assignment.table.groupby("label")["voxels"].sum()
    for label in range(4):
        assert by_region.get(label, 0) == np.count_nonzero(array[labels == label])


def test_expected_voxels_add_up_where_probabilities_do():
    halves = [part / 2 for part in chances()]
    assignment = assign(None, likely_atlas(halves), signs="both")
    for rows, part in zip(
        assignment.table.groupby("component"), assignment.components, strict=True
    ):
        assert rows[1]["expected_voxels"].sum() == pytest.approx(part.voxels, rel=1e-12)
        assert rows[1]["mean_probability"].sum() == pytest.approx(1, rel=1e-12)
    assert assignment.notes == ()


def test_it_is_said_where_probabilities_add_up_to_more_than_1():
    above = np.count_nonzero(np.sum(chances(), axis=0) > 1 + 1e-9)
    assert above > 0
    notes = assign().notes
    assert f"made: probabilities add up to more than 1 at {above} voxels" in notes[0]


def test_a_column_means_the_same_for_both_kinds_of_atlas():
    labelled = assign(None, label_atlas(), signs="both")
    likely = assign(None, likely_atlas(memberships()), signs="both")
    pd.testing.assert_frame_equal(labelled.table, likely.table, check_exact=True)
    pd.testing.assert_frame_equal(labelled.siibra_table, likely.siibra_table, check_exact=True)


@pytest.mark.parametrize(
    ("array", "on"),
    [(np.zeros(SHAPE), "map"), (np.full(SHAPE, np.nan), "atlas"), (-np.ones(SHAPE), "map")],
)
def test_an_empty_result_has_its_columns(array, on):
    assignment = assign(array, on=on)
    for table, columns in (
        (assignment.table, COLUMNS),
        (assignment.best, COLUMNS),
        (assignment.filter(0.5), COLUMNS),
        (assignment.siibra_table, SIIBRA_COLUMNS),
    ):
        assert len(table) == 0
        assert tuple(table) == columns


def test_a_part_beside_all_regions_is_outside_the_atlas():
    array = np.zeros(SHAPE)
    array[0, 0, :3] = 1
    row = assign(array).best.iloc[0]
    assert (row["region"], row["percent_of_component"], row["label"]) == (OUTSIDE, 100, 0)
    assert row["region_at_peak"] == row["region_at_centroid"] == OUTSIDE


def test_the_best_of_each_component_is_its_highest_correlation():
    assignment = assign(signs="both")
    best = assignment.best
    assert best["component"].tolist() == [part.number for part in assignment.components]
    for _, row in best.iterrows():
        own = assignment.table[assignment.table["component"] == row["component"]]
        highest = own["correlation"].max()
        assert row["correlation"] == highest if highest == highest else row["region"] == OUTSIDE
    assert best.iloc[0]["region"] == "insula"


def test_rows_are_filtered_and_ranked_as_in_siibras_example():
    assignment = assign()
    limit = assignment.table["correlation"].median()
    ranked = assignment.filter(min_correlation=limit)
    assert 0 < len(ranked) < len(assignment.table)
    assert ranked["correlation"].is_monotonic_decreasing
    expected = sorted(
        assignment.table["correlation"][assignment.table["correlation"] >= limit], reverse=True
    )
    assert ranked["correlation"].tolist() == expected


def test_a_region_that_fills_the_box_has_no_correlation():
    region, cluster = np.zeros(SHAPE), np.zeros(SHAPE)
    region[2:6, 2:6, 2:6] = 0.1  # constant, though its sum is not exact
    cluster[3:5, 3:5, 3:5] = 1
    assignment = assign(cluster, likely_atlas([region, *chances()[1:]]))
    row = assignment.table.set_index("region").loc["insula"]
    assert np.isnan(row["correlation"])
    assert row["percent_of_component"] == 100
    assert assignment.best.iloc[0]["region"] != OUTSIDE


@pytest.mark.parametrize("factor", [2.0**600, 2.0**-900])
def test_the_size_of_values_changes_no_bit_of_the_correlation(factor):
    plain, scaled = (assign(statistic() * by, threshold=0).table for by in (1.0, factor))
    np.testing.assert_array_equal(plain["correlation"], scaled["correlation"])


def test_regions_at_peak_and_centroid_are_the_likeliest_there():
    atlas = likely_atlas()
    table = assign(None, atlas, signs="both").table
    for _, row in table.iterrows():
        peak = [row[f"peak_{axis}_mm"] for axis in "xyz"]
        assert row["region_at_peak"] == atlas.region_at(peak)
        centroid = np.array([row[f"centroid_{axis}_mm"] for axis in "xyz"])
        assert row["region_at_centroid"] == atlas.region_at(centroid - 0.001)


def test_the_order_and_the_number_of_other_components_change_no_bit():
    array = statistic()
    whole = assign(array).table
    (_, part) = find_components(map_of(array)).parts
    second = np.where(part.mask.array, array, 0)
    alone = assign(second).table
    own = whole[whole["component"] == 2].drop(columns="component").reset_index(drop=True)
    assert len(own) >= 2
    pd.testing.assert_frame_equal(own, alone.drop(columns="component"), check_exact=True)


def test_components_beyond_one_batch_change_no_bit():
    array = np.random.default_rng(3).normal(size=SHAPE)
    parts = find_components(map_of(array), 1.0, min_size_voxels=0).parts
    sums = sum_regions(likely_atlas())
    assert len(parts) > 10
    assert repr([*match_regions(parts, sums, 8)]) == repr([*match_regions(parts, sums)])


def test_the_centroid_is_a_text_of_two_decimals():
    cluster = np.zeros(SHAPE)
    cluster[2:5, 3, 3], cluster[2, 4, 3] = 1, 1
    table = assign(cluster, likely_atlas([cluster, *chances()[1:]])).siibra_table
    assert table["centroid"].tolist()[0] == "(-5.5, -5.5, -4.0)"


def test_parameters_are_kept_defaults_included():
    assignment = assign(threshold=0.5, on="atlas")
    assert assignment.parameters == {
        "threshold": 0.5,
        "signs": "positive",
        "connectivity": 18,
        "min_size_voxels": 1,
        "min_size_mm3": 0.0,
        "lower_threshold": 0.0,
        "on": "atlas",
    }


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        ({"lower_threshold": 1.5}, "lower_threshold: is 1.5; give a probability from 0 to 1"),
        ({"lower_threshold": float("nan")}, "lower_threshold: is nan"),
        ({"on": "moon"}, "on: is 'moon'; choose one of map, atlas"),
        ({"connectivity": 7}, "connectivity: is 7"),
        ({"threshold": float("nan")}, "threshold: is nan"),
    ],
)
def test_a_choice_out_of_its_range_is_an_error(choices, match):
    with pytest.raises(InputError, match=match):
        assign(**choices)


@pytest.mark.parametrize("limit", [1.1, -2, float("nan")])
def test_a_correlation_out_of_its_range_is_an_error(limit):
    with pytest.raises(InputError, match=r"min_correlation: is .*; give a number from -1 to 1"):
        assign().filter(limit)


@pytest.mark.parametrize("on", ["map", "atlas"])
def test_a_map_and_an_atlas_without_a_place_in_common_are_an_error(on):
    far = Grid(SHAPE, GRID.affine + np.array([[0, 0, 0, 900], *[[0] * 4] * 3]))
    with pytest.raises(InputError, match="made: atlas does not overlap the map: x"):
        assign(grid=far, on=on)


def test_an_atlas_without_regions_on_the_grid_is_an_error():
    with pytest.raises(InputError, match="no region of the atlas has a voxel on this grid"):
        assign(None, likely_atlas(np.zeros((4, *SHAPE))))


def test_a_series_is_an_error(tmp_path):
    image(np.zeros((*SHAPE, 3), np.float32)).to_filename(tmp_path / "series.nii.gz")
    with pytest.raises(InputError, match=r"series.nii.gz: several volumes: 3 in one file"):
        ld.assign_regions(tmp_path / "series.nii.gz", likely_atlas())


# Other grids: turned and mirrored copies, coarser ones, and the atlas's own.


def assert_same_places(assignment, expected):
    tables = in_order_of_place(assignment), in_order_of_place(expected)
    pd.testing.assert_frame_equal(*tables, rtol=1e-9, atol=1e-9)


def in_order_of_place(assignment):
    """The table without the numbers of components, in an order of the world."""
    table = assignment.table.drop(columns="component")
    keys = table[["centroid_x_mm", "centroid_y_mm", "centroid_z_mm"]].round(6)
    keys = keys.assign(label=table["label"])
    order = keys.sort_values(list(keys)).index
    return table.loc[order].reset_index(drop=True)


@pytest.mark.parametrize("kind", ["likely", "labels"])
@pytest.mark.parametrize("grid", [GRID, COARSE], ids=["same grid", "coarser map"])
@pytest.mark.parametrize("turn", ["map", "atlas", "both"])
def test_a_turned_and_mirrored_copy_gives_the_same_table(kind, grid, turn):
    array, arrays, labels, own = statistic(grid), chances(), LABELS, GRID
    atlas = likely_atlas() if kind == "likely" else label_atlas()
    expected = assign(array, atlas, grid, signs="both")
    if turn in ("map", "both"):
        (array,), grid = turned([array], grid)
    if turn in ("atlas", "both"):
        (*arrays, labels), own = turned([*arrays, labels], GRID)
    atlas = likely_atlas(arrays, own) if kind == "likely" else label_atlas(labels, own)
    assignment = assign(array, atlas, grid, signs="both")
    assert len(assignment.table) >= 6
    assert_same_places(assignment, expected)


@pytest.mark.parametrize("turn", ["map", "atlas"])
def test_on_the_atlas_a_turned_and_mirrored_copy_gives_the_same_table(turn):
    expected = assign(signs="both", on="atlas")
    array, grid, atlas = statistic(), GRID, likely_atlas()
    if turn == "map":
        (array,), grid = turned([array], grid)
    else:
        atlas = likely_atlas(*turned(chances(), GRID))
    assignment = assign(array, atlas, grid, signs="both", on="atlas")
    assert_same_places(assignment, expected)


def test_a_finer_map_under_coarser_maps_is_free_of_rounding():
    # Away from the border: a wider field of view would show more of a region.
    inner = np.pad(np.ones(np.subtract(COARSE.shape, 4)), 2)
    arrays = [part * inner for part in chances(COARSE)]
    expected = assign(None, likely_atlas(arrays, COARSE))
    assert len(expected.table) >= 5
    (array,), grid = turned([statistic()], GRID)
    arrays, own = turned(arrays, COARSE)
    assignment = assign(array, likely_atlas(arrays, own), grid)
    assert_same_places(assignment, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8])
@pytest.mark.parametrize("kind", ["statistic", "nan", "mask"])
def test_on_the_atlas_a_map_is_what_nilearn_makes_of_it(dtype, kind):
    array = np.abs(statistic(COARSE))
    if kind == "mask":
        array = array > 1
    array = np.rint(array) if np.dtype(dtype).kind in "iu" else array.copy()
    if kind == "nan" and np.dtype(dtype).kind == "f":
        array[3, 4, 4] = array[5, 5, :3] = np.nan
    given_image = image(array.astype(dtype), COARSE.affine)
    assignment = ld.assign_regions(given_image, likely_atlas(), on="atlas")
    target = nib.Nifti1Image(np.zeros(SHAPE, np.float32), GRID.affine)
    way = "nearest" if kind == "mask" else "linear"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NaN and of two values only, which are meant
        brought = resample_to_img(given_image, target, way, copy_header=True, force_resample=True)
    expected = find_components(map_of(np.asarray(brought.dataobj)))
    assert len(expected)
    assert len(assignment.components) == len(expected)
    for part, other in zip(assignment.components, expected, strict=True):
        np.testing.assert_array_equal(part.indices, other.indices)
        np.testing.assert_array_equal(part.values, other.values)
    rows = by_definition(expected, chances(), beyond=1)
    np.testing.assert_allclose(
        assignment.siibra_table["correlation"], rows["correlation"], rtol=1e-10
    )


def test_the_table_says_whose_grid_it_is_on_and_the_notes_how():
    on_map, on_atlas = (assign(grid=COARSE, on=on) for on in ("map", "atlas"))
    assert set(on_map.table["grid"]) == {"map"}
    assert on_map.components.grid == COARSE
    assert set(on_atlas.table["grid"]) == {"atlas"}
    assert on_atlas.components.grid == GRID
    assert "onto the map's grid (8 x 9 x 8 voxels of 3 x 3 x 3 mm" in on_map.notes[-1]
    assert "onto the atlas's grid (12 x 13 x 11 voxels of 2 x 2 x 2 mm" in on_atlas.notes[0]
    assert "linear interpolation" in on_atlas.notes[0]
    mask = Mask.from_array(statistic(COARSE) > 1, COARSE, "mask")
    assert "nearest neighbour" in ld.assign_regions(mask, likely_atlas(), on="atlas").notes[0]
    # A halo of small values: more volume, though nothing was added.
    assert on_atlas.components.parts[0].volume_mm3 > on_map.components.parts[0].volume_mm3


def test_on_the_same_grid_both_ways_are_one():
    on_map, on_atlas = (assign(on=on) for on in ("map", "atlas"))
    pd.testing.assert_frame_equal(
        on_map.table.drop(columns="grid"), on_atlas.table.drop(columns="grid"), check_exact=True
    )
    assert on_atlas.notes == on_map.notes
    assert not any("resampled" in note for note in on_atlas.notes)


def test_a_map_already_on_the_grid_is_not_resampled():
    source = map_of(statistic())
    assert source.on_grid(Grid(SHAPE, GRID.affine)) is source
