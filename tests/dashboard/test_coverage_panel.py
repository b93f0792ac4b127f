"""The coverage curve: a click chooses k, and what is drawn and saved is the library's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from visitor import Opened, choose, send, text

from lesion_dash import cli
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.curve import Curve, CurveView, Frame, coverage_svg
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.pages.coverage import FILE_NAME, CoveragePanel
from lesion_dash.dashboard.session import Session
from lesion_dash.stats.coverage import Coverage, threshold_coverage


@pytest.fixture
def panel(opened: Opened) -> CoveragePanel:
    return opened(CoveragePanel)


@pytest.fixture
def rows(session: Session) -> Coverage:
    return threshold_coverage(session.load("cohort_a"))


@pytest.mark.parametrize("highest", [1, 2, 14, 300])
def test_a_click_on_a_number_chooses_it(highest: int) -> None:
    frame = Frame(highest, 40.0)
    assert [frame.least(frame.x(k) / 640) for k in range(1, highest + 1)] == list(
        range(1, highest + 1)
    )
    assert (frame.least(0.0), frame.least(1.0)) == (1, highest)


def test_points_are_the_shares_of_the_library(rows: Coverage) -> None:
    drawn = coverage_svg([Curve("A", rows)], 5)
    points = re.search(r'points="([^"]+)"', drawn)[1]
    heights = [float(pair.split(",")[1]) for pair in points.split()]
    assert len(heights) == rows.max_overlap
    zero, highest = heights[-1], heights[0]
    last, first = rows.at(rows.max_overlap).percent_of_brain, rows.at(1).percent_of_brain
    for row, height in zip(rows.rows, heights, strict=True):
        percent = (height - zero) / (highest - zero) * (first - last) + last
        assert percent == pytest.approx(row.percent_of_brain, abs=0.05)
    for mark in rows.marks:
        assert (mark.label in drawn) == (mark.min_patients <= rows.max_overlap)


def test_words_keep_apart_where_the_curves_do_not(rows: Coverage) -> None:
    for k in (1, 5, rows.max_overlap):
        drawn = coverage_svg([Curve("A", rows), Curve("B", rows)], k)
        places = re.findall(r'class="ld-curve-side" x="[^"]+" y="([^"]+)"', drawn)
        first, second = sorted(map(float, places))
        assert second - first >= 12


def test_the_slider_the_curve_and_the_words_agree(
    context: AppContext, panel: CoveragePanel, rows: Coverage
) -> None:
    send(panel.view, {"x": Frame(panel.slider.max, 40.0).x(9) / 640})
    context.wait()
    assert context.choices.min_patients == panel.slider.value == 9
    assert "k = 9" in panel.view.picture
    assert rows.at(9).sentence in panel.summary.value
    choose(context, folder_b="cohort_b")
    other = threshold_coverage(context.session.load("cohort_b"))
    assert other.at(9).sentence in text(panel.summary)
    assert panel.view.picture.count("ld-curve-line") == 2
    for content in ({}, {"x": "nan"}, {"x": -1}, {"x": 1e9}, None, {"x": [1]}):
        send(panel.view, content)
    assert context.choices.min_patients == 9
    choose(context, folder_a="")
    assert "Choose folder A on the page Maps" in panel.why.value
    assert panel.download.disabled
    assert panel.view.picture == ""


def test_a_click_where_nothing_is_shown_does_nothing() -> None:
    empty = CurveView(lambda _: pytest.fail("nothing is shown"))
    send(empty, {"x": 0.5})


def test_the_table_is_that_of_the_command_line(
    panel: CoveragePanel, saved: dict[str, bytes], sample_data: Path, tmp_path: Path
) -> None:
    panel.download.click()
    out = tmp_path / "out" / "table.csv"
    assert cli.main(["coverage", str(sample_data / "cohort_a"), "-o", str(out)]) == 0
    assert saved[FILE_NAME] == out.read_bytes()


def test_the_line_follows_the_slider_and_the_folder(context: AppContext) -> None:
    panel = ChoicesPanel(context)
    assert panel.coverage.value == ""
    assert panel.coverage.layout.min_height == "72px"  # so that nothing moves
    for name in ("cohort_a", "cohort_b"):
        choose(context, folder_a=name)
        rows = threshold_coverage(context.session.load(name))
        for k in (5, 1, 12):
            choose(context, min_patients=k)
            assert text(panel.coverage) == rows.at(context.choices.min_patients).sentence
