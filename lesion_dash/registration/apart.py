"""An engine's own process: ``python -m lesion_dash.registration.apart FOLDER``.

It reads the task from the folder, tells its progress a line at a time, and leaves there what it
found, or the error. It ends when the process that started it does.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import psutil

from ..errors import InputError, LesionDashError
from .engine import Report
from .engines import engine_named
from .exchange import read_task, write_error, write_found
from .finding import find_transform


def main(folder: Path) -> int:
    """Do the task of the folder."""
    report = _make_report(_private_output())
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    try:
        task, name = read_task(folder)
        found = find_transform(task, engine_named(name, task.kind), report)
        write_found(folder, found, peak_memory_mb())
    except LesionDashError as error:
        write_error(folder, error)
    except MemoryError:
        remedy = "close other programs, or bring the images to coarser voxels first"
        write_error(folder, InputError("registration", "memory ran out", remedy))
    return 0


def peak_memory_mb() -> float:
    """The most memory this process had, in MB; where Linux hides /proc, an upper bound of it."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    # Kilobytes, but bytes on a Mac.
    unit = 1 if sys.platform == "darwin" else 1024
    programs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    own = _own_peak_kb() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(own, programs) * unit / 1e6


def _own_peak_kb() -> int:
    """Of Linux, whose other number begins with the memory of the process that started this one."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:  # no Linux, or a process that may not read it
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _private_output() -> TextIO:
    """The standard output for progress alone: what libraries print goes where errors go."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "w", encoding="utf-8", buffering=1)


def _make_report(output: TextIO) -> Report:
    def report(share: float, words: str) -> None:
        output.write(json.dumps([round(share, 4), words]) + "\n")

    return report


def _end_with_parent(folder: Path) -> None:
    """The standard input closes when the parent ends, however it does; then nobody else clears."""
    while os.read(0, 1024):
        pass
    with suppress(psutil.Error, OSError):  # a confined process sees no other
        for child in psutil.Process().children(recursive=True):
            child.kill()
    shutil.rmtree(folder, ignore_errors=True)
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
