"""`lesion-dash mask`: cut a region out of an image by a map of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.defaults import REGION_THRESHOLD
from ..core.errors import InputError
from ..core.text import counted
from . import fields
from .fields import option, source
from .inputs import file_inputs
from .request import IMAGE, Progress, Request, Result

if TYPE_CHECKING:
    from ..transforms.transform import Transform


class MaskImage(Request):
    """An image inside one region, by a map of probabilities or labels; 0 outside."""

    command = "mask"
    endings = IMAGE
    example = "scan.nii.gz --prob eye_4d.nii.gz --label lens -o lens.nii.gz"

    image: fields.Image
    prob: str = source(
        "probabilities (0 to 1 or percent; 3D, or 4D with one region per volume) or labels, as "
        "NIfTI, or as .npy beside a NIfTI image of its shape",
        "MAP",
    )
    label: str | None = option(
        "the region, where the map holds several", "NAME|NUMBER", default=None
    )
    threshold: float | None = option(
        "voxels of at least this probability, between 0 and 1; labels take none "
        f"(default {REGION_THRESHOLD:g})",
        "P",
        default=None,
    )
    labels: fields.Labels
    percent: bool = option(
        "a 3D map holds percent of one region: whole numbers are not labels, and 1 is 1 %",
        default=False,
    )
    axes: fields.Axes
    transform: str | None = source(
        "from IMAGE to MAP's space, where IMAGE was registered to it: what `lesion-dash register`"
        " wrote (rigid or affine), or an affine of ITK or ANTs; MAP is brought back by it",
        "FILE",
        default=None,
    )
    output: str = option(
        "the image; OUT_mask.nii.gz and provenance beside it", "OUT.nii.gz", "-o", is_recorded=False
    )
    overwrite: fields.Overwrite
    strict: fields.Strict

    def outputs(self) -> list[str]:
        target = self.target
        return [target.path.name, f"{target.stem}_mask{target.ending}"]

    def run(self, progress: Progress) -> Result:
        from ..files.writing import file_input
        from ..images.maps import file_parts
        from ..scans.region_masks import mask_image

        cut = mask_image(
            self.image,
            self.prob,
            self.label,
            self.threshold,
            self.labels,
            self.percent,
            _read_transform(self.transform),
            self.axes,
        )
        target, mask = self.target, cut.mask
        content, own_notes = cut.to_bytes(is_compressed=target.ending.lower().endswith(".gz"))
        image_name, mask_name = self.outputs()
        inputs = file_inputs(cut.sources)
        if self.transform is not None:
            inputs.append(file_input("transform", self.transform))
        notes = [*cut.notes, *own_notes]
        size = f"{counted(mask.voxels, 'voxel')}, {mask.volume_mm3:,.0f} mm³"
        return Result(
            files=[(image_name, content), (mask_name, file_parts(mask.to_nifti(), mask_name))],
            inputs=inputs,
            counts={"voxels": mask.voxels, "volume_mm3": mask.volume_mm3, "notes": notes},
            parameters={
                "region": mask.name,
                "label": self.label,
                "threshold": cut.threshold,
                "percent": self.percent,
                **({} if self.axes is None else {"axes": self.axes}),  # of arrays alone
            },
            lines=[f"{mask.name}: {size}, in {target.path}"],
            notes=notes,
        )


def _read_transform(path: str | None) -> Transform | None:
    from ..files.paths import as_path
    from ..transforms.files import read_transform

    if path is None:
        return None
    transform = read_transform(as_path(path))
    if not transform.leads_to_template:
        problem = "is a displacement field, which does not say between which images it leads"
        remedy = "bring the map to the image by `lesion-dash warp` and the field of that way"
        remedy += " (to_template_field.nii.gz), and omit --transform"
        raise InputError(as_path(path), problem, remedy)
    return transform
