"""What all tests share: where the sample data lie, and which browser to drive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes depends on what else the machine does.
settings.register_profile("lesion_dash", deadline=None)
settings.load_profile("lesion_dash")

ROOT = Path(__file__).resolve().parent.parent
OF_CLUSTERS = ("test_compute.py", "test_cluster_faults.py")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    names = (os.environ.get("LESION_DASH_CHROMIUM", ""), *BROWSERS)
    return next((found for name in names if name and (found := shutil.which(name))), None)


def browser_is_required() -> bool:
    wanted = ("LESION_DASH_REQUIRE_BROWSER", "CI")
    return any(os.environ.get(name, "").lower() in {"1", "true", "yes"} for name in wanted)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests share a process, where several run.

    Tests of a module do, for its fixtures; those that start browsers or clusters come one after
    the other in one, for the sake of the machine.
    """
    for item in items:
        is_heavy = item.get_closest_marker("browser") or item.path.name in OF_CLUSTERS
        name = "browsers and clusters" if is_heavy else str(item.path.relative_to(ROOT))
        item.add_marker(pytest.mark.xdist_group(name))


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


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser; tests that ask for it bear the mark `browser`."""
    browser = find_browser()
    assert browser, "mark the test with pytest.mark.browser"
    return browser


@pytest.fixture(scope="session")
def sample_data() -> Path:
    return ROOT / "sample_data"
