"""Connections that ask for nothing do not keep others out, and none is held for ever."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from served_dashboard import Served, kernel_of, message, serving
from tornado.ioloop import IOLoop
from tornado.testing import AsyncHTTPTestCase
from tornado.web import Application, RequestHandler

from lesion_dash.core.system import raise_descriptors
from lesion_dash.server import connections
from lesion_dash.server.connections import BoundedServer, connection_limit

resource = pytest.importorskip("resource")

DESCRIPTORS = 160
HALF_HEADERS = b"GET / HTTP/1.1\r\nHost: local"
HALF_BODY = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ntok"


@pytest.fixture
def served(sample_data: Path, tmp_path: Path) -> Iterator[Served]:
    limited = ("sh", "-c", f'ulimit -n {DESCRIPTORS} && exec "$@"', "sh")
    with serving(tmp_path, sample_data, before=limited) as dashboard:
        yield dashboard


def test_half_requests_leave_the_dashboard_answering(served: Served) -> None:
    kernel = kernel_of(served.open_page())

    async def probe() -> None:
        async with served.connect(kernel, Cookie=served.cookie) as page:
            for sent in (HALF_HEADERS, HALF_BODY, b""):
                await asyncio.to_thread(crowd, sent)
            # The socket of the page was there first and said nothing meanwhile.
            await page.write_message(message("kernel_info_request", {}), binary=True)
            heard = ""
            while heard != "kernel_info_reply":
                _, parts = deserialize_msg_from_ws_v1(await page.read_message())
                heard = json.loads(parts[0])["msg_type"]

    def crowd(sent: bytes) -> None:
        with ExitStack() as opened:
            for _ in range(220):
                stranger = opened.enter_context(socket.create_connection(("127.0.0.1", port), 10))
                stranger.sendall(sent)
            for _ in range(3):
                assert seconds_to_health() < 1

    def seconds_to_health() -> float:
        begin = time.monotonic()
        assert served.health["status"] == "ok"
        return time.monotonic() - begin

    port = served.port
    asyncio.run(asyncio.wait_for(probe(), 120))
    log = served.log.read_text()
    assert "Traceback" not in log
    assert "Too many open files" not in log
    assert len([line for line in log.splitlines() if "connections are taken" in line]) <= 2
    assert len(log.splitlines()) < 30


class Large(RequestHandler):
    def get(self) -> None:
        self.finish(b"x" * 2**25)  # more than lies between server and visitor


class Small(RequestHandler):
    def get(self) -> None:
        self.finish("small")


class TestBoundedServer(AsyncHTTPTestCase):
    """For three connections."""

    def get_app(self) -> Application:
        return Application([("/large", Large), ("/small", Small)])

    def get_http_server(self) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connections, "SECONDS_FOR_A_REQUEST", 0.2)
            return BoundedServer(self.get_app(), 3)

    def ask(self, sent: bytes) -> socket.socket:
        visitor = socket.create_connection(("127.0.0.1", self.get_http_port()), 30)
        self.addCleanup(visitor.close)
        visitor.sendall(sent)
        return visitor

    async def in_thread(self, action: Any, *values: Any) -> Any:
        return await IOLoop.current().run_in_executor(None, action, *values)

    def small(self) -> bytes:
        visitor = http.client.HTTPConnection("127.0.0.1", self.get_http_port(), timeout=10)
        with closing(visitor):
            visitor.request("GET", "/small")
            return visitor.getresponse().read()

    def test_half_a_request_is_closed_in_time(self) -> None:
        for sent in (b"", HALF_HEADERS, HALF_BODY):
            visitor = self.ask(sent)
            assert self.io_loop.run_sync(lambda seen=visitor: self.in_thread(end_of, seen)) == b""

    def test_an_answer_that_nobody_takes_keeps_nobody_out(self) -> None:
        request = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for _ in range(5):
            self.ask(request)
        assert self.io_loop.run_sync(lambda: self.in_thread(self.small)) == b"small"


def end_of(visitor: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    return b"".join(iter(lambda: visitor.recv(2**16), b""))


@pytest.mark.parametrize("descriptors", [64, 160, 1024, 10**6])
@pytest.mark.parametrize("pages", [1, 10, 1000])
def test_connections_leave_descriptors_for_kernels(descriptors: int, pages: int) -> None:
    limit = connection_limit(descriptors, pages)
    assert 0 < limit <= min(connections.MOST_CONNECTIONS, descriptors)
    assert limit == descriptors // 4 or descriptors - limit >= 13 * pages


def test_descriptors_are_raised_to_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    assert raise_descriptors(8192) == 4096
    assert given == [(4096, 4096)]
