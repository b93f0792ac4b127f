"""A registration as a set of files, the same from the command line and from the page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from ..core.defaults import Kind
from ..core.file_names import distinct_names, plain_name
from ..core.notes import note_on
from ..files.reading import checksum
from ..files.writing import FILE_NAME, provenance_bytes
from ..images.maps import Map, file_parts, labels_to_nifti
from ..images.masks import Mask
from ..plotting.figures import figure_bytes
from ..plotting.registration import draw_checkerboard, draw_overlay
from ..scans.registration.task import NotCredible, Registration
from ..transforms.files import field_bytes, itk_text, matrix_text
from .inputs import file_inputs

IMAGE = "registered_image.nii.gz"
LESION = "registered_lesion.nii.gz"
TO_TEMPLATE = "transform_moving_to_template.txt"
TO_MOVING = "transform_template_to_moving.txt"
ITK = "transform_itk.txt"
ITK_AFFINE = "transform_itk_affine.txt"
MOVING_FIELD = "to_moving_field.nii.gz"
TEMPLATE_FIELD = "to_template_field.nii.gz"
QUALITY = "quality.json"
OVERLAY = "overlay.png"
CHECKERBOARD = "checkerboard.png"
REFUSED = "refused.png"

_DPI = 110
"""Of pictures: legible, and below 1 MB; arbitrary."""
_LONGEST = 80
"""Characters of an image's name in that of a file; with the rest below the usual limit of 255."""
_LABELS_END = 2**31
"""Whole numbers below this fit a file of labels."""


def file_names(kind: Kind, has_lesion: bool = False, others: Sequence[str] = ()) -> list[str]:
    """The files of a registration, known before it is run; `others` are brought along.

    Examples
    --------
    >>> file_names("affine", others=["atlas"])[:2]
    ['registered_image.nii.gz', 'registered_atlas.nii.gz']
    """
    lesion = [LESION] if has_lesion else []
    itk = [ITK_AFFINE, MOVING_FIELD, TEMPLATE_FIELD] if kind == "deformable" else [ITK]
    rest = [QUALITY, OVERLAY, CHECKERBOARD, FILE_NAME]
    return [IMAGE, *lesion, *other_names(others), TO_TEMPLATE, TO_MOVING, *itk, *rest]


def other_names(others: Sequence[str]) -> list[str]:
    """A file name for each image that is brought along; they differ, also where A is taken for a.

    Examples
    --------
    >>> other_names(["T2", "t2", "lesion"])
    ['registered_T2.nii.gz', 'registered_t2_2.nii.gz', 'registered_lesion_2.nii.gz']
    """
    names = [f"registered_{plain_name(other, _LONGEST, kept='.-')}" for other in others]
    return distinct_names(names, ".nii.gz", taken=[IMAGE, LESION])


def registration_files(
    registration: Registration, parameters: Mapping[str, Any] | None = None
) -> dict[str, bytes]:
    """The content of every file of a registration.

    Parameters
    ----------
    registration : Registration
    parameters : mapping, optional
        What was chosen, for the provenance.

    Returns
    -------
    dict
        Content by file name, as in `file_names`.
    """
    transform = registration.transform
    images: list[Map | Mask] = [registration.image, *registration.others]
    if registration.lesion is not None:
        images.insert(1, registration.lesion)
    names = file_names(
        registration.kind,
        registration.lesion is not None,
        [other.name for other in registration.others],
    )
    files = {name: image_bytes(image, name) for name, image in zip(names, images, strict=False)}
    files[TO_TEMPLATE] = matrix_text(transform)
    files[TO_MOVING] = matrix_text(transform, inverse=True)
    if transform.to_moving is None or transform.to_template is None:
        files[ITK] = itk_text(transform)
    else:
        files[ITK_AFFINE] = itk_text(transform)
        files[MOVING_FIELD] = field_bytes(transform.to_moving, MOVING_FIELD)
        files[TEMPLATE_FIELD] = field_bytes(transform.to_template, TEMPLATE_FIELD)
    quality = quality_report(registration)
    files[QUALITY] = (json.dumps(quality, indent=2, ensure_ascii=False) + "\n").encode()
    files[OVERLAY] = figure_bytes(draw_overlay(registration), dpi=_DPI)
    files[CHECKERBOARD] = figure_bytes(draw_checkerboard(registration), dpi=_DPI)
    chosen = {"kind": registration.kind, "engine": registration.engine, **(parameters or {})}
    sums = {name: checksum(content) for name, content in files.items()}
    inputs = file_inputs(registration.sources)
    files[FILE_NAME] = provenance_bytes("register", chosen, inputs, quality, sums)
    return files


def refused_picture(error: NotCredible) -> bytes | None:
    """A registration that is not credible, as a PNG file; None where the error has none."""
    if (registration := error.registration) is None:
        return None
    title = f"NOT CREDIBLE: {registration.moving.name} on {registration.template.name}"
    return figure_bytes(draw_overlay(registration, title), dpi=_DPI)


def quality_report(registration: Registration) -> dict[str, Any]:
    """How well the image lies on its template, and the lesion's volumes, by name."""
    report: dict[str, Any] = {
        "kind": registration.kind,
        "engine": registration.engine,
        # JSON has no NaN.
        **{
            name: value if isfinite(value) else None
            for name, value in asdict(registration.quality).items()
        },
    }
    native, lesion = registration.native_lesion, registration.lesion
    if native is not None and lesion is not None:
        report["native_volume_mm3"] = round(native.volume_mm3, 6)
        report["volume_in_template_mm3"] = round(lesion.volume_mm3, 6)
    report["seconds"] = round(registration.seconds, 1)
    report["memory_mb"] = round(registration.memory_mb)
    report["notes"] = all_notes(registration)
    return report


def all_notes(registration: Registration) -> list[str]:
    """What was unusual or decided, each once; those on images begin with their names."""
    images: list[Map | Mask] = [*registration.others]
    if registration.lesion is not None:
        images.insert(0, registration.lesion)
    notes = [*registration.notes]
    notes += [note_on(image.name, note) for image in images for note in image.notes]
    return list(dict.fromkeys(notes))


def image_bytes(image: Map | Mask, name: str) -> bytes:
    """An image as the content of a NIfTI file; masks are uint8, whole numbers stay whole."""
    nifti = image.to_nifti()
    if isinstance(image, Map) and image.array.dtype.kind != "f":
        low, high = int(image.array.min(initial=0)), int(image.array.max(initial=0))
        if low >= -(2**15) and high < _LABELS_END:
            nifti = labels_to_nifti(image.array, image.grid, "lesion_dash: whole numbers")
    return b"".join(file_parts(nifti, name))
