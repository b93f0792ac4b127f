"""What all tests share: where the sample data lie, and which browser to drive."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes depends on what else the machine does.
settings.register_profile("lesion_dash", deadline=None)
settings.load_profile("lesion_dash")

ROOT = Path(__file__).resolve().parent.parent
LONGEST = (
    "test_accessibility_browser.py",
    "test_loads_browser.py",
    "test_dask.py",
    "test_notebooks.py",
    "test_object_storage.py",
    "test_outputs.py",
    "test_proxies.py",
    "test_sample_data.py",
)
MESSAGES = Path(__file__).with_name("messages.txt")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    names = (os.environ.get("LESION_DASH_CHROMIUM", ""), *BROWSERS)
    return next((found for name in names if name and (found := shutil.which(name))), None)


def browser_is_required() -> bool:
    wanted = ("LESION_DASH_REQUIRE_BROWSER", "CI")
    return any(os.environ.get(name, "").lower() in {"1", "true", "yes"} for name in wanted)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: servers, workers and pages are waited for."""
    return min((os.cpu_count() or 1) + 1, 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: one that came last would leave the other processes idle."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection_finish() -> None:
    """Keep what is imported by now, and the tests, out of each later search for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") is None or find_browser():
        return
    message = (
        "no Chromium found: install Debian's chromium, or name one in LESION_DASH_CHROMIUM, "
        "to run the browser tests"
    )
    if browser_is_required():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="module", autouse=True)
def return_memory() -> Iterator[None]:
    """Return what a module has freed: the C library keeps it, and a worker would seem to grow."""
    yield
    with suppress(AttributeError, OSError, TypeError):  # GNU's alone has it
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser; tests that ask for it bear the mark `browser`."""
    browser = find_browser()
    assert browser, "mark the test with pytest.mark.browser"
    return browser


@pytest.fixture(scope="session")
def sample_data() -> Path:
    return ROOT / "sample_data"


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "write tests/messages.txt anew for the tests that run (with -n0)"
    parser.addoption("--write-messages", action="store_true", help=text)


def _read_messages() -> dict[str, str]:
    lines = MESSAGES.read_text(encoding="utf-8").splitlines() if MESSAGES.exists() else []
    return dict(line.split("\t", 1) for line in lines)


@pytest.fixture
def message(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Compare a sentence with the one in tests/messages.txt, where all can be proof-read.

    A test asserts what a sentence must contain for the user; its exact text is in one file, a line
    each, so that rewording changes that file alone. Paths of the test's folder are left out.
    """
    name = request.node.nodeid.removeprefix("tests/")
    calls = 0

    def compare(sentence: object) -> None:
        nonlocal calls
        calls += 1
        key = f"{name} #{calls}" if calls > 1 else name
        text = str(sentence)
        if "tmp_path" in request.fixturenames:
            text = text.replace(str(request.getfixturevalue("tmp_path")), "TMP")
        line = json.dumps(text, ensure_ascii=False)
        messages = _read_messages()
        if request.config.getoption("--write-messages"):
            messages[key] = line
            rows = "".join(f"{key}\t{text}\n" for key, text in sorted(messages.items()))
            MESSAGES.write_text(rows, encoding="utf-8")
        assert line == messages.get(key), "reworded on purpose? pytest -n0 --write-messages"

    return compare
