"""The page Compare without a kernel: maps follow the choices, and the crosshair is shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.tables import csv_bytes
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.pages.compare import NO_A, NO_B, ComparePage
from lesion_dash.dashboard.session import Session
from lesion_dash.stats.differences import FILE_NAMES, cohort_differences

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def context(sample_data: Path) -> Iterator[AppContext]:
    context = AppContext(Session(DataRoot(sample_data)))
    context.choices.folder_a = "cohort_a"
    context.wait()
    yield context
    context.wait()


@pytest.fixture
def page(context: AppContext) -> ComparePage:
    context.choices.folder_b = "cohort_b"
    context.wait()
    page = ComparePage(context)
    context.wait()
    assert page.pair is not None
    return page


def test_the_tab_stands_after_the_topography(app: App) -> None:
    assert app.tabs.titles[:3] == ("Topography", "Compare", "Larger than chance?")


def test_without_two_cohorts_it_says_what_to_do(sample_data: Path) -> None:
    context = AppContext(Session(DataRoot(sample_data)))
    page = ComparePage(context)
    assert page.controls.empty.value == NO_A
    context.choices.folder_a = "cohort_a"
    context.wait()
    assert page.controls.empty.value == NO_B
    assert "ld-hidden" in page.difference.widget._dom_classes
    context.choices.folder_b = "cohort_b"
    context.wait()
    assert "ld-hidden" in page.controls.empty._dom_classes
    assert "ld-hidden" not in page.difference.widget._dom_classes
    context.choices.folder_b = ""
    context.wait()
    assert page.controls.empty.value == NO_B
    assert page.a.view.panes == []


def test_a_click_in_one_map_moves_all_and_the_topography(
    page: ComparePage, context: AppContext
) -> None:
    page.b.view._handle_custom_msg({"pane": 2, "x": 0.31, "y": 0.36}, [])
    x, y, _ = context.choices.mm
    assert x < 0 < y
    crosses = [
        [pane["cross"] for pane in card.view.panes] for card in (page.a, page.b, page.difference)
    ]
    assert crosses[0] == crosses[1] == crosses[2]
    assert crosses[0][2] == pytest.approx([0.31, 0.36], abs=0.01)
    context.choices.mm = (-26.0, 0.0, 8.0)  # as the page Topography does
    moved = [pane["cross"] for pane in page.difference.view.panes]
    assert moved != crosses[2]
    assert "MNI −26, 0, 8" in page.place.caption.value


def test_what_stands_at_the_crosshair(
    page: ComparePage, context: AppContext, sample_data: Path
) -> None:
    a, b = (load_cohort(sample_data / name) for name in ("cohort_a", "cohort_b"))
    place = (-26.0, 0.0, 8.0)
    context.choices.mm = place
    voxel = a.grid.nearest_voxel(place)
    n = [int(cohort.counts[voxel]) for cohort in (a, b)]
    assert page.a.view.value == f"{2.5 * n[0]:.1f} %"
    assert page.a.view.remark == f"{n[0]} of 40 patients"
    points = cohort_differences(a, b).frequency.value_at(place)
    assert page.difference.view.value == f"{points:+.1f} points".replace("-", "−")
    page.map_key.value = "mean"
    context.wait()
    context.choices.min_patients = 2
    context.wait()
    means = [cohort_differences(a, b, 2).mean.value_at(place) / 1000]
    assert page.difference.view.value == f"{means[0]:+.1f} mL".replace("-", "−")
    assert f"n = {n[0]}" in page.place.table.value
    assert f"n = {n[1]}" in page.place.table.value


def test_too_few_patients_are_named(page: ComparePage, context: AppContext) -> None:
    page.map_key.value = "mean"
    context.wait()
    context.choices.mm = (500.0, 0.0, 0.0)
    assert page.difference.view.remark == "fewer than 5 patients in A and B"
    assert "not compared" in page.place.table.value
    context.choices.min_patients = context.choices.most_patients
    context.wait()
    assert "choose a smaller k" in page.difference.question.value
    assert page.to_a.disabled


def test_the_largest_difference_is_gone_to(page: ComparePage, context: AppContext) -> None:
    assert page.pair is not None
    for button, find in ((page.to_a, np.max), (page.to_b, np.min)):
        button.click()
        layer = page.pair.difference
        assert layer.value_at(layer.voxel(context.choices.mm)) == find(layer.values)


def test_the_slider_is_the_one_of_the_topography(page: ComparePage, context: AppContext) -> None:
    assert page.controls.slider.disabled  # frequencies do not ask for it
    page.map_key.value = "mean"
    context.wait()
    assert not page.controls.slider.disabled
    page.controls.slider.value = 3
    context.wait()
    assert context.choices.min_patients == 3
    assert page.pair is not None
    assert page.pair.request.min_patients == 3
    assert "at least 3" in page.a.question.value
    page.controls.slider.set_state({"max": 10_000})
    page.controls.slider.set_state({"value": 5000})
    assert context.choices.min_patients == context.choices.most_patients


def test_both_maps_have_one_scale_with_its_unit(page: ComparePage) -> None:
    assert page.a.scale.value == page.b.scale.value
    assert " %</span>" in page.a.scale.value
    assert "percentage points" in page.difference.scale.value
    assert "A higher" in page.difference.scale.value


def test_sides_are_turned_on_all_pages(page: ComparePage, context: AppContext) -> None:
    page.controls.orientation.value = True
    assert context.choices.radiological
    assert [pane["edges"][0] for pane in page.a.view.panes] == ["P", "R", "R"]


def test_with_the_sd_the_difference_is_that_of_the_sds(
    page: ComparePage, context: AppContext, sample_data: Path
) -> None:
    page.map_key.value = "std"
    context.wait()
    assert page.pair is not None
    place = page.pair.difference.extreme(True)
    assert place is not None
    page.to_a.click()
    assert context.choices.mm == place
    cohorts = [load_cohort(sample_data / name) for name in ("cohort_a", "cohort_b")]
    found = cohort_differences(*cohorts, 5).std.value_at(place) / 1000
    assert page.difference.view.value == f"{found:+.1f} mL"
    assert f"<td>{found:+.1f} mL</td></tr></tbody>" in page.place.table.value
    assert "A − B, SD of volume" in page.difference.scale.value
    assert "spread further" in page.difference.question.value
    assert page.place.file.value == FILE_NAMES["std"]


def test_regions_are_compared_and_gone_to(
    page: ComparePage, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "A (40 patients) and B (40 patients) in " in page.regions.caption.value
    found, frame = page.regions.differences, page.regions.table.frame
    assert found is not None
    assert frame is not None
    points = [abs(float(value)) for value in frame["A − B (% points)"][:-1]]
    assert points == sorted(points, reverse=True)
    assert frame["Region"].iloc[-1] == "outside the atlas"
    for row, region in ((0, frame["Region"][0]), (3, frame["Region"][3])):
        at = found.regions.index(region)
        page.regions.table.click(row)
        assert context.choices.mm == tuple(found.places[at])
        assert context.choices.region == found.labels[at]
        assert region in page.place.caption.value
        assert int(frame["A: patients"][row]) == found.n[0][at]
        assert float(frame["A: %"][row]) == found.percent[0][at]
    saved: dict[str, bytes] = {}
    monkeypatch.setattr(context.saver, "save", saved.__setitem__)
    page.regions.download.click()
    assert saved == {"region_differences.csv": csv_bytes(found.table)}


def test_k_decides_where_volumes_of_regions_are_compared(
    page: ComparePage, context: AppContext
) -> None:
    missing = []
    for least in (1, 8):
        context.choices.min_patients = least
        context.wait()
        assert page.regions.table.frame is not None
        missing.append((page.regions.table.frame["A − B (mL)"] == "").sum())
    assert missing[0] < missing[1]
    assert "fewer than 8 patients of A or of B" in page.regions.remark.value


def test_without_an_atlas_it_says_what_to_choose(page: ComparePage, context: AppContext) -> None:
    context.choices.atlas = ""
    context.wait()
    assert "Choose an atlas on the page Topography" in page.regions.caption.value
    assert page.regions.download.disabled
    assert "ld-hidden" in page.regions.table.widget._dom_classes
    assert "ld-held" not in page.regions.widget._dom_classes
    context.choices.atlas = next(iter(context.session.root.atlases))
    assert "ld-held" in page.regions.widget._dom_classes  # from now on, so that nothing jumps


def test_files_and_figures_can_be_saved(
    page: ComparePage, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: dict[str, bytes] = {}
    monkeypatch.setattr(context.saver, "save", saved.__setitem__)
    for name in FILE_NAMES.values():
        page.place.file.value = name
        page.place.download.click()
    assert {name: content[:4] for name, content in saved.items()} == dict.fromkeys(
        FILE_NAMES.values(), b"\x5c\x01\x00\x00"
    )
    page.place.figures[0].click()
    context.wait()
    assert saved["compare_frequency.png"].startswith(b"\x89PNG")
    assert context.banner.message == ""


def test_hostile_names_stay_text(tmp_path: Path, sample_data: Path) -> None:
    for name in ("a", HOSTILE):
        (tmp_path / name).mkdir()
        for file in sorted((sample_data / "cohort_a").glob("*.nii.gz"))[:3]:
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    context = AppContext(Session(DataRoot(tmp_path)))
    context.choices.folder_a, context.choices.folder_b = "a", HOSTILE
    context.wait()
    page = ComparePage(context)
    context.wait()
    assert page.pair is not None
    shown = (page.b.caption.value, page.place.table.value, page.place.remark.value)
    assert not any("<img" in text for text in shown)
    assert "3 masks of B are in A as well" in page.place.remark.value
