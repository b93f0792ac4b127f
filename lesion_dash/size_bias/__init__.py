"""Whether lesions at a voxel are larger than the cohort's: contrasts of the mean, permutations."""

from .means import MeanContrast, mean_contrast
from .permuting import permute_volumes
from .volume_permutations import SIDES, STATEMENT, Side, VolumePermutations

__all__ = [
    "SIDES",
    "STATEMENT",
    "MeanContrast",
    "Side",
    "VolumePermutations",
    "mean_contrast",
    "permute_volumes",
]
