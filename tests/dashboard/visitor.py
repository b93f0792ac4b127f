"""What a visitor does on a page, and what the page shows of it, without a browser."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import Any

from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.widgets.table import Table

HOSTILE = "<img src=x onerror=alert(1)>"
Opened = Callable[[type], Any]
"""The fixture `opened`: builds a panel on a context whose folder A is open."""


def new_context(root: Any) -> AppContext:
    """A context with a session of its own on a data root."""
    return AppContext(Session(root if isinstance(root, DataRoot) else DataRoot(root)))


def open_app(root: Any) -> App:
    """The dashboard, opened without a link."""
    app = App(new_context(root))
    app.url_state.begin()
    app.context.wait()
    return app


def arrive(app: App, text: str) -> None:
    """Come to the dashboard by a link."""
    send(app.url_state.bar, {"address": text})
    app.context.wait()


def choose(context: AppContext, **choices: Any) -> None:
    """Make choices one by one, and wait until all that follows is read and worked out."""
    for name, value in choices.items():
        setattr(context.choices, name, value)
    context.wait()


def press(context: AppContext, button: Any) -> None:
    """Press a button, and wait for all that follows."""
    button.click()
    context.wait()


def enter(context: AppContext, field: Any, value: Any) -> None:
    """Enter a value in a field, and wait for all that follows."""
    field.value = value
    context.wait()


def send(widget: Any, content: Any, *buffers: Any) -> None:
    """Send a widget a message, as the browser does; ipywidgets has no public way."""
    widget._handle_custom_msg(content, list(buffers))


def styles(widget: Any) -> tuple[str, ...]:
    """Names of styles that the browser gives a widget."""
    state = widget.get_state("_dom_classes")
    return tuple(state.get("_dom_classes", ()))


def is_hidden(widget: Any) -> bool:
    return not {"ld-hidden", "ld-unseen"}.isdisjoint(styles(widget))


def text(widget: Any) -> str:
    """What is read on it."""
    return html.unescape(str(widget.value)).replace("\N{NO-BREAK SPACE}", " ")


def every_widget(box: Any) -> Iterator[Any]:
    yield box
    for child in getattr(box, "children", ()):
        yield from every_widget(child)


def find_button(box: Any, label: str) -> Any:
    return next(w for w in every_widget(box) if getattr(w, "description", "") == label)


def click_row(table: Table, row: int | None) -> None:
    """Choose a row of a table, or none: what the browser sends at a click, and at another one."""
    send(table, {"edition": table.content["edition"], "row": row})


def unselect(table: Table) -> None:
    """Click the highlighted row of a table again."""
    click_row(table, None)


def titles(table: Table) -> list[str]:
    """The headings of a table."""
    return [column.title for column in table.columns]


class Dropping:
    """Drops files on a place of a page, as its script does.

    Parameters
    ----------
    drop : FileDrop
    part : int
        Bytes of a message.
    """

    def __init__(self, drop: Any, part: int = 2**22) -> None:
        self._drop, self._part = drop, part
        self._turn = 0
        self.told: list[dict[str, Any]] = []
        drop.send = lambda content, buffers=None: self.told.append(content)

    def offer(self, files: Any) -> list[int]:
        """Tell names and sizes; gives the places of the files that are asked for."""
        self._turn += 1
        named = [[name, len(content)] for name, content in files]
        self.send("offer", files=named)
        asked = [message for message in self.told if message.get("turn") == self._turn]
        return next((message["files"] for message in asked if message["type"] == "send"), [])

    def send(self, kind: str, *buffers: bytes, **content: Any) -> None:
        """Send a message of the drop that was begun last."""
        message = {"type": kind, "turn": self._turn, **content}
        send(self._drop, message, *map(memoryview, buffers))

    def all(self, files: Any) -> None:
        """Drop files, each a name with its content."""
        for number in self.offer(files):
            content = files[number][1]
            for start in range(0, max(len(content), 1), self._part):
                self.send("parts", content[start : start + self._part], parts=[[number, start]])

    @property
    def said(self) -> str:
        """What stands beside the place."""
        texts = [message["text"] for message in self.told if message["type"] in ("say", "end")]
        return texts[-1] if texts else ""
