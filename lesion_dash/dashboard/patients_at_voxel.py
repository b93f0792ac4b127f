"""The patients lesioned at one place or in one region, and their volumes among those of all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..cohort.cohort import Cohort
from ..core.text import counted
from ..plotting.figures import ML
from .places import Mm, place_words

if TYPE_CHECKING:
    import pandas as pd

_LEFT, _RIGHT, _ALL, _HERE, _AXIS, _HEIGHT = 64.0, 376.0, 20.0, 52.0, 78.0, 112
_MARK = 11.0  # half the height of a patient's line
_SMALLEST_ML = 0.01  # where an empty mask stands, which a logarithm has no place for


@dataclass(frozen=True, eq=False)
class PatientsAtVoxel:
    """Who is lesioned at a place or in a region.

    Parameters
    ----------
    cohort : str
        Its name.
    where : str
        The place in words, such as ``at MNI −30, 4, 12`` or ``in insula L``.
    table : DataFrame
        The rows of `Cohort.used_table` of these patients; its index is their position there.
    lesioned_ml, all_ml : array of float64
        Total lesion volumes of these patients, and of all.
    """

    cohort: str
    where: str
    table: pd.DataFrame
    lesioned_ml: NDArray[np.float64]
    all_ml: NDArray[np.float64]

    @property
    def summary(self) -> str:
        """How many, where, and how large."""
        everybody = f"of {counted(self.all_ml.size, 'patient')} of {self.cohort}"
        place = f"lesioned {self.where}"
        if not self.lesioned_ml.size:
            return f"none {everybody} is {place}"
        verb = "is" if self.lesioned_ml.size == 1 else "are"
        return f"{self.lesioned_ml.size:,} {everybody} {verb} {place}"


def find_patients_at(cohort: Cohort, table: pd.DataFrame, mm: Mm) -> PatientsAtVoxel:
    """The patients of a cohort lesioned at the voxel that holds a place.

    Parameters
    ----------
    cohort : Cohort
    table : DataFrame
        Its `used_table`, which takes long to make.
    mm : tuple of float
    """
    voxel = cohort.grid.nearest_voxel(mm)
    rows = np.array([], np.int64)
    if voxel is not None:
        rows = cohort.rows_at(cohort.grid.linear_index(voxel))
    volumes = volumes_ml(cohort)
    where = f"at {place_words(mm, cohort.grid)}"
    return PatientsAtVoxel(cohort.name, where, table.iloc[rows], volumes[rows], volumes)


def volumes_ml(cohort: Cohort) -> NDArray[np.float64]:
    """Total lesion volume (mL) of each patient, shape (patients,)."""
    volumes: NDArray[Any] = cohort.volumes * (cohort.grid.voxel_volume / ML)
    return volumes


def volumes_svg(patients: PatientsAtVoxel) -> str:
    """A line for each patient along a logarithmic axis of volume: all above, those here below."""
    largest = max(float(patients.all_ml.max(initial=0)), 1.0)
    smallest = max(float(patients.all_ml.min(initial=largest)), _SMALLEST_ML)
    low, high = math.floor(math.log10(smallest)), math.ceil(math.log10(largest))
    high = max(high, low + 1)

    def across(volume: float) -> float:
        share = (math.log10(max(volume, 10.0**low)) - low) / (high - low)
        return _LEFT + share * (_RIGHT - _LEFT)

    parts = [
        _row(_ALL, "all", patients.all_ml, across, "ld-strip-all"),
        _row(_HERE, "here", patients.lesioned_ml, across, "ld-strip-here"),
    ]
    ticks = [
        f'<text x="{across(10.0**power):.1f}" y="{_AXIS + 14:.0f}">{10.0**power:g}</text>'
        for power in range(low, high + 1)
    ]
    n, total = patients.lesioned_ml.size, patients.all_ml.size
    label = f"Volumes of the {n:,} patients here among all {total:,}"
    return (
        f'<svg class="ld-strip" viewBox="0 0 400 {_HEIGHT}" role="img" aria-label="{label}">'
        f'<path class="ld-strip-axis" d="M{_LEFT} {_AXIS}H{_RIGHT}"/>{"".join(parts)}'
        f'{"".join(ticks)}<text x="{(_LEFT + _RIGHT) / 2}" y="{_HEIGHT - 4}">'
        "total lesion volume (mL, logarithmic); ▲ median</text></svg>"
    )


def _row(
    y: float, words: str, volumes: NDArray, across: Callable[[float], float], name: str
) -> str:
    lines = "".join(f"M{across(volume):.1f} {y - _MARK}V{y + _MARK}" for volume in volumes)
    median = ""
    if volumes.size:
        x = across(float(np.median(volumes)))
        median = f'<path class="ld-strip-median" d="M{x:.1f} {y + 8}l5 9h-10z"/>'
    title = (
        f'<text class="ld-strip-name" x="{_LEFT - 8}" y="{y + 4}">{words} {volumes.size:,}</text>'
    )
    return f'{title}<path class="{name}" d="{lines}"/>{median}'
