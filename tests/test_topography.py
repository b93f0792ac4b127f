"""Lesion size topography against brute force, and the laws it obeys."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from cohorts import cohort_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import AFFINE, SHAPE, brute_force, random_masks, write_masks

import lesion_dash as ld
from lesion_dash.core.runs import RUN, find_runs
from lesion_dash.stats.topography import folder_stats, volume_stats
from lesion_dash.stats.voxel_volumes import bucket_volumes, squared_deviation

MASKS = random_masks(12)
KEYS = ("n", "mean", "std", "median")


@pytest.fixture(scope="module")
def cohort():
    return cohort_of(MASKS)


def maps_of(masks, min_patients=2, affine=AFFINE, **options):
    stats = volume_stats(cohort_of(masks, affine), min_patients, **options)
    return {key: stats.map(key).array for key in KEYS}


def assert_same_maps(maps, expected, rtol=1e-9):
    np.testing.assert_array_equal(maps["n"], expected["n"])
    for key in KEYS[1:]:
        np.testing.assert_allclose(maps[key], expected[key], rtol=rtol, atol=1e-9, err_msg=key)


@pytest.mark.parametrize("ddof", [0, 1], ids=["population", "sample"])
@pytest.mark.parametrize("min_patients", range(1, 14))
def test_every_threshold_equals_brute_force(min_patients, ddof):
    maps = maps_of(MASKS, min_patients, std=("population", "sample")[ddof])
    assert_same_maps(maps, brute_force(MASKS, min_patients, 8.0, ddof))


@settings(max_examples=40)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), *map(st.just, (3, 2, 4)))), st.integers(1, 9))
def test_any_cohort_equals_brute_force(arrays, min_patients):
    assert_same_maps(maps_of(arrays, min_patients), brute_force(arrays, min_patients, 8.0))


def test_a_grid_of_many_buckets_equals_brute_force():
    arrays = [np.zeros((40, 41, 42), bool) for _ in range(7)]
    for number, array in enumerate(arrays):
        array[number : 30 - number, 5 : 12 + 3 * number, number::3] = True
    arrays[6][:] = True
    assert_same_maps(maps_of(arrays), brute_force(arrays, 2, 8.0))


def test_the_sample_data_equal_brute_force(sample_data):
    files = sorted((sample_data / "cohort_a").glob("*.nii.gz"))
    arrays = [np.asarray(nib.load(file).dataobj) for file in files]
    stats = ld.volume_stats(ld.load_cohort(sample_data / "cohort_a"), 6)
    assert_same_maps({key: stats.map(key).array for key in KEYS}, brute_force(arrays, 6, 8.0))
    assert stats.voxels > 100


@given(st.lists(st.integers(0, 4_000_000), min_size=1, max_size=60), st.integers(0, 3))
def test_the_spread_is_exact_even_of_nearly_equal_volumes(volumes, noise):
    for values in (volumes, [4_000_000 - (value % (noise + 1)) for value in volumes]):
        n, total, squares = len(values), sum(values), sum(value**2 for value in values)
        deviation = squared_deviation(*(np.array([x], np.int64) for x in (n, total, squares)))[0]
        # Python's whole numbers know no rounding: n Σv² - (Σv)² over n.
        assert deviation == pytest.approx((n * squares - total**2) / n, rel=1e-12, abs=1e-9)


def test_sums_beyond_64_bits_still_give_the_right_spread():
    n, volume = 3_000_000, 4_000_000
    total = n * volume + n // 2
    squares = (n // 2) * volume**2 + (n // 2) * (volume + 1) ** 2
    assert squares > 2**64
    wrapped = np.array([squares % 2**64], np.uint64).astype(np.int64)
    deviation = squared_deviation(np.array([n]), np.array([total]), wrapped)[0]
    assert deviation == pytest.approx(n / 4, rel=1e-12)


@pytest.mark.parametrize("largest", [2**29 - 1, 2**28, 2**25])
@pytest.mark.parametrize("patients", [200, 602, 20_000])
def test_the_spread_is_exact_for_the_largest_lesions_a_grid_can_hold(largest, patients):
    runs = np.zeros(patients, RUN)
    runs["length"] = 3
    runs["volume"] = np.where(np.arange(patients) % 2, largest, 1)
    runs["volume"][0] = 77
    part = bucket_volumes(ld.Grid((5, 1, 1), np.eye(4)), runs, (0, 5), 1)
    volumes = runs["volume"].tolist()
    exact = sum(volume**2 for volume in volumes) - sum(volumes) ** 2 / patients
    assert part.indices.tolist() == [0, 1, 2]
    assert part.deviation.tolist() == pytest.approx([exact] * 3, rel=1e-12)


# Each law: how masks and affine change, and how the maps change with them.
LAWS = {
    "order of patients": (lambda mask: mask, AFFINE, lambda array: array, 1),
    "flipped x": (lambda mask: mask[::-1], AFFINE, lambda array: array[::-1], 1),
    "flipped y": (lambda mask: mask[:, ::-1], AFFINE, lambda array: array[:, ::-1], 1),
    "flipped z": (lambda mask: mask[..., ::-1], AFFINE, lambda array: array[..., ::-1], 1),
    "permuted axes": (
        lambda mask: mask.transpose(2, 0, 1),
        AFFINE[:, [2, 0, 1, 3]],
        lambda array: array.transpose(2, 0, 1),
        1,
    ),
    "voxels twice as wide": (
        lambda mask: mask, AFFINE @ np.diag([2.0, 2, 2, 1]), lambda array: array, 8
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "affine", "follow", "factor"), LAWS.values(), ids=LAWS)
def test_maps_follow_the_masks_bit_by_bit(change, affine, follow, factor):
    plain = maps_of(MASKS)
    changed = maps_of([change(mask) for mask in MASKS[::-1]], affine=affine)
    for key in KEYS:
        expected = follow(plain[key]) * (1 if key == "n" else factor)
        np.testing.assert_array_equal(changed[key], expected)


def test_two_halves_add_up_to_the_whole(cohort):
    halves = [volume_stats(cohort.select(range(*part)), 1) for part in ((0, 5), (5, 12))]
    whole = volume_stats(cohort, 1)
    np.testing.assert_array_equal(sum(half.n.array for half in halves), whole.n.array)
    total = sum(half.mean.array * half.n.array for half in halves)
    np.testing.assert_allclose(total, whole.mean.array * whole.n.array, rtol=1e-12)


def test_everybody_twice_doubles_n_and_leaves_mean_sd_and_median():
    once, twice = maps_of(MASKS, 1), maps_of([*MASKS, *MASKS], 1)
    assert_same_maps(twice, once | {"n": 2 * once["n"]}, rtol=1e-12)


def test_a_higher_threshold_only_takes_voxels_away():
    lower, higher = maps_of(MASKS, 3), maps_of(MASKS, 4)
    qualifies = higher["n"] > 0
    assert qualifies.sum() < (lower["n"] > 0).sum()
    for key in KEYS:
        np.testing.assert_array_equal(higher[key][qualifies], lower[key][qualifies])


def test_outside_may_be_nan():
    zero, nan = maps_of(MASKS, 6), maps_of(MASKS, 6, outside="nan")
    for key in KEYS:
        np.testing.assert_array_equal(np.isnan(nan[key]), zero["n"] == 0)
        np.testing.assert_array_equal(np.nan_to_num(nan[key]), zero[key])


def test_the_sample_sd_of_one_patient_is_unknown(cohort):
    single = cohort.select([3])
    assert np.isnan(volume_stats(single, 1, std="sample").values["std"]).all()
    assert (volume_stats(single, 1).values["std"] == 0).all()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"min_patients": 0}, "at least 1"),
        ({"min_patients": -1}, "at least 1"),
        ({"min_patients": 2.5}, "not a whole number"),
        ({"min_patients": "3 "}, "not a whole number"),
        ({"std": "other"}, "population, sample"),
        ({"outside": "one"}, "zero, nan"),
    ],
)
def test_a_parameter_out_of_range_is_refused(cohort, options, match):
    with pytest.raises(ld.InputError, match=match):
        volume_stats(cohort, **options)


@pytest.mark.parametrize("min_patients", [1, 4, 13])
def test_masks_read_once_and_not_kept_give_the_same_bits(tmp_path, min_patients):
    folder = write_masks(tmp_path / "c", MASKS)
    listing, streamed = folder_stats(folder, min_patients)
    cohort = ld.load_cohort(folder)
    stats = volume_stats(cohort, min_patients)
    assert listing.patients == cohort.patients
    assert streamed.voxels == stats.voxels
    assert streamed.max_overlap == np.sum(MASKS, axis=0).max()  # also where no voxel qualifies
    assert sorted(stats.files) == [
        "lesion_patients_per_voxel.nii",
        "lesion_totalvol_mean_given_voxel.nii",
        "lesion_totalvol_median_given_voxel.nii",
        "lesion_totalvol_std_given_voxel.nii",
    ]
    for name, image in stats.files.items():
        array = image.array.astype(np.float32)
        np.testing.assert_array_equal(streamed.files[name].array, array, strict=True)
        assert image.to_nifti().get_data_dtype() == np.float32
        assert image.to_nifti().shape == SHAPE


@pytest.mark.parametrize("entries", [2, 7])
@pytest.mark.parametrize("sparse", [False, True], ids=["random masks", "columns without a lesion"])
def test_columns_are_cut_without_a_trace(entries, sparse):
    runs = []
    for mask in MASKS:
        starts, lengths = find_runs(np.flatnonzero(mask.ravel()[: 20 if sparse else None]))
        runs += [(mask.sum(), *run) for run in zip(starts, lengths, strict=True)]
    arguments = ld.Grid(SHAPE, AFFINE), np.array(runs, RUN), (0, np.prod(SHAPE)), 2
    whole, cut = bucket_volumes(*arguments), bucket_volumes(*arguments, entries=entries)
    assert whole.median.size > 5
    np.testing.assert_array_equal(cut.median, whole.median)
