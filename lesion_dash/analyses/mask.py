"""What `lesion-dash mask` does: cut a region out of an image by a map of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from .console import say
from .options import IMAGE, output_file

if TYPE_CHECKING:
    from ..scans.region_masks import MaskedImage
    from ..transforms.transform import Transform


TEXT = "an image inside one region, by a map of probabilities or labels; 0 outside"


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("image", metavar="IMAGE", help="NIfTI image of one volume, or its URL")
    parser.add_argument(
        "--prob",
        metavar="MAP",
        required=True,
        help="probabilities (0 to 1 or percent; 3D, or 4D with a region a volume) or labels, as "
        "NIfTI, or as .npy beside a NIfTI image of its shape",
    )
    parser.add_argument(
        "--label", metavar="NAME|NUMBER", help="the region, where the map holds several"
    )
    parser.add_argument(
        "--threshold",
        metavar="P",
        type=float,
        help="voxels of at least this probability, between 0 and 1 (default 0.5)",
    )
    parser.add_argument(
        "--labels", metavar="TABLE", help="names of its regions (default: the table beside it)"
    )
    parser.add_argument(
        "--percent",
        action="store_true",
        help="a 3D map holds percent of one region: whole numbers are no labels, and 1 is 1 %%",
    )
    parser.add_argument(
        "--transform",
        metavar="FILE",
        help="from IMAGE to MAP's space, where IMAGE was registered to it: what `lesion-dash "
        "register` wrote (rigid or affine), or an affine of ITK or ANTs; MAP is brought back by it",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT.nii.gz",
        required=True,
        help="the image; OUT_mask.nii.gz and provenance beside it",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results")


def run_mask(options: argparse.Namespace) -> int:
    """Write the image inside the region, the mask, and how they were made."""
    from ..files.writing import write_atomically
    from ..images.maps import file_parts
    from ..scans.region_masks import mask_image

    own = [options.image, options.prob]
    output, stem, ending = output_file(options.output, IMAGE, own)
    names = [output.name, f"{stem}_mask{ending}", f"{stem}.provenance.json"]
    with write_atomically(output.parent, names, options.overwrite) as writer:
        cut = mask_image(
            options.image,
            options.prob,
            options.label,
            options.threshold,
            options.labels,
            options.percent,
            _transform(options.transform),
        )
        content, said = cut.to_bytes(is_compressed=ending.lower().endswith(".gz"))
        writer.add(names[0], content)
        writer.add(names[1], *file_parts(cut.mask.to_nifti(), names[1]))
        writer.add(names[2], _provenance(options, cut, said, writer.sums))
    for note in (*cut.notes, *said):
        say(f"note: {note}")
    mask = cut.mask
    say(f"{mask.name}: {mask.voxels:,} voxels, {mask.volume_mm3:,.0f} mm³, in {output}")
    return 0


def _transform(path: str | None) -> Transform | None:
    from ..files.paths import as_path
    from ..transforms.files import read_transform

    if path is None:
        return None
    place = as_path(path)
    found = read_transform(place)
    if not found.leads_to_template:
        problem = "is a displacement field, which does not say between which images it leads"
        remedy = "bring the map to the image by `lesion-dash warp` and the field of that way"
        remedy += " (to_template_field.nii.gz), and leave --transform out"
        raise InputError(place, problem, remedy)
    return found


def _provenance(
    options: argparse.Namespace, cut: MaskedImage, said: tuple[str, ...], sums: dict[str, str]
) -> bytes:
    from ..files.provenance import file_input, provenance_bytes

    parameters: dict[str, Any] = {
        "region": cut.mask.name,
        "label": options.label,
        "threshold": cut.threshold,
        "percent": options.percent,
    }
    inputs = [
        {"kind": "file", "file": file, "sha256": sha256 or None}
        for file, sha256 in cut.sources.items()
    ]
    if options.transform is not None:
        inputs.append(file_input("transform", options.transform))
    counts = {
        "voxels": cut.mask.voxels,
        "volume_mm3": cut.mask.volume_mm3,
        "notes": [*cut.notes, *said],
    }
    return provenance_bytes("mask", parameters, inputs, counts, sums)
