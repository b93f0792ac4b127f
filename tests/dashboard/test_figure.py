"""The figure for a paper: drawn when the page stands, saved when it is drawn."""

from __future__ import annotations

import re
import threading
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from visitor import Opened, choose, press

from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.pages.figure import FigurePanel
from lesion_dash.plotting.figures import (
    BOTH,
    OVERLAP_CLASSES,
    Layer,
    class_stops,
    draw_histogram,
    draw_map,
    figure_bytes,
    interactive_html,
    to_levels,
)


def test_figure_is_saved_only_once_it_is_drawn(
    opened: Opened,
    context: AppContext,
    saved: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    panel = opened(FigurePanel)
    assert all(button.disabled for button in panel.buttons)
    assert panel.large.png == b""
    choose(context, mm=context.choices.mm)
    context.loading.painted = True  # the figure waits for the first paint of the brain
    context.wait()
    assert panel.large.png.startswith(STARTS["png"])
    assert "nilearn" in panel.large.alt
    assert not any(button.disabled for button in panel.buttons)
    for button in panel.buttons:
        press(context, button)
    assert list(saved) == [f"n_slices.{kind}" for kind in STARTS]
    assert all(saved[f"n_slices.{kind}"].startswith(start) for kind, start in STARTS.items())
    drawing, go, layer = threading.Event(), threading.Event(), context.session.layer

    def hold(*selection: Any) -> Any:
        drawing.set()
        assert go.wait(30)
        return layer(*selection)

    monkeypatch.setattr(context.session, "layer", hold)
    context.choices.figure = "glass"
    assert drawing.wait(30)
    assert panel.large.busy
    assert all(button.disabled for button in panel.buttons)
    go.set()
    context.wait()
    assert not panel.large.busy
    assert not any(button.disabled for button in panel.buttons)


GRID = Grid(
    (46, 55, 46), np.array([[4.0, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
)
STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture
def layer() -> Layer:
    array = np.zeros(GRID.shape)
    array[10:18, 25:35, 20:28] = 7.5
    return Layer(array, GRID, "Mean total lesion volume", "mL", 10.0, "plasma")


@pytest.fixture
def classes(layer: Layer) -> Layer:
    levels = np.where(layer.array > 0, BOTH.value, 0)
    return Layer(levels, GRID, "Overlap", "", 255.0, classes=OVERLAP_CLASSES)


@pytest.mark.parametrize("kind", ["slices", "mosaic", "glass"])
def test_every_kind_is_drawn_with_its_unit(layer: Layer, kind: str) -> None:
    figure = draw_map(layer, kind, (-40, 0, 20))
    assert "(mL)" in figure.get_suptitle()
    assert figure_bytes(figure, dpi=40).startswith(STARTS["png"])
    empty = Layer(np.zeros(GRID.shape), GRID, "nothing", "mL", 10.0)
    figure_bytes(draw_map(empty, kind), dpi=40)


@pytest.mark.parametrize(
    ("mm", "labels"),
    [
        ((-40, 0, 20), {"x=-40", "y=0", "z=20"}),
        ((-40.6, 0.0, 11.6), {"x=-40.6", "y=0.0", "z=11.6"}),
    ],
)
def test_slices_tell_the_place_that_was_asked_for(
    layer: Layer, mm: tuple[float, float, float], labels: set[str]
) -> None:
    texts = [text.get_text() for axes in draw_map(layer, "slices", mm).axes for text in axes.texts]
    assert labels <= set(texts)


def boxes(figure: Figure) -> list[Bbox]:
    """Where pictures are drawn, in pixels."""
    figure.canvas.draw()
    return [axes.get_window_extent() for axes in figure.axes if axes.images]


@pytest.mark.parametrize("kind", ["slices", "mosaic"])
def test_the_legend_covers_no_picture(classes: Layer, kind: str) -> None:
    figure = draw_map(classes, kind, (-40, 0, 20))
    (shown,) = figure.legends
    assert [text.get_text() for text in shown.get_texts()] == ["A only", "B only", "A and B"]
    legend = shown.get_window_extent()
    drawn = boxes(figure)
    assert drawn
    assert not any(box.overlaps(legend) for box in drawn)


@pytest.mark.parametrize("kind", ["slices", "mosaic", "glass"])
@pytest.mark.parametrize("radiological", [False, True])
def test_front_is_on_the_right_and_marked(layer: Layer, kind: str, radiological: bool) -> None:
    figure = draw_map(layer, kind, (-40, 0, 20), radiological)
    marked = [axes for axes in figure.axes if "A" in [text.get_text() for text in axes.texts]]
    assert len(marked) == (7 if kind == "mosaic" else 1)
    for axes in marked:
        back, front = axes.get_xlim()
        places = {text.get_text(): text.get_position()[0] for text in axes.texts}
        assert back < front
        assert places["P"] < places["A"]


@pytest.mark.parametrize("file_format", list(STARTS))
def test_same_figure_gives_same_file(layer: Layer, file_format: str) -> None:
    first, second = (figure_bytes(draw_map(layer, "slices"), file_format, dpi=40) for _ in range(2))
    assert first.startswith(STARTS[file_format])
    if file_format != "svg":  # matplotlib numbers its clip paths at random
        assert first == second
    with pytest.raises(ValueError, match="png, svg, pdf"):
        figure_bytes(draw_histogram([1.0]), "exe")


@pytest.mark.parametrize("volumes", [[], [0.0], [3.0], list(range(100))])
def test_histogram_counts_every_patient(volumes: list[float]) -> None:
    axes = draw_histogram(volumes, "cohort").axes[0]
    assert sum(patch.get_height() for patch in axes.patches) == len(volumes)
    assert "mL" in axes.get_xlabel()


def test_interactive_page_needs_nothing_from_elsewhere(layer: Layer) -> None:
    page = interactive_html(layer, (-40, 0, 20))
    assert not re.search(r"""(src|href)=["']https?://""", page)


def test_values_above_zero_are_never_transparent() -> None:
    values = np.array([0.0, 1e-6, 5.0, 10.0, 99.0, np.nan])
    assert to_levels(values, 10.0).tolist() == [0, 1, 128, 255, 255, 0]


def test_each_class_has_its_own_flat_colour() -> None:
    stops = class_stops(OVERLAP_CLASSES)
    for colour_class in OVERLAP_CLASSES:
        below = [colour for position, colour in stops if position <= colour_class.value][-1]
        above = next(colour for position, colour in stops if position >= colour_class.value)
        assert below == above == colour_class.colour
