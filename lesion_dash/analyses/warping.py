"""What `lesion-dash warp` does: apply transforms of FSL, ANTs, ITK or ours to an image."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from .console import say, warn
from .options import IMAGE, output_file
from .registration import MNI, open_template, shown_image

if TYPE_CHECKING:
    from ..core.grid import Grid
    from ..images.maps import Map
    from ..images.masks import Mask
    from ..transforms.transform import Transform


TEXT = "bring an image, a mask or labels to a template by transforms of FSL, ANTs, ITK or register"


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("image", metavar="IMAGE", help="NIfTI image of one volume, or its URL")
    parser.add_argument(
        "--transform",
        dest="transforms",
        metavar="FILE",
        action="append",
        required=True,
        help="from the moving image to the template: a text of `lesion-dash register`, an ITK "
        "text, ANTs' 0GenericAffine.mat, FLIRT's .mat, or a displacement field; several in the "
        "order in which they move the image (ANTs lists them the other way round)",
    )
    parser.add_argument(
        "--template",
        metavar="IMAGE",
        help="whose grid the result has (not with --inverse): a NIfTI image, or "
        f"{MNI} for the MNI152 brain that is shipped",
    )
    parser.add_argument(
        "--moving",
        metavar="IMAGE",
        help="the image that was registered: FLIRT's files and --inverse need it",
    )
    parser.add_argument(
        "--inverse",
        action="store_true",
        help="from the template back: IMAGE lies in the template's space, the result on "
        "the grid of --moving",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--labels", action="store_true", help="IMAGE holds labels, whatever it seems")
    kind.add_argument("--intensities", action="store_true", help="IMAGE holds no labels")
    parser.add_argument(
        "-o", "--output", metavar="OUT.nii.gz", required=True, help="provenance beside it"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier OUT.nii.gz")


def run_warp(options: argparse.Namespace) -> int:
    """Write the image on the other grid and, beside it, how it came there."""
    from dataclasses import replace

    from ..files.writing import write_atomically
    from ..images.maps import read_map
    from ..images.masks import Mask
    from ..transforms.warping import warp_any
    from .registration_files import image_bytes

    own = [options.image, options.template, options.moving, *options.transforms]
    output, stem, _ = output_file(options.output, IMAGE, own)
    target = options.moving if options.inverse else options.template
    if target is None:
        option = "--moving" if options.inverse else "--template"
        raise InputError(option, "is needed", "give the image whose grid the result is to have")
    beside = f"{stem}.provenance.json"
    with write_atomically(output.parent, [output.name, beside], options.overwrite) as writer:
        transform = _read(options)
        image = read_map(options.image)
        image = replace(image, notes=_notes(options, image))
        as_labels = True if options.labels else False if options.intensities else None
        made = warp_any(image, transform, _grid(target), as_labels)
        writer.add(output.name, image_bytes(made, output.name))
        writer.add(beside, _provenance(options, image, made, transform, writer.sums))
    for note in made.notes:
        warn(f"note: {note}")
    if isinstance(made, Mask):
        native = int((image.array > 0).sum()) * image.grid.voxel_volume
        say(f"mask: {native:,.0f} mm³ before, {made.volume_mm3:,.0f} mm³ after")
    say(f"{made.grid} in {output}")
    return 0


def _read(options: argparse.Namespace) -> Transform:
    """The way that the image goes."""
    from ..transforms.files import read_transform, stated_way
    from ..transforms.transform import chain_transforms

    for path in options.transforms:
        if not options.inverse and stated_way(path) == "template":
            problem = (
                "leads from the template to the moving image, and IMAGE is to go the other way"
            )
            remedy = (
                "add --inverse --moving to go from the template, or give the file of the way there"
            )
            raise InputError(path, problem, remedy)

    moving, template = (
        None if path is None else _grid(path) for path in (options.moving, options.template)
    )
    if len(options.transforms) > 1:
        # Neither of the two images is that in between, which FLIRT's files would ask for.
        parts = [read_transform(path) for path in options.transforms]
    else:
        parts = [read_transform(options.transforms[0], moving, template)]
    if options.inverse:
        for path, part in zip(options.transforms, parts, strict=True):
            _check_way_back(path, part)
    transform = chain_transforms(parts, moving, template)
    return transform.inverse() if options.inverse else transform


def _check_way_back(path: str, part: Transform) -> None:
    from ..files.paths import as_path

    if not part.leads_to_template:
        problem = "is a displacement field, which leads one way"
        remedy = "give the file of its inverse with --template in place of --inverse"
        raise InputError(as_path(path), problem, remedy)


def _grid(image: str) -> Grid:
    from ..files.paths import as_path
    from ..images.maps import as_map
    from ..images.reading import read_header

    if image == MNI:
        return as_map(open_template(image)).grid
    path = as_path(image)
    grid = read_header(path).grid
    if grid is None:
        raise InputError(path, "is no volume: it has fewer than three axes")
    return grid


def _notes(options: argparse.Namespace, image: Map) -> tuple[str, ...]:
    """What is unusual about the image, and about those whose grids are used, by their names."""
    from ..files.paths import as_path
    from ..images.reading import read_header

    images = (options.template, options.moving)
    places = [as_path(image) for image in images if image not in (None, MNI)]
    notes = [f"{place.name}: {note}" for place in places for note in read_header(place).notes]
    # That it lies in no standard space is why it is brought to another one.
    return tuple(note for note in (*image.notes, *notes) if "standard space" not in note)


def _provenance(
    options: argparse.Namespace,
    image: Map,
    made: Map | Mask,
    transform: Transform,
    sums: dict[str, str],
) -> bytes:
    from ..files.paths import as_path
    from ..files.provenance import file_input, provenance_bytes

    grids = {name: getattr(options, name) for name in ("template", "moving")}
    # A URL may hold a password, which its path does not show.
    parameters: dict[str, Any] = {name: shown_image(image) for name, image in grids.items()}
    parameters |= {name: getattr(options, name) for name in ("inverse", "labels", "intensities")}
    files = [file_input("transform", path) for path in options.transforms]
    own = str(as_path(options.image))
    source = {"kind": "image", "file": own, "sha256": image.sha256 or None}
    counts = {
        "matrix": transform.matrix.tolist(),
        "linear": transform.is_linear,
        "notes": list(made.notes),
    }
    return provenance_bytes("warp", parameters, [source, *files], counts, sums)
