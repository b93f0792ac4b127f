"""Arrays without a space: .npy, .npz and .pkl files, read without running them, made images."""

from .conversion import Converted, convert_array
from .placement import Placement, read_affine
from .reading import ENDINGS, StoredArray, read_array

__all__ = [
    "ENDINGS",
    "Converted",
    "Placement",
    "StoredArray",
    "convert_array",
    "read_affine",
    "read_array",
]
