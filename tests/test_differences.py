"""A - B of frequency, mean volume and its SD: against plain sums, and by laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import AFFINE, SHAPE, brute_force, random_masks, write_masks

from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.stats.differences import FILE_NAMES, cohort_differences
from lesion_dash.stats.group_contrasts import contrast_cohorts
from lesion_dash.stats.topography import volume_stats

MASKS = {"a": random_masks(7, seed=1), "b": random_masks(5, seed=2), "c": random_masks(3, seed=3)}
VOXEL = 8.0


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohorts")
    return {name: load_cohort(write_masks(root / name, masks)) for name, masks in MASKS.items()}


@pytest.mark.parametrize("least", [1, 2, 3, 6])
def test_the_maps_are_plain_sums_over_all_masks(cohorts, least):
    found = cohort_differences(cohorts["a"], cohorts["b"], least)
    a, b = (brute_force(MASKS[name], 1, VOXEL) for name in "ab")
    np.testing.assert_allclose(found.frequency.array, 100 * (a["n"] / 7 - b["n"] / 5), atol=1e-12)
    enough = (a["n"] >= least) & (b["n"] >= least)
    for key in ("mean", "std"):
        expected = np.where(enough, a[key] - b[key], np.nan)
        np.testing.assert_allclose(getattr(found, key).array, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found.compared.array, enough)


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.sampled_from(["nan", "zero"]),
)
@settings(max_examples=15)
def test_exchanging_a_and_b_turns_the_signs_and_no_bit_else(
    tmp_path_factory, seed_a, seed_b, least, outside
):
    root = tmp_path_factory.mktemp("pair")
    shape = (3, 4, 3)
    a, b = (
        load_cohort(write_masks(root / name, random_masks(many, seed, shape)))
        for name, many, seed in (("a", 4, seed_a), ("b", 3, seed_b))
    )
    there, back = cohort_differences(a, b, least, outside), cohort_differences(b, a, least, outside)
    for key in FILE_NAMES:
        np.testing.assert_array_equal(getattr(there, key).array, -getattr(back, key).array)


def test_a_cohort_does_not_differ_from_itself(cohorts):
    found = cohort_differences(cohorts["a"], cohorts["a"], 2)
    assert not found.frequency.array.any()
    for made in (found.mean, found.std):
        assert not made.array[found.compared.array].any()
    assert "7 masks of B are in A as well" in found.notes[0]


def test_frequencies_add_up_over_three_cohorts(cohorts):
    def frequency(a, b):
        return cohort_differences(cohorts[a], cohorts[b], 1).frequency.array

    np.testing.assert_allclose(
        frequency("a", "b") + frequency("b", "c"), frequency("a", "c"), atol=1e-12
    )


def test_volumes_are_the_difference_of_the_maps_of_each(cohorts):
    """What the dashboard shows side by side: A, B and A - B."""
    found = cohort_differences(cohorts["a"], cohorts["b"], 3)
    stats = [volume_stats(cohorts[name], 3, outside="nan") for name in "ab"]
    for key in ("mean", "std"):
        a, b = (getattr(one, key).array for one in stats)
        np.testing.assert_array_equal(getattr(found, key).array, a - b)


def test_an_sd_of_one_patient_is_zero_and_of_none_is_missing(cohorts):
    found = cohort_differences(cohorts["a"], cohorts["b"], 1)
    for n, std in zip(found.n, found.stds, strict=True):
        assert (n == 1).any()
        assert not std[n == 1].any()
        np.testing.assert_array_equal(np.isnan(std), n == 0)


def test_the_frequency_is_the_effect_that_the_contrast_tests(cohorts):
    tested = contrast_cohorts(cohorts["a"], cohorts["b"])
    found = cohort_differences(cohorts["a"], cohorts["b"])
    np.testing.assert_array_equal(found.indices, tested.indices)
    shown = np.ravel(found.frequency.array, order="F")[tested.indices]
    np.testing.assert_array_equal(shown, tested.effect)


def test_another_order_of_the_axes_changes_nothing(cohorts, tmp_path):
    """B stored with x and z exchanged and y mirrored, in the same places of the world."""
    turned = [np.transpose(mask, (2, 1, 0))[:, ::-1] for mask in MASKS["b"]]
    affine = AFFINE[:, [2, 1, 0, 3]].copy()
    affine[:3, 3] += affine[:3, 1] * (SHAPE[1] - 1)
    affine[:3, 1] *= -1
    b = load_cohort(write_masks(tmp_path / "turned", turned, affine))
    found, plain = (cohort_differences(cohorts["a"], one, 2) for one in (b, cohorts["b"]))
    for key in FILE_NAMES:
        np.testing.assert_array_equal(getattr(found, key).array, getattr(plain, key).array)
    assert "reoriented exactly" in found.notes[0]
    back = cohort_differences(b, cohorts["a"], 2)
    for voxel in ((0, 0, 0), (3, 5, 1), (6, 8, 7)):
        place = found.grid.to_mm(voxel)
        assert back.frequency.value_at(place) == -found.frequency.value_at(place)


def test_a_shift_below_half_a_voxel_is_the_same_grid_and_said(cohorts, tmp_path):
    moved = AFFINE.copy()
    moved[2, 3] += 0.3
    b = load_cohort(write_masks(tmp_path / "moved", MASKS["b"], moved))
    found, plain = (cohort_differences(cohorts["a"], one, 2) for one in (b, cohorts["b"]))
    np.testing.assert_array_equal(found.frequency.array, plain.frequency.array)
    assert "0.3 mm" in found.notes[0]


def test_grids_that_do_not_coincide_are_refused(cohorts, tmp_path):
    moved = AFFINE.copy()
    moved[0, 3] += 1.3
    b = load_cohort(write_masks(tmp_path / "moved", MASKS["b"], moved))
    with pytest.raises(InputError, match=r"moved: is not on the grid of the other map: .*1\.3 mm"):
        cohort_differences(cohorts["a"], b)
    moved[0, 3] += 0.7
    b = load_cohort(write_masks(tmp_path / "beyond", MASKS["b"], moved))
    with pytest.raises(InputError, match="beyond: reaches beyond the grid of the other map"):
        cohort_differences(cohorts["a"], b)


def test_elsewhere_means_are_nan_or_zero(cohorts):
    nan, zero = (cohort_differences(cohorts["a"], cohorts["b"], 3, out) for out in ("nan", "zero"))
    outside = ~nan.compared.array
    assert outside.any()
    for with_nan, with_zero in ((nan.mean, zero.mean), (nan.std, zero.std)):
        assert np.isnan(with_nan.array[outside]).all()
        assert not with_zero.array[outside].any()
        np.testing.assert_array_equal(with_nan.array[~outside], with_zero.array[~outside])


def test_a_cohort_without_any_lesion_is_compared_too(cohorts, tmp_path):
    empty = load_cohort(write_masks(tmp_path / "empty", [np.zeros(SHAPE)] * 2))
    found = cohort_differences(cohorts["a"], empty, 1)
    np.testing.assert_allclose(
        found.frequency.array, 100 * cohorts["a"].counts / 7, rtol=0, atol=1e-12
    )
    assert found.compared.voxels == 0
    assert np.isnan(found.mean.array).all()
    assert np.isnan(found.std.array).all()


def test_files_bear_name_unit_and_rule(cohorts):
    found = cohort_differences(cohorts["a"], cohorts["b"], 4)
    assert list(found.files) == [
        "lesion_frequency_difference.nii",
        "lesion_totalvol_mean_difference.nii",
        "lesion_totalvol_std_difference.nii",
    ]
    texts = [
        str(made.to_nifti().header["descrip"].item().decode()) for made in found.files.values()
    ]
    assert texts == [
        "lesion_dash: patients lesioned, A - B [percentage points], N 7 and 5",
        "lesion_dash: mean total lesion volume, A - B [mm3], n>=4 of 7 and of 5",
        "lesion_dash: SD of total lesion volume, A - B [mm3], n>=4 of 7 and of 5",
    ]


def test_choices_that_make_no_sense_are_refused(cohorts):
    with pytest.raises(InputError, match="min patients: 0 is too small"):
        cohort_differences(cohorts["a"], cohorts["b"], 0)
    with pytest.raises(InputError, match="outside: is 'none'; choose one of zero, nan"):
        cohort_differences(cohorts["a"], cohorts["b"], 1, "none")
