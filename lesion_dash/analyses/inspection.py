"""`lesion-dash inspect`: what is in an image file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from . import fields
from .console import json_lines
from .fields import option, source
from .notes import errors_among
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..scans.inspection import Inspection


class Inspect(Request):
    """Contents of an image file: header, space, values, and whether it is a valid mask or atlas.

    Exit code: 0; 1 with --strict where there are notes; 2 where the image cannot be used, though
    its header is shown.
    """

    command = "inspect"
    example = "scan.nii.gz"
    exclusive = (("voxel", "mm"),)

    image: str = source("a NIfTI image, or the URL of one", "IMAGE", positional=True)
    as_json: fields.AsJson
    strict: fields.Strict
    voxel: tuple[int, int, int] | None = option(
        "print place and value of this voxel, counted from 0", ("I", "J", "K"), default=None
    )
    mm: tuple[float, float, float] | None = option(
        "print the voxel at this place, and its value", ("X", "Y", "Z"), default=None
    )
    volume: int = option("of a 4D image, counted from 0", "T", default=0)

    def run(self, progress: Progress) -> Result:
        from ..scans.inspection import inspect_image

        inspection = inspect_image(self.image)
        point = self._point(inspection)
        if self.as_json:
            lines = json_lines(inspection.to_json() | ({"at": point} if point else {}))
        else:
            lines = _point_lines(point) if point else _all_lines(inspection)
        is_noted = self.strict and bool(errors_among(inspection.notes))
        return Result(lines=lines, exit_code=2 if inspection.fault else int(is_noted))

    def _point(self, inspection: Inspection) -> dict[str, Any] | None:
        """The voxel that is asked for, its place and its value."""
        if self.mm is not None:
            i, j, k = inspection.nearest_voxel(*self.mm)
        elif self.voxel is not None:
            i, j, k = self.voxel
        else:
            return None
        value = inspection.value_at(i, j, k, self.volume)
        at = {"voxel": [i, j, k], "mm": list(inspection.to_mm(i, j, k)), "volume": self.volume}
        return at | {"value": value if math.isfinite(value) else str(value)}


def _point_lines(point: dict[str, Any]) -> list[str]:
    from ..images.nifti import numbers

    mm, voxel = (numbers(round(value, 4) for value in point[key]) for key in ("mm", "voxel"))
    volume = [f"volume           {point['volume']}"] if point["volume"] else []
    return [
        f"voxel (i, j, k)  {voxel}",
        f"centre (x, y, z) {mm} mm",
        f"value            {point['value']}",
        *volume,
    ]


def _all_lines(inspection: Inspection) -> list[str]:
    from ..scans.inspection_text import describe

    return [
        line
        for section in describe(inspection)
        for line in (section.title, *(f"  {name:<18}{text}" for name, text in section.rows))
    ]
