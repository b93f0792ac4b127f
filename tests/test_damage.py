"""Whatever a file holds: a mask, or one sentence. Whenever a run dies: old files or new ones."""

from __future__ import annotations

import gzip
import json
import random
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import image, random_masks, write_masks

from lesion_dash.analyses.validation import check_path
from lesion_dash.atlas.tables import read_label_table
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.files.writing import write_atomically
from lesion_dash.images.masks import read_mask

WHOLE = gzip.compress(image(random_masks(1, seed=5)[0].astype(np.uint8)).to_bytes(), mtime=0)
PLAIN = gzip.decompress(WHOLE)
TABLE = b"index,name\n1,Left a\n2,Right b\n7,Third\n"


def read_or_refuse(path: Path):
    """The voxels and notes of a mask, or None where it was refused with a sentence."""
    try:
        mask = read_mask(path)
    except InputError:
        return None
    return mask.indices.tolist(), mask.notes


def test_no_flipped_bit_changes_a_result_silently(tmp_path):
    path = tmp_path / "sub-1.nii.gz"
    path.write_bytes(WHOLE)
    right = read_or_refuse(path)
    places = random.Random(7).sample(range(8 * len(WHOLE)), 400)
    for place in places:
        damaged = bytearray(WHOLE)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        found = read_or_refuse(path)
        # A gzip header holds bits without meaning, such as the time; they may change.
        assert found in (None, right) or found[1] != right[1], f"bit {place}"


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 359), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_header_is_a_mask_or_a_sentence(tmp_path_factory, changes):
    data = bytearray(PLAIN)
    for place, value in changes:
        data[place] = value
    path = tmp_path_factory.getbasetemp() / "header.nii"
    path.write_bytes(data)
    read_or_refuse(path)


@settings(max_examples=200)
@given(st.binary(max_size=1500), st.sampled_from([".nii", ".nii.gz"]), st.booleans())
def test_any_bytes_are_a_mask_or_a_sentence(tmp_path_factory, content, ending, keep_header):
    data = PLAIN[:352] + content if keep_header else content
    path = tmp_path_factory.getbasetemp() / f"bytes{ending}"
    path.write_bytes(gzip.compress(data) if ending == ".nii.gz" and keep_header else data)
    read_or_refuse(path)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)), st.booleans())
def test_any_table_is_regions_or_a_sentence(tmp_path_factory, content, keep_table):
    path = tmp_path_factory.getbasetemp() / "labels.csv"
    path.write_bytes(TABLE + content if keep_table else content)
    try:
        assert all(region.label > 0 for region in read_label_table(path).regions)
    except InputError:
        return


@settings(max_examples=60)
@given(st.binary(max_size=120))
def test_any_participants_table_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "participants.tsv"
    path.write_bytes(b"participant_id\tage\nsub-1\t3\n" + content)
    assert check_path(path).outcome in ("accept", "warn", "reject")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is not told")
def test_a_small_file_that_claims_gigabytes_allocates_nothing(tmp_path):
    header = bytearray(PLAIN[:352])
    struct.pack_into("<4h", header, 40, 3, 2000, 2000, 500)
    for name, data in (("a.nii", bytes(header)), ("a.nii.gz", gzip.compress(bytes(header)))):
        (tmp_path / name).write_bytes(data)
        code = (
            "import sys\n"
            "from lesion_dash import read_mask, InputError\n"
            "try:\n    read_mask(sys.argv[1])\nexcept InputError:\n"
            "    print(next(line for line in open('/proc/self/status') if 'VmHWM' in line))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / name],
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(done.stdout.split()[1]) < 300_000  # kB, of which Python and NumPy take most


def test_a_file_that_is_replaced_between_two_looks_is_not_counted(tmp_path, monkeypatch):
    folder = write_masks(tmp_path / "c", random_masks(11))
    victim = folder / "sub-004_lesion.nii.gz"
    from lesion_dash.cohort import readers as loading

    read = loading.read_raw_image

    def replace_first(path):
        if path == victim:
            write_masks(folder, random_masks(1, shape=(4, 4, 4)), names=[victim.name])
        return read(path)

    monkeypatch.setattr(loading, "read_raw_image", replace_first)
    cohort = load_cohort(folder)
    assert cohort.n_patients == 10
    assert "changed during the run" in {p.file: p.reason for p in cohort.patients}[victim.name]


def test_a_file_that_vanishes_is_skipped(tmp_path, monkeypatch):
    folder = write_masks(tmp_path / "c", random_masks(11))
    from lesion_dash.cohort import readers as loading

    read = loading.read_raw_image

    def remove_first(path):
        if path.name == "sub-004_lesion.nii.gz":
            path.unlink()
        return read(path)

    monkeypatch.setattr(loading, "read_raw_image", remove_first)
    cohort = load_cohort(folder)
    assert cohort.n_patients == 10
    assert "file not found" in {p.id: p.reason for p in cohort.patients}["sub-004"]


@pytest.mark.parametrize(("number", "match"), [(28, "disk is full"), (122, "quota"), (5, "cannot")])
def test_a_disk_that_fails_leaves_the_old_files(tmp_path, monkeypatch, number, match):
    (tmp_path / "a").write_bytes(b"old")

    def fail(_):
        raise OSError(number, "from the system")

    def write():
        with write_atomically(tmp_path, ["a"], overwrite=True) as writer:
            monkeypatch.setattr("os.fsync", fail)
            writer.add("a", b"new")

    with pytest.raises(InputError, match=match):
        write()
    monkeypatch.undo()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_too_little_room_is_said_before_the_work(tmp_path):
    with (
        pytest.raises(InputError, match="disk is full"),
        write_atomically(tmp_path, [], space=2**60),
    ):
        pytest.fail("the work began")


def test_two_runs_do_not_share_a_results_folder(tmp_path):
    with write_atomically(tmp_path, ["a"]) as writer:
        writer.add("a", b"first")
        with (
            pytest.raises(InputError, match="in use by another run"),
            write_atomically(tmp_path, ["a"], overwrite=True),
        ):
            pytest.fail("both are writing")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_leftovers_of_a_killed_run_are_cleared_by_the_next(tmp_path):
    (tmp_path / ".a.x1y2.lesion_dash.tmp").write_bytes(b"half")
    with write_atomically(tmp_path, ["a"]) as writer:
        writer.add("a", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


COUNT = """
import os, signal, sys
from pathlib import Path
moment = int(sys.argv[1])
calls = 0
def count(function):
    def call(*arguments, **options):
        global calls
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
os.replace, os.fsync, os.chmod = count(os.replace), count(os.fsync), count(os.chmod)
"""
"""Ends the program before it moves, keeps or opens to others a file for the time that is given."""

STATS = f"""{COUNT}
from lesion_dash.cli import main
code = main(sys.argv[2:])
print(calls)
sys.exit(code)
"""

WRITE = f"""{COUNT}
from lesion_dash.files.writing import write_atomically
with write_atomically(Path(sys.argv[2]), ["a", "b", "c"], overwrite=True) as writer:
    for name in "abc":
        writer.add(name, b"new " + name.encode())
print(calls)
"""


def run_killed(program: str, moment: int, *arguments) -> subprocess.CompletedProcess[str]:
    """Run a program until a moment; to its end where that is 0, which tells how many there are."""
    command = [sys.executable, "-c", program, str(moment), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_command_that_is_killed_while_it_writes_leaves_whole_files(tmp_path):
    folders = [write_masks(tmp_path / name, random_masks(9, seed=s)) for s, name in enumerate("ab")]
    out = tmp_path / "out"
    whole: dict[str, set[bytes]] = {}
    for folder in folders:
        done = run_killed(STATS, 0, "stats", folder, "-o", out, "--overwrite")
        for path in out.iterdir():
            whole.setdefault(path.name, set()).add(path.read_bytes())
    steps = int(done.stdout.splitlines()[-1])
    assert steps >= 2 * len(whole)
    for number, moment in enumerate(sorted(random.Random(3).sample(range(1, steps + 1), 5))):
        words = ("stats", folders[number % 2], "-o", out, "--overwrite")
        assert run_killed(STATS, moment, *words).returncode == -signal.SIGKILL
        found = files_in(out)
        assert set(found) == set(whole)
        for name, content in found.items():
            if name == "provenance.json":
                assert json.loads(content)["command"] == "stats"
            else:
                assert content in whole[name]
    assert run_killed(STATS, 0, "stats", folders[0], "-o", out, "--overwrite").returncode == 0
    assert {path.name for path in out.iterdir()} == set(whole)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name[0] != "."}


def test_a_run_that_is_killed_at_every_step_is_finished_or_undone_by_the_next(tmp_path):
    old = {name: b"old " + name.encode() for name in "abc"}
    new = {name: b"new " + name.encode() for name in "abc"}
    steps = int(run_killed(WRITE, 0, tmp_path / "whole").stdout)
    assert steps >= 10
    seen = set()
    for moment in range(1, steps + 1):
        folder = tmp_path / str(moment)
        folder.mkdir()
        for name, content in old.items():
            (folder / name).write_bytes(content)
        assert run_killed(WRITE, moment, folder).returncode == -signal.SIGKILL
        assert all(content in (old[name], new[name]) for name, content in files_in(folder).items())
        with write_atomically(folder, []):
            pass
        assert files_in(folder) in (old, new), f"step {moment}"
        assert {path.name for path in folder.iterdir()} == {"a", "b", "c"}
        seen.add(files_in(folder)["a"])
    assert len(seen) == 2


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_bytes(b"data")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".lesion_dash.lock").symlink_to("../precious")
    with pytest.raises(InputError, match="lock"), write_atomically(tmp_path / "out", ["a"]):
        pytest.fail("the work began")
    assert (tmp_path / "precious").read_bytes() == b"data"


def test_results_that_appear_meanwhile_are_not_replaced(tmp_path, monkeypatch):
    from lesion_dash.files import writing

    clear = writing._clear_leftovers

    def another_run(folder):
        (folder / "a").write_bytes(b"second")
        clear(folder)

    monkeypatch.setattr(writing, "_clear_leftovers", another_run)
    with pytest.raises(InputError, match="already holds"), write_atomically(tmp_path, ["a"]):
        pytest.fail("the work began")
    assert (tmp_path / "a").read_bytes() == b"second"


def test_a_refused_run_leaves_no_folder_behind(tmp_path):
    deep = tmp_path / "deep" / "er"
    with pytest.raises(InputError, match="disk is full"), write_atomically(deep, [], space=2**60):
        pytest.fail("the work began")
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize("name", ["x" * 300, "nul\0"])
def test_what_is_no_path_is_one_sentence(tmp_path, name):
    with pytest.raises(InputError, match=r"is not a path|folder not found"):
        load_cohort(f"{tmp_path}/{name}")
    with pytest.raises(InputError, match="is not a path"), write_atomically(f"{tmp_path}/{name}", []):
        pytest.fail("the work began")


def test_a_forged_trailer_stops_nobody_else(tmp_path):
    folder = write_masks(tmp_path / "c", random_masks(12))
    forged = gzip.compress(PLAIN[:450])[:-4] + struct.pack("<I", len(PLAIN))
    (folder / "sub-x.nii.gz").write_bytes(forged)
    cohort = load_cohort(folder)
    assert cohort.n_patients == 12
    assert "length does not match" in {p.id: p.reason for p in cohort.patients}["sub-x"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_runs_that_do_not_fit_on_the_disk_are_an_error(monkeypatch):
    from lesion_dash.core.runs import RunStore

    with Path("/dev/full").open("wb") as full:
        store = RunStore(full)
        store.add(np.arange(0, 9000, 9, dtype=np.int32), np.ones(1000, np.int32))
        with pytest.raises(InputError, match="cannot keep runs"):
            store.flush()
        full.raw.close()


@pytest.mark.parametrize("damaged", ["sub-1.nii", "sub-1.nii.gz"])
def test_of_two_formats_the_one_that_can_be_read_counts(tmp_path, damaged):
    folder = write_masks(tmp_path / "c", random_masks(11))
    mask = random_masks(1, seed=9)
    write_masks(folder, mask * 2, names=["sub-1.nii", "sub-1.nii.gz"])
    (folder / damaged).write_bytes(b"broken")
    cohort = load_cohort(folder)
    assert cohort.n_patients == 12
    assert sum(patient.voxels == mask[0].sum() for patient in cohort.used) == 1
    assert load_cohort(folder, pattern="*.nii.gz").n_patients == (11 if "gz" in damaged else 12)


def test_masks_that_state_no_space_need_a_common_grid_too(tmp_path):
    from phantoms import SHAPE

    for number, shape in enumerate([(4, 4, 4), *[SHAPE] * 6]):
        made = image(np.ones(shape, np.uint8), code=0)
        (tmp_path / f"sub-{number}.nii").write_bytes(made.to_bytes())
    with pytest.raises(InputError, match="6 of 7"):
        load_cohort(tmp_path)


def test_a_mask_that_stands_in_for_a_damaged_one_stays_with_its_patient(tmp_path):
    masks = random_masks(11)
    folder = write_masks(tmp_path / "c", masks)
    name = "sub-003_lesion.nii"
    (folder / name).write_bytes(b"broken")
    cohort = load_cohort(folder)
    assert cohort.n_patients == 11
    assert cohort.volumes.tolist() == [patient.voxels for patient in cohort.used]
    for row, patient in enumerate(cohort.used):
        number = int(patient.file[4:7])
        np.testing.assert_array_equal(cohort.mask(row).array, masks[number])
