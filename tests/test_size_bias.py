"""Size bias: means against brute force, and the permutation test against all permutations."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import factorial

import numpy as np
import pytest
from cohorts import cohort_of, with_reservoirs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import brute_force, random_masks
from scipy import stats

from lesion_dash import Cancelled, InputError, mean_contrast, permute_volumes
from lesion_dash.stats.permutation import (
    block_size,
    corrected_p,
    count_extremes,
    deviations,
    shuffled_blocks,
    volume_patterns,
)
from lesion_dash.stats.size_bias import SIDES, lesioned_patients

# Patients x voxels with few voxels, so that many volumes and sums are equal.
TIED = np.random.default_rng(11).random((6, 12)) < 0.45
UNEQUAL = np.random.default_rng(12).random((7, 9)) < np.linspace(0.2, 0.8, 7)[:, None]


MASKS = random_masks(14, seed=5)
each_side = pytest.mark.parametrize("side", SIDES)
each_table = pytest.mark.parametrize("lesioned", [TIED, UNEQUAL], ids=["tied", "unequal"])


@pytest.fixture(scope="module")
def cohort():
    return cohort_of(MASKS)


# --- the means ------------------------------------------------------------------------------


def test_the_contrasts_are_the_mean_less_two_means(cohort):
    contrast = mean_contrast(cohort, 4)
    expected = brute_force(MASKS, 4, 8.0)
    volumes = cohort.volumes * 8.0
    tested = expected["n"] > 0
    for image, less in (
        (contrast.above_mean, volumes.mean()),
        (contrast.above_weighted_mean, (volumes**2).sum() / volumes.sum()),
    ):
        assert image.unit == "mm³"
        np.testing.assert_allclose(image.array[tested], expected["mean"][tested] - less)
        assert np.isnan(image.array[~tested]).all()


@settings(max_examples=40)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 12))))
def test_a_voxel_drawn_from_all_lesions_has_the_size_weighted_mean(lesioned):
    if not lesioned.any():
        return
    means = mean_contrast(cohort_of(lesioned), 1)
    n = lesioned.sum(axis=0)
    assert np.average(means.mean, weights=n[n > 0]) == pytest.approx(means.weighted_mean)
    assert means.weighted_mean >= means.cohort_mean * (1 - 1e-12)


def test_lesions_anywhere_are_above_the_mean_nearly_everywhere_by_construction():
    """Nothing ties size to place here, and yet the mean is high and the null is false."""
    generator = np.random.default_rng(3)
    sizes = generator.lognormal(3.5, 1, 60).clip(5, 380).astype(int)
    rows = [np.isin(np.arange(400), generator.permutation(400)[:size]) for size in sizes]
    means = mean_contrast(cohort_of(rows), 5)
    assert np.mean(means.mean > means.cohort_mean) > 0.95
    above = np.nanmean(means.above_weighted_mean.array)
    assert abs(above) < 0.1 * (means.weighted_mean - means.cohort_mean)
    assert np.mean(permute_volumes(cohort_of(rows), permutations=199).p < 0.05) > 0.3


# --- the test against all permutations --------------------------------------------------------


def exact_excesses(patterns, volumes):
    """N Σv - n V of every pattern under every permutation, in Python's whole numbers."""
    members = [np.flatnonzero(row).tolist() for row in patterns.members.toarray()]
    patients, total = len(volumes), sum(volumes)
    return np.array(
        [
            [patients * sum(dealt[p] for p in own) - len(own) * total for own in members]
            for dealt in permutations(volumes)
        ],
        object,
    )


def exact_counts(excess, n, patients, side):
    """How many permutations are as extreme at each pattern, and how many maxima."""
    sign = {"larger": lambda d: d, "smaller": lambda d: -d, "two-sided": abs}[side]
    # As the square with its sign: the statistic but for a constant, without a root.
    scaled = [
        [
            Fraction(sign(d) * abs(sign(d)), int(own * (patients - own)))
            for d, own in zip(row, n, strict=True)
        ]
        for row in excess
    ]
    largest = [max(row) for row in scaled]
    observed = scaled[0]
    counts = [sum(row[j] >= value for row in scaled) for j, value in enumerate(observed)]
    return counts, [sum(top >= value for top in largest) for value in observed]


@each_side
@each_table
def test_counts_are_those_of_all_permutations(lesioned, side):
    patients = lesioned_patients(cohort_of(lesioned))
    patterns = volume_patterns(patients, 2)
    volumes = patients.volumes
    excess = exact_excesses(patterns, volumes.tolist())
    expected, expected_largest = exact_counts(excess, patterns.n, patients.size, side)
    every = np.array(list(permutations(volumes.astype(float)))).T
    units = 1 / deviations(patterns.n, volumes)
    counts, largest = count_extremes(
        patterns, volumes.astype(float), units, iter([every]), side, every.shape[1]
    )
    np.testing.assert_array_equal(counts, expected)
    statistic = excess[0].astype(float) * units
    oriented = {"larger": statistic, "smaller": -statistic, "two-sided": abs(statistic)}[side]
    corrected = corrected_p(oriented, largest)
    total = factorial(patients.size)
    np.testing.assert_allclose(corrected * (total + 1) - 1, expected_largest)
    np.testing.assert_allclose(np.std(excess.astype(float), axis=0) * units, 1)


@each_side
def test_p_is_near_the_exact_p_of_scipy(side):
    cohort = cohort_of(UNEQUAL)
    permuted = permute_volumes(cohort, 2, permutations=4000, seed=1, side=side)
    volumes = UNEQUAL.sum(axis=1)
    for place, voxel in enumerate(permuted.indices.tolist()[:4]):
        own = UNEQUAL[:, voxel]
        exact = stats.permutation_test(
            (own,),
            lambda x: (x * volumes).sum() / x.sum() - volumes.mean(),
            permutation_type="pairings",
            n_resamples=np.inf,
            alternative="less" if side == "smaller" else "greater",
        )
        null, value = exact.null_distribution, volumes[own].mean() - volumes.mean()
        assert permuted.statistic[place] == pytest.approx(value / null.std())
        p = exact.pvalue
        if side == "two-sided":
            p = np.mean(np.abs(null) >= abs(value) - 1e-9)
        low, high = stats.binom.interval(0.9999, 4000, p)
        assert low <= permuted.p[place] * 4001 - 1 <= high


def test_the_deviation_is_that_of_drawing_without_replacement():
    patients, large = 23, 9
    volumes = np.repeat([40, 1000], [patients - large, large])
    n = np.arange(1, patients)
    of_sum = 960 * stats.hypergeom(patients, large, n).std()
    np.testing.assert_allclose(deviations(n, volumes), patients * of_sum)


def test_the_statistic_is_the_mean_in_its_standard_deviations(cohort):
    permuted, means = permute_volumes(cohort, 4, 20), mean_contrast(cohort, 4)
    volumes = cohort.volumes * 8.0
    patients, n = volumes.size, permuted.n
    expected = volumes.std() * np.sqrt((patients - n) / (n * (patients - 1)))
    above = np.ravel(means.above_mean.array, order="F")[permuted.indices]
    np.testing.assert_allclose(permuted.statistic, above / expected)


# --- patterns -------------------------------------------------------------------------------


@settings(max_examples=60)
@given(hnp.arrays(bool, st.tuples(st.integers(2, 8), st.integers(1, 14))), st.integers(1, 3))
def test_patterns_are_the_different_columns(lesioned, min_patients):
    if not lesioned.any():
        return
    patients = lesioned_patients(cohort_of(lesioned))
    patterns = volume_patterns(patients, min_patients)
    rows = lesioned[patients.rows]
    n = rows.sum(axis=0)
    tested = np.flatnonzero((n >= min_patients) & (n < len(rows)))
    np.testing.assert_array_equal(patterns.indices, tested)
    members = patterns.members.toarray()
    np.testing.assert_array_equal(members[patterns.of_voxel], rows[:, tested].T)
    assert len(np.unique(members, axis=0)) == patterns.size
    np.testing.assert_array_equal(patterns.n, np.sort(members.sum(axis=1)))


# --- laws -----------------------------------------------------------------------------------


def assert_equal_outcomes(outcome, expected):
    for name in ("indices", "n", "statistic", "p", "corrected_p", "largest"):
        np.testing.assert_array_equal(getattr(outcome, name), getattr(expected, name), err_msg=name)


@each_table
def test_the_order_of_the_patients_does_not_matter(lesioned):
    expected = permute_volumes(cohort_of(lesioned), 2, 50, seed=4)
    generator = np.random.default_rng(0)
    for _ in range(5):
        order = generator.permutation(len(lesioned))
        assert_equal_outcomes(permute_volumes(cohort_of(lesioned[order]), 2, 50, seed=4), expected)


@each_side
def test_the_size_of_a_block_does_not_matter(cohort, side):
    patients = lesioned_patients(cohort)
    patterns, volumes = volume_patterns(patients, 3), patients.volumes.astype(float)
    units = 1 / deviations(patterns.n, patients.volumes)
    counts, largest = zip(
        *(
            count_extremes(
                patterns, volumes, units, shuffled_blocks(volumes, 150, 0, together), side, 150
            )
            for together in (1, 7, 64, 150)
        ),
        strict=True,
    )
    for other in range(3):
        np.testing.assert_array_equal(counts[other], counts[3])
        np.testing.assert_array_equal(largest[other], largest[3])


def test_a_block_keeps_within_its_bytes():
    assert block_size(10) == 64
    for patterns in (200_000, 3_000_000, 10**9):
        size = block_size(patterns)
        assert size == 1 or 8 * size * patterns <= 2**26


def test_the_seed_decides(cohort):
    first, again, other = (permute_volumes(cohort, 3, 60, seed) for seed in (1, 1, 2))
    assert_equal_outcomes(first, again)
    assert (first.p != other.p).any()
    np.testing.assert_array_equal(first.statistic, other.statistic)


def test_p_keeps_its_bounds_and_smaller_is_larger_of_the_opposite(cohort):
    tests = larger, smaller, either = [permute_volumes(cohort, 3, 99, side=side) for side in SIDES]
    for test in tests:
        assert test.p.min() >= 1 / 100
        assert test.corrected_p.max() <= 1
        assert (test.corrected_p >= test.p).all()
    # Every shuffle is at least as large or at least as small, and where equal, both.
    assert (larger.p + smaller.p >= 1 + 1 / 100 - 1e-12).all()
    assert (either.p >= np.minimum(larger.p, smaller.p)).all()
    np.testing.assert_array_equal(either.largest, np.maximum(larger.largest, smaller.largest))


def test_voxels_of_all_and_patients_without_lesion_are_left_out():
    lesioned = np.vstack([UNEQUAL, np.zeros((2, UNEQUAL.shape[1]), bool)])
    everywhere = np.hstack([lesioned, lesioned.any(axis=1)[:, None]])
    permuted = permute_volumes(cohort_of(everywhere), 2, 30)
    assert permuted.n_patients == 7
    assert everywhere.shape[1] - 1 not in permuted.indices
    assert permuted.notes == (
        "patients excluded, without a lesioned voxel: 2 of 9",
        "not tested, as all patients are lesioned there: 1 voxel",
    )
    # A voxel that all share adds the same to every volume, and nothing to the statistic.
    bare = permute_volumes(cohort_of(UNEQUAL), 2, 30)
    np.testing.assert_allclose(permuted.statistic, bare.statistic)


def test_progress_is_shown_and_can_stop(cohort):
    calls = []
    permute_volumes(cohort, 3, 150, progress=lambda *done: calls.append(done))
    assert calls == [(64, 150), (128, 150), (150, 150)]

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled, match="stopped by the user"):
        permute_volumes(cohort, 3, 150, progress=stop)


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        ({"min_patients": 0}, "min patients: 0 is too small"),
        ({"min_patients": 14}, "not in all: at most 9 of 14 share one; lower the number"),
        ({"permutations": 19}, "19 permutations give no p below 0.05; give at least 20"),
        ({"permutations": -1}, "-1 permutations give no p below 1.00"),
        ({"permutations": 99.5}, "permutations: 99.5 is not a whole number"),
        ({"seed": -1}, "seed: is -1; give a whole number of at least 0"),
        ({"seed": None}, "seed: None is not a whole number"),
        ({"side": "both"}, "side: is 'both'; choose one of larger, smaller, two-sided"),
    ],
)
def test_choices_that_cannot_be(cohort, choices, match):
    with pytest.raises(InputError, match=match):
        permute_volumes(cohort, **choices)


def test_cohorts_that_cannot_be_tested():
    with pytest.raises(InputError, match="all lesions have the same volume, 2 voxels"):
        permute_volumes(cohort_of([[1, 1, 0], [0, 1, 1], [1, 0, 1]]), 2)
    for test in (permute_volumes, mean_contrast):
        with pytest.raises(InputError, match="made: no patient has a lesioned voxel"):
            test(cohort_of(np.zeros((3, 4))))


# --- errors of the first and of the second kind -------------------------------------------------

EDGE, PATIENTS = 10, 18


def patches(generator) -> np.ndarray:
    """Each patient lesioned in a rectangle of a square of voxels: neighbours go together."""
    touched = np.zeros((PATIENTS, EDGE, EDGE), bool)
    for own in touched:
        (x, y), (width, height) = generator.integers(0, 7, 2), generator.integers(3, 9, 2)
        own[x : x + width, y : y + height] = True
    return touched.reshape(PATIENTS, -1)


@pytest.mark.parametrize("side", ["larger", "two-sided"])
def test_the_family_wise_error_rate_is_kept_where_volume_says_nothing_of_place(side):
    # 600 cohorts take 2 s: fewer would not tell 0.05 from 0.08.
    cohorts, level = 600, 0.05
    family = single = 0
    for seed in range(cohorts):
        generator = np.random.default_rng([2026, seed])
        touched = patches(generator)
        volumes = 120 + generator.lognormal(5, 1, PATIENTS).astype(int)
        permuted = permute_volumes(with_reservoirs(touched, volumes), 4, 39, seed, side)
        family += bool(permuted.significant(level))
        single += bool(permuted.p[permuted.indices.size // 2] <= level)
    # Of 40 permutations, the data among them, 2 are at least as extreme as the second: the level
    # is 0.05 and not only below it, but for ties.
    low, high = stats.binom.interval(0.999, cohorts, level)
    assert low <= family <= high
    assert low <= single <= high


def test_large_lesions_that_share_a_place_are_found():
    generator = np.random.default_rng(8)
    volumes = np.sort(120 + generator.lognormal(5, 1, 24).astype(int))
    touched = np.zeros((24, 30), bool)
    touched[-8:, :10] = True
    touched[:8, 10:20] = True
    for own in touched[:, 20:].T:
        own[generator.permutation(24)[:8]] = True
    cohort = with_reservoirs(touched, volumes)
    larger, smaller, either = (permute_volumes(cohort, 5, 999, side=side) for side in SIDES)
    assert larger.tested == 30
    assert (larger.corrected_p[:10] <= 0.01).all()
    assert (larger.corrected_p[10:] > 0.05).all()
    assert (smaller.p[10:20] <= 0.01).all()
    assert (smaller.p[:10] > 0.5).all()
    assert (either.corrected_p[:10] <= 0.02).all()
    assert larger.significant() == 10
