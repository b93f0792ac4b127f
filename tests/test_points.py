"""Points: a Gaussian over voxels, summed by hand, and the file they are read from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from atlases import probability_atlas, turned
from phantoms import AFFINE, SHAPE

from lesion_dash import Grid, InputError, LabelAtlas, assign_points
from lesion_dash.atlas.atlas import OUTSIDE
from lesion_dash.atlas.formats import Region
from lesion_dash.regions.points import COLUMNS, read_points

GRID = Grid(SHAPE, AFFINE)
REGIONS = (Region(3, "insula"), Region(5, "putamen"), Region(8, "cuneus"))
LABELS = np.random.default_rng(5).choice([0, 3, 5, 8], SHAPE)
CHANCES = np.random.default_rng(6).random((3, *SHAPE)) * (
    np.random.default_rng(7).random(SHAPE) < 0.7
)
POINTS = [[-1.3, 0.4, 0.2], [2.0, -3.0, 1.0], [-7.4, -9.6, -8.9]]


LABELLED = LabelAtlas("labels", GRID, LABELS, REGIONS)


def likely_atlas(arrays=CHANCES, grid=GRID):
    return probability_atlas(arrays, grid, REGIONS)


def gaussian(point, sigma):
    """Voxel, on and off the grid, to its share of a Gaussian cut off at three sigma."""
    reach = int(np.ceil(3 * sigma / 2)) + 1
    low, high = -np.full(3, reach), np.array(SHAPE) + reach
    weights = {}
    for voxel in np.ndindex(*(high - low)):
        place = tuple(int(a + b) for a, b in zip(voxel, low, strict=True))
        away = np.linalg.norm(AFFINE[:3, :3] @ place + AFFINE[:3, 3] - point)
        if away <= 3 * sigma:
            weights[place] = np.exp(-(away**2) / (2 * sigma**2))
    total = sum(weights.values())
    return {place: weight / total for place, weight in weights.items()}


def value_at(array, voxel):
    inside = all(0 <= a < n for a, n in zip(voxel, SHAPE, strict=True))
    return array[voxel] if inside else 0.0


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("sigma", [1.5, 2.5])
@pytest.mark.parametrize("kind", ["labels", "likely"])
def test_probabilities_are_sums_over_a_gaussian(point, sigma, kind):
    arrays = CHANCES if kind == "likely" else [np.isin(LABELS, r.label) * 1.0 for r in REGIONS]
    atlas = likely_atlas() if kind == "likely" else LABELLED
    table = assign_points(point, atlas, sigma).table.set_index("region")
    weights = gaussian(point, sigma)
    for region, array in zip(REGIONS, arrays, strict=True):
        near = {voxel: value_at(array, voxel) for voxel in weights}
        if not any(near.values()):
            assert region.name not in table.index
            continue
        row = table.loc[region.name]
        probability = sum(weights[voxel] * value for voxel, value in near.items())
        assert row["probability"] == pytest.approx(probability, rel=1e-9)
        assert row["max_probability"] == max(near.values())
        share = 100 * sum(weights[voxel] for voxel, value in near.items() if value > 0)
        assert row["percent_of_point"] == pytest.approx(share, rel=1e-9)
    nowhere = 100 * sum(
        share
        for voxel, share in weights.items()
        if not any(value_at(array, voxel) > 0 for array in arrays)
    )
    left = {voxel: max(0, 1 - sum(value_at(array, voxel) for array in arrays)) for voxel in weights}
    rest = sum(weights[voxel] * value for voxel, value in left.items())
    assert table.loc[OUTSIDE, "probability"] == pytest.approx(rest, rel=1e-9, abs=1e-9)
    assert table.loc[OUTSIDE, "percent_of_point"] == pytest.approx(nowhere, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("sigma", [0.0, 1e-6, 2.0, 6.0])
def test_regions_and_outside_add_up_to_the_point(sigma):
    table = assign_points([*POINTS, [400, 0, 0]], LABELLED, sigma).table
    assert tuple(table) == COLUMNS
    sums = table.groupby("point")["percent_of_point"].sum()
    np.testing.assert_allclose(sums, [100] * 4)
    np.testing.assert_allclose(table.groupby("point")["probability"].sum(), [1] * 4)
    assert table[table["point"] == 4]["region"].tolist() == [OUTSIDE]


def test_an_exact_point_is_in_the_voxel_nearest_to_it():
    atlas = likely_atlas()
    assignment = assign_points(POINTS, atlas)
    for point, region in zip(POINTS, assignment.best["region"], strict=True):
        assert region == atlas.region_at(point)
    assert assignment.best["point"].tolist() == [1, 2, 3]
    voxel = GRID.nearest_voxel(POINTS[0])
    first = assignment.table[assignment.table["point"] == 1].set_index("region")
    for region, array in zip(REGIONS, CHANCES, strict=True):
        if array[voxel]:
            assert first.loc[region.name, "probability"] == array[voxel]


def test_the_likeliest_region_comes_first():
    table = assign_points(POINTS, likely_atlas(), 3.0).table
    for _, own in table.groupby("point"):
        assert own["region"].iloc[-1] == OUTSIDE
        assert own["probability"].iloc[:-1].is_monotonic_decreasing


def test_a_turned_and_mirrored_atlas_gives_the_same():
    arrays, grid = turned(CHANCES, GRID)
    for sigma in (0.0, 2.0):
        expected = assign_points(POINTS, likely_atlas(), sigma).table
        table = assign_points(POINTS, likely_atlas(arrays, grid), sigma).table
        assert table["region"].tolist() == expected["region"].tolist()
        for column in ("probability", "max_probability", "percent_of_point"):
            np.testing.assert_allclose(table[column], expected[column], atol=1e-12)


def test_every_point_may_have_its_own_sigma():
    together = assign_points(POINTS, likely_atlas(), [0, 1.5, 4]).table
    for number, (point, sigma) in enumerate(zip(POINTS, [0, 1.5, 4], strict=True), start=1):
        alone = assign_points(point, likely_atlas(), sigma).table
        own = together[together["point"] == number]
        own, alone = (rows.drop(columns="point").reset_index(drop=True) for rows in (own, alone))
        pd.testing.assert_frame_equal(own, alone, check_exact=True)


def test_probabilities_below_the_lower_threshold_do_not_count():
    table = assign_points(POINTS, likely_atlas(), 2.0, lower_threshold=0.6).table
    expected = assign_points(POINTS, likely_atlas(np.where(CHANCES < 0.6, 0, CHANCES)), 2.0).table
    np.testing.assert_array_equal(table["probability"], expected["probability"])


def test_no_point_gives_no_row():
    table = assign_points([], LABELLED).table
    assert len(table) == 0
    assert tuple(table) == COLUMNS


@pytest.mark.parametrize(
    ("points", "sigma", "match"),
    [
        ([1, 2], 0, r"points: have the shape \(1, 2\); give x, y, z in mm for each"),
        ([[1, 2, float("nan")]], 0, "points: hold a coordinate that is not a number"),
        (["a", "b", "c"], 0, "points: are not numbers"),
        ([1, 2, 3], -1, r"sigma_mm: is -1.0; give mm from 0 to 20"),
        ([1, 2, 3], float("nan"), "sigma_mm: is nan"),
        ([1, 2, 3], 30, "sigma_mm: is 30"),
        ([[1, 2, 3]] * 3, [1, 21, 22], "sigma_mm: is 21.0; give mm from 0 to 20"),
        ([[1, 2, 3]] * 3, [1, 2], "sigma_mm: holds 2 values for 3 points; give one"),
    ],
)
def test_what_is_no_point_is_an_error(points, sigma, match):
    with pytest.raises(InputError, match=match):
        assign_points(points, LABELLED, sigma)


def test_a_lower_threshold_is_a_probability():
    with pytest.raises(InputError, match=r"lower_threshold: is -0.1; give a probability"):
        assign_points([0, 0, 0], LABELLED, lower_threshold=-0.1)


@pytest.mark.parametrize(
    "text",
    [
        "-26.5 0 8\n3 4 5\n",
        "x,y,z\n-26.5,0,8\n\n3,4,5",
        "# peaks\nx\ty\tz\n-26.5\t0\t8\n3\t4\t5",
        "-26.5; 0; 8\n3; 4; 5\n",
        "\ufeffx, y, z\r\n-26.5, 0, 8\r\n3, 4, 5\r\n",
    ],
)
def test_points_are_read_however_they_are_separated(tmp_path, text):
    path = tmp_path / "peaks.txt"
    path.write_text(text, encoding="utf-8", newline="")
    points = read_points(path)
    assert points.mm.tolist() == [[-26.5, 0, 8], [3, 4, 5]]
    assert points.sigma_mm is None
    assert len(points.sha256) == 64


def test_a_fourth_number_is_the_sigma(tmp_path):
    path = tmp_path / "peaks.csv"
    path.write_text("x,y,z,sigma\n1,2,3,0.5\n4,5,6,2\n")
    points = read_points(path)
    assert points.mm.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert points.sigma_mm.tolist() == [0.5, 2]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 2 3\n1 2\n", "line 2 is not a point: '1 2'; give x, y, z"),
        ("1 2 3\n1 2 x3\n", "line 2 is not a point: '1 2 x3'"),
        ("1 2 3 4 5\n", "line 1 is not a point"),
        ("1 2 3\nnan 2 3\n", "line 2 is not a point: 'nan 2 3'"),
        ("1 2 inf\n", "line 1 is not a point"),
        ("1 2 3\n1 2 3 4\n", "some points have a sigma and some have none"),
        ("-26,5;0;8\n", "line 1 has commas within its numbers: '-26,5;0;8'; write decimals"),
        ("1 2 3\n1,5 2 3\n", "line 2 has commas within its numbers"),
        ("x y z\n", "holds no point"),
    ],
)
def test_a_line_that_is_no_point_is_an_error(tmp_path, text, match):
    path = tmp_path / "peaks.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=f"peaks.txt: {match}"):
        read_points(path)
