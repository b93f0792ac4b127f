"""The choices as the end of the page's address, behind the ``#``, which browsers tell no server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import anywidget
import traitlets as t

from ..errors import InputError
from .bookmark import Bookmark
from .controls import STATIC

LONGEST = 8000
"""Letters of an address; what is longer is neither written nor read."""

_MOST_PARTS = 120
_NAMES = {
    "a": "folder_a",
    "where_a": "where_a",
    "b": "folder_b",
    "where_b": "where_b",
    "k": "min_patients",
    "map": "map_key",
    "atlas": "atlas",
    "figure": "figure",
    "side": "radiological",
    "mm": "mm",
    "page": "page",
}
"""Parts of an address, in their order, and the choices they tell."""

_SIDES = {"neurological": False, "radiological": True}


def to_address(bookmark: Bookmark) -> str:
    """Choices as one line; what is as on a new page is left out. Empty where it is too long.

    Examples
    --------
    >>> to_address(Bookmark("cohort_a", where_a=("age>=60",), min_patients=7, mm=(-30.04, 4, 12)))
    'a=cohort_a&where_a=age%3E%3D60&k=7&mm=-30,4,12'
    """
    usual = Bookmark()
    parts: list[tuple[str, str]] = []
    for short, name in _NAMES.items():
        value = getattr(bookmark, name)
        if value != getattr(usual, name):
            parts += [(short, text) for text in _texts(name, value)]
    text = urlencode(parts, safe="/,", quote_via=quote)
    return text if len(text) <= LONGEST else ""


def read_address(text: str) -> dict[str, object]:
    """The values of an address under the names of `Bookmark`, unchecked.

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
    for short, value in pairs:
        name = _NAMES.get(short, short)
        if name in {"where_a", "where_b"}:
            before = values.get(name, ())
            assert isinstance(before, tuple)
            values[name] = (*before, value)
        else:
            values[name] = _value(name, value)
    return values


def _texts(name: str, value: Any) -> list[str]:
    if name in {"where_a", "where_b"}:
        return list(value)
    if name == "mm":
        # A tenth of a mm is finer than any voxel; 0.0 is added as there is no place -0.
        return [",".join(f"{round(one, 1) + 0.0:g}" for one in value)]
    if name == "radiological":
        return [next(words for words, is_so in _SIDES.items() if is_so == value)]
    return [str(value)]


def _value(name: str, text: str) -> object:
    """What a text stands for; the text itself, where it stands for nothing."""
    try:
        if name == "min_patients":
            return int(text) if text.isascii() and text.isdecimal() else text
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

    _esm = STATIC / "address.js"
    text = t.Unicode("").tag(sync=True)

    def __init__(self, on_open: Callable[[str], None]) -> None:
        super().__init__()
        self._on_open = on_open
        self.on_msg(self._received)

    def _received(self, _widget: Any, content: Any, _buffers: Any) -> None:
        text = content.get("address") if isinstance(content, dict) else None
        if isinstance(text, str):
            self._on_open(text)
