"""The coverage curve: a click chooses k, and what is drawn and saved is the library's."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from visitor import choose, send

from lesion_dash import cli
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.curve import Curve, CurveView, Frame, coverage_svg
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.pages.coverage import FILE_NAME, CoveragePanel
from lesion_dash.stats.coverage import threshold_coverage


@pytest.fixture
def panel(context: AppContext) -> CoveragePanel:
    choose(context, folder_a="cohort_a")
    panel = CoveragePanel(context)
    context.wait()
    return panel


@pytest.mark.parametrize("most", [1, 2, 14, 300])
def test_a_click_on_a_number_chooses_it(most: int) -> None:
    frame = Frame(most, 40.0)
    assert [frame.least(frame.x(k) / 640) for k in range(1, most + 1)] == list(range(1, most + 1))
    assert (frame.least(0.0), frame.least(1.0)) == (1, most)


def test_points_are_the_shares_of_the_library(context: AppContext) -> None:
    found = threshold_coverage(context.session.load("cohort_a"))
    drawn = coverage_svg([Curve("A", found)], 5)
    points = re.search(r'points="([^"]+)"', drawn)
    heights = [float(pair.split(",")[1]) for pair in points[1].split()]
    assert len(heights) == found.most
    zero, highest = heights[-1], heights[0]
    last, first = found.at(found.most).percent_of_brain, found.at(1).percent_of_brain
    for row, height in zip(found.rows, heights, strict=True):
        share = (height - zero) / (highest - zero) * (first - last) + last
        assert share == pytest.approx(row.percent_of_brain, abs=0.05)


def test_words_keep_apart_where_the_curves_do_not(context: AppContext) -> None:
    found = threshold_coverage(context.session.load("cohort_a"))
    for k in (1, 5, found.most):
        drawn = coverage_svg([Curve("A", found), Curve("B", found)], k)
        places = re.findall(r'class="ld-curve-side" x="[^"]+" y="([^"]+)"', drawn)
        first, second = sorted(map(float, places))
        assert second - first >= 12


def test_every_rule_that_a_voxel_reaches_is_marked(context: AppContext) -> None:
    found = threshold_coverage(context.session.load("cohort_a"))
    drawn = coverage_svg([Curve("A", found)], 5)
    for mark in found.marks:
        assert (mark.label in drawn) == (mark.min_patients <= found.most)


def test_the_slider_the_curve_and_the_words_agree(
    context: AppContext, panel: CoveragePanel
) -> None:
    send(panel.view, {"x": Frame(panel.slider.max, 40.0).x(9) / 640})
    context.wait()
    assert context.choices.min_patients == panel.slider.value == 9
    assert "k = 9" in panel.view.picture
    found = threshold_coverage(context.session.load("cohort_a"))
    assert found.at(9).sentence in panel.summary.value
    choose(context, folder_b="cohort_b")
    other = threshold_coverage(context.session.load("cohort_b"))
    assert other.at(9).sentence in html.unescape(panel.summary.value)
    assert panel.view.picture.count("ld-curve-line") == 2


def test_what_the_browser_sends_is_checked(context: AppContext, panel: CoveragePanel) -> None:
    before = context.choices.min_patients
    for content in ({}, {"x": "nan"}, {"x": -1}, {"x": 1e9}, None, {"x": [1]}):
        send(panel.view, content)
    assert context.choices.min_patients == before
    empty = CurveView(lambda _: pytest.fail("nothing is shown"))
    send(empty, {"x": 0.5})


def test_without_a_folder_it_says_what_to_do(context: AppContext) -> None:
    panel = CoveragePanel(context)
    assert "Choose folder A on the page Topography" in panel.why.value
    assert panel.download.disabled
    assert panel.view.picture == ""


def test_the_table_is_that_of_the_command_line(
    context: AppContext, panel: CoveragePanel, sample_data: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    saved: dict[str, bytes] = {}
    monkeypatch.setattr(context.saver, "save", saved.__setitem__)
    panel.download.click()
    out = tmp_path / "out" / "table.csv"
    assert cli.main(["coverage", str(sample_data / "cohort_a"), "-o", str(out)]) == 0
    assert saved[FILE_NAME] == out.read_bytes()


def test_the_line_follows_the_slider_and_the_folder(app: App) -> None:
    context = app.context
    panel = ChoicesPanel(context)
    for least in (5, 1, 12):
        panel.min_patients.value = least
        found = threshold_coverage(context.session.load("cohort_a"))
        assert panel.coverage.value == found.at(least).sentence
    choose(context, folder_a="cohort_b")
    found = threshold_coverage(context.session.load("cohort_b"))
    shown = html.unescape(panel.coverage.value)
    assert shown == found.at(context.choices.min_patients).sentence


def test_without_a_folder_there_is_room_for_the_line_and_no_word(context: AppContext) -> None:
    panel = ChoicesPanel(context)
    assert panel.coverage.value == ""
    assert panel.coverage.layout.min_height == "54px"
