"""A kernel that waited long for its visitor is not ended when the visitor comes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from lesion_dash.dashboard.kernels import PatientKernelManager

LONG_AGO = datetime.now(UTC) - timedelta(hours=9)


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Any:
    """With one kernel, idle since long ago, and a list of the kernels that were ended."""
    ended: list[str] = []

    async def shutdown_kernel(self: Any, kernel_id: str, **_: Any) -> None:
        ended.append(kernel_id)

    monkeypatch.setattr(PatientKernelManager, "shutdown_kernel", shutdown_kernel)
    made = PatientKernelManager(cull_idle_timeout=1200)
    made._kernels["k"] = SimpleNamespace(
        last_activity=LONG_AGO,
        execution_state="idle",
        kernel_name="python3",
        kernel_spec=SimpleNamespace(metadata={}),
    )
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
