"""What single pages keep in an address or a file: its names, what is usual, and what it can be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from traitlets import Enum

from ..core import defaults
from ..core.errors import InputError, LesionDashError
from ..core.space import space_of_user
from ..core.text import printable
from ..scans.signal_definitions import MOST_COILS
from ..stats.components import SHARED
from .assignment_request import AssignChoices
from .assignment_service import MAPS_OF_COHORTS
from .comparison_service import MAPS as COMPARED
from .data_root import OWN_FILES, DataRoot
from .file_field import MARK, split_file
from .image_files import ImageFiles
from .lab_choices import InputChoices, WayChoices
from .lab_files import LabFiles
from .lab_steps import step_of
from .registering import MNI
from .symptom_choices import BY_SHARE, MIN_LESIONED, SymptomChoices

Value = str | int | float | bool | tuple[str, ...]
"""What is kept of one choice."""

Values = Mapping[str, Value]
"""What is kept of one page, by the name of the choice."""

_LONGEST_TEXT = 500
_LONGEST_SHOWN = 60
_MOST_NAMES = 2000
_MOST_STEPS = 30
_LARGEST = 1e9
_OWN_NAME = rf'(\["(file|regions)",")?{re.escape(OWN_FILES)}(/|$)'
_OFFERED = re.compile(rf"{MARK}({MNI}|-?\d{{1,9}})", re.ASCII)
"""Not a file: the template that comes with the program, or a region of a map by its label."""


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
    bounds : tuple of float or None
        Of a number.
    """

    check: Callable[[DataRoot, object, Values], Value]
    usual: Value | None = None
    is_several: bool = False
    bounds: tuple[float, float] | None = None

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
        raise InputError(shown(value), f"is not text of at most {_LONGEST_TEXT} letters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(shown(value), "holds letters that cannot be written") from None
    return value


def is_own_file(value: object) -> bool:
    """Whether what is kept of a choice names a file or folder that the visitor has dropped.

    Examples
    --------
    >>> is_own_file("My masks (dropped)/1/lesions"), is_own_file("lesions"), is_own_file(None)
    (True, False, False)
    """
    if isinstance(value, list | tuple):
        return any(map(is_own_file, value))
    # Of the steps of the ROI page, which are JSON, it is one of several texts.
    return isinstance(value, str) and bool(re.match(_OWN_NAME, value))


def refuse_own(value: object) -> None:
    """Raise InputError where a link or a session file names what somebody has dropped."""
    if is_own_file(value):
        problem = "dropped masks are not part of a link or a session file"
        raise InputError(OWN_FILES, problem, "drop them here")


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
    ({'chance': {'seed': 7}}, 'is not a whole number from 20 to 100,000')
    """
    if not isinstance(inputs, Mapping):
        return {}, [InputError(shown(inputs), "is not a choice of this dashboard")]
    taken: dict[str, Values] = {}
    faults: list[InputError] = []
    for page, values in inputs.items():
        if page not in INPUTS or not isinstance(values, Mapping):
            faults.append(InputError(shown(page), "is not a page of this dashboard"))
            continue
        taken[page], more = _check_page(root, INPUTS[page], values)
        faults += more
    return {page: values for page, values in taken.items() if values}, faults


def _check_page(
    root: DataRoot, fields: Mapping[str, PersistedField], values: Mapping[str, object]
) -> tuple[Values, list[InputError]]:
    taken: dict[str, Value] = {}
    faults = [
        InputError(shown(name), "is not a choice of this dashboard")
        for name in values
        if name not in fields
    ]
    # In the order of the table: what a file is in comes before the file.
    for name in (name for name in fields if name in values):
        try:
            refuse_own(values[name])
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
            raise InputError(shown(value), f"is not a whole number from {low:,} to {high:,}")
        return int(number)

    return check


def _real(low: float, high: float) -> Callable[..., Value]:
    def check(_root: DataRoot, value: object, _given: Values) -> Value:
        number = _number(value)
        if number is None or not low <= number <= high:
            raise InputError(shown(value), f"is not a number from {low:,.10g} to {high:,.10g}")
        return number

    return check


def _between(low: float, high: float, usual: float) -> PersistedField:
    """A number within bounds; a whole one where the usual one is."""
    if isinstance(usual, int):
        return PersistedField(_whole(int(low), int(high)), usual, bounds=(low, high))
    return PersistedField(_real(low, high), usual, bounds=(low, high))


def _of_trait(trait: Any) -> PersistedField:
    """What a trait of a page's choices admits, and what it is at first."""
    if isinstance(trait, Enum):
        return PersistedField(_one_of(tuple(trait.values or ())), trait.default_value)
    low, high = trait.min, trait.max
    return _between(
        -_LARGEST if low is None or math.isinf(low) else low,
        _LARGEST if high is None or math.isinf(high) else high,
        trait.default_value,
    )


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
        raise InputError(shown(name), "is not an atlas of the data root")
    return name


def _folder(root: DataRoot, value: object, _given: Values) -> Value:
    name = text_of(value)
    if name and name not in LabFiles(root).folders and name not in root.cohorts:
        raise InputError(shown(name), "is not a folder of the data root")
    return name


def _source(root: DataRoot, value: object, _given: Values) -> Value:
    name = text_of(value)
    if name not in MAPS_OF_COHORTS and name not in ImageFiles(root).folders:
        raise InputError(shown(name), "is neither a map nor a folder of the data root")
    return name


def _image(root: DataRoot, value: object, given: Values) -> Value:
    """A file in the folder of the page Assign."""
    name = text_of(value)
    if name:
        ImageFiles(root).path(str(given.get("source", "")), name)
    return name


def _space(_root: DataRoot, value: object, _given: Values) -> Value:
    name = text_of(value)
    if name:
        space_of_user(name)
    return name


def _file(root: DataRoot, value: object, _given: Values) -> Value:
    """A file as a field of folder and name has it; or the key of what is not a file, or none."""
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
        raise InputError(shown(value), f"is not a list of at most {max_names:,} texts")
    return tuple(text_of(item) for item in value)


def _several_words(root: DataRoot, value: object, given: Values) -> Value:
    return tuple(str(_words(root, text, given)) for text in _texts(value))


def _lesioned(root: DataRoot, value: object, given: Values) -> Value:
    least = _whole(min(MIN_LESIONED), max(MIN_LESIONED))(root, value, given)
    if least not in MIN_LESIONED:
        raise InputError(shown(value), "is none of the choices there are")
    return least


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
        "permutations": _between(defaults.MIN_PERMUTATIONS, 100_000, defaults.PERMUTATIONS),
        "seed": _between(0, 2**31 - 1, defaults.SEED),
    },
    "symptoms": {
        "cohort": _of_trait(SymptomChoices.cohort),
        "score": PersistedField(_words, ""),
        "covariates": PersistedField(_several_words, (), is_several=True),
        "test": _of_trait(SymptomChoices.test),
        "control": _of_trait(SymptomChoices.control),
        "side": _of_trait(SymptomChoices.side),
        "min_lesioned": PersistedField(_lesioned, BY_SHARE),
        "permutations": _of_trait(SymptomChoices.permutations),
        "seed": _of_trait(SymptomChoices.seed),
        "compares": PersistedField(_yes_or_no, False),
    },
    "assign": {
        "source": PersistedField(_source),
        "file": PersistedField(_image, ""),
        "space": PersistedField(_space, ""),
        "atlas": PersistedField(_atlas, ""),
        "threshold": _of_trait(AssignChoices.threshold),
        "signs": _of_trait(AssignChoices.signs),
        "connectivity": PersistedField(_touch, defaults.CONNECTIVITY),
        "min_size_mm3": _of_trait(AssignChoices.min_size_mm3),
        "lower_threshold": _of_trait(AssignChoices.lower_threshold),
        "min_correlation": _of_trait(AssignChoices.min_correlation),
    },
    "inspect": {
        "file": PersistedField(_inspected, ""),
        "dropped": PersistedField(_yes_or_no, False),
    },
    "roi": {
        "kind": _of_trait(InputChoices.kind),
        "folder": PersistedField(_folder, ""),
        "folder_b": PersistedField(_folder, ""),
        "runs": PersistedField(_runs, (), is_several=True),
        "table": PersistedField(_inside, ""),
        "file": PersistedField(_inside, ""),
        "column": PersistedField(_words, ""),
        "a": PersistedField(_words, ""),
        "b": PersistedField(_words, ""),
        "delay_s": _of_trait(InputChoices.delay_s),
        "repetition_time": _of_trait(InputChoices.repetition_time),
        "fwhm_mm": _of_trait(InputChoices.fwhm_mm),
        "mask": PersistedField(_file, ""),
        "test": _of_trait(InputChoices.test),
        "correction": _of_trait(InputChoices.correction),
        "min_patients": _of_trait(InputChoices.min_patients),
        "n_permutations": _of_trait(InputChoices.n_permutations),
        "seed": _of_trait(InputChoices.seed),
        "map_key": _of_trait(WayChoices.map_key),
        "threshold": _of_trait(WayChoices.threshold),
        "threshold_side": _of_trait(WayChoices.side),
        "steps": PersistedField(_steps, (), is_several=True),
        "connectivity": PersistedField(_touch, defaults.CLUSTER_CONNECTIVITY),
        "min_voxels": _of_trait(WayChoices.min_voxels),
        "min_mm3": _of_trait(WayChoices.min_mm3),
        "atlas": PersistedField(_atlas, ""),
    },
    "template": {
        "image": PersistedField(_file, ""),
        "template": PersistedField(_file, ""),
        "kind": PersistedField(_one_of(get_args(defaults.Kind)), defaults.KIND),
        "lesion": PersistedField(_file, ""),
        "map": PersistedField(_file, ""),
        "region": PersistedField(_words, ""),
        "threshold": _between(0.01, 1.0, defaults.REGION_THRESHOLD),
        "background": PersistedField(_file, ""),
        "air": PersistedField(_file, ""),
        "second": PersistedField(_file, ""),
        "coils": _between(1, MOST_COILS, defaults.COILS),
    },
}
"""The choices of single pages that are kept, by the page's name, in the order they are made."""


def number_field(page: str, name: str) -> dict[str, Any]:
    """Value, smallest and largest of a number, as widgets take them.

    Examples
    --------
    >>> number_field("roi", "fwhm_mm")
    {'value': 0.0, 'min': 0.0, 'max': 100.0}
    """
    field = INPUTS[page][name]
    assert field.bounds is not None
    return {"value": field.usual, "min": field.bounds[0], "max": field.bounds[1]}
