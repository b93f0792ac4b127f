"""Simulated images of two tissues and air, of known signal to noise."""

from __future__ import annotations

import numpy as np
from scipy import stats

from lesion_dash.core.grid import Grid
from lesion_dash.images.maps import Map
from lesion_dash.images.masks import Mask

SNR, CNR = 40.0, 12.0
"""Of the first tissue, and between both, where the noise has an SD of 1."""

GRID = Grid((24, 10, 8), [[2.0, 0, 0, -24], [0, 1.5, 0, -7], [0, 0, 1, -4], [0, 0, 0, 1]])
PLACE = np.indices(GRID.shape)[0]
TRUTH = np.select([PLACE < 8, PLACE < 16], [SNR, SNR - CNR], 0.0)


def mask(where, name: str, grid: Grid = GRID) -> Mask:
    return Mask.from_array(np.asarray(where), grid, name)


SIGNAL = mask(PLACE < 8, "white")
BACKGROUND = mask((PLACE >= 8) & (PLACE < 16), "grey")
AIR = mask(PLACE >= 16, "air")


def as_image(array, name: str = "T1w", grid: Grid = GRID) -> Map:
    return Map(name, np.asarray(array), grid, "", "")


def gaussian(seed: int) -> Map:
    """Noise that is the same everywhere; air is around 0."""
    return as_image(TRUTH + np.random.default_rng(seed).normal(size=GRID.shape))


def rician(seed: int, coils: int = 1) -> Map:
    """The magnitude of complex noise and signal, as scanners give it; Rayleigh's in air."""
    generator = np.random.default_rng(seed)
    if coils == 1:
        return as_image(stats.rice.rvs(TRUTH, random_state=generator))
    parts = generator.normal(size=(2 * coils, *GRID.shape))
    parts[0] += TRUTH
    return as_image(np.sqrt((parts**2).sum(axis=0)))


def values(image: Map, inside: Mask) -> np.ndarray:
    return image.array[inside.array]
