"""Signal quality: equal to the formulas in plain numpy, however it is stored; the truth found."""

from __future__ import annotations

from functools import cache

import nibabel as nib
import numpy as np
import pytest
from atlases import turned
from grids import affine, rotation
from noise import (
    AIR,
    BACKGROUND,
    CNR,
    GRID,
    PLACE,
    SIGNAL,
    SNR,
    TRUTH,
    as_image,
    gaussian,
    mask,
    rician,
    values,
)
from phantoms import image as nifti
from pickled import peak_of
from scipy import optimize, stats

import lesion_dash as ld
from lesion_dash.atlas.formats import Region
from lesion_dash.core.grid import Grid
from lesion_dash.scans.region_masks import RegionMap, native_region
from lesion_dash.scans.signal import (
    leave_out,
    measure_native,
    measure_signal,
    region_on,
    snr_by_region,
    temporal_snr,
)
from lesion_dash.scans.signal_definitions import DEFINITIONS, noise_factor

FIRST, SECOND = rician(1), rician(2)
COUNTED = np.arange(GRID.size).reshape(GRID.shape)


def measured(first=FIRST, signal=SIGNAL, background=BACKGROUND, **options):
    given = {"second": SECOND, "air": AIR, "coils": 4, "resamples": 100} | options
    return measure_signal(first, signal, background, **given)


def numbers(quality) -> dict[str, float]:
    return {row.measure: row.value for row in quality.measures}


def by_measure(quality):
    return {row.measure: row for row in quality.measures}


def check_same(quality, other):
    for row, expected in zip(quality.measures, other.measures, strict=True):
        assert (row.value, row.low, row.high) == (expected.value, expected.low, expected.high)


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


def test_every_definition_equals_its_formula_and_says_where_it_comes_from():
    quality = measured(second=as_image(SECOND.array, "again"))
    assert list(numbers(quality)) == [definition.name for definition in DEFINITIONS]
    assert numbers(quality) == pytest.approx(by_hand(), rel=1e-10)
    row = by_measure(quality)["snr_air"]
    assert (row.signal, row.signal_voxels) == ("white", SIGNAL.voxels)
    assert (row.noise, row.noise_voxels, row.noise_zeros_percent) == ("air", AIR.voxels, 0)
    assert row.factor == pytest.approx(0.6953, abs=1e-4)
    assert "single voxels, taken as independent" in row.interval
    assert row.image == "T1w"
    assert by_measure(quality)["snr_difference"].image == "T1w and again"
    assert len(quality.table) == len(DEFINITIONS)


@pytest.mark.parametrize("coils", [1, 4, 64, 1024])
def test_the_factor_is_the_spread_of_the_chi_distribution(coils):
    assert noise_factor(coils) == pytest.approx(stats.chi.std(2 * coils), rel=1e-8)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("coils", value) for value in (0, -1, 5000, 1.5, float("nan"))),
        ("block_mm", -1.0),
        ("block_mm", float("nan")),
        ("resamples", 9),
        ("seed", -1),
    ],
)
def test_options_that_cannot_be_are_refused(name, value):
    with pytest.raises(ld.InputError, match=f"{name}: {value} "):
        measure_signal(FIRST, SIGNAL, **{name: value})


@pytest.mark.parametrize("block_mm", [0.0, 4.0])
def test_brighter_mirrored_and_permuted_copies_have_the_same_numbers_and_intervals(block_mm):
    arrays = [item.array for item in (FIRST, SECOND, SIGNAL, BACKGROUND, AIR)]
    moved, grid = turned(arrays, GRID)
    first, second = (as_image(8 * array.astype(float), grid=grid) for array in moved[:2])
    signal, background, air = (mask(array, "", grid) for array in moved[2:])
    plain = measured(block_mm=block_mm)
    copy = measured(first, signal, background, second=second, air=air, block_mm=block_mm)
    check_same(copy, plain)
    # Masks are brought to the image, and the image is not touched.
    mixed = measured(signal=signal, background=background, air=air, block_mm=block_mm)
    check_same(mixed, plain)
    assert any("reoriented" in note for note in mixed.notes)


def test_nan_is_left_out_and_only_definitions_whose_regions_are_given_are_measured():
    array = FIRST.array.copy()
    array[0, 0, :3] = np.nan
    quality = measure_signal(as_image(array), SIGNAL, resamples=100)
    inside = array[SIGNAL.array]
    assert list(numbers(quality)) == ["snr_within", "snr_mriqc"]
    assert quality.value("snr_within") == pytest.approx(np.nanmean(inside) / np.nanstd(inside))
    assert quality.measures[0].signal_voxels == SIGNAL.voxels - 3
    assert "white: 3 voxels of NaN excluded" in quality.notes
    assert quality.json_rows[0]["factor"] is None
    with pytest.raises(KeyError, match="snr_air"):
        quality.value("snr_air")


def with_air(array) -> dict[str, ld.Map]:
    """The first image with other values in air."""
    return {"first": as_image(np.where(PLACE >= 16, array, FIRST.array))}


def test_a_quantised_signal_leaves_its_own_noise_out_and_the_rest_in():
    flat = as_image(np.where(PLACE < 8, 40.0, FIRST.array))
    rows = numbers(measured(flat, second=None))
    assert np.isnan([rows["snr_within"], rows["snr_mriqc"]]).all()
    assert rows["snr_plain"] == pytest.approx(40 / np.std(values(FIRST, BACKGROUND)))
    # Half of the air has one value, as whole numbers of a scanner have: an SD, and no MAD.
    given = with_air(np.where(COUNTED % 5 < 3, 1, np.rint(7 * FIRST.array) + 2))
    rows = by_measure(measured(**given, second=None))
    air, signal, background = (
        values(given["first"], region) for region in (AIR, SIGNAL, BACKGROUND)
    )
    noise = np.sqrt(air.var() + signal.var() + background.var())
    expected = abs(signal.mean() - background.mean()) / noise
    assert rows["cnr_mriqc"].value == pytest.approx(expected)
    assert np.isnan(rows["snrd_mriqc"].value)
    assert rows["snrd_mriqc"].reason.startswith("air is quantised: its MAD is 0")


def test_a_scaled_difference_of_few_steps_is_quantised():
    """The differences of scaled whole numbers miss one another in their last digit."""
    slope, generator = 0.3, np.random.default_rng(3)
    first = generator.integers(90, 110, GRID.shape)
    second = as_image(slope * (first + generator.integers(-1, 2, GRID.shape)), "again")
    quality = measure_signal(as_image(slope * first), SIGNAL, second=second, resamples=100)
    reason = by_measure(quality)["snr_difference"].reason
    assert "white is quantised: 3 different values" in reason


FEW = np.zeros(GRID.shape, bool)
FEW[14, 0, :4] = True
FAR = Grid(GRID.shape, GRID.affine + np.outer([1, 1, 1, 0], [0, 0, 0, 500]))
SHIFTED = Grid(GRID.shape, GRID.affine + np.outer([1, 0, 0, 0], [0, 0, 0, 1]))
UNUSABLE = {
    "zeros": with_air(np.zeros(GRID.shape)),
    "constant": with_air(np.full(GRID.shape, 7)),
    "zero-filled": with_air(FIRST.array * (np.arange(8) > 2)),
    "few values": with_air(COUNTED % 3 + 1),
    "rounded": with_air(np.select([n == COUNTED % 50 for n in range(4)], [8, 9, 11, 12], 10)),
    "nan": with_air(np.full(GRID.shape, np.nan)),
    "empty": {"background": mask(np.zeros(GRID.shape), "other")},
    "few": {"background": mask(FEW, "other")},
    "overlap": {"background": mask(PLACE < 9, "other")},
    "elsewhere": {"signal": mask(SIGNAL.array, "other", FAR)},
    "same image": {"second": as_image(FIRST.array, "other")},
    "other grid": {"second": as_image(SECOND.array, "other", SHIFTED)},
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_regions_and_images_that_cannot_be_used_are_refused(case, message):
    with pytest.raises(ld.InputError, match=r"^(air|other|masks): ") as error:
        measured(**UNUSABLE[case])
    message(error.value)


def test_only_the_voxels_of_masks_are_computed_of_two_acquisitions():
    grid = Grid((120, 120, 120), np.eye(4))
    arrays = np.random.default_rng(1).integers(80, 120, (2, *grid.shape), np.int16)
    first, second = (as_image(array, grid=grid) for array in arrays)
    slab = mask(np.indices(grid.shape)[0] < 2, "slab", grid)
    peak = peak_of(lambda: measure_signal(first, slab, second=second, resamples=100))
    # As float64, mean and difference of the whole images would take eight times their bytes.
    assert peak < 4 * arrays[0].nbytes


# The truth is recovered, and intervals hold it as often as they say.


IMAGES = 100
RAYLEIGH = stats.rayleigh.std()
MIDDLE = stats.rayleigh.median()
RAYLEIGH_MAD = optimize.brentq(
    lambda d: stats.rayleigh.cdf(MIDDLE + d) - stats.rayleigh.cdf(MIDDLE - d) - 0.5, 0.1, 1
)
KNOWN = {
    **dict.fromkeys(("snr_plain", "snr_within", "snr_difference", "snr_mriqc", "snr_air"), SNR),
    **dict.fromkeys(("cnr_plain", "cnr_difference", "cnr_air"), CNR),
    "snrd_mriqc": SNR * RAYLEIGH / (RAYLEIGH_MAD / stats.norm.ppf(0.75)),
    "cnr_mriqc": CNR / np.sqrt(2 + RAYLEIGH**2),
}


@cache
def hits(voxels: int | None) -> dict[str, int]:
    """How many of the simulated images have the truth inside their interval.

    It takes seconds: a rate needs many images.
    """
    signal, background, air = (
        ld.Mask(GRID, region.indices[:voxels], region.name) for region in (SIGNAL, BACKGROUND, AIR)
    )
    count = dict.fromkeys(KNOWN, 0)
    for seed in range(IMAGES):
        options = {"second": rician(2 * seed + 1), "air": air, "resamples": 200, "seed": seed}
        quality = measure_signal(rician(2 * seed), signal, background, **options)
        for row in quality.measures:
            count[row.measure] += row.low <= KNOWN[row.measure] <= row.high
    return count


@pytest.mark.parametrize("measure", KNOWN)
def test_intervals_hold_the_truth_at_their_nominal_rate(measure):
    low, high = stats.binom.ppf([0.0005, 0.9995], IMAGES, 0.95)
    assert low <= hits(None)[measure] <= high
    # Of 12 voxels nearly as often; plain percentiles hold it in 75 of 100 cases.
    assert hits(12)[measure] >= stats.binom.ppf(0.0005, IMAGES, 0.92)


def test_air_without_its_factor_is_half_too_high():
    quality = measure_signal(rician(3), SIGNAL, AIR, resamples=100)
    assert quality.value("snr_plain") == pytest.approx(SNR / RAYLEIGH, rel=0.1)
    assert any("the background looks like air" in note for note in quality.notes)
    tissue = measure_signal(rician(3), SIGNAL, BACKGROUND, resamples=100)
    assert not any("looks like air" in note for note in tissue.notes)


@pytest.mark.parametrize("coils", [1, 4, 16])
def test_the_factor_of_the_coils_gives_one_answer(coils):
    quality = measure_signal(rician(4, coils), SIGNAL, air=AIR, coils=coils, resamples=100)
    assert quality.value("snr_air") == pytest.approx(SNR, rel=0.1)


def test_a_bias_field_hides_in_the_noise_of_a_region_and_not_of_a_difference():
    bias = 1 + 0.25 * np.linspace(-1, 1, GRID.shape[1])[None, :, None]
    first, second = (as_image(TRUTH * bias + gaussian(seed).array - TRUTH) for seed in (5, 6))
    quality = measure_signal(first, SIGNAL, second=second, resamples=100)
    assert quality.value("snr_within") < SNR / 4
    assert quality.value("snr_difference") == pytest.approx(SNR, rel=0.1)
    # Structure makes neighbours alike, and leaves the difference of two images alone.
    alike = {row.measure: "correlate" in row.interval for row in quality.measures}
    assert alike == {"snr_within": True, "snr_difference": False, "snr_mriqc": True}


# Over time, and in the regions of an atlas.


SERIES = np.random.default_rng(7).normal(50, 2, (*GRID.shape, 30))
LABELS = np.select([SIGNAL.array, BACKGROUND.array & (PLACE < 12), FEW], [2, 5, 9], 0)
ATLAS = ld.LabelAtlas(
    "tissue", GRID, LABELS, (Region(2, "white"), Region(5, "grey"), Region(9, "few"))
)


def test_temporal_snr_is_the_median_of_the_voxels_that_vary(tmp_path):
    series = SERIES.copy()
    series[0, 0] = 0
    nib.save(nifti(series, GRID.affine), tmp_path / "bold.nii.gz")
    varying = SIGNAL.array.copy()
    varying[0, 0] = False
    for source, inside in (
        (nib.Nifti1Image(SERIES, GRID.affine), SIGNAL.array),
        (tmp_path / "bold.nii.gz", varying),
    ):
        quality = temporal_snr(source, SIGNAL, resamples=100)
        ratios = SERIES[inside].mean(axis=-1) / SERIES[inside].std(axis=-1)
        assert quality.value("snr_temporal") == pytest.approx(np.median(ratios), rel=1e-12)
    row = quality.measures[0]
    assert row.low < row.value < row.high
    assert row.noise == "30 volumes"
    assert row.signal_zeros_percent == pytest.approx(100 * 8 / SIGNAL.voxels)
    assert "white: 8 voxels that are constant or NaN excluded" in quality.notes
    with pytest.raises(ld.InputError, match="dead: is constant over time"):
        temporal_snr(tmp_path / "bold.nii.gz", mask(SIGNAL.array & ~varying, "dead"))
    with pytest.raises(ld.InputError, match="no time series: 1 volumes"):
        temporal_snr(nib.Nifti1Image(SERIES[..., 0], GRID.affine), SIGNAL)


def test_every_region_has_the_numbers_of_its_own_mask():
    options = {"air": mask(PLACE >= 21, "air"), "resamples": 100}
    table = snr_by_region(FIRST, ATLAS, **options).table.set_index(["label", "measure"])
    columns = ["value", "low", "high"]
    for label in (2, 5):
        for row in measure_signal(FIRST, mask(label == LABELS, "own"), **options).measures:
            assert list(table.loc[label, row.measure][columns]) == [row.value, row.low, row.high]
    assert "holds 4 voxels" in table.loc[9, ""]["reason"]
    noise = mask(LABELS == 5, "muscle")
    reasons = snr_by_region(FIRST, ATLAS, noise, resamples=100).table.set_index("region")["reason"]
    assert "region (grey) and background (muscle) overlap in 320 voxels" in reasons["grey"]
    assert (reasons["white"] == "").all()


def test_an_atlas_or_mask_of_a_template_on_a_native_image_is_noted():
    native = as_image(FIRST.array, grid=Grid(GRID.shape, GRID.affine @ np.diag([0.99, 1, 1, 1]), 1))
    same = as_image(FIRST.array, grid=Grid(GRID.shape, GRID.affine, 1))
    notes = snr_by_region(native, ATLAS, resamples=100).notes
    notes += measure_signal(native, SIGNAL, air=AIR, resamples=100).notes
    for name in ("atlas tissue", "mask white", "mask air"):
        assert any(note.startswith(f"{name} is marked as standard space") for note in notes)
    assert not snr_by_region(FIRST, ATLAS, resamples=100).notes
    assert not measure_signal(same, SIGNAL, resamples=100).notes


def test_regions_of_a_series_are_temporal():
    series = nib.Nifti1Image(SERIES, GRID.affine)
    table = snr_by_region(series, ATLAS, resamples=100).table
    assert table["measure"].tolist() == ["snr_temporal"] * 3
    with pytest.raises(ld.InputError, match="air: given with a time series"):
        snr_by_region(series, ATLAS, air=AIR)


# A template's region on the native image, against masks made by formulas.


CUBE = Grid((24, 26, 22), np.diag([2.0, 2, 2, 1]))
CENTRE = np.array([24.0, 26, 22])


def points(grid: Grid) -> np.ndarray:
    return grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))


# 1 in the middle, falling to 0 at 14 mm: 0.5 is half of it.
CHANCES = 1 - np.linalg.norm(points(CUBE) - CENTRE, axis=-1) / 14
INDICES = np.flatnonzero(np.ravel(CHANCES > 0, order="F")).astype(np.int32)
EYE = RegionMap("eye", CUBE, INDICES, np.ravel(CHANCES, order="F")[INDICES])


def noisy(seed: int = 0) -> ld.Map:
    return as_image(np.random.default_rng(seed).normal(100, 5, CUBE.shape), f"scan {seed}", CUBE)


def box(low: int, high: int, name: str) -> ld.Mask:
    place = np.indices(CUBE.shape)[0] // 2
    return mask((place >= low) & (place < high), name, CUBE)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5])
def test_a_region_comes_back_through_the_inverse(threshold):
    matrix = rotation(z=20) @ np.diag([1.2, 1.2, 1.2, 1])
    matrix[:3, 3] = [-6, 4, -5]
    native = Grid((40, 44, 38), affine((1.5, -1.5, 1.5), (0, 60, 0)))
    region = native_region(EYE, threshold, ld.scans.Transform(matrix), native)
    in_template = points(native) @ matrix[:3, :3].T + matrix[:3, 3]
    ball = np.linalg.norm(in_template - CENTRE, axis=-1) <= 14 * (1 - threshold)
    assert region.voxels == pytest.approx(ball.sum(), rel=0.12)
    assert 2 * (region.array & ball).sum() / (region.voxels + ball.sum()) > 0.9
    assert any("brought from" in note for note in region.notes)
    assert not any("to the template" in note for note in region.notes)


def test_thresholds_on_another_grid_are_those_of_the_region():
    fine = Grid((48, 52, 44), np.eye(4))
    on_fine = region_on(EYE, fine)
    for threshold in (0.1, 0.5, 0.9):
        expected = EYE.mask_on(fine, threshold)
        assert np.array_equal(on_fine.mask_on(fine, threshold).indices, expected.indices)
    labels = RegionMap("eye", CUBE, EYE.indices, None)
    assert region_on(labels, fine) is labels
    # Without a transform the map lies in the image's space.
    plain = native_region(EYE, 0.5, None, CUBE)
    assert np.array_equal(plain.indices, EYE.mask_on(CUBE, 0.5).indices)
    with pytest.raises(ld.InputError, match="does not overlap"):
        region_on(EYE, Grid((4, 4, 4), affine((1, 1, 1), (900, 0, 0))))


def test_what_two_masks_share_is_left_out_of_one():
    a, b = box(0, 6, "fat"), box(4, 9, "nerve")
    own = leave_out(a, b)
    assert set(own.indices) == set(a.indices) - set(b.indices)
    assert own.notes[-1].startswith("fat: ")
    assert leave_out(a, box(8, 9, "far")) is a


def test_all_is_measured_where_nothing_is_wrong():
    signal, background, air = box(0, 4, "signal"), box(4, 8, "grey"), box(8, 12, "air")
    options = {"second": noisy(seed=1), "air": air, "coils": 4}
    native = measure_native(noisy(), signal, background, **options)
    expected = measure_signal(noisy(), signal, background, **options)
    assert native.quality.table.equals(expected.table)
    assert native.refused == ()
    assert native.given == ("background", "second", "air")


def test_a_background_without_noise_refuses_its_definitions_alone():
    background, signal, air = box(4, 8, "skull"), box(0, 4, "signal"), box(8, 12, "air")
    stripped = as_image(np.where(background.array, 0, noisy().array), "stripped", CUBE)
    native = measure_native(stripped, signal, background, second=stripped, air=air)
    assert native.quality.table.equals(measure_signal(stripped, signal, air=air).table)
    refused = {definition.name: str(error) for definition, error in native.refused}
    assert "difference holds no noise" in refused.pop("snr_difference")
    assert set(refused) == {"snr_plain", "cnr_plain", "cnr_air", "cnr_mriqc", "cnr_difference"}
    assert all("skull" in sentence for sentence in refused.values())


@pytest.mark.parametrize(
    ("masks", "second", "match"),
    [
        ([box(0, 4, "signal")], as_image(np.ones(GRID.shape), "again", SHIFTED), "again: "),
        ([box(0, 4, "signal"), box(4, 8, "grey"), box(7, 12, "air")], None, r"\(grey\).*\(air\)"),
        ([mask(np.zeros(CUBE.shape), "nothing", CUBE), box(4, 8, "grey")], None, "nothing"),
    ],
    ids=["other grid", "overlap of noise", "empty signal"],
)
def test_what_concerns_all_definitions_refuses_all(masks, second, match):
    signal, background, air = (*masks, None, None)[:3]
    with pytest.raises(ld.InputError, match=match):
        measure_native(noisy(), signal, background, second=second, air=air)
