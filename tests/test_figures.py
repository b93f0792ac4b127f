"""Figures show the map with its unit, in every format."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from lesion_dash import Grid
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

GRID = Grid((46, 55, 46), [[4, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
CUBE = np.zeros(GRID.shape)
CUBE[10:18, 25:35, 20:28] = 7.5
MEAN = Layer(CUBE, GRID, "Mean total lesion volume", "mL", 10.0, "plasma")
CLASSES = Layer(
    np.where(CUBE > 0, BOTH.value, 0), GRID, "Overlap", "", 255.0, classes=OVERLAP_CLASSES
)
STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
draw = cache(draw_map)  # nilearn takes half a second for a figure


@pytest.mark.parametrize("kind", ["slices", "mosaic", "glass"])
@pytest.mark.parametrize("radiological", [False, True])
def test_every_kind_names_its_unit_and_marks_the_front_on_the_right(kind, radiological):
    figure = draw(MEAN, kind, (-40, 0, 20), radiological)
    assert "(mL)" in figure.get_suptitle()
    marked = [axes for axes in figure.axes if "A" in [text.get_text() for text in axes.texts]]
    assert len(marked) == (7 if kind == "mosaic" else 1)
    for axes in marked:
        back, front = axes.get_xlim()
        places = {text.get_text(): text.get_position()[0] for text in axes.texts}
        assert back < front
        assert places["P"] < places["A"]


@pytest.mark.parametrize("kind", ["slices", "mosaic", "glass"])
def test_classes_have_a_legend_that_covers_no_picture(kind):
    figure = draw(CLASSES, kind, (-40, 0, 20))
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["A only", "B only", "A and B"]
    figure.canvas.draw()
    boxes = [axes.get_window_extent() for axes in figure.axes if axes.images]
    assert boxes
    assert not any(box.overlaps(legend.get_window_extent()) for box in boxes)


@pytest.mark.parametrize(
    ("mm", "labels"),
    [
        ((-40, 0, 20), {"x=-40", "y=0", "z=20"}),
        ((-40.6, 0.0, 11.6), {"x=-40.6", "y=0.0", "z=11.6"}),
    ],
)
def test_slices_name_the_place_that_was_asked_for(mm, labels):
    texts = {text.get_text() for axes in draw(MEAN, "slices", mm).axes for text in axes.texts}
    assert labels <= texts


@pytest.mark.parametrize("file_format", STARTS)
def test_same_figure_gives_same_file(file_format):
    drawn = draw_map(MEAN, "slices", (-40, 0, 20)), draw(MEAN, "slices", (-40, 0, 20))
    first, second = (figure_bytes(figure, file_format, dpi=40) for figure in drawn)
    assert first.startswith(STARTS[file_format])
    if file_format != "svg":  # matplotlib numbers its clip paths at random
        assert first == second


@pytest.mark.parametrize("kind", ["slices", "mosaic", "glass"])
def test_an_empty_map_is_drawn(kind):
    empty = Layer(np.zeros(GRID.shape), GRID, "nothing", "mL", 10.0)
    assert figure_bytes(draw_map(empty, kind), dpi=40).startswith(STARTS["png"])


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="png, svg, pdf"):
        figure_bytes(draw_histogram([1.0]), "exe")


@pytest.mark.parametrize("volumes", [[], [0.0], [3.0], list(range(100))])
def test_a_histogram_counts_every_patient(volumes):
    axes = draw_histogram(volumes, "cohort").axes[0]
    assert sum(patch.get_height() for patch in axes.patches) == len(volumes)
    assert "mL" in axes.get_xlabel()


def test_the_interactive_page_needs_nothing_from_elsewhere():
    # Takes seconds: nilearn resamples the template at 1 mm and writes it into the page.
    page = interactive_html(MEAN, (-40, 0, 20))
    assert not re.search(r"""(src|href)=["']https?://""", page)


def test_values_above_zero_are_never_transparent():
    values = np.array([0.0, 1e-6, 5.0, 10.0, 99.0, np.nan])
    assert to_levels(values, 10.0).tolist() == [0, 1, 128, 255, 255, 0]


def test_each_class_has_its_own_flat_colour():
    stops = class_stops(OVERLAP_CLASSES)
    for part in OVERLAP_CLASSES:
        below = [colour for position, colour in stops if position <= part.value][-1]
        above = next(colour for position, colour in stops if position >= part.value)
        assert below == above == part.colour
