"""Signal to noise of a template's region on the native image: against masks made by formulas."""

from __future__ import annotations

import numpy as np
import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.scans.region_masks import RegionMap, native_region
from lesion_dash.scans.signal import leave_out, measure_native, measure_signal, region_on
from lesion_dash.transforms.transform import Transform

GRID = Grid((24, 26, 22), np.diag([2.0, 2, 2, 1]))
CENTRE = np.array([24.0, 26, 22])


def points(grid: Grid) -> np.ndarray:
    return grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))


def region(radius: float = 14.0, centre: np.ndarray = CENTRE, grid: Grid = GRID) -> RegionMap:
    """1 in the middle, falling to 0 at the radius: 0.5 is half of it."""
    share = 1 - np.linalg.norm(points(grid) - centre, axis=-1) / radius
    flat = np.ravel(np.clip(share, 0, 1), order="F")
    indices = np.flatnonzero(flat).astype(np.int32)
    return RegionMap("eye", grid, indices, flat[indices])


def noisy(grid: Grid = GRID, seed: int = 0, mean: float = 100.0) -> Map:
    values = np.random.default_rng(seed).normal(mean, 5, grid.shape)
    return Map(f"scan {seed}", values, grid, "", "")


def box(low: int, high: int, name: str, grid: Grid = GRID) -> Mask:
    return Mask.from_array(
        (np.indices(grid.shape)[0] // 2 >= low) & (np.indices(grid.shape)[0] // 2 < high),
        grid,
        name,
    )


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5])
def test_a_region_comes_back_through_the_inverse(threshold: float) -> None:
    angle = np.radians(20)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, :3] *= 1.2
    matrix[:3, 3] = [-6, 4, -5]
    native = Grid(
        (40, 44, 38), np.diag([1.5, -1.5, 1.5, 1]) + np.outer([0, 1, 0, 0], [0, 0, 0, 60])
    )
    found = native_region(region(), threshold, Transform(matrix), native)
    in_template = points(native) @ matrix[:3, :3].T + matrix[:3, 3]
    ball = np.linalg.norm(in_template - CENTRE, axis=-1) <= 14 * (1 - threshold)
    assert found.voxels == pytest.approx(ball.sum(), rel=0.12)
    dice = 2 * (found.array & ball).sum() / (found.voxels + ball.sum())
    assert dice > 0.9
    assert any("brought from" in note for note in found.notes)
    assert not any("to the template" in note for note in found.notes)


def test_without_a_transform_the_map_lies_in_the_images_space() -> None:
    found = native_region(region(), 0.5, None, GRID)
    assert np.array_equal(found.indices, region().mask_on(GRID, 0.5).indices)


def test_thresholds_on_another_grid_are_those_of_the_region() -> None:
    fine = Grid((48, 52, 44), np.diag([1.0, 1, 1, 1]))
    there = region_on(region(), fine)
    for threshold in (0.1, 0.5, 0.9):
        expected = region().mask_on(fine, threshold)
        assert np.array_equal(there.mask_on(fine, threshold).indices, expected.indices)
    labels = RegionMap("eye", GRID, region().indices, None)
    assert region_on(labels, fine) is labels
    away = Grid((4, 4, 4), np.diag([1.0, 1, 1, 1]) + np.outer([1, 0, 0, 0], [0, 0, 0, 900]))
    with pytest.raises(InputError, match="does not overlap"):
        region_on(region(), away)


def test_what_two_masks_share_is_left_out_of_one() -> None:
    a, b = box(0, 6, "fat"), box(4, 9, "nerve")
    found = leave_out(a, b)
    assert set(found.indices) == set(a.indices) - set(b.indices)
    assert found.notes[-1].startswith("fat: ")
    assert leave_out(a, box(8, 9, "far")) is a


def test_all_is_measured_where_nothing_is_wrong() -> None:
    signal, background, air = box(0, 4, "signal"), box(4, 8, "grey"), box(8, 12, "air")
    more = {"second": noisy(seed=1), "air": air, "coils": 4}
    found = measure_native(noisy(), signal, background, **more)
    expected = measure_signal(noisy(), signal, background, **more)
    assert found.quality.table.equals(expected.table)
    assert found.refused == ()
    assert found.given == ("background", "second", "air")


def test_a_background_without_noise_refuses_its_definitions_alone() -> None:
    image = noisy()
    values = image.array.copy()
    background = box(4, 8, "skull")
    values[background.array] = 0
    stripped = Map("stripped", values, GRID, "", "")
    signal, air = box(0, 4, "signal"), box(8, 12, "air")
    found = measure_native(stripped, signal, background, air=air)
    expected = measure_signal(stripped, signal, air=air)
    assert found.quality.table.equals(expected.table)
    refused = {one.name: str(error) for one, error in found.refused}
    assert set(refused) == {"snr_plain", "cnr_plain", "cnr_air", "cnr_mriqc"}
    assert all("skull" in sentence for sentence in refused.values())


def test_several_refusals_each_say_their_own() -> None:
    image = noisy()
    found = measure_native(image, box(0, 4, "signal"), box(3, 8, "grey"), second=image)
    refused = {one.name: str(error) for one, error in found.refused}
    assert "overlap" in refused["snr_plain"]
    assert "difference holds no noise" in refused["snr_difference"]
    assert {one.measure for one in found.quality.measures} == {"snr_within", "snr_mriqc"}


@pytest.mark.parametrize("shape", [(12, 13, 11), (12, 13, 12)], ids=["moved", "other shape"])
def test_a_second_acquisition_on_another_grid_refuses_all(shape: tuple[int, int, int]) -> None:
    affine = GRID.affine.copy()
    affine[0, 3] += 1
    other = Map("again", np.ones(shape), Grid(shape, affine), "", "")
    with pytest.raises(InputError, match=r"again: is not on the grid of .*two acquisitions of one"):
        measure_native(noisy(), box(0, 4, "signal"), second=other)


def test_masks_of_noise_that_share_voxels_refuse_all() -> None:
    signal, background, air = box(0, 4, "signal"), box(4, 8, "grey"), box(7, 12, "air")
    with pytest.raises(InputError, match=r"background \(grey\) and air \(air\) overlap"):
        measure_native(noisy(), signal, background, air=air)


def test_a_signal_that_cannot_be_measured_is_the_first_thing_said() -> None:
    empty = Mask(GRID, np.empty(0, np.int32), "nothing")
    with pytest.raises(InputError, match="nothing"):
        measure_native(noisy(), empty, box(4, 8, "grey"))
