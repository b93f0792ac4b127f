"""What the colours of a map of lesion sizes stand for: the same on the page and in the report."""

from __future__ import annotations

import numpy as np

from .topography import VolumeStats

ML = 1000.0
"""mm³ in a mL."""

COLORMAPS = {"n": "viridis", "mean": "plasma", "std": "cividis", "median": "plasma"}
TITLES = {
    "n": "Patients per voxel",
    "mean": "Mean total lesion volume",
    "std": "SD of total lesion volume",
    "median": "Median total lesion volume",
}
_RANGE_PATIENTS = 5


def display_unit(key: str) -> tuple[float, str]:
    """What the values of a map are multiplied with to be shown, and their unit then."""
    return (1.0, "patients") if key == "n" else (1 / ML, "mL")


def fixed_maximum(everywhere: VolumeStats, key: str, factor: float) -> float:
    """The end of the colour scale: it depends on the cohort and never on the threshold.

    Voxels of one or two patients hold single, extreme volumes that would push all others into the
    first colours, so the range is that of voxels with a usual number of patients, but for the
    highest hundredth.

    Parameters
    ----------
    everywhere : VolumeStats
        Of at least one patient.
    key : str
        One of `TITLES`.
    factor : float
        From `display_unit`.
    """
    n = everywhere.values["n"]
    if not n.size:
        return 1.0
    if key == "n":
        return counted_maximum(int(n.max()))
    usual = everywhere.values[key][n >= min(_RANGE_PATIENTS, n.max())]
    return nice_ceiling(float(np.percentile(usual, 99)) * factor)


def counted_maximum(most: int) -> float:
    """The end of the scale of patients: its quarters are whole patients.

    Examples
    --------
    >>> counted_maximum(14)
    16.0
    """
    return float(-(-most // 4) * 4)


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
