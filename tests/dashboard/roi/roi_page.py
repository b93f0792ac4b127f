"""What the tests of the page ROI lab do with it."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np

from lesion_dash.dashboard.pages.roi import RoiPage
from lesion_dash.rois.recipe import RoiRecipe, RoiRun
from lesion_dash.rois.sources import SeriesSource
from lesion_dash.rois.steps import Threshold

HOSTILE = "<img src=x onerror=alert(1)>"
RUNS = tuple(f"sub-01_task-pictures_run-{number}_bold.nii.gz" for number in (1, 2))


def run(page: RoiPage) -> RoiRun:
    page.test.run.click()
    page._context.wait()
    assert page._context.banner.message == ""
    assert page.answer is not None
    return page.answer.run


def choose(page: RoiPage, panel: Any, **values: object) -> None:
    for name, value in values.items():
        getattr(panel, name).value = value
    page._context.wait()


def series_of(root: Path, **more: Any) -> SeriesSource:
    place = root / "series"
    tables = tuple(str(place / name.replace("_bold.nii.gz", "_events.tsv")) for name in RUNS)
    return SeriesSource(tuple(str(place / n) for n in RUNS), tables, "face", "house", **more)


def recipe_of(root: Path, source: Any, **more: Any) -> RoiRecipe:
    atlas = root / "atlas" / "synthetic_atlas"
    names = {"atlas": f"{atlas}.nii.gz", "labels": f"{atlas}.csv"}
    return RoiRecipe(**({"source": source, "threshold": Threshold(3.0)} | names | more))


def text(widget: widgets.HTML) -> str:
    return html.unescape(str(widget.value))


def hidden(widget: widgets.Widget) -> bool:
    return "ld-hidden" in widget._dom_classes


def assert_same(found: RoiRun, expected: RoiRun) -> None:
    assert found.recipe == expected.recipe
    assert found.rois.table.equals(expected.rois.table)
    for own, other in zip(found.masks, expected.masks, strict=True):
        assert np.array_equal(own.indices, other.indices)


def every_widget(widget: Any) -> list[Any]:
    return [
        widget,
        *(one for child in getattr(widget, "children", ()) for one in every_widget(child)),
    ]
