"""A desk without a kernel, and a served dashboard in a browser that must stay on this computer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.desk import Desk
from lesion_dash.dashboard.session import Session

# Software WebGL, and none of the requests that Chromium makes for itself.
FLAGS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Storage is refused to pages in frames without an origin.
TOUR_SEEN = "try { localStorage.setItem('lesion-dash-tour', 'seen'); } catch {}"


@pytest.fixture
def session(sample_data: Path) -> Session:
    return Session(DataRoot(sample_data))


@pytest.fixture
def desk(session: Session) -> Desk:
    return Desk(session)


@pytest.fixture
def app(desk: Desk) -> App:
    app = App(desk)
    desk.open_first()
    desk.wait()
    assert desk.banner.message == ""
    return app


@pytest.fixture(scope="session")
def own_root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the sample cohorts, an atlas, a bad folder, and hostile names."""
    root = tmp_path_factory.mktemp("root")
    for name in ("cohort_a", "cohort_b", "atlas"):
        shutil.copytree(sample_data / name, root / name)
    shutil.copyfile(sample_data / "participants.tsv", root / "participants.tsv")
    broken = root / "or broken <img src=x onerror=alert(1)>"
    broken.mkdir()
    for number in (1, 2):
        (broken / f"sub-{number}_lesion.nii").write_bytes(b"no image")
    return root


@pytest.fixture
def free_port() -> int:
    return find_port()


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Serve a data root as `lesion-dash serve` does, once for all who ask; gives the address."""
    running: dict[Path, tuple[str, subprocess.Popen[bytes]]] = {}

    def start(root: Path) -> str:
        if root not in running:
            port = find_port()
            settings = f"{str(root)!r}, port={port}"
            code = f"from lesion_dash.dashboard.server import serve; serve({settings})"
            environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
            process = subprocess.Popen([sys.executable, "-c", code], env=environment)
            running[root] = f"http://127.0.0.1:{port}/", process
            _wait_for(running[root][0])
        return running[root][0]

    yield start
    for _, process in running.values():
        process.terminate()
    for _, process in running.values():
        process.wait(30)


def find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(url: str) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(url + "static/nothing", timeout=5):
                return
        except URLError as error:
            if getattr(error, "code", None):
                return
            time.sleep(0.25)
    pytest.fail(f"nothing answers at {url}")


@pytest.fixture(scope="module")
def chrome(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chrome: Any) -> Iterator[Callable[..., Any]]:
    """Open a page that fails the test on any error and on any request to elsewhere."""
    faults: list[str] = []
    contexts: list[Any] = []

    def open_at(
        url: str, width: int = 1280, height: int = 800, script: str = "", tour: bool = False
    ) -> Any:
        context = chrome.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
        page.on("console", lambda message: _note_console(message, faults))
        page.on("request", lambda request: _note_request(request.url, faults))
        if script:
            page.add_init_script(script)
        if not tour:
            page.add_init_script(TOUR_SEEN)
        page.goto(url)
        return page

    yield open_at
    # What a page says while it is being closed, such as a request cut off, is no fault of it.
    seen = list(faults)
    for context in contexts:
        for page in context.pages:
            page.goto("about:blank")  # so that it gives its kernel back
        context.close()
    assert seen == []


def _note_console(message: Any, faults: list[str]) -> None:
    if message.type == "error":
        faults.append(f"console: {message.text}")


def _note_request(url: str, faults: list[str]) -> None:
    local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")
    if not url.startswith(local):
        faults.append(f"request to elsewhere: {url}")
