"""Choices and data in, frozen results out; each is computed once. No science of its own."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from ..atlas import OUTSIDE, Atlas, load_atlas
from ..cohort import Cohort, load_cohort
from ..comparison import FILE_NAME as OVERLAP_FILE
from ..comparison import Overlap, overlap
from ..compute import SCHEDULER_VARIABLE
from ..images import Map, Mask, nifti_bytes
from ..plots import BOTH, ONLY_A, ONLY_B, OVERLAP_CLASSES, Layer, to_levels
from ..regions import FILE_NAME as REGIONS_FILE
from ..regions import RegionCounts, count_regions
from ..tables import csv_bytes
from ..thresholds import threshold_coverage
from ..topography import FILE_NAMES, VolumeStats, volume_stats
from .data_root import DataRoot
from .picture import Mm, Picture
from .state import Selection

ML = 1000.0
"""mm³ in a mL."""

PATIENTS_FILE = "patients.csv"

_COLORMAPS = {"n": "viridis", "mean": "plasma", "std": "cividis", "median": "plasma"}
_TITLES = {
    "n": "Patients per voxel",
    "mean": "Mean total lesion volume",
    "std": "SD of total lesion volume",
    "median": "Median total lesion volume",
}
_RANGE_PATIENTS = 5

T = TypeVar("T")


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


@dataclass(frozen=True)
class Readout:
    """What is known of one place.

    Parameters
    ----------
    mm : tuple of float
        MNI coordinates in mm.
    region : str
        Name in the atlas, empty where there is no atlas or no region.
    patients : int
        Patients of A lesioned there.
    mean_ml, std_ml : float
        Of their total lesion volumes, in mL; NaN where there are no patients.
    patients_b : int or None
        Patients of B lesioned there, None where there is no B.
    """

    mm: Mm
    region: str
    patients: int
    mean_ml: float
    std_ml: float
    patients_b: int | None


@dataclass(eq=False)
class Session:
    """Cohorts, atlases and what follows from a selection of them.

    Parameters
    ----------
    root : DataRoot
        Where folders and atlases are looked up by name.
    """

    root: DataRoot
    _cohorts: _Cache = field(default_factory=lambda: _Cache(4))
    _atlases: _Cache = field(default_factory=lambda: _Cache(4))
    _stats: _Cache = field(default_factory=lambda: _Cache(4))
    _overlaps: _Cache = field(default_factory=lambda: _Cache(4))
    _regions: _Cache = field(default_factory=lambda: _Cache(32))

    def load(
        self,
        name: str,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> Cohort:
        """Read a folder of the data root into a cohort, or take it from the cache."""

        def read() -> Cohort:
            folder = self.root.cohort_folder(name)
            cohort = load_cohort(
                folder,
                progress=progress,
                cancelled=cancelled,
                within=self.root.path,
                notice=notice,
                scheduler=os.environ.get(SCHEDULER_VARIABLE, "").strip() or None,
            )
            # Done here, beside the page, so that the slider never waits.
            volume_stats(cohort, 1)
            threshold_coverage(cohort)
            return cohort

        return self._cohorts.get(name, read)

    def has(self, name: str) -> bool:
        """Whether a folder is already read."""
        return name in self._cohorts

    def check_pair(self, a: str, b: str) -> None:
        """Raise InputError where two cohorts cannot be compared, with the difference."""
        if a and b:
            self.overlap(Selection(a, b, 1))

    def cohort(self, name: str) -> Cohort | None:
        """A cohort that was loaded, None for the empty name."""
        return self.load(name) if name else None

    def atlas(self, name: str, progress: Callable[[int, int], None] | None = None) -> Atlas | None:
        """An atlas of the data root, None for the empty name; see `load_atlas`."""

        def read() -> Atlas:
            atlas = load_atlas(*self.root.atlas_files(name), progress)
            atlas.region_at((0.0, 0.0, 0.0))  # sorted by voxels here, so that no click waits
            return atlas

        return self._atlases.get(name, read) if name else None

    def has_atlas(self, name: str) -> bool:
        """Whether an atlas is already read."""
        return name in self._atlases

    def most_patients(self, name: str) -> int:
        """The largest number of patients at any voxel, at least 1."""
        counts = self._stats_of(name, 1).values["n"]
        return int(counts.max()) if counts.size else 1

    def peak(self, selection: Selection) -> Mm:
        """Where most patients of A are lesioned, in mm."""
        stats = self._stats_of(selection.cohort_a, 1)
        if not stats.indices.size:
            return (0.0, 0.0, 0.0)
        x, y, z = stats.grid.mm_of_index(stats.indices[[np.argmax(stats.values["n"])]])[0]
        return (float(x), float(y), float(z))

    def stats(self, selection: Selection) -> VolumeStats:
        """Lesion size topography of A."""
        return self._stats_of(selection.cohort_a, selection.min_patients)

    def overlap(self, selection: Selection) -> Overlap | None:
        """A and B at the threshold, None without B."""
        a, b = self.cohort(selection.cohort_a), self.cohort(selection.cohort_b)
        if a is None or b is None:
            return None
        k = selection.min_patients
        key = (selection.cohort_a, selection.cohort_b, k)
        return self._overlaps.get(key, lambda: overlap(a.at_least(k), b.at_least(k)))

    def counted_mask(self, selection: Selection) -> Mask:
        """The map whose voxels the region table counts: the overlap, or A at the threshold."""
        found = self.overlap(selection)
        if found is not None:
            return found.both
        cohort = self.load(selection.cohort_a)
        return cohort.at_least(selection.min_patients)

    def regions(self, selection: Selection) -> RegionCounts | None:
        """Voxels of the counted map in each region, None without an atlas."""
        atlas = self.atlas(selection.atlas) if selection.cohort_a else None
        if atlas is None:
            return None
        key = (selection.cohort_a, selection.cohort_b, selection.min_patients, selection.atlas)
        return self._regions.get(key, lambda: count_regions(self.counted_mask(selection), atlas))

    def scale(self, selection: Selection) -> Scale:
        """What the colours of the selected map stand for."""
        if selection.map_key == "overlap":
            title = f"Voxels with at least {selection.min_patients} patients in A, in B, in both"
            return Scale(title, "", 255.0, False, "")
        everywhere = self._stats_of(selection.cohort_a, 1)
        shown = self.stats(selection).values[selection.map_key]
        factor, unit = _display_unit(selection.map_key)
        maximum = _fixed_maximum(everywhere, selection.map_key, factor)
        exceeded = bool(shown.size and np.nanmax(shown) * factor > maximum)
        of_a = " of A" if selection.cohort_b else ""
        where = f"where ≥ {selection.min_patients} patients are lesioned"
        title = f"{_TITLES[selection.map_key]}{of_a}, {where}"
        return Scale(title, unit, maximum, exceeded, _COLORMAPS[selection.map_key])

    def picture(self, selection: Selection) -> Picture:
        """The selected map in the levels of its colour table, for the viewer."""
        cohort = self.load(selection.cohort_a)
        flat = np.zeros(cohort.grid.size, np.uint8)
        found = self.overlap(selection) if selection.map_key == "overlap" else None
        if found is not None:
            for mask, one in ((found.only_a, ONLY_A), (found.only_b, ONLY_B), (found.both, BOTH)):
                flat[mask.indices] = one.value
            return Picture(flat.reshape(cohort.grid.shape, order="F"), cohort.grid, "")
        stats, scale = self.stats(selection), self.scale(selection)
        factor, _ = _display_unit(selection.map_key)
        flat[stats.indices] = to_levels(stats.values[selection.map_key] * factor, scale.maximum)
        return Picture(flat.reshape(cohort.grid.shape, order="F"), cohort.grid, scale.colormap)

    def layer(self, selection: Selection) -> Layer:
        """The selected map with its unit and colours, for nilearn."""
        scale = self.scale(selection)
        if selection.map_key == "overlap":
            levels = self.picture(selection).levels
            grid = self.load(selection.cohort_a).grid
            return Layer(levels, grid, scale.title, "", 255.0, classes=OVERLAP_CLASSES)
        found = self._map(selection, selection.map_key)
        factor, unit = _display_unit(selection.map_key)
        array = found.array * factor
        return Layer(array, found.grid, scale.title, unit, scale.maximum, scale.colormap)

    def readout(self, selection: Selection, mm: Mm) -> Readout:
        """What is known of a place: region, patients, their mean volume and its SD."""
        atlas = self.atlas(selection.atlas)
        found = atlas.region_at(mm) if atlas is not None else OUTSIDE
        region = "" if found == OUTSIDE else found
        if not selection.cohort_a:
            return Readout(mm, region, 0, float("nan"), float("nan"), None)
        n, mean, std = self._values_at(selection.cohort_a, mm)
        n_b = self._values_at(selection.cohort_b, mm)[0] if selection.cohort_b else None
        return Readout(mm, region, int(n), mean / ML, std / ML, None if n_b is None else int(n_b))

    def file_names(self, selection: Selection) -> tuple[str, ...]:
        """The files that can be saved now, under the names the command line gives them."""
        if not selection.cohort_a:
            return ()
        both = (OVERLAP_FILE,) if selection.cohort_b else ()
        regions = (REGIONS_FILE,) if selection.atlas else ()
        return (*FILE_NAMES.values(), *both, *regions, PATIENTS_FILE)

    def file_bytes(self, selection: Selection, name: str) -> bytes:
        """The content of one of `file_names`."""
        if name not in self.file_names(selection):
            raise KeyError(name)
        if name == REGIONS_FILE:
            counts = self.regions(selection)
            assert counts is not None
            return csv_bytes(counts.table)
        if name == PATIENTS_FILE:
            return csv_bytes(self.load(selection.cohort_a).files_table)
        if name == OVERLAP_FILE:
            return nifti_bytes(self.counted_mask(selection).to_nifti())
        key = next(key for key, file in FILE_NAMES.items() if file == name)
        return nifti_bytes(self._map(selection, key).to_nifti())

    def _stats_of(self, name: str, min_patients: int) -> VolumeStats:
        cohort = self.load(name)
        return self._stats.get((name, min_patients), lambda: volume_stats(cohort, min_patients))

    def _map(self, selection: Selection, key: str) -> Map:
        found: Map = getattr(self.stats(selection), key)
        return found

    def _values_at(self, name: str, mm: Mm) -> tuple[float, float, float]:
        stats = self._stats_of(name, 1)
        voxel = stats.grid.nearest_voxel(mm)
        if voxel is not None:
            wanted = stats.grid.linear_index(voxel)
            at = int(np.searchsorted(stats.indices, wanted))
            if at < stats.indices.size and stats.indices[at] == wanted:
                n, mean, std = (float(stats.values[key][at]) for key in ("n", "mean", "std"))
                return n, mean, std
        return 0.0, float("nan"), float("nan")


class _Cache:
    """The results asked for last, by key; made once, whichever threads ask at the same time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.RLock] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            making = self._making.setdefault(key, threading.RLock())
        with making:
            found: T = self._kept[key] if key in self._kept else make()
            with self._lock:
                self._kept[key] = found
                self._kept.move_to_end(key)
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
                self._making.pop(key, None)
        return found


def _display_unit(map_key: str) -> tuple[float, str]:
    return (1.0, "patients") if map_key == "n" else (1 / ML, "mL")


def _fixed_maximum(everywhere: VolumeStats, map_key: str, factor: float) -> float:
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
