"""A fork server: it imports what a page needs, and each kernel is forked from it.

The imports take five seconds of a processor, a fork some hundredths. Kernels share the memory of
what was imported. The web server and this one speak over a pair of sockets that no other process
has: whoever could ask for a kernel could start one that is not confined. So this is not the fork
server of `multiprocessing`, whose socket has a name, which each forked process knows.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from ..dashboard.environment import kernel_environment

CAN_FORK = sys.platform == "linux" and hasattr(os, "pidfd_open")
"""Elsewhere system libraries do not bear a fork, or nothing tells of the end of a grandchild."""


class ForkedProcess:
    """A kernel's process, with what Jupyter asks of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid, self._descriptor = pid, descriptor

    def poll(self) -> int | None:
        """None while it runs; its exit code is not known."""
        return self._ended(0)

    def wait(self) -> int:
        """Wait until it has ended."""
        return self._ended(None) or 0

    def send_signal(self, number: int) -> None:
        """Send a signal; never to a process that got the same number later."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def _ended(self, milliseconds: int | None) -> int | None:
        # Not `select`, which knows no descriptor above 1,024, as a busy server has them.
        end = select.poll()
        end.register(self._descriptor, select.POLLIN)
        return 0 if end.poll(milliseconds) else None

    def __del__(self) -> None:
        os.close(self._descriptor)


class ForkServer:
    """Forks kernels; its process is started with the first one, and again where it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._lock = threading.Lock()

    async def kernel(
        self, command: Sequence[str], env: Mapping[str, str], folder: str
    ) -> ForkedProcess:
        """A kernel with these arguments, variables and current folder.

        Raises
        ------
        OSError
            Where the fork server ends twice.
        """
        request = json.dumps([list(command), dict(env), folder]).encode()
        return await asyncio.to_thread(self._kernel, request)

    def close(self) -> None:
        """End the fork server, and with it all kernels."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._channel = self._process = None

    def _kernel(self, request: bytes) -> ForkedProcess:
        with self._lock:
            try:
                return self._ask(request)
            except (OSError, EOFError):
                self.close()  # it was killed
                return self._ask(request)

    def _ask(self, request: bytes) -> ForkedProcess:
        if self._channel is None:
            self._begin()
        assert self._channel is not None
        self._channel.sendall(len(request).to_bytes(4, "big") + request)
        answer, descriptors, *_ = socket.recv_fds(self._channel, 32, 1)
        if not answer or not descriptors:
            raise EOFError
        return ForkedProcess(int(answer), descriptors[0])

    def _begin(self) -> None:
        self._channel, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(other.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                env=kernel_environment(os.environ),
                start_new_session=True,  # an interrupt of the server is none of it
            )


class ForkProvisioner(LocalProvisioner):
    """Forks a kernel, in place of starting a program."""

    def __init__(self, fork_server: ForkServer, **settings: Any) -> None:
        super().__init__(**settings)
        self._fork_server = fork_server

    async def launch_kernel(self, cmd: list[str], **settings: Any) -> KernelConnectionInfo:
        """Start a kernel; the command is that of a program, of which the arguments are taken."""
        arguments = cmd[cmd.index("-f") :]
        folder = settings.get("cwd") or Path.cwd()
        kernel = await self._fork_server.kernel(arguments, settings["env"], str(folder))
        self.process = kernel  # type: ignore[assignment]
        self.pid = self.pgid = kernel.pid
        return self.connection_info


def main(channel: socket.socket) -> None:
    """Import what pages need, then fork for each request, until the server has ended."""
    from .confined_kernel import import_all

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the processes
    import_all()
    # NumPy's threads wait for work, and are started anew in a process that has some.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    gc.collect()
    gc.freeze()  # or the collector writes to memory that is shared
    while request := _received(channel):
        # The child waits until the server has its descriptor: a child that has ended gives none.
        waiting, sent = os.pipe()
        pid = os.fork()
        if not pid:
            channel.close()
            os.close(sent)
            os.read(waiting, 1)
            os.close(waiting)
            _run(*json.loads(request))
        os.close(waiting)
        descriptor = os.pidfd_open(pid)
        socket.send_fds(channel, [str(pid).encode()], [descriptor])
        os.close(descriptor)
        os.close(sent)


def _received(channel: socket.socket) -> bytes:
    """A request; empty where the server has ended."""
    size = int.from_bytes(channel.recv(4, socket.MSG_WAITALL), "big")
    return channel.recv(size, socket.MSG_WAITALL)


def _run(arguments: list[str], variables: dict[str, str], folder: str) -> None:
    """Be a kernel, in a forked process."""
    from . import confined_kernel

    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        parent = str(os.getppid())  # with which the kernel ends
        os.environ.clear()
        os.environ.update(variables, JPY_PARENT_PID=parent)
        os.chdir(folder)
        tempfile.tempdir = None
        sys.argv = ["kernel", *arguments]
        confined_kernel.main(Path(arguments[1]))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - no forked process may go on as a fork server
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
