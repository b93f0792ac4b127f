"""Samples and their resampling, against scipy and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from noise import AIR, BACKGROUND, GRID, SIGNAL, TRUTH, as_image, gaussian, mask
from scipy import ndimage, stats

from lesion_dash import Mask
from lesion_dash.core.grid import Grid
from lesion_dash.scans.sampling import (
    MOST_UNITS,
    Sample,
    neighbour_correlation,
    ratio_interval,
    take_sample,
)
from lesion_dash.scans.signal import measure_signal, resampled_medians
from lesion_dash.scans.signal_definitions import resample
from lesion_dash.scans.signal_measures import Bootstrap, estimate


def test_an_interval_is_that_of_scipy():
    image = gaussian(8)
    row = measure_signal(image, SIGNAL, BACKGROUND, resamples=4000).measures[0]
    expected = stats.bootstrap(
        (image.array[SIGNAL.array], image.array[BACKGROUND.array]),
        lambda a, b, axis: np.arcsinh(a.mean(axis) / b.std(axis) / np.sqrt(2)),
        n_resamples=4000,
        method="basic",
        rng=0,
    )
    low, high = np.sqrt(2) * np.sinh(np.array(expected.confidence_interval))
    assert row.low == pytest.approx(low, abs=0.08 * (high - low))
    assert row.high == pytest.approx(high, abs=0.08 * (high - low))


def test_bounds_of_ratios_near_0():
    # The scale is straight there, and the ends of few units are those of Student.
    drawn = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000) * 1e-3 * np.sqrt(11 / 12)
    low, high, reason = ratio_interval(0.0, drawn, 12)
    assert (low, high) == pytest.approx(np.array([-1, 1]) * 1e-3 * stats.t.ppf(0.975, 11), rel=1e-3)
    assert not reason
    # What is never negative has no negative bound.
    drawn = np.abs(np.random.default_rng(1).normal(0, 0.1, 1000))
    assert ratio_interval(0.02, drawn, 500)[0] == 0
    assert ratio_interval(0.02, drawn - 0.01, 500)[0] < 0
    constant = np.where(np.arange(1000) < 100, np.inf, 40.0)
    assert "resamples hold one value only" in ratio_interval(40.0, constant, 50)[2]


def width(image, block_mm: float):
    row = measure_signal(image, SIGNAL, block_mm=block_mm, resamples=500).measures[0]
    return row.high - row.low, row.interval


def test_blocks_tell_that_smooth_noise_varies_more():
    generator = np.random.default_rng(9)
    smooth = ndimage.gaussian_filter(generator.normal(size=GRID.shape), 1.0, mode="wrap")
    image = as_image(TRUTH + smooth / smooth.std())
    single, blocks = width(image, 0.0), width(image, 4.0)
    assert blocks[0] > 1.5 * single[0]
    assert "cubes of 4 mm" in blocks[1]
    assert "although neighbours correlate by 0.7" in single[1]
    assert "--block-mm" in single[1]
    independent, same = width(gaussian(10), 0.0), width(gaussian(10), 4.0)
    assert "correlate" not in blocks[1] + independent[1]
    assert independent[0] / same[0] == pytest.approx(1, abs=0.35)
    # Cubes smaller than a voxel are single voxels.
    assert width(gaussian(10), 1e-9) == independent


def test_neighbours_are_those_of_the_grid_inside_the_mask():
    shape, generator = (7, 6, 5), np.random.default_rng(18)
    array = ndimage.gaussian_filter(generator.normal(size=shape), 1.2)
    inside = generator.random(shape) < 0.7
    indices = generator.permutation(np.flatnonzero(inside.ravel(order="F")))
    values = array.ravel(order="F")[indices]
    deviations = np.where(inside, array - values.mean(), np.nan)
    pairs = [
        np.take(deviations, range(1, length), axis) * np.take(deviations, range(length - 1), axis)
        for axis, length in enumerate(shape)
    ]
    expected = np.nanmean(np.concatenate([pair.ravel() for pair in pairs])) / values.var()
    assert expected > 0.5
    assert neighbour_correlation(values, indices, shape) == pytest.approx(expected, rel=1e-12)


def test_too_few_blocks_give_no_interval():
    row = measure_signal(gaussian(11), SIGNAL, block_mm=15.0, resamples=100).measures[0]
    assert np.isfinite(row.value)
    assert np.isnan([row.low, row.high]).all()
    assert "blocks, at least 10 are needed" in row.reason
    # Nor do few blocks of air, for what takes it.
    air = Mask(GRID, AIR.indices[:12], "air")
    table = measure_signal(gaussian(11), SIGNAL, air=air, block_mm=4.0, resamples=100).table
    low = table.set_index("measure")["low"]
    assert np.isfinite(low["snr_within"])
    assert np.isnan(low["snr_air"])


def test_blocks_are_cubes_of_neighbours():
    sample = take_sample(gaussian(12), SIGNAL, 4.0)
    places = np.argwhere(SIGNAL.array) * GRID.voxel_size
    corner = places.min(axis=0)
    cubes = {tuple(place) for place in np.floor((places - corner + 0.01) / 4).astype(int)}
    assert sample.unit_count == len(cubes)
    # Of 8 x 2 mm, 10 x 1.5 mm and 8 x 1 mm: at most 2, 3 and 4 voxels a side.
    assert np.bincount(sample.units).max() == 2 * 3 * 4


def test_a_large_region_is_drawn_in_blocks_and_says_so():
    grid = Grid((40, 40, 40), np.eye(4))
    assert grid.size > MOST_UNITS
    image = as_image(np.random.default_rng(13).normal(40, 1, grid.shape), grid=grid)
    quality = measure_signal(image, mask(np.ones(grid.shape), "all", grid), resamples=100)
    assert "cubes of 2 mm" in quality.measures[0].interval


@pytest.mark.parametrize(
    ("size", "tolerance"), [(3001, 1e-12), (70_000, 2e-4)], ids=["exact", "rounded"]
)
def test_moments_of_resamples_are_those_of_the_voxels_drawn(size, tolerance):
    values = np.random.default_rng(14).rayleigh(30, size)
    units = np.arange(size) * 1000 // size
    moments = resample(values, units, 5, np.random.default_rng(15), with_mad=True)
    generator = np.random.default_rng(15)
    for place in range(5):
        drawn = generator.integers(0, units.max() + 1, units.max() + 1)
        voxels = np.concatenate([values[unit == units] for unit in drawn])
        mad = stats.median_abs_deviation(voxels, scale="normal")
        assert moments.mad[place] == pytest.approx(mad, abs=tolerance * values.std())
        assert moments.mean[place] == pytest.approx(voxels.mean(), rel=1e-12)
        assert moments.sd[place] == pytest.approx(voxels.std(), rel=1e-10)


def test_resampled_medians_of_a_series_are_those_of_numpy():
    values = np.random.default_rng(17).gamma(5, size=400)
    medians = resampled_medians(
        Sample("white", values, np.arange(400) // 4, 4.0), Bootstrap(4.0, 100, 9)
    )
    generator = np.random.default_rng([9, 0])
    for median in medians[:20]:
        drawn = generator.integers(0, 100, 100)
        assert median == np.median(values.reshape(100, 4)[drawn])


def test_what_shares_a_mask_is_drawn_together_and_the_rest_is_not():
    sample = take_sample(gaussian(16), SIGNAL)

    def means(role):
        return estimate(role, sample, Bootstrap(0, 100, 3)).resampled.mean

    for role in ("pair_signal", "difference"):
        np.testing.assert_array_equal(means(role), means("signal"))
    for role in ("background", "pair_background", "air"):
        assert abs(np.corrcoef(means("signal"), means(role))[0, 1]) < 0.5
