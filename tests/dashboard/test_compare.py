"""The page Compare without a kernel: maps follow the choices, and the crosshair is shared."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from visitor import HOSTILE, choose, click_row, enter, is_hidden, new_context, press

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.cohort import Cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.grid import Grid
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.comparison_service import MAPS, ComparisonService, PairRequest
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.pages.compare import NO_A, NO_B, ComparePage
from lesion_dash.dashboard.pages.map_card import MapCard
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.widgets.layers import Scale, Step, ValueLayer
from lesion_dash.regions.differences import region_differences
from lesion_dash.stats.differences import FILE_NAMES, cohort_differences
from lesion_dash.stats.topography import volume_stats

AB = A, B = "cohort_a", "cohort_b"
K = 3


@pytest.fixture
def page(context: AppContext) -> ComparePage:
    choose(context, folder_a=A)
    choose(context, folder_b=B)
    page = ComparePage(context)
    context.wait()
    return page


def test_without_two_cohorts_it_says_what_to_do(context: AppContext) -> None:
    page = ComparePage(context)
    for folders, advice in (({}, NO_A), ({"folder_a": A}, NO_B)):
        choose(context, **folders)
        assert page.controls.empty.value == advice
        assert is_hidden(page.difference.widget)
    choose(context, folder_b=B)
    assert is_hidden(page.controls.empty)
    assert not is_hidden(page.difference.widget)
    choose(context, folder_b="")
    assert page.controls.empty.value == NO_B
    assert kinds(page.a) == ["scan"]


def test_a_click_in_one_map_moves_all_and_the_topography(
    page: ComparePage, context: AppContext
) -> None:
    cards = (page.a, page.b, page.difference)
    page.b.viewer.set_state({"mm": [-30.0, 12.0, 8.0]})
    assert context.choices.mm == (-30.0, 12.0, 8.0)
    assert all(card.viewer.mm == [-30.0, 12.0, 8.0] for card in cards)
    context.choices.mm = (-26.0, 0.0, 8.0)  # as the page Topography does
    assert all(card.viewer.mm == [-26.0, 0.0, 8.0] for card in cards)
    assert "MNI −26, 0, 8" in page.place.caption.value
    n = [len(context.session.load(name).patients_at(context.choices.mm)) for name in (A, B)]
    assert f"{2.5 * n[0]:.1f} %" in page.a.words.value
    assert f"{n[0]} of 40 patients" in page.a.words.value
    page.a.viewer.set_state({"radiological": True})
    assert context.choices.radiological
    assert page.difference.viewer.radiological


def test_maps_are_sent_once_whatever_k(page: ComparePage, context: AppContext) -> None:
    enter(context, page.map_key, "mean")
    sent = [card.viewer.layers for card in (page.a, page.b, page.difference)]
    enter(context, page.controls.slider, 3)
    assert [card.viewer.layers for card in (page.a, page.b, page.difference)] == sent
    assert kinds(page.a) == ["scan", "value"]
    assert all(card.viewer.k_source is page.controls.slider for card in (page.a, page.b))


def test_too_few_patients_are_named(page: ComparePage, context: AppContext) -> None:
    page.map_key.value = "mean"
    choose(context, mm=(500.0, 0.0, 0.0))
    assert "fewer than 5 patients in A and B" in page.difference.words.value
    assert "not compared" in page.place.table.value
    choose(context, min_patients=context.choices.most_patients)
    assert "choose a smaller k" in page.difference.question.value
    assert page.to_a.disabled


def test_the_slider_is_the_one_of_the_topography(page: ComparePage, context: AppContext) -> None:
    assert page.controls.slider.disabled  # frequencies do not ask for it
    enter(context, page.map_key, "mean")
    enter(context, page.controls.slider, 3)
    assert context.choices.min_patients == page.pair.request.min_patients == 3
    assert "at least 3" in page.a.question.value
    page.controls.slider.set_state({"max": 10_000})
    page.controls.slider.set_state({"value": 5000})
    assert context.choices.min_patients == context.choices.most_patients


def test_the_largest_difference_is_gone_to_and_told_with_its_unit(
    page: ComparePage, context: AppContext
) -> None:
    enter(context, page.map_key, "std")
    stds = cohort_differences(*(context.session.load(name) for name in (A, B)), 5).std
    for button, extreme in ((page.to_b, np.nanmin), (page.to_a, np.nanmax)):
        button.click()
        ml = stds.value_at(context.choices.mm) / 1000
        assert ml == extreme(stds.array) / 1000
        shown = f"{ml:+.1f} mL".replace("-", "−")
        assert f"<b>{shown}</b>" in page.difference.words.value
        assert f"<td>{shown}</td></tr></tbody>" in page.place.table.value
    assert "A − B, SD of volume" in page.pair.difference.title
    assert "spread further" in page.difference.question.value
    assert page.place.files.file.value == FILE_NAMES["std"]


def test_regions_are_compared_and_gone_to(
    page: ComparePage, context: AppContext, saved: dict[str, bytes], sample_data: Path
) -> None:
    atlas = load_atlas(sample_data / "atlas" / "synthetic_atlas.nii.gz")
    expected = region_differences(*(load_cohort(sample_data / name) for name in (A, B)), atlas, 5)
    page.regions.download.click()
    assert saved == {"region_differences.csv": csv_bytes(expected.table)}
    assert "A (40 patients) and B (40 patients) in " in page.regions.caption.value
    frame = page.regions.table.frame
    points = frame["difference_percentage_points"][:-1].abs().tolist()
    assert points == sorted(points, reverse=True)
    assert frame["region"].iloc[-1] == "outside the atlas"
    for row in (0, 3):
        at = expected.regions.index(frame["region"][row])
        click_row(page.regions.table, row)
        assert context.choices.mm == tuple(expected.places[at])
        assert context.choices.region == expected.labels[at]
        assert frame["region"][row] in page.place.caption.value
        assert frame["percent_a"][row] == expected.percent[0][at]


def test_k_decides_where_volumes_of_regions_are_compared(
    page: ComparePage, context: AppContext
) -> None:
    missing = []
    for min_patients in (1, 8):
        choose(context, min_patients=min_patients)
        means = page.regions.table.frame["difference_mean_volume_mm3"]
        missing.append(means.isna().sum())
    assert missing[0] < missing[1]
    assert "fewer than 8 patients of A or of B" in page.regions.remark.value
    choose(context, atlas="")
    assert "Choose an atlas on the page Maps" in page.regions.caption.value
    assert page.regions.download.disabled
    assert is_hidden(page.regions.table)


def test_files_and_figures_can_be_saved(
    page: ComparePage, context: AppContext, saved: dict[str, bytes]
) -> None:
    for name in FILE_NAMES.values():
        page.place.files.file.value = name
        page.place.files.plain.click()
    assert {name: content[:4] for name, content in saved.items()} == dict.fromkeys(
        FILE_NAMES.values(), b"\x5c\x01\x00\x00"
    )
    press(context, page.place.figures[0])
    assert saved["compare_frequency.png"].startswith(b"\x89PNG")
    assert context.banner.message == ""


def test_hostile_names_stay_text(tmp_path: Path, sample_data: Path) -> None:
    for name in ("a", HOSTILE):
        (tmp_path / name).mkdir()
        for file in sorted((sample_data / A).glob("*.nii.gz"))[:3]:
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    shutil.copytree(sample_data / "atlas", tmp_path / "atlas")
    context = new_context(tmp_path)
    choose(context, folder_a="a", folder_b=HOSTILE, atlas=next(iter(context.session.root.atlases)))
    page = ComparePage(context)
    context.wait()
    shown = (page.b.caption.value, page.place.table.value, page.place.remark.value)
    assert not any("<img" in text for text in shown)
    assert "3 masks of B are in A as well" in page.place.remark.value
    remarks = page.place.remark.value + page.regions.remark.value
    assert remarks.count("3 of 3 patients of B are in A as well") == 1
    hint = ChoicesPanel(context).overlap_hint.value
    assert "3 of 3 patients of B are in A as well" in hint


@pytest.fixture(scope="module")
def comparing(session: Session) -> ComparisonService:
    return ComparisonService(session)


@pytest.fixture(scope="module")
def cohorts(session: Session) -> list[Cohort]:
    return [session.load(name) for name in (A, B)]


def kinds(card: MapCard) -> list[str]:
    """What a card's viewer shows, the lowest first."""
    return [layer.facts["kind"] for layer in card.viewer.layers]


def spread(layer: ValueLayer) -> np.ndarray:
    """The values of a layer at all voxels, NaN where nothing is drawn."""
    flat = np.full(layer.grid.size, np.nan)
    flat[layer.indices] = layer.values
    return flat.reshape(layer.grid.shape, order="F")


@pytest.mark.parametrize("key", MAPS)
def test_maps_are_those_of_the_library(
    comparing: ComparisonService, cohorts: list[Cohort], key: str
) -> None:
    pair = comparing.pair(PairRequest(A, B, K, key))
    differences = cohort_differences(*cohorts, K)
    if key == "frequency":
        expected = [100 * cohort.counts / cohort.n_patients for cohort in cohorts]
        expected = [np.where(values > 0, values, np.nan) for values in expected]
        scale = 1
    else:
        expected = [getattr(volume_stats(cohort, K), key).array for cohort in cohorts]
        expected = [np.where(values > 0, values, np.nan) for values in expected]
        scale = 1000
    layers = [layer.at_least(K) for layer in (pair.a, pair.b, pair.difference)]
    for layer, values in zip(layers[:2], expected, strict=True):
        np.testing.assert_allclose(scale * np.nan_to_num(spread(layer)), np.nan_to_num(values))
    difference = np.nan_to_num(getattr(differences, key).array)
    shown = np.nan_to_num(scale * spread(layers[2]))
    np.testing.assert_allclose(shown, difference, atol=1e-9)


def test_colours_are_the_same_for_both_and_do_not_move_with_k(comparing: ComparisonService) -> None:
    for key in MAPS:
        pairs = [comparing.pair(PairRequest(A, B, k, key)) for k in (1, 3, 7)]
        assert len({pair.a.scale for pair in pairs}) == 1
        assert len({pair.difference.scale for pair in pairs}) == 1
        assert all(pair.a.scale == pair.b.scale for pair in pairs)


def test_exchanging_a_and_b_turns_the_difference(comparing: ComparisonService) -> None:
    for key in MAPS:
        there, back = (comparing.pair(PairRequest(*ab, K, key)).difference for ab in (AB, AB[::-1]))
        np.testing.assert_array_equal(there.indices, back.indices)
        np.testing.assert_allclose(there.values, -back.values, atol=1e-12)
        levels = [layer.scale.levels(layer.values).astype(int) for layer in (there, back)]
        assert set(np.unique(sum(levels))) == {256}


def test_everywhere_the_crosshair_tells_what_the_masks_hold(
    comparing: ComparisonService, cohorts: list[Cohort]
) -> None:
    """Outside the image there is nobody."""
    generator = np.random.default_rng(5)
    lesioned = np.flatnonzero(np.ravel(cohorts[0].counts + cohorts[1].counts, order="F"))
    indices = [*generator.choice(lesioned, 15), *generator.choice(cohorts[0].grid.size, 5)]
    places = [(i, tuple(cohorts[0].grid.mm_of_index([i])[0].tolist())) for i in indices]
    for index, mm in (*places, (-1, (500.0, 0.0, 0.0))):
        place = comparing.place(PairRequest(A, B, K), mm)
        volumes = []
        for side, cohort in zip((place.a, place.b), cohorts, strict=True):
            masks = [mask for mask in map(cohort.mask, range(40)) if index in mask.indices]
            volumes.append([mask.volume_mm3 / 1000 for mask in masks])
            assert (side.n, side.of) == (len(masks), 40)
            assert side.percent == pytest.approx(2.5 * len(masks))
            mean, std = (of(volumes[-1]) if masks else np.nan for of in (np.mean, np.std))
            assert side.mean_ml == pytest.approx(mean, nan_ok=True)
            assert side.std_ml == pytest.approx(std, nan_ok=True)
        points = place.difference("frequency")
        assert points == pytest.approx(place.a.percent - place.b.percent)
        assert place.is_compared == (min(map(len, volumes)) >= K)
        for key, of in (("mean", np.mean), ("std", np.std)):
            expected = np.subtract(*map(of, volumes)) if place.is_compared else np.nan
            assert place.difference(key) == pytest.approx(expected, nan_ok=True)


def test_b_in_another_order_of_voxels_is_the_same(sample_data: Path, tmp_path: Path) -> None:
    """B saved with its first axis turned round shows the same maps on the grid of A."""
    for name in (A, B, "turned"):
        (tmp_path / name).mkdir()
        for file in sorted((sample_data / name.replace("turned", B)).glob("*.nii.gz"))[:8]:
            image = nib.load(file)
            if name == "turned":
                affine = image.affine @ np.diag([-1, 1, 1, 1])
                affine[:3, 3] += (image.shape[0] - 1) * image.affine[:3, 0]
                image = nib.Nifti1Image(np.asarray(image.dataobj)[::-1], affine)
            nib.save(image, tmp_path / name / file.name)
    comparing = ComparisonService(Session(DataRoot(tmp_path)))
    for key in MAPS:
        plain, other = (comparing.pair(PairRequest(A, b, 2, key)) for b in (B, "turned"))
        np.testing.assert_array_equal(plain.b.indices, other.b.indices)
        np.testing.assert_allclose(plain.b.values, other.b.values)
        np.testing.assert_allclose(plain.difference.values, other.difference.values)


def test_downloads_are_what_the_command_line_writes(
    context: AppContext, sample_data: Path, tmp_path: Path
) -> None:
    """The women and the men of one folder are A and B."""
    choose(context, where_a=("sex=F",), where_b=("sex=M",), folder_a=A, folder_b=A)
    request = PairRequest(context.choices.cohort_a, context.choices.cohort_b, 2, "mean")
    sides = ["--where-a", "sex=F", "--where-b", "sex=M"]
    folder, out = str(sample_data / A), tmp_path / "out"
    assert cli.main(["compare", folder, folder, *sides, "-o", str(out), "-k", "2"]) == 0
    service = ComparisonService(context.session)
    for name in FILE_NAMES.values():
        assert service.file_bytes(request, name) == (out / name).read_bytes()


GRID = Grid((46, 55, 46), [[4, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
RAMP = Scale(100.0, "plasma", shows_zero=True)
DIVERGING = Scale(50.0, "blue-orange", kind="diverging", sides=("B higher", "A higher"))
STEPS = Scale(
    1.0, kind="steps", steps=(Step(0.01, "≤ 0.01", (9, 9, 9)), Step(1.0, "more", (5, 5, 5), 0.5))
)


def random_layer() -> ValueLayer:
    generator = np.random.default_rng(3)
    indices = np.sort(generator.choice(GRID.size, 4000, replace=False)).astype(np.int32)
    n = generator.integers(1, 9, indices.size)
    return ValueLayer(GRID, indices, generator.uniform(0, 120, n.size), "Mean", "mL", RAMP, n)


def test_the_largest_and_the_smallest_value_are_found() -> None:
    layer = random_layer()
    for k in (1, 5):
        shown = layer.values[layer.n >= k]
        for largest, expected in ((True, shown.max()), (False, shown.min())):
            place = layer.at_least(k).extreme(largest)
            assert layer.value_at(place, k) == expected
    hidden = layer.at_least(8).extreme(True)
    assert np.isnan(layer.value_at(hidden, 9))
    assert np.isnan(layer.value_at((500.0, 0.0, float("nan"))))
    assert layer.at_least(9).extreme(True) is None


@pytest.mark.parametrize("scale", [RAMP, DIVERGING, STEPS])
def test_only_level_0_is_transparent_where_anything_is_drawn(scale: Scale) -> None:
    drawn = np.unique(scale.levels(np.linspace(0, 1, 101)))
    assert drawn.min() > 0
    assert scale.palette[0, 3] == 0
    assert (scale.palette[drawn, 3] > 0).all()


def test_dark_and_light_tell_values_apart_without_colour() -> None:
    """Lightness rises with a value from 0, and falls with a difference on either side."""
    weights = (0.2126, 0.7152, 0.0722)
    for scale, middle in ((RAMP, 1), (DIVERGING, 128)):
        light = scale.palette[:, :3] @ np.array(weights)
        up = np.diff(light[middle:])
        # Colours are whole numbers, so neighbours may differ by a rounding.
        assert ((up if middle == 1 else -up) > -1).all()
        assert (np.diff(light[1 : middle + 1]) > -1).all()
        assert abs(light[-1] - light[middle]) > 100


def test_no_difference_is_the_middle_and_both_sides_are_alike() -> None:
    values = np.array([-80.0, -50.0, -10.0, 0.0, 10.0, 50.0, 80.0])
    levels = DIVERGING.levels(values).astype(int)
    np.testing.assert_array_equal(levels - 128, -(levels[::-1] - 128))
    assert (levels[0], levels[3], levels[-1]) == (1, 128, 255)


def test_steps_hold_their_limits() -> None:
    values = np.array([0.0005, 0.01, 0.0101, 1.0])
    assert STEPS.levels(values).tolist() == [1, 1, 2, 2]
