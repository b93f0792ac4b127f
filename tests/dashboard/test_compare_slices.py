"""Slices of a map: the right pixels, clicks that come back, colours that keep their meaning."""

from __future__ import annotations

import numpy as np
import pytest

from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.colour_scales import STEPS, DifferenceColours, MapColours, PColours
from lesion_dash.dashboard.map_slices import MapLayer, MapSlices, brain_greys
from lesion_dash.stats.coverage import brain_on

GRID = Grid((46, 55, 46), [[4, 0, 0, -90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
FLIPPED = Grid((46, 55, 46), [[-4, 0, 0, 90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]])
SHADE = MapColours("Mean", "mL", 100.0, "plasma")


def random_layer(grid: Grid) -> MapLayer:
    generator = np.random.default_rng(3)
    indices = np.sort(generator.choice(grid.size, 4000, replace=False)).astype(np.int32)
    return MapLayer(grid, indices, generator.uniform(0, 120, indices.size), SHADE)


@pytest.mark.parametrize("grid", [GRID, FLIPPED], ids=["right", "left"])
@pytest.mark.parametrize("radiological", [False, True])
def test_the_crosshair_lies_on_the_pixel_of_its_voxel(grid: Grid, radiological: bool) -> None:
    layer = random_layer(grid)
    clicks: list[tuple[int, float, float]] = []
    view = MapSlices("map", lambda *click: clicks.append(click))
    for index in layer.indices[::400]:
        voxel = tuple(int(one) for one in np.unravel_index(index, grid.shape, order="F"))
        view.show(layer, voxel, radiological, "")
        start = 0
        for number, pane in enumerate(view.panes):
            width, height = pane["pixels"]
            x, y = pane["cross"]
            pixel = start + int(y * height) * width + int(x * width)
            assert view.over[pixel] == layer.levels[voxel] > 0
            assert view.under[pixel] == brain_greys(grid)[voxel]
            assert layer.clicked(number, x, y, voxel, radiological) == voxel
            start += width * height
        assert len(view.over) == len(view.under) == start


def test_sides_are_named_after_the_patient() -> None:
    layer = random_layer(GRID)
    left = layer.voxel((-60.0, 0.0, 0.0))
    view = MapSlices("map", lambda *_: None)
    for radiological, letters in ((False, "LR"), (True, "RL")):
        view.show(layer, left, radiological, "")
        sagittal, coronal, axial = view.panes
        assert "".join(coronal["edges"][:2]) == "".join(axial["edges"][:2]) == letters
        assert "".join(sagittal["edges"][:2]) == "PA"
        assert (axial["cross"][0] < 0.5) == (not radiological)
        assert axial["title"] == "z = 0 mm"


def test_a_place_outside_is_shown_at_the_edge() -> None:
    layer = random_layer(GRID)
    assert layer.voxel((500.0, 0.0, -500.0)) == (45, 32, 0)
    nowhere = layer.voxel((float("nan"), float("inf"), 0.0))
    assert all(0 <= one < size for one, size in zip(nowhere, GRID.shape, strict=True))


def test_the_largest_and_the_smallest_value_are_found() -> None:
    layer = random_layer(GRID)
    for largest, expected in ((True, layer.values.max()), (False, layer.values.min())):
        place = layer.extreme(largest)
        assert place is not None
        assert layer.value_at(layer.voxel(place)) == expected
    nothing = MapLayer(GRID, np.empty(0, np.int32), np.empty(0), SHADE)
    assert nothing.extreme(True) is None
    assert np.isnan(nothing.value_at((0, 0, 0)))
    assert not nothing.levels.any()


def test_the_brain_is_where_the_thresholds_have_it() -> None:
    seen = np.ravel(brain_greys(GRID), order="F") > 0
    inside = brain_on(GRID)
    assert seen[inside].all()
    assert brain_greys(GRID).max() < 255


def test_nothing_is_sent_while_it_is_not_on_the_screen() -> None:
    view = MapSlices("map", lambda *_: None)
    view.visible = False
    view.show(random_layer(GRID), (20, 20, 20), False, "one")
    view.show(random_layer(GRID), (20, 20, 30), False, "two")
    assert (view.panes, view.value) == ([], "")
    view.visible = True
    assert (len(view.panes), view.value) == (3, "two")
    view.visible = False
    view.clear("nothing")
    view.visible = True
    assert (view.panes, view.empty) == ([], "nothing")


def test_clicks_are_checked_whatever_the_browser_sends() -> None:
    clicks: list[tuple[int, float, float]] = []
    view = MapSlices("map", lambda *click: clicks.append(click))
    view.show(random_layer(GRID), (20, 20, 20), False, "")
    hostile = (
        {}, {"pane": 3, "x": 0.5, "y": 0.5}, {"pane": -1, "x": 0.5, "y": 0.5}, None, [],
        {"pane": 0, "x": "nan", "y": 0.5}, {"pane": 0, "x": 2, "y": 0.5}, {"pane": 0, "x": 1e999},
        {"pane": "one", "x": 0.5, "y": 0.5}, {"pane": 1e400, "x": 0.5, "y": 0.5},
    )  # fmt: skip
    for content in hostile:
        view._handle_custom_msg(content, [])
    assert clicks == []
    view._handle_custom_msg({"pane": 2, "x": 0.25, "y": 0.75}, [])
    assert clicks == [(2, 0.25, 0.75)]


def test_no_difference_is_the_middle_and_both_sides_are_alike() -> None:
    shade = DifferenceColours("A − B", "mL", 50.0, ("B higher", "A higher"), exceeded=True)
    values = np.array([-80.0, -50.0, -10.0, 0.0, 10.0, 50.0, 80.0])
    levels = shade.levels(values).astype(int)
    np.testing.assert_array_equal(levels - 128, -(levels[::-1] - 128))
    assert (levels[0], levels[3], levels[-1]) == (1, 128, 255)
    assert list(shade.ticks) == ["≤ −50", "0", "≥ +50 mL"]
    assert shade.bar.index("B higher") < shade.bar.index("A higher")


@pytest.mark.parametrize(
    "shade", [SHADE, DifferenceColours("d", "mL", 1.0, ("b", "a")), PColours("p")]
)
def test_only_level_0_is_transparent_where_anything_is_drawn(
    shade: MapColours | DifferenceColours | PColours,
) -> None:
    table = np.frombuffer(shade.palette, np.uint8).reshape(256, 4)
    drawn = np.unique(shade.levels(np.linspace(0, 1, 101)))
    assert drawn.min() > 0
    assert table[0, 3] == 0
    assert (table[drawn, 3] > 0).all()


def test_dark_and_light_tell_values_apart_without_colour() -> None:
    """Lightness rises with a value from 0, and falls with a difference on either side."""
    weights = (0.2126, 0.7152, 0.0722)
    for shade, middle in ((SHADE, 1), (DifferenceColours("d", "mL", 1.0, ("b", "a")), 128)):
        table = np.frombuffer(shade.palette, np.uint8).reshape(256, 4)[:, :3]
        light = table @ np.array(weights)
        up = np.diff(light[middle:])
        # Colours are whole numbers, so neighbours may differ by a rounding.
        assert ((up if middle == 1 else -up) > -1).all()
        assert (np.diff(light[1 : middle + 1]) > -1).all()
        assert abs(light[-1] - light[middle]) > 100


def test_steps_of_p_hold_their_limits() -> None:
    values = np.array([0.0005, 0.001, 0.0011, 0.01, 0.011, 0.05, 0.0501, 1.0])
    expected = [255, 255, 192, 192, 128, 128, 64, 64]
    assert PColours("p").levels(values).tolist() == expected
    assert all(step.label in PColours("p").bar for step in STEPS if ">" not in step.label)


def test_titles_are_escaped() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    for shade in (MapColours(hostile, hostile, 1.0, "plasma"), PColours(hostile)):
        assert "<img" not in shade.bar
