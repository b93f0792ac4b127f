"""The page Compare without a kernel: maps follow the choices, and the crosshair is shared."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from visitor import HOSTILE, choose, click_row, enter, is_hidden, new_context, press, send

from lesion_dash import cli
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.cohort import Cohort
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.grid import Grid
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.colour_scales import STEPS, DifferenceColours, MapColours, PColours
from lesion_dash.dashboard.comparison_service import MAPS, ComparisonService, PairRequest
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.map_slices import MapLayer, MapSlices, brain_greys
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.pages.compare import NO_A, NO_B, ComparePage
from lesion_dash.dashboard.session import Session
from lesion_dash.regions.differences import region_differences
from lesion_dash.stats.coverage import brain_on
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
    assert page.a.view.panes == []


def test_a_click_in_one_map_moves_all_and_the_topography(
    page: ComparePage, context: AppContext
) -> None:
    cards = (page.a, page.b, page.difference)
    send(page.b.view, {"pane": 2, "x": 0.31, "y": 0.36})
    x, y, _ = context.choices.mm
    assert x < 0 < y
    crosses = [[pane["cross"] for pane in card.view.panes] for card in cards]
    assert crosses[0] == crosses[1] == crosses[2]
    assert crosses[0][2] == pytest.approx([0.31, 0.36], abs=0.01)
    context.choices.mm = (-26.0, 0.0, 8.0)  # as the page Topography does
    assert [pane["cross"] for pane in page.difference.view.panes] != crosses[2]
    assert "MNI −26, 0, 8" in page.place.caption.value
    n = [len(context.session.load(name).patients_at(context.choices.mm)) for name in (A, B)]
    assert page.a.view.value == f"{2.5 * n[0]:.1f} %"
    assert page.a.view.remark == f"{n[0]} of 40 patients"
    assert page.a.scale.value == page.b.scale.value
    page.controls.orientation.value = True
    assert context.choices.radiological
    assert [pane["edges"][0] for pane in page.a.view.panes] == ["P", "R", "R"]


def test_too_few_patients_are_named(page: ComparePage, context: AppContext) -> None:
    page.map_key.value = "mean"
    choose(context, mm=(500.0, 0.0, 0.0))
    assert page.difference.view.remark == "fewer than 5 patients in A and B"
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
        assert page.difference.view.value == shown
        assert f"<td>{shown}</td></tr></tbody>" in page.place.table.value
    assert "A − B, SD of volume" in page.difference.scale.value
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


def spread(layer: MapLayer) -> np.ndarray:
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
    for layer, values in zip((pair.a, pair.b), expected, strict=True):
        np.testing.assert_allclose(scale * np.nan_to_num(spread(layer)), np.nan_to_num(values))
    difference = np.nan_to_num(getattr(differences, key).array)
    shown = np.nan_to_num(scale * spread(pair.difference))
    np.testing.assert_allclose(shown, difference, atol=1e-9)


def test_colours_are_the_same_for_both_and_do_not_move_with_k(comparing: ComparisonService) -> None:
    for key in MAPS:
        pairs = [comparing.pair(PairRequest(A, B, k, key)) for k in (1, 3, 7)]
        assert len({pair.a.shade.maximum for pair in pairs}) == 1
        assert len({pair.difference.shade.maximum for pair in pairs}) == 1
        assert all(pair.a.shade is pair.b.shade for pair in pairs)
        for pair in pairs:
            beyond = np.abs(pair.difference.values).max() > pair.difference.shade.maximum
            assert pair.difference.shade.exceeded == beyond


def test_exchanging_a_and_b_turns_the_difference(comparing: ComparisonService) -> None:
    for key in MAPS:
        there, back = (comparing.pair(PairRequest(*ab, K, key)).difference for ab in (AB, AB[::-1]))
        np.testing.assert_array_equal(there.indices, back.indices)
        np.testing.assert_allclose(there.values, -back.values, atol=1e-12)
        levels = there.levels.astype(int) + back.levels
        assert set(np.unique(levels)) <= {0, 256}


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
        np.testing.assert_array_equal(plain.difference.levels, other.difference.levels)


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
FLIPPED = Grid((46, 55, 46), [[-4, 0, 0, 90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
SHADE = MapColours("Mean", "mL", 100.0, "plasma")


def random_layer(grid: Grid) -> MapLayer:
    generator = np.random.default_rng(3)
    indices = np.sort(generator.choice(grid.size, 4000, replace=False)).astype(np.int32)
    return MapLayer(grid, indices, generator.uniform(0, 120, indices.size), SHADE)


@pytest.mark.parametrize("grid", [GRID, FLIPPED], ids=["right", "left"])
@pytest.mark.parametrize("radiological", [False, True])
def test_the_crosshair_lies_on_the_pixel_of_its_voxel(grid: Grid, radiological: bool) -> None:
    layer = random_layer(grid)
    clicks: list[tuple[int, float, float]] = []
    view = MapSlices("map", lambda *click: clicks.append(click))
    for index in layer.indices[::400]:
        voxel = tuple(int(number) for number in np.unravel_index(index, grid.shape, order="F"))
        view.show(layer, voxel, radiological, "")
        start = 0
        for number, pane in enumerate(view.panes):
            width, height = pane["pixels"]
            x, y = pane["cross"]
            pixel = start + int(y * height) * width + int(x * width)
            assert view.over[pixel] == layer.levels[voxel] > 0
            assert view.under[pixel] == brain_greys(grid)[voxel]
            assert layer.clicked(number, x, y, voxel, radiological) == voxel
            start += width * height
        assert len(view.over) == len(view.under) == start


def test_sides_are_named_after_the_patient() -> None:
    layer = random_layer(GRID)
    left = layer.voxel((-60.0, 0.0, 0.0))
    view = MapSlices("map", lambda *_: None)
    for radiological, letters in ((False, "LR"), (True, "RL")):
        view.show(layer, left, radiological, "")
        sagittal, coronal, axial = view.panes
        assert "".join(coronal["edges"][:2]) == "".join(axial["edges"][:2]) == letters
        assert "".join(sagittal["edges"][:2]) == "PA"
        assert (axial["cross"][0] < 0.5) == (not radiological)
        assert axial["title"] == "z = 0 mm"


def test_a_place_outside_is_shown_at_the_edge() -> None:
    layer = random_layer(GRID)
    assert layer.voxel((500.0, 0.0, -500.0)) == (45, 32, 0)
    nowhere = layer.voxel((float("nan"), float("inf"), 0.0))
    assert all(0 <= index < size for index, size in zip(nowhere, GRID.shape, strict=True))


def test_the_largest_and_the_smallest_value_are_found() -> None:
    layer = random_layer(GRID)
    for largest, expected in ((True, layer.values.max()), (False, layer.values.min())):
        place = layer.extreme(largest)
        assert layer.value_at(layer.voxel(place)) == expected
    nothing = MapLayer(GRID, np.empty(0, np.int32), np.empty(0), SHADE)
    assert nothing.extreme(True) is None
    assert np.isnan(nothing.value_at((0, 0, 0)))
    assert not nothing.levels.any()


def test_the_brain_is_where_the_thresholds_have_it() -> None:
    seen = np.ravel(brain_greys(GRID), order="F") > 0
    inside = brain_on(GRID)
    assert seen[inside].all()
    assert brain_greys(GRID).max() < 255


def test_nothing_is_sent_while_it_is_not_on_the_screen() -> None:
    view = MapSlices("map", lambda *_: None)
    view.visible = False
    view.show(random_layer(GRID), (20, 20, 20), False, "one")
    view.show(random_layer(GRID), (20, 20, 30), False, "two")
    assert (view.panes, view.value) == ([], "")
    view.visible = True
    assert (len(view.panes), view.value) == (3, "two")
    view.visible = False
    view.clear("nothing")
    view.visible = True
    assert (view.panes, view.empty) == ([], "nothing")


def test_clicks_are_checked_whatever_the_browser_sends() -> None:
    clicks: list[tuple[int, float, float]] = []
    view = MapSlices("map", lambda *click: clicks.append(click))
    view.show(random_layer(GRID), (20, 20, 20), False, "")
    hostile = (
        {}, {"pane": 3, "x": 0.5, "y": 0.5}, {"pane": -1, "x": 0.5, "y": 0.5}, None, [],
        {"pane": 0, "x": "nan", "y": 0.5}, {"pane": 0, "x": 2, "y": 0.5}, {"pane": 0, "x": 1e999},
        {"pane": "one", "x": 0.5, "y": 0.5}, {"pane": 1e400, "x": 0.5, "y": 0.5},
    )  # fmt: skip
    for content in hostile:
        send(view, content)
    assert clicks == []
    send(view, {"pane": 2, "x": 0.25, "y": 0.75})
    assert clicks == [(2, 0.25, 0.75)]


@pytest.mark.parametrize(
    "shade", [SHADE, DifferenceColours("d", "mL", 1.0, ("b", "a")), PColours("p")]
)
def test_only_level_0_is_transparent_where_anything_is_drawn(
    shade: MapColours | DifferenceColours | PColours,
) -> None:
    table = np.frombuffer(shade.palette, np.uint8).reshape(256, 4)
    drawn = np.unique(shade.levels(np.linspace(0, 1, 101)))
    assert drawn.min() > 0
    assert table[0, 3] == 0
    assert (table[drawn, 3] > 0).all()


def test_dark_and_light_tell_values_apart_without_colour() -> None:
    """Lightness rises with a value from 0, and falls with a difference on either side."""
    weights = (0.2126, 0.7152, 0.0722)
    for shade, middle in ((SHADE, 1), (DifferenceColours("d", "mL", 1.0, ("b", "a")), 128)):
        table = np.frombuffer(shade.palette, np.uint8).reshape(256, 4)[:, :3]
        light = table @ np.array(weights)
        up = np.diff(light[middle:])
        # Colours are whole numbers, so neighbours may differ by a rounding.
        assert ((up if middle == 1 else -up) > -1).all()
        assert (np.diff(light[1 : middle + 1]) > -1).all()
        assert abs(light[-1] - light[middle]) > 100
    # No difference is the middle, and both sides are alike.
    shade = DifferenceColours("A − B", "mL", 50.0, ("B higher", "A higher"), exceeded=True)
    levels = shade.levels(np.array([-80.0, -50.0, -10.0, 0.0, 10.0, 50.0, 80.0])).astype(int)
    np.testing.assert_array_equal(levels - 128, -(levels[::-1] - 128))
    assert (levels[0], levels[3], levels[-1]) == (1, 128, 255)
    assert list(shade.ticks) == ["≤ −50", "0", "≥ +50 mL"]
    assert shade.bar.index("B higher") < shade.bar.index("A higher")


def test_steps_of_p_hold_their_limits() -> None:
    values = np.array([0.0005, 0.001, 0.0011, 0.01, 0.011, 0.05, 0.0501, 1.0])
    expected = [255, 255, 192, 192, 128, 128, 64, 64]
    assert PColours("p").levels(values).tolist() == expected
    assert all(step.label in PColours("p").bar for step in STEPS if ">" not in step.label)


def test_titles_are_escaped() -> None:
    for shade in (MapColours(HOSTILE, HOSTILE, 1.0, "plasma"), PColours(HOSTILE)):
        assert "<img" not in shade.bar
