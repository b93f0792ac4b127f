"""Masks of one region, brought to the grid of an image, and the image inside them."""

from .binary import binary_mask
from .choosing import pick_region
from .masked import MaskedImage, mask_image
from .native import native_region
from .placing import place_mask, space_notes
from .reading import DEFAULT_THRESHOLD, RegionMap, read_region

__all__ = [
    "DEFAULT_THRESHOLD",
    "MaskedImage",
    "RegionMap",
    "binary_mask",
    "mask_image",
    "native_region",
    "pick_region",
    "place_mask",
    "read_region",
    "space_notes",
]
