"""JSON files beside images, and the time between volumes, which BIDS states there."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from ..core.errors import InputError, MissingFile, SetupError
from ..files.listing import is_confined, strip_ending
from ..files.paths import AnyPath, UrlPath
from ..files.reading import TABLE, read_bytes

if TYPE_CHECKING:
    from .nifti import Header

_KEY = "RepetitionTime"
_ROOT_MARK = "dataset_description.json"  # BIDS 1.10, in the folder of every dataset
_SUBJECT = "sub-"
_SAME = 0.01  # share of the larger; arbitrary: above rounding, below what moves a volume
_SHORTEST_MS = 100.0
"""A repetition time from here on that bears no unit is one in ms: no scan takes so many seconds."""


class StatedTime(NamedTuple):
    """The time from one volume to the next, as header and sidecar state it.

    Parameters
    ----------
    seconds : float
        NaN where neither says it, or both do and differ.
    notes : tuple of str
    doubt : str
        What both say, where they differ by more than 1 %; otherwise empty.
    """

    seconds: float
    notes: tuple[str, ...] = ()
    doubt: str = ""


def stated_time(path: AnyPath, header: Header) -> StatedTime:
    """The repetition time of a series, from its header and the JSON file beside it.

    A sidecar is the one of the image's own name, or by the inheritance of BIDS the nearest one
    upwards to the dataset's folder whose parts of the name are all parts of the image's, such as
    ``task-rest_bold.json``.

    Parameters
    ----------
    path : Path or UrlPath
        Of the image.
    header : Header
        Of the image.

    Examples
    --------
    >>> from lesion_dash.images.reading import read_header
    >>> run = Path("sample_data/series/sub-01_task-pictures_run-1_bold.nii.gz")
    >>> stated_time(run, read_header(run))
    StatedTime(seconds=2.5, notes=(), doubt='')
    """
    if header.volumes == 1:
        return StatedTime(math.nan)
    own, own_notes = _of_header(header)
    notes: list[str] = []
    beside, name = _of_sidecar(path, notes)
    if math.isnan(beside):
        return StatedTime(own, (*own_notes, *notes))
    if math.isnan(own):
        taken = f"repetition time {beside:g} s taken from {name}: the header does not state it"
        return StatedTime(beside, (*notes, taken))
    if abs(own - beside) <= _SAME * max(own, beside):
        return StatedTime(own, tuple(notes))
    doubt = f"the header of {path.name} says {own:g} s, {name} {beside:g} s"
    return StatedTime(math.nan, tuple(notes), doubt)


def _of_header(header: Header) -> tuple[float, tuple[str, ...]]:
    time = header.repetition_time
    if not (math.isfinite(time) and time > 0):
        return math.nan, ()
    if header.states_time_unit:
        return time, ()
    if time >= _SHORTEST_MS:
        likely = f"probably {time:g} ms, which is {time / 1000:g} s"
        return math.nan, (f"repetition time is {time:g} without a unit: not used ({likely})",)
    return time, (f"repetition time is {time:g} without a unit: taken as seconds",)


@overload
def own_sidecar(path: Path) -> Path: ...
@overload
def own_sidecar(path: UrlPath) -> UrlPath: ...
def own_sidecar(path: AnyPath) -> AnyPath:
    """The JSON file of an image's own name, whether or not it is there."""
    return path.parent / f"{strip_ending(path.name)}.json"


def read_sidecar(path: AnyPath) -> dict[str, Any]:
    """What a JSON file beside an image states; an `InputError` where it is not an object."""
    raw = read_bytes(path, max_bytes=TABLE.bytes)
    with suppress(ValueError, RecursionError):
        if isinstance(content := json.loads(raw), dict):
            return content
    raise InputError(path, "is not a JSON object")


def _of_sidecar(path: AnyPath, notes: list[str]) -> tuple[float, str]:
    """Seconds, NaN where no sidecar says them, and the name of the one that does."""
    for sidecar in _sidecars(path):
        try:
            value = read_sidecar(sidecar).get(_KEY)
        except (MissingFile, SetupError):  # stores refuse what is not there, too
            continue
        except InputError as error:
            notes.append(f"{sidecar.name} is not used for the repetition time: {error.reason}")
            continue
        if value is None:
            continue
        if type(value) in (int, float) and math.isfinite(value) and value > 0:
            return float(value), sidecar.name
        notes.append(f"{sidecar.name}: {_KEY} is {str(value)[:20]!r}, no number of seconds")
    return math.nan, ""


def _sidecars(path: AnyPath) -> Iterator[AnyPath]:
    """The sidecars that may be of an image, the nearest and most particular first."""
    own = own_sidecar(path)
    yield own
    if not isinstance(path, Path):
        return
    *parts, suffix = strip_ending(path.name).split("_")
    is_limited = is_confined(path)
    for folder in _folders(path.absolute().parent):
        if is_limited and not is_confined(folder):
            return
        known = {
            name: name.removesuffix(".json").split("_")
            for name in _names_in(folder)
            if name.endswith(f"{suffix}.json") and name != own.name
        }
        fitting = [name for name, (*some, kind) in known.items()
                   if kind == suffix and {*some} <= {*parts}]  # fmt: skip
        for name in sorted(fitting, key=lambda name: -len(known[name])):
            yield folder / name


def _folders(folder: Path) -> Iterator[Path]:
    """The folder and those above it, up to that of the dataset; alone where there is no dataset."""
    while True:
        yield folder
        is_below_subject = any(name.startswith(_SUBJECT) for name in folder.parts)
        if (folder / _ROOT_MARK).exists() or not is_below_subject:
            return
        folder = folder.parent


def _names_in(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []
