"""Kernels are ended when nobody looks at their page, never before, and are limited in number."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from lesion_dash.server import kernels
from lesion_dash.server.kernels import NoFreeKernel, PatientKernelManager

LONG_AGO = datetime.now(UTC) - timedelta(hours=9)


def idle_kernel() -> SimpleNamespace:
    return SimpleNamespace(
        last_activity=LONG_AGO,
        execution_state="idle",
        kernel_name="python3",
        kernel_spec=SimpleNamespace(metadata={}),
    )


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Any:
    """With one kernel, idle since long ago, and a list of the kernels that were ended."""
    ended: list[str] = []

    async def shutdown_kernel(self: Any, kernel_id: str, **_: Any) -> None:
        ended.append(kernel_id)
        self._kernels.pop(kernel_id)

    monkeypatch.setattr(PatientKernelManager, "shutdown_kernel", shutdown_kernel)
    made = PatientKernelManager(cull_idle_timeout=1200)
    made._kernels["k"] = idle_kernel()
    return SimpleNamespace(kernels=made, ended=ended)


def test_first_look_starts_the_clock(manager: Any) -> None:
    for _ in range(3):
        asyncio.run(manager.kernels.cull_kernel_if_idle("k"))
    assert manager.ended == []


def test_idle_kernel_is_ended_later(manager: Any) -> None:
    asyncio.run(manager.kernels.cull_kernel_if_idle("k"))
    manager.kernels._kernels["k"].last_activity = LONG_AGO
    asyncio.run(manager.kernels.cull_kernel_if_idle("k"))
    assert manager.ended == ["k"]


class PersistedField:
    """A finished task of Voila's pool."""

    def __init__(self, kernel_id: str | None) -> None:
        self.kernel_id = kernel_id

    def done(self) -> bool:
        return self.kernel_id is not None

    def cancelled(self) -> bool:
        return False

    def exception(self) -> None:
        return None

    def result(self) -> dict[str, Any]:
        return {"kernel_id": self.kernel_id}


def test_kernels_kept_ready_are_not_in_use(manager: Any) -> None:
    kernels = manager.kernels
    assert kernels.in_use() == 1
    kernels._pools = {"app.ipynb": [PersistedField("k")]}
    assert kernels.in_use() == 0
    kernels._starting, kernels._warming = {"warming", "cold"}, {"warming"}
    kernels._pools = {"app.ipynb": [PersistedField(None)]}
    assert kernels.in_use() == 2
    kernels._pools = {"app.ipynb": []}
    assert kernels.in_use() == 3, "a page took the kernel that is still being started"


def test_no_page_gets_a_kernel_too_many(manager: Any) -> None:
    manager.kernels.max_kernels = 1
    assert not asyncio.run(manager.kernels.has_free_kernel())
    with pytest.raises(NoFreeKernel, match=r"^$"):
        asyncio.run(manager.kernels.start_kernel(env={"VOILA_PREHEAT": "False"}))


def test_a_page_that_took_a_kernel_not_begun_is_counted(manager: Any) -> None:
    manager.kernels.max_kernels = 1
    manager.kernels._pools = {"app.ipynb": []}
    with pytest.raises(NoFreeKernel, match=r"^$"):
        asyncio.run(manager.kernels.start_kernel(env={"VOILA_PREHEAT": "True"}))


def test_a_page_that_was_left_makes_room(manager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    manager.kernels.max_kernels = 2
    manager.kernels._kernels["seen"] = idle_kernel()
    manager.kernels._kernel_connections = {"k": 0, "seen": 1}
    assert not asyncio.run(manager.kernels.has_free_kernel()), (
        "it may just have lost its connection"
    )
    now = kernels.time.monotonic()
    monkeypatch.setattr(kernels.time, "monotonic", lambda: now + 61)
    assert asyncio.run(manager.kernels.has_free_kernel())
    assert manager.ended == ["k"]


def test_a_page_that_came_back_keeps_its_kernel(
    manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.kernels.max_kernels = 1
    manager.kernels._kernel_connections = {"k": 1}
    manager.kernels.notify_disconnect("k")
    manager.kernels.notify_connect("k")
    now = kernels.time.monotonic()
    monkeypatch.setattr(kernels.time, "monotonic", lambda: now + 3600)
    assert not asyncio.run(manager.kernels.has_free_kernel())
    assert manager.ended == []


def test_a_kernel_at_work_is_not_ended(manager: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    manager.kernels.max_kernels = 1
    manager.kernels._kernels["k"].execution_state = "busy"
    for later in (0.0, 3600.0):
        now = kernels.time.monotonic() + later
        monkeypatch.setattr(kernels.time, "monotonic", lambda now=now: now)
        assert not asyncio.run(manager.kernels.has_free_kernel())
    assert manager.ended == []
