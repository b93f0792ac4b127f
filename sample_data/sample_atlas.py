"""A synthetic atlas of 31 mirrored pairs of regions in the sample brain: our own, after no other.

Cortex is the template's grey matter, a voxel thicker, and each voxel of it belongs to the parcel
that has the nearest point; nuclei are ellipsoids at their places in MNI152. Places are rounded, so
that borders are near those of gyri and on none of them: hence the word "Synthetic" in every name.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sample_brain import (
    SHAPE,
    Bool3D,
    Ellipsoid,
    Place,
    left_cerebellum,
    left_cerebrum,
    mirror,
    points_of,
    radius_in,
    template,
    voxel_mm,
)
from scipy import ndimage
from scipy.spatial import KDTree

# Lobe: the points (mm, left side) of each of its parcels, from front to back.
PARCELS: dict[str, tuple[tuple[Place, ...], ...]] = {
    "frontal": (
        ((-24, 46, -12), (-12, 28, -20), (-34, 28, -14), (-8, 50, -10)),  # orbital
        ((-8, 56, 18), (-12, 48, 36), (-6, 36, 14), (-6, 22, 26)),  # medial
        ((-34, 44, 22), (-28, 56, 6), (-38, 26, 34)),  # middle
        ((-48, 32, 8), (-50, 24, -4)),  # inferior, triangular part
        ((-54, 14, 14),),  # inferior, opercular part
        ((-14, 12, 62), (-16, 28, 54), (-6, 8, 42)),  # superior
        ((-38, 14, 50), (-44, 8, 38)),  # middle, back
        ((-42, -8, 54), (-54, -2, 36), (-58, 0, 16), (-22, -16, 68), (-6, -20, 62)),  # precentral
    ),
    "parietal": (
        ((-44, -26, 56), (-56, -16, 32), (-60, -14, 18), (-24, -36, 68)),  # postcentral
        ((-58, -34, 32), (-52, -28, 20)),  # supramarginal
        ((-24, -58, 62), (-32, -48, 54)),  # superior
        ((-46, -60, 36), (-36, -72, 44)),  # angular
        ((-8, -58, 46), (-6, -44, 32), (-6, -32, 44)),  # medial
    ),
    "temporal": (
        ((-38, 14, -32), (-50, 10, -20)),  # pole
        ((-56, -8, -2), (-50, -20, 6)),  # superior
        ((-60, -14, -16), (-62, -30, -6)),  # middle
        ((-50, -22, -28), (-36, -16, -34), (-38, -6, -42)),  # inferior
        ((-58, -44, 6), (-56, -54, 14)),  # superior and middle, back
        ((-38, -50, -18), (-54, -52, -12), (-34, -34, -22)),  # inferior, back
    ),
    "occipital": (
        ((-10, -68, 0), (-14, -58, -4), (-24, -74, -10)),  # medial
        ((-40, -78, 8), (-44, -72, -4), (-32, -82, 22)),  # lateral
        ((-10, -84, 26), (-14, -94, 4), (-20, -88, 24)),  # pole
    ),
}
# Regions with a shape of their own; where two meet, the later one wins.
NUCLEI = {
    "insula": Ellipsoid((-38, 2, 1), (5, 20, 14)),
    "caudate": Ellipsoid((-13, 11, 9), (6, 13, 10)),
    "putamen": Ellipsoid((-26, 3, 1), (6, 15, 10)),
    "pallidum": Ellipsoid((-18, -4, 0), (4, 8, 6)),
    "thalamus": Ellipsoid((-11, -19, 7), (9, 13, 9)),
    # With the gyrus below it.
    "hippocampus": Ellipsoid((-26, -26, -14), (7, 19, 8)),
    "amygdala": Ellipsoid((-23, -4, -19), (6, 6, 6)),
}
# Grey matter in here is no cortex.
DEEP = Ellipsoid((-15, -8, 4), (20, 28, 20))
CEREBELLUM_SPLIT_Y_MM = -64


def left_cortex() -> Bool3D:
    """Grey matter of the hemisphere's surface, a voxel thicker than in the template."""
    ribbon = left_cerebrum() & (template("gm_template") >= 0.5) & (radius_in(DEEP) > 1)
    return ndimage.binary_dilation(ribbon) & left_cerebrum() & (radius_in(DEEP) > 1)


def parcels() -> Iterator[tuple[str, str, Bool3D]]:
    """Name, lobe and voxels of each cortical parcel of the left hemisphere."""
    names = [(f"{lobe} {part + 1}", lobe) for lobe in PARCELS for part in range(len(PARCELS[lobe]))]
    places = [points for parts in PARCELS.values() for points in parts]
    parcel_of_point = np.repeat(np.arange(len(places)), [len(points) for points in places])
    cortex = left_cortex()
    nearest = KDTree(np.concatenate(places)).query(points_of(cortex))[1]
    parcel_of_voxel = np.full(SHAPE, -1)
    parcel_of_voxel[cortex] = parcel_of_point[nearest]
    for number, (name, lobe) in enumerate(names):
        yield name, lobe, parcel_of_voxel == number


def left_regions() -> Iterator[tuple[str, str, Bool3D]]:
    """Name, lobe and voxels of every region of the left side; later ones win where two meet."""
    yield from parcels()
    for name, ellipsoid in NUCLEI.items():
        lobe = "insula" if name == "insula" else "deep"
        yield name, lobe, (radius_in(ellipsoid) <= 1) & left_cerebrum()
    _, y, _ = voxel_mm()
    before = y >= CEREBELLUM_SPLIT_Y_MM
    yield "cerebellum 1", "cerebellum", left_cerebellum() & before
    yield "cerebellum 2", "cerebellum", left_cerebellum() & ~before


def make_atlas() -> tuple[NDArray[np.int16], str]:
    """Label image (odd numbers left, even ones right) and its table as CSV text."""
    left = np.zeros(SHAPE, dtype=np.int16)
    rows = ["index,name,hemisphere,lobe"]
    for number, (name, lobe, voxels) in enumerate(left_regions()):
        left[voxels] = 2 * number + 1
        rows += [
            f"{2 * number + 1 + right},Synthetic {name} {side},{side},{lobe}"
            for right, side in enumerate("LR")
        ]
    right = mirror(np.where(left > 0, left + 1, 0))
    return (left + right).astype(np.int16), "\n".join(rows) + "\n"
