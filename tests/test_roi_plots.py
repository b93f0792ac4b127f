"""Pictures of the steps: what stands on them, and where."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from phantoms import AFFINE

import lesion_dash as ld
from lesion_dash.core.grid import Grid
from lesion_dash.plotting.figures import figure_bytes
from lesion_dash.plotting.rois import cut_point, draw_beyond, draw_mask, draw_rois, draw_values

SHAPE = (12, 14, 10)
AFFINES = {
    "upright": AFFINE,
    "mirrored": AFFINE @ np.diag([-1.0, 1, 1, 1]),
    "oblique": AFFINE @ np.array([[0.8, -0.6, 0, 3], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
}
BLUE, RED, OUTLINE = "#4477AA", "#EE6677", "#D81B60"
LOWEST, HIGHEST = "#440154", "#fde725"  # the ends of viridis
ODD_NAME = r"$\sum_$ & <b>"


def blobs(grid=None) -> ld.Map:
    """Two blobs of one height each, both cut by the slices through the first."""
    values = np.zeros(SHAPE)
    values[2:5, 4:8, 3:7], values[8:10, 5:7, 4:6] = 4, 6
    values[0, 0, 0] = np.nan
    values.setflags(write=False)
    return ld.Map("t of a - b", values, grid or Grid(SHAPE, AFFINE), "a unit", "")


BACKGROUND = ld.Map("mean", np.random.default_rng(0).random(SHAPE), Grid(SHAPE, AFFINE), "", "")


def texts(figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(Text)}


def pixels_of(figure, colour) -> int:
    """Pixels of a colour in the slices; its bar and the legend stand on the right of them."""
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255
    drawn = drawn[:, : int(0.86 * drawn.shape[1])]
    return int((np.abs(drawn - to_rgb(colour)).max(axis=-1) < 0.02).sum())


def is_png(figure) -> bool:
    return figure_bytes(figure, dpi=30).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", AFFINES)
def test_each_step_is_drawn_where_it_lies(name):
    stat_map = blobs(Grid(SHAPE, AFFINES[name]))
    background = replace(BACKGROUND, grid=stat_map.grid)
    mask = ld.rois.Threshold(3).apply(stat_map)
    rois = ld.rois.find_rois(mask, stat_map)
    figure = draw_rois(rois, background=background)
    assert {"ROI 1", "ROI 2", "L", "R"} <= texts(figure)
    assert "2 regions of interest: 56 voxels, 448 mm³" in texts(figure)
    assert pixels_of(figure, BLUE) > 200
    # A region that was not picked is not drawn, the other one is.
    alone = draw_rois(rois.pick([1]), background=background)
    assert "ROI 2" not in texts(alone)
    assert pixels_of(alone, RED) == 0
    assert pixels_of(alone, BLUE) == pixels_of(figure, BLUE)
    figure = draw_mask(mask, "dilate by 1 voxel", background=background)
    assert pixels_of(figure, OUTLINE) > 50
    assert "dilate by 1 voxel: 56 voxels, 448 mm³" in texts(figure)
    figure = draw_beyond(stat_map, ld.rois.Threshold(3), background=background)
    assert {"t of a - b, a unit", "threshold: > 3: 56 voxels, 448 mm³"} <= texts(figure)
    # Only what is beyond the threshold is drawn.
    point = stat_map.grid.to_mm([3, 5, 4])
    both = pixels_of(draw_beyond(stat_map, ld.rois.Threshold(3), point, background), HIGHEST)
    high = draw_beyond(stat_map, ld.rois.Threshold(5), point, background)
    low = replace(stat_map, array=np.where(stat_map.array == 6, 0, stat_map.array))
    assert both > pixels_of(draw_beyond(low, ld.rois.Threshold(5), point, background), HIGHEST)
    assert "threshold: > 5: 8 voxels, 64 mm³" in texts(high)
    assert pixels_of(high, LOWEST) == 0


@pytest.mark.parametrize("mm", [None, (3.0, -2.0, 1.0), (300.0, 0.0, 0.0)])
def test_slices_cut_through_the_largest_peak_or_the_point_given(mm):
    rois = ld.rois.find_rois(ld.rois.Threshold(3).apply(blobs()), blobs())
    np.testing.assert_allclose(cut_point(rois), rois.parts[0].peak_mm)
    figure = draw_rois(rois, mm, BACKGROUND)
    shown = {text for text in texts(figure) if text[:2] in ("x=", "y=", "z=")}
    point = cut_point(rois) if mm is None else mm
    assert shown == {f"{axis}={int(value)}" for axis, value in zip("xyz", point, strict=True)}
    # A point beyond the image is not an error.
    assert is_png(draw_mask(rois.mask, "step", mm, BACKGROUND))
    assert is_png(draw_beyond(blobs(), ld.rois.Threshold(3), mm, BACKGROUND))


NOISE = np.random.default_rng(1).normal(size=SHAPE)


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(np.zeros(SHAPE), id="nothing"),
        pytest.param(np.where(NOISE > 1, np.inf, NOISE), id="infinite"),
        pytest.param(-np.abs(NOISE), id="negative"),
        pytest.param(np.where(NOISE > 1, 2.0, np.nan), id="one value"),
    ],
)
def test_any_map_can_be_drawn(array):
    stat_map, threshold = (
        ld.Map(ODD_NAME, array, BACKGROUND.grid, "", ""),
        ld.rois.Threshold(0.5, "both"),
    )
    mask = threshold.apply(stat_map)
    figures = [
        draw_beyond(stat_map, threshold, background=BACKGROUND),
        draw_mask(mask, ODD_NAME, background=BACKGROUND),
        draw_rois(
            ld.rois.find_rois(mask, stat_map, connectivity=6, min_voxels=9), background=BACKGROUND
        ),
    ]
    assert all(map(is_png, figures))
    # Names are drawn as they are, whatever characters they hold.
    assert all(any(ODD_NAME in text for text in texts(figure)) for figure in figures[:2])


@pytest.mark.parametrize(
    ("name", "shape"),
    [("upright", (12, 14, 1)), ("upright", (1, 14, 10)), ("oblique", (12, 1, 10)),
     ("upright", (1, 1, 1)), ("oblique", (1, 1, 10))],
)  # fmt: skip
def test_planes_of_one_row_are_drawn_as_such(name, shape):
    values = np.random.default_rng(0).random(shape)
    values[tuple(n // 2 for n in shape)] = 4
    grid = Grid(shape, AFFINES[name])
    stat_map = ld.Map("t", values, grid, "", "")
    mask = ld.rois.Threshold(3).apply(stat_map)
    background = replace(stat_map, name="mean")
    for figure in (
        draw_beyond(stat_map, ld.rois.Threshold(3), background=background),
        draw_mask(mask, "dilate", background=None if shape[2] == 1 else background),
        draw_rois(ld.rois.find_rois(mask, stat_map), background=background),
    ):
        assert "1 voxel, 8 mm³" in figure.get_suptitle()
        assert is_png(figure)
    if name == "upright":
        assert pixels_of(figure, BLUE) > 50


def test_a_picture_that_cannot_be_drawn_says_so_and_what_a_user_asks_wrongly_is_raised(monkeypatch):
    def fail(*_, **__):
        raise TypeError("Input z must be at least a (2, 2) shaped array")

    monkeypatch.setattr("nilearn.plotting.plot_anat", fail)
    mask = ld.rois.Threshold(3).apply(blobs())
    with pytest.warns(UserWarning, match=r"could not be drawn \(TypeError: Input z must be"):
        figure = draw_mask(mask, "step", background=BACKGROUND)
    assert any("Input z must be at least" in text for text in texts(figure))
    assert is_png(figure)
    with pytest.raises(ld.InputError, match="threshold"):
        draw_beyond(blobs(), ld.rois.Threshold(float("nan")))


def test_pictures_are_the_same_each_time_and_pyplot_keeps_none():
    rois = ld.rois.find_rois(ld.rois.Threshold(3).apply(blobs()), blobs())
    assert figure_bytes(draw_rois(rois), dpi=50) == figure_bytes(draw_rois(rois), dpi=50)
    assert plt.get_fignums() == []


def values_of(groups, regions=2):
    names = tuple(f"ROI {number + 1}" for number in range(regions))
    numbers = np.random.default_rng(0).normal(size=(len(groups), regions))
    return ld.rois.RoiValues(
        tuple(map(str, range(len(groups)))), groups, names, numbers, "mean signal"
    )


def test_boxes_are_the_quartiles_and_every_sample_is_a_point():
    values = values_of((ODD_NAME,) * 9 + ("",) * 4 + ("house",) * 8)
    values.values[0, 0] = np.nan
    figure = draw_values(values)
    for column, axes in enumerate(figure.axes):
        points = [line for line in axes.lines if line.get_marker() == "."]
        assert [len(line.get_ydata()) for line in points] == [9 - (column == 0), 8]
        boxes = [line for line in axes.lines if line not in points]
        levels = {round(y, 9) for line in boxes for y in line.get_ydata()}
        for place, (group, line) in enumerate(zip((ODD_NAME, "house"), points, strict=True), 1):
            own = values.of_group(group, column)
            np.testing.assert_array_equal(np.sort(line.get_ydata()), np.sort(own))
            assert np.abs(line.get_xdata() - place).max() < 0.3
            quartiles = np.percentile(own, [25, 50, 75])
            assert {round(level, 9) for level in quartiles} <= levels
    assert {"ROI 1", "ROI 2", "mean signal", f"{ODD_NAME}\nn = 8", "house\nn = 8"} <= texts(figure)
    assert is_png(figure)


@pytest.mark.parametrize("regions", [0, 1, 5, 30])
def test_any_number_of_regions_has_its_boxes(regions):
    figure = draw_values(values_of(("a", "b") * 6, regions))
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == min(regions, 12)
    assert is_png(figure)
    assert ("18 more regions" in figure.get_suptitle()) == (regions == 30)
