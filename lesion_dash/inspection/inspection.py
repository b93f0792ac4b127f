"""An image file looked into."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..grid import Grid
from ..images import (
    Header,
    HeaderFacts,
    ImageFile,
    ImageSource,
    Survey,
    as_image_file,
    axis_codes,
    scale_values,
    survey_values,
)
from .space import Space, point
from .verdicts import Verdict, judge_atlas, judge_mask, refused


@dataclass(frozen=True, eq=False)
class Inspection:
    """What is in an image file.

    Parameters
    ----------
    name : str
        Of the file.
    facts : HeaderFacts
        The fields of the header, as they are stored.
    header : Header or None
        The same checked, with the affine that is used; None where the image cannot be used.
    space : Space or None
        Where the voxels are; None where that is not known, or there are fewer than three axes.
    survey : Survey or None
        The values; None where they cannot be read.
    file_bytes : int
        Size of the file; -1 where a server does not tell.
    sha256 : str
        Checksum of the file; empty where it cannot be read to its end.
    as_mask, as_atlas : Verdict
        What the door says.
    notes : tuple of str
        What is unusual, a sentence each.
    fault : str
        Why the image cannot be used; empty where it can.
    file : ImageFile
        Where values are read from when they are asked for.
    """

    name: str
    facts: HeaderFacts
    header: Header | None
    space: Space | None
    survey: Survey | None
    file_bytes: int
    sha256: str
    as_mask: Verdict
    as_atlas: Verdict
    notes: tuple[str, ...]
    fault: str
    file: ImageFile = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis; empty where the header names impossible ones."""
        return self.facts.shape

    @property
    def volumes(self) -> int:
        """Number of 3D volumes; 0 where the shape is not known."""
        return math.prod(self.shape[3:]) if self.shape else 0

    @property
    def repetition_time(self) -> float:
        """Seconds from one volume to the next; NaN where the file does not say."""
        time = self.header.repetition_time if self.header else 0.0
        return time if time > 0 else math.nan

    @property
    def inflated_bytes(self) -> int:
        """Bytes of the file uncompressed, header included; 0 where they are not known."""
        return self.header.offset + self.header.voxel_bytes if self.header else 0

    @property
    def form_used(self) -> str:
        """``sform``, ``qform``, or ``none``: the voxel sizes alone; empty where not known."""
        if self.header is not None:
            return self.header.form
        forms = (("sform", self.facts.sform), ("qform", self.facts.qform))
        return next((name for name, form in forms if form.affine is not None), "")

    @cached_property
    def forms_apart_mm(self) -> float:
        """How far sform and qform disagree at the farthest corner, mm; NaN without both."""
        sform, qform = self.facts.sform.affine, self.facts.qform.affine
        if sform is None or qform is None or len(self.shape) < 3:
            return math.nan
        shape = (self.shape[0], self.shape[1], self.shape[2])
        return Grid(shape, sform).corner_shift(Grid(shape, qform))

    def to_mm(self, i: float, j: float, k: float) -> tuple[float, float, float]:
        """The place of a voxel in mm: (x, y, z) = M (i, j, k) + (a, b, c).

        M is the upper left 3 x 3 part of the affine, (a, b, c) its last column. Fractions of a
        voxel are places between centres.
        """
        x, y, z = self._grid.to_mm((i, j, k)).tolist()
        return x, y, z

    def to_voxel(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """The voxel at a place in mm, with fractions: (i, j, k) = M⁻¹ ((x, y, z) - (a, b, c))."""
        i, j, k = self._grid.to_voxel((x, y, z)).tolist()
        return i, j, k

    def nearest_voxel(self, x: float, y: float, z: float) -> tuple[int, int, int]:
        """The voxel that holds a place in mm.

        Raises
        ------
        InputError
            Where the place lies outside the image.
        """
        voxel = self._grid.nearest_voxel((x, y, z))
        if voxel is None:
            ends = " to ".join(point(corner) for corner in self.box)
            problem = f"{point((x, y, z))} mm lies outside the image"
            raise InputError("place", problem, f"the image spans {ends} mm")
        return voxel

    @property
    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least and largest x, y, z of the voxels' centres, mm."""
        corners = self._grid.corners()
        return corners.min(axis=0), corners.max(axis=0)

    def value_at(self, i: int, j: int, k: int, volume: int = 0) -> float:
        """The value of a voxel, scaled as the header says; the file is read up to there.

        Raises
        ------
        InputError
            Where voxel or volume lie outside the image, or the file cannot be read.
        """
        self.check_voxel(i, j, k)
        value = self.stored_volume(volume)[int(i), int(j), int(k)]
        return float(self.scaled(np.asarray(value)))

    def check_voxel(self, i: float, j: float, k: float) -> None:
        """Raise an `InputError` where there is no such voxel."""
        shape = self._grid.shape
        inside = all(
            float(place).is_integer() and 0 <= place < n
            for place, n in zip((i, j, k), shape, strict=True)
        )
        if not inside:
            ranges = ", ".join(f"{a} from 0 to {n - 1}" for a, n in zip("ijk", shape, strict=True))
            problem = f"{point((i, j, k))} is no voxel of the image"
            raise InputError("voxel", problem, f"whole numbers are wanted: {ranges}")

    def stored_volume(self, volume: int = 0) -> NDArray:
        """The values of one volume as they are stored, shape (x, y, z); see `scaled`."""
        if self.header is None or self.survey is None:
            raise InputError(self.name, self.fault or "its values cannot be read")
        if not 0 <= volume < self.volumes:
            problem = f"{volume} is no volume of the image"
            raise InputError("volume", problem, f"volumes count from 0 to {self.volumes - 1}")
        return self.file.volume(self.header, volume)

    def scaled(self, stored: NDArray) -> NDArray[np.float64]:
        """Stored values as they are meant: stored * slope + intercept."""
        if self.header is None:
            raise InputError(self.name, self.fault)
        return scale_values(stored, self.header)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values that `json.dumps` takes; what is not known is None."""
        from .report import json_of

        return json_of(self)

    @property
    def _grid(self) -> Grid:
        if self.space is None:
            problem = self.fault or f"not a volume: {len(self.shape)} axes, three expected"
            raise InputError(self.name, problem)
        return self.space.grid


def inspect_image(source: ImageSource) -> Inspection:
    """Look into an image file: header, space, values, and what the door says of it.

    An image that cannot be used, such as one of colours or a truncated one, gives what its header
    says, and the fault. Values are read some millions at a time, so that a long series takes no
    more memory than a short one.

    Parameters
    ----------
    source : path, URL, (name, bytes), or nibabel image
        A NIfTI-1, NIfTI-2 or Analyze image, gzip-compressed or not, of any number of axes and in
        any space.

    Raises
    ------
    InputError
        Where there is no file, or it holds no NIfTI header.

    Notes
    -----
    Header fields and codes: https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields.

    Examples
    --------
    >>> found = inspect_image("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> found.space.size_words, found.space.orientation, found.survey.distinct
    ('2 mm voxels', 'RAS', 63)
    >>> found.to_mm(0, 0, 0)
    (-90.0, -126.0, -72.0)
    >>> found.value_at(*found.nearest_voxel(-26, 0, 8))
    49.0
    """
    file = as_image_file(source)
    facts = file.facts()
    header, survey, fault = None, None, None
    notes: tuple[str, ...] = ()
    try:
        header = file.header()
        notes += header.notes
        survey, said = survey_values(file, header)
        notes += said
    except InputError as error:
        fault = error
    return Inspection(
        file.path.name,
        facts,
        header,
        _space_of(facts, header),
        survey,
        file.size,
        file.sha256(),
        *_verdicts(file, header, survey, fault),
        notes + _own_notes(facts, header),
        fault.reason if fault else "",
        file,
    )


def _space_of(facts: HeaderFacts, header: Header | None) -> Space | None:
    """Where the voxels are, also of images of colours and others that cannot be used."""
    if header is not None:
        return Space(header.grid, axis_codes(header.grid.affine)) if header.grid else None
    affine = facts.sform.affine if facts.sform.affine is not None else facts.qform.affine
    if affine is None or len(facts.shape) < 3:
        return None
    grid = Grid((facts.shape[0], facts.shape[1], facts.shape[2]), affine)
    return Space(grid, axis_codes(affine))


def _verdicts(
    file: ImageFile, header: Header | None, survey: Survey | None, fault: InputError | None
) -> tuple[Verdict, Verdict]:
    if header is None or survey is None or fault is not None:
        verdict = refused(fault) if fault else Verdict("unknown")
        return verdict, verdict
    return judge_mask(file, header), judge_atlas(file, header, survey)


def _own_notes(facts: HeaderFacts, header: Header | None) -> tuple[str, ...]:
    if header is None or header.repetition_time <= 0 or facts.time_unit:
        return ()
    return ("unit of the repetition time not stated: seconds assumed",)
