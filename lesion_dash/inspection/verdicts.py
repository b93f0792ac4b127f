"""What the door says of an image as a mask and as an atlas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..atlas import atlas_of, check_scale, load_atlas
from ..errors import InputError
from ..images import Header, ImageFile, Survey, mask_of, volume_grid

_MOST_VALUES = 2**26
"""Voxels of an image, or values of 4D maps that are not 0, that are read as an atlas."""

_LARGEST_HELD = 2**30
"""Bytes the voxels of a file that is held in memory may take to be read as an atlas."""


@dataclass(frozen=True)
class Verdict:
    """What would become of an image.

    Parameters
    ----------
    outcome : str
        ``accept``; ``warn``: used, and something is said; ``reject``; ``unknown``: not tried.
    sentences : tuple of str
        Why, or what is unusual, as the door says it.
    """

    outcome: Literal["accept", "warn", "reject", "unknown"]
    sentences: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """Yes or no."""
        return {"accept": "yes", "warn": "yes", "reject": "no"}.get(self.outcome, "not tried")


def refused(fault: InputError) -> Verdict:
    """The verdict where the file cannot be read."""
    return Verdict("reject", (fault.reason,))


def judge_mask(file: ImageFile, header: Header) -> Verdict:
    """Read the image as `check` would a mask."""

    def read() -> tuple[str, ...]:
        volume_grid(file.path, header)  # what is no single volume need not be read
        return mask_of(file.stored()).notes

    return _judge(read)


def judge_atlas(file: ImageFile, header: Header, survey: Survey) -> Verdict:
    """Read the image as an atlas, with the label table that lies beside it where there is one."""
    is_series = header.volumes > 1
    size = survey.voxels - survey.zeros if is_series else survey.voxels

    def check() -> tuple[str, ...]:
        return _check_ends(file, header, survey) if is_series else ()

    def read() -> tuple[str, ...]:
        check()
        if file.content is None:
            return load_atlas(file.path).notes
        return atlas_of(file.stored(_LARGEST_HELD)).notes

    fits = file.content is None or header.voxel_bytes <= _LARGEST_HELD
    if size <= _MOST_VALUES and fits:
        return _judge(read)
    too_many = "the image is larger than what is tried as an atlas here"
    verdict = _judge(check)
    return verdict if verdict.outcome == "reject" else Verdict("unknown", (too_many,))


def _check_ends(file: ImageFile, header: Header, survey: Survey) -> tuple[str, ...]:
    """Range first: a time series is refused without holding its values."""
    ends = np.nan_to_num([survey.lowest, survey.highest]).tolist()
    check_scale(file.path, header.volumes, header.dtype, min(ends[0], 0.0), max(ends[1], 0.0))
    return ()


def _judge(read: Callable[[], tuple[str, ...]]) -> Verdict:
    try:
        notes = read()
    except InputError as error:
        return refused(error)
    return Verdict("warn", notes) if notes else Verdict("accept")
