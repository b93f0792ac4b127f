"""Lesion size topography against brute force, and the laws it obeys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from phantoms import AFFINE, SHAPE, brute_force, random_masks, write_masks

from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.core.runs import RUN
from lesion_dash.stats.topography import folder_stats, volume_stats
from lesion_dash.stats.voxel_volumes import bucket_volumes, squared_deviation

TINY = (3, 2, 4)


def dense(stats):
    return {key: getattr(stats, key).array for key in ("n", "mean", "std", "median")}


def assert_same_maps(found, expected, rtol=1e-9):
    np.testing.assert_array_equal(found["n"], expected["n"])
    for key in ("mean", "std", "median"):
        np.testing.assert_allclose(found[key], expected[key], rtol=rtol, atol=1e-9, err_msg=key)


@pytest.fixture(scope="module")
def masks():
    return random_masks(12)


@pytest.fixture
def cohort(tmp_path, masks):
    return load_cohort(write_masks(tmp_path / "cohort", masks))


@pytest.mark.parametrize("ddof", [0, 1], ids=["population", "sample"])
@pytest.mark.parametrize("min_patients", range(1, 14))
def test_every_threshold_equals_brute_force(cohort, masks, min_patients, ddof):
    stats = volume_stats(cohort, min_patients, ("population", "sample")[ddof])
    expected = brute_force(masks, min_patients, 8.0, ddof)
    assert_same_maps(dense(stats), expected)
    assert stats.indices.size == np.count_nonzero(expected["n"])


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), *map(st.just, TINY))), st.integers(1, 9))
def test_any_cohort_equals_brute_force(tmp_path_factory, arrays, min_patients):
    folder = write_masks(tmp_path_factory.mktemp("any") / "cohort", arrays)
    stats = volume_stats(load_cohort(folder), min_patients)
    assert_same_maps(dense(stats), brute_force(arrays, min_patients, 8.0))


def test_the_sample_data_equal_brute_force(sample_data):
    import nibabel as nib

    files = sorted((sample_data / "cohort_a").glob("*.nii.gz"))
    arrays = [np.asarray(nib.load(file).dataobj) for file in files]
    stats = volume_stats(load_cohort(sample_data / "cohort_a"), 6)
    assert_same_maps(dense(stats), brute_force(arrays, 6, 8.0))
    assert stats.indices.size > 100


@given(st.lists(st.integers(0, 4_000_000), min_size=1, max_size=60), st.integers(0, 3))
def test_the_spread_is_exact_even_of_nearly_equal_volumes(volumes, noise):
    for values in (volumes, [4_000_000 - (value % (noise + 1)) for value in volumes]):
        exact = [int(value) for value in values]
        n, total, squares = len(exact), sum(exact), sum(value**2 for value in exact)
        found = squared_deviation(*(np.array([x], np.int64) for x in (n, total, squares)))[0]
        # Python's whole numbers know no rounding: n Σv² - (Σv)² over n.
        assert found == pytest.approx((n * squares - total**2) / n, rel=1e-12, abs=1e-9)


def test_sums_beyond_64_bits_still_give_the_right_spread():
    n, volume = 3_000_000, 4_000_000
    total = n * volume + n // 2
    squares = (n // 2) * volume**2 + (n // 2) * (volume + 1) ** 2
    assert squares > 2**64
    wrapped = np.array([squares % 2**64], np.uint64).astype(np.int64)
    found = squared_deviation(np.array([n]), np.array([total]), wrapped)[0]
    assert found == pytest.approx(n / 4, rel=1e-12)


def test_order_of_the_files_does_not_matter(tmp_path, cohort, masks):
    again = load_cohort(write_masks(tmp_path / "other", masks[::-1]))
    for key, map_ in dense(volume_stats(again, 2)).items():
        np.testing.assert_array_equal(map_, dense(volume_stats(cohort, 2))[key])


def test_selecting_all_patients_in_any_order_changes_nothing(cohort):
    order = np.random.default_rng(1).permutation(cohort.n_patients).tolist()
    whole, shuffled = volume_stats(cohort, 3), volume_stats(cohort.select(order), 3)
    for key, map_ in dense(whole).items():
        np.testing.assert_array_equal(map_, dense(shuffled)[key])


def test_two_halves_add_up_to_the_whole(cohort):
    halves = [volume_stats(cohort.select(range(*part)), 1) for part in ((0, 5), (5, 12))]
    whole = volume_stats(cohort, 1)
    n = [half.n.array for half in halves]
    np.testing.assert_array_equal(n[0] + n[1], whole.n.array)
    total = sum(half.mean.array * half.n.array for half in halves)
    np.testing.assert_allclose(total, whole.mean.array * whole.n.array, rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flipping_the_images_flips_the_maps(tmp_path, cohort, masks, axis):
    flipped = load_cohort(write_masks(tmp_path / "f", [np.flip(mask, axis) for mask in masks]))
    for key, map_ in dense(volume_stats(flipped, 2)).items():
        np.testing.assert_array_equal(map_, np.flip(dense(volume_stats(cohort, 2))[key], axis))


def test_permuting_the_axes_permutes_the_maps(tmp_path, cohort, masks):
    turned = [np.ascontiguousarray(mask.transpose(2, 0, 1)) for mask in masks]
    again = load_cohort(write_masks(tmp_path / "t", turned, AFFINE[:, [2, 0, 1, 3]]))
    for key, map_ in dense(volume_stats(again, 2)).items():
        expected = dense(volume_stats(cohort, 2))[key].transpose(2, 0, 1)
        np.testing.assert_array_equal(map_, expected)


def test_everybody_twice_doubles_n_and_leaves_mean_sd_and_median(tmp_path, cohort, masks):
    doubled = load_cohort(write_masks(tmp_path / "d", [*masks, *masks]))
    once, twice = dense(volume_stats(cohort, 1)), dense(volume_stats(doubled, 1))
    np.testing.assert_array_equal(twice["n"], 2 * once["n"])
    for key in ("mean", "std", "median"):
        np.testing.assert_allclose(twice[key], once[key], rtol=1e-12, atol=1e-9)


def test_a_higher_threshold_only_takes_voxels_away(cohort):
    lower, higher = dense(volume_stats(cohort, 3)), dense(volume_stats(cohort, 4))
    kept = higher["n"] > 0
    assert kept.sum() < (lower["n"] > 0).sum()
    for key in lower:
        np.testing.assert_array_equal(higher[key][kept], lower[key][kept])


def test_voxel_size_scales_the_volumes(tmp_path, cohort, masks):
    larger = load_cohort(write_masks(tmp_path / "l", masks, AFFINE @ np.diag([2.0, 2, 2, 1])))
    ratio = dense(volume_stats(larger, 2))["mean"], dense(volume_stats(cohort, 2))["mean"]
    np.testing.assert_array_equal(ratio[0], 8 * ratio[1])


def test_outside_may_be_nan(cohort):
    zero, nan = dense(volume_stats(cohort, 6)), dense(volume_stats(cohort, 6, outside="nan"))
    for key in zero:
        np.testing.assert_array_equal(np.isnan(nan[key]), zero["n"] == 0)
        np.testing.assert_array_equal(np.nan_to_num(nan[key]), zero[key])


def test_the_sample_sd_of_one_patient_is_unknown(tmp_path):
    cohort = load_cohort(write_masks(tmp_path / "one", random_masks(1)))
    assert np.isnan(volume_stats(cohort, 1, std="sample").values["std"]).all()
    assert (volume_stats(cohort, 1).values["std"] == 0).all()


def test_the_maps_are_saved_as_float32_in_mm3(cohort):
    files = volume_stats(cohort, 2).files
    assert sorted(files) == [
        "lesion_patients_per_voxel.nii",
        "lesion_totalvol_mean_given_voxel.nii",
        "lesion_totalvol_median_given_voxel.nii",
        "lesion_totalvol_std_given_voxel.nii",
    ]
    for map_ in files.values():
        made = map_.to_nifti()
        assert made.get_data_dtype() == np.float32
        assert made.shape == SHAPE


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"min_patients": 0}, "at least 1"),
        ({"min_patients": -1}, "at least 1"),
        ({"min_patients": 2.5}, "not a whole number"),
        ({"min_patients": "3 "}, "not a whole number"),
        ({"std": "other"}, "population or sample"),
        ({"outside": "one"}, "zero or nan"),
    ],
)
def test_a_parameter_out_of_range_is_refused(cohort, options, match):
    with pytest.raises(InputError, match=match):
        volume_stats(cohort, **options)


@pytest.mark.parametrize("min_patients", [1, 4, 12, 13])
def test_masks_read_once_and_not_kept_give_the_same_bits(tmp_path, masks, min_patients):
    folder = write_masks(tmp_path / "c", masks)
    listing, streamed = folder_stats(folder, min_patients)
    cohort = load_cohort(folder)
    kept = volume_stats(cohort, min_patients)
    assert listing.patients == cohort.patients
    assert streamed.voxels == kept.voxels
    for name, map_ in kept.files.items():
        np.testing.assert_array_equal(
            streamed.files[name].array, map_.array.astype(np.float32), strict=True
        )


@pytest.mark.parametrize("min_patients", [1, 3, 100])
def test_the_most_patients_that_share_a_voxel_are_known_at_any_threshold(
    tmp_path, masks, min_patients
):
    _, stats = folder_stats(write_masks(tmp_path / "m", masks), min_patients)
    assert stats.most == np.sum(masks, axis=0).max()


def test_columns_are_cut_without_a_trace(tmp_path, masks, monkeypatch):
    cohort = load_cohort(write_masks(tmp_path / "c", masks))
    whole = dense(volume_stats(cohort, 2))
    monkeypatch.setattr("lesion_dash.stats.voxel_volumes._ENTRIES", 7)
    monkeypatch.setattr("lesion_dash.core.runs._FLUSH", 5)
    again = load_cohort(tmp_path / "c")
    for key, map_ in dense(volume_stats(again, 2)).items():
        np.testing.assert_array_equal(map_, whole[key])


def test_a_grid_of_many_buckets_equals_brute_force(tmp_path):
    shape = (40, 41, 42)
    arrays = [np.zeros(shape, bool) for _ in range(7)]
    for number, array in enumerate(arrays):
        array[number : 30 - number, 5 : 12 + 3 * number, number::3] = True
    arrays[6][:] = True
    stats = volume_stats(load_cohort(write_masks(tmp_path / "c", arrays)), 2)
    assert_same_maps(dense(stats), brute_force(arrays, 2, 8.0))


def test_a_column_cut_without_a_lesion_is_no_error(tmp_path, monkeypatch):
    shape = (30, 31, 10)
    arrays = [np.zeros(shape, bool) for _ in range(4)]
    for array in arrays:
        array[2:5, 3, 3] = True
    cohort = load_cohort(write_masks(tmp_path / "c", arrays))
    monkeypatch.setattr("lesion_dash.stats.voxel_volumes._ENTRIES", 2)
    assert_same_maps(dense(volume_stats(cohort, 2)), brute_force(arrays, 2, 8.0))


@pytest.mark.parametrize("largest", [2**29 - 1, 2**28, 2**25])
@pytest.mark.parametrize("patients", [200, 602, 20_000])
def test_spread_is_exact_for_the_largest_lesions_a_grid_can_hold(largest, patients):
    runs = np.zeros(patients, RUN)
    runs["length"] = 3
    runs["volume"] = np.where(np.arange(patients) % 2, largest, 1)
    runs["volume"][0] = 77
    grid = Grid((5, 1, 1), np.eye(4))
    found = bucket_volumes(grid, runs, (0, 5), 1)
    volumes = runs["volume"].tolist()
    n, total, squares = patients, sum(volumes), sum(volume**2 for volume in volumes)
    assert found.indices.tolist() == [0, 1, 2]
    assert found.deviation.tolist() == pytest.approx([(n * squares - total**2) / n] * 3, rel=1e-12)
