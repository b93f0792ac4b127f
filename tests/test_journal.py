"""A damaged journal of a run that was killed stops no later run, and costs nobody a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from phantoms import random_masks, write_masks

from lesion_dash.files.writing import write_atomically

JOURNAL = ".lesion_dash.journal"
WAITING = ".a.k3x_9abc.lesion_dash.tmp"
"""A file that a run that was killed had not moved yet, as it names them."""
OF_THE_USER = "notes.txt"


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


def write(folder: Path) -> None:
    with write_atomically(folder, ["b"]) as writer:
        writer.add("b", b"new")


def check_all_is_kept(folder: Path, journal: bytes | None) -> None:
    """The run worked; journal and waiting file lie in one folder, everything else as it was."""
    assert (folder / "b").read_bytes() == b"new"
    assert (folder / OF_THE_USER).read_text() == "mine"
    assert (folder.parent / "outside.txt").read_text() == "outside"
    assert not (folder / JOURNAL).exists()
    (place,) = (path for path in folder.iterdir() if path.is_dir())
    assert {path.name for path in folder.iterdir()} == {"b", OF_THE_USER, place.name}
    assert (place / WAITING).read_text() == "waits"
    if journal is not None:
        assert (place / JOURNAL).read_bytes() == journal
    assert {path.name for path in folder.parent.iterdir()} == {"out", "outside.txt"}


@pytest.mark.parametrize("journal", DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_journal_is_set_aside(folder, journal):
    (folder / JOURNAL).write_bytes(journal)
    with pytest.warns(UserWarning, match="journal"):
        write(folder)
    check_all_is_kept(folder, journal)
    with write_atomically(folder, ["c"]) as writer:  # and that was all: the next run has no note
        writer.add("c", b"newer")
    assert (folder / "b").read_bytes() == b"new"


def test_a_folder_of_that_name_is_set_aside(folder):
    (folder / JOURNAL).mkdir()
    (folder / JOURNAL / "inside.txt").write_text("mine")
    with pytest.warns(UserWarning, match="journal"):
        write(folder)
    check_all_is_kept(folder, None)
    assert len([*folder.glob(f".*/{JOURNAL}/inside.txt")]) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_of_that_name_is_waited_for_by_nobody(folder):
    os.mkfifo(folder / JOURNAL)
    with pytest.warns(UserWarning, match="journal"):
        write(folder)
    check_all_is_kept(folder, None)


def test_a_journal_that_may_not_be_read_is_set_aside(folder):
    (folder / JOURNAL).write_bytes(moves([WAITING, "a"]))
    (folder / JOURNAL).chmod(0)
    with pytest.warns(UserWarning, match="journal"):
        write(folder)
    assert not (folder / "a").exists()
    (place,) = (path for path in folder.iterdir() if path.is_dir())
    assert {path.name for path in place.iterdir()} == {JOURNAL, WAITING}


def test_a_name_that_is_a_folder_now_is_not_replaced(folder):
    (folder / "a").mkdir()
    (folder / JOURNAL).write_bytes(moves([WAITING, "a"]))
    with pytest.warns(UserWarning, match="journal"):
        write(folder)
    assert (folder / "a").is_dir()


def test_a_sound_journal_is_finished(folder):
    (folder / JOURNAL).write_bytes(moves([".z.gone1234.lesion_dash.tmp", "z"], [WAITING, "a"]))
    write(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {"a", "b", OF_THE_USER}
    assert (folder / "a").read_text() == "waits"


def test_the_user_is_told_in_one_sentence(tmp_path):
    masks = write_masks(tmp_path / "masks", random_masks(6))
    out = tmp_path / "out"
    out.mkdir()
    (out / JOURNAL).write_bytes(b"{")
    command = [sys.executable, "-m", "lesion_dash.cli", "stats", str(masks), "-o", str(out)]
    ended = subprocess.run(
        [*command, "-k", "2"], check=True, capture_output=True, text=True, timeout=120
    )
    (sentence,) = ended.stderr.splitlines()
    assert "journal" in sentence
    assert str(out) in sentence
    assert (out / "provenance.json").exists()
