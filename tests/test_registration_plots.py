"""Pictures of a registration: what they say, and that they show what went wrong."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from grids import affine, rotation
from heads import make_grid
from registered import make_registered

from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.plotting.registration import draw_checkerboard, draw_overlay
from lesion_dash.transforms.transform import Transform, points_of
from lesion_dash.transforms.warping import warp_map

GRID = make_grid((184, 224, 232), 8)
DRAW = {"overlay": draw_overlay, "checkerboard": draw_checkerboard}


@cache
def registered():
    return make_registered(voxel_mm=8)


@cache
def drawn(name: str):
    return DRAW[name](registered())


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def pixels(figure) -> np.ndarray:
    figure.set_dpi(50)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)


@pytest.mark.parametrize("name", DRAW)
def test_sides_and_places_are_written_on_every_slice(name):
    labels = texts(drawn(name))
    assert labels.count("L") == labels.count("R") == 12
    assert labels.count("P") == labels.count("A") == 6
    for axis in "xyz":
        assert sum(text.startswith(f"{axis}=") for text in labels) == 6


def test_titles_say_what_is_shown():
    overlay = drawn("overlay").get_suptitle()
    assert overlay.startswith("scan on template, affine by SimpleITK 0.0; red lines: edges of the")
    assert overlay.endswith("yellow: the lesion")
    assert "yellow" not in draw_overlay(replace(registered(), lesion=None)).get_suptitle()
    assert "squares: image and template" in drawn("checkerboard").get_suptitle()
    assert draw_overlay(registered(), "NOT CREDIBLE").get_suptitle().startswith("NOT CREDIBLE; red")


def test_left_is_drawn_on_the_left():
    """A template that is bright on its left side alone is bright under the letter L."""
    array = np.where(points_of(GRID)[..., 0] < 0, 100, 1).astype(np.float32)
    image = Map("left", array, GRID, "", "")
    figure = draw_checkerboard(replace(registered(), template=image, image=image, lesion=None))
    views = [axes for axes in figure.axes if {"L", "R"} <= {t.get_text() for t in axes.texts}]
    assert len(views) == 12
    picture = pixels(figure).sum(axis=-1)
    for axes in views:
        sides = {text.get_text(): text.get_position()[0] for text in axes.texts}
        assert sides["L"] < sides["R"]
        (left, low), (right, high) = axes.get_window_extent().get_points().astype(int)
        part = picture[picture.shape[0] - high : picture.shape[0] - low, left:right]
        half = part.shape[1] // 2
        assert part[:, :half].mean() > part[:, half:].mean()


def test_both_pictures_change_where_the_image_is_shifted():
    shift = Transform(affine((1, 1, 1), (15, 0, 0)) @ registered().transform.matrix)
    wrong = replace(registered(), image=warp_map(registered().moving, shift, GRID))
    for name, draw in DRAW.items():
        changed = np.abs(pixels(drawn(name)) - pixels(draw(wrong))).max(axis=-1) > 60
        assert changed.mean() > 0.02


SMALL_GRID = Grid((30, 26, 20), rotation(12, 20, -8) @ affine((2, 2, 2), (-20, 40, -60)))
SMALL = Map("eye $x$", np.random.default_rng(0).random(SMALL_GRID.shape), SMALL_GRID, "", "")
EMPTY = Map("none", np.zeros(GRID.shape, np.float32), GRID, "", "")


@pytest.mark.parametrize(
    ("draw", "change"),
    [
        (draw_overlay, {"image": EMPTY, "lesion": Mask(GRID, np.zeros(0, np.int32), "none")}),
        (draw_overlay, {"template": EMPTY, "image": EMPTY}),
        (draw_checkerboard, {"image": replace(EMPTY, array=np.full(GRID.shape, np.nan))}),
        (draw_checkerboard, {"template": SMALL, "image": SMALL, "lesion": None}),
    ],
    ids=["empty image", "empty template", "unknown values", "small and oblique"],
)
def test_odd_images_are_drawn(draw, change):
    registration = replace(registered(), **change)
    figure = draw(registration)
    assert registration.template.name in figure.get_suptitle()
    assert pixels(figure).size
