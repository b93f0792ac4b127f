"""The terminal: standard streams that are closed, full or read by nobody; the progress bar."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import nibabel as nib
import pytest
import tqdm
from phantoms import SHAPE, random_masks, write_masks

from lesion_dash.analyses.console import progress_bar
from lesion_dash.stats.topography import FILE_NAMES

pytestmark = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="needs a shell and /dev/full"
)
WRITTEN = {*FILE_NAMES.values(), "patients.csv", "provenance.json"}
NOT_PRINTED = 3
COMMAND = [sys.executable, "-m", "lesion_dash.cli"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Masks, and a broken file, of which something is said on standard error."""
    folder = write_masks(tmp_path_factory.mktemp("study") / "masks", random_masks(6))
    (folder / "broken.nii").write_bytes(b"broken")
    return folder


def run(
    streams: str, *arguments: object, python: tuple[str, ...] = ()
) -> subprocess.CompletedProcess:
    """Run a command with the standard streams that a shell gives it."""
    command = [sys.executable, *python, "-m", "lesion_dash.cli", *map(str, arguments)]
    shell = ["sh", "-c", f'exec "$@" {streams}', "sh", *command]
    return subprocess.run(shell, capture_output=True, text=True, check=False, timeout=120)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def check_maps(folder: Path) -> None:
    assert names(folder) == WRITTEN
    for name in FILE_NAMES.values():
        assert nib.load(folder / name).get_fdata().shape == SHAPE
    sums = json.loads((folder / "provenance.json").read_text())["outputs"]
    assert set(sums) == WRITTEN - {"provenance.json"}


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_works_without_a_stream(folder, tmp_path, streams):
    ended = run(streams, "stats", folder, "-o", tmp_path / "out", "-k", 2)
    assert ended.returncode == 0
    check_maps(tmp_path / "out")


def test_an_error_has_its_exit_code_without_a_stream(tmp_path):
    ended = run("2>&-", "stats", tmp_path / "nowhere", "-o", tmp_path / "out")
    assert ended.returncode == 2
    assert ended.stdout == ""


def test_no_file_and_no_program_gets_the_place_of_a_missing_stream():
    code = """
import os, subprocess, sys
from lesion_dash.cli import main
try:
    main(["--version"])
except SystemExit:
    pass
assert os.open(os.devnull, os.O_RDONLY) > 2
again = "import os; [os.fstat(number) for number in range(3)]"
raise SystemExit(subprocess.run([sys.executable, "-c", again]).returncode)
"""
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(shell, check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("streams", "told"),
    [(">/dev/full", "stderr"), ("2>/dev/full", "stdout"), (">/dev/full 2>&1", None)],
)
def test_what_cannot_be_printed_is_told_on_the_other_stream(folder, tmp_path, streams, told):
    ended = run(streams, "stats", folder, "-o", tmp_path / "out", "-k", 2)
    assert ended.returncode == NOT_PRINTED
    check_maps(tmp_path / "out")
    said = {"stdout": ended.stdout, "stderr": ended.stderr}
    if told:
        last = said[told].splitlines()[-1]
        assert "No space left" in last
        assert "internal error" not in last
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize("python", [(), ("-u",)])
@pytest.mark.parametrize("arguments", [["--version"], ["stats", "--help"]])
def test_a_full_disk_is_no_success_for_what_is_only_printed(arguments, python):
    ended = run(">/dev/full", *arguments, python=python)
    assert ended.returncode == NOT_PRINTED
    (sentence,) = ended.stderr.splitlines()
    assert "No space left" in sentence


def test_an_error_that_cannot_be_printed_keeps_its_exit_code(tmp_path):
    ended = run("2>/dev/full", "stats", tmp_path / "nowhere", "-o", tmp_path / "out")
    assert ended.returncode == 2
    assert "No space left" in ended.stdout
    assert run("2>/dev/full", "stats", "--unknown").returncode == 2


def test_a_reader_that_has_gone_is_no_fault(folder, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as gone:
        command = [*COMMAND, "check", folder, "--json"]
        ended = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, check=False)
        assert ended.returncode == 1  # a file is broken, whoever reads of it
        assert ended.stderr == b""
        command = [*COMMAND, "stats", folder, "-o", tmp_path / "out", "-k", "2"]
        assert subprocess.run(command, stdout=gone, stderr=gone, check=False).returncode == 0
    check_maps(tmp_path / "out")


def test_a_stream_that_does_not_wait_gets_all_of_it():
    fcntl = pytest.importorskip("fcntl")
    if not hasattr(fcntl, "F_SETPIPE_SZ"):
        pytest.skip("pipes have one size here")
    whole = subprocess.run(
        [*COMMAND, "roi", "--help"], check=True, capture_output=True, timeout=60
    ).stdout
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    assert len(whole) > fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    os.set_blocking(writer, False)
    with os.fdopen(reader, "rb") as read, os.fdopen(writer) as given:
        process = subprocess.Popen(
            [*COMMAND, "roi", "--help"], stdout=given, stderr=subprocess.PIPE
        )
        given.close()
        assert read.read() == whole
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"")


def test_a_fault_that_passes_ends_no_log():
    code = """
import os, sys
from lesion_dash.analyses.console import lasting_streams
with lasting_streams() as faults:
    full = os.open("/dev/full", os.O_WRONLY)
    written = os.dup(1)
    os.dup2(full, 1)
    print("lost", flush=True)
    os.dup2(written, 1)
    print("kept", flush=True)
    print(sorted(faults()), file=sys.stderr)
"""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("kept\n", "['stdout']\n")


def test_a_bar_is_shown_in_a_terminal_only(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert progress_bar("reading masks", "file") is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("tqdm.tqdm", partial(tqdm.tqdm, mininterval=0))
    show = progress_bar("reading masks", "file")
    assert show is not None
    show(1, 3)
    show(2, 3)
    show(3, 3)
    said = capsys.readouterr()
    assert "reading masks" in said.err
    assert "2/3" in said.err
    assert said.out == ""
