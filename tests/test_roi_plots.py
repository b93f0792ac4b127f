"""Pictures of the steps: what stands on them, and where."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from phantoms import AFFINE

from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.plotting.figures import figure_bytes
from lesion_dash.plotting.rois import cut_point, draw_beyond, draw_mask, draw_rois, draw_values
from lesion_dash.rois.steps import Threshold
from lesion_dash.rois.values import RoiValues, find_rois

SHAPE = (12, 14, 10)
AFFINES = {
    "upright": AFFINE,
    "mirrored": AFFINE @ np.diag([-1.0, 1, 1, 1]),
    "oblique": AFFINE @ np.array([[0.8, -0.6, 0, 3], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
}
BLUE, RED = "#4477AA", "#EE6677"


@pytest.fixture(params=AFFINES)
def grid(request):
    return Grid(SHAPE, AFFINES[request.param])


@pytest.fixture
def found(grid):
    """Two blobs of one height each, both cut by the slices through the first."""
    values = np.zeros(SHAPE)
    values[2:5, 4:8, 3:7], values[8:10, 5:7, 4:6] = 4, 6
    values[0, 0, 0] = np.nan
    values.setflags(write=False)
    return Map("t of a - b", values, grid, "a unit", "")


@pytest.fixture
def background(grid):
    return Map("mean", np.random.default_rng(0).random(SHAPE), grid, "", "")


def words(figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(Text)}


def pixels_of(figure, colour) -> int:
    """Pixels of a colour in the slices; its bar and the legend stand on the right of them."""
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255
    drawn = drawn[:, : int(0.86 * drawn.shape[1])]
    return int((np.abs(drawn - to_rgb(colour)).max(axis=-1) < 0.02).sum())


def test_regions_are_drawn_in_their_colours_with_sides_and_names(found, background):
    rois = find_rois(Threshold(3).apply(found), found)
    figure = draw_rois(rois, background=background)
    assert {"ROI 1", "ROI 2", "L", "R"} <= words(figure)
    assert "2 regions of interest: 56 voxels, 448 mm³" in words(figure)
    assert pixels_of(figure, BLUE) > 200
    # A region that was not picked is not drawn, the other one is.
    alone = draw_rois(rois.pick([1]), background=background)
    assert "ROI 2" not in words(alone)
    assert pixels_of(alone, RED) == 0
    assert pixels_of(alone, BLUE) == pixels_of(figure, BLUE)


def test_slices_cut_through_the_largest_peak_or_where_they_are_told(found, background):
    rois = find_rois(Threshold(3).apply(found), found)
    np.testing.assert_allclose(cut_point(rois), rois.parts[0].peak_mm)
    for mm in (None, (3.0, -2.0, 1.0)):
        figure = draw_rois(rois, mm, background)
        shown = {word for word in words(figure) if word[:2] in ("x=", "y=", "z=")}
        place = cut_point(rois) if mm is None else mm
        assert shown == {f"{axis}={int(value)}" for axis, value in zip("xyz", place, strict=True)}


def test_a_point_beyond_the_image_is_no_error(found, background):
    rois = find_rois(Threshold(3).apply(found), found)
    figures = [
        draw_rois(rois, (300, 0, 0), background),
        draw_mask(rois.mask, "step", (0, -300, 0), background),
        draw_beyond(found, Threshold(3), (0, 0, 300), background),
    ]
    for figure in figures:
        assert figure_bytes(figure, dpi=30).startswith(b"\x89PNG")


def test_a_map_has_a_colour_bar_with_its_unit(found, background):
    figure = draw_beyond(found, Threshold(3), background=background)
    assert "t of a - b, a unit" in words(figure)
    assert "threshold: > 3: 56 voxels, 448 mm³" in words(figure)


def test_only_what_is_beyond_the_threshold_is_drawn(found, background):
    point = found.grid.to_mm([3, 5, 4])
    colour = "#fde725"  # the last one of viridis: the value 6
    both = pixels_of(draw_beyond(found, Threshold(3), point, background), colour)
    high = draw_beyond(found, Threshold(5), point, background)
    low = Map("t", np.where(found.array == 6, 0, found.array), found.grid, "", "")
    assert both > pixels_of(draw_beyond(low, Threshold(5), point, background), colour)
    assert "threshold: > 5: 8 voxels, 64 mm³" in words(high)
    assert pixels_of(high, "#440154") == 0  # the first one of viridis: what lies below


def test_a_mask_is_drawn_with_its_outline(found, background):
    mask = Threshold(3).apply(found)
    figure = draw_mask(mask, "dilate by 1 voxel", background=background)
    assert pixels_of(figure, "#D81B60") > 50
    assert "dilate by 1 voxel: 56 voxels, 448 mm³" in words(figure)


@pytest.mark.parametrize("values", ["nothing", "infinite", "negative", "one value"])
def test_any_map_can_be_drawn(grid, background, values):
    array = np.random.default_rng(1).normal(size=SHAPE)
    array = {
        "nothing": np.zeros(SHAPE),
        "infinite": np.where(array > 1, np.inf, array),
        "negative": -np.abs(array),
        "one value": np.where(array > 1, 2.0, np.nan),
    }[values]
    found = Map("t", array, grid, "", "")
    threshold = Threshold(0.5, "both")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in (
            draw_beyond(found, threshold, background=background),
            draw_mask(threshold.apply(found), "step", background=background),
            draw_rois(find_rois(threshold.apply(found), found), background=background),
        ):
            assert figure_bytes(figure, dpi=40).startswith(b"\x89PNG")


def test_pictures_are_the_same_each_time_and_pyplot_keeps_none(found):
    rois = find_rois(Threshold(3).apply(found), found)
    one, other = (figure_bytes(draw_rois(rois), dpi=50) for _ in range(2))
    assert one == other
    assert plt.get_fignums() == []


def values_of(groups, regions=2):
    generator = np.random.default_rng(0)
    names = tuple(f"ROI {number + 1}" for number in range(regions))
    samples = tuple(map(str, range(len(groups))))
    numbers = generator.normal(size=(len(groups), regions))
    return RoiValues(samples, groups, names, numbers, "mean signal")


def test_boxes_are_the_quartiles_and_every_sample_is_a_point():
    values = values_of(("face",) * 9 + ("",) * 4 + ("house",) * 8)
    values.values[0, 0] = np.nan
    figure = draw_values(values)
    for column, axes in enumerate(figure.axes):
        points = [line for line in axes.lines if line.get_marker() == "."]
        assert [len(line.get_ydata()) for line in points] == [9 - (column == 0), 8]
        for place, (group, line) in enumerate(zip(("face", "house"), points, strict=True), 1):
            own = values.of_group(group, column)
            np.testing.assert_array_equal(np.sort(line.get_ydata()), np.sort(own))
            assert np.abs(line.get_xdata() - place).max() < 0.3
            levels = {
                round(y, 9) for one in axes.lines for y in one.get_ydata() if one not in points
            }
            expected = np.percentile(own, [25, 50, 75])
            assert {round(level, 9) for level in expected} <= levels
    assert {"ROI 1", "ROI 2", "mean signal", "face\nn = 8", "house\nn = 8"} <= words(figure)


@pytest.mark.parametrize("regions", [0, 1, 5, 30])
def test_any_number_of_regions_has_its_boxes(regions):
    figure = draw_values(values_of(tuple(itertools.islice(itertools.cycle("ab"), 12)), regions))
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == min(regions, 12)
    assert figure_bytes(figure, dpi=30).startswith(b"\x89PNG")
    assert ("18 more regions" in figure.get_suptitle()) == (regions == 30)


def test_names_are_drawn_as_they_are_whatever_signs_they_hold(found, background):
    name = r"$\sum_$ & <b>"
    mask = Threshold(0.5).apply(found)
    named = replace(found, name=name)
    for figure in (
        draw_values(values_of((name,) * 3 + ("house",) * 3)),
        draw_mask(mask, name, background=background),
        draw_beyond(named, Threshold(0.5), background=background),
    ):
        assert any(name in text for text in words(figure))
        assert figure_bytes(figure, dpi=30).startswith(b"\x89PNG")
