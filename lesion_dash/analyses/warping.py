"""`lesion-dash warp`: apply transforms of FSL, ANTs, ITK or ours to an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..core.notes import note_on
from . import fields
from .fields import option, source
from .registration import MNI, open_template
from .request import IMAGE, Progress, Request, Result, shown_path

if TYPE_CHECKING:
    from ..core.grid import Grid
    from ..images.maps import Map
    from ..transforms.transform import Transform


class Warp(Request):
    """Warp an image, a mask or labels to a template by transforms of FSL, ANTs, ITK or our own."""

    command = "warp"
    endings = IMAGE
    exclusive = (("labels", "intensities"),)
    example = "atlas.nii.gz --transform 0GenericAffine.mat --template t1.nii.gz -o out.nii.gz"

    image: fields.Image
    transforms: tuple[str, ...] = source(
        "from the moving image to the template: a text of `lesion-dash register`, an ITK text, "
        "ANTs' 0GenericAffine.mat, FLIRT's .mat, or a displacement field; several in the order in"
        " which they move the image (ANTs lists them the other way round)",
        "FILE",
        "--transform",
    )
    template: str | None = source(
        "image with the grid of the result (not with --inverse): a NIfTI image, or "
        f"{MNI} for the bundled MNI152 brain",
        "IMAGE",
        default=None,
    )
    moving: str | None = source(
        "the image that was registered: FLIRT's files and --inverse need it", "IMAGE", default=None
    )
    inverse: bool = option(
        "from the template back: IMAGE lies in the template's space, the result on the grid of "
        "--moving",
        default=False,
    )
    labels: bool = option("take IMAGE for labels, whatever it seems to hold", default=False)
    intensities: bool = option("take IMAGE for intensities", default=False)
    output: fields.OutputImage
    overwrite: fields.Overwrite
    strict: fields.Strict

    def run(self, progress: Progress) -> Result:
        from dataclasses import replace

        from ..files.paths import as_path
        from ..files.writing import file_input
        from ..images.maps import read_map
        from ..images.masks import Mask
        from ..transforms.warping import warp_any
        from .registration_files import image_bytes

        target = self.moving if self.inverse else self.template
        if target is None:
            option = "--moving" if self.inverse else "--template"
            raise InputError(option, "is missing", "give the image with the grid of the result")
        transform = self._read_transform()
        image = read_map(self.image)
        image = replace(image, notes=self._notes(image))
        as_labels = True if self.labels else False if self.intensities else None
        warped = warp_any(image, transform, _grid(target), as_labels)
        name = self.target.path.name
        source = {"kind": "image", "file": shown_path(self.image), "sha256": image.sha256 or None}
        lines = [f"{warped.grid} in {self.target.path}"]
        if isinstance(warped, Mask):
            native = int((image.array > 0).sum()) * image.grid.voxel_volume
            lines.insert(0, f"mask: {native:,.0f} mm³ before, {warped.volume_mm3:,.0f} mm³ after")
        return Result(
            files=[(name, image_bytes(warped, name))],
            inputs=[source, *(file_input("transform", as_path(path)) for path in self.transforms)],
            counts={
                "matrix": transform.matrix.tolist(),
                "linear": transform.is_linear,
                "notes": list(warped.notes),
            },
            lines=lines,
            notes=warped.notes,
        )

    def _read_transform(self) -> Transform:
        """All transforms as one, in the direction that the image goes."""
        from ..transforms.files import read_transform, stated_way
        from ..transforms.transform import chain_transforms

        for path in self.transforms:
            if not self.inverse and stated_way(path) == "template":
                problem = "leads from the template to the moving image, and IMAGE goes the"
                remedy = "add --inverse --moving to go from the template, or give the file of the"
                raise InputError(path, f"{problem} other way", f"{remedy} way there")
        moving, template = (
            None if path is None else _grid(path) for path in (self.moving, self.template)
        )
        if len(self.transforms) > 1:
            # Neither of the two images is that in between, which FLIRT's files would ask for.
            parts = [read_transform(path) for path in self.transforms]
        else:
            parts = [read_transform(self.transforms[0], moving, template)]
        if self.inverse:
            for path, part in zip(self.transforms, parts, strict=True):
                _check_way_back(path, part)
        transform = chain_transforms(parts, moving, template)
        return transform.inverse() if self.inverse else transform

    def _notes(self, image: Map) -> tuple[str, ...]:
        """What is unusual about the image, and about those whose grids are used, by their names."""
        from ..files.paths import as_path
        from ..images.reading import read_header

        images = (self.template, self.moving)
        paths = [as_path(image) for image in images if image is not None and image != MNI]
        notes = [note_on(path.name, note) for path in paths for note in read_header(path).notes]
        return (*image.notes, *notes)


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
        raise InputError(path, "is not a volume: it has fewer than three axes")
    return grid
