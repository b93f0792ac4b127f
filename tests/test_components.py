"""Components: the parts of a map, against a flood fill, one voxel after the other."""

from __future__ import annotations

import numpy as np
import pytest
from atlases import turned
from blobs import flood_fill, map_of
from phantoms import AFFINE, SHAPE, image

from lesion_dash import Grid, InputError, Mask
from lesion_dash import find_components as find

GRID = Grid(SHAPE, AFFINE)
ALL = {"min_size_voxels": 0}


def find_components(array, threshold=0.0, signs="positive", grid=GRID, **choices):
    return find(map_of(array, grid), threshold, signs, **choices)


def noise(seed=0, shape=SHAPE):
    """Smooth enough for parts of all sizes, of both signs."""
    values = np.random.default_rng(seed).normal(size=shape)
    return values + 0.7 * np.roll(values, 1, axis=0) + 0.7 * np.roll(values, 1, axis=2)


def voxels_of(part):
    return set(zip(*np.unravel_index(part.indices, part.grid.shape, order="F"), strict=True))


@pytest.mark.parametrize("connectivity", [6, 18, 26])
@pytest.mark.parametrize("seed", range(3))
def test_parts_and_their_numbers_are_those_of_a_flood_fill(connectivity, seed):
    array = noise(seed)
    components = find_components(array, 1.0, connectivity=connectivity, **ALL)
    expected = flood_fill(array > 1.0, connectivity)
    assert len(expected) > 3
    assert [part.number for part in components] == list(range(1, len(expected) + 1))
    for part, voxels in zip(components, expected, strict=True):
        assert voxels_of(part) == set(voxels)
        assert np.all(np.diff(part.indices) > 0)
        for index, value in zip(part.indices, part.values, strict=True):
            assert value == array[np.unravel_index(index, SHAPE, order="F")]


def test_touching_by_face_edge_or_corner_is_what_connectivity_tells_apart():
    array = np.zeros(SHAPE)
    array[1, 1, 1] = array[2, 1, 1] = array[3, 2, 1] = array[4, 3, 2] = 1
    sizes = {
        connectivity: [
            part.voxels for part in find_components(array, connectivity=connectivity, **ALL)
        ]
        for connectivity in (6, 18, 26)
    }
    assert sizes == {6: [2, 1, 1], 18: [3, 1], 26: [4]}


def test_both_signs_are_the_positive_parts_and_then_those_of_the_mirrored_map():
    array = noise()
    both = find_components(array, 0.8, "both", **ALL).parts
    up = find_components(array, 0.8, **ALL).parts
    down = find_components(-array, 0.8, **ALL).parts
    assert [part.number for part in both] == list(range(1, len(up) + len(down) + 1))
    assert [part.sign for part in both] == [1] * len(up) + [-1] * len(down)
    for part, other in zip(both, [*up, *down], strict=True):
        np.testing.assert_array_equal(part.indices, other.indices)
        np.testing.assert_array_equal(part.weights, other.values)
        assert part.peak_value == part.sign * other.peak_value
        np.testing.assert_array_equal(part.peak_mm, other.peak_mm)
    alone = find_components(array, 0.8, "negative", **ALL).parts
    assert [part.number for part in alone] == list(range(1, len(down) + 1))


def test_a_value_at_the_threshold_is_below_and_nan_is_background():
    array = np.zeros(SHAPE)
    array[2, 2, 2:6] = 3.0, 3.5, np.nan, 4.0
    components = find_components(array, 3.0, "both", **ALL)
    assert [part.values.tolist() for part in components] == [[3.5], [4.0]]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, np.float32, ">i2", ">f4"])
def test_the_type_of_the_values_does_not_matter(dtype):
    array = noise() > 1
    expected = find_components(array.astype(float), signs="both", **ALL)
    components = find_components(array.astype(dtype), signs="both", **ALL)
    assert len(components) == len(expected)
    for part, other in zip(components, expected, strict=True):
        np.testing.assert_array_equal(part.indices, other.indices)
        np.testing.assert_array_equal(part.values, other.values)
        assert part.values.dtype == np.float64


def test_a_mask_a_map_and_an_image_are_the_same(tmp_path):
    array = (noise() > 1).astype(np.uint8)
    image(array).to_filename(tmp_path / "made.nii.gz")
    kinds = [
        map_of(array, GRID),
        Mask.from_array(array, GRID, "m"),
        image(array),
        tmp_path / "made.nii.gz",
    ]
    parts = [[part.indices.tolist() for part in find(kind)] for kind in kinds]
    assert parts[0]
    assert all(indices == parts[0] for indices in parts)


def test_small_parts_are_dropped_and_the_others_keep_their_numbers():
    whole = find_components(noise(), 1.0, **ALL)
    sizes = sorted({part.voxels for part in whole})
    assert len(sizes) > 2
    size = sizes[1]
    larger = find_components(noise(), 1.0, min_size_voxels=size)
    assert [part.number for part in larger] == [p.number for p in whole if p.voxels > size]
    assert (
        f"{len(whole) - len(larger)} of {len(whole)} components excluded: too small"
        in larger.notes[0]
    )
    at_least = find_components(noise(), 1.0, min_size_voxels=0, min_size_mm3=8.0 * size)
    assert [part.number for part in at_least] == [p.number for p in whole if p.voxels >= size]


def test_single_voxels_are_dropped_unless_asked_for():
    array = np.zeros(SHAPE)
    array[1, 1, 1], array[4, 4, 4:6] = 1, 1
    assert [part.number for part in find_components(array)] == [2]
    assert [part.number for part in find_components(array, **ALL)] == [1, 2]


def test_parts_add_up_to_the_voxels_above_the_threshold():
    array = noise()
    parts = find_components(array, 0.5, **ALL).parts
    together = np.concatenate([part.indices for part in parts])
    np.testing.assert_array_equal(np.sort(together), np.flatnonzero(np.ravel(array > 0.5, "F")))
    assert sum(part.volume_mm3 for part in parts) == 8.0 * (array > 0.5).sum()
    for part in parts:
        assert part.mask.voxels == part.voxels
        np.testing.assert_array_equal(part.mask.indices, part.indices)


def places(components):
    """What is known of each component in the world, in an order of the world."""
    rows = [
        (
            *np.round(part.centroid_mm, 6).tolist(),
            *np.round(part.peak_mm, 6).tolist(),
            part.peak_value,
            part.voxels,
            frozenset(map(tuple, np.round(part.grid.mm_of_index(part.indices), 6).tolist())),
        )
        for part in components
    ]
    return sorted(rows, key=lambda row: row[:-1])


@pytest.mark.parametrize("array", [noise(), np.rint(noise())], ids=["peaks differ", "equal peaks"])
def test_a_turned_and_mirrored_copy_has_the_same_components(array):
    (moved,), grid = turned([array], GRID)
    expected = places(find_components(array, 1.4, "both"))
    assert len(expected) > 3
    assert places(find_components(moved, 1.4, "both", grid)) == expected


def test_centroid_and_peak_are_in_mm():
    array = np.zeros(SHAPE)
    array[1, 2, 3], array[2, 2, 3], array[3, 2, 3], array[3, 3, 3] = 1, 2, 5, 2
    (part,) = find_components(array)
    world = [
        AFFINE[:3, :3] @ v + AFFINE[:3, 3] for v in ([1, 2, 3], [2, 2, 3], [3, 2, 3], [3, 3, 3])
    ]
    np.testing.assert_allclose(part.centroid_mm, np.mean(world, axis=0))
    np.testing.assert_allclose(part.peak_mm, world[2])
    assert (part.peak_value, part.voxels, part.volume_mm3) == (5.0, 4, 32.0)


def test_the_peak_of_a_mask_is_the_voxel_nearest_to_its_centroid():
    array = np.zeros(SHAPE, bool)
    array[1:6, 4, 4] = True
    (part,) = find(Mask.from_array(array, GRID, "m"))
    np.testing.assert_allclose(part.peak_mm, GRID.to_mm([3, 4, 4]))
    even = np.zeros(SHAPE, bool)
    even[1:5, 4, 4] = True  # two are equally near: the one on the left
    (part,) = find(Mask.from_array(even, GRID, "m"))
    np.testing.assert_allclose(part.peak_mm, GRID.to_mm([2, 4, 4]))


@pytest.mark.parametrize("array", [np.zeros(SHAPE), -np.ones(SHAPE), np.full(SHAPE, np.nan)])
def test_a_map_without_anything_above_has_no_component(array):
    components = find_components(array)
    assert len(components) == 0
    assert not components.notes


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        ({"connectivity": 8}, "connectivity: is 8; choose 6 .faces., 18"),
        ({"threshold": float("nan")}, "threshold: is nan"),
        ({"threshold": float("inf")}, "threshold: is inf"),
        ({"threshold": -1.0}, "threshold: is -1.0.*choose the sign negative"),
        ({"signs": "up"}, "signs: is 'up'; choose one of positive, negative, both"),
        ({"min_size_voxels": -1}, "min_size_voxels: is -1; give a number of at least 0"),
        ({"min_size_mm3": float("nan")}, "min_size_mm3: is nan"),
    ],
)
def test_a_choice_out_of_its_range_is_an_error(choices, match):
    with pytest.raises(InputError, match=match):
        find_components(noise(), **choices)
