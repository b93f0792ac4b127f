"""A registration put together by hand, without an engine."""

from __future__ import annotations

from functools import cache

import numpy as np
from grids import affine, rotation
from heads import make_grid, make_head, make_pose

from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask
from lesion_dash.scans.registration.task import Kind, Quality, Registration
from lesion_dash.transforms.transform import Field, Transform, points_of
from lesion_dash.transforms.warping import warp_any, warp_map, warp_mask

TEMPLATE_GRID = make_grid((184, 224, 232), 4)
MOVING_GRID = Grid((48, 60, 60), affine((-4, 4, 4), (94, -134, -118), rotation(4, -3, 5)))
QUALITY = Quality(0.21, 0.74, 0.98, 1.05, 1.0, 1.1, 6, 4)


@cache
def make_registered(kind: Kind = "affine", voxel_mm: float = 4) -> Registration:
    """A head of 4 mm in another pose, brought back by the pose that is known."""
    template_grid = TEMPLATE_GRID if voxel_mm == 4 else make_grid((184, 224, 232), voxel_mm)
    pose = make_pose((6, -4, 8), (6, -4, 5), 1.05)
    template = Map("template", make_head(template_grid), template_grid, "", "")
    moving = Map("scan", make_head(MOVING_GRID, pose, noise=3), MOVING_GRID, "", "", (), "a" * 64)
    transform = Transform(pose)
    if kind == "deformable":
        to_moving = Field.of(template_grid, transform.moving_points)
        to_template = Field.of(MOVING_GRID, transform.template_points)
        transform = Transform(pose, to_moving, to_template)
    lesion = native_lesion()
    return Registration(
        moving,
        template,
        kind,
        "SimpleITK 0.0",
        transform,
        warp_map(moving, transform, template_grid),
        QUALITY,
        warp_mask(lesion, transform, template_grid),
        lesion,
        tuple(warp_any(image, transform, template_grid) for image in (labels(), intensities())),
        ("the template is small",),
        {"scan.nii.gz": "a" * 64},
    )


def native_lesion() -> Mask:
    centre = MOVING_GRID.to_mm((30, 34, 36))
    distance = np.linalg.norm(points_of(MOVING_GRID) - centre, axis=-1)
    return Mask.from_array(distance < 18, MOVING_GRID, "stroke")


def labels() -> Map:
    array = np.zeros(MOVING_GRID.shape, np.int16)
    array[10:20, 20:40, 20:40], array[20:30, 20:40, 20:40] = 3, 5
    return Map("regions", array, MOVING_GRID, "", "")


def intensities() -> Map:
    array = np.random.default_rng(0).normal(50, 9, MOVING_GRID.shape).astype(np.float32)
    return Map("flair", array, MOVING_GRID, "", "")
