"""`lesion-dash convert`: an image of a file that holds an array."""

from __future__ import annotations

from typing import Any

from ..core.defaults import UNPACK_MB
from . import fields
from .fields import option, source
from .inputs import file_inputs
from .request import IMAGE, Progress, Request, Result


class Convert(Request):
    """Make a NIfTI image of an array in a .npy, .npz or .pkl file; pickles are never run."""

    command = "convert"
    endings = IMAGE
    example = "scan.pkl scan.nii.gz --like template.nii.gz"

    array_file: str = source("a .npy, .npz or .pkl file, or its URL", "IN", positional=True)
    output: str = option(
        "the image; provenance is written beside it",
        "OUT.nii.gz",
        positional=True,
        is_recorded=False,
    )
    overwrite: fields.Overwrite
    strict: fields.Strict
    array: str | None = option("which array, where the file holds several", "NAME", default=None)
    axes: fields.Axes
    channel: int | None = option(
        "which class or volume of an array of four axes, from 0", "N", default=None, ge=0
    )
    voxel_size: tuple[float, float, float] | None = option(
        "edges of a voxel in mm; the middle of the array is then at 0, 0, 0 mm",
        ("X", "Y", "Z"),
        default=None,
    )
    orientation: str | None = option(
        "where the first, second and third axis grow to, such as RAS or LPS", "RAS", default=None
    )
    unpack_mb: float | None = option(
        "a compressed array of a .npz may take so much, where that is more than twice its "
        f"compressed bytes (default {UNPACK_MB:g})",
        "MB",
        default=None,
    )
    like: str | None = source(
        "the voxels lie where those of IMAGE lie, of the same shape", "IMAGE", default=None
    )
    affine: str | None = source(
        "4 x 4 matrix from voxels to mm (RAS): text or .npy", "FILE", default=None
    )

    def parameters(self) -> dict[str, Any]:
        """Every choice; those of the axes only where they were made."""
        unchosen = [name for name in ("axes", "channel") if getattr(self, name) is None]
        return {name: value for name, value in super().parameters().items() if name not in unchosen}

    def run(self, progress: Progress) -> Result:
        from ..images.maps import file_parts
        from ..scans.arrays import read_array
        from ..scans.conversion import convert_array

        name = self.target.path.name
        stored = read_array(self.array_file, self.array, self.unpack_mb)
        image = convert_array(
            stored,
            self.like,
            self.voxel_size,
            self.orientation,
            self.affine,
            self.axes,
            self.channel,
        )
        notes = [*stored.notes, *image.notes]
        array_input = {
            "kind": "array",
            "file": str(stored.path),
            "array": stored.name or None,
            "sha256": stored.sha256,
        }
        grid, array = image.placement.grid, image.array
        volumes = f", {array.shape[3]} volumes" if array.ndim == 4 else ""
        return Result(
            files=[(name, file_parts(image.to_nifti(), name))],
            inputs=[array_input, *file_inputs(image.placement.sources)],
            counts={
                "shape": list(array.shape),
                "dtype": str(array.dtype),
                "affine": grid.affine.tolist(),
                "notes": notes,
            },
            lines=[f"{grid}{volumes}, {array.dtype} in {self.target.path}"],
            notes=notes,
        )
