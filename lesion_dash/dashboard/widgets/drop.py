"""A place to drop files and folders, or to choose them; they come in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import anywidget
import traitlets as t

from ...core.errors import InputError
from ...files.incoming import Offer, Plan, Receiver
from ..scripts import widget_text
from ..tasks import guarded

_MOST_OFFERED = 20_000
"""Files of which a page tells names and sizes, arbitrary: the message takes some 2 MB."""
_LARGEST_SIZE = 2**53  # bytes; the largest whole number of JavaScript


class Taker(Protocol):
    """Who decides what is taken of the files that are dropped, and keeps them."""

    def plan(self, offers: list[Offer]) -> Plan:
        """Decide what is taken; an InputError says why nothing is."""

    def receive(self, plan: Plan) -> Receiver:
        """Begin to receive."""

    def discard(self) -> None:
        """Remove what was received so far."""


class FileDrop(anywidget.AnyWidget):
    """A place to drop files and folders.

    The page tells names and sizes, is told which files are taken, and sends these in messages of at
    most 4 MiB, the next ones when those before were written. A new drop ends one that is not
    complete.

    Parameters
    ----------
    taker : Taker
    on_begin : callable
        Given the plan, before anything is sent.
    on_end : callable
        Given the plan, when all files are there.
    on_fault : callable
        Given the error where nothing is taken, or the rest is not.
    """

    _esm = widget_text("drop.js")
    _css = widget_text("drop.css")
    ask = t.Unicode("Drop files or a folder here").tag(sync=True)
    around = t.Unicode("", help="selector of the part of the page that takes drops").tag(sync=True)
    most_offered = t.Int(_MOST_OFFERED).tag(sync=True)

    def __init__(
        self,
        taker: Taker,
        on_begin: Callable[[Plan], None],
        on_end: Callable[[Plan], None],
        on_fault: Callable[[Exception], None],
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self._taker = taker
        self._on_begin, self._on_end, self._on_fault = on_begin, on_end, on_fault
        self._turn = 0
        self._plan = Plan()
        self._receiver: Receiver | None = None
        self.on_msg(self._received)

    def say(self, text: str) -> None:
        """Say what came of the files, beside the place."""
        self.send({"type": "say", "text": text})

    def _received(self, _widget: Any, content: Any, buffers: Any) -> None:
        if isinstance(content, dict) and _is_count(content.get("turn")):
            # Whatever goes wrong, the page must not wait for an answer.
            guarded(self._answer, self._fail)(content, buffers)

    def _answer(self, content: dict[str, Any], buffers: Any) -> None:
        if content.get("type") == "offer":
            self._offered(content)
        elif self._receiver is None or content["turn"] != self._turn:
            return  # of a drop that was ended
        elif content.get("type") == "parts":
            self._write(content.get("parts"), [bytes(buffer) for buffer in buffers or ()])
        elif content.get("type") == "cancel":
            self._end("Cancelled: nothing was kept.")

    def _fail(self, error: Exception) -> None:
        self._end("Nothing was kept: see the message at the top.")
        self._on_fault(error)

    def _offered(self, content: dict[str, Any]) -> None:
        if self._receiver is not None:
            self._end("")
        self._turn = content["turn"]
        self._plan = self._taker.plan(_offers(content.get("files")))
        self._on_begin(self._plan)
        if not self._plan.files:
            self._end("None of the files can be used: nothing was sent.")
            return
        self._receiver = self._taker.receive(self._plan)
        self.send({"type": "send", "turn": self._turn, "files": [*self._plan.files]})

    def _write(self, parts: Any, contents: list[bytes]) -> None:
        assert self._receiver is not None, "an offer came before"
        if not isinstance(parts, list) or len(parts) != len(contents):
            raise InputError("the files", "a part of them is damaged", "try again")
        for part, content in zip(parts, contents, strict=True):
            if not (isinstance(part, list) and len(part) == 2 and all(map(_is_count, part))):
                raise InputError("the files", "a part of them is damaged", "try again")
            self._receiver.write(part[0], part[1], content)
        if self._receiver.is_complete:
            self._receiver = None
            self.send({"type": "end", "turn": self._turn, "text": ""})
            self._on_end(self._plan)
        else:
            self.send({"type": "written", "turn": self._turn})

    def _end(self, text: str) -> None:
        if self._receiver is not None:
            self._receiver.close()
            self._receiver = None
        self._taker.discard()
        self.send({"type": "end", "turn": self._turn, "text": text})


def _offers(files: Any) -> list[Offer]:
    """Names and sizes as the page tells them, checked whatever it sends."""
    if not isinstance(files, list) or not files:
        raise InputError("the files", "none of them was named", "choose one or more")
    if len(files) > _MOST_OFFERED:
        problem = f"more than {_MOST_OFFERED:,}"
        raise InputError("the files", problem, "choose the folder that holds the masks alone")
    offers = []
    for file in files:
        is_pair = isinstance(file, list) and len(file) == 2
        if not (is_pair and isinstance(file[0], str) and _is_count(file[1])):
            raise InputError("the files", "one of them has no name or no size", "try again")
        offers.append(Offer(file[0], file[1]))
    return offers


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_SIZE
