"""Whether lesions at a voxel are larger than the cohort's: contrasts of the mean, permutations."""

from .clusters import SizeCluster, SizeClusters, find_size_clusters
from .means import MeanContrast, mean_contrast
from .permuting import permute_volumes
from .volume_permutations import SIDES, STATEMENT, Side, VolumePermutations

__all__ = [
    "SIDES",
    "STATEMENT",
    "MeanContrast",
    "Side",
    "SizeCluster",
    "SizeClusters",
    "VolumePermutations",
    "find_size_clusters",
    "mean_contrast",
    "permute_volumes",
]
