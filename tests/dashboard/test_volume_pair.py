"""A template and an image brought onto it: greys, slices and marks."""

from __future__ import annotations

import numpy as np

from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.volume_pair import LESION, REGION, VolumePair, greys
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask


def scan(array: np.ndarray, edge: float = 1.0) -> Map:
    grid = Grid(array.shape, np.diag([edge, edge, edge, 1]))
    return Map("scan", array, grid, "", "")


def test_greys_keep_the_order_of_values() -> None:
    values = np.random.default_rng(0).normal(100, 20, (8, 9, 10)).astype(np.float32)
    shown = greys(scan(values))
    order = np.argsort(values, axis=None)
    assert np.all(np.diff(shown.ravel()[order].astype(int)) >= 0)
    assert shown.max() == 255
    for value, expected in ((0, {0}), (7, {255}), (np.nan, {0}), (-3, {0, 255})):
        greys_shown = np.unique(greys(scan(np.full((3, 3, 3), value, np.float64)))).tolist()
        assert len(greys_shown) == 1
        assert greys_shown[0] in expected
    # The background of a scan is black, and an outlier does not darken the rest.
    values = np.zeros((20, 20, 20))
    values[5:15, 5:15, 5:15] = np.random.default_rng(1).uniform(50, 100, (10, 10, 10))
    plain = greys(scan(values))
    values[10, 10, 10] = 1e6
    assert plain[0, 0, 0] == 0
    assert abs(int(greys(scan(values))[9, 9, 9]) - int(plain[9, 9, 9])) < 3


def test_a_large_slice_is_thinned_with_its_marks() -> None:
    array = np.zeros((2100, 5, 4), np.float32, order="F")
    array[2000:] = 1
    image = scan(array)
    mask = Mask.from_array(array, image.grid, "region")
    volumes = VolumePair(image, image, lesion=mask)
    panes, template, shown = volumes.panes(volumes.middle, False)
    marks = np.frombuffer(volumes.marks(volumes.middle, False, mask), np.uint8)
    sizes = [width * height for width, height in (pane["pixels"] for pane in panes)]
    assert max(max(pane["pixels"]) for pane in panes) <= 1024
    assert len(template) == len(shown) == marks.size == sum(sizes)
    assert template == shown
    pixels = np.frombuffer(shown, np.uint8)
    assert np.array_equal(marks, np.where(pixels > 0, REGION | LESION, 0))
    assert panes[2]["mm"] == [2100, 5]
    # The crosshair stays inside.
    small = VolumePair(*[scan(np.ones((3, 4, 5)))] * 2)
    assert small.clip((-2, 9, 2)) == (0, 3, 2)
    assert small.deeper(2, 1, (1, 1, 4)) == (1, 1, 4)
    assert small.deeper(0, 1, (1, 1, 4)) == (2, 1, 4)
