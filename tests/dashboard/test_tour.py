"""The tour points to what is there, and each control of the first page is explained."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets as widgets

from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.controls import style_sheet
from lesion_dash.dashboard.help import HELP, help_mark
from lesion_dash.dashboard.tour import STEPS, Tour


def boxes(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    yield widget
    if isinstance(widget, widgets.Box):
        for child in widget.children:
            yield from boxes(child)


def test_five_steps_each_at_a_part_of_the_first_page(app: App) -> None:
    assert len(STEPS) == 5
    page = list(boxes(app.tabs.children[0]))
    parts = {f".{name}": one for one in page for name in one._dom_classes}
    for step in STEPS:
        place = parts[step["place"]]
        labels = [str(one.value) for one in boxes(place) if isinstance(one, widgets.Label)]
        assert any(step.get("label", "") in label for label in labels or [""])


def test_every_control_of_the_first_page_is_explained(app: App) -> None:
    page = boxes(app.tabs.children[0])
    marks = [str(one.value) for one in page if "ld-help-box" in getattr(one, "_dom_classes", ())]
    for name in HELP:
        assert sum(f'aria-label="Help: {name}"' in mark for mark in marks) == 1, name


def test_the_text_of_a_mark_is_read_out() -> None:
    first, second = (str(help_mark("Atlas").value) for _ in range(2))
    identity = first.partition('aria-describedby="')[2].partition('"')[0]
    assert f'role="tooltip" id="{identity}">{HELP["Atlas"][:20]}' in first
    assert identity not in second


def test_the_style_of_the_tour_is_on_the_page(app: App) -> None:
    assert ".ld-tour {" in "".join(
        str(one.value) for one in boxes(style_sheet()) if isinstance(one, widgets.HTML)
    )
    assert any(isinstance(one, Tour) for one in boxes(app.widget))
