"""Finding and reading files."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.files.listing import list_images, odd_name
from lesion_dash.files.reading import FileView, read_bytes


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def names(listing) -> list[str]:
    return [path.name for path in listing.images]


def reasons(listing) -> str:
    return " ".join(reason for _, reason in listing.skipped)


def test_images_are_found_below_in_capitals_too_and_sorted(tmp_path):
    for name in ("b/sub-2.NII.GZ", "a/deep/sub-1.nii", "notes.txt", "sub-3.nii.gz"):
        touch(tmp_path / name)
    assert names(list_images(tmp_path)) == ["sub-1.nii", "sub-2.NII.GZ", "sub-3.nii.gz"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("._sub-1.nii.gz", "macOS side file"),
        ("~$sub-1.nii.gz", "lock file"),
        (".sub-1.nii.gz", "hidden file"),
        ("sub-1.nii.gz.part", "unfinished copy"),
        (".sub-1.nii.gz.Xq3dEf", "unfinished copy"),
    ],
)
def test_what_is_no_image_is_passed_over_with_a_reason(tmp_path, name, reason):
    touch(tmp_path / name)
    listing = list_images(tmp_path)
    assert not listing.images
    assert reason in reasons(listing)


def test_a_link_to_the_own_folder_counts_nobody_twice(tmp_path):
    touch(tmp_path / "sub-1.nii")
    (tmp_path / "again").symlink_to(".", target_is_directory=True)
    listing = list_images(tmp_path)
    assert names(listing) == ["sub-1.nii"]
    assert "link loop" in reasons(listing)


def test_links_are_followed_inside_the_folder_only(tmp_path):
    touch(tmp_path / "other" / "sub-9.nii")
    inside = touch(tmp_path / "data" / "sub-1.nii")
    (tmp_path / "data" / "alias.nii").symlink_to(inside)
    (tmp_path / "data" / "sub-2.nii").symlink_to("../other/sub-9.nii")
    (tmp_path / "data" / "sub-3.nii").symlink_to("gone.nii")
    listing = list_images(tmp_path / "data")
    assert names(listing) == ["sub-1.nii"]
    assert "counted already" in reasons(listing)
    assert "outside the data folder" in reasons(listing)
    assert "target is missing" in reasons(listing)


@pytest.mark.parametrize(
    ("make", "match"),
    [(lambda path: None, "folder not found"), (touch, "is a file, not a folder")],
    ids=["missing", "file"],
)
def test_what_is_no_folder_is_said(tmp_path, make, match):
    make(tmp_path / "data")
    with pytest.raises(InputError, match=match):
        list_images(tmp_path / "data")


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "sub-1.nii")
    with pytest.raises(InputError, match="not a regular file"):
        read_bytes(tmp_path / "sub-1.nii")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.nii").touch()
    with pytest.raises(InputError, match="file is empty"):
        read_bytes(tmp_path / "a.nii")


def test_odd_names_are_told_from_plain_ones():
    assert odd_name("sub-1.nii") == ""
    assert "control character" in odd_name("sub\x1b[31m.nii")
    assert "Windows" in odd_name("CON.nii.gz")


def test_a_linked_folder_counts_nobody_twice_whatever_it_is_called(tmp_path):
    for number in range(3):
        touch(tmp_path / "b" / f"sub-{number}.nii")
    for name in ("a", "c"):
        (tmp_path / name).symlink_to("b", target_is_directory=True)
    listing = list_images(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in listing.images] == [
        f"b/sub-{number}.nii" for number in range(3)
    ]
    assert reasons(listing).count("not followed") == 2


def test_links_into_a_hidden_store_are_followed(tmp_path):
    store = touch(tmp_path / ".git" / "annex" / "objects" / "x1.nii.gz")
    (tmp_path / "sub-1.nii.gz").symlink_to(store)
    assert names(list_images(tmp_path)) == ["sub-1.nii.gz"]


def test_a_link_to_itself_is_passed_over(tmp_path):
    (tmp_path / "x").symlink_to("x")
    touch(tmp_path / "sub-1.nii")
    assert names(list_images(tmp_path)) == ["sub-1.nii"]


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="not a regular file"):
        read_bytes(tmp_path)


def test_a_file_is_read_whole_where_a_system_lacks_the_flags_of_others(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_bytes(b"1\r\n\x1a2")
    opened, flags = os.open, []

    def note(place, given, *rest, **options):
        flags.append(given)
        return opened(place, os.O_RDONLY)

    monkeypatch.delattr(os, "O_NONBLOCK", raising=False)
    monkeypatch.setattr(os, "O_BINARY", 0x8000, raising=False)
    monkeypatch.setattr(os, "open", note)
    assert read_bytes(path) == b"1\r\n\x1a2"
    assert flags == [os.O_RDONLY | 0x8000]


@pytest.mark.parametrize("ending", [".hdr", ".img"])
def test_a_pair_is_passed_over_where_a_link_leads_out_of_the_folder(tmp_path, ending):
    for half in (".hdr", ".img"):
        touch(tmp_path / "data" / f"sub-1{half}")
    assert names(list_images(tmp_path / "data")) == ["sub-1.img"]
    half = tmp_path / "data" / f"sub-1{ending}"
    half.rename(tmp_path / half.name)
    half.symlink_to(tmp_path / half.name)
    listing = list_images(tmp_path / "data")
    assert not listing.images
    assert [path.name for path, _ in listing.skipped] == ["sub-1.hdr", "sub-1.img"]
    assert all("outside the data folder" in reason for _, reason in listing.skipped)


# A view of a file gives what its bytes would give, and holds nothing.


CONTENT = bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8))


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    return tmp_path / "file"


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 10), (4990, 6000), (7000, 8000), (3, 3), (-5, None)]
)
def test_slices_are_those_of_bytes(path, start, stop):
    with FileView(path) as view:
        assert len(view) == len(CONTENT)
        assert view[start:stop] == CONTENT[start:stop]
        assert view.startswith(CONTENT[20:25], 20)
        assert not view.startswith(b"\0" * 600, 20)


def test_a_file_that_changes_is_refused(path):
    with pytest.raises(InputError, match="changed while reading"), FileView(path):
        os.utime(path, ns=(1, 1))


def open_files():
    """The status of what this process has open."""
    for entry in Path("/dev/fd").iterdir():
        with suppress(OSError):  # that of the listing itself
            yield os.fstat(int(entry.name))


def test_an_error_inside_is_not_hidden(path):
    def fail():
        with FileView(path):
            path.write_bytes(b"other")
            raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        fail()


def test_descriptors_are_closed_and_folders_refused(path, tmp_path):
    with FileView(path):
        assert any(os.path.samestat(path.stat(), status) for status in open_files())
    assert not any(os.path.samestat(path.stat(), status) for status in open_files())
    with pytest.raises(InputError, match="not a regular file: is a folder"):
        FileView(tmp_path)
    with pytest.raises(InputError, match="file not found"):
        FileView(tmp_path / "none")
