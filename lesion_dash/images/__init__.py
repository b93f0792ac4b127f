"""The door for images: every NIfTI file is read, checked and written here."""

from nibabel.spatialimages import SpatialImage

from .header import Header, HeaderFault
from .labels import read_labels
from .maps import Map, nifti_bytes
from .masks import BINARY, Choice, Mask, MaskLike, as_mask, mask_of, read_mask, volume_grid
from .reading import Stored, read_header, read_stored

__all__ = [
    "BINARY",
    "Choice",
    "Header",
    "HeaderFault",
    "Map",
    "Mask",
    "MaskLike",
    "SpatialImage",
    "Stored",
    "as_mask",
    "mask_of",
    "nifti_bytes",
    "read_header",
    "read_labels",
    "read_mask",
    "read_stored",
    "volume_grid",
]
