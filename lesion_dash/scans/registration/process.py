"""An engine runs in a worker process: started, listened to, ended; both of its sides."""

from __future__ import annotations

import os
import pickle
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import psutil

from ...core.errors import InputError, LesionDashError, temporary_fault
from ...core.system import KILLED, kill_group, kill_own_group, peak_memory
from .engines import engine_named
from .quality import Fit, find_transform
from .task import Report, Task

# Not `multiprocessing`: its spawned processes run the user's script again, which ends in an error
# wherever that script has no `if __name__ == "__main__"`, and they know no crash from an exit.
# A task goes to the worker's standard input, progress and the result come from its standard output:
# pickles of our own dataclasses, written by nobody else, so that loading them is safe.

_TURN_S = 0.2
"""How often the report is called at least, so that it can end the work: five times a second look
immediate to a user. Arbitrary."""

_SECONDS_TO_END = 5  # after the last message; arbitrary, much longer than a process takes to end
_ROOT = Path(__file__).resolve().parents[3]
_DETAIL_LINES = 12  # of a crash; a traceback's last frames. Arbitrary
_REMEDY = "close other programs, or resample the images to coarser voxels first"


class Outcome(NamedTuple):
    """A transform, the seconds that it took, and the peak memory (MB)."""

    fit: Fit
    seconds: float
    memory_mb: float


def run_in_worker(task: Task, engine: str, report: Report) -> Outcome:
    """Find a transform in a worker process.

    Whatever happens there, a crash or an end by force, becomes one sentence. The process and
    its temporary folder are gone when this returns or raises.

    Parameters
    ----------
    task : Task
    engine : str
        Name of the engine.
    report : callable
        Called with the progress at least five times a second, in this thread; what it raises,
        such as `Cancelled`, ends the process.

    Raises
    ------
    InputError
        Where the process raised one or ended without a result, or there is no temporary folder.
    """
    began = time.perf_counter()
    try:
        folder = tempfile.TemporaryDirectory(prefix="lesion_dash_", ignore_cleanup_errors=True)
    except OSError as error:
        raise temporary_fault("cannot be used as the temporary folder", error) from error
    with folder as name, Path(name, "stderr.txt").open("w+b") as stderr:
        with _start(name, stderr) as process:
            result = _listen(process, (task, engine), report)
        if result is None:
            raise _crash(process.returncode, stderr)
    fit, memory_mb = result
    return Outcome(fit, time.perf_counter() - began, memory_mb)


def _start(folder: str, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    # Found wherever this package was imported from, and nothing from the current folder.
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "lesion_dash.scans.registration.process", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        # What it leaves behind when it is ended lies in the folder, which is removed.
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder),
        },
        start_new_session=True,
    )


def _listen(
    process: subprocess.Popen[bytes], request: tuple[Task, str], report: Report
) -> tuple[Fit, float] | None:
    """Report the progress of a process and return its result, None where it ended without."""
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    # A thread, because pipes cannot be read with a time limit on every system.
    exchange = threading.Thread(target=_exchange, args=(process, request, messages), daemon=True)
    exchange.start()
    done, label = 0.0, "engine starts"
    try:
        while True:
            report(done, label)
            try:
                kind, *content = messages.get(timeout=_TURN_S)
            except queue.Empty:
                continue
            if kind == "progress":
                done, label = content
            elif kind == "result":
                return content[0], content[1]
            elif kind == "error":
                raise content[0]
            else:
                # It ends by itself, or never: a stream that is no longer understood stays so.
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_SECONDS_TO_END)
                return None
    finally:
        _end(process)
        exchange.join()


def _exchange(
    process: subprocess.Popen[bytes],
    request: tuple[Task, str],
    messages: queue.SimpleQueue[Any],
) -> None:
    assert process.stdin is not None, "piped"
    assert process.stdout is not None, "piped"
    try:
        pickle.dump(request, process.stdin, pickle.HIGHEST_PROTOCOL)
        process.stdin.flush()
        while True:
            messages.put(pickle.load(process.stdout))
    except MemoryError as error:
        messages.put(("error", error))
    except Exception:  # noqa: BLE001 - whatever the stream holds, nobody may wait for more of it
        messages.put(("end",))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that nothing of it runs on, programs that it started included."""
    if process.poll() is None:
        _kill_children(process.pid)
        process.kill()
    if process.returncode != 0:
        # Programs that it started outlive it where the system ended it, in the group that it led;
        # and where this process may not look for children.
        kill_group(process.pid)
    process.wait()


def _kill_children(pid: int) -> None:
    with suppress(psutil.Error, OSError):  # a confined process sees no other
        for child in psutil.Process(pid).children(recursive=True):
            child.kill()


def _crash(code: int, stderr: IO[bytes]) -> InputError:
    """Say in a sentence how a process ended that left nothing."""
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").splitlines()[-_DETAIL_LINES:]
    details = tuple(line for line in lines if line.strip())
    if code == KILLED:
        problem = "was ended from outside (signal 9), most often because memory ran out"
        remedy = _REMEDY
    elif code < 0:
        problem = f"crashed (signal {-code}, {signal.strsignal(-code)})"
        remedy = "try another engine; the page and your files are untouched"
    else:
        last = f": {details[-1]}" if details else ""
        problem = f"ended without a result{last}"
        remedy = "try another engine, and report this with its details"
    return InputError("the engine's process", problem, remedy, details)


# The worker's side: ``python -m lesion_dash.scans.registration.process FOLDER``.


def _work(folder: Path) -> None:
    """Do the task that comes by the standard input; end when the parent process does."""
    output = _private_output()

    def send(*message: object) -> None:
        pickle.dump(message, output, pickle.HIGHEST_PROTOCOL)
        output.flush()

    try:
        task, name = pickle.load(sys.stdin.buffer)
        threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
        engine = engine_named(name, task.kind)
        fit = find_transform(task, engine, lambda done, label: send("progress", done, label))
        send("result", fit, peak_memory() / 1e6)
    except (EOFError, pickle.UnpicklingError, BrokenPipeError):
        # The parent ended, before all of the task came or while this process reports to it.
        _end_with_parent(folder)
    except LesionDashError as error:
        send("error", error)
    except MemoryError:
        send("error", InputError("registration", "memory ran out", _REMEDY))


def _private_output() -> IO[bytes]:
    """The standard output for messages alone: what libraries print goes where errors go."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


def _end_with_parent(folder: Path) -> None:
    """The standard input closes when the parent ends, however it does; then nobody else clears."""
    while os.read(0, 1024):
        pass
    _kill_children(os.getpid())
    shutil.rmtree(folder, ignore_errors=True)
    kill_own_group()
    os._exit(1)


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
