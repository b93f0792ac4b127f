"""The brain that the sample lesions lie in: tissue of the MNI152 template, split into its parts.

The template is the one that nilearn ships (ICBM 152 nonlinear symmetric 2009a, Fonov et al. 2011,
NeuroImage 54:313; 2009, NeuroImage 47:S102). It is read when the data are made, and never stored.
Everything here is of the left side: the template is symmetric, so that the right is its mirror.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import nibabel as nib
import numpy as np
from nilearn import datasets, image
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

SHAPE = (91, 109, 91)
AFFINE = np.array([[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]], dtype=float)
VOXEL_ML = 0.008

Bool3D = NDArray[np.bool_]
Float3D = NDArray[np.float64]
Points = NDArray[np.float64]
Place = tuple[float, float, float]


@dataclass(frozen=True)
class Ellipsoid:
    """Centre and semi-axes, mm in RAS."""

    centre: Place
    radii: Place


# The tentorium: its height at the midline, and how it falls aside, to the back and to the front.
TENTORIUM_MM = -7.0
TENTORIUM_FALLS = (0.45, 0.2, 0.3)
BRAINSTEM = {
    "midbrain": Ellipsoid((0, -24, -12), (17, 12, 9)),
    "pons": Ellipsoid((0, -27, -32), (19, 16, 14)),
    "medulla": Ellipsoid((0, -41, -54), (12, 12, 18)),
}
# Along the lateral ventricle: frontal horn to occipital horn, and the temporal horn. From here the
# white matter fans out to the cortex, and to here the arteries of the cortex reach.
VENTRICLE_LINES: tuple[tuple[Place, ...], ...] = (
    ((-14, 40, 6), (-15, 12, 18), (-18, -20, 23), (-23, -44, 15), (-23, -70, 7)),
    ((-24, -42, 10), (-34, -28, -8), (-31, -6, -20)),
)


def voxel_mm() -> tuple[Float3D, Float3D, Float3D]:
    """World coordinates x, y, z in mm of every voxel, as three broadcastable arrays."""
    i, j, k = np.ogrid[tuple(slice(n) for n in SHAPE)]
    scale, origin = np.diag(AFFINE), AFFINE[:3, 3]
    return i * scale[0] + origin[0], j * scale[1] + origin[1], k * scale[2] + origin[2]


def points_of(voxels: Bool3D) -> Points:
    """World coordinates of the voxels that are True, a row each."""
    return nib.affines.apply_affine(AFFINE, np.argwhere(voxels))


def fill(voxels: Bool3D, values: NDArray[np.generic], elsewhere: float) -> NDArray[np.generic]:
    """An image with `values` at the voxels that are True, in the order of `points_of`."""
    filled = np.full(SHAPE, elsewhere, dtype=values.dtype)
    filled[voxels] = values
    return filled


def radius_in(ellipsoid: Ellipsoid) -> Float3D:
    """Distance from the centre in units of the semi-axes: 1 on the surface."""
    terms = zip(voxel_mm(), ellipsoid.centre, ellipsoid.radii, strict=True)
    return np.sqrt(sum(((mm - centre) / radius) ** 2 for mm, centre, radius in terms))


def points_along(line: Sequence[Place]) -> Points:
    """Points of a polyline, 1 mm apart."""
    corners = np.array(line, dtype=float)
    if len(corners) == 1:
        return corners
    at = np.append(0, np.linalg.norm(np.diff(corners, axis=0), axis=1).cumsum())
    steps = np.linspace(0, at[-1], round(at[-1]) + 1)
    return np.stack([np.interp(steps, at, axis) for axis in corners.T], axis=1)


def mirror(volume: NDArray[np.generic]) -> NDArray[np.generic]:
    """The volume with left and right exchanged; exact, as the grid is symmetric about x = 0."""
    return volume[::-1]


@cache
def template(name: str) -> Float3D:
    """One of nilearn's MNI152 images on our grid, made exactly symmetric: both sides' mean."""
    loaded = getattr(datasets, f"load_mni152_{name}")(resolution=2)
    on_grid = image.resample_img(
        loaded, AFFINE, SHAPE, interpolation="linear", force_resample=True, copy_header=True
    )
    values = np.asarray(on_grid.dataobj, dtype=float)
    # Rounded, so that the last bit of a platform's arithmetic can't move a voxel.
    return np.round((values + mirror(values)) / 2, 4)


@cache
def left_tissue() -> Bool3D:
    """Grey and white matter of the left side, without ventricles, sulci and the plane x = 0."""
    x, _, _ = voxel_mm()
    tissue = (template("gm_template") + template("wm_template") >= 0.5) & (x < 0)
    pieces, _ = ndimage.label(tissue)
    return pieces == np.bincount(pieces.ravel())[1:].argmax() + 1


@cache
def left_brainstem() -> Bool3D:
    """Left half of midbrain, pons and medulla."""
    inside = [radius_in(part) <= 1 for part in BRAINSTEM.values()]
    return left_tissue() & np.any(inside, axis=0)


@cache
def left_cerebellum() -> Bool3D:
    """Left half of the cerebellum.

    A model of the tentorium says where it surely is and where it surely isn't; between, the dark
    seam of the template separates it from the occipital and temporal lobe.
    """
    x, y, z = voxel_mm()
    aside, behind, before = TENTORIUM_FALLS
    tentorium = (
        TENTORIUM_MM
        - aside * np.maximum(np.abs(x) - 4, 0)
        - behind * np.maximum(-60 - y, 0)
        - before * np.maximum(y + 55, 0)
    )
    markers = np.zeros(SHAPE, dtype=np.int8)
    markers[(z < tentorium - 5) & (y < -32)] = 1
    markers[(z > tentorium + 5) | (y > -30)] = 2
    darkness = np.where(left_tissue(), np.clip(255 * (1 - template("template")), 0, 250), 255)
    basins = ndimage.watershed_ift(darkness.astype(np.uint8), markers)
    return left_tissue() & ~left_brainstem() & (basins == 1)


@cache
def left_cerebrum() -> Bool3D:
    """Left hemisphere of the cerebrum."""
    return left_tissue() & ~left_brainstem() & ~left_cerebellum()


def brain_shape() -> Bool3D:
    """All tissue of both sides; the plane x = 0 stays empty."""
    return left_tissue() | mirror(left_tissue())


@cache
def ways_to_the_surface() -> tuple[Points, NDArray[np.float64]]:
    """Where the surface of the hemisphere lies for each voxel, and how deep the voxel is below.

    The way leads from the ventricle through the voxel to the surface, as the penetrating arteries
    do in the other direction. Returns points and depths, both in mm, in the order of `points_of`.
    """
    closed = ndimage.binary_closing(np.pad(left_cerebrum(), 4), iterations=2)[4:-4, 4:-4, 4:-4]
    closed[45] = True  # the falx closes what opens to the midline: the third ventricle
    hull = ndimage.binary_fill_holes(closed)
    hull[45:] = False
    points = points_of(left_cerebrum())
    core = np.concatenate([points_along(line) for line in VENTRICLE_LINES])
    outwards = points - core[KDTree(core).query(points)[1]]
    outwards /= np.maximum(np.linalg.norm(outwards, axis=1), 1e-6)[:, None]
    depths = np.zeros(len(points))
    inside = np.ones(len(points), dtype=bool)
    for step in range(1, 60):
        ahead = np.rint((points + step * outwards - AFFINE[:3, 3]) / 2).astype(int)
        inside &= hull[tuple(np.clip(ahead, 0, np.array(SHAPE) - 1).T)]
        depths[inside] = step
    return points + depths[:, None] * outwards, depths
