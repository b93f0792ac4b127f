"""What single pages keep in an address or a file: its names, what is usual, and what it can be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

from ..core import defaults
from ..core.errors import InputError, LesionDashError
from ..core.text import printable
from ..stats.components import SHARED, SIGNS
from ..stats.contrast import CORRECTIONS, TESTS
from .assignment_request import NO_FILTER
from .assignment_service import MAPS_OF_COHORTS
from .comparison_service import MAPS as COMPARED
from .data_root import DataRoot
from .file_field import MARK, split_file
from .image_files import ImageFiles
from .lab_choices import KINDS, MAPS
from .lab_files import LabFiles
from .lab_steps import step_of
from .registering import MNI

Value = str | int | float | bool | tuple[str, ...]
"""What is kept of one choice."""

Values = Mapping[str, Value]
"""What is kept of one page, by the name of the choice."""

_LONGEST_TEXT = 500
_LONGEST_SHOWN = 60
_MOST_NAMES = 2000
_MOST_STEPS = 30
_LARGEST = 1e9
_OFFERED = re.compile(rf"{MARK}({MNI}|-?\d{{1,9}})", re.ASCII)
"""What is no file: the template that comes with the program, or a region of a map by its label."""


@dataclass(frozen=True)
class PersistedField:
    """A choice of a page that is kept.

    Parameters
    ----------
    check : callable
        Given the data root, what somebody wrote, and what was already taken for the page; returns
        the value, or raises InputError.
    usual : Value or None
        What need not be said; None for what is always said of an open page.
    is_several : bool
        Whether it is a list of texts.
    """

    check: Callable[[DataRoot, object, Values], Value]
    usual: Value | None = None
    is_several: bool = False

    def read(self, text: str) -> object:
        """What a text of an address stands for; the text itself, where it stands for nothing."""
        if isinstance(self.usual, bool):
            return {"yes": True, "no": False}.get(text, text)
        return text


def shown(value: object) -> str:
    r"""A value somebody wrote, short and printable enough for a sentence.

    Examples
    --------
    >>> shown("a" * 100)[-3:], shown("a" + chr(7))
    ('...', 'a\\x07')
    """
    text = printable(str(value)[:1000])
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def text_of(value: object) -> str:
    """A text that is short, and can be written.

    Raises
    ------
    InputError
        Where it is none.
    """
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise InputError(shown(value), f"is no text of at most {_LONGEST_TEXT} letters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(shown(value), "holds letters that cannot be written") from None
    return value


def check_inputs(root: DataRoot, inputs: object) -> tuple[dict[str, Values], list[InputError]]:
    """What can be taken of the choices of single pages, and why the rest cannot.

    Parameters
    ----------
    root : DataRoot
    inputs : object
        Whatever somebody wrote: a mapping from a page's name to its choices by their names.

    Examples
    --------
    >>> from pathlib import Path
    >>> root = DataRoot(Path("sample_data"))
    >>> found = {"chance": {"seed": 7, "permutations": 1e9}}
    >>> taken, faults = check_inputs(root, found)
    >>> taken, faults[0].problem
    ({'chance': {'seed': 7}}, 'is no whole number from 20 to 100,000')
    """
    if not isinstance(inputs, Mapping):
        return {}, [InputError(shown(inputs), "is no choice of this dashboard")]
    taken: dict[str, Values] = {}
    faults: list[InputError] = []
    for page, values in inputs.items():
        if page not in INPUTS or not isinstance(values, Mapping):
            faults.append(InputError(shown(page), "is no page of this dashboard"))
            continue
        taken[page], more = _check_page(root, INPUTS[page], values)
        faults += more
    return {page: values for page, values in taken.items() if values}, faults


def _check_page(
    root: DataRoot, fields: Mapping[str, PersistedField], values: Mapping[str, object]
) -> tuple[Values, list[InputError]]:
    taken: dict[str, Value] = {}
    faults = [
        InputError(shown(name), "is no choice of this dashboard")
        for name in values
        if name not in fields
    ]
    # In the order of the table: what a file is in comes before the file.
    for name in (name for name in fields if name in values):
        try:
            taken[name] = fields[name].check(root, values[name], taken)
        except LesionDashError as error:
            problem = error.problem if isinstance(error, InputError) else str(error)
            faults.append(InputError(shown(values[name]), problem))
    return taken, faults


def _one_of(names: Mapping[str, object] | tuple[str, ...]) -> Callable[..., Value]:
    def check(_root: DataRoot, value: object, _given: Values) -> Value:
        if not isinstance(value, str) or value not in names:
            raise InputError(shown(value), "is none of the choices there are")
        return value

    return check


def _whole(low: int, high: int) -> Callable[..., Value]:
    def check(_root: DataRoot, value: object, _given: Values) -> Value:
        number = _number(value)
        if number is None or number != int(number) or not low <= number <= high:
            raise InputError(shown(value), f"is no whole number from {low:,} to {high:,}")
        return int(number)

    return check


def _real(low: float, high: float) -> Callable[..., Value]:
    def check(_root: DataRoot, value: object, _given: Values) -> Value:
        number = _number(value)
        if number is None or not low <= number <= high:
            raise InputError(shown(value), f"is no number from {low:,.10g} to {high:,.10g}")
        return number

    return check


def _number(value: object) -> float | None:
    """A finite number, also from a short plain text; None where it is none."""
    if isinstance(value, str) and value.isascii() and 0 < len(value) <= _LONGEST_SHOWN:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST * 10:
        return None
    return float(value) if math.isfinite(value) else None


def _words(_root: DataRoot, value: object, _given: Values) -> Value:
    """A name out of a file: the page looks for it among those it offers."""
    text = text_of(value)
    if not text.isprintable():
        raise InputError(shown(value), "holds letters that cannot be shown")
    return text


def _yes_or_no(_root: DataRoot, value: object, _given: Values) -> Value:
    if not isinstance(value, bool):
        raise InputError(shown(value), "is neither true nor false")
    return value


def _atlas(root: DataRoot, value: object, _given: Values) -> Value:
    name = text_of(value)
    if name and name not in root.atlases:
        raise InputError(shown(name), "is no atlas of the data root")
    return name


def _folder(root: DataRoot, value: object, _given: Values) -> Value:
    name = text_of(value)
    if name and name not in LabFiles(root).folders and name not in root.cohorts:
        raise InputError(shown(name), "is no folder of the data root")
    return name


def _source(root: DataRoot, value: object, _given: Values) -> Value:
    name = text_of(value)
    if name not in MAPS_OF_COHORTS and name not in ImageFiles(root).folders:
        raise InputError(shown(name), "is no map and no folder of the data root")
    return name


def _image(root: DataRoot, value: object, given: Values) -> Value:
    """A file in the folder of the page Assign."""
    name = text_of(value)
    if name:
        ImageFiles(root).path(str(given.get("source", "")), name)
    return name


def _file(root: DataRoot, value: object, _given: Values) -> Value:
    """A file as a field of folder and name has it; or the key of what is no file, or none."""
    text = text_of(value)
    if not text.startswith(MARK):
        if text:
            LabFiles(root).path(*split_file(text))
    elif not _OFFERED.fullmatch(text):
        raise InputError(shown(text), "is not offered here")
    return text


def _inspected(root: DataRoot, value: object, _given: Values) -> Value:
    text = text_of(value)
    if text:
        ImageFiles(root).path(*split_file(text))
    return text


def _inside(root: DataRoot, value: object, given: Values) -> Value:
    """An image or a table in the folder of the ROI lab."""
    name = text_of(value)
    if name:
        LabFiles(root).path(str(given.get("folder", "")), name)
    return name


def _runs(root: DataRoot, value: object, given: Values) -> Value:
    names = _texts(value)
    if names:
        LabFiles(root).paths(str(given.get("folder", "")), names)
    return names


def _steps(root: DataRoot, value: object, _given: Values) -> Value:
    texts = _texts(value, _MOST_STEPS)
    for text in texts:
        step_of(text, root)
    return texts


def _texts(value: object, max_names: int = _MOST_NAMES) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > max_names:
        raise InputError(shown(value), f"is no list of at most {max_names:,} texts")
    return tuple(text_of(item) for item in value)


def _touch(root: DataRoot, value: object, given: Values) -> Value:
    connectivity = _whole(min(SHARED), max(SHARED))(root, value, given)
    if connectivity not in SHARED:
        raise InputError(shown(value), "is none of the choices there are")
    return connectivity


INPUTS: dict[str, dict[str, PersistedField]] = {
    "compare": {"map": PersistedField(_one_of(COMPARED))},
    "chance": {
        "cohort": PersistedField(_one_of(("a", "b"))),
        "side": PersistedField(_one_of(get_args(defaults.VolumeSide)), defaults.VOLUME_SIDE),
        "permutations": PersistedField(
            _whole(defaults.MIN_PERMUTATIONS, 100_000), defaults.PERMUTATIONS
        ),
        "seed": PersistedField(_whole(0, 2**31 - 1), defaults.SEED),
    },
    "assign": {
        "source": PersistedField(_source),
        "file": PersistedField(_image, ""),
        "atlas": PersistedField(_atlas, ""),
        "threshold": PersistedField(_real(0, _LARGEST), defaults.THRESHOLD),
        "signs": PersistedField(_one_of(SIGNS), defaults.SIGNS),
        "connectivity": PersistedField(_touch, defaults.CONNECTIVITY),
        "min_size_mm3": PersistedField(_real(0, _LARGEST), defaults.MIN_SIZE_MM3),
        "lower_threshold": PersistedField(_real(0, 1), defaults.LOWER_THRESHOLD),
        "min_correlation": PersistedField(_real(-1, 1), NO_FILTER),
    },
    "inspect": {
        "file": PersistedField(_inspected, ""),
        "dropped": PersistedField(_yes_or_no, False),
    },
    "roi": {
        "kind": PersistedField(_one_of(KINDS), "series"),
        "folder": PersistedField(_folder, ""),
        "folder_b": PersistedField(_folder, ""),
        "runs": PersistedField(_runs, (), is_several=True),
        "table": PersistedField(_inside, ""),
        "file": PersistedField(_inside, ""),
        "column": PersistedField(_words, ""),
        "a": PersistedField(_words, ""),
        "b": PersistedField(_words, ""),
        "delay_s": PersistedField(_real(-60, 60), defaults.DELAY_S),
        "repetition_time": PersistedField(_real(0, 1000), 0.0),
        "fwhm_mm": PersistedField(_real(0, 100), 0.0),
        "mask": PersistedField(_file, ""),
        "test": PersistedField(_one_of(TESTS), defaults.T_TEST),
        "correction": PersistedField(_one_of(CORRECTIONS), defaults.CORRECTION),
        "min_patients": PersistedField(_whole(1, 1_000_000), defaults.MIN_PATIENTS_OF_TWO),
        "n_permutations": PersistedField(
            _whole(defaults.MIN_PERMUTATIONS, 1_000_000), defaults.PERMUTATIONS
        ),
        "seed": PersistedField(_whole(0, 2**32 - 1), defaults.SEED),
        "map_key": PersistedField(_one_of(("", *MAPS)), "minus_log10_p"),
        "threshold": PersistedField(_real(-_LARGEST, _LARGEST), 3.0),
        "threshold_side": PersistedField(
            _one_of(get_args(defaults.ThresholdSide)), defaults.THRESHOLD_SIDE
        ),
        "steps": PersistedField(_steps, (), is_several=True),
        "connectivity": PersistedField(_touch, defaults.CLUSTER_CONNECTIVITY),
        "min_voxels": PersistedField(_whole(1, 10**9), defaults.MIN_ROI_VOXELS),
        "min_mm3": PersistedField(_real(0, _LARGEST), defaults.MIN_ROI_MM3),
        "atlas": PersistedField(_atlas, ""),
    },
    "template": {
        "image": PersistedField(_file, ""),
        "template": PersistedField(_file, ""),
        "kind": PersistedField(_one_of(get_args(defaults.Kind)), defaults.KIND),
        "lesion": PersistedField(_file, ""),
        "map": PersistedField(_file, ""),
        "region": PersistedField(_words, ""),
        "threshold": PersistedField(_real(0.01, 1), defaults.REGION_THRESHOLD),
        "background": PersistedField(_file, ""),
        "air": PersistedField(_file, ""),
        "second": PersistedField(_file, ""),
        "coils": PersistedField(_whole(1, 256), defaults.COILS),
    },
}
"""The choices of single pages that are kept, by the page's name, in the order they are made."""
