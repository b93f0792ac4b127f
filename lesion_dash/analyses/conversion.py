"""What `lesion-dash convert` does: an image of a file that holds an array."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .console import say
from .options import IMAGE, output_file

if TYPE_CHECKING:
    from ..scans.arrays import StoredArray
    from ..scans.conversion import Converted


TEXT = "make a NIfTI image of an array in a .npy, .npz or .pkl file; pickles are never run"
_CHOICES = ("array", "voxel_size", "orientation", "unpack_mb")
_FILES = ("like", "affine")


def add_choices(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("array_file", metavar="IN", help="a .npy, .npz or .pkl file, or its URL")
    parser.add_argument("output", metavar="OUT.nii.gz", help="the image; provenance beside it")
    parser.add_argument("--array", metavar="NAME", help="which array, where the file holds several")
    parser.add_argument(
        "--like", metavar="IMAGE", help="the voxels lie where those of IMAGE lie, of the same shape"
    )
    parser.add_argument(
        "--voxel-size",
        metavar=("X", "Y", "Z"),
        nargs=3,
        type=float,
        help="edges of a voxel in mm; the middle of the array is then at 0, 0, 0 mm",
    )
    parser.add_argument(
        "--orientation",
        metavar="RAS",
        help="where the first, second and third axis grow to, such as RAS or LPS",
    )
    parser.add_argument(
        "--affine", metavar="FILE", help="4 x 4 matrix from voxels to mm (RAS): text or .npy"
    )
    parser.add_argument(
        "--unpack-mb",
        metavar="MB",
        type=float,
        help="a compressed array of a .npz may take so much, where that is more than twice its "
        "compressed bytes (default 64)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier OUT.nii.gz")


def run_convert(options: argparse.Namespace) -> int:
    """Write the image and, beside it, how it was made."""
    from ..files.writing import write_atomically
    from ..images.maps import file_parts
    from ..scans.arrays import read_array
    from ..scans.conversion import convert_array

    output, stem, _ = output_file(options.output, IMAGE, [options.like])
    beside = f"{stem}.provenance.json"
    with write_atomically(output.parent, [output.name, beside], options.overwrite) as writer:
        stored = read_array(options.array_file, options.array, options.unpack_mb)
        made = convert_array(
            stored, options.like, options.voxel_size, options.orientation, options.affine
        )
        writer.add(output.name, *file_parts(made.to_nifti(), output.name))
        writer.add(beside, _provenance(options, stored, made, writer.sums))
    for note in (*stored.notes, *made.notes):
        say(f"note: {note}")
    volumes = f", {made.array.shape[3]} volumes" if made.array.ndim == 4 else ""
    say(f"{made.placement.grid}{volumes}, {made.array.dtype} in {output}")
    return 0


def _provenance(
    options: argparse.Namespace, stored: StoredArray, made: Converted, sums: dict[str, str]
) -> bytes:
    from ..files.paths import as_path
    from ..files.provenance import provenance_bytes

    grid = made.placement.grid
    given = {name: getattr(options, name) for name in _FILES}
    # As a path, a URL does not show its password.
    files = {name: file and str(as_path(file)) for name, file in given.items()}
    parameters = {name: getattr(options, name) for name in _CHOICES} | files
    source = {
        "kind": "array",
        "file": str(stored.path),
        "array": stored.name or None,
        "sha256": stored.sha256,
    }
    counts = {
        "shape": list(made.array.shape),
        "dtype": str(made.array.dtype),
        "affine": grid.affine.tolist(),
        "notes": [*stored.notes, *made.notes],
    }
    placed_by = [
        {"kind": "file", "file": file, "sha256": sha256}
        for file, sha256 in made.placement.sources.items()
    ]
    return provenance_bytes("convert", parameters, [source, *placed_by], counts, sums)
