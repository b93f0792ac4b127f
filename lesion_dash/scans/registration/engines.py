"""The engines there are, and the worker process that runs one."""

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

from ...core.errors import InputError, LesionDashError, SetupError
from .deformable import AntsEngine, DipyEngine, GreedyEngine
from .process import read_task, write_error, write_found
from .quality import SimpleITKEngine, find_transform
from .task import KINDS, Engine, Kind, Report

ENGINES: tuple[Engine, ...] = (SimpleITKEngine(), DipyEngine(), GreedyEngine(), AntsEngine())
"""All that can be asked for by name, installed or not."""

AUTO: dict[Kind, str] = {"rigid": "simpleitk", "affine": "simpleitk", "deformable": "dipy"}
"""What `engine="auto"` stands for."""


def engine_named(name: str, kind: Kind) -> Engine:
    """Find the engine to be asked for a kind of registration.

    Parameters
    ----------
    name : str
        Of the engine, or ``auto``.
    kind : str
        ``rigid``, ``affine`` or ``deformable``.

    Raises
    ------
    InputError
        Where there is no such kind or engine, or it does not do this kind.
    SetupError
        Where it is not installed; the sentence says how to.

    Examples
    --------
    >>> engine_named("auto", "affine").name
    'simpleitk'
    """
    if kind not in KINDS:
        raise InputError("kind", f"{kind!r} is none of {', '.join(KINDS)}")
    engines = {engine.name: engine for engine in ENGINES}
    chosen = engines.get(AUTO[kind] if name == "auto" else name)
    if chosen is None:
        raise InputError("engine", f"{name!r} is none of {', '.join(['auto', *engines])}")
    if kind not in chosen.kinds:
        able = ", ".join(engine.name for engine in ENGINES if kind in engine.kinds)
        raise InputError("engine", f"{name} does no {kind} registration", f"choose of {able}")
    chosen.version()
    return chosen


def installed_engines() -> tuple[Engine, ...]:
    """The engines that can be asked on this machine."""
    return tuple(engine for engine in ENGINES if _is_installed(engine))


def _is_installed(engine: Engine) -> bool:
    try:
        engine.version()
    except SetupError:
        return False
    return True


# An engine's own process: ``python -m lesion_dash.scans.registration.engines FOLDER``.
#
# It reads the task from the folder, tells its progress a line at a time, and leaves there what it
# found, or the error. It ends when the process that started it does.


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
