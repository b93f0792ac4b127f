"""What the tests of the page Template & signal do with it."""

from __future__ import annotations

import html
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from heads import BRAIN, apply, make_grid, make_head, make_pose
from visitor import HOSTILE, press

from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.pages.template import TemplatePage
from lesion_dash.images.maps import as_map
from lesion_dash.images.masks import as_mask
from lesion_dash.scans.registration.task import Quality, Registration
from lesion_dash.transforms.transform import Field, Transform
from lesion_dash.transforms.warping import warp_map, warp_mask

POSE = make_pose((4, -3, 5), (5, -4, 3))
STEPS = ("coarse search", "finer search", "polish")


REGIONS = {1: (-25, -15, 20), 2: (25, -15, 20), 3: (0, 30, 20)}


def save(folder: Path, name: str, array: np.ndarray, affine: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), folder / name)


def probabilities(points: np.ndarray) -> np.ndarray:
    """A region a volume: sure in its middle, less so towards its border."""
    away = [np.linalg.norm(points - centre, axis=-1) for centre in REGIONS.values()]
    return np.stack([np.clip((28 - distance) / 14, 0, 1) for distance in away], axis=-1).astype(
        np.float32
    )


def write_images(root: Path) -> None:
    """A head, its atlas, and names that run scripts."""
    grid = make_grid((168, 210, 216), 6.0, (0, -10, 0))
    points = grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))
    atlas = root / "atlas"
    save(atlas, "template.nii.gz", make_head(grid), grid.affine)
    maps = probabilities(points)
    save(atlas, "maps.nii.gz", maps, grid.affine)
    save(atlas, "one.nii.gz", maps[..., 0], grid.affine)
    labels = np.where(maps.max(axis=-1) > 0.2, maps.argmax(axis=-1) + 1, 0).astype(np.int16)
    save(atlas, "labels.nii.gz", labels, grid.affine)
    rows = "".join(f"{number},{HOSTILE} {number}\n" for number in REGIONS)
    (atlas / "labels.csv").write_text(f"index,name\n{rows}")
    # Stored from right to left and from front to back, as scanners do.
    turned = make_grid((180, 222, 216), 6.0, (3, -5, 4))
    affine = turned.affine @ np.diag([-1.0, -1, 1, 1])
    affine[:2, 3] = turned.to_mm(np.array(turned.shape) - 1)[:2]
    own = turned.to_mm(np.stack(np.indices(turned.shape), axis=-1))[::-1, ::-1]
    scans = root / "scans"
    for name, seed in (("scan.nii.gz", 1), ("second.nii.gz", 2)):
        save(scans, name, make_head(turned, POSE, noise=4, seed=seed)[::-1, ::-1], affine)
    cut = make_head(turned, POSE, noise=4, seed=2)[1:, ::-1][::-1]
    save(scans, "cut.nii.gz", cut, affine)
    in_head = apply(POSE, own)
    lesion = np.linalg.norm(in_head - np.array(BRAIN[0]) - [-30, 10, 10], axis=-1) < 15
    save(scans, "lesion.nii.gz", lesion.astype(np.uint8), affine)
    air = (np.abs(own[..., 0]) > 80) & (own[..., 2] > 50)
    save(scans, "air.nii.gz", air.astype(np.uint8), affine)
    empty = np.zeros(turned.shape, np.float32)
    save(scans, "series.nii.gz", np.stack([empty, empty], axis=-1), affine)
    save(scans, f"{HOSTILE}.nii.gz", empty, affine)
    shutil.copy(scans / "scan.nii.gz", root.parent / "outside.nii.gz")
    (scans / "link.nii.gz").symlink_to(root.parent / "outside.nii.gz")


def warped(moving: Grid, template: Grid) -> Transform:
    """The same answer as fields."""
    linear = Transform(POSE)
    there, own_points = (
        grid.to_mm(np.stack(np.indices(grid.shape), axis=-1)) for grid in (template, moving)
    )
    to_moving = Field(template, np.float32(linear.moving_points(there) - there))
    to_template = Field(moving, np.float32(linear.template_points(own_points) - own_points))
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
    image, onto = as_map(moving), as_map(template)
    for place, step in enumerate(STEPS):
        if report is not None:
            report(place / len(STEPS), step)
    transform = warped(image.grid, onto.grid) if kind == "deformable" else Transform(POSE)
    own = as_mask(lesion).on_grid(image.grid) if lesion else None
    return Registration(
        image,
        onto,
        kind,
        "phantom 1.0",
        transform,
        warp_map(image, transform, onto.grid),
        Quality(0.25, 0.75, 0.98, 1.0, 1.0, 1.0, 9, 4),
        None if own is None else warp_mask(own, transform, onto.grid),
        own,
        notes=("nothing was unusual",),
        sources={str(moving): image.sha256, str(template): onto.sha256},
        seconds=2.5,
        memory_mb=100.0,
    )


def choose_file(page: TemplatePage, field: Any, folder: str, name: str = "") -> None:
    """Choose a file, or what is offered before the folders."""
    field.folders.value = folder
    if name:
        field.names.value = name
    page.context.wait()


def choose_images(page: TemplatePage, template: bool = True, lesion: bool = False) -> None:
    choose_file(page, page.images.image, "scans", "scan.nii.gz")
    if template:
        choose_file(page, page.images.template, "atlas", "template.nii.gz")
    if lesion:
        choose_file(page, page.images.lesion, "scans", "lesion.nii.gz")


def register(page: TemplatePage) -> None:
    press(page.context, page.images.run)


def banner(page: TemplatePage) -> str:
    return html.unescape(page.context.banner.message)


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
