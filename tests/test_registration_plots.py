"""Pictures of a registration: what they say, and that they show what went wrong.

A picture of 18 slices takes nilearn and matplotlib about a second.
"""

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


@cache
def registered():
    return make_registered(voxel_mm=8)


def pixels(figure) -> np.ndarray:
    figure.set_dpi(40)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)


@pytest.mark.parametrize("draw", [draw_overlay, draw_checkerboard])
def test_left_is_drawn_on_the_left(draw):
    """An image that is bright on its left side alone is bright under the letter L."""
    array = np.where(points_of(GRID)[..., 0] < 0, 100, 1).astype(np.float32)
    image = Map("left", array, GRID, "", "")
    figure = draw(replace(registered(), template=image, image=image, lesion=None))
    picture, views = pixels(figure).sum(axis=-1), 0
    for axes in figure.axes:
        sides = {text.get_text(): text.get_position()[0] for text in axes.texts}
        if not {"L", "R"} <= sides.keys():
            continue
        views += 1
        assert sides["L"] < sides["R"]
        (left, low), (right, high) = axes.get_window_extent().get_points().astype(int)
        part = picture[picture.shape[0] - high : picture.shape[0] - low, left:right]
        half = part.shape[1] // 2
        assert part[:, :half].mean() > part[:, half:].mean()
    assert views == 12


@pytest.mark.parametrize(
    ("draw", "legend"),
    [
        (draw_overlay, ("red lines: edges of the", "yellow: the lesion")),
        (draw_checkerboard, ("squares: image and template",)),
    ],
)
def test_pictures_say_what_they_show_and_change_where_the_image_is_shifted(draw, legend):
    shift = Transform(affine((1, 1, 1), (15, 0, 0)) @ registered().transform.matrix)
    shifted = replace(registered(), image=warp_map(registered().moving, shift, GRID))
    right, wrong = draw(registered()), draw(shifted, "NOT CREDIBLE")
    assert right.get_suptitle().startswith("scan on template, affine by SimpleITK 0.0; ")
    assert wrong.get_suptitle().startswith("NOT CREDIBLE; ")
    assert all(part in right.get_suptitle() for part in legend)
    changed = np.abs(pixels(right) - pixels(wrong)).max(axis=-1) > 60
    assert changed.mean() > 0.02


SMALL_GRID = Grid((30, 26, 20), rotation(12, 20, -8) @ affine((2, 2, 2), (-20, 40, -60)))
SMALL = Map("eye $x$", np.random.default_rng(0).random(SMALL_GRID.shape), SMALL_GRID, "", "")
EMPTY = Map("none", np.zeros(GRID.shape, np.float32), GRID, "", "")


@pytest.mark.parametrize(
    ("draw", "change"),
    [
        (draw_overlay, {"image": EMPTY, "lesion": Mask(GRID, np.zeros(0, np.int32), "none")}),
        (draw_overlay, {"template": EMPTY, "image": EMPTY, "lesion": None}),
        (draw_checkerboard, {"image": replace(EMPTY, array=np.full(GRID.shape, np.nan))}),
        (draw_checkerboard, {"template": SMALL, "image": SMALL, "lesion": None}),
    ],
    ids=["empty image", "empty template, no lesion", "unknown values", "small and oblique"],
)
def test_odd_images_are_drawn(draw, change):
    registration = replace(registered(), **change)
    figure = draw(registration)
    assert registration.template.name in figure.get_suptitle()
    assert registration.lesion or "yellow" not in figure.get_suptitle()
    assert pixels(figure).size
