"""The process in which an engine runs: started, listened to, ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

import psutil

from ..errors import InputError
from .engine import Report, Task
from .exchange import has_found, read_error, read_found, write_task
from .finding import Found

_TURN_S = 0.2
"""How often the report is called at least, so that it can end the work."""

_ROOT = Path(__file__).resolve().parent.parent.parent
_SAID_LINES = 12


class Outcome(NamedTuple):
    """What was found, in how many seconds, and the most memory (MB) that took."""

    found: Found
    seconds: float
    memory_mb: float


def run_apart(task: Task, engine: str, report: Report) -> Outcome:
    """Find a transform in a process of its own.

    Whatever happens there, a crash or an end by force, is told as one sentence. The process and
    its folder are gone when this returns or raises.

    Parameters
    ----------
    task : Task
    engine : str
        Name of the engine.
    report : callable
        Told the progress at least five times a second, in this thread; what it raises, such as
        `Cancelled`, ends the process.

    Raises
    ------
    InputError
        Where the process raised one, or ended without a result, or the temporary folder has no
        room.
    """
    began = time.perf_counter()
    with ExitStack() as stack:
        with _disk_errors():
            made = tempfile.TemporaryDirectory(prefix="lesion_dash_", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
            write_task(folder, task, engine)
            said = stack.enter_context((folder / "said.txt").open("wb"))
        with _start(folder, said) as process:
            _listen(process, report)
        if (error := read_error(folder)) is not None:
            raise error
        if process.returncode != 0 or not has_found(folder):
            raise _crash(process.returncode, folder / "said.txt")
        found, memory_mb = read_found(folder, task)
    return Outcome(found, time.perf_counter() - began, memory_mb)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = f"cannot keep the images in the temporary folder ({error.strerror or error})"
        remedy = "make room there, or name another folder in TMPDIR"
        raise InputError(tempfile.tempdir or "TMPDIR", problem, remedy) from error


def _start(folder: Path, said: IO[bytes]) -> subprocess.Popen[str]:
    # Found wherever this package was imported from, and nothing from the current folder.
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "lesion_dash.registration.apart", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        # What it leaves behind when it is ended lies in the folder, which is removed.
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)),
        },
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


def _listen(process: subprocess.Popen[str], report: Report) -> None:
    """Pass on what the process tells until it ends, or end it with what the report raises."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read_lines, args=(process, lines), daemon=True)
    reader.start()
    try:
        _pass_on(lines, report)
        process.wait()
    finally:
        _end(process)
        reader.join()


def _pass_on(lines: queue.SimpleQueue[str | None], report: Report) -> None:
    share, words = 0.0, "engine starts"
    report(share, words)
    while True:
        try:
            line = lines.get(timeout=_TURN_S)
        except queue.Empty:
            line = ""
        if line is None:
            return
        if line:
            share, words = json.loads(line)
        report(share, words)


def _read_lines(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    if process.stdout is not None:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    """Make sure that nothing of it runs on, programs that it started included."""
    if process.poll() is None:
        for child in _children(process.pid):
            child.kill()
        process.kill()
    if process.returncode != 0 and sys.platform != "win32":
        # Programs that it started outlive it where the system ended it, in the group that it led;
        # and where this process may not look for children.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except (psutil.Error, OSError):
        return []


def _crash(code: int, said: Path) -> InputError:
    """Say in a sentence how a process ended that left nothing."""
    lines = said.read_text(encoding="utf-8", errors="replace").splitlines()[-_SAID_LINES:]
    details = tuple(line for line in lines if line.strip())
    if code == -getattr(signal, "SIGKILL", 9):
        problem = "was ended from outside (signal 9), most often because memory ran out"
        remedy = "close other programs, or bring the images to coarser voxels first"
    elif code < 0:
        problem = f"crashed (signal {-code}, {signal.strsignal(-code)})"
        remedy = "try another engine; the page and your files are untouched"
    else:
        last = f": {details[-1]}" if details else ""
        problem = f"ended without a result{last}"
        remedy = "try another engine, and report this with its details"
    return InputError("the engine's process", problem, remedy, details)
