"""Connections: no more than there are descriptors for, and none that waits for its request long."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Awaitable
from itertools import chain
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

from .request_log import log_sentence

MOST_CONNECTIONS = 1000
SECONDS_FOR_A_REQUEST = 20
"""For the headers, as long again for the body, and between two requests of a connection."""

MOST_DESCRIPTORS = 8192
# Measured: 19 descriptors without a page, and 13 to 17 for each page, its kernel and its socket.
_DESCRIPTORS_OF_THE_SERVER = 32
_DESCRIPTORS_OF_A_PAGE = 20
# Fewer than Tornado: what has arrived is read before those that came later can displace it.
_ACCEPTED_AT_ONCE = 16
_SECONDS_WITHOUT_ACCEPTING = 1.0
_SECONDS_BETWEEN_LINES = 60


class BoundedServer(HTTPServer):
    """A web server whose connections cannot use up the descriptors.

    Where all connections are taken, a new one takes the place of the one that has waited longest
    for its whole request: a browser or a monitor that asks at once is answered, however many hold
    half a request open. Next comes the oldest whose answer is not taken. The socket of an open page
    is never closed here.

    Parameters
    ----------
    application : Application
    max_connections : int
        Connections open at once.
    **settings
        Of Tornado's server.
    """

    def initialize(self, application: Any, max_connections: int, **settings: Any) -> None:  # type: ignore[override]
        """Tornado makes servers so."""
        super().initialize(
            application,
            idle_connection_timeout=SECONDS_FOR_A_REQUEST,
            body_timeout=SECONDS_FOR_A_REQUEST,
            **settings,
        )
        self._most = max_connections
        self._open: set[IOStream] = set()
        # Both in the order in which the connections came into that state.
        self._waiting: dict[IOStream, None] = {}
        self._answered: dict[IOStream, None] = {}
        self._logged: dict[str, float] = {}

    def accept_at(self, port: int, address: str) -> None:
        """Accept connections.

        Tornado's own loop tries again at once where no descriptor is left, and prints the whole
        error each time: https://github.com/tornadoweb/tornado/blob/v6.5.0/tornado/netutil.py.
        """
        for listening in bind_sockets(port, address):
            IOLoop.current().add_handler(listening, self._accept, IOLoop.READ)

    def accept_at_file(self, place: Path) -> None:
        """Accept connections of this account at a socket in the file system."""
        from tornado.netutil import bind_unix_socket  # which Tornado has not on Windows

        listening = bind_unix_socket(str(place), mode=0o600)
        IOLoop.current().add_handler(listening, self._accept, IOLoop.READ)

    def _accept(self, listening: socket.socket, _events: int) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, address = listening.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno == errno.EMFILE and self._make_room():
                    continue
                self._pause(listening, error)
                return
            self.handle_stream(IOStream(connection), address)

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        self._tell(f"no connection can be accepted ({error.strerror})")
        loop = IOLoop.current()
        loop.remove_handler(listening)
        again = (listening, self._accept, IOLoop.READ)
        loop.call_later(_SECONDS_WITHOUT_ACCEPTING, loop.add_handler, *again)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a new connection, where there is room."""
        self._open = {known for known in self._open if not known.closed()}
        if len(self._open) >= self._most:
            self._tell(f"all {self._most} connections are taken; the idle ones are closed")
            if not self._make_room():
                stream.close()
                return
        self._open.add(stream)
        self._waiting[stream] = None
        super().handle_stream(stream, address)

    def start_request(self, server_conn: Any, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Note that a connection waits for a request, until that is whole."""
        stream = server_conn.stream
        self._answered.pop(stream, None)
        self._waiting[stream] = None
        return _Arriving(super().start_request(server_conn, request_conn), self, stream)

    def request_arrived(self, stream: IOStream) -> None:
        """Note that a connection has its whole request."""
        self._waiting.pop(stream, None)
        self._answered[stream] = None

    def on_close(self, server_conn: Any) -> None:
        """Forget a connection that was closed, or became the socket of a page."""
        super().on_close(server_conn)
        self._waiting.pop(server_conn.stream, None)
        self._answered.pop(server_conn.stream, None)

    def _make_room(self) -> bool:
        not_taken = (stream for stream in self._answered if stream.writing())
        for stream in chain(self._waiting, not_taken):
            if not stream.closed():
                stream.close()
                return True
        return False

    def _tell(self, sentence: str) -> None:
        """Log a sentence, but once a minute at most."""
        now = time.monotonic()
        if now >= self._logged.get(sentence, -_SECONDS_BETWEEN_LINES) + _SECONDS_BETWEEN_LINES:
            self._logged[sentence] = now
            log_sentence(sentence)


class _Arriving(HTTPMessageDelegate):
    """Passes a request on, and tells the server when it is whole."""

    def __init__(self, target: HTTPMessageDelegate, server: BoundedServer, stream: IOStream):
        self._target, self._server, self._stream = target, server, stream

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        return self._target.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._target.data_received(chunk)

    def finish(self) -> None:
        self._server.request_arrived(self._stream)
        self._target.finish()

    def on_connection_close(self) -> None:
        self._target.on_connection_close()


def connection_limit(descriptors: int, pages: int) -> int:
    """Connections that leave descriptors for the kernels; a quarter of all where there are few.

    Parameters
    ----------
    descriptors : int
        That the process may have.
    pages : int
        Kernels that may run at once.

    Examples
    --------
    >>> connection_limit(8192, 10), connection_limit(1024, 10), connection_limit(160, 10)
    (1000, 772, 40)
    """
    reserved = _DESCRIPTORS_OF_THE_SERVER + _DESCRIPTORS_OF_A_PAGE * (pages + 1)
    return min(max(descriptors - reserved, descriptors // 4), MOST_CONNECTIONS)
