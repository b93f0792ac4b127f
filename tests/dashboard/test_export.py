"""All files of the dashboard, written together into the results folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.dashboard.app import App
from lesion_dash.dashboard.app_context import AppContext
from lesion_dash.dashboard.environment import RESULTS_VARIABLE
from lesion_dash.dashboard.export import export
from lesion_dash.dashboard.pages.choices import ChoicesPanel
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.state import Selection
from lesion_dash.files.reading import checksum

BOTH = Selection("cohort_a", "cohort_b", 5, "synthetic_atlas", "overlap")

CODE = """
import os, random, signal, sys
from pathlib import Path
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.export import export
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.state import Selection
session = Session(DataRoot(Path(sys.argv[1])))
selection = Selection("cohort_a", "cohort_b", 5, "synthetic_atlas", "overlap")
calls = moment = 0
def count(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
os.replace, os.fsync, os.chmod = count(os.replace), count(os.fsync), count(os.chmod)
export(session, selection, Path(sys.argv[2]))
steps = calls
for moment in random.Random(11).sample(range(1, steps + 1), 10):
    child = os.fork()
    if not child:
        calls = 0
        export(session, selection, Path(sys.argv[2]))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""

TOGETHER = """
import multiprocessing, os, sys
from pathlib import Path
from lesion_dash.dashboard.data_root import DataRoot
from lesion_dash.dashboard.export import export
from lesion_dash.dashboard.session import Session
from lesion_dash.dashboard.state import Selection
session = Session(DataRoot(Path(sys.argv[1])))
selection = Selection("cohort_a", "cohort_b", 5, "synthetic_atlas", "overlap")
for name in session.file_names(selection):
    session.file_bytes(selection, name)  # made once, so that all write in the same moment
start = multiprocessing.get_context("fork")
barrier, results, mkdir = start.Barrier(int(sys.argv[3])), Path(sys.argv[2]), os.mkdir
has_waited = False
def wait_and_make(path, *mode, **more):
    # All have looked for a name before one of them makes a folder.
    global has_waited
    if not has_waited and Path(path).parent == results:
        has_waited = True
        barrier.wait(30)
    return mkdir(path, *mode, **more)
os.mkdir = wait_and_make
def save():
    global has_waited
    for _ in range(int(sys.argv[4])):
        has_waited = False
        export(session, selection, results)
processes = [start.Process(target=save) for _ in range(int(sys.argv[3]))]
for process in processes:
    process.start()
for process in processes:
    process.join()
sys.exit(any(process.exitcode for process in processes))
"""


def test_the_files_are_those_of_the_session(session: Session, tmp_path: Path) -> None:
    place = export(session, BOTH, tmp_path)
    written = {path.name: path.read_bytes() for path in place.iterdir()}
    assert set(written) == {*session.file_names(BOTH), "provenance.json"}
    for name in session.file_names(BOTH):
        assert written[name] == session.file_bytes(BOTH, name)
    sums = json.loads(written["provenance.json"])["outputs"]
    assert sums == {name: checksum(written[name]) for name in session.file_names(BOTH)}


def test_an_earlier_export_is_never_replaced(session: Session, tmp_path: Path) -> None:
    places = {export(session, BOTH, tmp_path).name for _ in range(3)}
    assert len(places) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts processes in another way")
def test_exports_of_one_moment_get_a_folder_each(
    session: Session, sample_data: Path, tmp_path: Path
) -> None:
    results, processes, rounds = tmp_path / "results", 4, 3
    command = [sys.executable, "-c", TOGETHER, sample_data, results, str(processes), str(rounds)]
    subprocess.run(command, check=True, timeout=300)
    places = [*results.iterdir()]
    assert len(places) == processes * rounds
    for place in places:
        names = {path.name for path in place.iterdir()}
        assert names == {*session.file_names(BOTH), "provenance.json"}


def test_a_folder_is_left_only_where_files_were_written(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> bytes:
        raise InputError("a map", "cannot be made")

    monkeypatch.setattr(Session, "file_bytes", stop)
    with pytest.raises(InputError, match="a map"):
        export(session, BOTH, tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_the_button_is_there_where_a_folder_is_configured(
    app: App, context: AppContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RESULTS_VARIABLE, str(tmp_path))
    panel = ChoicesPanel(context)
    panel.save_all.click()
    context.wait()
    assert context.banner.message == ""
    (place,) = tmp_path.iterdir()
    assert place.name in panel.exported.value
    assert (place / "patients.csv").exists()


def test_a_folder_that_cannot_be_written_is_told(session: Session, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="not a folder"):
        export(session, BOTH, tmp_path / "file")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts processes in another way")
def test_an_export_that_is_killed_leaves_whole_files(
    session: Session, sample_data: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-c", CODE, sample_data, tmp_path], check=True, timeout=120)
    whole = {name: session.file_bytes(BOTH, name) for name in session.file_names(BOTH)}
    begun = 0
    for place in tmp_path.iterdir():
        for path in place.iterdir():
            if path.name == "provenance.json":
                assert json.loads(path.read_text())["command"] == "dashboard"
            elif path.name.startswith("."):
                begun += 1
            else:
                assert path.read_bytes() == whole[path.name]
    assert begun  # some were caught while they were writing
