"""A context without a kernel, and a dashboard served to a browser that stays on this computer."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from browser_steps import LONG, settle
from ipywidgets import Widget
from served_dashboard import Served, ended, find_port, start_server

from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.session import Session

# WebGL is drawn by software, the page itself without it, as a page would cost a third more time of
# the processor; and none of the requests that Chromium makes for itself.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Storage is refused to pages in frames without an origin.
TOUR_SEEN = "try { localStorage.setItem('lesion-dash-tour', 'seen'); } catch {}"

# Without a graphics card, drawing the brain is most of what a page costs; few tests look at it.
DRAW_NOTHING = """
for (const kind of ["drawArrays", "drawElements"])
  WebGL2RenderingContext.prototype[kind] = () => {};
"""

# What a page of `own_root` and of the sample data shows when it is opened without a link.
START = "a=cohort_a&k=5&map=n&atlas=synthetic_atlas&mm=-44,16,12"

# As if one had come by a link.
FOLLOW = """(link) => {
  history.replaceState(history.state, "", `#${link}`);
  dispatchEvent(new Event("hashchange"));
}"""


@pytest.fixture(scope="module", autouse=True)
def forget_widgets() -> Iterator[None]:
    """Let go of the widgets of a module: each is registered for good."""
    yield
    Widget.close_all()
    gc.collect()


@pytest.fixture(scope="module")
def session(sample_data: Path) -> Session:
    """Shared by the tests of a module: it holds what it has read, and no choices."""
    return Session(DataRoot(sample_data))


@pytest.fixture
def context(session: Session) -> Iterator[AppContext]:
    context = AppContext(session)
    yield context
    context.wait()


@pytest.fixture
def saved(context: AppContext, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files that the browser was given to save."""
    files: dict[str, bytes] = {}
    monkeypatch.setattr(context.saver, "save", files.__setitem__)
    return files


@pytest.fixture
def app(context: AppContext) -> App:
    app = App(context)
    context.open_first()
    context.wait()
    assert context.banner.message == ""
    return app


@pytest.fixture
def opened(context: AppContext) -> Callable[[type], Any]:
    """A panel on a context whose folder A is open."""

    def build(panel: type) -> Any:
        built = panel(context)
        context.open_first()
        context.wait()
        return built

    return build


@pytest.fixture(scope="module")
def address(serve: Callable[[Path], str], own_root: Path) -> str:
    """Where `own_root` is served, unless a module has a data root of its own."""
    return serve(own_root)


@pytest.fixture(scope="session")
def own_root(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the sample data, a bad folder, and hostile names."""
    root = tmp_path_factory.mktemp("root")
    for name in ("cohort_a", "cohort_b", "atlas", "series", "template"):
        shutil.copytree(sample_data / name, root / name)
    shutil.copyfile(sample_data / "participants.tsv", root / "participants.tsv")
    broken = root / "or broken <img src=x onerror=alert(1)>"
    broken.mkdir()
    for number in (1, 2):
        (broken / f"sub-{number}_lesion.nii").write_bytes(b"no image")
    return root


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Serve a data root as `lesion-dash serve` does, once for all who ask; gives the address."""
    running: dict[Path, Served] = {}

    def start(root: Path) -> str:
        if root not in running:
            running[root] = start_server(root, find_port())
        return f"{running[root].origin}/"

    with ExitStack() as stack:
        yield start
        for served in running.values():
            stack.enter_context(ended(served.process))


@pytest.fixture(scope="module")
def chrome(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


class Visits:
    """Pages, each with a memory of its own, and what went wrong on any of them."""

    def __init__(self, chrome: Any) -> None:
        self._chrome = chrome
        self._contexts: list[Any] = []
        self.faults: list[str] = []

    def open(
        self,
        url: str,
        width: int = 1280,
        height: int = 800,
        script: str = "",
        tour: bool = False,
        draws: bool = False,
        late: str = "",
    ) -> Any:
        """Open a page; on one that draws, the pixels of the brain can be looked at.

        Files whose address matches `late` come after those that were asked for with them.
        """
        context = self._chrome.new_context(viewport={"width": width, "height": height})
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("console", lambda message: _note_console(message, self.faults))
        page.on("request", lambda request: _note_request(request.url, self.faults))
        scripts = (script, "" if tour else TOUR_SEEN, "" if draws else DRAW_NOTHING)
        for source in filter(None, scripts):
            page.add_init_script(source)
        if late:
            page.route(late, _hold)
        page.goto(url, timeout=LONG)
        return page

    def close(self) -> None:
        """Close all pages; what they say meanwhile, such as a request cut off, is not a fault."""
        seen = list(self.faults)
        for context in self._contexts:
            for page in context.pages:
                page.goto("about:blank")  # so that it gives its kernel back
            context.close()
        self._contexts.clear()
        self.faults = seen


@pytest.fixture
def eventually() -> Callable[[Any, Callable[[], Any], Any], None]:
    """What a page shows once nothing is to come any more."""

    def check(page: Any, shown: Callable[[], Any], expected: Any) -> None:
        settle(page)
        assert shown() == expected

    return check


@pytest.fixture
def open_page(chrome: Any) -> Iterator[Callable[..., Any]]:
    """Open a page that fails the test on any error and on any request to elsewhere."""
    visits = Visits(chrome)
    yield visits.open
    visits.close()
    assert visits.faults == []


class SharedPage:
    """One page for several tests, as opening one is most of what a test costs."""

    def __init__(self, visits: Visits) -> None:
        self.visits = visits
        self._page: Any = None

    def give(
        self, url: str, width: int = 1280, height: int = 800, start: str = START, **settings: Any
    ) -> Any:
        """The page; from the second time on as if one had come to it by the link `start`."""
        if self._page is None:
            self._page = self.visits.open(url, width, height, **settings)
        else:
            self._page.set_viewport_size({"width": width, "height": height})
            self._page.evaluate(FOLLOW, start)
            settle(self._page)
        return self._page

    def drop(self) -> None:
        """Close it; the next test is given another."""
        self.visits.close()
        self._page = None


@pytest.fixture(scope="module")
def shared(chrome: Any) -> Iterator[SharedPage]:
    page = SharedPage(Visits(chrome))
    yield page
    page.drop()


@pytest.fixture
def hardy_page(shared: SharedPage, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Open a page for all tests of a file, or come back to it; one that fails takes it along."""
    failed = request.session.testsfailed
    yield shared.give
    if request.session.testsfailed != failed:
        shared.drop()


@pytest.fixture
def shared_page(shared: SharedPage, hardy_page: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Likewise, and errors and requests to elsewhere fail the test they belong to."""
    yield hardy_page
    faults, shared.visits.faults = shared.visits.faults, []
    if faults:
        shared.drop()
    assert faults == []


def _hold(route: Any) -> None:
    time.sleep(0.4)
    route.continue_()


def _note_console(message: Any, faults: list[str]) -> None:
    if message.type == "error":
        faults.append(f"console: {message.text}")


def _note_request(url: str, faults: list[str]) -> None:
    local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")
    if not url.startswith(local):
        faults.append(f"request to elsewhere: {url}")
