"""What the tests of the page Template & signal do with it."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
from heads import make_pose

from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.pages.template import TemplatePage
from lesion_dash.images.maps import as_map
from lesion_dash.images.masks import as_mask
from lesion_dash.scans.registration.task import Quality, Registration
from lesion_dash.transforms.transform import Field, Transform
from lesion_dash.transforms.warping import warp_map, warp_mask

HOSTILE = "<img src=x onerror=alert(1)>"
POSE = make_pose((4, -3, 5), (5, -4, 3))
WORDS = ("coarse search", "finer search", "polish")


def warped(moving: Grid, template: Grid) -> Transform:
    """The same answer as fields."""
    linear = Transform(POSE)
    there, here = (
        grid.to_mm(np.stack(np.indices(grid.shape), axis=-1)) for grid in (template, moving)
    )
    to_moving = Field(template, np.float32(linear.moving_points(there) - there))
    to_template = Field(moving, np.float32(linear.template_points(here) - here))
    return Transform(POSE, to_moving, to_template)


def register_phantom(
    moving: Any,
    template: Any,
    kind: str = "affine",
    *,
    lesion: Any = None,
    report: Any = None,
    **_more: Any,
) -> Registration:
    """Stands in for `register_image`: it knows the answer, and tells how far it has come."""
    found, onto = as_map(moving), as_map(template)
    for place, words in enumerate(WORDS):
        if report is not None:
            report(place / len(WORDS), words)
    transform = warped(found.grid, onto.grid) if kind == "deformable" else Transform(POSE)
    own = as_mask(lesion).on_grid(found.grid) if lesion else None
    return Registration(
        found,
        onto,
        kind,
        "phantom 1.0",
        transform,
        warp_map(found, transform, onto.grid),
        Quality(0.25, 0.75, 0.98, 1.0, 1.0, 1.0, 9, 4),
        None if own is None else warp_mask(own, transform, onto.grid),
        own,
        notes=("nothing was unusual",),
        sources={str(moving): found.sha256, str(template): onto.sha256},
        seconds=2.5,
        memory_mb=100.0,
    )


def choose(page: TemplatePage, field: Any, folder: str, name: str = "") -> None:
    """Choose a file, or what is offered before the folders."""
    field.folders.value = folder
    if name:
        field.names.value = name
    page._context.wait()


def choose_images(page: TemplatePage, template: bool = True, lesion: bool = False) -> None:
    choose(page, page.images.image, "scans", "scan.nii.gz")
    if template:
        choose(page, page.images.template, "atlas", "template.nii.gz")
    if lesion:
        choose(page, page.images.lesion, "scans", "lesion.nii.gz")


def register(page: TemplatePage) -> None:
    page.images.run.click()
    page._context.wait()


def text(widget: widgets.HTML) -> str:
    return html.unescape(str(widget.value))


def hidden(widget: widgets.Widget) -> bool:
    return "ld-unseen" in widget._dom_classes


def banner(page: TemplatePage) -> str:
    return html.unescape(page._context.banner.message)


def path(root: Path, name: str) -> str:
    return str(root / name)


def shown_marks(page: TemplatePage, bit: int) -> list[np.ndarray]:
    """Which pixels of the three slices bear a mark, rows from the top."""
    view = page.slices.view
    marks, cuts, start = np.frombuffer(view.marks, np.uint8), [], 0
    for pane in view.panes:
        width, height = pane["pixels"]
        part = marks[start : start + width * height].reshape(height, width)
        cuts.append((part & bit) > 0)
        start += width * height
    assert start == marks.size
    return cuts
