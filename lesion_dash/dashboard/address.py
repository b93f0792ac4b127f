"""The choices as the end of the page's address, behind the ``#``, which browsers tell no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import anywidget
import traitlets as t

from ..core.errors import InputError
from .page_inputs import INPUTS, PersistedField, Value, Values
from .page_state import PageState
from .scripts import static_text

LONGEST = 8000
"""Letters of an address; what is longer is neither written nor read."""

_MOST_PARTS = 600
_NAMES = {
    "a": "folder_a",
    "where_a": "where_a",
    "files_a": "files_a",
    "b": "folder_b",
    "where_b": "where_b",
    "files_b": "files_b",
    "k": "min_patients",
    "map": "map_key",
    "atlas": "atlases",
    "use": "atlas_uses",
    "figure": "figure",
    "view": "view",
    "plane": "plane",
    "slices": "slices",
    "shade": "figure_shade",
    "size": "figure_size",
    "of": "regions_of",
    "by": "regions_by",
    "side": "radiological",
    "mm": "mm",
    "patient": "patient",
    "region": "region",
    "page": "page",
}
"""Parts of an address, in their order, and the choices they tell."""

_SEVERAL = {"where_a", "where_b", "atlases", "atlas_uses"}
"""Choices of several values, which are told one after another; no value stands for none."""

_EARLIER = {"names": "atlas_uses"}
"""Parts of addresses that earlier versions have written."""

_SIDES = {"neurological": False, "radiological": True}


def to_address(state: PageState) -> str:
    """Choices as one line; what is as on a new page is left out.

    Where it is too long it goes without the inputs of some pages, see `too_long_for`, and is empty
    where that does not help.

    Examples
    --------
    >>> to_address(PageState("cohort_a", where_a=("age>=60",), min_patients=7, mm=(-30.04, 4, 12)))
    'a=cohort_a&where_a=age%3E%3D60&k=7&mm=-30,4,12'
    """
    left_out = too_long_for(state)
    inputs = {page: values for page, values in state.inputs.items() if page not in left_out}
    text = _line([*_parts(state), *_input_parts(inputs)])
    return text if len(text) <= LONGEST else ""


def too_long_for(state: PageState) -> tuple[str, ...]:
    """The pages whose inputs an address has no room for: those with most to say."""
    left = LONGEST - len(_line(_parts(state)))
    lengths = {
        page: len(_line(_input_parts({page: values}))) + 1 for page, values in state.inputs.items()
    }
    left_out = []
    for page in sorted(lengths, key=lambda page: lengths[page], reverse=True):
        if sum(lengths.values()) > left:
            left_out.append(page)
            del lengths[page]
    return tuple(left_out)


def read_address(text: str) -> dict[str, object]:
    """The values of an address under the names of `PageState`, unchecked.

    Raises
    ------
    InputError
        Where the address is too long.

    Examples
    --------
    >>> read_address("a=cohort_a&k=7&k=9&mm=1,2,3&k2=0")
    {'folder_a': 'cohort_a', 'min_patients': 9, 'mm': (1.0, 2.0, 3.0), 'k2': '0'}
    """
    problem = "its address is too long to be one of this dashboard"
    if len(text) > LONGEST:
        raise InputError("the link", problem, "ask for a session file instead")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARTS)
    except ValueError:
        raise InputError("the link", problem, "ask for a session file instead") from None
    values: dict[str, object] = {}
    inputs: dict[str, dict[str, object]] = {}
    for short, value in pairs:
        name = (_NAMES | _EARLIER).get(short, short)
        if (persisted := _persisted(short)) is not None:
            page, _, name = short.partition(".")
            _add_input(inputs.setdefault(page, {}), name, value, persisted)
        elif name in _SEVERAL:
            before = values.get(name, ())
            assert isinstance(before, tuple)
            is_none = name == "atlases" and not value
            values[name] = before if is_none else (*before, value)
        else:
            values[name] = _value(name, value)
    return values | ({"inputs": inputs} if inputs else {})


def _parts(state: PageState) -> list[tuple[str, str]]:
    """The choices of the dashboard: name and text."""
    usual = PageState()
    parts: list[tuple[str, str]] = []
    for short, name in _NAMES.items():
        value = getattr(state, name)
        if value != getattr(usual, name):
            parts += [(short, text) for text in _texts(name, value)]
    return parts


def _line(parts: list[tuple[str, str]]) -> str:
    return urlencode(parts, safe="/,", quote_via=quote)


def _input_parts(inputs: Mapping[str, Values]) -> list[tuple[str, str]]:
    """The choices of single pages: page and name, and a text."""
    every = (
        (f"{page}.{name}", value)
        for page, values in inputs.items()
        for name, value in values.items()
    )
    return [(short, text) for short, value in every for text in _input_texts(value)]


def _input_texts(value: Value) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, bool):
        return ("yes" if value else "no",)
    return (
        f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value),
    )


def _persisted(short: str) -> PersistedField | None:
    """The choice of a page that a part of an address is about; None where it is another."""
    page, _, name = short.partition(".")
    return INPUTS.get(page, {}).get(name)


def _add_input(values: dict[str, object], name: str, text: str, persisted: PersistedField) -> None:
    before = values.get(name, ())
    if persisted.is_several and isinstance(before, tuple):
        values[name] = (*before, text)
    else:
        values[name] = persisted.read(text)


def _texts(name: str, value: Any) -> list[str]:
    if name in _SEVERAL:
        return list(value) or [""]
    if name == "mm":
        # A tenth of a mm is finer than any voxel; 0.0 is added as there is no place -0.
        return [",".join(f"{round(number, 1) + 0.0:g}" for number in value)]
    if name == "radiological":
        return [next(words for words, is_so in _SIDES.items() if is_so == value)]
    return [str(value)]


def _value(name: str, text: str) -> object:
    """What a text stands for; the text itself, where it stands for nothing."""
    try:
        if name in {"min_patients", "slices"}:
            return int(text) if text.isascii() and text.isdecimal() else text
        if name == "region":
            return int(text) if text.isascii() and text.removeprefix("-").isdecimal() else text
        if name == "mm":
            return tuple(float(part) for part in text.split(",")) if text.isascii() else text
    except ValueError:
        return text
    return _SIDES.get(text, text) if name == "radiological" else text


class AddressBar(anywidget.AnyWidget):
    """Tells the choices in the address of the page, and hears of the address it was opened with.

    In JupyterLab, whose address it would be, it says nothing and hears of nothing.

    Parameters
    ----------
    on_open : callable
        Given the address, once a browser shows the page, and whenever another is put in its place.
    """

    _esm = static_text("address.js")
    text = t.Unicode("").tag(sync=True)

    def __init__(self, on_open: Callable[[str], None]) -> None:
        super().__init__()
        self._on_open = on_open
        self.on_msg(self._received)

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if isinstance(content, dict) and isinstance(content.get("address"), str):
            # The browser shows this now; otherwise the address before would be no change to it.
            self.text = content["address"]
            self._on_open(self.text)
