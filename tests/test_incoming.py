"""Files that come in parts: no name leads elsewhere, and nothing is written that was not agreed."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.files.incoming import Limits, Offer, Plan, Receiver, plan_files, portable_path

WIDE = Limits(total=10**9, per_file=10**8, files=100)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../sub-1.nii", "folder “..”"),
        ("a/../../sub-1.nii", "folder “..”"),
        ("./sub-1.nii", "folder “.”"),
        ("/etc/passwd", "without a name"),
        ("a//sub-1.nii", "without a name"),
        ("", "names no file"),
        ("a/", "names no file"),
        ("C:\\masks\\sub-1.nii", "backslash"),
        ("C:sub-1.nii", "colon"),
        ("sub-1.nii:stream", "colon"),
        ("con.nii", "reserved name on Windows"),
        ("a/LPT1/sub-1.nii", "reserved name on Windows"),
        ("sub\n1.nii", "control character"),
        ("sub\x001.nii", "control character"),
        ("sub\u202e1.nii", "control character"),
        ("sub\ud8001.nii", "cannot be written"),
        ("sub-1.nii ", "ends with a space or a dot"),
        ("sub-1./lesion.nii", "ends with a space or a dot"),
        ("é" * 128, "more than 255 bytes"),
        ("/".join(["a" * 200] * 6), "more than 1,024 bytes"),
        ("a/" * 9 + "sub-1.nii", "lies in 9 folders"),
    ],
)
def test_a_name_that_is_none_on_every_system_is_refused(path: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        portable_path(path)
    plan = plan_files([Offer(path, 5)], WIDE)
    assert plan.files == {}
    assert reason in plan.refused[path]


def test_names_of_patients_and_of_sessions_stay() -> None:
    for path in ("study/sub-01/ses-1/anat/läsion_mask.nii.gz", "<img src=x onerror=alert(1)>.nii"):
        composed = unicodedata.normalize("NFC", path)
        assert portable_path(unicodedata.normalize("NFD", path)) == composed == portable_path(path)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("a/sub-1.nii", "a/sub-1.nii", "another file has the same name"),
        ("a/sub-1.nii", "a/SUB-1.nii", "differs from a/sub-1.nii in nothing but capitals"),
        ("a/sub-1.nii", "A/sub-2.nii", "differs from a in nothing but capitals"),
        ("a/straße.nii", "a/STRASSE.nii", "in nothing but capitals"),
        ("a/l\u00e4sion.nii", "a/la\u0308sion.nii", "another file has the same name"),
        ("a", "a/sub-1.nii", "a is both a file and a folder"),
        ("a/sub-1.nii", "a", "a is both a file and a folder"),
    ],
)
def test_of_two_files_that_would_be_one_the_first_is_taken(
    first: str, second: str, reason: str
) -> None:
    plan = plan_files([Offer(first, 1), Offer(second, 2)], WIDE)
    assert [offer.size for offer in plan.files.values()] == [1]
    assert reason in plan.refused[second]


def test_limits_are_told_before_anything_is_sent() -> None:
    small = Limits(total=20_000_000, per_file=15_000_000, files=2)
    plan = plan_files([Offer("a", 16_000_000), Offer("b", 15_000_000)], small)
    assert [*plan.files] == [1]
    assert plan.refused == {"a": "is 16 MB, 15 MB are allowed"}
    with pytest.raises(InputError, match="3 files, 2 are allowed"):
        plan_files([Offer(name, 1) for name in "abc"], small)
    with pytest.raises(InputError, match="24 MB together, 20 MB are allowed"):
        plan_files([Offer(name, 12_000_000) for name in "ab"], small)
    # What is refused counts for nothing.
    plan = plan_files([Offer(name, 12_000_000) for name in "ab"], small, lambda name: name * 2)
    assert plan.refused == {"a": "aa", "b": "bb"}


def test_a_disk_without_room_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no room"):
        Receiver(tmp_path, Plan({0: Offer("a.nii", 2**60)}))


@pytest.mark.parametrize("seed", range(5))
def test_parts_of_any_size_make_the_files_that_were_sent(tmp_path: Path, seed: int) -> None:
    random_state = random.Random(seed)
    files = {
        f"f{n}/{n}.nii": random_state.randbytes(random_state.choice([0, 1, 300])) for n in range(9)
    }
    plan = plan_files([Offer(name, len(content)) for name, content in files.items()], WIDE)
    receiver = Receiver(tmp_path, plan)
    order = [*plan.files]
    random_state.shuffle(order)
    for number in order:
        content, start = files[plan.files[number].path], 0
        while start < len(content) or not start:
            assert not receiver.is_complete
            size = random_state.randint(1, 120)
            receiver.write(number, start, content[start : start + size])
            start += size
    assert receiver.is_complete
    there = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert there == {*files}
    assert all((tmp_path / name).read_bytes() == content for name, content in files.items())


@pytest.mark.parametrize(
    "parts",
    [
        [(2, 0, b"x")],  # never offered
        [(-1, 0, b"x")],
        [(0, 1, b"x")],  # not from its beginning
        [(0, 0, b"xx"), (0, 0, b"xx")],  # once more
        [(0, 0, b"xx"), (0, 3, b"x")],  # with a gap
        [(0, 0, b"xxxxx")],  # larger than was told
        [(0, 0, b"xx"), (0, 2, b"xxx")],
        [(0, 0, b"xx"), (1, 0, b"x")],  # another before it is complete
        [(0, 0, b"xxxx"), (0, 4, b"")],  # complete
        [(0, 0, b"xxxx"), (0, 0, b"xxxx")],
        [(0, 0, b"")],  # nothing, for ever
    ],
)
def test_what_was_not_agreed_is_not_written(
    tmp_path: Path, parts: list[tuple[int, int, bytes]]
) -> None:
    receiver = Receiver(tmp_path, Plan({0: Offer("a.nii", 4), 1: Offer("b.nii", 2)}))
    for part in parts[:-1]:
        receiver.write(*part)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="try again"):
        receiver.write(*parts[-1])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    receiver.close()


def test_nothing_is_written_through_a_link_or_over_a_file(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    folder.mkdir()
    outside.write_text("kept")
    (folder / "link.nii").symlink_to(outside)
    (folder / "file.nii").write_text("kept")
    receiver = Receiver(folder, Plan({0: Offer("link.nii", 1), 1: Offer("file.nii", 1)}))
    for number in (0, 1):
        with pytest.raises(InputError, match="cannot be written"):
            receiver.write(number, 0, b"x")
    assert outside.read_text() == (folder / "file.nii").read_text() == "kept"
