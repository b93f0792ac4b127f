"""Known signal to noise is recovered, and intervals hold it as often as they say."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from noise import AIR, BACKGROUND, CNR, GRID, SIGNAL, SNR, TRUTH, as_image, gaussian, mask, rician
from scipy import ndimage, optimize, stats

from lesion_dash.core.grid import Grid
from lesion_dash.images.masks import Mask
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

IMAGES = 200
NOMINAL = 0.95
RAYLEIGH = stats.rayleigh.std()
MIDDLE = stats.rayleigh.median()
RAYLEIGH_MAD = optimize.brentq(
    lambda d: stats.rayleigh.cdf(MIDDLE + d) - stats.rayleigh.cdf(MIDDLE - d) - 0.5, 0.1, 1
)

GAUSSIAN_TRUTH = {
    "snr_plain": SNR,
    "cnr_plain": CNR,
    "snr_within": SNR,
    "snr_difference": SNR,
    "cnr_difference": CNR,
    "snr_mriqc": SNR,
}
RICIAN_TRUTH = GAUSSIAN_TRUTH | {
    "snr_air": SNR,
    "cnr_air": CNR,
    "snrd_mriqc": SNR * RAYLEIGH / (RAYLEIGH_MAD / stats.norm.ppf(0.75)),
    "cnr_mriqc": CNR / np.sqrt(2 + RAYLEIGH**2),
}


@cache
def hits(kind: str, voxels: int | None = None) -> dict[str, int]:
    """How many of the simulated images have the truth inside their interval."""
    make, truth = (gaussian, GAUSSIAN_TRUTH) if kind == "gaussian" else (rician, RICIAN_TRUTH)
    regions = [Mask(GRID, one.indices[:voxels], one.name) for one in (SIGNAL, BACKGROUND, AIR)]
    count = dict.fromkeys(truth, 0)
    for seed in range(IMAGES):
        found = measure_signal(
            make(2 * seed),
            *regions[:2],
            second=make(2 * seed + 1),
            air=regions[2],
            resamples=200,
            seed=seed,
        )
        for one in found.measures:
            if one.measure in truth:
                count[one.measure] += one.low <= truth[one.measure] <= one.high
    return count


each_measure = pytest.mark.parametrize(
    ("kind", "measure"),
    [("gaussian", name) for name in GAUSSIAN_TRUTH] + [("rician", name) for name in RICIAN_TRUTH],
)


@each_measure
def test_intervals_hold_the_truth_at_their_nominal_rate(kind, measure):
    low, high = stats.binom.ppf([0.0005, 0.9995], IMAGES, NOMINAL)
    assert low <= hits(kind)[measure] <= high


@pytest.mark.parametrize("measure", RICIAN_TRUTH)
def test_intervals_of_few_voxels_hold_it_nearly_as_often(measure):
    """Of 12 voxels; plain percentiles hold it in 75 of 100 cases."""
    assert hits("rician", 12)[measure] >= stats.binom.ppf(0.0005, IMAGES, 0.92)


def test_air_without_its_factor_is_half_too_high():
    found = measure_signal(rician(3), SIGNAL, AIR, resamples=100)
    assert found.value("snr_plain") == pytest.approx(SNR / RAYLEIGH, rel=0.1)
    assert any("the background looks like air" in note for note in found.notes)
    tissue = measure_signal(rician(3), SIGNAL, BACKGROUND, resamples=100)
    assert not any("looks like air" in note for note in tissue.notes)


@pytest.mark.parametrize("coils", [1, 4, 16])
def test_the_factor_of_the_coils_gives_one_answer(coils):
    found = measure_signal(rician(4, coils), SIGNAL, air=AIR, coils=coils, resamples=100)
    assert found.value("snr_air") == pytest.approx(SNR, rel=0.1)


def test_a_bias_field_hides_in_the_noise_of_a_region_and_not_of_a_difference():
    bias = 1 + 0.25 * np.linspace(-1, 1, GRID.shape[1])[None, :, None]
    first, second = (as_image(TRUTH * bias + gaussian(seed).array - TRUTH) for seed in (5, 6))
    found = measure_signal(first, SIGNAL, second=second, resamples=100)
    assert found.value("snr_within") < SNR / 4
    assert found.value("snr_difference") == pytest.approx(SNR, rel=0.1)


def test_an_interval_is_that_of_scipy():
    image = gaussian(8)
    found = measure_signal(image, SIGNAL, BACKGROUND, resamples=4000).measures[0]
    samples = (image.array[SIGNAL.array], image.array[BACKGROUND.array])
    expected = stats.bootstrap(
        samples,
        lambda a, b, axis: np.arcsinh(a.mean(axis) / b.std(axis) / np.sqrt(2)),
        n_resamples=4000,
        method="basic",
        rng=0,
    )
    low, high = np.sqrt(2) * np.sinh(np.array(expected.confidence_interval))
    assert found.low == pytest.approx(low, abs=0.08 * (high - low))
    assert found.high == pytest.approx(high, abs=0.08 * (high - low))


def test_an_interval_of_a_t_is_that_of_the_normal_mean():
    """Of a ratio near 0 the scale is straight, and the ends of few units are those of Student."""
    drawn = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000) * 1e-3 * np.sqrt(11 / 12)
    low, high, reason = ratio_interval(0.0, drawn, 12)
    assert (low, high) == pytest.approx(np.array([-1, 1]) * 1e-3 * stats.t.ppf(0.975, 11), rel=1e-3)
    assert not reason


def test_a_ratio_that_is_never_negative_has_no_negative_bound():
    drawn = np.abs(np.random.default_rng(1).normal(0, 0.1, 1000))
    assert ratio_interval(0.02, drawn, 500)[0] == 0
    assert ratio_interval(0.02, drawn - 0.01, 500)[0] < 0


def test_resamples_without_noise_give_no_interval():
    drawn = np.where(np.arange(1000) < 100, np.inf, 40.0)
    assert ratio_interval(40.0, drawn, 50)[2] == (
        "no interval: resamples hold one value only, and no noise"
    )


def interval(image, block_mm: float):
    found = measure_signal(image, SIGNAL, block_mm=block_mm, resamples=500).measures[0]
    return found.high - found.low, found.interval


def test_blocks_tell_that_smooth_noise_varies_more():
    generator = np.random.default_rng(9)
    smooth = ndimage.gaussian_filter(generator.normal(size=GRID.shape), 1.0, mode="wrap")
    image = as_image(TRUTH + smooth / smooth.std())
    single, blocks = interval(image, 0.0), interval(image, 4.0)
    assert blocks[0] > 1.5 * single[0]
    assert "cubes of 4 mm" in blocks[1]
    assert "although neighbours correlate by 0.7 (too narrow: draw cubes" in single[1]
    assert "--block-mm" in single[1]
    assert "correlate" not in blocks[1] + interval(gaussian(10), 0.0)[1]
    independent = interval(gaussian(10), 0.0)[0] / interval(gaussian(10), 4.0)[0]
    assert independent == pytest.approx(1, abs=0.35)


def test_cubes_smaller_than_a_voxel_are_single_voxels():
    assert interval(gaussian(10), 1e-9) == interval(gaussian(10), 0.0)


def test_neighbours_are_those_of_the_grid_inside_the_mask():
    shape, generator = (7, 6, 5), np.random.default_rng(18)
    array = ndimage.gaussian_filter(generator.normal(size=shape), 1.2)
    inside = generator.random(shape) < 0.7
    indices = generator.permutation(np.flatnonzero(inside.ravel(order="F")))
    values = array.ravel(order="F")[indices]
    apart, products = np.where(inside, array - values.mean(), np.nan), []
    for axis in range(3):
        pair = np.take(apart, range(1, shape[axis]), axis) * np.take(
            apart, range(shape[axis] - 1), axis
        )
        products += pair[~np.isnan(pair)].tolist()
    expected = np.mean(products) / values.var()
    assert expected > 0.5
    assert neighbour_correlation(values, indices, shape) == pytest.approx(expected, rel=1e-12)


def test_structure_is_no_likeness_of_the_noise_of_a_difference():
    slope = 5 * np.linspace(-1, 1, GRID.shape[1])[None, :, None]
    first, second = (as_image(gaussian(seed).array + slope) for seed in (5, 6))
    found = measure_signal(first, SIGNAL, second=second, resamples=100)
    words = {one.measure: "correlate" in one.interval for one in found.measures}
    assert words == {"snr_within": True, "snr_difference": False, "snr_mriqc": True}


def test_too_few_blocks_give_no_interval():
    found = measure_signal(gaussian(11), SIGNAL, block_mm=15.0, resamples=100).measures[0]
    assert np.isfinite(found.value)
    assert np.isnan([found.low, found.high]).all()
    assert "blocks, at least 10 are needed" in found.reason


def test_few_blocks_of_air_give_no_interval_of_what_takes_it():
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
    image = as_image(np.random.default_rng(13).normal(40, 1, grid.shape), grid=grid)
    found = measure_signal(image, mask(np.ones(grid.shape), "all", grid), resamples=100)
    assert grid.size > MOST_UNITS
    assert "cubes of 2 mm" in found.measures[0].interval
    assert found.value("snr_within") == pytest.approx(40, rel=0.02)


@pytest.mark.parametrize(
    ("size", "tolerance"), [(3001, 1e-12), (70_000, 2e-4)], ids=["exact", "rounded"]
)
def test_resampled_medians_are_those_of_the_voxels_drawn(size, tolerance):
    values = np.random.default_rng(14).rayleigh(30, size)
    units = np.arange(size) * 1000 // size
    found = resample(values, units, 5, np.random.default_rng(15), with_mad=True)
    generator = np.random.default_rng(15)
    for place in range(5):
        drawn = generator.integers(0, units.max() + 1, units.max() + 1)
        voxels = np.concatenate([values[unit == units] for unit in drawn])
        mad = stats.median_abs_deviation(voxels, scale="normal")
        assert found.mad[place] == pytest.approx(mad, abs=tolerance * values.std())
        assert found.mean[place] == pytest.approx(voxels.mean(), rel=1e-12)
        assert found.sd[place] == pytest.approx(voxels.std(), rel=1e-10)


def test_resampled_medians_of_a_series_are_those_of_numpy():
    values = np.random.default_rng(17).gamma(5, size=400)
    sample = Sample("white", values, np.arange(400) // 4, 4.0)
    generator = np.random.default_rng([9, 0])
    expected = []
    for _ in range(20):
        drawn = generator.integers(0, 100, 100)
        expected.append(np.median(np.concatenate([values[4 * one : 4 * one + 4] for one in drawn])))
    found = resampled_medians(sample, Bootstrap(4.0, 100, 9))
    np.testing.assert_array_equal(found[:20], expected)


def test_what_shares_a_mask_is_drawn_together_and_the_rest_is_not():
    sample = take_sample(gaussian(16), SIGNAL)
    signal = estimate("signal", sample, Bootstrap(0, 100, 3)).resampled.mean
    for role in ("pair_signal", "difference"):
        np.testing.assert_array_equal(estimate(role, sample, Bootstrap(0, 100, 3)).resampled.mean, signal)
    for role in ("background", "pair_background", "air"):
        other = estimate(role, sample, Bootstrap(0, 100, 3)).resampled.mean
        assert abs(np.corrcoef(signal, other)[0, 1]) < 0.5
