"""Kernels of pages that nobody looks at any more are ended, and no others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager


class PatientKernelManager(AsyncMappingKernelManager):
    """Counts the idle time of a kernel from when a visitor gets it.

    Voila keeps a kernel ready and spares it from culling while it waits. Handed over, it looks as
    idle as its wait was long, and would be ended before the page's first message.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)  # type: ignore[no-untyped-call]
        self._given: set[str] = set()

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End an idle kernel, but never on the first look after it was handed over."""
        if kernel_id in self._given:
            await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]
            return
        self._given.add(kernel_id)
        self._kernels[kernel_id].last_activity = datetime.now(UTC)
