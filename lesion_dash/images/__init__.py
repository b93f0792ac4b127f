"""The door for images: every NIfTI file is read, checked and written here."""

from nibabel.spatialimages import SpatialImage

from .header import Header, HeaderFault
from .labels import read_labels
from .lesions import BINARY, Choice, Lesion, find_lesion, volume_grid
from .maps import Map, nifti_bytes, nifti_parts
from .masks import Mask, MaskLike, as_mask, mask_of, read_mask
from .reading import Stored, read_header, read_stored

__all__ = [
    "BINARY",
    "Choice",
    "Header",
    "HeaderFault",
    "Lesion",
    "Map",
    "Mask",
    "MaskLike",
    "SpatialImage",
    "Stored",
    "as_mask",
    "find_lesion",
    "mask_of",
    "nifti_bytes",
    "nifti_parts",
    "read_header",
    "read_labels",
    "read_mask",
    "read_stored",
    "volume_grid",
]
