"""Results are written all together or not at all, whatever ends a run, and whenever."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from phantoms import random_masks, write_masks

from lesion_dash.core.errors import InputError
from lesion_dash.files.writing import write_atomically

JOURNAL = ".lesion_dash.journal"
WAITING = ".a.k3x_9abc.lesion_dash.tmp"
"""A file that a run that was killed had not moved yet, as it names them."""
OF_THE_USER = "notes.txt"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def write(folder: Path, name: str = "b", content: bytes = b"new", **options) -> None:
    with write_atomically(folder, [name], **options) as writer:
        writer.add(name, content)


def test_files_take_their_names_together(tmp_path):
    folder = tmp_path / "new"
    with write_atomically(folder, ["a", "b"]) as writer:
        writer.add("a", b"1")
        writer.add("b", b"2")
        assert not (folder / "a").exists()
    assert contents(folder) == {"a": b"1", "b": b"2"}


def test_nothing_is_left_of_a_set_that_was_not_finished(tmp_path):
    def stop_halfway(folder):
        with write_atomically(folder, ["a", "b"], overwrite=True) as writer:
            writer.add("a", b"new")
            raise RuntimeError("stopped")

    (tmp_path / "a").write_bytes(b"old")
    for folder in (tmp_path, tmp_path / "made" / "now"):
        with pytest.raises(RuntimeError, match="stopped"):
            stop_halfway(folder)
    assert contents(tmp_path) == {"a": b"old"}


def refused(folder: Path, match: str, **options) -> None:
    with pytest.raises(InputError, match=match), write_atomically(folder, ["a"], **options):
        pytest.fail("the work began")


def test_what_stands_in_the_way_is_told_before_the_work(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    refused(tmp_path, "already holds results")
    refused(tmp_path / "a", "not a folder")
    write(tmp_path, "a", b"y", overwrite=True)
    assert contents(tmp_path) == {"a": b"y"}
    (tmp_path / "c" / "a").mkdir(parents=True)
    refused(tmp_path / "c", "holds a folder named a", overwrite=True)
    refused(tmp_path / "deep" / "er", "disk is full", space=2**60)
    assert not (tmp_path / "deep").exists()
    for name in ("x" * 300, "nul\0"):
        refused(tmp_path / name, "is not a path")


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_bytes(b"data")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".lesion_dash.lock").symlink_to("../precious")
    refused(tmp_path / "out", "lock")
    assert (tmp_path / "precious").read_bytes() == b"data"


def test_two_runs_do_not_share_a_results_folder(tmp_path):
    with write_atomically(tmp_path, ["a"]) as writer:
        writer.add("a", b"first")
        refused(tmp_path, "in use by another run", overwrite=True)
    assert contents(tmp_path) == {"a": b"first"}


def test_results_that_appear_meanwhile_are_not_replaced(tmp_path, monkeypatch):
    usage = shutil.disk_usage

    def another_run(folder):
        (tmp_path / "a").write_bytes(b"second")
        return usage(folder)

    monkeypatch.setattr(shutil, "disk_usage", another_run)  # looked at before the folder is locked
    refused(tmp_path, "already holds")
    assert contents(tmp_path) == {"a": b"second"}


@pytest.mark.parametrize(("number", "match"), [(28, "disk is full"), (122, "quota"), (5, "cannot")])
def test_a_disk_that_fails_leaves_the_old_files(tmp_path, monkeypatch, number, match):
    def fail(_):
        raise OSError(number, "from the system")

    (tmp_path / "a").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(InputError, match=match):
            write(tmp_path, "a", overwrite=True)
    assert contents(tmp_path) == {"a": b"old"}


KILLED = """
import os, random, shutil, signal, sys
from pathlib import Path

def run(task, moment):
    # A process of its own, killed before it moves, keeps or opens to others a file for the time
    # that is given, or run to its end where that is 0: how many such times there are.
    reader, writer = os.pipe()
    if child := os.fork():
        os.close(writer)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code == (-signal.SIGKILL if moment else 0), code
        return 0 if moment else int(os.read(reader, 9))
    calls = 0
    def count(function):
        def call(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)
        return call
    os.replace, os.fsync, os.chmod = map(count, (os.replace, os.fsync, os.chmod))
    task()
    os.write(writer, str(calls).encode())
    os._exit(0)

root = Path(sys.argv[1])
"""

STATS = """
from lesion_dash.cli import main
def stats(name):
    assert main(["stats", str(root / name), "-o", str(root / "out"), "--overwrite"]) == 0
def keep(name):
    shutil.copytree(root / "out", root / name)
for name in "ab":
    stats(name)
    keep("whole " + name)
steps = run(lambda: stats("b"), 0)
for number, moment in enumerate(sorted(random.Random(3).sample(range(1, steps + 1), 8))):
    run(lambda: stats("ab"[number % 2]), moment)
    keep("killed " + str(moment))
stats("a")
"""

WRITE = """
from lesion_dash.files.writing import write_atomically
def write(folder):
    folder.mkdir()
    for name in "abc":
        (folder / name).write_bytes(b"old " + name.encode())
    def task():
        with write_atomically(folder, "abc", overwrite=True) as writer:
            for name in "abc":
                writer.add(name, b"new " + name.encode())
    return task
for moment in range(run(write(root / "whole"), 0)):
    run(write(root / str(moment + 1)), moment + 1)
"""


def run_killed(program: str, root: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED + program, str(root)], check=True, timeout=120)


# Slow: a program that imports all of the command and runs it twelve times.
def test_a_command_that_is_killed_while_it_writes_leaves_whole_files(tmp_path):
    for seed, name in enumerate("ab"):
        write_masks(tmp_path / name, random_masks(9, seed=seed))
    run_killed(STATS, tmp_path)
    a, b = contents(tmp_path / "whole a"), contents(tmp_path / "whole b")
    killed = sorted(tmp_path.glob("killed *"))
    assert len(killed) == 8
    for folder in killed:
        left = {name: content for name, content in contents(folder).items() if name[0] != "."}
        assert json.loads(left.pop("provenance.json"))["command"] == "stats"
        assert {*left, "provenance.json"} == set(a)
        assert all(content in (a[name], b[name]) for name, content in left.items())
    assert set(contents(tmp_path / "out")) == set(a)


def test_a_run_that_is_killed_at_every_step_is_finished_or_undone_by_the_next(tmp_path):
    old = {name: b"old " + name.encode() for name in "abc"}
    new = {name: b"new " + name.encode() for name in "abc"}
    run_killed(WRITE, tmp_path)
    assert contents(tmp_path / "whole") == new
    folders = [folder for folder in tmp_path.iterdir() if folder.name != "whole"]
    assert len(folders) >= 10
    seen = set()
    for folder in folders:
        left = contents(folder)
        assert all(left[name] in (old[name], new[name]) for name in "abc")
        with write_atomically(folder, []):
            pass
        assert contents(folder) in (old, new), f"step {folder.name}"
        seen.add(contents(folder)["a"])
    assert len(seen) == 2


def test_leftovers_of_a_killed_run_are_cleared_by_the_next(tmp_path):
    (tmp_path / ".a.x1y2.lesion_dash.tmp").write_bytes(b"half")
    write(tmp_path, "a", b"whole")
    assert contents(tmp_path) == {"a": b"whole"}


# A damaged journal of a run that was killed stops no later run, and costs nobody a file.


def moves(*pairs: object) -> bytes:
    return json.dumps(list(pairs)).encode()


DAMAGED = {
    "a brace": b"{",
    "null": b"null",
    "empty": b"",
    "a word": b"word",
    "a number": b"3",
    "an object": b'{"ab": "cd"}',
    "a text": b'"ab"',
    "cut short": moves([WAITING, "a"])[:-4],
    "a list of numbers": b"[1, 2]",
    "numbers for names": b"[[1, 2]]",
    "texts for pairs": b'["ab", "cd"]',
    "one name": moves([WAITING]),
    "three names": moves([WAITING, "a", "b"]),
    "a null for a name": moves([WAITING, None]),
    "no moves": b"[]",
    "binary": bytes(range(256)),
    "zeros": bytes(512),
    "deep": b"[" * 100_000,
    "huge": b"[" + b" " * 2**21 + b"]",
    "a file of the user moved": moves([OF_THE_USER, "a"], [WAITING, "a"]),
    "a file of the user replaced": moves([WAITING, OF_THE_USER]),
    "out of the folder": moves([WAITING, "../a"]),
    "from outside": moves(["../outside.txt", "a"], [WAITING, "a"]),
    "an absolute path": moves([WAITING, "/a"]),
    "the folder above": moves([WAITING, ".."]),
    "NUL in a name": moves([".a\0.x.lesion_dash.tmp", "a\0"]),
    "half a character": b'[[".\\ud800.x.lesion_dash.tmp", "\\ud800"]]',
    "too long a name": moves([f".{'n' * 300}.x.lesion_dash.tmp", "n" * 300]),
}


@pytest.fixture
def folder(tmp_path):
    """A results folder with a file of the user's, and a file that was not moved."""
    (tmp_path / "outside.txt").write_text("outside")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / OF_THE_USER).write_text("mine")
    (folder / WAITING).write_text("waits")
    return folder


def write_past_journal(folder: Path) -> Path:
    """A run worked; where journal and waiting file lie now, everything else being as it was."""
    with pytest.warns(UserWarning, match="journal"):
        write(folder)
    assert (folder / "b").read_bytes() == b"new"
    assert (folder / OF_THE_USER).read_text() == "mine"
    (place,) = (path for path in folder.iterdir() if path.is_dir())
    assert {path.name for path in folder.iterdir()} == {"b", OF_THE_USER, place.name}
    assert (place / WAITING).read_text() == "waits"
    assert {path.name for path in folder.parent.iterdir()} == {"out", "outside.txt"}
    assert (folder.parent / "outside.txt").read_text() == "outside"
    return place


@pytest.mark.parametrize("journal", DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_journal_is_set_aside(folder, journal):
    (folder / JOURNAL).write_bytes(journal)
    assert (write_past_journal(folder) / JOURNAL).read_bytes() == journal
    write(folder, "c", b"newer")  # and that was all: the next run has no note
    assert (folder / "b").read_bytes() == b"new"


def make_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside.txt").write_text("mine")


def make_closed(path: Path) -> None:
    path.write_bytes(moves([WAITING, "a"]))
    path.chmod(0)


@pytest.mark.parametrize(
    "make",
    [
        make_folder,
        make_closed,
        pytest.param(
            getattr(os, "mkfifo", None),
            marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here"),
        ),
    ],
    ids=["a folder", "a file closed to everybody", "a pipe, waited for by nobody"],
)
def test_what_cannot_be_read_as_a_journal_is_set_aside(folder, make):
    make(folder / JOURNAL)
    place = write_past_journal(folder)
    assert {path.name for path in place.iterdir()} == {JOURNAL, WAITING}
    if make is make_folder:
        assert contents(place / JOURNAL) == {"inside.txt": b"mine"}


def test_a_name_that_is_a_folder_now_is_not_replaced(folder):
    (folder / "a").mkdir()
    (folder / JOURNAL).write_bytes(moves([WAITING, "a"]))
    with pytest.warns(UserWarning, match="journal"):
        write(folder)
    assert (folder / "a").is_dir()


def test_a_sound_journal_is_finished(folder):
    (folder / JOURNAL).write_bytes(moves([".z.gone1234.lesion_dash.tmp", "z"], [WAITING, "a"]))
    write(folder)
    assert contents(folder) == {"a": b"waits", "b": b"new", OF_THE_USER: b"mine"}


def test_the_user_is_told_in_one_sentence(folder):
    masks = write_masks(folder.parent / "masks", random_masks(6))
    (folder / JOURNAL).write_bytes(b"{")
    command = [sys.executable, "-m", "lesion_dash.cli", "stats", str(masks), "-o", str(folder)]
    ended = subprocess.run(
        [*command, "-k", "2"], check=True, capture_output=True, text=True, timeout=120
    )
    (sentence,) = [line for line in ended.stderr.splitlines() if "journal" in line]
    assert "journal" in sentence
    assert str(folder) in sentence
    assert (folder / "provenance.json").exists()
