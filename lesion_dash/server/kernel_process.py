"""A kernel's process, with a folder of its own."""

from __future__ import annotations

import shutil
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.kernelmanager import ServerKernelManager


class KernelProcess(ServerKernelManager):
    """Starts a kernel that is confined to the files of a page, where the system can.

    Its sockets, temporary files and settings lie in a folder of its own, which is removed when the
    kernel has ended, whichever way. The name of the folder tells nothing: who knows the id of a
    kernel could connect to it, and names of sockets are no secret in a system.
    """

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
        return [*command, "--HistoryManager.enabled=False", *(extra_arguments or ())]

    async def shutdown_kernel(  # type: ignore[override]
        self, now: bool = False, restart: bool = False
    ) -> None:
        """End it and remove its folder, unless it starts anew."""
        await super().shutdown_kernel(now, restart)
        if not restart:
            self._remove_folder()
