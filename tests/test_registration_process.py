"""The worker process of an engine: stopped, killed, left alone, and never left behind."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from heads import make_grid, make_head, make_pose

from lesion_dash.core.errors import Cancelled, InputError, MissingFile, SetupError
from lesion_dash.scans.registration.process import run_in_worker
from lesion_dash.scans.registration.quality import SimpleITKEngine, find_transform
from lesion_dash.scans.registration.task import NotCredible, Task, Volume
from lesion_dash.transforms.transform import Transform

GRID = make_grid(80, 5, (20, 40, 30))  # a part of the head: a search takes a second
VOLUMES = [Volume(make_head(GRID, pose), GRID) for pose in (make_pose((3, 0, 4)), None)]
TASK = Task(*VOLUMES, "rigid", Transform())
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where temporary folders are made; each test leaves it empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert not list(tmp_path.iterdir())
    assert not workers()


def workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    name = "lesion_dash.scans.registration.process"
    return [child for child in children if name in child.cmdline()]


class Report:
    """Notes what it is told, and does something as soon as the engine is at work."""

    def __init__(self, act=lambda: None):
        self.labels, self.act, self.acted = [], act, 0.0

    def __call__(self, done, label):
        self.labels.append(label)
        if done > 0 and not self.acted:
            self.acted = time.perf_counter()
            self.act()


def test_a_task_is_done_in_any_thread_bit_by_bit_as_in_this_process():
    report = Report()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(run_in_worker, TASK, "simpleitk", report)
        expected = find_transform(TASK, SimpleITKEngine(), lambda done, label: None)
        outcome = work.result()
    np.testing.assert_array_equal(outcome.fit.transform.matrix, expected.transform.matrix)
    assert outcome.fit.evidence == expected.evidence
    assert expected.evidence.agreeing >= 3
    assert outcome.seconds > 0
    assert outcome.memory_mb > 50
    assert len(set(report.labels)) > 5


def cancel():
    raise Cancelled


def send(number):
    return lambda: workers()[0].send_signal(number)


@posix
@pytest.mark.parametrize(
    ("act", "error", "match"),
    [
        (cancel, Cancelled, "stopped by the user"),
        (send(9), InputError, "ended from outside .signal 9., most often because memory ran out"),
        (send(11), InputError, "crashed .signal 11, Segmentation fault.; try another engine"),
    ],
)
def test_cancelling_and_crashes_end_it_within_a_second(act, error, match):
    report = Report(act)
    with pytest.raises(error, match=match):
        run_in_worker(TASK, "simpleitk", report)
    assert time.perf_counter() - report.acted < 1


@pytest.mark.parametrize("kind", [InputError, SetupError, MissingFile, NotCredible])
def test_errors_are_pickled_with_all_their_parts(kind):
    error = kind("scan.nii", "is odd", "copy it", ("line one", "line two"))
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), copied.args, str(copied)) == (kind, error.args, str(error))


def test_an_error_of_the_worker_is_the_caller_s(monkeypatch, tmp_path):
    """A worker starts within about a second, and there are two."""
    broken = Task(Volume(np.zeros((3, 3), np.float32), GRID), TASK.template, "rigid", Transform())
    with pytest.raises(InputError, match=r"ended without a result: .*Error: ") as caught:
        run_in_worker(broken, "simpleitk", Report())
    assert any("Traceback" in line or "File" in line for line in caught.value.details)
    with pytest.raises(InputError, match="engine: 'fnirt' is none of auto, simpleitk"):
        run_in_worker(TASK, "fnirt", Report())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(InputError, match=r"missing: cannot be used .* another folder in TMPDIR"):
        run_in_worker(TASK, "simpleitk", Report())


def test_a_worker_that_prints_where_messages_go_is_given_up(tmp_path_factory, monkeypatch):
    """Some environments print when Python starts, before the worker's output is its own."""
    folder = tmp_path_factory.mktemp("site")
    folder.joinpath("sitecustomize.py").write_text("print('Importing plugins')")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    with pytest.raises(InputError, match="ended without a result"):
        run_in_worker(TASK, "simpleitk", lambda fraction, step: None)


@posix
@pytest.mark.parametrize("moment", ["task", "work"])
def test_the_worker_ends_when_the_process_that_started_it_is_killed(folder, moment):
    """At once, when the task has not come wholly, or later; starting both takes some 3 s."""
    script = folder / "parent.py"
    script.write_text(
        f"import sys\nsys.path[:0] = {sys.path!r}\n"
        "from test_registration_process import TASK, run_in_worker, workers\n"
        "def report(done, label):\n"
        f"    if done or {moment == 'task'} and workers(): print(workers()[0].pid, flush=True)\n"
        "run_in_worker(TASK, 'simpleitk', report)\n"
    )
    command, environment = [sys.executable, str(script)], {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        assert worker.is_running()
        parent.kill()
    worker.wait(5)
    script.unlink()
