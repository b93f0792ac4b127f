"""Outside an atlas: the nearest region and its distance, and shares by distance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from atlases import probability_atlas, turned
from phantoms import AFFINE, write_masks

from lesion_dash import (
    Grid,
    LabelAtlas,
    Map,
    assign_points,
    assign_regions,
    count_regions,
    load_atlas,
)
from lesion_dash.atlas.atlas import OUTSIDE
from lesion_dash.atlas.formats import Region
from lesion_dash.atlas.places import name_place
from lesion_dash.cli import main
from lesion_dash.images.masks import Mask

SHAPE = (8, 9, 10)
REGIONS = tuple(Region(n, f"region {n}") for n in (1, 2, 3))
SHEARED = AFFINE @ np.array([[1, 0.4, 0, 0], [0, 1, 0.3, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
AFFINES = {
    "isotropic": AFFINE,
    "anisotropic": AFFINE @ np.diag([1.0, 0.5, 2.5, 1]),
    "mirrored": AFFINE @ np.diag([-1.0, 1, 1, 1]),
    "rotated": np.array([[0, -1.0, 0, 3], [1.5, 0, 0, 2], [0, 0, 2, -7], [0, 0, 0, 1]]),
    "sheared": SHEARED,
}


def sparse_labels(seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 4, SHAPE) * (rng.random(SHAPE) < 0.02)


def labelled(affine=AFFINE, labels=None) -> LabelAtlas:
    labels = sparse_labels() if labels is None else labels
    return LabelAtlas("made", Grid(labels.shape, affine), labels, REGIONS)


def brute(atlas: LabelAtlas, mm):
    """Distances to the centres of all voxels of regions, and their labels."""
    voxels = np.argwhere(atlas.labels)
    places = atlas.grid.to_mm(voxels)
    return np.linalg.norm(places - mm, axis=1), atlas.labels[tuple(voxels.T)]


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_the_nearest_region_is_that_of_a_search_through_all_voxels(affine):
    atlas = labelled(affine)
    rng = np.random.default_rng(1)
    corners = atlas.grid.corners()
    low, high = corners.min(axis=0) - 9, corners.max(axis=0) + 9
    for mm in rng.uniform(low, high, (150, 3)):
        near = atlas.nearest(mm)
        if atlas.region_at(mm) != OUTSIDE:
            assert (near.region.name, near.distance_mm) == (atlas.region_at(mm), 0.0)
            continue
        distances, labels = brute(atlas, mm)
        assert near.distance_mm == pytest.approx(distances.min(), abs=1e-9)
        assert near.region.label in labels[distances <= distances.min() + 0.002]


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_distances_of_all_voxels_are_those_of_a_search(affine):
    atlas = labelled(affine)
    places = atlas.grid.mm_of_index(np.arange(atlas.grid.size))
    expected = [brute(atlas, mm)[0].min() for mm in places]
    np.testing.assert_allclose(atlas.distances, expected, rtol=1e-6, atol=1e-6)


def test_equally_near_regions_do_not_depend_on_how_axes_are_stored():
    labels = sparse_labels(3)
    (moved,), grid = turned([labels], Grid(SHAPE, AFFINE))
    atlas, other = labelled(labels=labels), LabelAtlas("moved", grid, moved, REGIONS)
    places = atlas.grid.mm_of_index(np.arange(atlas.grid.size))
    for mm in places[::3]:
        assert atlas.nearest(mm) == other.nearest(mm)
    middle = np.zeros((3, 1, 1), int)
    middle[0], middle[2] = 2, 1
    assert labelled(labels=middle).nearest([-5, -9, -8]).region.label == 2


def test_likely_regions_count_where_they_are_possible():
    maps = np.zeros((2, *SHAPE))
    maps[0, 1, 4, 4], maps[1, 1, 4, 4], maps[1, 6, 4, 4] = 0.2, 0.6, 0.1
    atlas = probability_atlas(maps, Grid(SHAPE, AFFINE), REGIONS[:2])
    near = atlas.nearest(atlas.grid.to_mm((2, 4, 4)))
    assert (near.region.label, near.distance_mm) == (2, 2.0)
    assert atlas.nearest(atlas.grid.to_mm((1, 4, 4))).distance_mm == 0


def test_an_atlas_without_a_voxel_on_its_grid_is_near_to_nothing():
    atlas = labelled(labels=np.zeros(SHAPE, int))
    assert atlas.nearest([0, 0, 0]) is None
    assert np.isinf(atlas.distances).all()
    place = name_place(atlas, [0, 0, 0])
    assert (place.region, place.nearest_region) == (OUTSIDE, "")
    assert np.isnan(place.nearest_mm)
    assert name_place(None, [0, 0, 0]).region == ""


@pytest.mark.parametrize("seed", range(5))
def test_what_is_outside_adds_up_over_distances(seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros((16, 17, 18), int)
    labels[rng.integers(0, 16), rng.integers(0, 17), rng.integers(0, 18)] = 1
    labels[3:6, 2:9, 4:6] = 2
    atlas = labelled(labels=labels)
    mask = Mask.from_array(rng.random(labels.shape) < 0.5, atlas.grid, "map")
    counts = count_regions(mask, atlas)
    bands = counts.outside_by_distance
    outside = counts.rows[-1]
    assert sum(band.voxels for band in bands) == outside.voxels > 0
    assert sum(band.volume_mm3 for band in bands) == pytest.approx(outside.volume_mm3)
    assert sum(band.percent_of_map for band in bands) == pytest.approx(outside.percent_of_map)
    away = [brute(atlas, mm)[0].min() for mm in atlas.grid.mm_of_index(mask.indices)]
    for band in bands:
        inside_band = [band.above_mm < distance <= band.up_to_mm for distance in away]
        assert band.voxels == sum(inside_band)


def test_peaks_components_and_points_have_a_nearest_region():
    labels = np.zeros(SHAPE, int)
    labels[1, 4, 4], labels[6, 4, 4] = 1, 2
    atlas = labelled(labels=labels)
    values = np.zeros(SHAPE)
    values[5, 4, 4], values[5, 4, 5], values[1, 4, 4], values[1, 4, 5] = 3, 2, 3, 2
    table = assign_regions(Map("t", values, atlas.grid, "", ""), atlas).best
    near = table.set_index("region_at_peak")
    assert near.loc["region 1", ["nearest_region_at_peak", "nearest_mm_at_peak"]].tolist() == [
        *("region 1", 0.0),
    ]
    assert near.loc[OUTSIDE, ["nearest_region_at_peak", "nearest_mm_at_peak"]].tolist() == [
        *("region 2", 2.0),
    ]
    assert near.loc[OUTSIDE, "nearest_mm_at_centroid"] == pytest.approx(5**0.5)
    point = assign_points(atlas.grid.to_mm((4, 4, 4)), atlas, sigma_mm=0).table.iloc[0]
    assert (point["region"], point["nearest_region"], point["nearest_mm"]) == (
        *(OUTSIDE, "region 2", 4.0),
    )


def test_a_probability_below_the_threshold_is_no_region_nearby():
    maps = np.zeros((2, *SHAPE))
    maps[0, 2, 4, 4], maps[1, 6, 4, 4] = 0.1, 0.9
    atlas = probability_atlas(maps, Grid(SHAPE, AFFINE), REGIONS[:2])
    point = atlas.grid.to_mm((2, 4, 4))
    low, high = (
        assign_points(point, atlas, sigma_mm=0, lower_threshold=least).table.iloc[0]
        for least in (0, 0.5)
    )
    assert (low["nearest_region"], low["nearest_mm"]) == ("region 1", 0.0)
    assert (high["nearest_region"], high["nearest_mm"]) == ("region 2", 8.0)


def test_the_command_tells_first_what_is_outside(tmp_path, capsys):
    atlas = "sample_data/atlas/synthetic_atlas.nii.gz"
    first = np.zeros((7, 9, 8), np.uint8)
    first[2:5, 2:7, 2:6] = 1
    folder = write_masks(tmp_path / "masks", [first], names=["a.nii.gz"])
    mask = str(folder / "a.nii.gz")
    out = tmp_path / "out"
    assert main(["overlap", mask, mask, "--atlas", atlas, "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("region "))
    assert lines[head + 1].startswith(OUTSIDE)
    shown = [line for line in lines if "mm from the nearest region: " in line]
    table = pd.read_csv(out / "region_counts.csv")
    voxels = [int(line.split(": ")[1].split()[0].replace(",", "")) for line in shown]
    assert sum(voxels) == table["voxels"].iloc[-1] > 0
    point = ["--points", "0", "0", "95", "-o", str(out / "points.csv")]
    assert main(["assign", "--atlas", atlas, *point]) == 0
    near = load_atlas(atlas).nearest([0, 0, 95])
    shown = capsys.readouterr().out
    assert f"{near.distance_mm:.1f} mm from {near.region.name}" in shown
