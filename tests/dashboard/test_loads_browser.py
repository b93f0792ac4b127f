"""Page after page: each takes its kernel along when it goes, and the server does not grow."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.browser

FIRST, MORE = 2, 6
FLAT = 30 * 2**20  # bytes; each page moves more than that through the server


def server_at(url: str) -> psutil.Process:
    port = url.rstrip("/").rpartition(":")[2]
    return next(
        process
        for process in psutil.Process().children()
        if f"port={port}," in process.cmdline()[-1]
    )


def kernels_in_use(url: str) -> int:
    with urllib.request.urlopen(f"{url}health", timeout=30) as answer:
        return int(json.load(answer)["kernels"])


def load(page: Any, url: str, times: int) -> None:
    """Open the dashboard again and again, leave it, and wait until its kernels have ended."""
    for _ in range(times):
        page.goto(url, timeout=90_000)
        page.wait_for_selector(".ld-choices select", timeout=90_000)
    page.goto("about:blank")
    until = time.monotonic() + 60
    while kernels_in_use(url) and time.monotonic() < until:
        time.sleep(0.2)
    assert kernels_in_use(url) == 0


def at_rest(server: psutil.Process) -> int:
    """Bytes that the server holds when what its pages took is given back."""
    lowest, until = server.memory_info().rss, time.monotonic() + 6
    while time.monotonic() < until:
        lowest = min(lowest, server.memory_info().rss)
        time.sleep(0.2)
    return lowest


def test_page_loads_leave_nothing_behind(
    serve: Callable[[Path], str], sample_data: Path, tmp_path: Path, hardy_page: Callable[..., Any]
) -> None:
    shutil.copytree(sample_data / "cohort_a", tmp_path / "cohort_a")
    url = serve(tmp_path)
    server, page = server_at(url), hardy_page("about:blank")
    load(page, url, FIRST)
    before = at_rest(server)
    load(page, url, MORE)
    # The one kernel that is kept ready, and the process that it is forked from.
    assert len(server.children(recursive=True)) <= 2
    assert at_rest(server) - before < FLAT
