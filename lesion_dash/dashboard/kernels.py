"""Kernels of pages nobody looks at any more are ended; the one that waits for a visitor is not."""

from __future__ import annotations

from datetime import UTC, datetime

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager


class WaitingKernelManager(AsyncMappingKernelManager):
    """Spares the ready kernels of Voila's pool from culling.

    A kernel that waited longer than the idle time would be ended just when a visitor gets it,
    between the page and its first message.
    """

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End an idle kernel, unless it waits for its first visitor."""
        if kernel_id in self._waiting():
            self._kernels[kernel_id].last_activity = datetime.now(UTC)
            return
        await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]

    def _waiting(self) -> set[str]:
        pools = getattr(self, "_pools", {})
        tasks = [task for pool in pools.values() for task in pool if task.done()]
        ready = [task for task in tasks if not task.cancelled() and task.exception() is None]
        return {task.result()["kernel_id"] for task in ready}
