"""Write an image as the parts of a file, compressed where its name says so."""

from __future__ import annotations

import gzip

from nibabel.nifti1 import Nifti1Image

from .maps import nifti_bytes, nifti_parts

__all__ = ["ENDINGS", "Nifti1Image", "compressed", "file_parts"]

ENDINGS = (".nii", ".nii.gz")
_LEVEL = 6  # of gzip; more takes long and gains little


def file_parts(image: Nifti1Image, name: str) -> tuple[bytes | memoryview, ...]:
    """The content of a ``.nii`` or ``.nii.gz`` file, in parts that follow one another.

    The same image always gives the same bytes: no time and no name is kept in the compressed file.

    Parameters
    ----------
    image : nibabel image
    name : str
        Of the file.
    """
    if not name.lower().endswith(".gz"):
        return nifti_parts(image)
    return (compressed(nifti_bytes(image)),)


def compressed(content: bytes) -> bytes:
    """Content as a gzip file that holds neither a time nor a name."""
    return gzip.compress(content, _LEVEL, mtime=0)
