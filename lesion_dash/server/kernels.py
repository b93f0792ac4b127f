"""Kernels: as many as memory allows, each a process with a folder of its own."""

from __future__ import annotations

import asyncio
import gc
import shutil
import sys
import tempfile
import time
import uuid
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.kernelmanager import (
    AsyncMappingKernelManager,
    ServerKernelManager,
)
from traitlets import Integer

from ..core.defaults import MAX_KERNELS
from ..core.system import trim_memory
from ..dashboard.environment import kernel_environment
from ..files.temporary import remove_temporary
from .fork_server import CAN_FORK, ForkProvisioner, ForkServer

_SECONDS_TO_COME_BACK = 60
_SECONDS_TO_SETTLE = 2


class NoFreeKernel(Exception):
    """All kernels are in use."""


class PatientKernelManager(AsyncMappingKernelManager):
    """Counts the idle time of a kernel from when a visitor gets it, and the kernels in use.

    Voila keeps a kernel ready and spares it from culling while it waits. Handed over, it looks as
    idle as its wait was long, and would be ended before the page's first message.
    """

    max_kernels = Integer(MAX_KERNELS, help="Kernels in use at once, without the one kept ready.")
    max_kernels.tag(config=True)

    def __init__(self, **settings: Any) -> None:
        # Voila fills its pool while it is made.
        self._given: set[str] = set()
        self._starting: set[str] = set()
        self._warming: set[str] = set()
        self._left: dict[str, float] = {}
        super().__init__(**settings)  # type: ignore[no-untyped-call]
        # No limit to the messages that wait to be read here, as there is none where they are sent.
        self.context.rcvhwm = 0

    @property
    def minutes_to_free(self) -> int:
        """Minutes after which a kernel without a page is ended at the latest."""
        return -(-(self.cull_idle_timeout + 2 * self.cull_interval) // 60)

    def in_use(self) -> int:
        """Kernels that belong to a page, or are being started for one."""
        begun = set(self.list_kernel_ids()) | self._starting
        return len(begun - self._ready()) - min(len(self._warming), self._unfinished())

    async def end_empty(self) -> None:
        """End the kernels kept ready that hold no page any more.

        Where the process of a kernel ends, for want of memory or by an administrator, the server
        starts it anew, empty; and the page may have failed while the kernel was made ready.
        """
        for pool in list(self._pool.values()):
            for task in [task for task in pool if task.done()]:
                if await self._holds_page(task) or task not in pool:
                    continue
                pool.remove(task)
                if (kernel_id := _kernel_of(task)) in self._kernels:
                    await self.shutdown_kernel(kernel_id, now=True)

    async def _holds_page(self, task: asyncio.Task[dict[str, Any]]) -> bool:
        kernel = self._kernels.get(_kernel_of(task))
        if kernel is None or kernel.was_restarted:
            return False
        rendering = task.result()["task"]
        if rendering.done() and (rendering.cancelled() or rendering.exception() is not None):
            return False
        return bool(await kernel.is_alive())

    async def has_free_kernel(self) -> bool:
        """Whether one more page may have a kernel; a page that was left makes room for it."""
        if self.in_use() >= self.max_kernels:
            await self._end_abandoned()
        return self.in_use() < self.max_kernels

    async def start_kernel(  # type: ignore[override]
        self, *, kernel_id: str | None = None, env: Mapping[str, str] | None = None, **settings: Any
    ) -> str:
        """Start a kernel with the variables it needs, unless all are in use.

        Raises
        ------
        NoFreeKernel
            Where a page asks for one too many.
        """
        variables = kernel_environment(env or {})
        is_for_pool = variables.get("VOILA_PREHEAT") == "True"
        # A page may be waiting for a kernel of the pool that had not even begun.
        is_taken = not is_for_pool or self._unfinished() <= len(self._warming)
        # Pages that came in the same moment all had a free kernel.
        if is_taken and self.in_use() >= self.max_kernels:
            raise NoFreeKernel
        identity = kernel_id or str(uuid.uuid4())
        self._starting.add(identity)
        if is_for_pool:
            self._warming.add(identity)
        try:
            return await super().start_kernel(kernel_id=identity, env=variables, **settings)
        finally:
            self._starting.discard(identity)
            self._warming.discard(identity)

    async def shutdown_kernel(self, *given: Any, **settings: Any) -> None:  # type: ignore[override]
        """End a kernel; a little later, what its page took in this process is free."""
        await super().shutdown_kernel(*given, **settings)  # type: ignore[no-untyped-call]
        asyncio.get_running_loop().call_later(_SECONDS_TO_SETTLE, give_back)

    def notify_connect(self, kernel_id: str) -> None:
        """A page has come."""
        super().notify_connect(kernel_id)  # type: ignore[no-untyped-call]
        self._left.pop(kernel_id, None)

    def notify_disconnect(self, kernel_id: str) -> None:
        """A page has gone, perhaps to come back."""
        super().notify_disconnect(kernel_id)  # type: ignore[no-untyped-call]
        self._left[kernel_id] = time.monotonic()

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End an idle kernel, but never on the first look after it was handed over."""
        if kernel_id in self._given:
            await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]
            return
        self._given.add(kernel_id)
        self._kernels[kernel_id].last_activity = datetime.now(UTC)

    @property
    def _pool(self) -> dict[str, list[Any]]:
        """Voila's tasks that each start a kernel to be kept ready."""
        return getattr(self, "_pools", {})

    def _unfinished(self) -> int:
        """Tasks of the pool whose kernel has not started yet."""
        return sum(not task.done() for pool in self._pool.values() for task in pool)

    def _ready(self) -> set[str]:
        """Kernels that wait for a page."""
        return {_kernel_of(task) for pool in self._pool.values() for task in pool} - {""}

    async def _end_abandoned(self) -> None:
        """End the kernel whose page has been gone longest, if it had time to come back."""
        now = time.monotonic()
        gone = {
            kernel_id: self._left.setdefault(kernel_id, now)
            for kernel_id in set(self.list_kernel_ids()) - self._ready() - self._warming
            if not self._kernel_connections.get(kernel_id, 0)
            and getattr(self._kernels[kernel_id], "execution_state", "") == "idle"
        }
        if gone:
            longest = min(gone, key=lambda kernel_id: gone[kernel_id])
            if now - gone[longest] >= _SECONDS_TO_COME_BACK:
                self._left.pop(longest)
                await self.shutdown_kernel(longest)


def _kernel_of(task: asyncio.Task[dict[str, Any]]) -> str:
    """Id of the kernel that a task of the pool has started; empty where there is none."""
    if not task.done() or task.cancelled() or task.exception() is not None:
        return ""
    return str(task.result()["kernel_id"])


class KernelProcess(ServerKernelManager):
    """Starts a kernel that is confined to the files of a page, where the system can.

    Its sockets, temporary files and settings lie in a folder of its own, which is removed when the
    kernel has ended, whichever way. The name of the folder tells nothing: who knows the id of a
    kernel could connect to it, and names of sockets are not secret in a system.

    Attributes
    ----------
    was_restarted : bool
        Its first process has ended, and what it held is lost.
    """

    was_restarted = False
    fork_server = ForkServer()

    def __init__(self, connection_file: str = "", **settings: Any) -> None:
        above = Path(connection_file).parent
        folder = tempfile.mkdtemp(prefix="kernel_", dir=above if above.is_absolute() else None)
        super().__init__(connection_file=str(Path(folder, "kernel.json")), **settings)
        self._remove_folder = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """The command that starts it: this Python, whatever kernels the account has installed."""
        launcher = "lesion_dash.server.confined_kernel"
        # Nothing is imported from the current folder, and nobody types what could be recalled.
        command = [sys.executable, "-P", "-m", launcher, "-f", self.connection_file]
        # Imported before the fork, ipywidgets alone would not speak to the page.
        settings = ["--HistoryManager.enabled=False", "--InteractiveShellApp.extensions=ipywidgets"]
        return [*command, *settings, *(extra_arguments or ())]

    async def start_kernel(self, **settings: Any) -> None:  # type: ignore[override]
        """Fork it from a process that has imported all, where the system can."""
        if CAN_FORK and self.provisioner is None:
            self.kernel_id = self.kernel_id or str(settings.pop("kernel_id", uuid.uuid4()))
            self.provisioner = ForkProvisioner(
                self.fork_server,
                kernel_id=self.kernel_id,
                kernel_spec=self.kernel_spec,
                parent=self,
            )
        await super().start_kernel(**settings)

    async def restart_kernel(self, *given: Any, **settings: Any) -> None:  # type: ignore[override]
        """Start it anew, as the server does where its process has ended.

        The visitor's own files, which that process would have removed, go now.
        """
        self.was_restarted = True
        remove_temporary(Path(self.connection_file).parent)
        await super().restart_kernel(*given, **settings)

    async def shutdown_kernel(  # type: ignore[override]
        self, now: bool = False, restart: bool = False
    ) -> None:
        """End it and remove its folder, unless it starts anew."""
        await super().shutdown_kernel(now, restart)
        if not restart:
            self._remove_folder()


def give_back() -> bool:
    """Give memory that is free back to the system.

    A page moves megabytes through the server in pieces of all sizes. Its connection refers to
    itself, so that Python frees it late, and the C library keeps what lies between other pieces:
    the server would seem to grow with every page.

    Returns
    -------
    bool
        Whether the C library can as well; only that of GNU does.

    Examples
    --------
    >>> give_back() in (True, False)
    True
    """
    gc.collect()
    return trim_memory()
