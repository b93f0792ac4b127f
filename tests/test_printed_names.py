"""Names of files, folders, regions and columns make no lines and steer no terminal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tqdm
from phantoms import SHAPE, random_masks, write_masks

from lesion_dash import cli
from lesion_dash.core.errors import InputError
from lesion_dash.core.text import printable, shell_word

FORGED = "lesion-dash: error: forged"
CONTROLS = "\x1b[2J\x9b1m\r\x07\x7f\u2028\u202e\u200f"
HOSTILE = f"x\n{FORGED}\n{CONTROLS}"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="names of files are stricter here")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Folder, masks, a broken file, a table and an atlas with such names."""
    root = tmp_path_factory.mktemp("study")
    names = [f"sub-{number}{HOSTILE}.nii.gz" for number in range(6)]
    folder = write_masks(root / f"masks{HOSTILE}", random_masks(6), names=names)
    for number in range(8):
        (folder / f"broken{number}{HOSTILE}.nii").write_bytes(b"broken")
    (folder / os.fsdecode(b"no text \xff.nii")).write_bytes(b"broken")
    labels = np.ones(SHAPE, np.uint8)
    labels[:3] = 2
    write_masks(root / f"atlas{HOSTILE}", [labels], names=["areas.nii.gz"])
    (root / f"atlas{HOSTILE}" / "areas.csv").write_text(
        f"index,name\n1,left {CONTROLS}\n2,right\n", newline=""
    )
    return root


def run(study: Path, command: str) -> int:
    """Run a command; MASKS, ATLAS, MASK and OUT stand for places of the study."""
    folder, atlas = study / f"masks{HOSTILE}", study / f"atlas{HOSTILE}"
    out = study / f"out{HOSTILE}" / command.split(maxsplit=1)[0]
    places = {
        "MASKS": folder,
        "MASK": folder / f"sub-1{HOSTILE}.nii.gz",
        "BROKEN": folder / f"broken1{HOSTILE}.nii",
        "ATLASES": atlas,
        "ATLAS": atlas / "areas.nii.gz",
        **{word: out / word for word in ("OUT", "OUT.csv", "OUT.nii.gz")},
        "NOWHERE": study / HOSTILE,
        "HOSTILE": HOSTILE,
    }
    try:
        return cli.main([str(places.get(word, word)) for word in command.split()])
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize(
    "command",
    [
        "check MASKS",
        "check MASK",
        "check BROKEN",
        "check NOWHERE",
        "check ATLASES",
        "stats MASKS -o OUT -k 2",
        "stats NOWHERE -o OUT",
        "stats MASKS -o MASK",
        "stats MASKS -o OUT --pattern HOSTILE",
        "stats MASKS -o OUT --where HOSTILE",
        "stats MASKS -o OUT HOSTILE",
        "stats MASKS -o OUT -k HOSTILE",
        "HOSTILE",
        "compare MASKS MASKS -o OUT -k 2",
        "load MASKS --atlas ATLAS -o OUT",
        "inspect MASK",
        "inspect BROKEN",
        "atlases --atlases ATLASES",
        "assign MASK --atlas ATLAS -o OUT.csv --threshold 0.5",
        "mask MASK --prob ATLAS --label HOSTILE -o OUT.nii.gz",
        "mask MASK --prob MASK --threshold 0.5 -o OUT.nii.gz",
        "snr MASK --signal MASK",
        "convert BROKEN OUT.nii.gz",
        "warp MASK --transform BROKEN --template MASK -o OUT.nii.gz",
        "roi --map MASK --threshold 0.5 --atlas ATLAS -o OUT",
        "roi --map MASK --threshold 0.5 --print-code",
    ],
)
def test_every_line_is_ours(study, capsys, command):
    run(study, command)
    assert_ours(*capsys.readouterr())


def assert_ours(*texts):
    assert any(texts)
    for line in "".join(texts).split("\n"):
        assert line.isprintable()
        assert not line.startswith(FORGED)


@pytest.mark.parametrize("command", ["check MASKS --json", "atlases --atlases ATLASES --json"])
def test_programs_get_names_as_they_are(study, capsys, command):
    run(study, command)
    text = capsys.readouterr().out
    assert_ours(text)
    assert json.loads(text)
    assert any(json.dumps(name)[1:-1] in text for name in (HOSTILE, CONTROLS))


def test_columns_stay_below_each_other_and_a_progress_bar_is_one_line(study, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("tqdm.tqdm", partial(tqdm.tqdm, mininterval=0))
    run(study, "overlap MASKS MASK --atlas ATLAS -o OUT -k 2")
    printed = capsys.readouterr()
    assert_ours(printed.out)
    lines = printed.out.split("\n")
    head = next(place for place, line in enumerate(lines) if line.startswith("region "))
    assert len({len(line) for line in lines[head : head + 4]}) == 1
    assert "reading masksx" in printed.err
    assert "\x1b[2J" not in printed.err
    assert f"\n{FORGED}" not in printed.err


def test_an_error_is_one_line_for_a_program_of_python():
    error = InputError(Path(HOSTILE), f"holds {HOSTILE}", f"remove {HOSTILE}", (HOSTILE,))
    assert str(error).isprintable()
    assert error.subject == printable(HOSTILE)
    assert all(detail.isprintable() for detail in error.details)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_word_of_a_command_is_what_the_shell_reads():
    words = [HOSTILE, "it's", "a \\ b", os.fsdecode(b"\xff"), "é\n'\\"]
    code = "import os, sys; os.write(1, repr(sys.argv[1:]).encode())"
    line = " ".join(map(shell_word, [sys.executable, "-c", code, *words]))
    assert line.isprintable()
    ended = subprocess.run(["bash", "-c", line], check=True, capture_output=True, timeout=60)
    assert ended.stdout.decode() == repr(words)
