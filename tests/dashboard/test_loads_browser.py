"""Page after page: each takes its kernel along when it goes, and the server does not grow."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.browser

LOADS, WARM = 30, 10
FLAT = (
    24 * 2**20
)  # bytes that the server may grow by in twenty pages, each of which moves megabytes


def server_at(url: str) -> psutil.Process:
    port = url.rstrip("/").rpartition(":")[2]
    return next(one for one in psutil.Process().children() if f"port={port})" in one.cmdline()[-1])


def kernels_in_use(url: str) -> int:
    with urllib.request.urlopen(f"{url}health", timeout=30) as answer:
        return int(json.load(answer)["kernels"])


def test_thirty_page_loads_leave_nothing_behind(
    serve: Callable[[Path], str], own_root: Path, chrome: Any
) -> None:
    url = serve(own_root)
    server, memory = server_at(url), []
    page = chrome.new_page()
    for _ in range(LOADS):
        page.goto(url, timeout=90_000)
        page.wait_for_selector(".ld-choices select", timeout=90_000)
        memory.append(server.memory_info().rss)
    page.goto("about:blank")
    until = time.monotonic() + 60
    while kernels_in_use(url) and time.monotonic() < until:
        time.sleep(0.2)
    assert kernels_in_use(url) == 0
    # The one kernel that is kept ready, and what Jupyter needs beside it.
    assert len(server.children()) <= 2
    assert max(memory[-3:]) - memory[WARM - 1] < FLAT
