"""Known signal to noise is recovered, and intervals hold it as often as they say."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from noise import AIR, BACKGROUND, CNR, GRID, SIGNAL, SNR, TRUTH, as_image, gaussian, mask, rician
from scipy import ndimage, optimize, stats

from lesion_dash import Grid, measure_signal
from lesion_dash.signal_quality.measures import estimate
from lesion_dash.signal_quality.moments import resample
from lesion_dash.signal_quality.samples import MOST_UNITS, take_sample

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
def hits(kind: str) -> dict[str, int]:
    """How many of the simulated images have the truth inside their interval."""
    make, truth = (gaussian, GAUSSIAN_TRUTH) if kind == "gaussian" else (rician, RICIAN_TRUTH)
    count = dict.fromkeys(truth, 0)
    for seed in range(IMAGES):
        found = measure_signal(
            make(2 * seed),
            SIGNAL,
            BACKGROUND,
            second=make(2 * seed + 1),
            air=AIR,
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
        lambda a, b, axis: a.mean(axis) / b.std(axis),
        n_resamples=4000,
        method="percentile",
        rng=0,
    )
    width = expected.confidence_interval.high - expected.confidence_interval.low
    assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.08 * width)
    assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.08 * width)


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
    independent = interval(gaussian(10), 0.0)[0] / interval(gaussian(10), 4.0)[0]
    assert independent == pytest.approx(1, abs=0.35)


def test_too_few_blocks_give_no_interval():
    found = measure_signal(gaussian(11), SIGNAL, block_mm=15.0, resamples=100).measures[0]
    assert np.isfinite(found.value)
    assert np.isnan([found.low, found.high]).all()
    assert "blocks, at least 10 are needed" in found.reason


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


def test_what_shares_a_mask_is_drawn_together_and_the_rest_is_not():
    sample = take_sample(gaussian(16), SIGNAL)
    signal = estimate("signal", sample, 100, seed=3).resampled.mean
    for role in ("pair_signal", "difference"):
        np.testing.assert_array_equal(estimate(role, sample, 100, seed=3).resampled.mean, signal)
    for role in ("background", "pair_background", "air"):
        other = estimate(role, sample, 100, seed=3).resampled.mean
        assert abs(np.corrcoef(signal, other)[0, 1]) < 0.5
