"""Inspection of an image file: header, space, values, and whether it can be used."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..atlas.loading import atlas_of, load_atlas
from ..atlas.values import check_scale
from ..core.errors import InputError
from ..core.grid import Grid
from ..core.space import StatedSpace
from ..images.masks import mask_of, volume_grid
from ..images.nifti import Header, Space, point
from ..images.reading import ImageFile, ImageSource, as_image_file
from ..images.sidecars import stated_time
from ..images.space import space_of
from ..images.survey import (
    Form,
    HeaderFacts,
    Survey,
    axis_codes,
    read_facts,
    survey_values,
)

# Voxels of an image, or values of 4D maps that are not 0, that are read as an atlas: arbitrary,
# four times the 16 million of a template at 0.7 mm.
_MAX_VALUES = 2**26
# Bytes the voxels of a file that is held in memory may take to be read as an atlas; arbitrary.
_LARGEST_HELD = 2**30


@dataclass(frozen=True)
class Verdict:
    """What would become of an image.

    Parameters
    ----------
    outcome : str
        ``accept``; ``warn``: used, and something is said; ``reject``; ``unknown``: not tried.
    sentences : tuple of str
        Why, or what is unusual, as validation says it.
    """

    outcome: Literal["accept", "warn", "reject", "unknown"]
    sentences: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """Yes or no."""
        return {"accept": "yes", "warn": "yes", "reject": "no"}.get(self.outcome, "not tried")


def _judge(read: Callable[[], tuple[str, ...]]) -> Verdict:
    try:
        notes = read()
    except InputError as error:
        return Verdict("reject", (error.reason,))
    return Verdict("warn" if notes else "accept", notes)


def _judge_mask(file: ImageFile, header: Header) -> Verdict:
    """Read the image as `check` would a mask."""

    def read() -> tuple[str, ...]:
        volume_grid(file.path, header)  # what is not a single volume need not be read
        return mask_of(file.stored()).notes

    return _judge(read)


def _judge_atlas(file: ImageFile, header: Header, survey: Survey) -> Verdict:
    """Read the image as an atlas, with the label table of its name where there is one."""
    is_series = header.volumes > 1
    size = survey.voxels - survey.zeros if is_series else survey.voxels
    fits = file.content is None or header.voxel_bytes <= _LARGEST_HELD

    def read() -> tuple[str, ...]:
        if is_series:  # its range first: a time series is refused without holding its values
            low, high = np.nan_to_num([survey.lowest, survey.highest]).tolist()
            check_scale(file.path, header.volumes, header.dtype, min(low, 0.0), max(high, 0.0))
        if size > _MAX_VALUES or not fits:
            return ()
        if file.content is None:
            return load_atlas(file.path).notes
        return atlas_of(file.stored(_LARGEST_HELD)).notes

    verdict = _judge(read)
    if verdict.outcome == "accept" and (size > _MAX_VALUES or not fits):
        return Verdict("unknown", ("the image is larger than what is tried as an atlas here",))
    return verdict


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
        What validation says.
    notes : tuple of str
        What is unusual, a sentence each.
    fault : str
        Why the image cannot be used; empty where it can.
    file : ImageFile
        Where values are read from when they are asked for.

    Examples
    --------
    >>> from lesion_dash.scans import inspect_image
    >>> scan = inspect_image("sample_data/series/sub-01_task-pictures_run-1_bold.nii.gz")
    >>> scan.shape, scan.volumes, scan.repetition_time
    ((18, 22, 18, 48), 48, 2.5)
    >>> scan.as_mask.outcome
    'reject'
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

    @property
    def stated_space(self) -> StatedSpace | None:
        """The space that name, sidecar, form code or grid state; None where that is not known."""
        grid = self.header.grid if self.header is not None else None
        return None if grid is None else space_of(grid)

    @cached_property
    def forms_distance_mm(self) -> float:
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
            problem = f"{point((i, j, k))} is not a voxel of the image"
            raise InputError("voxel", problem, f"give whole numbers: {ranges}")

    def stored_volume(self, volume: int = 0) -> NDArray:
        """The values of one volume as they are stored, shape (x, y, z); see `scaled`."""
        if self.header is None or self.survey is None:
            raise InputError(self.name, self.fault or "its values cannot be read")
        if not 0 <= volume < self.volumes:
            problem = f"{volume} is not a volume of the image"
            raise InputError("volume", problem, f"volumes count from 0 to {self.volumes - 1}")
        return self.file.volume(self.header, volume)

    def scaled(self, stored: NDArray) -> NDArray[np.float64]:
        """Stored values as they are meant: stored * slope + intercept."""
        if self.header is None:
            raise InputError(self.name, self.fault)
        return self.header.scaled(stored)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values that `json.dumps` takes; what is not known is None."""
        facts, header, space = self.facts, self.header, self.space
        return {
            "name": self.name,
            "format": facts.format,
            "file_bytes": self.file_bytes if self.file_bytes >= 0 else None,
            "inflated_bytes": self.inflated_bytes or None,
            "sha256": self.sha256,
            "shape": list(self.shape),
            "volumes": self.volumes,
            "repetition_time_s": _known(self.repetition_time),
            "data_type": facts.data_type,
            "byte_order": facts.byte_order,
            "slope": _known(header.slope if header else facts.slope),
            "intercept": _known(header.intercept if header else facts.intercept),
            "space_unit": facts.space_unit or None,
            "time_unit": facts.time_unit or None,
            "form_used": self.form_used or None,
            "forms_apart_mm": _known(self.forms_distance_mm),
            "stated_space": _stated(self.stated_space),
            "sform": _form(facts.sform),
            "qform": _form(facts.qform),
            "space": _space(space) if space else None,
            "values": _values(self.survey) if self.survey else None,
            "as_mask": _verdict(self.as_mask),
            "as_atlas": _verdict(self.as_atlas),
            "notes": list(self.notes),
            "fault": self.fault or None,
        }

    @property
    def _grid(self) -> Grid:
        if self.space is None:
            problem = self.fault or f"not a volume: {len(self.shape)} axes, three expected"
            raise InputError(self.name, problem)
        return self.space.grid


def inspect_image(source: ImageSource) -> Inspection:
    """Look into an image file: header, space, values, and how it is validated.

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
    >>> atlas = inspect_image("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> atlas.space.size_summary, atlas.space.orientation, atlas.survey.distinct
    ('2 mm voxels', 'RAS', 63)
    >>> atlas.to_mm(0, 0, 0)
    (-90.0, -126.0, -72.0)
    >>> atlas.value_at(*atlas.nearest_voxel(-26, 0, 8))
    49.0
    """
    file = as_image_file(source)
    facts = read_facts(file)
    header, survey, fault = None, None, ""
    notes: tuple[str, ...] = ()
    as_mask = as_atlas = Verdict("unknown")
    try:
        header = file.header()
        survey, value_notes = survey_values(file, header)
        notes = (*header.notes, *value_notes)
        as_mask, as_atlas = _judge_mask(file, header), _judge_atlas(file, header, survey)
    except InputError as error:
        fault = error.reason
        notes = header.notes if header else ()
        as_mask = as_atlas = Verdict("reject", (fault,))
    if header and header.repetition_time > 0 and not facts.time_unit:
        notes += ("unit of the repetition time not stated: seconds assumed",)
    if header and file.content is None and (doubt := stated_time(file.path, header).doubt):
        notes += (f"repetition time: {doubt}",)
    space = _space_of(facts, header)
    sha256 = file.sha256()
    return Inspection(
        file.path.name, facts, header, space, survey, file.size, sha256, as_mask, as_atlas, notes,
        fault, file,
    )  # fmt: skip


def _space_of(facts: HeaderFacts, header: Header | None) -> Space | None:
    """Where the voxels are, also of images of colours and others that cannot be used."""
    if header is not None:
        return Space(header.grid, axis_codes(header.grid.affine)) if header.grid else None
    affine = facts.sform.affine if facts.sform.affine is not None else facts.qform.affine
    if affine is None or len(facts.shape) < 3:
        return None
    grid = Grid((facts.shape[0], facts.shape[1], facts.shape[2]), affine)
    return Space(grid, axis_codes(affine))


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _stated(space: StatedSpace | None) -> dict[str, Any] | None:
    return asdict(space) if space is not None else None


def _form(form: Form) -> dict[str, Any]:
    affine = form.affine.tolist() if form.affine is not None else None
    known = {"code": form.code, "space": form.space, "affine": affine}
    return known | {"fault": form.fault or None}


def _space(space: Space) -> dict[str, Any]:
    return {
        "orientation": space.orientation,
        "affine": space.grid.affine.tolist(),
        "inverse_affine": np.linalg.inv(space.grid.affine).tolist(),
        "voxel_size_mm": space.grid.voxel_size.tolist(),
        "voxel_volume_mm3": space.grid.voxel_volume,
        "oblique_degrees": space.oblique_degrees,
        "is_mirrored": space.is_mirrored,
        "sentences": list(space.sentences),
        "formula": list(space.formula),
        "inverse_formula": list(space.inverse_formula),
    }


def _values(survey: Survey) -> dict[str, Any]:
    return {
        "count": survey.voxels,
        "lowest": _known(survey.lowest),
        "highest": _known(survey.highest),
        "zeros": survey.zeros,
        "nans": survey.nans,
        "infinities": survey.infinities,
        "distinct": survey.distinct,
        "distinct_has_more": survey.has_more,
        "histogram_edges": survey.edges.tolist(),
        "histogram_counts": survey.counts.tolist(),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {"outcome": verdict.outcome, "sentences": list(verdict.sentences)}
