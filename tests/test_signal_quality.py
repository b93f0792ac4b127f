"""Signal quality: equal to the formulas in plain numpy, and to itself however it is stored."""

from __future__ import annotations

import tracemalloc
from math import pi, sqrt

import nibabel as nib
import numpy as np
import pytest
from atlases import turned
from noise import AIR, BACKGROUND, GRID, PLACE, SIGNAL, as_image, mask, rician, values
from phantoms import image as nifti
from scipy import stats

from lesion_dash.atlas.atlas import LabelAtlas
from lesion_dash.atlas.formats import Region
from lesion_dash.core.errors import InputError
from lesion_dash.core.grid import Grid
from lesion_dash.scans.signal import measure_signal, snr_by_region, temporal_snr
from lesion_dash.scans.signal_definitions import DEFINITIONS, noise_factor

FIRST, SECOND = rician(1), rician(2)
ALL = {"second": SECOND, "air": AIR, "coils": 4}


def measured(image=FIRST, signal=SIGNAL, background=BACKGROUND, **more):
    return measure_signal(image, signal, background, resamples=100, **(ALL | more))


def numbers(found) -> dict[str, float]:
    return {one.measure: one.value for one in found.measures}


def by_hand() -> dict[str, float]:
    """Every definition, written once more in plain numpy."""
    w, g, air = (values(FIRST, region) for region in (SIGNAL, BACKGROUND, AIR))
    w2, g2 = (values(SECOND, region) for region in (SIGNAL, BACKGROUND))
    noise = np.std(w - w2) / np.sqrt(2)
    four = np.sqrt(8 - 2 * (stats.gamma(4).expect(np.sqrt)) ** 2)
    rayleigh = np.sqrt(2 - np.pi / 2)
    mad = stats.median_abs_deviation(air, scale="normal")
    return {
        "snr_plain": np.mean(w) / np.std(g),
        "cnr_plain": (np.mean(w) - np.mean(g)) / np.std(g),
        "snr_within": np.mean(w) / np.std(w),
        "snr_difference": np.mean((w + w2) / 2) / noise,
        "cnr_difference": (np.mean((w + w2) / 2) - np.mean((g + g2) / 2)) / noise,
        "snr_air": four * np.mean(w) / np.std(air),
        "cnr_air": four * (np.mean(w) - np.mean(g)) / np.std(air),
        "snr_mriqc": np.mean(w) / np.std(w, ddof=1),
        "snrd_mriqc": rayleigh * np.mean(w) / mad,
        "cnr_mriqc": abs(np.mean(w) - np.mean(g)) / np.sqrt(np.var(air) + np.var(w) + np.var(g)),
    }


def test_every_definition_equals_its_formula():
    found = numbers(measured())
    assert list(found) == [definition.name for definition in DEFINITIONS]
    assert found == pytest.approx(by_hand(), rel=1e-10)


@pytest.mark.parametrize(
    ("coils", "expected"), [(1, 0.655), (4, 0.695), (32, 0.706)], ids="{} coils".format
)
def test_the_factor_of_air_is_that_of_the_literature(coils, expected):
    assert noise_factor(coils) == pytest.approx(expected, abs=5e-4)


def test_the_factor_of_one_coil_is_rayleighs():
    assert noise_factor(1) == pytest.approx(sqrt(2 - pi / 2), rel=1e-14)


@pytest.mark.parametrize("coils", [1, 2, 3, 8, 64, 1024])
def test_the_factor_is_the_spread_of_the_chi_distribution(coils):
    assert noise_factor(coils) == pytest.approx(stats.chi.std(2 * coils), rel=1e-8)


@pytest.mark.parametrize("coils", [1, 4])
def test_the_factor_is_what_simulated_coils_show(coils):
    parts = np.random.default_rng(5).normal(size=(2 * coils, 400_000))
    spread = np.sqrt((parts**2).sum(axis=0)).std()
    # The SD of an SD is below 1 / sqrt(2n) of it for these distributions: five of them.
    assert noise_factor(coils) == pytest.approx(spread, rel=5 / np.sqrt(2 * 400_000))


@pytest.mark.parametrize("coils", [0, -1, 5000, 1.5, float("nan")])
def test_what_is_no_number_of_coils_is_refused(coils):
    match = r"coils: .* is no number of coils; give a whole number"
    with pytest.raises(InputError, match=match):
        noise_factor(coils)
    with pytest.raises(InputError, match=match):  # it would stand in the provenance
        measure_signal(FIRST, SIGNAL, coils=coils)


def test_a_brighter_image_has_the_same_numbers():
    brighter = measured(as_image(8 * FIRST.array), second=as_image(8 * SECOND.array))
    plain = measured()
    for one, other in zip(plain.measures, brighter.measures, strict=True):
        assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_an_offset_adds_to_signal_and_not_to_contrast():
    shifted = numbers(measured(as_image(FIRST.array + 64), second=as_image(SECOND.array + 64)))
    plain = numbers(measured())
    spread = np.std(values(FIRST, BACKGROUND))
    for name in (name for name in plain if name.startswith("cnr")):
        assert shifted[name] == pytest.approx(plain[name], rel=1e-9)
    assert shifted["snr_plain"] == pytest.approx(plain["snr_plain"] + 64 / spread, rel=1e-12)


def test_swapped_tissues_turn_the_sign_of_contrast():
    there, back = measured(), measured(signal=BACKGROUND, background=SIGNAL)
    contrast = there.value("cnr_plain") * np.std(values(FIRST, BACKGROUND))
    assert back.value("cnr_plain") * np.std(values(FIRST, SIGNAL)) == pytest.approx(-contrast)
    assert back.value("cnr_mriqc") == pytest.approx(there.value("cnr_mriqc"), rel=1e-12)


@pytest.mark.parametrize("block_mm", [0.0, 4.0])
def test_a_mirrored_and_permuted_copy_has_the_same_numbers_and_intervals(block_mm):
    arrays = [one.array for one in (FIRST, SECOND, SIGNAL, BACKGROUND, AIR)]
    moved, grid = turned(arrays, GRID)
    images = [as_image(array.astype(float), grid=grid) for array in moved[:2]]
    regions = [mask(array, "", grid) for array in moved[2:]]
    copy = measure_signal(
        images[0], *regions[:2], second=images[1], air=regions[2], coils=4,
        block_mm=block_mm, resamples=100,
    )  # fmt: skip
    plain = measured(block_mm=block_mm)
    for one, other in zip(plain.measures, copy.measures, strict=True):
        assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_masks_are_brought_to_the_image_and_the_image_is_not_touched():
    arrays = [region.array for region in (SIGNAL, BACKGROUND, AIR)]
    moved, grid = turned(arrays, GRID)
    regions = [mask(array, "moved", grid) for array in moved]
    found = measured(signal=regions[0], background=regions[1], air=regions[2])
    assert numbers(found) == numbers(measured())
    assert sum("reoriented" in note for note in found.notes) >= 1


def test_a_finer_mask_gives_the_voxels_whose_centre_lies_in_it():
    fine = Grid(
        (48, 20, 16), [[1, 0, 0, -24.5], [0, 0.75, 0, -7.375], [0, 0, 0.5, -4.25], [0, 0, 0, 1]]
    )
    finer = mask(np.kron(SIGNAL.array, np.ones((2, 2, 2))), "white", fine)
    assert numbers(measured(signal=finer)) == numbers(measured())


def test_each_number_says_where_it_comes_from():
    row = {one.measure: one for one in measured().measures}["snr_air"]
    assert (row.signal, row.signal_voxels) == ("white", SIGNAL.voxels)
    assert (row.noise, row.noise_voxels) == ("air", AIR.voxels)
    assert row.factor == pytest.approx(0.6953, abs=1e-4)
    assert row.noise_zeros_percent == 0
    assert "single voxels, taken as independent" in row.interval
    images = {
        one.measure: one.image for one in measured(second=as_image(SECOND.array, "again")).measures
    }
    assert (images["snr_air"], images["snr_difference"]) == ("T1w", "T1w and again")
    table = measured().table
    assert len(table) == len(DEFINITIONS)
    assert {"formula", "image", "low", "high", "noise_zeros_percent", "factor"} <= set(table)


def test_only_definitions_whose_regions_are_given_are_measured():
    found = measure_signal(FIRST, SIGNAL, resamples=100)
    assert list(numbers(found)) == ["snr_within", "snr_mriqc"]
    assert found.json_rows[0]["factor"] is None
    with pytest.raises(KeyError, match="snr_air"):
        found.value("snr_air")


def test_nan_is_left_out_and_counted():
    array = FIRST.array.copy()
    array[0, 0, :3] = np.nan
    found = measure_signal(as_image(array), SIGNAL, resamples=100)
    kept = array[SIGNAL.array]
    assert found.value("snr_within") == pytest.approx(np.nanmean(kept) / np.nanstd(kept))
    assert found.measures[0].signal_voxels == SIGNAL.voxels - 3
    assert "white: 3 voxels of NaN left out" in found.notes


def test_a_quantised_signal_leaves_its_own_noise_out_and_the_rest_in():
    flat = as_image(np.where(PLACE < 8, 40.0, FIRST.array))
    found = numbers(measured(flat, second=None))
    assert np.isnan([found["snr_within"], found["snr_mriqc"]]).all()
    assert found["snr_plain"] == pytest.approx(40 / np.std(values(FIRST, BACKGROUND)))


HALF = np.where(np.arange(GRID.size).reshape(GRID.shape) % 5 < 3, 1, np.rint(7 * FIRST.array) + 2)


def test_air_of_which_half_is_one_value_has_an_sd_and_no_mad():
    """As whole numbers of a scanner have it, with ghosts above them."""
    image = as_image(np.where(PLACE >= 16, HALF, FIRST.array))
    found = {one.measure: one for one in measured(image, second=None).measures}
    air = values(image, AIR)
    assert found["cnr_mriqc"].value == pytest.approx(
        abs(values(image, SIGNAL).mean() - values(image, BACKGROUND).mean())
        / np.sqrt(
            sum(np.var(one) for one in (air, values(image, SIGNAL), values(image, BACKGROUND)))
        )
    )
    assert np.isnan(found["snrd_mriqc"].value)
    assert found["snrd_mriqc"].reason.startswith("air is quantised: its MAD is 0")


FEW = np.zeros(GRID.shape, bool)
FEW[14, 0, :4] = True


@pytest.mark.parametrize(
    ("air", "match"),
    [
        (np.zeros(GRID.shape), "air: is zero-filled: all 640 voxels are 0, as in a skull-stripped"),
        (np.full(GRID.shape, 7), "air: is constant: all 640 voxels are 7"),
        (FIRST.array * (np.arange(8) > 2), r"air: is zero-filled: 38% of its 640 voxels are 0"),
        (np.arange(GRID.size).reshape(GRID.shape) % 3 + 1, "air: is quantised: 3 different values"),
        (np.rint(FIRST.array * 1.2) + 5, r"air: is quantised: its SD of 0.8\d* is below the step"),
        (np.full(GRID.shape, np.nan), "air: holds 0 voxels with a number in T1w; at least 10"),
    ],
    ids=["zeros", "constant", "zero-filled", "few values", "rounded", "nan"],
)
def test_air_without_noise_is_refused(air, match):
    image = as_image(np.where(PLACE >= 16, air, FIRST.array))
    with pytest.raises(InputError, match=match):
        measure_signal(image, SIGNAL, air=AIR, resamples=100)


@pytest.mark.parametrize(
    ("region", "match"),
    [
        (np.zeros(GRID.shape), "empty: mask is empty: no voxel of the image lies in it"),
        (FEW, "empty: holds 4 voxels with a number in T1w; at least 10 are needed"),
        (PLACE < 9, r"signal \(white\) and background \(empty\) overlap in 640 voxels"),
    ],
    ids=["empty", "few", "overlap"],
)
def test_a_background_that_is_none_is_refused(region, match):
    with pytest.raises(InputError, match=match):
        measured(background=mask(region, "empty"))


def test_a_mask_that_lies_elsewhere_is_refused():
    affine = GRID.affine.copy()
    affine[:3, 3] += 500
    far = mask(SIGNAL.array, "far", Grid(GRID.shape, affine))
    with pytest.raises(
        InputError, match=r"far: has no voxel on the image: it lies at x 476\.\.490 mm"
    ):
        measured(signal=far)


def test_only_the_voxels_of_masks_are_computed_of_two_acquisitions():
    grid = Grid((120, 120, 120), np.eye(4))
    scans = [
        as_image(np.random.default_rng(seed).integers(80, 120, grid.shape, np.int16), grid=grid)
        for seed in (1, 2)
    ]
    region = mask(np.indices(grid.shape)[0] < 2, "slab", grid)
    tracemalloc.start()
    found = measure_signal(scans[0], region, second=scans[1], resamples=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    w, w2 = (one.array[:2].astype(float) for one in scans)
    expected = ((w + w2) / 2).mean() / ((w - w2).std() / np.sqrt(2))
    assert found.value("snr_difference") == pytest.approx(expected, rel=1e-12)
    assert peak < 2 * 2 * scans[0].array.nbytes


def test_a_scaled_difference_of_few_steps_is_quantised():
    """The differences of scaled whole numbers miss one another in their last digit."""
    slope, generator = 0.3, np.random.default_rng(3)
    first = generator.integers(90, 110, GRID.shape)
    second = first + generator.integers(-1, 2, GRID.shape)
    found = measure_signal(
        as_image(slope * first), SIGNAL, second=as_image(slope * second, "again"), resamples=100
    )
    one = {each.measure: each for each in found.measures}["snr_difference"]
    assert one.reason == "difference in white is quantised: 3 different values in 640 voxels"


def test_a_second_acquisition_is_one():
    with pytest.raises(InputError, match="has the values of T1w: their difference holds no noise"):
        measured(second=FIRST)
    shifted = GRID.affine.copy()
    shifted[0, 3] += 1
    other = as_image(SECOND.array, "again", Grid(GRID.shape, shifted))
    with pytest.raises(InputError, match=r"again: is not on the grid of T1w: .*would smooth"):
        measured(second=other)


@pytest.mark.parametrize(
    ("choice", "match"),
    [
        ({"block_mm": -1.0}, "block_mm: -1.0 is no edge of a cube"),
        ({"block_mm": float("nan")}, "block_mm: nan is no edge of a cube"),
        ({"resamples": 9}, "resamples: 9 are too few"),
        ({"seed": -1}, "seed: -1 is below 0"),
    ],
    ids=["edge", "nan", "resamples", "seed"],
)
def test_intervals_that_cannot_be_are_refused(choice, match):
    with pytest.raises(InputError, match=match):
        measure_signal(FIRST, SIGNAL, **choice)


SERIES = np.random.default_rng(7).normal(50, 2, (*GRID.shape, 30))


def test_temporal_snr_is_the_median_of_the_voxels():
    found = temporal_snr(nib.Nifti1Image(SERIES, GRID.affine), SIGNAL, resamples=100)
    ratios = SERIES[SIGNAL.array].mean(axis=-1) / SERIES[SIGNAL.array].std(axis=-1)
    assert found.value("snr_temporal") == pytest.approx(np.median(ratios), rel=1e-12)
    one = found.measures[0]
    assert one.low < one.value < one.high
    assert one.noise == "30 volumes"


def test_temporal_snr_leaves_constant_voxels_out(tmp_path):
    series = SERIES.copy()
    series[0, 0] = 0
    nib.save(nifti(series, GRID.affine), tmp_path / "bold.nii.gz")
    found = temporal_snr(tmp_path / "bold.nii.gz", SIGNAL, resamples=100)
    kept = SIGNAL.array.copy()
    kept[0, 0] = False
    ratios = series[kept].mean(axis=-1) / series[kept].std(axis=-1)
    assert found.value("snr_temporal") == pytest.approx(np.median(ratios), rel=1e-12)
    assert found.measures[0].signal_zeros_percent == pytest.approx(100 * 8 / SIGNAL.voxels)
    assert "white: 8 voxels that are constant or NaN left out" in found.notes
    with pytest.raises(InputError, match="is constant over time: none of its 8 voxels varies"):
        temporal_snr(tmp_path / "bold.nii.gz", mask(SIGNAL.array & ~kept, "dead"))


def test_one_volume_is_no_series():
    with pytest.raises(InputError, match="no time series: 1 volumes, at least 3 expected"):
        temporal_snr(nib.Nifti1Image(SERIES[..., 0], GRID.affine), SIGNAL)


LABELS = np.select([SIGNAL.array, BACKGROUND.array & (PLACE < 12), FEW], [2, 5, 9], 0)
ATLAS = LabelAtlas(
    "tissue", GRID, LABELS, (Region(2, "white"), Region(5, "grey"), Region(9, "few"))
)


def test_every_region_has_the_numbers_of_its_own_mask():
    found = snr_by_region(FIRST, ATLAS, air=mask(PLACE >= 21, "air"), resamples=100)
    table = found.table.set_index(["label", "measure"])
    for label in (2, 5):
        alone = measure_signal(
            FIRST, mask(label == LABELS, "own"), air=mask(PLACE >= 21, "air"), resamples=100
        )
        for one in alone.measures:
            row = table.loc[label, one.measure]
            assert (row["value"], row["low"], row["high"]) == (one.value, one.low, one.high)
    assert "holds 4 voxels" in table.loc[9, ""]["reason"]


def test_an_atlas_of_a_template_on_a_native_image_is_told():
    native = Grid(GRID.shape, GRID.affine @ np.diag([0.99, 1, 1, 1]), 1)
    found = snr_by_region(as_image(FIRST.array, grid=native), ATLAS, resamples=100)
    assert any(note.startswith("atlas tissue is marked as standard space") for note in found.notes)
    assert not snr_by_region(FIRST, ATLAS, resamples=100).notes
    found = measure_signal(as_image(FIRST.array, grid=native), SIGNAL, air=AIR, resamples=100)
    for name in ("white", "air"):
        note = f"mask {name} is marked as standard space and T1w is not: wrong unless both were "
        assert f"{note}registered" in found.notes
    same = Grid(GRID.shape, GRID.affine, 1)
    assert not measure_signal(as_image(FIRST.array, grid=same), SIGNAL, resamples=100).notes


def test_a_region_that_shares_voxels_with_noise_says_so():
    found = snr_by_region(FIRST, ATLAS, mask(LABELS == 5, "muscle"), resamples=100)
    reasons = found.table.set_index("region")["reason"]
    assert "region (grey) and background (muscle) overlap in 320 voxels" in reasons["grey"]
    assert (reasons["white"] == "").all()


def test_regions_of_a_series_are_temporal():
    series = nib.Nifti1Image(SERIES, GRID.affine)
    found = snr_by_region(series, ATLAS, resamples=100).table
    assert found["measure"].tolist() == ["snr_temporal"] * 3
    with pytest.raises(InputError, match="air: given with a time series"):
        snr_by_region(series, ATLAS, air=AIR)
