"""The worker process of an engine: started, listened to, ended; files go between."""

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
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from ...core.errors import Cancelled, InputError, LesionDashError, MissingFile, SetupError
from ...core.grid import Grid
from ...transforms.transform import Field, Transform
from .quality import Evidence, Found
from .task import NotCredible, Report, Task, Volume

# What travels between two processes: a task and what was found, as files in a folder.
#
# Numbers go as JSON and arrays as ``.npy`` without objects: reading them runs nothing.


_ERRORS = {kind.__name__: kind for kind in (InputError, SetupError, MissingFile, NotCredible)}


def write_task(folder: Path, task: Task, engine: str) -> None:
    """Lay down a task and the name of the engine that is to do it."""
    for name, volume in (("moving", task.moving), ("template", task.template)):
        np.save(folder / f"{name}.npy", volume.array)
    if task.lesion is not None:
        np.save(folder / "lesion.npy", task.lesion)
    facts = {
        "engine": engine,
        "kind": task.kind,
        "start": task.start.matrix.tolist(),
        "moving": task.moving.grid.affine.tolist(),
        "template": task.template.grid.affine.tolist(),
        "has_lesion": task.lesion is not None,
    }
    _write_json(folder / "task.json", facts)


def read_task(folder: Path) -> tuple[Task, str]:
    """The task that was laid down, and the engine's name."""
    facts = _read_json(folder / "task.json")
    moving, template = (
        _volume(_load(folder / f"{name}.npy"), facts[name]) for name in ("moving", "template")
    )
    lesion = _load(folder / "lesion.npy") if facts["has_lesion"] else None
    start = Transform(np.array(facts["start"]))
    return Task(moving, template, facts["kind"], start, lesion), facts["engine"]


def write_found(folder: Path, found: Found, memory_mb: float) -> None:
    """Lay down what was found, and how much memory that took."""
    transform = found.transform
    for name, field in (("to_moving", transform.to_moving), ("to_template", transform.to_template)):
        if field is not None:
            np.save(folder / f"{name}.npy", field.mm)
    facts = {
        "matrix": transform.matrix.tolist(),
        "is_linear": transform.is_linear,
        "evidence": asdict(found.evidence),
        "before": found.before,
        "after": found.after,
        "jacobians": found.jacobians,
        "memory_mb": memory_mb,
    }
    _write_json(folder / "found.json", facts)


def read_found(folder: Path, task: Task) -> tuple[Found, float]:
    """What was found, and the memory that took in MB."""
    facts = _read_json(folder / "found.json")
    fields: tuple[Field, Field] | tuple[None, None] = (None, None)
    if not facts["is_linear"]:
        fields = (
            Field(task.template.grid, _load(folder / "to_moving.npy")),
            Field(task.moving.grid, _load(folder / "to_template.npy")),
        )
    transform = Transform(np.array(facts["matrix"]), *fields)
    evidence = facts["evidence"]
    seen = Evidence(**{**evidence, "stretches": tuple(evidence["stretches"])})
    smallest, largest = facts["jacobians"]
    found = Found(transform, seen, facts["before"], facts["after"], (smallest, largest))
    return found, facts["memory_mb"]


def has_found(folder: Path) -> bool:
    """Whether something was found."""
    return (folder / "found.json").exists()


def write_error(folder: Path, error: LesionDashError) -> None:
    """Lay down an error with all its parts."""
    parts = [list(part) if isinstance(part, tuple) else part for part in error.args]
    _write_json(folder / "error.json", {"kind": type(error).__name__, "parts": parts})


def read_error(folder: Path) -> LesionDashError | None:
    """The error that was laid down, if any."""
    if not (folder / "error.json").exists():
        return None
    facts = _read_json(folder / "error.json")
    if facts["kind"] == "Cancelled":
        return Cancelled()
    subject, problem, remedy, details = facts["parts"]
    return _ERRORS.get(facts["kind"], InputError)(subject, problem, remedy, tuple(details))


def _volume(array: NDArray[np.float32], affine: list[list[float]]) -> Volume:
    i, j, k = array.shape
    return Volume(array, Grid((i, j, k), np.array(affine)))


def _load(path: Path) -> NDArray:
    return np.load(path, allow_pickle=False)


def _write_json(path: Path, facts: dict[str, Any]) -> None:
    # Under its name only when whole: the other process may look at any time.
    part = path.with_suffix(".part")
    part.write_text(json.dumps(facts), encoding="utf-8")
    part.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


# The process in which an engine runs: started, listened to, ended.


_TURN_S = 0.2
"""How often the report is called at least, so that it can end the work."""

_ROOT = Path(__file__).resolve().parents[3]
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
        [sys.executable, "-P", "-m", "lesion_dash.scans.registration.engines", str(folder)],
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
