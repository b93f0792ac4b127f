"""Lesion masks in a common brain space: size topography, overlap, and the regions it falls in."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

# Where each public name is; ``__init__.pyi`` says so to type checkers.
_HOMES = {
    "atlas.atlas": "LabelAtlas ProbabilityAtlas",
    "atlas.finding": "find_atlases",
    "atlas.loading": "load_atlas",
    "cohort.cohort": "Cohort",
    "cohort.columns": "Column describe_columns",
    "cohort.conditions": "Condition parse_condition parse_conditions restrict_cohort",
    "cohort.loading": "load_cohort",
    "cohort.participants": "Patient",
    "core.errors": "Cancelled InputError LesionDashError",
    "core.grid": "Grid",
    "images.events": "Conditions read_conditions read_groups",
    "images.maps": "Map read_map",
    "images.masks": "Mask read_mask",
    "images.series": "Series read_series smooth_series",
    "regions.assignment": "Assignment assign_regions",
    "regions.counts": "RegionCounts count_regions",
    "regions.differences": "RegionDifferences region_differences",
    "regions.load": "LesionLoad lesion_load",
    "regions.points": "PointAssignment assign_points",
    "report.findings": "ReportRequest",
    "report.report": "Report make_report save_report",
    "rois.recipe": "InsideFile InsideRegions MoreIn RoiRecipe RoiRun run_recipe",
    "rois.saving": "save_rois script_of",
    "rois.sources": "CohortsSource ImagesSource MapSource ScoreSource SeriesSource SplitSource",
    "rois.steps": (
        "FillHoles Morph Threshold Within fill_holes mask_of_regions morph_mask run_steps"
    ),
    "rois.values": "RoiValues Rois find_rois load_in_rois signal_in_rois",
    "scans.arrays": "StoredArray read_array",
    "scans.conversion": "convert_array",
    "scans.inspection": "Inspection inspect_image",
    "scans.region_masks": "mask_image",
    "scans.registration.register": "register_image",
    "scans.registration.task": "Registration",
    "scans.signal": "measure_signal snr_by_region temporal_snr",
    "scans.signal_measures": "SignalQuality",
    "stats.components": "Components find_components",
    "stats.contrast": "Contrast correct_contrast",
    "stats.coverage": "Coverage threshold_coverage",
    "stats.differences": "CohortDifferences cohort_differences",
    "stats.group_contrasts": "contrast_cohorts contrast_conditions contrast_scores split_cohort",
    "stats.overlap": "Overlap overlap",
    "stats.permutation": "permute_volumes",
    "stats.size_bias": (
        "MeanContrast SizeClusters VolumePermutations find_size_clusters mean_contrast"
    ),
    "stats.topography": "VolumeStats volume_stats",
    "transforms.files": "read_transform",
    "transforms.transform": "Transform chain_transforms",
    "transforms.warping": "warp_any warp_labels warp_map warp_mask",
}

__all__ = [name for names in _HOMES.values() for name in names.split()]


def __getattr__(name: str) -> Any:
    """Import a module when its first name is asked for, so that ``--help`` need not wait."""
    if name == "__version__":
        return version("lesion-dash")
    for module, names in _HOMES.items():
        if name in names.split():
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
