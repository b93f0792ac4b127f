"""The unit of probabilities: from 0 to 1, or in percent."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from nibabel.nifti1 import Nifti1Pair, intent_codes

from ..core.errors import InputError, check_choice
from ..files.paths import AnyPath
from .nifti import SpatialImage
from .reading import RawImage, read_header

Scale = Literal["fraction", "percent"]
"""The unit of probabilities: from 0 to 1, or from 0 to 100."""

NOISE = 1e-3
"""Part of the whole scale by which an interpolation may miss its ends; arbitrary."""

_LEAST_PERCENT = 50.0
"""Maps whose largest value is above 1 and below this are neither fractions nor clearly percent.

Arbitrary: of all regions of an atlas one is nearly always certain somewhere, while t and z values,
counts of a few patients, and fractions that an interpolation overshot, end below.
"""

_OVERSHOT = 1.25
"""The largest value that is taken for a fraction where that was stated.

Arbitrary: cubic interpolation overshoots an edge by less.
"""


class UnclearScale(InputError):
    """Values that are neither fractions nor clearly percent; the scale is to be stated."""


def probability_top(
    subject: object, lowest: float, largest: float, scale: Scale | None = None, volumes: int = 0
) -> float:
    """What stands for a probability of 1 in maps whose values end there: 1, or 100 for percent.

    Parameters
    ----------
    subject : str or path
        For messages.
    lowest, largest : float
        Of all values of all maps.
    scale : {"fraction", "percent"}, optional
        As it was stated; by default the largest value tells, where it is clear.
    volumes : int
        How many maps an atlas has, for messages; 0 for a single map.

    Raises
    ------
    InputError
        Where these are not ends of probabilities; `UnclearScale` where they leave open what they
        are.

    Examples
    --------
    >>> probability_top("a.nii", 0, 0.9), probability_top("a.nii", 0, 87)
    (1.0, 100.0)
    >>> probability_top("a.nii", 0, 4.2, "percent")
    100.0
    """
    if scale is not None:
        check_choice("scale", scale, get_args(Scale))
    is_fraction = largest <= 1 + NOISE if scale is None else scale == "fraction"
    if scale is None and not is_fraction and largest < _LEAST_PERCENT:
        problem = f"values up to {largest:g} are neither probabilities from 0 to 1 nor clearly "
        remedy = "state their scale, percent or fraction; a time series or a statistic is neither"
        raise UnclearScale(subject, f"{problem}percent", remedy)
    what = "not a probabilistic atlas" if volumes else "not a probability map"
    expected = "probabilities from 0 to 1 or percent are expected"
    top = 1.0 if is_fraction else 100.0
    if largest > (_OVERSHOT if scale == "fraction" else top * (1 + NOISE)):
        many = f"{volumes} volumes with " if volumes else ""
        stated = f", and {scale} was stated" if scale is not None else ""
        remedy = f"{expected}; a time series or a statistic is not an atlas"
        raise InputError(subject, f"{what}: {many}values up to {largest:g}{stated}", remedy)
    if lowest < -top * NOISE:
        raise InputError(subject, f"{what}: negative value {lowest:g}", expected)
    return top


_STATISTICS = range(2, 25)  # NIfTI's intent codes, from correlation to log10 p


def refuse_statistic(source: AnyPath | SpatialImage | RawImage) -> None:
    """Raise InputError where the header of an image says that its values are a statistic."""
    subject: object
    if isinstance(source, RawImage):
        subject, intent = source.path, source.header.intent
    elif isinstance(source, SpatialImage):
        subject = Path(source.get_filename() or "image")
        intent = int(source.header["intent_code"]) if isinstance(source, Nifti1Pair) else 0
    else:
        subject, intent = source, read_header(source).intent
    if intent in _STATISTICS:
        kind = intent_codes.label[intent]
        problem = f"holds a statistic, not probabilities: its intent code is {intent} ({kind})"
        remedy = "give maps of probabilities; if these are, state their scale, fraction or percent"
        raise InputError(subject, problem, remedy)
