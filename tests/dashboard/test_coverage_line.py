"""The line under the slider says what the slider leaves of the brain."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest

from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.stats.coverage import threshold_coverage

LONG = 90_000  # ms; a first start compiles everything, on a machine that may be busy
LONGEST = "k = 144: 1,234,567 voxels, < 0.1 % of the brain, < 0.1 % of all lesioned voxels"


def test_the_line_follows_the_slider_and_the_folder(app: App) -> None:
    context = app.context
    panel = ChoicesPanel(context)
    for least in (5, 1, 12):
        panel.min_patients.value = least
        found = threshold_coverage(context.session.load("cohort_a"))
        assert panel.coverage.value == found.at(least).sentence
    context.choices.folder_a = "cohort_b"
    context.wait()
    found = threshold_coverage(context.session.load("cohort_b"))
    shown = html.unescape(panel.coverage.value)
    assert shown == found.at(context.choices.min_patients).sentence


def test_without_a_folder_there_is_room_for_the_line_and_no_word(context: AppContext) -> None:
    panel = ChoicesPanel(context)
    assert panel.coverage.value == ""
    assert panel.coverage.layout.min_height == "54px"


@pytest.mark.browser
def test_nothing_below_the_line_moves_with_the_slider(
    serve: Callable[..., str], open_page: Callable[..., Any], sample_data: Any
) -> None:
    page = open_page(serve(sample_data))
    line = page.locator(".ld-choices .ld-note", has_text="of the brain")
    line.wait_for(timeout=LONG)
    below = page.locator(".ld-choices .widget-radio-box").first
    handle = page.locator(".ld-choices .noUi-handle").first
    handle.focus()
    tops, texts = set(), set()
    for key in ("Home", "ArrowRight", "ArrowRight", "Optimum"):
        before = line.inner_text()
        handle.press(key)
        page.wait_for_function(
            "([line, before]) => line.innerText !== before", arg=[line.element_handle(), before]
        )
        texts.add(line.inner_text())
        tops.add(below.bounding_box()["y"])
    line.locator(".widget-html-content").evaluate("(e, text) => e.innerText = text", LONGEST)
    tops.add(below.bounding_box()["y"])
    assert len(texts) == 4
    assert len(tops) == 1
