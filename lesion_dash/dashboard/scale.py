"""What the colours of a map stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..topography import VolumeStats

ML = 1000.0
"""mm³ in a mL."""

_RANGE_PATIENTS = 5


@dataclass(frozen=True)
class Scale:
    """What the colours of a map stand for.

    Parameters
    ----------
    title : str
        The map in words.
    unit : str
        ``mL`` or ``patients``, empty for the overlap.
    maximum : float
        Value of the last colour; fixed for a cohort, so that colours keep their meaning while the
        threshold moves.
    exceeded : bool
        Whether any voxel of the map lies above the last colour.
    colormap : str
        Name of the colour table, empty for the overlap.
    """

    title: str
    unit: str
    maximum: float
    exceeded: bool
    colormap: str


def display_unit(map_key: str) -> tuple[float, str]:
    """Factor and unit in which a map is shown."""
    return (1.0, "patients") if map_key == "n" else (1 / ML, "mL")


def fixed_maximum(everywhere: VolumeStats, map_key: str, factor: float) -> float:
    """The end of the colour scale: it depends on the cohort and never on the threshold.

    Voxels of one or two patients hold single, extreme volumes that would push all others into the
    first colours, so the range is that of voxels with a usual number of patients, but for the
    highest hundredth.
    """
    n, values = everywhere.values["n"], everywhere.values[map_key]
    if not n.size:
        return 1.0
    if map_key == "n":
        return float(-(-int(n.max()) // 4) * 4)  # so that quarters of the scale are whole patients
    usual = values[n >= min(_RANGE_PATIENTS, n.max())]
    return nice_ceiling(float(np.percentile(usual, 99)) * factor)


def nice_ceiling(value: float) -> float:
    """The next number above that is easy to read on a scale.

    Examples
    --------
    >>> [nice_ceiling(v) for v in (0.0, 7, 11, 43.2, 130)]
    [1.0, 8.0, 12.0, 50.0, 150.0]
    """
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    steps = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return float(next(step * power for step in steps if step * power >= value * (1 - 1e-9)))
