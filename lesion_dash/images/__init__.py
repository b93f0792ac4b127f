"""The door for images: every NIfTI file is read, checked and written here."""

from nibabel.spatialimages import SpatialImage

from .facts import Form, HeaderFacts, axis_codes
from .header import Header, HeaderFault
from .image_file import ImageFile, ImageSource, as_image_file
from .labels import NotWhole, labels_to_nifti, read_labels
from .lesions import BINARY, Choice, Lesion, find_lesion, volume_grid
from .maps import Map, MapLike, as_map, nifti_bytes, nifti_parts, read_map
from .masking import masked_bytes, read_volume
from .masks import Mask, MaskLike, as_mask, mask_of, read_mask
from .reading import Stored, read_header, read_stored
from .resampling import resample_map
from .series import Series, images_of, read_series, smooth_series
from .survey import MOST_DISTINCT, Survey, scale_values, survey_values
from .vectors import read_vectors, vector_nifti
from .volumes import Progress, Volumes, count_volumes, read_volumes

__all__ = [
    "BINARY",
    "MOST_DISTINCT",
    "Choice",
    "Form",
    "Header",
    "HeaderFacts",
    "HeaderFault",
    "ImageFile",
    "ImageSource",
    "Lesion",
    "Map",
    "MapLike",
    "Mask",
    "MaskLike",
    "NotWhole",
    "Progress",
    "Series",
    "SpatialImage",
    "Stored",
    "Survey",
    "Volumes",
    "as_image_file",
    "as_map",
    "as_mask",
    "axis_codes",
    "count_volumes",
    "find_lesion",
    "images_of",
    "labels_to_nifti",
    "mask_of",
    "masked_bytes",
    "nifti_bytes",
    "nifti_parts",
    "read_header",
    "read_labels",
    "read_map",
    "read_mask",
    "read_series",
    "read_stored",
    "read_vectors",
    "read_volume",
    "read_volumes",
    "resample_map",
    "scale_values",
    "smooth_series",
    "survey_values",
    "vector_nifti",
    "volume_grid",
]
