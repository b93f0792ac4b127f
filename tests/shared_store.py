"""A store behind a URL that each process of this computer sees: ``shared:///folder``.

On a worker of a cluster, reading a file goes wrong as a file next to it says: what is read of it
and a fault, such as ``voxels kill`` in ``sub-1.nii.fault``. A header is looked for in the first
64 KiB; of a file that has no more, nothing else is read.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import fsspec
from distributed import WorkerPlugin
from fsspec.implementations.local import LocalFileSystem


def kill() -> None:
    """End this process as the kernel ends one that takes all memory."""
    # Memory takes a while to fill: a nanny gives up a worker that dies while it starts.
    time.sleep(1.5)
    os.kill(os.getpid(), signal.SIGKILL)


def go_wrong(path: str, part: str) -> None:
    fault_file = Path(f"{path}.fault")
    if not SharedStore.is_on_worker or not fault_file.exists():
        return
    on, fault = fault_file.read_text().split()
    if on not in (part, "all"):
        return
    if fault == "kill-once":
        fault_file.unlink()
        (fault_file.parent.parent / "worker-was-killed").write_text(str(os.getpid()))
    if fault.startswith("kill"):
        kill()
    raise {"memory": MemoryError, "missing": FileNotFoundError, "refused": PermissionError}[fault](
        "secret"
    )


class SharedStore(LocalFileSystem):
    protocol = "shared"
    is_on_worker = False

    @classmethod
    def _strip_protocol(cls, path):
        return LocalFileSystem._strip_protocol(
            f"/{str(path).removeprefix('shared://').lstrip('/')}"
        )

    def cat_file(self, path, start=None, end=None, **options):
        go_wrong(self._strip_protocol(path), "header" if end and end <= 2**16 else "voxels")
        return super().cat_file(path, start, end, **options)

    def info(self, path, **options):
        go_wrong(self._strip_protocol(path), "info")
        return super().info(path, **options)


def register() -> None:
    fsspec.register_implementation("shared", SharedStore, clobber=True)


class Registration(WorkerPlugin):
    """Workers that take the place of killed ones know the store as well."""

    name = "shared store"

    def setup(self, worker):
        register()
        SharedStore.is_on_worker = True
