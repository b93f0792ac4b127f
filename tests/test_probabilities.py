"""Probabilistic atlases: brought onto other grids as world coordinates say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.ndimage import map_coordinates

from lesion_dash.atlas.atlas import OUTSIDE, LabelAtlas, ProbabilityAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid

GRID = Grid((9, 10, 11), np.array([[-2, 0, 0, 8], [0, 2, 0, -9], [0, 0, 2, -10], [0, 0, 0, 1.0]]))
REGIONS = (Region(0, "Alpha"), Region(1, "Beta"), Region(2, "Gamma"))


def blobs(seed=0):
    """Three smooth maps, one reaching the image's border, one empty but for a voxel."""
    values = np.random.default_rng(seed).random((3, *GRID.shape))
    values[values < 0.4] = 0
    values[0, :4], values[1, :, 6:] = 0, 0
    values[2] = 0
    values[2, 4, 4, 4] = 0.25
    return values


def atlas_of(arrays, grid=GRID):
    columns = [np.ravel(array, order="F") for array in arrays]
    return ProbabilityAtlas("made", grid, sparse.csc_array(np.stack(columns, axis=1)), REGIONS)


def dense(atlas):
    """The maps as arrays."""
    return [
        atlas.maps[:, [column]].toarray().reshape(atlas.grid.shape, order="F")
        for column in range(len(atlas.regions))
    ]


def other_grids():
    turned = np.array([[0, 0, 2.0, -10], [0, -2, 0, 9], [2, 0, 0, -8], [0, 0, 0, 1]])
    finer = np.array([[1.0, 0, 0, -9], [0, 1, 0, -9], [0, 0, 1, -11], [0, 0, 0, 1]])
    angle = 0.2
    oblique = np.array(
        [
            [3 * np.cos(angle), -3 * np.sin(angle), 0, -6],
            [3 * np.sin(angle), 3 * np.cos(angle), 0, -7],
            [0, 0, 2.5, -8],
            [0, 0, 0, 1],
        ]
    )
    return {
        "turned": Grid((11, 10, 9), turned),
        "finer": Grid((18, 19, 22), finer),
        "oblique": Grid((6, 7, 8), oblique),
    }


@pytest.mark.parametrize("name", ["turned", "finer", "oblique"])
def test_maps_on_another_grid_are_what_linear_interpolation_says(name):
    grid = other_grids()[name]
    mm = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))
    places = np.moveaxis(GRID.to_voxel(mm), -1, 0)
    found = dense(atlas_of(blobs()).on_grid(grid))
    for array, mine in zip(blobs(), found, strict=True):
        expected = map_coordinates(array, places, order=1, mode="grid-constant", prefilter=False)
        np.testing.assert_allclose(mine, expected, atol=1e-12)


def test_a_mirrored_and_permuted_copy_has_the_same_values_to_the_bit():
    turned = Grid(
        (11, 9, 10), np.array([[0, 2.0, 0, -8], [0, 0, -2, 9], [-2, 0, 0, 10], [0, 0, 0, 1]])
    )
    copy = atlas_of([array[::-1, ::-1, ::-1].transpose(2, 0, 1) for array in blobs()], turned)
    back = copy.on_grid(GRID)
    for array, mine in zip(blobs(), dense(back), strict=True):
        np.testing.assert_array_equal(mine, array)
    assert "no value changes" in back.notes[-1]


def test_the_same_grid_changes_nothing():
    atlas = atlas_of(blobs())
    assert atlas.on_grid(Grid(GRID.shape, GRID.affine)) is atlas


def test_sizes_are_sums_of_probabilities():
    sums = {0: blobs()[0].sum(), 1: blobs()[1].sum(), 2: 0.25}
    assert atlas_of(blobs()).sizes == pytest.approx(sums, rel=1e-12)


def test_the_likeliest_region_is_found_at_a_point():
    arrays, atlas = blobs(), atlas_of(blobs())
    for voxel in np.ndindex(4, 5, 4):
        own = [array[voxel] for array in arrays]
        expected = REGIONS[int(np.argmax(own))].name if max(own) > 0 else OUTSIDE
        assert atlas.region_at(GRID.to_mm(voxel)) == expected
    assert atlas.region_at([500, 0, 0]) == OUTSIDE


def test_an_atlas_elsewhere_is_an_error():
    far = Grid((4, 4, 4), np.array([[2, 0, 0, 900], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1.0]]))
    with pytest.raises(InputError, match="made: atlas does not overlap the map: x"):
        atlas_of(blobs()).on_grid(far)


def test_a_labelled_atlas_as_maps_is_membership():
    labels = np.random.default_rng(3).choice([0, 0, 7, 2001, 9], GRID.shape).astype(np.int32)
    regions = tuple(Region(label, f"r{label}") for label in (2, 7, 9, 2001))
    atlas = LabelAtlas("made", GRID, labels, regions)
    maps = dense(atlas)
    for region, array in zip(regions, maps, strict=True):
        np.testing.assert_array_equal(array, labels == region.label)
