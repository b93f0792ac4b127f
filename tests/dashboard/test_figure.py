"""The figure for a paper: drawn when the page stands, saved when it is drawn."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from visitor import Opened, arrive, choose, open_app, press, send

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
    mosaic_cuts,
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


def test_a_mosaic_is_evenly_spaced_and_holds_the_cerebellum(layer: Layer) -> None:
    for axis in "xyz":
        steps = np.diff(mosaic_cuts(axis, 7))
        assert np.ptp(steps) <= 1  # whole mm
    assert mosaic_cuts("z", 7)[0] < -40
    figure = draw_map(layer, "mosaic", plane="axial", slices=5)
    labels = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {f"z={cut:.0f}" for cut in mosaic_cuts("z", 5)} <= labels


@pytest.mark.parametrize("kind", ["slices", "mosaic", "glass"])
def test_a_dark_figure_of_a_size_is_dark_and_of_that_size(layer: Layer, kind: str) -> None:
    figure = draw_map(layer, kind, (-40, 0, 20), plane="coronal", inches=(5, 3), dark=True)
    image = matplotlib.image.imread(io.BytesIO(figure_bytes(figure, dpi=40)))
    assert image.shape[:2] == (120, 200)
    assert np.all(image[0, 0, :3] == 0)


def test_the_figure_is_drawn_where_it_is_seen_and_at_that_size(
    opened: Opened, context: AppContext
) -> None:
    panel = opened(FigurePanel)
    context.loading.painted = True
    for view, size in ((panel.small, [200, 100]), (panel.large, [600, 300])):
        send(view, {"size": size, "is_sharp": False})
        context.wait()
        assert matplotlib.image.imread(io.BytesIO(view.png)).shape[:2] == (size[1], size[0])
        send(panel.small, {"size": [0, 0], "is_sharp": False})  # the other takes its place
    assert panel.small.png == b""  # that of the large one is seen
    for bad in ({"size": [1e9, 1]}, {"size": "large"}, {"size": [1]}, {}, None, {"enlarge": 1}):
        send(panel.large, bad)
    context.wait()
    assert panel.large.size == (600, 300)
    send(panel.small, {"enlarge": True})
    assert context.choices.view == context.choices.figure


def test_how_a_figure_is_drawn_is_part_of_a_link(sample_data: Path) -> None:
    app = open_app(sample_data)
    made = {"view": "mosaic", "plane": "axial", "slices": 12, "figure_shade": "dark"}
    choose(app.context, **made, figure_size="85")
    other = open_app(sample_data)
    arrive(other, app.url_state.bar.text)
    assert {name: getattr(other.context.choices, name) for name in made} == made
    assert other.context.choices.figure_size == "85"
    arrive(other, f"{app.url_state.bar.text}&slices=13&plane=oblique")
    assert "2 of its choices" in other.context.banner.message
