"""Atlases: which region each voxel belongs to, or how likely."""

from .finding import find_atlases, find_label_table
from .labelled import OUTSIDE, TIE_MM, LabelAtlas
from .loading import load_atlas
from .probabilities import ProbabilityAtlas, resample_sparse
from .sides import SWAPPED, check_sides

Atlas = LabelAtlas | ProbabilityAtlas

__all__ = [
    "OUTSIDE",
    "SWAPPED",
    "TIE_MM",
    "Atlas",
    "LabelAtlas",
    "ProbabilityAtlas",
    "check_sides",
    "find_atlases",
    "find_label_table",
    "load_atlas",
    "resample_sparse",
]
