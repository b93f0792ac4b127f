"""Assignment on other grids: turned and mirrored copies, coarser ones, and the atlas's own."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from assigning import by_definition
from atlases import turned
from blobs import (
    COARSE,
    GRID,
    LABELS,
    SHAPE,
    chances,
    label_atlas,
    likely_atlas,
    map_of,
    statistic,
)
from nilearn.image import resample_to_img
from phantoms import image

from lesion_dash.core.grid import Grid
from lesion_dash.images.masks import Mask
from lesion_dash.regions.assignment import assign_regions
from lesion_dash.stats.components import find_components


def in_order_of_place(found):
    """The table without the numbers of components, in an order of the world."""
    table = found.table.drop(columns="component")
    keys = table[["centroid_x_mm", "centroid_y_mm", "centroid_z_mm"]].round(6)
    keys = keys.assign(label=table["label"])
    order = keys.sort_values(list(keys)).index
    return table.loc[order].reset_index(drop=True)


@pytest.mark.parametrize("kind", ["likely", "labels"])
@pytest.mark.parametrize("grid", [GRID, COARSE], ids=["same grid", "coarser map"])
@pytest.mark.parametrize("turn", ["map", "atlas", "both"])
def test_a_turned_and_mirrored_copy_gives_the_same_table(kind, grid, turn):
    array, arrays, own = statistic(grid), chances(), GRID
    labels = LABELS
    if kind == "likely":
        expected = assign_regions(map_of(array, grid), likely_atlas(), signs="both")
    else:
        expected = assign_regions(map_of(array, grid), label_atlas(), signs="both")
    if turn in ("map", "both"):
        (array,), grid = turned([array], grid)
    if turn in ("atlas", "both"):
        (*arrays, labels), own = turned([*arrays, labels], GRID)
    atlas = likely_atlas(arrays, own) if kind == "likely" else label_atlas(labels, own)
    found = assign_regions(map_of(array, grid), atlas, signs="both")
    assert len(found.table) >= 6
    pd.testing.assert_frame_equal(
        in_order_of_place(found), in_order_of_place(expected), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("turn", ["map", "atlas"])
def test_on_the_atlas_a_turned_and_mirrored_copy_gives_the_same_table(turn):
    expected = assign_regions(map_of(statistic()), likely_atlas(), signs="both", on="atlas")
    if turn == "map":
        (array,), grid = turned([statistic()], GRID)
        found = assign_regions(map_of(array, grid), likely_atlas(), signs="both", on="atlas")
    else:
        atlas = likely_atlas(*turned(chances(), GRID))
        found = assign_regions(map_of(statistic()), atlas, signs="both", on="atlas")
    pd.testing.assert_frame_equal(
        in_order_of_place(found), in_order_of_place(expected), rtol=1e-9, atol=1e-9
    )


def test_a_finer_map_under_coarser_maps_is_free_of_rounding():
    # Away from the border: a wider field of view would show more of a region.
    inner = np.pad(np.ones(np.subtract(COARSE.shape, 4)), 2)
    arrays = [part * inner for part in chances(COARSE)]
    expected = assign_regions(map_of(statistic()), likely_atlas(arrays, COARSE))
    assert len(expected.table) >= 5
    (array,), grid = turned([statistic()], GRID)
    arrays, own = turned(arrays, COARSE)
    found = assign_regions(map_of(array, grid), likely_atlas(arrays, own))
    pd.testing.assert_frame_equal(
        in_order_of_place(found), in_order_of_place(expected), rtol=1e-9, atol=1e-9
    )


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
    found = assign_regions(given_image, likely_atlas(), on="atlas")
    target = nib.Nifti1Image(np.zeros(SHAPE, np.float32), GRID.affine)
    way = "nearest" if kind == "mask" else "linear"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NaN and of two values only, which are meant
        brought = resample_to_img(given_image, target, way, copy_header=True, force_resample=True)
    expected = find_components(map_of(np.asarray(brought.dataobj)))
    assert len(expected)
    assert len(found.components) == len(expected)
    for part, other in zip(found.components, expected, strict=True):
        np.testing.assert_array_equal(part.indices, other.indices)
        np.testing.assert_array_equal(part.values, other.values)
    rows = by_definition(expected, chances(), beyond=1)
    np.testing.assert_allclose(found.siibra_table["correlation"], rows["correlation"], rtol=1e-10)


def test_the_table_says_whose_grid_it_is_on_and_the_notes_how():
    array = map_of(statistic(COARSE), COARSE)
    on_map, on_atlas = (assign_regions(array, likely_atlas(), on=on) for on in ("map", "atlas"))
    assert set(on_map.table["grid"]) == {"map"}
    assert on_map.components.grid == COARSE
    assert set(on_atlas.table["grid"]) == {"atlas"}
    assert on_atlas.components.grid == GRID
    assert "onto the map's grid (8 x 9 x 8 voxels of 3 x 3 x 3 mm" in on_map.notes[-1]
    assert "onto the atlas's grid (12 x 13 x 11 voxels of 2 x 2 x 2 mm" in on_atlas.notes[0]
    assert "linear interpolation" in on_atlas.notes[0]
    mask = Mask.from_array(statistic(COARSE) > 1, COARSE, "mask")
    assert "nearest neighbour" in assign_regions(mask, likely_atlas(), on="atlas").notes[0]
    # A halo of small values: more volume, though nothing was added.
    assert on_atlas.components.parts[0].volume_mm3 > on_map.components.parts[0].volume_mm3


def test_on_the_same_grid_both_ways_are_one():
    on_map, on_atlas = (
        assign_regions(map_of(statistic()), likely_atlas(), on=on) for on in ("map", "atlas")
    )
    pd.testing.assert_frame_equal(
        on_map.table.drop(columns="grid"), on_atlas.table.drop(columns="grid"), check_exact=True
    )
    assert on_atlas.notes == on_map.notes
    assert not any("resampled" in note for note in on_atlas.notes)


def test_a_map_already_on_the_grid_is_not_resampled():
    found = map_of(statistic())
    assert found.on_grid(Grid(SHAPE, GRID.affine)) is found
