"""Probes of the served dashboard: what a visitor, another site and a stranger are refused."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import urllib.parse
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from served_dashboard import (
    PATIENT,
    TOKEN,
    WITHOUT_ROOT,
    Served,
    children,
    kernel_of,
    kernels_of,
    message,
    serving,
    wait_for,
)
from tornado.httpclient import HTTPClientError

from lesion_dash.dashboard.scripts import served_scripts
from lesion_dash.server.kernel_socket import PROTOCOL

SECRET = "hunter2-of-the-server"
ON_LINUX = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
NOBODY = "6544b2cf-e192-462d-af24-08f4b0fe5fb4"
"""A kernel id that no kernel has."""


@pytest.fixture(scope="module")
def served(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    # A setting of the account must not open what is closed here.
    (folder / "voila.json").write_text('{"VoilaConfiguration": {"file_allowlist": [".*"]}}')
    options = ("--max-kernels", "1", "--kernel-memory", "3GB")
    before = WITHOUT_ROOT if sys.platform == "linux" else ()
    with serving(folder, sample_data, *options, before=before, LAB_PASSWORD=SECRET) as dashboard:
        yield dashboard


@pytest.fixture(scope="module")
def kernel(served: Served) -> str:
    """The kernel of a page that was opened."""
    return kernel_of(served.open_page())


def test_health_says_nothing_but_health(served: Served) -> None:
    assert set(served.health) == {"status", "version", "kernels", "max_kernels"}
    assert (served.health["status"], served.health["max_kernels"]) == ("ok", 1)


def test_no_page_without_the_token(served: Served) -> None:
    answer = served.ask("/?patient=x")
    assert answer.status == 302
    assert answer.headers["Location"].startswith("/login")
    assert "Token" in served.ask("/login").text
    assert served.ask(f"/?token={TOKEN}").status == 302
    assert served.ask("/", Authorization="token wrong").status == 302
    assert served.ask(f"/voila/api/shutdown/{uuid.uuid4()}", "POST").status == 403


def test_wrong_token_is_refused(served: Served) -> None:
    answer = served.ask(
        "/login", "POST", "token=x", Content_Type="application/x-www-form-urlencoded"
    )
    assert answer.status == 401
    assert "Set-Cookie" not in answer.headers
    assert "not the right one" in answer.text


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_login_leads_nowhere_else(served: Served, target: str) -> None:
    path = "/login?" + urllib.parse.urlencode({"next": target})
    answer = served.ask(path, Cookie=served.cookie)
    assert (answer.status, answer.headers["Location"]) == (302, "/")


@pytest.mark.parametrize("target", ["/?k=7\nX: y", "/?\x7f", "/?\u2028x"])
def test_login_leads_to_no_odd_address(served: Served, target: str) -> None:
    form = urllib.parse.urlencode({"token": TOKEN, "next": target})
    content = "application/x-www-form-urlencoded"
    answer = served.ask("/login", "POST", form, Content_Type=content, Origin=served.origin)
    assert (answer.status, answer.headers["Location"]) == (302, "/")


@pytest.mark.parametrize("path", ["/", "/login", "/health", "/voila/static/voila.js"])
def test_wrong_host_is_refused(served: Served, path: str) -> None:
    answer = served.ask(path, Host=f"evil.example:{served.port}", Cookie=served.cookie)
    assert answer.status == 403
    assert "does not answer to this name" in answer.text


@pytest.mark.parametrize(
    "path", ["/voila/files/app.ipynb", "/app.ipynb", f"/voila/query/{NOBODY}", "/etc"]
)
def test_no_files(served: Served, path: str) -> None:
    assert served.ask(path, Cookie=served.cookie).status == 404


@pytest.mark.parametrize(
    "route",
    ["templates", "templates/lesion_dash/static", "static", "api/themes", "labextensions"],
)
@pytest.mark.parametrize(
    "name", ["", "x", "x/y", "x/static/y", "x/static/%00", "..%2f..", "%0a", "%00", "a" * 300]
)
def test_what_is_no_file_is_not_there(served: Served, route: str, name: str) -> None:
    for method in ("GET", "HEAD"):
        answer = served.ask(f"/voila/{route}/{name}", method, Cookie=served.cookie)
        assert answer.status in {403, 404}
    assert served.logged(f" {answer.status} HEAD /voila/{route.partition('/')[0]}")
    assert "Traceback" not in served.log.read_text()


def test_other_sites_get_no_kernel(served: Served) -> None:
    before = served.health["kernels"]
    site, kind = {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Dest": "image"}
    for fetch in (site, site | kind, {"Sec_Purpose": "prefetch;prerender"}):
        assert served.ask("/", Cookie=served.cookie, **fetch).status == 403
    assert served.health["kernels"] == before


def test_scripts_are_for_visitors_and_to_be_kept(served: Served) -> None:
    for name, script in served_scripts().items():
        assert served.ask(f"/scripts/{name}").status == 302
        answer = served.ask(f"/scripts/{name}", Cookie=served.cookie)
        assert (answer.status, answer.text) == (200, script)
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert "immutable" in answer.headers["Cache-Control"]
        packed = served.ask(f"/scripts/{name}", Cookie=served.cookie, Accept_Encoding="br, gzip")
        assert packed.headers["Content-Encoding"] == "gzip"
        assert int(packed.headers["Content-Length"]) < len(script) / 2
    assert served.ask(f"/scripts/{name}", "HEAD", Cookie=served.cookie).status == 200
    wrong = served.ask(f"/scripts/{name[:-4]}x.js", Cookie=served.cookie)
    assert wrong.status == 404
    assert "immutable" not in wrong.headers.get("Cache-Control", "")
    assert served.logged(r" 404 GET /scripts/")
    assert " 200 GET /scripts/" not in served.log.read_text()


def test_every_answer_has_the_headers(served: Served) -> None:
    for path in ("/health", "/login", "/nothing", "/voila/static/nothing"):
        headers = served.ask(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Server" not in headers
    assert "default-src 'self'" in served.ask("/login").headers["Content-Security-Policy"]


def test_large_bodies_are_refused(served: Served) -> None:
    # It may be refused before all was sent.
    with suppress(BrokenPipeError, ConnectionResetError):
        assert served.ask("/login", "POST", "x" * 2**20).status == 400
    assert served.health["status"] == "ok"


def test_socket_asks_for_token_and_origin(served: Served, kernel: str) -> None:
    refused = (
        {},
        {"Cookie": served.cookie, "Origin": "https://evil.example"},
        {"Cookie": served.cookie, "Host": "evil.example"},
        {"Authorization": f"token {TOKEN}", "Origin": "https://evil.example"},
    )
    for headers in refused:
        with pytest.raises(HTTPClientError, match="403"):
            served.try_socket(kernel, PROTOCOL, **headers)


def test_no_code_runs(served: Served, kernel: str, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    code = f"open({str(proof)!r}, 'w').close()"

    async def probe() -> list[str]:
        heard: list[str] = []
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}}
        async with served.connect(kernel, Cookie=served.cookie, Origin=served.origin) as connection:
            for channel in ("shell", "control"):
                request = message("execute_request", content, channel)
                await connection.write_message(request, binary=True)
            await connection.write_message(message("kernel_info_request", {}), binary=True)
            while "kernel_info_reply" not in heard:
                _, parts = deserialize_msg_from_ws_v1(await connection.read_message())
                heard.append(json.loads(parts[0])["msg_type"])
        return heard

    heard = asyncio.run(asyncio.wait_for(probe(), 60))
    assert "execute_reply" not in heard
    assert not proof.exists()


def test_a_page_of_ours_warns_of_no_other_server(served: Served, kernel: str) -> None:
    assert served.widgets_of_class(kernel, "ld-pages")
    assert not served.widgets_of_class(kernel, "ld-plain-voila")


def test_too_large_a_message_ends_the_connection(served: Served, kernel: str) -> None:
    served.send(kernel, b"x" * (64 * 2**20 + 1))
    assert served.logged("at most 64 MB can be sent at once")
    assert served.health["status"] == "ok"


@pytest.mark.parametrize("sent", [b"\xff" * 8, b"", b"\x05" + bytes(7), "{}"])
def test_a_broken_message_ends_the_connection(
    served: Served, kernel: str, sent: bytes | str
) -> None:
    assert served.send(kernel, sent) == (1003, "this is not a message to a kernel")
    assert served.health["status"] == "ok"


def test_the_old_protocol_is_refused(served: Served, kernel: str) -> None:
    for protocols in ((), ("other",)):
        with pytest.raises(HTTPClientError, match="400"):
            served.try_socket(kernel, *protocols, Cookie=served.cookie)


def test_full_dashboard_says_so_and_recovers(served: Served, kernel: str) -> None:
    assert served.health["kernels"] == 1
    answer = served.open_page()
    assert answer.status == 503
    assert "All places are taken" in answer.text
    assert "try again" in answer.text
    assert answer.headers["Retry-After"] == "60"
    assert served.end(kernel).status == 204
    assert served.health["kernels"] == 0
    with ThreadPoolExecutor(4) as crowd:
        pages = list(crowd.map(lambda _: served.open_page(), range(4)))
    assert sorted(page.status for page in pages) == [200, 503, 503, 503]
    again = kernel_of(next(page for page in pages if page.status == 200))
    assert again != kernel
    assert served.health["kernels"] == 1
    assert served.end(again).status == 204
    assert served.end(kernel_of(served.open_page())).status == 204


@ON_LINUX
def test_kernels_inherit_no_secrets(served: Served) -> None:
    wait_for(lambda: bool(kernels_of(served.process.pid)))
    for process in [*children(served.process.pid), *kernels_of(served.process.pid)]:
        environment = (process / "environ").read_bytes().decode()
        assert "LESION_DASH_DATA_ROOT" in environment or "LESION_DASH" in environment
        for unwanted in (SECRET, TOKEN, PATIENT):
            assert unwanted not in environment


@ON_LINUX
def test_no_other_process_of_the_account_reads_the_server(served: Served) -> None:
    """It could read the server's kernels, so this is not an account that can read nothing."""

    def is_read(process: Path) -> bool:
        code = f"open({str(process / 'environ')!r}).read(1)"
        command = [*WITHOUT_ROOT, sys.executable, "-c", code]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0 or "PermissionError" in done.stderr
        return done.returncode == 0

    wait_for(lambda: any(is_read(process) for process in kernels_of(served.process.pid)))
    assert not is_read(Path(f"/proc/{served.process.pid}"))


@ON_LINUX
def test_kernels_have_a_limit_of_memory(served: Served) -> None:
    def limits() -> list[str]:
        texts = [(process / "limits").read_text() for process in kernels_of(served.process.pid)]
        return [re.search(r"data size +(\w+)", text)[1] for text in texts]  # type: ignore[index]

    wait_for(lambda: set(limits()) == {"3000000000"})


@ON_LINUX
def test_token_is_in_no_command_line(served: Served) -> None:
    for process in (Path(f"/proc/{served.process.pid}"), *children(served.process.pid)):
        assert TOKEN not in (process / "cmdline").read_bytes().decode()


def test_logs_are_plain(served: Served) -> None:
    served.ask(f"/?token={TOKEN}&patient={PATIENT}")
    assert served.logged(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d 302 GET /$")
    served.ask(f"/voila/templates/x?patient='{PATIENT}'")
    served.ask("/voila/static/%0a2026-01-01%2000:00:00%20200%20GET%20/FORGED%1b%5b31m")
    served.ask("/api/kernels/" + NOBODY, Cookie=served.cookie)
    assert served.logged(r" 404 GET /api/kernels/ID$")
    # As text, a line ends where any reader may end it.
    lines = served.log.read_bytes().decode().splitlines()
    heard = [line for line in lines if not re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S", line)]
    assert all("dashboard is at" in line or "not encrypted" in line for line in heard)
    assert all(line.isprintable() for line in lines)
    log = "\n".join(line for line in lines if line not in heard)
    for unwanted in (TOKEN, PATIENT, served.cookie, "Traceback", "ping_timeout"):
        assert unwanted not in log
    for unwanted in ("127.0.0.1", NOBODY, " GET /FORGED"):
        assert unwanted not in log
