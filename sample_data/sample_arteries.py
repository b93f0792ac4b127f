"""A model of the territories of the brain's arteries, left side.

Each artery is a few lines in mm (MNI152, RAS) where its branches run, drawn by us after the
textbook course of the vessels: Tatu et al. 1998, Neurology 50:1699 and 2012, Front Neurol Neurosci
30:99 (territories), van der Zwan et al. 1993, Stroke 24:1951 (they vary between persons). A voxel
belongs to the artery whose line is nearest, in units of that artery's reach. Border zones are no
part of the model: they lie where two arteries are equally near.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sample_brain import (
    Place,
    Points,
    left_brainstem,
    left_cerebellum,
    left_cerebrum,
    points_along,
    points_of,
)
from scipy.spatial import KDTree


@dataclass(frozen=True)
class Artery:
    """Lines along which an artery's branches run, in mm, and its reach relative to the others'."""

    lines: tuple[tuple[Place, ...], ...]
    reach: float = 1.0


# Leptomeningeal arteries lie on the surface; perforators inside, with a short reach.
CEREBRAL = {
    "MCA superior": Artery(
        (
            ((-38, 14, -6), (-50, 24, 4), (-46, 38, 10)),  # orbitofrontal, prefrontal
            ((-38, 6, 4), (-52, 10, 16), (-44, 18, 36), (-36, 34, 32)),  # precentral
            ((-40, -4, 8), (-58, -6, 22), (-50, -12, 44), (-42, -18, 56)),  # central
            ((-42, -14, 12), (-60, -26, 32), (-46, -38, 52)),  # anterior parietal
        )
    ),
    "MCA inferior": Artery(
        (
            ((-40, -2, -10), (-50, 6, -22), (-46, 14, -28)),  # temporopolar, anterior temporal
            ((-42, -14, -4), (-60, -16, -10), (-60, -32, -10)),  # middle temporal
            ((-42, -24, 4), (-62, -38, 2), (-56, -56, -2), (-48, -70, 2)),  # posterior temporal
            ((-44, -30, 12), (-58, -46, 22), (-50, -60, 32), (-40, -70, 38)),  # angular
        )
    ),
    "ACA": Artery(
        (
            ((-5, 10, -12), (-6, 34, -6), (-7, 36, 12), (-6, 14, 30), (-6, -14, 36)),
            ((-6, -14, 36), (-6, -36, 36), (-8, -52, 44), (-12, -56, 62)),  # precuneal
            ((-10, 28, -20), (-12, 52, -12), (-10, 60, 10), (-12, 48, 38), (-14, 26, 54)),
            ((-14, 26, 54), (-12, 2, 64), (-12, -22, 68), (-14, -38, 70)),  # paracentral
        ),
        0.65,
    ),
    "PCA": Artery(
        (
            ((-20, -26, -18), (-28, -42, -14), (-12, -60, 2), (-10, -78, 4), (-12, -96, 0)),
            ((-14, -62, 6), (-10, -72, 22), (-14, -84, 32)),  # parieto-occipital
            ((-30, -18, -28), (-42, -36, -24), (-38, -54, -18), (-32, -76, -12)),
        ),
        0.70,
    ),
    "lenticulostriate": Artery(
        (
            ((-20, 4, -6), (-27, 4, 2), (-26, 0, 14), (-22, -6, 24)),
            ((-16, 8, -4), (-15, 14, 6), (-17, 6, 18), (-18, -10, 24)),
        ),
        0.60,
    ),
    "anterior choroidal": Artery(
        (((-20, -6, -12), (-18, -12, -4), (-22, -16, 6), (-25, -24, 10)), ((-24, -6, -20),)), 0.40
    ),
    "thalamic": Artery((((-5, -14, -4), (-9, -18, 4), (-11, -20, 12)),), 0.50),
}
CEREBELLAR = {
    "SCA": Artery((((-8, -44, -14), (-22, -52, -20), (-36, -62, -26)),)),
    "AICA": Artery((((-24, -36, -36), (-40, -48, -36)),), 0.75),
    "PICA": Artery((((-6, -52, -44), (-14, -62, -50), (-28, -72, -46), (-20, -82, -36)),)),
}
TREES = {
    "cerebrum": (left_cerebrum, CEREBRAL),
    "cerebellum": (left_cerebellum, CEREBELLAR),
    "brainstem": (left_brainstem, {"basilar": Artery((((-4, -18, -32),),))}),
}


def branch_points(name: str) -> Points:
    """Points along all branches of an artery, 1 mm apart."""
    tree = next(arteries for _, arteries in TREES.values() if name in arteries)
    return np.concatenate([points_along(line) for line in tree[name].lines])


def part_of(name: str) -> str:
    """The part of the brain that an artery supplies: a key of `TREES`."""
    return next(part for part, (_, arteries) in TREES.items() if name in arteries)


@cache
def distances(part: str) -> dict[str, NDArray[np.float64]]:
    """How far each voxel of a part is from each artery, in units of its reach.

    The order of voxels is that of `points_of`.
    """
    where, arteries = TREES[part]
    points = points_of(where())
    return {
        name: KDTree(branch_points(name)).query(points)[0] / artery.reach
        for name, artery in arteries.items()
    }


def supplied(names: tuple[str, ...], variation: NDArray[np.float64] | float) -> NDArray[np.bool_]:
    """Which voxels of their part the arteries supply in a person whose borders vary so.

    Parameters
    ----------
    names
        Arteries of one part of the brain.
    variation
        For each voxel how much farther than in the model the territory reaches, as a share.
    """
    every = distances(part_of(names[0]))
    own = np.min([every[name] for name in names], axis=0)
    rivals = [distance for name, distance in every.items() if name not in names]
    if not rivals:
        return np.ones(len(own), dtype=bool)
    return np.round(own, 6) <= np.round(np.min(rivals, axis=0) * (1 + variation), 6)
