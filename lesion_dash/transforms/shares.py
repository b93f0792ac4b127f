"""A mask made of the share that a lesion has of each voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HALF = 0.5
"""The share from which on a voxel belongs to a mask."""

ROUNDING = 2.0**-17
"""Shares that differ by less are equal: weights are rounded otherwise in a mirrored image."""

_VOLUME_KEPT = 0.01
"""By how much of the volume a mask may be off at one half."""

_GOLDEN = (5**0.5 - 1) / 2


def voxels_by_share(
    shares: NDArray[np.floating], volume: float | None = None
) -> tuple[NDArray[np.bool_], str]:
    """Choose the voxels of a mask so that it has the volume that it is to have.

    Voxels of at least one half, where they make the volume up to 1 % or to the nearest voxel.
    Otherwise those of the largest shares; of equal ones those in the fuller neighbourhood, and
    where these are equal too, some spread evenly, so that no side is preferred.

    Parameters
    ----------
    shares : array, shape (x, y, z)
        0 to 1.
    volume : float, optional
        In voxels; by default what all shares make together.

    Returns
    -------
    kept : array of bool
    how : str
        Which voxels were kept.

    Examples
    --------
    >>> thin = np.array([[[0.4, 0.4, 0.3, 0.0]]])
    >>> kept, how = voxels_by_share(thin)
    >>> int(kept.sum()), how
    (1, 'as many voxels kept as the volume needs, of at least 0.40')
    """
    if volume is None or not shares.any():
        volume = float(shares.sum(dtype=np.float64))
    kept = shares >= HALF - ROUNDING
    if abs(np.count_nonzero(kept) - volume) <= max(_VOLUME_KEPT * volume, HALF) and (
        kept.any() or not volume
    ):
        return kept, f"voxels of at least {HALF:.2f} kept"
    order = _fullest_first(shares)[: max(round(volume), 1)]
    chosen = np.zeros(shares.size, bool)
    chosen[order] = True
    kept = chosen.reshape(shares.shape)
    least = float(shares.ravel()[order[-1]])
    return kept, f"as many voxels kept as the volume needs, of at least {least:.2f}"


def _fullest_first(shares: NDArray[np.floating]) -> NDArray[np.intp]:
    """Linear positions of the voxels with a share, last axis fastest."""
    from scipy.ndimage import uniform_filter

    around = np.rint(uniform_filter(shares, 3, mode="constant").ravel() / ROUNDING)
    steps = np.rint(shares.ravel() / ROUNDING)
    places = np.flatnonzero(steps)
    spread = places * _GOLDEN % 1
    order = np.lexsort((spread, -around[places], -steps[places]))
    return np.asarray(places[order])
