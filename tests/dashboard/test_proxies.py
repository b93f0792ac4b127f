"""The dashboard behind nginx and behind JupyterHub, as docs/serving.md says."""

from __future__ import annotations

import datetime as dt
import http.client
import http.cookiejar
import json
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from served_dashboard import (
    SOURCES,
    Answer,
    Served,
    answers,
    children,
    ended,
    find_port,
    kernel_of,
    serving,
    wait_for,
)
from tornado.httpclient import HTTPClientError, HTTPRequest

from lesion_dash.server.kernel_socket import PROTOCOL

DOCS = (SOURCES / "docs" / "serving.md").read_text(encoding="utf-8")
NAME = "lab.example.org"
BELOW = "/anna"
TILE = "lesion_dash"
MODULE = "lesion_dash.server.jupyter_proxy"
USERS = ("anna", "b+b")  # quoted in addresses


def required(program: str, of: str) -> str:
    """Path of a program; where there is none, the tests that need it are skipped."""
    in_environment = SOURCES / ".venv" / "node" / "node_modules" / ".bin"
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", str(in_environment)))
    if place := shutil.which(program, path=path):
        return place
    sentence = f"no {program} here: install {of}, to run the tests of the dashboard behind it"
    if os.environ.get("LESION_DASH_REQUIRE_SERVICES") == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def from_docs(language: str, replacements: dict[str, str]) -> str:
    """A block of docs/serving.md, with what is different in a test."""
    block = re.search(rf"^```{language}\n(.*?)^```", DOCS, flags=re.MULTILINE | re.DOTALL)
    assert block
    text = block[1]
    for shown, here in replacements.items():
        assert shown in text
        text = text.replace(shown, here)
    return text


# ------------------------------------------------------------------------------------------- nginx


@dataclass
class BehindNginx(Served):
    """The dashboard as visitors of the proxy see it."""

    certificate: Path = Path()

    @property
    def origin(self) -> str:
        return f"https://{self.host}"

    @property
    def host(self) -> str:
        return f"{NAME}:{self.port}"

    def ask(self, path: str = "/", method: str = "GET", body: str = "", **headers: str) -> Answer:
        return super().ask(path, method, body, **{"Host": self.host} | headers)

    def connection(self) -> http.client.HTTPConnection:
        context = ssl.create_default_context(cafile=str(self.certificate))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)

    def socket_request(self, path: str, headers: dict[str, str]) -> HTTPRequest:
        given = {"Host": self.host, "Origin": self.origin} | headers
        url = f"wss://127.0.0.1:{self.port}{path}"
        return HTTPRequest(url, headers=given, request_timeout=30, ca_certs=str(self.certificate))


def certify(folder: Path) -> tuple[Path, Path]:
    """A certificate that nobody signed, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(NAME), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    places = folder / "lab.pem", folder / "lab.key"
    places[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    places[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return places


def nginx_settings(folder: Path, port: int, to: int) -> str:
    """A whole configuration around the block of the docs; all that is written is in a folder."""
    certificate, key = certify(folder)
    block = from_docs(
        "nginx",
        {
            "listen 80;": f"listen 127.0.0.1:{find_port()};",
            "/var/log/nginx/lesion_dash.log": str(folder / "access.log"),
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/ssl/lab.pem": str(certificate),
            "/etc/ssl/lab.key": str(key),
            "http://127.0.0.1:8901": f"http://127.0.0.1:{to}",
        },
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    main = f"daemon off; pid {folder}/pid; error_log stderr; events {{}}"
    return f"{main}\nhttp {{ access_log off; {temporary}\n{block}\n}}\n"


@pytest.fixture(scope="module")
def nginx(
    sample_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, BehindNginx]]:
    """The dashboard, and the same one through the proxy."""
    program = required("nginx", "Debian's nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    with serving(folder, sample_data, "--hostname", NAME, base=BELOW) as served:
        port = find_port()
        settings, log = folder / "nginx.conf", folder / "nginx.log"
        settings.write_text(nginx_settings(folder, port, served.port))
        command = [program, "-p", str(folder), "-e", "stderr", "-c", str(settings)]
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out)
        with ended(process):
            certificate = folder / "lab.pem"
            proxied = BehindNginx(process, port, log, base=BELOW, certificate=certificate)
            wait_for(lambda: proxy_answers(proxied))
            proxied.log_in()
            yield served, proxied


def proxy_answers(proxied: Served, path: str = "/health") -> bool:
    """Whether the proxy, which must be running, passes requests on."""
    assert proxied.process.poll() is None, proxied.log and proxied.log.read_text()
    try:
        return proxied.ask(path).status == 200
    except OSError:
        return False


def test_a_page_opens_through_nginx_and_its_kernel_answers(
    nginx: tuple[Served, BehindNginx],
) -> None:
    served, proxied = nginx
    assert proxied.ask("/").headers["Location"].startswith(f"{BELOW}/login?next=")
    page = proxied.open_page()
    kernel = kernel_of(page)
    assert f'"baseUrl": "{BELOW}/"' in page.text
    scripts = re.findall(r'src="([^"]+/voila\.js)"', page.text)
    assert scripts
    assert all(script.startswith(f"{BELOW}/voila/") for script in scripts)
    assert proxied.ask(scripts[0].removeprefix(BELOW), Cookie=proxied.cookie).status == 200
    assert proxied.widgets_of_class(kernel, "ld-app")
    assert proxied.end(kernel).status == 204
    # Its one process logs a request before it takes the next.
    assert proxied.ask("/health").status == 200
    log = (served.log.parent / "access.log").read_text()
    assert " 204 POST " in log
    assert kernel not in log


def test_the_gate_holds_behind_nginx(nginx: tuple[Served, BehindNginx]) -> None:
    _, proxied = nginx
    for path in ("/", "/health", "/voila/static/voila.js"):
        answer = proxied.ask(path, Host=f"evil.example:{proxied.port}", Cookie=proxied.cookie)
        assert "does not answer to this name" in answer.text
    kernel = kernel_of(proxied.open_page())
    for origin in ("https://evil.example", f"http://{NAME}"):
        assert proxied.ask("/login", "POST", "token=x", Origin=origin).status == 403
        with pytest.raises(HTTPClientError, match="403"):
            proxied.try_socket(kernel, PROTOCOL, Cookie=proxied.cookie, Origin=origin)
    with pytest.raises(HTTPClientError, match="403"):
        proxied.try_socket(kernel, PROTOCOL)


def test_nothing_is_served_beside_the_path(nginx: tuple[Served, BehindNginx]) -> None:
    served, _ = nginx
    beside = Served(served.process, served.port, served.log)
    for path in ("/", "/login", "/health", f"{BELOW}x/", "/voila/static/voila.js", f"/x{BELOW}/"):
        assert beside.ask(path, Cookie=served.cookie).status == 404
    answer = beside.ask(BELOW)
    assert (answer.status, answer.headers["Location"]) == (301, f"{BELOW}/")
    for target in ("/", "/?k=7", "/annaother/?k=7", f"{BELOW}/../?k=7"):
        path = "/login?" + urllib.parse.urlencode({"next": target})
        assert served.ask(path, Cookie=served.cookie).headers["Location"] == f"{BELOW}/"


def test_the_log_leaves_out_files_of_a_page_below_a_path(
    nginx: tuple[Served, BehindNginx],
) -> None:
    served, _ = nginx
    assert served.ask("/voila/static/voila.js", Cookie=served.cookie).status == 200
    assert served.ask("/nothing", Cookie=served.cookie).status == 404
    assert served.logged(rf" 404 GET {BELOW}/nothing$")
    assert " 200 GET /anna/voila/static" not in served.log.read_text()
    assert " 200 GET /anna/health" not in served.log.read_text()


# -------------------------------------------------------------------------------------- JupyterHub


HUB_SETTINGS = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
"""


class Person:
    """Somebody with a browser, at a Hub."""

    def __init__(self, hub: Served, name: str) -> None:
        self.path = f"/user/{urllib.parse.quote(name, safe='@~')}"
        self._hub, self._name = hub, name
        self._jar = http.cookiejar.CookieJar()
        no_proxy = urllib.request.ProxyHandler({})
        cookies = urllib.request.HTTPCookieProcessor(self._jar)
        self._browser = urllib.request.build_opener(no_proxy, cookies)

    def open(self, path: str, **form: str) -> tuple[int, str]:
        """Follow a link, or send a form, to where that leads."""
        sent = urllib.parse.urlencode(form).encode() if form else None
        try:
            with self._browser.open(f"{self._hub.origin}{path}", sent, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def log_in(self) -> None:
        """Log in, which spawns a server."""
        self.open("/hub/login")
        xsrf = next(cookie.value for cookie in self._jar if cookie.name == "_xsrf")
        self.open("/hub/login", username=self._name, password="any", _xsrf=xsrf or "")

    def dashboard(self) -> Served:
        """This person's dashboard, once it is shown."""
        wait_for(lambda: self.open(f"{self.path}/api")[0] == 200)
        status, text = self.open(f"{self.path}/{TILE}/health")
        assert (status, json.loads(text)["status"]) == (200, "ok")
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)
        base = f"{self.path}/{TILE}"
        return Served(self._hub.process, self._hub.port, self._hub.log, cookies, base)


@dataclass
class Opened:
    """A person's dashboard with a page."""

    person: Person
    served: Served
    kernel: str
    results: Path

    @property
    def shown(self) -> str:
        """All that the widgets of the page hold."""
        return json.dumps(self.served.models(self.kernel))

    def tell(self, trait: str, value: str, content: dict[str, Any], *buffers: bytes) -> None:
        """Send a message to the widget whose trait begins with a value."""
        models = self.served.models(self.kernel).items()
        widget = next(each for each, state in models if str(state.get(trait)).startswith(value))
        self.served.tell(self.kernel, widget, content, *buffers)


def descendants(parent: int) -> list[Path]:
    below = children(parent)
    return below + [place for child in below for place in descendants(int(child.name))]


@contextmanager
def ended_with_all(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process at last, and see that all it started ends as well."""
    try:
        yield
    finally:
        started = descendants(process.pid)
        process.terminate()
        process.wait(60)
        wait_for(lambda: not any(place.exists() for place in started), 30)


@pytest.fixture(scope="module")
def hub(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Opened]]:
    """A Hub with two people, each with a page of the dashboard."""
    pytest.importorskip("jupyterhub")
    pytest.importorskip("jupyter_server_proxy")
    required("node", "Debian's nodejs")
    proxy = required("configurable-http-proxy", "npm's configurable-http-proxy")
    folder = tmp_path_factory.mktemp("hub")
    places = {"/data/studies": str(sample_data), "/data/results": f"{folder}/results"}
    ports = {name: find_port() for name in ("port", "hub_port", "api_port")}
    others = {"proxy": proxy, "folder": folder, "python": sys.executable}
    settings = HUB_SETTINGS.format(**ports, **others) + from_docs("py", places)
    (folder / "jupyterhub_config.py").write_text(settings)
    for name in USERS:
        (folder / "results" / name).mkdir(parents=True)
    log = folder / "log"
    environment = os.environ | {"PYTHONPATH": str(SOURCES)}
    command = [sys.executable, "-m", "jupyterhub"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder)
    with ended_with_all(process):
        served = Served(process, ports["port"], log)
        wait_for(lambda: proxy_answers(served, "/hub/health"))
        people = [Person(served, name) for name in USERS]

        def open_dashboard(person: Person, name: str) -> Opened:
            person.log_in()
            dashboard = person.dashboard()
            kernel = kernel_of(dashboard.open_page())
            return Opened(person, dashboard, kernel, folder / "results" / name)

        with ThreadPoolExecutor(len(people)) as crowd:
            yield list(crowd.map(open_dashboard, people, USERS))


def test_each_person_of_a_hub_has_a_dashboard_with_a_kernel(hub: list[Opened]) -> None:
    for each in hub:
        assert each.served.widgets_of_class(each.kernel, "ld-app")
        assert f'"baseUrl": "{each.served.base}/"' in each.served.open_page().text


def test_the_launcher_has_a_tile(hub: list[Opened]) -> None:
    _, text = hub[0].person.open(f"{hub[0].person.path}/server-proxy/servers-info")
    (tile,) = (each for each in json.loads(text)["server_processes"] if each["name"] == TILE)
    assert tile["launcher_entry"]["enabled"]
    assert tile["launcher_entry"]["path_info"] == f"{TILE}/"


def test_nobody_opens_the_dashboard_of_another(hub: list[Opened]) -> None:
    for owner, other in (hub, hub[::-1]):
        for path in ("/", "/health", "/voila/static/voila.js"):
            status, _ = other.person.open(f"{owner.served.base}{path}")
            assert status == 403
        for cookie in ("", other.served.cookie):
            answer = owner.served.ask("/", Cookie=cookie)
            assert answer.status == 302
            assert answer.headers["location"].startswith("/hub/api/oauth2/authorize")
            with pytest.raises(HTTPClientError, match="403"):
                owner.served.try_socket(owner.kernel, PROTOCOL, Cookie=cookie)


def test_other_sites_get_nothing_through_a_hub(hub: list[Opened]) -> None:
    person = hub[0].served
    with pytest.raises(HTTPClientError, match="403"):
        person.try_socket(
            hub[0].kernel, PROTOCOL, Cookie=person.cookie, Origin="https://evil.example"
        )
    answer = person.ask("/", Cookie=person.cookie, Sec_Fetch_Site="cross-site")
    assert (answer.status, "another site" in answer.text) == (403, True)


def test_no_other_account_opens_the_socket_of_a_dashboard(hub: list[Opened]) -> None:
    places = [
        Path(words[words.index(MODULE) + 1])
        for process in descendants(hub[0].served.process.pid)
        if MODULE in (words := (process / "cmdline").read_bytes().decode().split("\0"))
    ]
    assert len({*places}) == len(hub)
    for place in places:
        mode = place.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


class AtFile(Served):
    """A dashboard that listens at a socket file."""

    place = Path()

    def connection(self) -> http.client.HTTPConnection:
        connected = http.client.HTTPConnection("localhost", timeout=60)
        connected.sock = socket.socket(socket.AF_UNIX)
        connected.sock.settimeout(60)
        try:
            connected.sock.connect(str(self.place))
        except OSError:
            connected.close()
            raise
        return connected


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no socket files")
@pytest.mark.parametrize("root", ["", "missing"])
def test_a_page_says_why_there_is_no_dashboard(root: str) -> None:
    with tempfile.TemporaryDirectory(prefix="ld") as folder:  # a path of at most 100 letters
        place = Path(folder, "socket")
        environment = os.environ | {"PYTHONPATH": str(SOURCES), "LESION_DASH_DATA_ROOT": root}
        command = [sys.executable, "-m", MODULE, str(place), "/user/anna/lesion_dash/"]
        process = subprocess.Popen(command, env=environment, cwd=folder)
        with ended(process):
            served = AtFile(process, 0)
            served.place = place
            wait_for(lambda: answers(served, "/"))
            answer = served.ask("/user/anna/lesion_dash/")
            assert answer.status == 503
            assert (root or "LESION_DASH_DATA_ROOT: names no folder; set it") in answer.text
            assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_nobody_sees_the_files_and_results_of_another(hub: list[Opened], sample_data: Path) -> None:
    anna, other = hub
    for each in hub:
        each.tell("_anywidget_id", "lesion_dash.dashboard.address.AddressBar", {"address": ""})
        wait_for(lambda page=each: '"Save all", "disabled": false' in page.shown)
    anna.tell("description", "Save all", {"event": "click"})
    wait_for(lambda: any(anna.results.rglob("provenance.json")))
    mask = next((sample_data / "cohort_a").glob("*.nii.gz")).read_bytes()
    turn = {"turn": 1}
    files = [["folder-of-anna/sub-01_lesion.nii.gz", len(mask)]]
    drop = ("around", ".ld-choices")
    anna.tell(*drop, {"type": "offer", "files": files} | turn)
    anna.tell(*drop, {"type": "parts", "parts": [[0, 0]]} | turn, mask)
    wait_for(lambda: "of-anna" in anna.shown)
    assert "of-anna" not in other.shown
    assert not any(other.results.iterdir())
