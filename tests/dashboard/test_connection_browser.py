"""A page that lost its kernel or its server says so, moves nothing, and finds back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_steps import LONG, settle
from served_dashboard import find_port, start_server

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SILENT = "The dashboard does not answer"
ENDED = "The computation behind this page has ended"
BELOW = "/lab/lesions"
"""The dashboard is served below a path here: all that a page asks for has to lie there."""
# The first connection of a page fails, as on a network that wavers: it has to open all the same.
SOCKETS = """
window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(address, protocols) {
    super(window.sockets.length ? address : address.replace("/channels", "/nothing"), protocols);
    window.sockets.push(this);
  }
};
"""
LOSE = "window.sockets.at(-1).send = () => { window.isBroken = true; }"
DEAFEN = "window.sockets.at(-1).onmessage = () => { window.isBroken = true; }"


# Neither its command nor its files name a kernel.
NOTE_KERNELS = """
from lesion_dash.server.kernels import PatientKernelManager
start = PatientKernelManager.start_kernel
async def start_and_note(self, **settings):
    identity = await start(self, **settings)
    print(identity, self.get_kernel(identity).provisioner.pid, flush=True)
    return identity
PatientKernelManager.start_kernel = start_and_note
"""


class Server:
    """A dashboard that can be stopped, and started again at its port."""

    def __init__(self, root: Path, port: int, output: Path) -> None:
        self._root, self._port, self._output = root, port, output
        self.url = f"http://127.0.0.1:{port}{BELOW}/"
        self.start()

    def start(self) -> None:
        with self._output.open("ab") as output:
            served = start_server(self._root, self._port, NOTE_KERNELS, output, BELOW)
        self._process = served.process

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def kill_kernel(self, identity: str) -> None:
        lines = self._output.read_text(encoding="utf-8").splitlines()
        (pid,) = (line.split()[1] for line in lines if line.startswith(identity))
        os.kill(int(pid), signal.SIGKILL)


@pytest.fixture(scope="module")
def server(own_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    output = tmp_path_factory.mktemp("server") / "output"
    running = Server(own_root, find_port(), output)
    yield running
    running.stop()


@pytest.fixture
def page(server: Server, hardy_page: Callable[..., Any]) -> Any:
    """A page that may well say on its console that nothing answers."""
    page = hardy_page(server.url, script=SOCKETS)
    wait_until_open(page)
    return page


def wait_until_open(page: Any) -> None:
    page.wait_for_selector(".ld-regions tbody:last-child tr:nth-child(5)", timeout=LONG)


def bar(page: Any, message: str) -> Any:
    """The bar that says something, waited for."""
    shown = page.get_by_role("alert").filter(has_text=message)
    shown.wait_for(timeout=LONG)
    return shown


def wait_until_gone(page: Any) -> None:
    page.locator("#ld-lost").wait_for(state="hidden", timeout=LONG)


def assert_answers(page: Any) -> None:
    """The kernel still says what the slider leaves of the brain."""
    note = page.locator(".ld-choices .ld-field", has_text="Minimum lesion overlap").locator(
        ".ld-note"
    )
    before = "".join(note.all_inner_texts())
    page.locator(".ld-choices .noUi-handle").first.press("ArrowRight")
    settle(page)
    assert "".join(note.all_inner_texts()) != before


def test_a_short_break_passes_by_itself(page: Any) -> None:
    assert page.evaluate("window.sockets.length") > 1  # the connection that failed at first
    assert "/nothing" in page.evaluate("window.sockets[0].url")
    assert page.evaluate("window.sockets.at(-1).protocol") == "v1.kernel.websocket.jupyter.org"
    page.evaluate("window.isSamePage = true")
    tab = page.get_by_role("tab").first.bounding_box()
    page.context.set_offline(True)
    bar(page, SILENT)
    assert page.get_by_role("tab").first.bounding_box() == tab
    page.context.set_offline(False)
    wait_until_gone(page)
    number = page.evaluate("window.sockets.length")
    page.evaluate("window.sockets.at(-1).close()")
    page.wait_for_function(
        "([number]) => window.sockets.length > number && window.sockets.at(-1).readyState === 1",
        arg=[number],
        timeout=LONG,
    )
    wait_until_gone(page)
    assert_answers(page)
    assert page.evaluate("window.isSamePage")


def wait_for_least(page: Any, min_patients: int) -> None:
    page.wait_for_function(f"location.hash.includes('&k={min_patients}&')", timeout=LONG)
    page.get_by_text(f"where ≥ {min_patients} patients").wait_for(timeout=LONG)


@pytest.mark.parametrize("breaks", [LOSE, DEAFEN], ids=["choice", "answer"])
def test_what_is_lost_on_the_way_is_made_good(page: Any, breaks: str) -> None:
    page.evaluate("location.hash = 'a=cohort_a&k=5&map=n&atlas=synthetic_atlas'")
    wait_for_least(page, 5)
    page.evaluate(breaks)
    slider = page.locator(".ld-choices .noUi-handle").first
    for _ in range(2):  # the second waits for the answer to the first
        slider.press("ArrowRight")
    page.wait_for_function("window.isBroken", timeout=LONG)
    assert "k=5" in page.url
    page.evaluate("window.isBroken = false; window.sockets.at(-1).close()")
    wait_for_least(page, 7)
    slider.press("ArrowRight")
    wait_for_least(page, 8)


def test_looking_after_the_server_keeps_no_kernel_alive(
    page: Any, eventually: Callable[..., None]
) -> None:
    page.wait_for_selector(".ld-figure-view img:not([hidden])", timeout=LONG)
    activity = """async () => {
        const kernel = window.jupyterapp.widgetManager.kernel;
        return (await (await fetch(`/lab/lesions/api/kernels/${kernel.id}`)).json()).last_activity;
    }"""

    def is_left_alone() -> bool:
        before = page.evaluate(activity)
        for _ in range(3):
            with page.expect_response(lambda answer: answer.url.endswith("/voila.js")) as response:
                page.evaluate("window.dispatchEvent(new Event('online'))")
            assert response.value.status == 200
        return page.evaluate(activity) == before

    # A picture still being drawn is activity as well; looks that were any would never let it rest.
    eventually(page, is_left_alone, True)


def test_a_script_that_does_not_come_holds_nothing_else_back(server: Server, chrome: Any) -> None:
    context = chrome.new_context()
    page = context.new_page()
    page.route("**/scripts/viewer-*", lambda route: route.abort())
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(server.url)
    wait_until_open(page)
    page.get_by_text("This part of the page did not load").wait_for(timeout=LONG)
    page.keyboard.press("Escape")  # the tour
    assert_answers(page)
    assert not [url for url in requests if not url.startswith((server.url, "data:", "blob:"))]
    page.goto("about:blank")
    context.close()


def test_a_dead_kernel_is_told_and_a_reload_brings_another(page: Any, server: Server) -> None:
    tab = page.get_by_role("tab").first.bounding_box()
    server.kill_kernel(page.evaluate("window.jupyterapp.widgetManager.kernel.id"))
    alert = bar(page, ENDED)
    assert page.get_by_role("tab").first.bounding_box() == tab
    alert.get_by_role("button", name="Reload").click()
    wait_until_gone(page)
    wait_until_open(page)
    assert_answers(page)


def test_a_stopped_server_is_told_until_it_is_back(page: Any, server: Server) -> None:
    server.stop()
    alert = bar(page, SILENT)
    alert.get_by_role("button", name="Reconnect").click()
    page.wait_for_function("!document.querySelector('#ld-lost button').disabled", timeout=LONG)
    assert page.locator(".ld-regions tbody:last-child tr").count() > 5  # what was shown is not lost
    server.start()
    bar(page, ENDED).get_by_role("button", name="Reload").click()
    wait_until_gone(page)
    wait_until_open(page)
    assert_answers(page)


def test_a_page_that_does_not_open_says_so(page: Any, server: Server) -> None:
    page.route(
        "**/voila.js",
        lambda route: route.abort() if route.request.method == "GET" else route.continue_(),
    )
    page.goto(server.url)
    alert = bar(page, "The dashboard did not open")
    assert not page.get_by_text("Opening lesion_dash").is_visible()
    page.unroute("**/voila.js")
    alert.get_by_role("button", name="Reload").click()
    wait_until_open(page)
    wait_until_gone(page)
