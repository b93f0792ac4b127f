"""A dashboard in a process of its own, asked as a browser or a stranger would ask it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.connection.base import (
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)
from tornado.httpclient import HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, websocket_connect

from lesion_dash.server.kernel_socket import PROTOCOL

TOKEN = "a-token-of-more-than-32-characters-for-tests"
PATIENT = "sub-secret"
SOURCES = Path(__file__).parents[2]

_NO_ROOT = """
import ctypes, os, sys
set_secure_bits, no_root = 28, 1
ctypes.CDLL(None).prctl(set_secure_bits, no_root, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
WITHOUT_ROOT = (sys.executable, "-c", _NO_ROOT)
"""Runs the command that follows, on Linux: root is an account like any other in it."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Served:
    """A dashboard with a token and one place."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path | None = None
    cookie: str = ""
    base: str = ""
    """The path below which it is served, without the slash at its end."""

    def ask(self, path: str = "/", method: str = "GET", body: str = "", **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self.connection()
        try:
            connection.request(method, f"{self.base}{path}", body or None, given)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            return Answer(answer.status, dict(answer.getheaders()), text)
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def logged(self, pattern: str) -> bool:
        """Whether the log holds this line; an answer may arrive before its line is written."""
        until = time.monotonic() + 30
        while not (match := re.search(pattern, self.log.read_text(), re.MULTILINE)):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return bool(match)

    def log_in(self) -> None:
        target = f"{self.base}/?k=7"
        form = urllib.parse.urlencode({"token": TOKEN, "next": target})
        content = "application/x-www-form-urlencoded"
        answer = self.ask("/login", "POST", form, Content_Type=content, Origin=self.origin)
        assert (answer.status, answer.headers["Location"]) == (302, target)
        cookie = answer.headers["Set-Cookie"]
        attributes = cookie.split("; ")
        assert {"HttpOnly", "SameSite=Strict", f"Path={self.base}/"} <= {*attributes}
        assert ("Secure" in attributes) is self.origin.startswith("https:")
        self.cookie = cookie.partition(";")[0]

    def open_page(self) -> Answer:
        return self.ask(f"/?patient={PATIENT}", Cookie=self.cookie)

    def end(self, kernel: str) -> Answer:
        path = f"/voila/api/shutdown/{kernel}"
        return self.ask(path, "POST", Cookie=self.cookie, Origin=self.origin)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def health(self) -> dict[str, Any]:
        health: dict[str, Any] = json.loads(self.ask("/health").text)
        return health

    def socket_request(self, path: str, headers: dict[str, str]) -> HTTPRequest:
        return HTTPRequest(f"ws://127.0.0.1:{self.port}{path}", headers=headers, request_timeout=30)

    @asynccontextmanager
    async def connect(
        self, kernel: str, protocols: tuple[str, ...] = (PROTOCOL,), **headers: str
    ) -> AsyncIterator[Any]:
        path = f"{self.base}/api/kernels/{kernel}/channels?session_id=probe"
        request = self.socket_request(path, headers)
        connection = await websocket_connect(request, subprotocols=protocols)
        stream = connection.protocol.stream
        try:
            yield connection
        finally:
            connection.close()
            # The loop ends before an answer comes.
            stream.close()

    def try_socket(self, kernel: str, *protocols: str, **headers: str) -> None:
        async def probe() -> None:
            async with self.connect(kernel, protocols, **headers):
                pass

        asyncio.run(asyncio.wait_for(probe(), 60))

    def widgets_of_class(self, kernel: str, css: str) -> list[dict[str, Any]]:
        return [state for state in self.widgets(kernel) if css in (state.get("_dom_classes") or ())]

    def widgets(self, kernel: str) -> list[dict[str, Any]]:
        """The state of each widget of a page."""
        return list(self.models(kernel).values())

    def models(self, kernel: str) -> dict[str, dict[str, Any]]:
        """The state of each widget of a page, by its id."""
        comm = {"comm_id": uuid.uuid4().hex}
        opening = {"target_name": "jupyter.widget.control", "data": {}}
        asking = {"data": {"method": "request_states"}}

        async def probe() -> Any:
            async with self.connect(kernel, Cookie=self.cookie) as connection:
                for kind, content in (("comm_open", opening), ("comm_msg", asking)):
                    sent = message(kind, comm | content, version="1.0.0")
                    await connection.write_message(sent, binary=True)
                while True:
                    _, parts = deserialize_msg_from_ws_v1(await connection.read_message())
                    content = json.loads(parts[3])
                    if content.get("comm_id") == comm["comm_id"]:
                        models = content["data"]["states"].items()
                        return {identity: model["state"] for identity, model in models}

        return asyncio.run(asyncio.wait_for(probe(), 60))

    def tell(self, kernel: str, widget: str, content: dict[str, Any], *buffers: bytes) -> None:
        """Send a widget, named by its id, a message as its script does."""
        data = {"comm_id": widget, "data": {"method": "custom", "content": content}}
        sent = message("comm_msg", data, buffers=list(buffers))

        async def probe() -> None:
            async with self.connect(kernel, Cookie=self.cookie) as connection:
                await connection.write_message(sent, binary=True)
                # Answered after it.
                await connection.write_message(message("kernel_info_request", {}), binary=True)
                heard = ""
                while heard != "kernel_info_reply":
                    _, parts = deserialize_msg_from_ws_v1(await connection.read_message())
                    heard = json.loads(parts[0])["msg_type"]

        asyncio.run(asyncio.wait_for(probe(), 60))

    def send(self, kernel: str, sent: bytes | str) -> tuple[int | None, str | None]:
        """Send one message, hear until the connection ends, and why it did."""

        async def probe() -> Any:
            async with self.connect(kernel, Cookie=self.cookie) as connection:
                with suppress(StreamClosedError, WebSocketClosedError):
                    await connection.write_message(sent, binary=isinstance(sent, bytes))
                await drain(connection)
                return connection.close_code, connection.close_reason

        return asyncio.run(asyncio.wait_for(probe(), 60))


@contextmanager
def serving(
    folder: Path,
    data_root: Path,
    *options: str,
    before: tuple[str, ...] = (),
    base: str = "",
    **variables: str,
) -> Iterator[Served]:
    """Start a dashboard with a token, wait until it answers, and end it.

    Settings and log are in `folder`; `before` is a command that runs what follows it.
    """
    token_file = folder / "token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    port = find_port()
    command = [*before, sys.executable, "-m", "lesion_dash.cli", "serve", *options]
    command += ["--data-root", str(data_root), "--port", str(port), "--token-file", str(token_file)]
    command += ["--base-url", f"{base}/"] if base else []
    environment = os.environ | {"PYTHONPATH": str(SOURCES)} | variables
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder)
    served = Served(process, port, log, base=base)
    with ended(process):
        wait_for(lambda: answers(served))
        served.log_in()
        yield served


def kernel_of(page: Answer) -> str:
    assert page.status == 200
    match = re.search(r'"kernelId": ?"([0-9a-f-]{36})"', page.text)
    assert match, page.text[:2000]
    return match[1]


def answers(served: Served, path: str = "/health") -> bool:
    """Whether the server, which must be running, has begun to answer."""
    assert served.process.poll() is None, served.log.read_text() if served.log else "it ended"
    try:
        return served.ask(path).status > 0
    except OSError:
        return False


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a server at last."""
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def start_server(
    root: Path, port: int, before: str = "", output: Any = None, base: str = ""
) -> Served:
    """Serve a data root to this computer, after other code; gives it once it answers."""
    settings = f"{str(root)!r}, port={port}, base_url='{base}/'"
    code = f"{before}\nfrom lesion_dash.server.serve import serve; serve({settings})"
    environment = os.environ | {"PYTHONPATH": str(SOURCES)}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=output, env=environment)
    served = Served(process, port, base=base)
    wait_for(lambda: answers(served))
    return served


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


def children(parent: int) -> list[Path]:
    """Processes started by another one."""
    processes = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(state[1]) == parent:
            processes.append(place)
    return processes


def kernels_of(server: int) -> list[Path]:
    """Kernels of a server: forked from a process that it has started."""
    return [kernel for child in children(server) for kernel in children(int(child.name))]


def find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def drain(connection: Any) -> None:
    while await connection.read_message() is not None:
        pass


def message(
    kind: str, content: dict[str, Any], channel: str = "shell", version: str = "", **more: Any
) -> bytes:
    """A message of a page; comms are opened with the version of the protocol they speak."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": "probe",
        "username": "probe",
        "date": "2026-01-01T00:00:00Z",
        "version": "5.3",
    }
    metadata = {"version": version} if version else {}
    given = {"header": header, "parent_header": {}, "metadata": metadata, "content": content}
    given |= more
    kinds = ("header", "parent_header", "metadata", "content")
    parts = [json.dumps(given[kind]).encode() for kind in kinds]
    return serialize_msg_to_ws_v1([*parts, *given.get("buffers", ())], channel)
