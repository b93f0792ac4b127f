"""The connection of a page to its kernel, with limits to what a message may hold."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TypeGuard

from tornado.web import HTTPError
from tornado.websocket import WebSocketProtocol13
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from .notices import PlainErrors
from .request_log import log_sentence

LARGEST_MESSAGE = 64 * 2**20
"""Bytes."""
PROTOCOL = "v1.kernel.websocket.jupyter.org"

_BAD_DATA, _TOO_BIG = 1003, 1009  # RFC 6455
_SENTENCE = f"too large: at most {LARGEST_MESSAGE // 2**20} MB can be sent at once"
_WORD = 8
_FEWEST_PARTS, _MOST_PARTS = 6, 1000  # channel, header, parent, metadata, content, end


class LimitedProtocol(WebSocketProtocol13):
    """Says in plain words why a connection is closed that sent too much."""

    def start_pinging(self) -> None:
        """Leave it to Jupyter, whose milliseconds Tornado would take for seconds."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection."""
        if code == _TOO_BIG:
            reason = _SENTENCE
            log_sentence(f"a message of a page was refused, {_SENTENCE}; its page has to reload")
        super().close(code, reason)


class KernelSocket(PlainErrors, VoilaKernelWebsocketHandler):  # type: ignore[misc]
    """Passes on what widgets say; Voila's manager drops every message that would run code."""

    async def get(self, kernel_id: str) -> None:
        """Connect a page that speaks the current protocol.

        Voila takes binary messages of the old one for the current one's, reads a number of parts in
        the billions out of them, and counts until the memory is full.
        """
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "")
        if PROTOCOL not in map(str.strip, offered.split(",")):
            raise HTTPError(400)
        await VoilaKernelWebsocketHandler.get(self, kernel_id)

    def get_websocket_protocol(self) -> LimitedProtocol | None:
        """The protocol with the limit."""
        made = super().get_websocket_protocol()
        return None if made is None else LimitedProtocol(self, False, made.params)

    def on_message(self, message: str | bytes) -> None:
        """Pass on a message whose parts lie inside it and are objects."""
        if is_whole(message) and holds_objects(message):
            super().on_message(message)
        else:
            self.close(_BAD_DATA, "this is not a message to a kernel")


def is_whole(message: str | bytes) -> TypeGuard[bytes]:
    r"""Whether a message holds the table of its parts, which Jupyter reads without a look.

    Parameters
    ----------
    message : bytes
        Number of parts and where each begins, 8 bytes each, before the parts.

    Examples
    --------
    >>> is_whole(b"\xff" * 8)
    False
    """
    if isinstance(message, str) or len(message) < _WORD:
        return False
    parts = int.from_bytes(message[:_WORD], "little")
    return _FEWEST_PARTS <= parts <= _MOST_PARTS and _WORD * (parts + 1) <= len(message)


def holds_objects(message: bytes) -> bool:
    """Whether header, parent, metadata and content are JSON objects, as kernels take for granted.

    Parameters
    ----------
    message : bytes
        One that is whole.
    """
    places = [int.from_bytes(message[_WORD * i : _WORD * (i + 1)], "little") for i in range(2, 7)]
    try:
        parts = [json.loads(message[start:end]) for start, end in pairwise(places)]
    except (ValueError, RecursionError):
        return False
    return all(isinstance(part, dict) for part in parts)
