"""The choices of single pages: kept for those that are not open yet, and made when they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import traitlets as t

from ..core.errors import InputError, LesionDashError
from .file_field import FileField
from .page_inputs import INPUTS, Value, Values, shown
from .tasks import QUIET, Debounce


@dataclass(frozen=True)
class Control:
    """Where a choice of a page is read and made.

    Parameters
    ----------
    read : callable
        Gives the value, also one that is still to be made.
    make : callable
        Given a value; raises TraitError or LesionDashError where it cannot be chosen.
    models : tuple of HasTraits
        That change with it.
    """

    read: Callable[[], Any]
    make: Callable[[Any], None]
    models: tuple[t.HasTraits, ...]


def control(model: t.HasTraits, trait: str = "value") -> Control:
    """A choice that is a trait, of a widget or of a model."""
    return Control(
        lambda: getattr(model, trait), lambda value: setattr(model, trait, value), (model,)
    )


def file_control(field: FileField) -> Control:
    """A choice that is a file of the data root."""
    return Control(lambda: field.text, field.choose, (field,))


class PersistedInputs:
    """What was chosen on pages, whether they are open or not.

    Parameters
    ----------
    failed : callable
        Given what cannot be chosen on a page that is opened later.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._faults: list[InputError] = []
        self._tell_later = Debounce(QUIET, self._tell)
        self._controls: dict[str, Mapping[str, Control]] = {}
        self._made: dict[str, Callable[[], None]] = {}
        self._waiting: dict[str, Values] = {}
        self._heard: list[Callable[[], None]] = []

    def observe(self, heard: Callable[[], None]) -> None:
        """Tell somebody of every change."""
        self._heard.append(heard)

    def follow(
        self, page: str, controls: Mapping[str, Control], made: Callable[[], None] | None = None
    ) -> None:
        """A page was opened: make what waits for it, and keep what is chosen from here on.

        Parameters
        ----------
        page : str
            One of `INPUTS`.
        controls : mapping
            By the names there.
        made : callable, optional
            Called when choices of an address or a file were made.
        """
        self._controls[page] = {name: controls[name] for name in INPUTS[page]}
        if made is not None:
            self._made[page] = made
        if page in self._waiting:
            self._faults += self._make(page, self._waiting.pop(page))
            self._tell_later()
        for model in {
            id(model): model for each in controls.values() for model in each.models
        }.values():
            model.observe(self._changed)
        self._changed()

    @property
    def values(self) -> dict[str, Values]:
        """What is chosen now and not usual, by page."""
        by_page = {page: _read(page, controls) for page, controls in self._controls.items()}
        every = {page: by_page.get(page) or self._waiting.get(page) or {} for page in INPUTS}
        return {page: values for page, values in every.items() if values}

    def restore(self, inputs: Mapping[str, Values]) -> list[InputError]:
        """Make choices, of pages not opened yet later; a page of which nothing is said stays.

        Returns
        -------
        list of InputError
            Why some of them cannot be made.
        """
        faults: list[InputError] = []
        for page, values in inputs.items():
            if page in self._controls:
                faults += self._make(page, values)
            else:
                self._waiting[page] = values
        return faults

    def _make(self, page: str, values: Values) -> list[InputError]:
        faults = []
        for name, control in self._controls[page].items():
            value = values.get(name, INPUTS[page][name].usual)
            if value is not None and not _is_made(control, value) and name in values:
                faults.append(InputError(shown(value), "is none of the choices there are"))
        if page in self._made:
            self._made[page]()
        return faults

    def _tell(self) -> None:
        if self._faults:
            self._failed(joined_error(self._faults, "What was kept of this page"))
            self._faults = []

    def _changed(self, _change: Any = None) -> None:
        for heard in self._heard:
            heard()


def joined_error(faults: Sequence[InputError], whose: str = "The link") -> InputError:
    """One sentence for all that a link asks for and is not here."""
    reasons = tuple(f"{fault.subject} {fault.problem}" for fault in faults)
    remedy = "the rest of it is shown"
    if len(reasons) == 1:
        return InputError(whose, reasons[0], remedy)
    problem = f"{len(reasons)} of its choices cannot be made here"
    return InputError(whose, problem, remedy, reasons)


def _read(page: str, controls: Mapping[str, Control]) -> Values:
    values: dict[str, Value] = {name: control.read() for name, control in controls.items()}
    return {name: value for name, value in values.items() if value != INPUTS[page][name].usual}


def _is_made(control: Control, value: Value) -> bool:
    """Make a choice; whether it could be made."""
    before = control.read()
    try:
        if before != value:
            control.make(value)
    except (t.TraitError, LesionDashError, OSError, LookupError, ValueError):
        return False  # whatever the page has against it: it stays open
    return bool(control.read() == value)
