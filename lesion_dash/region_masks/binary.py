"""A binary mask, or what makes one of a file that is none."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError, NotBinary
from ..files import as_path, has_image_ending, strip_ending
from ..images import Mask, MaskLike, SpatialImage, as_mask

_SIGN = "_mask"
"""What `lesion-dash mask` adds to the name of an image for that of its mask."""


def binary_mask(source: MaskLike) -> Mask:
    """The mask itself, or the one that is read from a path or a nibabel image.

    Where the choice of a label or a threshold is no option, as for the regions of a measurement,
    a file of several values is refused with the file that was probably meant, or the command that
    makes a mask of it.

    Parameters
    ----------
    source : Mask, path, URL or nibabel image

    Returns
    -------
    Mask

    Raises
    ------
    InputError
        Where it cannot be read, or is no binary mask.

    Examples
    --------
    >>> from lesion_dash.errors import InputError
    >>> try:
    ...     binary_mask("sample_data/atlas/synthetic_atlas.nii.gz")
    ... except InputError as error:
    ...     print(error.remedy)
    give a mask: `lesion-dash mask IMAGE --prob THIS_FILE` cuts out a region and writes its mask beside it
    """  # noqa: E501
    try:
        return as_mask(source)
    except NotBinary as error:
        raise InputError(error.subject, error.problem, _remedy(source)) from None


def _remedy(source: MaskLike) -> str:
    path = None if isinstance(source, Mask | SpatialImage) else as_path(source)
    if isinstance(path, Path) and (beside := _mask_beside(path)):
        return f"give {beside} beside it, its mask"
    command = "`lesion-dash mask IMAGE --prob THIS_FILE`"
    return f"give a mask: {command} cuts out a region and writes its mask beside it"


def _mask_beside(path: Path) -> str:
    """Name of the mask that lies beside an image, empty where there is none."""
    named = f"{strip_ending(path.name)}{_SIGN}"
    names = sorted(file.name for file in path.parent.iterdir() if has_image_ending(file.name))
    return next((name for name in names if strip_ending(name) == named), "")
