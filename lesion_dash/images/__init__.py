"""The door for images: every NIfTI file is read, checked and written here."""

from nibabel.spatialimages import SpatialImage

from .header import Header, HeaderFault
from .labels import NotWhole, read_labels
from .lesions import BINARY, Choice, Lesion, find_lesion, volume_grid
from .maps import Map, MapLike, as_map, nifti_bytes, nifti_parts, read_map
from .masks import Mask, MaskLike, as_mask, mask_of, read_mask
from .reading import Stored, read_header, read_stored
from .resampling import resample_map
from .volumes import Progress, Volumes, count_volumes, read_volumes

__all__ = [
    "BINARY",
    "Choice",
    "Header",
    "HeaderFault",
    "Lesion",
    "Map",
    "MapLike",
    "Mask",
    "MaskLike",
    "NotWhole",
    "Progress",
    "SpatialImage",
    "Stored",
    "Volumes",
    "as_map",
    "as_mask",
    "count_volumes",
    "find_lesion",
    "mask_of",
    "nifti_bytes",
    "nifti_parts",
    "read_header",
    "read_labels",
    "read_map",
    "read_mask",
    "read_stored",
    "read_volumes",
    "resample_map",
    "volume_grid",
]
