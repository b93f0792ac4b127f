"""Lesion masks in a common brain space: size topography, overlap, and the regions it falls in."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .atlas import LabelAtlas, ProbabilityAtlas, find_atlases, load_atlas
    from .cohort import Cohort, Patient, load_cohort
    from .comparison import Overlap, overlap
    from .errors import Cancelled, InputError, LesionDashError
    from .grid import Grid
    from .images import Map, Mask, read_mask
    from .regions import RegionCounts, count_regions
    from .topography import VolumeStats, volume_stats

_ROOMS = {
    "atlas": ("LabelAtlas", "ProbabilityAtlas", "find_atlases", "load_atlas"),
    "cohort": ("Cohort", "Patient", "load_cohort"),
    "errors": ("Cancelled", "InputError", "LesionDashError"),
    "grid": ("Grid",),
    "images": ("Map", "Mask", "read_mask"),
    "comparison": ("Overlap", "overlap"),
    "regions": ("RegionCounts", "count_regions"),
    "topography": ("VolumeStats", "volume_stats"),
}

__all__ = [
    "Cancelled",
    "Cohort",
    "Grid",
    "InputError",
    "LabelAtlas",
    "LesionDashError",
    "Map",
    "Mask",
    "Overlap",
    "Patient",
    "ProbabilityAtlas",
    "RegionCounts",
    "VolumeStats",
    "count_regions",
    "find_atlases",
    "load_atlas",
    "load_cohort",
    "overlap",
    "read_mask",
    "volume_stats",
]


def __getattr__(name: str) -> Any:
    """Import a room when its first name is asked for, so that ``--help`` need not wait."""
    if name == "__version__":
        return version("lesion-dash")
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f".{room}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
