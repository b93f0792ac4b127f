"""The typed place of the crosshair moves the viewer, follows it, and believes no browser."""

from __future__ import annotations

import math

import pytest

from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.canvas import BrainCanvas
from lesion_dash.dashboard.place_field import PlaceField


@pytest.fixture
def moves() -> list[tuple[float, float, float]]:
    return []


@pytest.fixture
def canvas(context: AppContext, moves: list[tuple[float, float, float]]) -> BrainCanvas:
    return BrainCanvas(context, moves.append, lambda: None, lambda: None)


def test_a_typed_place_moves_the_crosshair_once(
    canvas: BrainCanvas, moves: list[tuple[float, float, float]]
) -> None:
    canvas.place.set_state({"mm": [10, -20, 30]})
    assert canvas.viewer.mm == (10, -20, 30)
    assert moves == [(10, -20, 30)]


def test_the_field_follows_a_click_in_the_brain(
    canvas: BrainCanvas, moves: list[tuple[float, float, float]]
) -> None:
    canvas.viewer._located({"mm": [1.0, 2.0, 3.0]})
    assert canvas.place.mm == [1, 2, 3]
    assert moves == [(1, 2, 3)]


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e6, -201.0])
def test_what_is_no_place_in_a_head_goes_back(
    canvas: BrainCanvas, moves: list[tuple[float, float, float]], value: float
) -> None:
    canvas.place.set_state({"mm": [5, 5, 5]})
    canvas.place.set_state({"mm": [value, 0, 0]})
    assert canvas.place.mm == [5, 5, 5]
    assert moves == [(5, 5, 5)]


def test_filling_tells_nobody(moves: list[tuple[float, float, float]]) -> None:
    field = PlaceField(moves.append)
    field.fill((4, 5, 6))
    assert (field.mm, moves) == ([4, 5, 6], [])


def test_the_arrow_keys_know_which_side_is_shown_where(
    context: AppContext, canvas: BrainCanvas
) -> None:
    assert not canvas.place.radiological
    context.choices.radiological = True
    assert canvas.place.radiological
