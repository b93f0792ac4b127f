"""Who may come: addresses, names, tokens, and what a kernel is told of the server."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import RequestHandler
from tornado.websocket import WebSocketClosedError

from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.environment import kernel_environment
from lesion_dash.server.access import Access, arrange_access, read_token
from lesion_dash.server.gate import refusal
from lesion_dash.server.login import TokenLogin
from lesion_dash.server.notices import full_page, login_page
from lesion_dash.server.request_log import PlainLines, is_news, plain_path
from lesion_dash.server.serve import server_config

TOKEN = "k3" * 20
KERNEL = "0f1e2d3c-0000-1111-2222-0123456789ab"
STRANGE_ADDRESSES = ("0.0.0.0", "::", "192.0.2.7", "2001:db8::1")


def ask(method: str = "GET", uri: str = "/", **headers: str) -> HTTPServerRequest:
    fields = HTTPHeaders({name.replace("_", "-"): value for name, value in headers.items()})
    line = RequestStartLine(method, uri, "HTTP/1.1")
    return HTTPServerRequest(headers=fields, connection=FakeConnection(), start_line=line)


class FakeConnection:
    context = None


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    place = tmp_path / "token"
    place.write_text(TOKEN + "\n")
    place.chmod(0o600)
    return place


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_own_computer_needs_no_token(host: str) -> None:
    assert arrange_access(host).token == ""


@pytest.mark.parametrize(
    "place", [*({"host": host} for host in STRANGE_ADDRESSES), {"hostname": "lab.example.org"}]
)
def test_any_other_address_and_a_proxy_have_a_token(place: dict[str, str]) -> None:
    first, second = arrange_access(**place), arrange_access(**place)
    assert first.generated
    assert len(first.token) >= 32
    assert first.token != second.token
    assert first.token not in repr(first)


def test_token_of_a_file_is_not_told(token_file: Path) -> None:
    access = arrange_access(token_file=token_file)
    assert (access.token, access.generated) == (TOKEN, False)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        *(({"host": h}, "is not an IP address") for h in ("", "lab.example.org", "999.1.1.1")),
        ({"host": "127.0.0.1:80"}, "is not an IP address"),
        *(({"hostname": n}, "is not a host name") for n in ("", "*", "a b", "lab:443", "-x")),
        ({"hostname": "https://lab.example.org"}, "is not a host name"),
    ],
)
def test_other_addresses_and_names_are_refused(place: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        arrange_access(**place)


@pytest.mark.parametrize(
    "path",
    ["lesions", "lesions/", "//", "/a//b/", "/../", "/a/./", "/a b/", "/é/", "/%2/", "/a?b/"],
)
def test_what_is_no_path_of_an_address_is_refused(path: str) -> None:
    for given in (path, f"https://lab.example.org{path}"):
        with pytest.raises(InputError, match="is not a path of an address; give it with a slash"):
            arrange_access(base_url=given)


@pytest.mark.parametrize(
    ("given", "path"),
    [("/", "/"), ("/lab", "/lab/"), ("/lab/x.y/", "/lab/x.y/"), ("/user/b%2Bb@x/", None)],
)
def test_paths_of_addresses_are_taken(given: str, path: str | None) -> None:
    access = arrange_access(base_url=given)
    assert access.base_url == (path or given)
    assert access.url(80).endswith(f":80{path or given}")


def test_a_socket_file_answers_to_every_name_and_to_no_other_site(tmp_path: Path) -> None:
    access = arrange_access(socket_file=tmp_path / "socket", base_url="/user/anna/")
    assert access.token == ""
    assert refusal(access, ask(Host="hub.example.org")) == ""
    for origin in ("https://evil.example", "null"):
        request = ask(Host="hub.example.org", Origin=origin, Upgrade="websocket")
        assert "another site" in refusal(access, request)
    policy = server_config(tmp_path, access=access).Voila.tornado_settings["headers"]
    assert "ws:" not in policy["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("k" * 31, "holds 31 characters, a token has at least 32"),
        *((t, "holds no token") for t in ("k" * 20 + " " + "k" * 20, "é" * 40, "k" * 5000)),
    ],
)
def test_what_is_no_token_is_refused(token_file: Path, text: str, reason: str) -> None:
    token_file.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_token(token_file)
    with pytest.raises(InputError, match=r"cannot be read.*; make one: \(umask"):
        read_token(token_file.with_name("missing"))
    with pytest.raises(InputError, match=r"cannot be read.*; give a file that you|is not a file"):
        read_token(token_file.parent)


@pytest.mark.skipif(os.name != "posix", reason="rights of files")
def test_a_credential_of_systemd_is_read_though_its_mode_shows_an_acl(
    token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(token_file.parent))
    token_file.chmod(0o440)
    assert read_token(token_file) == token_file.read_text().strip()
    token_file.chmod(0o444)
    with pytest.raises(InputError, match="mode 444"):
        read_token(token_file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_token_that_others_can_read_is_refused(token_file: Path, mode: int) -> None:
    token_file.chmod(mode)
    with pytest.raises(InputError, match=f"mode {mode:o}, 600 is needed"):
        read_token(token_file)


@pytest.mark.parametrize("host", ["127.0.0.1:8866", "localhost", "LocalHost:1", "[::1]:8866"])
def test_own_names_are_answered_and_others_refused(host: str) -> None:
    assert refusal(Access(), ask(Host=host)) == ""
    for other in ("evil.example:8866", "", f"{host.partition(':')[0]}.evil.example", "10.0.0.1"):
        assert "does not answer to this name" in refusal(Access(), ask(Host=other))
    request = ask(Host=host)
    request.headers.add("Host", "evil.example")
    assert refusal(Access(), request)


def test_a_name_that_was_added_is_answered(tmp_path: Path) -> None:
    access = arrange_access(hostname="Lab.Example.org")
    assert refusal(access, ask(Host="lab.example.org")) == ""
    assert refusal(access, ask(Host="other.example.org"))
    config = server_config(tmp_path, access=access)
    policy = config.Voila.tornado_settings["headers"]["Content-Security-Policy"]
    assert "wss://lab.example.org:*" in policy
    assert config.Voila.token == access.token
    assert config.Voila.config_file_paths == []
    everywhere = arrange_access("0.0.0.0")
    assert everywhere.answers_to("192.0.2.7:8866")
    assert not everywhere.answers_to("evil.example:8866")


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:1", "http://[", "http://[x]:1"]
)
def test_changes_from_other_pages_are_refused(method: str, origin: str) -> None:
    request = ask(method, Host="localhost:8866", Origin=origin)
    assert "another site" in refusal(Access(), request)


def test_sockets_of_other_pages_are_refused() -> None:
    request = ask(Host="localhost:8866", Origin="http://evil.example", Upgrade="WebSocket")
    assert "another site" in refusal(Access(), request)
    request = ask(Host="localhost:8866", Origin="http://localhost:8866", Upgrade="websocket")
    assert refusal(Access(), request) == ""


@pytest.mark.parametrize("site", ["cross-site", "same-site", "odd", "none, cross-site"])
@pytest.mark.parametrize(
    ("mode", "target"),
    [("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("navigate", "embed")],
)
def test_requests_that_other_sites_make_are_refused(site: str, mode: str, target: str) -> None:
    fetch = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": mode, "Sec_Fetch_Dest": target}
    for path in ("/", "/scripts/x.js", "/health", "/api/kernels/x/channels"):
        assert "another site" in refusal(Access(), ask("GET", path, Host="localhost", **fetch))


def test_what_the_page_and_its_visitor_ask_for_is_answered() -> None:
    for site in ("none", "same-origin"):
        request = ask(Host="localhost", Sec_Fetch_Site=site, Sec_Fetch_Dest="script")
        assert refusal(Access(), request) == ""
    document = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    for site in ("cross-site", "same-site", "none", "same-origin"):  # links of other sites
        assert refusal(Access(), ask(Host="localhost", Sec_Fetch_Site=site, **document)) == ""
    login = ask("POST", "/login", Host="localhost", Sec_Fetch_Site="cross-site", **document)
    assert refusal(Access(), login)
    # Nothing is fetched ahead.
    for ahead in ({"Sec_Purpose": "prefetch;prerender"}, {"X_Moz": "prefetch"}):
        assert refusal(Access(), ask(Host="localhost", **ahead))


def test_token_counts_in_a_header_and_not_in_the_address() -> None:
    login = TokenLogin(token=TOKEN)

    def given(uri: str, **headers: str) -> str | None:
        handler: Any = object.__new__(RequestHandler)
        handler.request = ask("GET", uri, Host="localhost", **headers)
        return login.get_token(handler)

    assert given("/", Authorization=f"Bearer {TOKEN}") == TOKEN
    assert given("/", Authorization=f"token {TOKEN}") == TOKEN
    assert given("/", Authorization=f"token {TOKEN}x") is None
    assert given(f"/?token={TOKEN}") is None
    assert not TokenLogin(token="").accepts("")


def test_kernels_get_no_secrets() -> None:
    passed = {"PATH": "/bin", "LESION_DASH_ROOT": "/data", "VOILA_PREHEAT": "True"}
    secret = {
        **dict.fromkeys(("AWS_SECRET_ACCESS_KEY", "JUPYTER_TOKEN", "HTTP_COOKIE"), "k"),
        "HTTPS_PROXY": "http://me:k@proxy",
        "CREDENTIALS_DIRECTORY": "/run/k",
        "QUERY_STRING": "patient=sub-01",
        "VOILA_REQUEST_URL": "http://127.0.0.1/?patient=sub-01",
    }
    assert kernel_environment(passed | secret) == passed


def test_paths_in_the_log_hold_no_query_and_no_key() -> None:
    assert plain_path("/?patient=sub-01&token=k") == "/"
    assert plain_path(f"/api/kernels/{KERNEL}/channels") == "/api/kernels/ID/channels"
    assert "\x1b" not in plain_path("/\x1b[31m")


@pytest.mark.parametrize(
    "text",
    [
        "/x?patient='sub-secret'",
        '/x?patient="sub-secret"',
        "uri='/x?patient=a\xa0sub-secret'",
        "/x%3fpatient=sub-secret",
        "/x?a\nsub-secret",
        f"/api/kernels/{KERNEL.upper()}",
        "(192.0.2.7): /x",
        "remote_ip='2001:db8::7'",
        "::ffff:192.0.2.7",
        "/x\n2026-01-01 00:00:00 200 GET /forged",
        "/x\u20282026 \u202e \x1b[31m \x85",
    ],
)
def test_the_log_holds_nothing_of_a_visitor(text: str) -> None:
    for record in (
        logged(text),
        logged("it failed: %s", text),
        logged("x", error=ValueError(text)),
    ):
        first, *others = PlainLines().format(record).split("\n")
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", first)
        # No line of an error can be taken for another record's.
        assert all(line.startswith("    ") for line in others)
        for line in (first, *others):
            assert line.isprintable()
            for unwanted in ("sub-secret", KERNEL.upper(), "192.0.2.7", "2001:db8"):
                assert unwanted not in line


def test_the_log_still_tells_where_an_error_was() -> None:
    lines = PlainLines().format(logged("GET /x failed", error=ValueError("no number"))).split("\n")
    assert lines[0].endswith("GET /x failed")
    assert "test_access.py" in " ".join(lines)
    assert lines[-1].strip() == "ValueError: no number"


def logged(text: str, *values: object, error: Exception | None = None) -> logging.LogRecord:
    """A record, as of an error that was raised here."""
    try:
        if error:
            raise error
    except ValueError:
        pass
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("tornado.general", 30, "", 0, text, values, info)


@pytest.mark.parametrize(
    ("error", "is_told"), [(WebSocketClosedError(), False), (OSError("disk"), True), (None, True)]
)
def test_a_page_that_was_closed_is_no_news(error: Exception | None, is_told: bool) -> None:
    info = (type(error), error, None) if error else None
    text = "Task exception was never retrieved"
    record = logging.LogRecord("asyncio", logging.ERROR, __file__, 1, text, (), info)
    assert is_news(record) is is_told


def test_pages_of_the_server_need_nothing_else() -> None:
    for page in (full_page(10, 7), login_page('/?a="><script>x</script>')):
        assert "http:" not in page
        assert "https:" not in page
        assert "<script" not in page
    assert "Please try again" in full_page(1, 7)
