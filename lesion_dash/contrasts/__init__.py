"""Contrasts: where two groups of images differ, voxel by voxel."""

from .cohorts import contrast_cohorts
from .contrast import TESTS, Contrast, ContrastTest
from .correction import CORRECTIONS, Correction, correct_contrast
from .scores import contrast_scores
from .splitting import split_cohort
from .volumes import contrast_conditions

__all__ = [
    "CORRECTIONS",
    "TESTS",
    "Contrast",
    "ContrastTest",
    "Correction",
    "contrast_cohorts",
    "contrast_conditions",
    "contrast_scores",
    "correct_contrast",
    "split_cohort",
]
