"""A - B of frequency, mean volume and its SD: against plain sums, and by laws."""

from __future__ import annotations

import numpy as np
import pytest
from cohorts import cohort_of
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import AFFINE, SHAPE, brute_force, random_masks

import lesion_dash as ld
from lesion_dash.stats.differences import FILE_NAMES

MASKS = {"a": random_masks(7, seed=1), "b": random_masks(5, seed=2), "c": random_masks(3, seed=3)}
A, B, C = (cohort_of(masks, name=name) for name, masks in MASKS.items())
KEYS = tuple(FILE_NAMES)


def assert_equal_maps(maps, other, sign=1):
    for key in KEYS:
        np.testing.assert_array_equal(maps.map(key).array, sign * other.map(key).array, key)


@pytest.mark.parametrize("min_patients", [1, 2, 3, 6])
def test_the_maps_are_plain_sums_over_all_masks(min_patients):
    differences = ld.cohort_differences(A, B, min_patients)
    a, b = (brute_force(MASKS[name], 1, 8.0) for name in "ab")
    frequency = 100 * (a["n"] / 7 - b["n"] / 5)
    np.testing.assert_allclose(differences.frequency.array, frequency, atol=1e-12)
    enough = (a["n"] >= min_patients) & (b["n"] >= min_patients)
    for key in ("mean", "std"):
        expected = np.where(enough, a[key] - b[key], np.nan)
        np.testing.assert_allclose(differences.map(key).array, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(differences.compared.array, enough)


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.sampled_from(["nan", "zero"]),
)
@settings(max_examples=15)
def test_exchanging_a_and_b_turns_the_signs_and_no_bit_else(seed_a, seed_b, min_patients, outside):
    a, b = (
        cohort_of(random_masks(patients, seed, (3, 4, 3)), name=name)
        for name, patients, seed in (("a", 4, seed_a), ("b", 3, seed_b))
    )
    there, back = (ld.cohort_differences(*pair, min_patients, outside) for pair in ((a, b), (b, a)))
    assert_equal_maps(there, back, sign=-1)


def test_a_cohort_does_not_differ_from_itself():
    differences = ld.cohort_differences(A, A, 2)
    for key in KEYS:
        assert not differences.map(key).array[differences.compared.array].any()
    assert "7 of 7 patients of B are in A as well, by their ids" in differences.notes[0]
    assert "7 masks of B are in A as well" in differences.notes[1]


def test_frequencies_add_up_over_three_cohorts():
    ab, bc, ac = (
        ld.cohort_differences(*pair, 1).frequency.array for pair in ((A, B), (B, C), (A, C))
    )
    np.testing.assert_allclose(ab + bc, ac, atol=1e-12)


def test_volumes_are_the_difference_of_the_maps_of_each():
    """What the dashboard shows side by side: A, B and A - B."""
    differences = ld.cohort_differences(A, B, 3)
    a, b = (ld.volume_stats(cohort, 3, outside="nan") for cohort in (A, B))
    for key in ("mean", "std"):
        expected = a.map(key).array - b.map(key).array
        np.testing.assert_array_equal(differences.map(key).array, expected)


def test_an_sd_of_one_patient_is_zero_and_of_none_is_missing():
    differences = ld.cohort_differences(A, B, 1)
    for n, std in zip(differences.n, differences.stds, strict=True):
        assert (n == 1).any()
        assert not std[n == 1].any()
        np.testing.assert_array_equal(np.isnan(std), n == 0)


def test_the_frequency_is_the_effect_that_the_contrast_tests():
    contrast, differences = ld.rois.contrast_cohorts(A, B), ld.cohort_differences(A, B)
    np.testing.assert_array_equal(differences.indices, contrast.indices)
    np.testing.assert_array_equal(differences.values["frequency"], contrast.effect)


def test_another_order_of_the_axes_changes_nothing():
    """B stored with x and z exchanged and y mirrored, in the same places of the world."""
    masks = [np.transpose(mask, (2, 1, 0))[:, ::-1] for mask in MASKS["b"]]
    affine = AFFINE[:, [2, 1, 0, 3]].copy()
    affine[:3, 3] += affine[:3, 1] * (SHAPE[1] - 1)
    affine[:3, 1] *= -1
    turned = cohort_of(masks, affine, "b")
    differences = ld.cohort_differences(A, turned, 2)
    assert_equal_maps(differences, ld.cohort_differences(A, B, 2))
    assert "reoriented exactly" in differences.notes[0]
    back = ld.cohort_differences(turned, A, 2)
    for voxel in ((0, 0, 0), (3, 5, 1), (6, 8, 7)):
        mm = differences.grid.to_mm(voxel)
        assert back.frequency.value_at(mm) == -differences.frequency.value_at(mm)


def moved(axis: int, mm: float) -> ld.Cohort:
    affine = AFFINE.copy()
    affine[axis, 3] += mm
    return cohort_of(MASKS["b"], affine, "moved")


def test_a_shift_below_half_a_voxel_is_the_same_grid_and_said():
    differences = ld.cohort_differences(A, moved(2, 0.3), 2)
    assert_equal_maps(differences, ld.cohort_differences(A, B, 2))
    assert "0.3 mm" in differences.notes[0]


def test_grids_that_do_not_coincide_are_refused():
    with pytest.raises(
        ld.InputError, match=r"moved: is not on the grid of the other map: .*1\.3 mm"
    ):
        ld.cohort_differences(A, moved(0, 1.3))


def test_elsewhere_means_are_nan_or_zero():
    nan, zero = (ld.cohort_differences(A, B, 3, outside) for outside in ("nan", "zero"))
    outside = ~nan.compared.array
    assert outside.any()
    for key in ("mean", "std"):
        with_nan, with_zero = nan.map(key).array, zero.map(key).array
        assert np.isnan(with_nan[outside]).all()
        np.testing.assert_array_equal(np.where(outside, 0, with_nan), with_zero)


def test_a_cohort_without_any_lesion_is_compared_too():
    differences = ld.cohort_differences(A, cohort_of([np.zeros(SHAPE)] * 2), 1)
    np.testing.assert_allclose(differences.frequency.array, 100 * A.counts / 7, rtol=0, atol=1e-12)
    assert differences.compared.voxels == 0
    assert np.isnan(differences.mean.array).all()
    assert np.isnan(differences.std.array).all()


def test_files_bear_name_unit_and_rule():
    files = ld.cohort_differences(A, B, 4).files
    texts = [image.to_nifti().header["descrip"].item().decode() for image in files.values()]
    assert dict(zip(files, texts, strict=True)) == {
        "lesion_frequency_difference.nii": (
            "lesion_dash: patients lesioned, A - B [percentage points], N 7 and 5"
        ),
        "lesion_totalvol_mean_difference.nii": (
            "lesion_dash: mean total lesion volume, A - B [mm3], n>=4 of 7 and of 5"
        ),
        "lesion_totalvol_std_difference.nii": (
            "lesion_dash: SD of total lesion volume, A - B [mm3], n>=4 of 7 and of 5"
        ),
    }


@pytest.mark.parametrize(
    ("choices", "match"), [((0,), "min patients: 0"), ((1, "none"), "outside: .* zero, nan")]
)
def test_choices_that_make_no_sense_are_refused(choices, match):
    with pytest.raises(ld.InputError, match=match):
        ld.cohort_differences(A, B, *choices)
