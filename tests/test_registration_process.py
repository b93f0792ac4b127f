"""The engine's own process: stopped, killed, left alone, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import psutil
import pytest
from heads import make_grid, make_head, make_pose

from lesion_dash.core.errors import Cancelled, InputError, MissingFile, SetupError
from lesion_dash.scans.registration.process import (
    read_error,
    read_found,
    read_task,
    run_apart,
    write_error,
    write_found,
    write_task,
)
from lesion_dash.scans.registration.quality import Evidence, Found, SimpleITKEngine, find_transform
from lesion_dash.scans.registration.task import NotCredible, Task, Volume
from lesion_dash.transforms.transform import Field, Transform

GRID = make_grid((172, 212, 236), 6, (0, -10, 0))
TASK = Task(
    *(Volume(make_head(GRID, pose), GRID) for pose in (make_pose((5, 0, 8)), None)),
    "rigid",
    Transform(),
)
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where temporary folders are made; each test leaves it empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert not list(tmp_path.iterdir())
    assert not engines()


def engines() -> list[psutil.Process]:
    """The processes of engines that this one has started."""
    children = psutil.Process().children(recursive=True)
    return [
        child for child in children if "lesion_dash.scans.registration.engines" in child.cmdline()
    ]


class Report:
    """Notes what it is told, and does something as soon as the engine is at work."""

    def __init__(self, act=None):
        self.told, self.act, self.acted = [], act, 0.0

    def __call__(self, share, words):
        self.told.append((share, words))
        if self.act and share > 0 and not self.acted:
            self.acted = time.perf_counter()
            self.act()


def test_a_task_is_done_apart_in_any_thread_bit_by_bit_as_here():
    outcomes, report = [], Report()
    thread = threading.Thread(target=lambda: outcomes.append(run_apart(TASK, "simpleitk", report)))
    thread.start()
    here = find_transform(TASK, SimpleITKEngine(), lambda share, words: None)
    thread.join()
    (outcome,) = outcomes
    np.testing.assert_array_equal(outcome.found.transform.matrix, here.transform.matrix)
    assert outcome.found.evidence == here.evidence
    assert here.evidence.agreeing >= 3
    assert outcome.seconds > 0
    assert outcome.memory_mb > 50
    assert len({words for _, words in report.told}) > 5


def test_cancelling_ends_it_within_a_second():
    def cancel():
        raise Cancelled

    report = Report(cancel)
    with pytest.raises(Cancelled, match="stopped by the user"):
        run_apart(TASK, "simpleitk", report)
    assert time.perf_counter() - report.acted < 1


@posix
@pytest.mark.parametrize(
    ("number", "match"),
    [
        (signal.SIGKILL, "ended from outside .signal 9., most often because memory ran out"),
        (signal.SIGSEGV, "crashed .signal 11, Segmentation fault.; try another engine"),
    ],
)
def test_a_crash_becomes_a_sentence(number, match):
    with pytest.raises(InputError, match=match):
        run_apart(TASK, "simpleitk", Report(lambda: engines()[0].send_signal(number)))


def test_what_nobody_foresaw_is_told_with_its_details():
    broken = Task(Volume(np.zeros((3, 3), np.float32), GRID), TASK.template, "rigid", Transform())
    with pytest.raises(InputError, match="ended without a result: ValueError: ") as caught:
        run_apart(broken, "simpleitk", Report())
    assert any("Traceback" in line or "File" in line for line in caught.value.details)


def test_an_error_there_is_the_same_error_here():
    with pytest.raises(InputError, match="engine: 'fnirt' is none of auto, simpleitk"):
        run_apart(TASK, "fnirt", Report())


@posix
def test_the_engine_ends_when_the_program_that_started_it_is_killed(folder):
    script = folder / "parent.py"
    script.write_text(
        "import sys, psutil\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from test_registration_process import TASK, engines, run_apart\n"
        "run_apart(TASK, 'simpleitk', lambda s, w: s and print(engines()[0].pid, flush=True))\n"
    )
    command = [sys.executable, str(script)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        engine = psutil.Process(int(parent.stdout.readline()))
        assert engine.is_running()
        parent.kill()
    engine.wait(5)
    script.unlink()


# --- What travels -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [InputError, SetupError, MissingFile, NotCredible])
def test_errors_travel_with_all_their_parts(folder, kind):
    error = kind("scan.nii", "is odd", "copy it", ("line one", "line two"))
    write_error(folder, error)
    back = read_error(folder)
    assert type(back) is kind
    assert back.args == error.args
    (folder / "error.json").unlink()
    write_error(folder, Cancelled())
    assert isinstance(read_error(folder), Cancelled)
    (folder / "error.json").unlink()
    assert read_error(folder) is None


def test_tasks_and_transforms_travel_bit_by_bit(folder):
    lesion = TASK.moving.array > 80
    task = Task(TASK.moving, TASK.template, "affine", Transform(make_pose((1, 2, 3))), lesion)
    write_task(folder, task, "simpleitk")
    back, engine = read_task(folder)
    assert (engine, back.kind) == ("simpleitk", "affine")
    np.testing.assert_array_equal(back.moving.array, task.moving.array)
    np.testing.assert_array_equal(back.lesion, lesion)
    np.testing.assert_array_equal(back.start.matrix, task.start.matrix)
    assert back.moving.grid == task.moving.grid
    mm = np.random.default_rng(0).normal(size=(2, *GRID.shape, 3)).astype(np.float32)
    transform = Transform(make_pose((3, 2, 1)), Field(GRID, mm[0]), Field(GRID, mm[1]))
    found = Found(transform, Evidence(0.5, 0.2, stretches=(1.0, 0.9, 0.8)), 0.1, 0.7, (0.5, 2.0))
    write_found(folder, found, 123.0)
    again, memory_mb = read_found(folder, task)
    assert memory_mb == 123
    assert again.evidence == found.evidence
    assert (again.before, again.after, again.jacobians) == (0.1, 0.7, (0.5, 2.0))
    np.testing.assert_array_equal(again.transform.to_moving.mm, mm[0])
    np.testing.assert_array_equal(again.transform.to_template.mm, mm[1])
    for file in folder.iterdir():
        file.unlink()
