"""What a page may send to the widgets of its kernel; everything else is dropped.

A browser's websocket reaches every synced trait of every widget, and some widgets of other packages
read a file or fetch an address that a trait names. So what a page may set is listed here, class by
class, and a trait that a later release of a package adds is closed until it is listed.
"""

from __future__ import annotations

import math
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from ..core.text import printable
from .address import AddressBar
from .blend_view import BlendView
from .controls import CloseButton
from .curve import CurveView
from .own_server import is_voila
from .pages.filters import FilterView
from .slice_view import SliceView
from .tour import Tour
from .widgets.appearance import Appearance
from .widgets.drop import FileDrop
from .widgets.figure_view import FigureView
from .widgets.navigation import Navigation
from .widgets.session_menu import SessionMenu
from .widgets.table import Table
from .widgets.viewer import Viewer

CONTROL_TARGET = "jupyter.widget.control"
_MOST_CONTROL_COMMS = 100
_MOST_LOGGED = 50
_LONGEST_NAME = 80


@dataclass(frozen=True)
class PageInput:
    """What a page may send to widgets of a class.

    Parameters
    ----------
    traits : frozenset of str
        Names of the traits it may set.
    events : frozenset of str
        Events of custom messages; nothing else of a message is passed on.
    is_checked : bool
        Whether the widget is one of ours that checks each custom message itself.
    unused : frozenset of str
        Names of what the widget's own script sends and nothing here needs: dropped unlogged.
    """

    traits: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    is_checked: bool = False
    unused: frozenset[str] = frozenset()


_NOTHING = PageInput()
_VALUE = PageInput(frozenset({"value"}))
_INDEX = PageInput(frozenset({"index"}))
_CHECKED = PageInput(is_checked=True)

INPUTS: Mapping[type[widgets.Widget], PageInput] = {
    Appearance: PageInput(frozenset({"dark"})),
    widgets.BoundedFloatText: _VALUE,
    widgets.BoundedIntText: _VALUE,
    widgets.Button: PageInput(events=frozenset({"click"})),
    widgets.Dropdown: _INDEX,
    widgets.FloatSlider: _VALUE,
    widgets.FloatText: _VALUE,
    widgets.IntSlider: _VALUE,
    widgets.RadioButtons: _INDEX,
    widgets.Select: _INDEX,
    widgets.SelectMultiple: _INDEX,
    widgets.SelectionSlider: _INDEX,
    widgets.Text: PageInput(frozenset({"value"}), frozenset({"submit"})),
    widgets.ToggleButtons: PageInput(frozenset({"index"}), unused=frozenset({"event click"})),
    Viewer: PageInput(Viewer.FROM_PAGE),
    Navigation: PageInput(frozenset({"selected_index"})),
    **dict.fromkeys(
        (AddressBar, BlendView, CloseButton, CurveView, FileDrop, FilterView), _CHECKED
    ),
    **dict.fromkeys((FigureView, SessionMenu, SliceView, Table, Tour), _CHECKED),
}
"""Holds for subclasses as well: anywidget makes one of its own for each widget."""


class PageMessages:
    """Stands between a kernel and its page, and passes on what is listed.

    Parameters
    ----------
    kernel : ipykernel.kernelbase.Kernel
    """

    def __init__(self, kernel: Any) -> None:
        self._log, self._comms, self._shell = kernel.log, kernel.comm_manager, kernel.shell
        self._control_comms: set[str] = set()
        self._logged: set[str] = set()
        handlers = kernel.shell_handlers
        self._open, handlers["comm_open"] = handlers["comm_open"], self._opened
        self._pass, handlers["comm_msg"] = handlers["comm_msg"], self._received
        self._close, handlers["comm_close"] = handlers["comm_close"], self._closed

    def _opened(self, stream: Any, ident: Any, msg: dict[str, Any]) -> None:
        """Let the widget manager ask for all states; a page makes no widgets."""
        comm_id, target = msg["content"].get("comm_id"), msg["content"].get("target_name")
        if target != CONTROL_TARGET or not isinstance(comm_id, str):
            self._drop(f"comm_open of {target}")
        elif comm_id in self._comms.comms or len(self._control_comms) >= _MOST_CONTROL_COMMS:
            self._drop("one comm_open too many")
        else:
            self._control_comms.add(comm_id)
            self._open(stream, ident, msg)

    def _closed(self, stream: Any, ident: Any, msg: dict[str, Any]) -> None:
        comm_id = msg["content"].get("comm_id")
        if isinstance(comm_id, str) and comm_id in self._control_comms:
            self._control_comms.discard(comm_id)
            self._close(stream, ident, msg)

    def _received(self, stream: Any, ident: Any, msg: dict[str, Any]) -> None:
        content = msg["content"]
        comm_id, data = content.get("comm_id"), content.get("data")
        if not isinstance(comm_id, str) or not isinstance(data, dict):
            self._drop("a message without widget or data")
            return
        if comm_id in self._control_comms:
            if data == {"method": "request_states"}:
                self._pass(stream, ident, msg)
            return
        widget = widget_of(comm_id)
        # What a page says to a widget that was closed in the meantime is late, and no fault.
        if widget is None:
            return
        passed, dropped = permitted(type(widget), data)
        for name in dropped:
            self._drop(f"{type(widget).__name__}.{name}")
        if passed is not None:
            # ipywidgets would show the page a traceback, with paths and lines of code.
            self._shell.showtraceback = self._log_error
            try:
                self._pass(stream, ident, msg | {"content": content | {"data": passed}})
            finally:
                del self._shell.showtraceback

    def _log_error(self, *_: Any, **__: Any) -> None:
        """Log an error in the handling of a message, with the place where it arose."""
        error = sys.exc_info()[1]
        frames = traceback.extract_tb(error.__traceback__ if error else None)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
        self._drop(f"what led to {type(error).__name__} at {place}")

    def _drop(self, what: str) -> None:
        """Log once what was dropped; names are a visitor's, and so may be endless and many."""
        shown = printable(what[:_LONGEST_NAME])
        if shown in self._logged or len(self._logged) > _MOST_LOGGED:
            return
        self._logged.add(shown)
        is_last = len(self._logged) > _MOST_LOGGED
        rest = "; further ones of this page are not logged" if is_last else ""
        self._log.warning("dropped what a page may not send: %s%s", shown, rest)


def permitted(
    kind: type[widgets.Widget], data: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, list[str]]:
    """The part of a message that widgets of a class are given.

    Parameters
    ----------
    kind : type
        Class of the widget.
    data : mapping
        What the page sent, in the protocol of ipywidgets.

    Returns
    -------
    passed : dict or None
        None where nothing is left of it.
    dropped : list of str
        Names of the traits and events that were dropped.

    Examples
    --------
    >>> permitted(widgets.IntSlider, {"method": "update", "state": {"value": 3, "max": 99}})
    ({'method': 'update', 'state': {'value': 3}}, ['max'])
    >>> permitted(widgets.Button, {"method": "custom", "content": {"event": "click"}})
    ({'method': 'custom', 'content': {'event': 'click'}}, [])
    """
    allowed = next((INPUTS[base] for base in kind.__mro__ if base in INPUTS), _NOTHING)
    method = data.get("method")
    passed, dropped = None, [str(method)]
    if method == "update":
        passed, dropped = _permitted_state(allowed, data)
    elif method == "custom":
        passed, dropped = _permitted_event(allowed, data.get("content"))
    return passed, [name for name in dropped if name not in allowed.unused]


def _permitted_state(
    allowed: PageInput, data: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, list[str]]:
    state = data.get("state")
    if not isinstance(state, dict):
        return None, ["update"]
    # No trait that a page may set is binary. ipywidgets would put a buffer where its path says.
    buffers = ["buffer_paths"] if data.get("buffer_paths") else []
    passed = {
        name: value for name, value in state.items() if name in allowed.traits and _is_finite(value)
    }
    dropped = [name for name in state if name not in passed] + buffers
    return ({"method": "update", "state": passed} if passed else None), dropped


def _permitted_event(allowed: PageInput, content: Any) -> tuple[dict[str, Any] | None, list[str]]:
    if allowed.is_checked:
        return {"method": "custom", "content": content}, []
    event = content.get("event") if isinstance(content, dict) else None
    if not isinstance(event, str) or event not in allowed.events:
        return None, [f"event {event}"]
    return {"method": "custom", "content": {"event": event}}, []


def _is_finite(value: Any) -> bool:
    """Whether it holds no NaN and no infinity: they pass every comparison with a range."""
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def widget_of(model_id: str) -> widgets.Widget | None:
    """The widget with this id, if there is one."""
    widget = widgets.widget_serialization["from_json"](f"IPY_MODEL_{model_id}", None)
    return widget if isinstance(widget, widgets.Widget) else None


def filter_page_messages() -> None:
    """Pass on only what is listed, where a kernel serves a page of Voila.

    In a notebook of JupyterLab, whoever sends messages can run code as well, and the widgets of
    other cells are the user's own.
    """
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is not None and is_voila():
        PageMessages(kernel)
