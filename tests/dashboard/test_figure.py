"""The figure for a paper: drawn when the page stands, saved when it is drawn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.pages.figure import FigurePanel


def test_figure_waits_for_the_first_paint(
    opened: Callable[[type], Any], context: AppContext
) -> None:
    panel = opened(FigurePanel)
    assert "<img" not in panel.image.value
    context.loading.painted = True
    context.wait()
    assert '<img alt="The map drawn by nilearn"' in panel.image.value


def test_figure_is_saved_only_once_it_is_drawn(app: App, context: AppContext) -> None:
    panel = FigurePanel(context)
    assert all(button.disabled for button in panel.buttons)
    context.loading.painted = True
    context.wait()
    assert not any(button.disabled for button in panel.buttons)
    drawing, go = threading.Event(), threading.Event()

    def hold() -> None:
        drawing.set()
        assert go.wait(30)

    panel._drawer.submit(hold, lambda _: None)
    assert drawing.wait(30)
    context.choices.figure = "glass"
    assert panel.state.value == "Drawing ..."
    assert all(button.disabled for button in panel.buttons)
    go.set()
    context.wait()
    assert panel.state.value == "Save figure as"
    assert not any(button.disabled for button in panel.buttons)


@pytest.mark.parametrize("file_format", ["png", "svg", "pdf"])
def test_figure_is_saved(
    opened: Callable[[type], Any],
    context: AppContext,
    monkeypatch: pytest.MonkeyPatch,
    file_format: str,
) -> None:
    saved: dict[str, bytes] = {}
    monkeypatch.setattr(context.saver, "save", saved.__setitem__)
    opened(FigurePanel)._save(file_format)
    context.wait()
    assert list(saved) == [f"n_slices.{file_format}"]
