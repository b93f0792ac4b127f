"""Regions of interest: from a map by threshold and morphology, and what lies in them."""

from .cohort_sources import CohortsSource, ScoreSource, SplitSource
from .data import RoiData
from .image_sources import ImagesSource, MapSource, SeriesSource
from .morphology import ball, fill_holes, morph_mask
from .recipe import InsideFile, InsideRegions, MoreIn, RecipeStep, RoiRecipe, Source
from .regions_of_interest import Roi, Rois, find_rois
from .run import RoiRun, run_recipe
from .saving import add_run, names_of_run, run_files, save_rois
from .script import script_of
from .steps import FillHoles, Morph, Side, Step, Threshold, Within, mask_of_regions, run_steps
from .values import CAUTION, RoiValues, load_in_rois, signal_in_rois

__all__ = [
    "CAUTION",
    "CohortsSource",
    "FillHoles",
    "ImagesSource",
    "InsideFile",
    "InsideRegions",
    "MapSource",
    "MoreIn",
    "Morph",
    "RecipeStep",
    "Roi",
    "RoiData",
    "RoiRecipe",
    "RoiRun",
    "RoiValues",
    "Rois",
    "ScoreSource",
    "SeriesSource",
    "Side",
    "Source",
    "SplitSource",
    "Step",
    "Threshold",
    "Within",
    "add_run",
    "ball",
    "fill_holes",
    "find_rois",
    "load_in_rois",
    "mask_of_regions",
    "morph_mask",
    "names_of_run",
    "run_files",
    "run_recipe",
    "run_steps",
    "save_rois",
    "script_of",
    "signal_in_rois",
]
