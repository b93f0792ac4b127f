"""Lesion masks in a common brain space: size topography, overlap, and the regions it falls in."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .arrays import StoredArray, convert_array, read_array
    from .assignment import Assignment, assign_regions
    from .atlas import LabelAtlas, ProbabilityAtlas, find_atlases, load_atlas
    from .cohort import Cohort, Patient, load_cohort
    from .comparison import Overlap, overlap
    from .components import Components, find_components
    from .conditions import Conditions, read_conditions, read_groups
    from .contrasts import (
        Contrast,
        contrast_cohorts,
        contrast_conditions,
        contrast_scores,
        correct_contrast,
        split_cohort,
    )
    from .differences import CohortDifferences, cohort_differences
    from .errors import Cancelled, InputError, LesionDashError
    from .grid import Grid
    from .images import Map, Mask, Series, read_map, read_mask, read_series, smooth_series
    from .inspection import Inspection, inspect_image
    from .loads import LesionLoad, lesion_load
    from .points import PointAssignment, assign_points
    from .region_masks import mask_image
    from .regional_differences import RegionDifferences, region_differences
    from .regions import RegionCounts, count_regions
    from .registration import Registration, register_image
    from .report import Report, ReportRequest, make_report, save_report
    from .roi import (
        CohortsSource,
        FillHoles,
        ImagesSource,
        InsideFile,
        InsideRegions,
        MapSource,
        MoreIn,
        Morph,
        RoiRecipe,
        RoiRun,
        Rois,
        RoiValues,
        ScoreSource,
        SeriesSource,
        SplitSource,
        Threshold,
        Within,
        fill_holes,
        find_rois,
        load_in_rois,
        mask_of_regions,
        morph_mask,
        run_recipe,
        run_steps,
        save_rois,
        script_of,
        signal_in_rois,
    )
    from .signal_quality import SignalQuality, measure_signal, snr_by_region, temporal_snr
    from .size_bias import (
        MeanContrast,
        SizeClusters,
        VolumePermutations,
        find_size_clusters,
        mean_contrast,
        permute_volumes,
    )
    from .subgroups import (
        Column,
        Condition,
        describe_columns,
        parse_condition,
        parse_conditions,
        restrict_cohort,
    )
    from .thresholds import Coverage, threshold_coverage
    from .topography import VolumeStats, volume_stats
    from .transforms import (
        Transform,
        chain_transforms,
        read_transform,
        warp_any,
        warp_labels,
        warp_map,
        warp_mask,
    )

_ROOMS = {
    "arrays": ("StoredArray", "convert_array", "read_array"),
    "assignment": ("Assignment", "assign_regions"),
    "atlas": ("LabelAtlas", "ProbabilityAtlas", "find_atlases", "load_atlas"),
    "cohort": ("Cohort", "Patient", "load_cohort"),
    "components": ("Components", "find_components"),
    "conditions": ("Conditions", "read_conditions", "read_groups"),
    "contrasts": (
        "Contrast",
        "contrast_cohorts",
        "contrast_conditions",
        "contrast_scores",
        "correct_contrast",
        "split_cohort",
    ),
    "errors": ("Cancelled", "InputError", "LesionDashError"),
    "grid": ("Grid",),
    "images": ("Map", "Mask", "Series", "read_map", "read_mask", "read_series", "smooth_series"),
    "inspection": ("Inspection", "inspect_image"),
    "points": ("PointAssignment", "assign_points"),
    "comparison": ("Overlap", "overlap"),
    "loads": ("LesionLoad", "lesion_load"),
    "regional_differences": ("RegionDifferences", "region_differences"),
    "regions": ("RegionCounts", "count_regions"),
    "roi": (
        "CohortsSource",
        "FillHoles",
        "ImagesSource",
        "InsideFile",
        "InsideRegions",
        "MapSource",
        "MoreIn",
        "Morph",
        "RoiRecipe",
        "RoiRun",
        "RoiValues",
        "Rois",
        "ScoreSource",
        "SeriesSource",
        "SplitSource",
        "Threshold",
        "Within",
        "fill_holes",
        "find_rois",
        "load_in_rois",
        "mask_of_regions",
        "morph_mask",
        "run_recipe",
        "run_steps",
        "save_rois",
        "script_of",
        "signal_in_rois",
    ),
    "region_masks": ("mask_image",),
    "registration": ("Registration", "register_image"),
    "report": ("Report", "ReportRequest", "make_report", "save_report"),
    "signal_quality": ("SignalQuality", "measure_signal", "snr_by_region", "temporal_snr"),
    "size_bias": (
        "MeanContrast",
        "SizeClusters",
        "VolumePermutations",
        "find_size_clusters",
        "mean_contrast",
        "permute_volumes",
    ),
    "subgroups": (
        "Column",
        "Condition",
        "describe_columns",
        "parse_condition",
        "parse_conditions",
        "restrict_cohort",
    ),
    "thresholds": ("Coverage", "threshold_coverage"),
    "differences": ("CohortDifferences", "cohort_differences"),
    "topography": ("VolumeStats", "volume_stats"),
    "transforms": (
        "Transform",
        "chain_transforms",
        "read_transform",
        "warp_any",
        "warp_labels",
        "warp_map",
        "warp_mask",
    ),
}

__all__ = [
    "Assignment",
    "Cancelled",
    "Cohort",
    "CohortDifferences",
    "CohortsSource",
    "Column",
    "Components",
    "Condition",
    "Conditions",
    "Contrast",
    "Coverage",
    "FillHoles",
    "Grid",
    "ImagesSource",
    "InputError",
    "InsideFile",
    "InsideRegions",
    "Inspection",
    "LabelAtlas",
    "LesionDashError",
    "LesionLoad",
    "Map",
    "MapSource",
    "Mask",
    "MeanContrast",
    "MoreIn",
    "Morph",
    "Overlap",
    "Patient",
    "PointAssignment",
    "ProbabilityAtlas",
    "RegionCounts",
    "RegionDifferences",
    "Registration",
    "Report",
    "ReportRequest",
    "RoiRecipe",
    "RoiRun",
    "RoiValues",
    "Rois",
    "ScoreSource",
    "Series",
    "SeriesSource",
    "SignalQuality",
    "SizeClusters",
    "SplitSource",
    "StoredArray",
    "Threshold",
    "Transform",
    "VolumePermutations",
    "VolumeStats",
    "Within",
    "assign_points",
    "assign_regions",
    "chain_transforms",
    "cohort_differences",
    "contrast_cohorts",
    "contrast_conditions",
    "contrast_scores",
    "convert_array",
    "correct_contrast",
    "count_regions",
    "describe_columns",
    "fill_holes",
    "find_atlases",
    "find_components",
    "find_rois",
    "find_size_clusters",
    "inspect_image",
    "lesion_load",
    "load_atlas",
    "load_cohort",
    "load_in_rois",
    "make_report",
    "mask_image",
    "mask_of_regions",
    "mean_contrast",
    "measure_signal",
    "morph_mask",
    "overlap",
    "parse_condition",
    "parse_conditions",
    "permute_volumes",
    "read_array",
    "read_conditions",
    "read_groups",
    "read_map",
    "read_mask",
    "read_series",
    "read_transform",
    "region_differences",
    "register_image",
    "restrict_cohort",
    "run_recipe",
    "run_steps",
    "save_report",
    "save_rois",
    "script_of",
    "signal_in_rois",
    "smooth_series",
    "snr_by_region",
    "split_cohort",
    "temporal_snr",
    "threshold_coverage",
    "volume_stats",
    "warp_any",
    "warp_labels",
    "warp_map",
    "warp_mask",
]


def __getattr__(name: str) -> Any:
    """Import a room when its first name is asked for, so that ``--help`` need not wait."""
    if name == "__version__":
        return version("lesion-dash")
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f".{room}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
