"""Atlases: which region each voxel belongs to, or how likely."""

from .finding import (
    atlases_in,
    find_atlases,
    find_label_table,
    find_maps_table,
    name_atlases,
)
from .fit import doubts
from .groups import By, group_regions
from .labelled import OUTSIDE, TIE_MM, LabelAtlas
from .listing import Listed, list_atlases
from .loading import atlas_of, load_atlas
from .probabilities import ProbabilityAtlas, resample_sparse
from .scale import check_scale, to_probabilities
from .sides import SWAPPED, check_sides, hemisphere_of, parent_of

Atlas = LabelAtlas | ProbabilityAtlas

__all__ = [
    "OUTSIDE",
    "SWAPPED",
    "TIE_MM",
    "Atlas",
    "By",
    "LabelAtlas",
    "Listed",
    "ProbabilityAtlas",
    "atlas_of",
    "atlases_in",
    "check_scale",
    "check_sides",
    "doubts",
    "find_atlases",
    "find_label_table",
    "find_maps_table",
    "group_regions",
    "hemisphere_of",
    "list_atlases",
    "load_atlas",
    "name_atlases",
    "parent_of",
    "resample_sparse",
    "to_probabilities",
]
