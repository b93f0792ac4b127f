"""CT images: told by their values in Hounsfield units, and cut to what shows the brain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BRAIN_WINDOW = (0.0, 80.0)
"""Hounsfield units between which a brain is looked at: radiology's usual window, 40 ± 40."""

# Air is -1000 by definition of the unit; scanners pad with -1024 to -3024. Fat and tissue begin at
# some -150, so that hardly a voxel lies between. Shares: arbitrary, far from those of heads (air a
# third or more, tissue a quarter of the rest) and of what is alike: phases, velocities, field maps.
_AIR, _SURELY_AIR = -500.0, -850.0
_MIN_AIR = 0.01
_MIN_SURELY = 0.7
_MIN_TISSUE = 0.1


def is_hounsfield(array: NDArray) -> bool:
    """Whether the values of an image are Hounsfield units: air, and tissue of 0 to 80.

    Parameters
    ----------
    array : array
        NaN, and 0 as outside a field of view, count for nothing.

    Examples
    --------
    >>> is_hounsfield(np.array([-1000] * 5 + [35] * 4 + [900]))
    True
    >>> is_hounsfield(np.arange(100))
    False
    """
    if (
        array.dtype.kind not in "if"
        or not array.size
        or not np.fmin.reduce(array, axis=None) < _AIR
    ):
        return False
    values = array[np.isfinite(array) & (array != 0)]
    air, rest = values[values < _AIR], values[values >= _AIR]
    if air.size < _MIN_AIR * values.size or not rest.size:
        return False
    tissue = (rest > BRAIN_WINDOW[0]) & (rest <= BRAIN_WINDOW[1])
    return bool(np.mean(air < _SURELY_AIR) >= _MIN_SURELY and np.mean(tissue) >= _MIN_TISSUE)


def brain_window(array: NDArray) -> NDArray:
    """The same values cut to the brain window where they are Hounsfield units; else as they are.

    Examples
    --------
    >>> brain_window(np.array([-1000] * 5 + [35] * 4 + [900]))[-3:].tolist()
    [35, 35, 80]
    """
    if not is_hounsfield(array):
        return array
    low, high = (array.dtype.type(edge) for edge in BRAIN_WINDOW)
    return np.clip(array, low, high)
