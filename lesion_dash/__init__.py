"""Lesion masks in a common brain space: size topography, overlap, and the regions it falls in."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assignment import Assignment, assign_regions
    from .atlas import LabelAtlas, ProbabilityAtlas, find_atlases, load_atlas
    from .cohort import Cohort, Patient, load_cohort
    from .comparison import Overlap, overlap
    from .components import Components, find_components
    from .errors import Cancelled, InputError, LesionDashError
    from .grid import Grid
    from .images import Map, Mask, read_map, read_mask
    from .loads import LesionLoad, lesion_load
    from .points import PointAssignment, assign_points
    from .regions import RegionCounts, count_regions
    from .topography import VolumeStats, volume_stats

_ROOMS = {
    "assignment": ("Assignment", "assign_regions"),
    "atlas": ("LabelAtlas", "ProbabilityAtlas", "find_atlases", "load_atlas"),
    "cohort": ("Cohort", "Patient", "load_cohort"),
    "components": ("Components", "find_components"),
    "errors": ("Cancelled", "InputError", "LesionDashError"),
    "grid": ("Grid",),
    "images": ("Map", "Mask", "read_map", "read_mask"),
    "points": ("PointAssignment", "assign_points"),
    "comparison": ("Overlap", "overlap"),
    "loads": ("LesionLoad", "lesion_load"),
    "regions": ("RegionCounts", "count_regions"),
    "topography": ("VolumeStats", "volume_stats"),
}

__all__ = [
    "Assignment",
    "Cancelled",
    "Cohort",
    "Components",
    "Grid",
    "InputError",
    "LabelAtlas",
    "LesionDashError",
    "LesionLoad",
    "Map",
    "Mask",
    "Overlap",
    "Patient",
    "PointAssignment",
    "ProbabilityAtlas",
    "RegionCounts",
    "VolumeStats",
    "assign_points",
    "assign_regions",
    "count_regions",
    "find_atlases",
    "find_components",
    "lesion_load",
    "load_atlas",
    "load_cohort",
    "overlap",
    "read_map",
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
