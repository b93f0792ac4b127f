"""What is sent to the browser: greys, slices that fit a screen, and marks on the same pixels."""

from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (7, 255), (np.nan, 0), (-3, {0, 255})])
def test_greys_of_one_value(value: float, expected: object) -> None:
    shown = np.unique(greys(scan(np.full((3, 3, 3), value, np.float64)))).tolist()
    assert len(shown) == 1
    assert shown[0] in expected if isinstance(expected, set) else shown[0] == expected


def test_background_of_a_scan_is_black_and_an_outlier_does_not_darken_it() -> None:
    values = np.zeros((20, 20, 20))
    values[5:15, 5:15, 5:15] = np.random.default_rng(1).uniform(50, 100, (10, 10, 10))
    plain = greys(scan(values))
    values[10, 10, 10] = 1e6
    assert plain[0, 0, 0] == 0
    assert abs(int(greys(scan(values))[9, 9, 9]) - int(plain[9, 9, 9])) < 3


def test_a_large_slice_is_thinned_with_its_marks() -> None:
    array = np.zeros((2100, 5, 4), np.float32, order="F")
    array[2000:] = 1
    found = scan(array)
    mask = Mask.from_array(array, found.grid, "region")
    volumes = VolumePair(found, found, lesion=mask)
    panes, template, image = volumes.panes(volumes.middle, False)
    marks = np.frombuffer(volumes.marks(volumes.middle, False, mask), np.uint8)
    sizes = [width * height for width, height in (pane["pixels"] for pane in panes)]
    assert max(max(pane["pixels"]) for pane in panes) <= 1024
    assert len(template) == len(image) == marks.size == sum(sizes)
    assert template == image
    pixels = np.frombuffer(image, np.uint8)
    assert np.array_equal(marks, np.where(pixels > 0, REGION | LESION, 0))
    assert panes[2]["mm"] == [2100, 5]


def test_the_crosshair_stays_inside() -> None:
    volumes = VolumePair(*[scan(np.ones((3, 4, 5)))] * 2)
    assert volumes.clip((-2, 9, 2)) == (0, 3, 2)
    assert volumes.deeper(2, 1, (1, 1, 4)) == (1, 1, 4)
    assert volumes.deeper(0, 1, (1, 1, 4)) == (2, 1, 4)
