"""A server on this computer that passes requests on to another, with the faults of a network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass
class Answer:
    """What a server sends: the stated length is another than that of the body in a cut answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    length: int


def status(number: int) -> Callable[[Answer], Answer]:
    """An answer of the server itself, without what was asked for."""
    return lambda _: Answer(number, {}, b"", 0)


def cut(answer: Answer) -> Answer:
    """Half of the body, after which the connection ends."""
    return Answer(answer.status, answer.headers, answer.body[: answer.length // 2], answer.length)


def shortened(answer: Answer) -> Answer:
    """Half of the body, as if that were all."""
    half = answer.length // 2
    return Answer(answer.status, answer.headers, answer.body[:half], half)


def slow(seconds: float) -> Callable[[Answer], Answer]:
    def wait(answer: Answer) -> Answer:
        Event().wait(seconds)  # tests replace time.sleep
        return answer

    return wait


@dataclass
class Fault:
    """A change of the answers to requests of a method whose path holds a text."""

    change: Callable[[Answer], Answer]
    where: str
    method: str
    times: float
    after: int

    def applies(self, method: str, path: str) -> bool:
        if self.times <= 0 or self.method != method or self.where not in path:
            return False
        self.after -= 1
        if self.after < 0:
            self.times -= 1
        return self.after < 0


@dataclass
class FaultyServer:
    url: str
    requests: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def fail(
        self,
        change: Callable[[Answer], Answer],
        where: str = "",
        method: str = "GET",
        times: float = float("inf"),
        after: int = 0,
    ) -> None:
        self.faults.append(Fault(change, where, method, times, after))


@contextmanager
def faulty_server(host: str, port: int) -> Iterator[FaultyServer]:
    """Start one in front of the server at a host and port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # clients that send a body wait for its "100 Continue"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.requests.append(f"{self.command} {self.path}")
            applying = (each for each in server.faults if each.applies(self.command, self.path))
            change = next(applying, None)
            # A fault of a request is that of its way there: the server never sees it.
            is_lost = change is not None and self.command not in ("GET", "HEAD")
            answer = Answer(503, {}, b"", 0) if is_lost else self.ask(body)
            self.send(change.change(answer) if change else answer)

        def ask(self, body: bytes) -> Answer:
            connection = HTTPConnection(host, port, timeout=60)
            try:
                connection.request(self.command, self.path, body, self.own_headers())
                answer = connection.getresponse()
                content = answer.read()
                length = int(answer.getheader("Content-Length", len(content)))
                return Answer(answer.status, dict(answer.getheaders()), content, length)
            finally:
                connection.close()

        def own_headers(self) -> dict[str, str]:
            return {name: text for name, text in self.headers.items() if name != "Expect"}

        def send(self, answer: Answer) -> None:
            own = ("content-length", "transfer-encoding", "connection", "server", "date")
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in own:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(answer.length))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            # A client that has what it needs may end the connection first.
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)

    with Server(("127.0.0.1", 0), Handler) as own:
        server = FaultyServer(f"http://127.0.0.1:{own.server_address[1]}")
        Thread(target=own.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        own.shutdown()
