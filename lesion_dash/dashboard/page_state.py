"""The choices one comes back to, from an address or a file: each value is checked anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from typing import Any

from ..cohort.conditions import parse_conditions
from ..cohort.file_choice import FileChoice
from ..core.errors import InputError
from ..plotting.figures import MOSAIC_SLICES
from .atlas_use import AtlasUse
from .data_root import DataRoot
from .page_inputs import Values, check_inputs, is_own_file, refuse_own, shown, text_of
from .places import Mm
from .state import FIGURES, MAPS, MOST_ATLASES, PLANES, REGIONS_BY, SHADES, SIZES, SLICES, VIEWS

_MOST_CONDITIONS = 50
_MOST_PATIENTS = 1_000_000
_FARTHEST_MM = 1000.0
_LARGEST_LABEL = 2**31 - 1


@dataclass(frozen=True)
class PageState:
    """Choices of a page; None where nothing is said of a choice, and the page makes it.

    Parameters
    ----------
    folder_a : str or None
    folder_b : str
        Empty for none.
    where_a, where_b : tuple of str
        Conditions that the patients of A and B meet.
    files_a, files_b : str
        Which of a patient's files count in A and B, see `FileChoice`.
    min_patients : int or None
    atlases : tuple of str or None
    atlas_uses : tuple of str
        What was said of each atlas, see `AtlasUse`, or of none.
    map_key : str or None
        One of `MAPS`.
    figure : str
        One of `FIGURES`.
    view : str
        One of `VIEWS`.
    plane, figure_shade, figure_size : str
        How the figure is drawn: one of `PLANES`, `SHADES` and `SIZES`.
    slices : int
        One of `SLICES`.
    regions_of : str
        The atlas whose regions are listed, empty for the first.
    regions_by : str
        One of `REGIONS_BY`.
    radiological : bool
    mm : tuple of float or None
        Where the crosshair is, in mm.
    patient : str
        Folder and file of the patient whose lesion is outlined, empty for none.
    region : int or None
        Label of the region whose patients are listed.
    page : str
        Name of the open page, empty for the first.
    inputs : mapping
        What is chosen on single pages and not usual, by page; see `INPUTS`.
    """

    folder_a: str | None = None
    folder_b: str = ""
    where_a: tuple[str, ...] = ()
    where_b: tuple[str, ...] = ()
    files_a: str = ""
    files_b: str = ""
    min_patients: int | None = None
    atlases: tuple[str, ...] | None = None
    atlas_uses: tuple[str, ...] = ()
    map_key: str | None = None
    figure: str = "slices"
    view: str = "interactive"
    plane: str = "all"
    slices: int = MOSAIC_SLICES
    figure_shade: str = "page"
    figure_size: str = "panel"
    regions_of: str = ""
    regions_by: str = ""
    radiological: bool = False
    mm: Mm | None = None
    patient: str = ""
    region: int | None = None
    page: str = ""
    inputs: Mapping[str, Values] = field(default_factory=dict)


def without_own(state: PageState) -> PageState:
    """The choices without those of the visitor's own files, which go no further than the session.

    Examples
    --------
    >>> state = PageState("My masks (dropped)/1/lesions", atlases=("aal",), min_patients=7)
    >>> without_own(state).folder_a, without_own(state).min_patients, without_own(state).atlases
    (None, None, ('aal',))
    """
    changes: dict[str, Any] = {}
    if is_own_file(state.folder_a):
        names = ("folder_a", "where_a", "files_a", "min_patients", "map_key", "mm", "region")
        changes |= dict.fromkeys((*names, "folder_b", "where_b", "files_b"))
    elif is_own_file(state.folder_b):
        changes |= dict.fromkeys(("folder_b", "where_b", "files_b", "map_key"))
    atlases = state.atlases or ()
    listed = state.regions_of or next(iter(atlases), "")
    if is_own_file(listed):
        changes |= dict.fromkeys(("regions_of", "region"))
    if is_own_file(state.patient) or "folder_a" in changes:
        changes |= {"patient": None}
    usual = PageState()
    inputs = {
        page: {name: value for name, value in values.items() if not is_own_file(value)}
        for page, values in state.inputs.items()
    }
    kept = {page: values for page, values in inputs.items() if values}
    values = {name: getattr(usual, name) for name in changes} | {"inputs": kept}
    if is_own_file(atlases):
        uses = zip(atlases, chain(state.atlas_uses, repeat("")), strict=False)
        others = {name: use for name, use in uses if not is_own_file(name)}
        values["atlases"] = tuple(others) or None
        values["atlas_uses"] = tuple(others.values()) if any(others.values()) else ()
    return replace(state, **values)


@dataclass(frozen=True)
class StateValidator:
    """What there is to choose from.

    Parameters
    ----------
    root : DataRoot
    pages : tuple of str
        Names of the pages.
    """

    root: DataRoot
    pages: tuple[str, ...] = ()

    def check(self, values: Mapping[str, object]) -> tuple[PageState, tuple[InputError, ...]]:
        """The state of what can be taken, and why the rest cannot.

        Parameters
        ----------
        values : mapping
            Under the names of `PageState`; whatever somebody wrote.

        Examples
        --------
        >>> from pathlib import Path
        >>> validator = StateValidator(DataRoot(Path("sample_data")), ("topography",))
        >>> found, faults = validator.check({"folder_a": "../secret", "min_patients": 7})
        >>> found.folder_a, found.min_patients, faults[0].problem
        (None, 7, 'is not a folder of the data root')
        """
        taken: dict[str, Any] = {}
        faults: list[InputError] = []
        for name, value in values.items():
            try:
                if name != "inputs":
                    refuse_own(value)
                if name == "inputs":
                    taken[name], more = check_inputs(self.root, value)
                    faults += more
                else:
                    taken[name] = self._check_one(name, value)
            except InputError as error:
                faults.append(error)
        if not {"atlases", "regions_of"}.intersection(values) <= set(taken):
            taken.pop("region", None)  # the same label is another region in another atlas
        return PageState(**taken), tuple(faults)

    def _check_one(self, name: str, value: object) -> object:
        if name not in _CHECKS:
            raise InputError(shown(name), "is not a choice of this dashboard")
        return _CHECKS[name](self, value)


def _folder(validator: StateValidator, value: object) -> str:
    name = text_of(value)
    if name and name not in validator.root.cohorts:
        raise InputError(shown(name), "is not a folder of the data root")
    return name


def _atlas(validator: StateValidator, value: object) -> str:
    name = text_of(value)
    if name and name not in validator.root.atlases:
        raise InputError(shown(name), "is not an atlas of the data root")
    return name


def _atlases(validator: StateValidator, value: object) -> tuple[str, ...]:
    names = tuple(filter(None, (_atlas(validator, name) for name in _of_atlases(value))))
    if len(set(names)) < len(names):
        raise InputError(shown(value), "names an atlas twice")
    return names


def _uses(_validator: StateValidator, value: object) -> tuple[str, ...]:
    return tuple(str(AtlasUse.parse(text_of(use))) for use in _of_atlases(value))


def _of_atlases(value: object) -> list[object] | tuple[object, ...]:
    """One value for each of several atlases; older links and files have one alone."""
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) > MOST_ATLASES:
        raise InputError(shown(value), f"are more than {MOST_ATLASES} atlases")
    return values


def _conditions(_validator: StateValidator, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > _MOST_CONDITIONS:
        raise InputError(shown(value), f"is not a list of at most {_MOST_CONDITIONS} conditions")
    texts = [text_of(condition) for condition in value]
    return tuple(str(condition) for condition in parse_conditions(texts))


def _files(_validator: StateValidator, value: object) -> str:
    return str(FileChoice.parse(text_of(value)))


def _patients(_validator: StateValidator, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_PATIENTS:
        return value
    raise InputError(shown(value), "is not a number of patients", "give a whole number from 1 on")


def _place(_validator: StateValidator, value: object) -> Mm:
    numbers = value if isinstance(value, list | tuple) and len(value) == 3 else ()
    mm = [float(v) for v in numbers if _is_coordinate(v)]
    if len(mm) != 3:
        raise InputError(shown(value), "is not a place", "give x, y and z in mm")
    return (mm[0], mm[1], mm[2])


def _is_coordinate(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_FARTHEST_MM <= value <= _FARTHEST_MM


def _patient(validator: StateValidator, value: object) -> str:
    key = text_of(value)
    if key and not any(key.startswith(f"{folder}/") for folder in validator.root.cohorts):
        raise InputError(shown(key), "is not a patient of the data root")
    return key


def _region(_validator: StateValidator, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST_LABEL:
        return value
    raise InputError(shown(value), "is not a label of a region")


def _yes_or_no(_validator: StateValidator, value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(shown(value), "is neither true nor false")
    return value


def _slices(_validator: StateValidator, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value in SLICES:
        return value
    raise InputError(shown(value), f"is none of {', '.join(map(str, SLICES))} slices")


def _one_of(value: object, names: tuple[str, ...], kind: str) -> str:
    if not isinstance(value, str) or value not in names:
        raise InputError(shown(value), f"is not a {kind} of this dashboard")
    return value


_CHECKS: dict[str, Callable[[StateValidator, object], object]] = {
    "folder_a": _folder,
    "folder_b": _folder,
    "where_a": _conditions,
    "where_b": _conditions,
    "files_a": _files,
    "files_b": _files,
    "min_patients": _patients,
    "atlases": _atlases,
    "atlas_uses": _uses,
    "map_key": lambda _, value: _one_of(value, tuple(MAPS), "map"),
    "figure": lambda _, value: _one_of(value, tuple(FIGURES), "figure"),
    "view": lambda _, value: _one_of(value, tuple(VIEWS), "view"),
    "plane": lambda _, value: _one_of(value, tuple(PLANES), "plane"),
    "slices": _slices,
    "figure_shade": lambda _, value: _one_of(value, tuple(SHADES), "background"),
    "figure_size": lambda _, value: _one_of(value, tuple(SIZES), "size of a figure"),
    "regions_of": _atlas,
    "regions_by": lambda _, value: _one_of(value, tuple(REGIONS_BY), "level of regions"),
    "radiological": _yes_or_no,
    "mm": _place,
    "patient": _patient,
    "region": _region,
    "page": lambda validator, value: _one_of(value, ("", *validator.pages), "page"),
}
