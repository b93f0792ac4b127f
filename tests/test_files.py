"""Finding and reading files."""

from __future__ import annotations

import gzip
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.files.listing import confine_task, list_images, odd_name
from lesion_dash.files.reading import FileView, read_bytes


def write_tree(root: Path, *entries: str) -> Path:
    """Files below a folder, and links where an entry is written as ``name -> target``."""
    for entry in entries:
        name, _, target = entry.partition(" -> ")
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if target:
            path.symlink_to(target, target_is_directory=(path.parent / target).is_dir())
        else:
            path.write_bytes(b"x")
    return root


LINKED = "not followed"
TREES = {
    "below, in capitals too, and sorted": (
        ["b/sub-2.NII.GZ", "a/deep/sub-1.nii", "notes.txt", "sub-3.nii.gz"],
        ["a/deep/sub-1.nii", "b/sub-2.NII.GZ", "sub-3.nii.gz"],
        [],
    ),
    "a side file": (["._sub-1.nii.gz"], [], ["macOS side file"]),
    "a lock": (["~$sub-1.nii.gz"], [], ["lock file"]),
    "hidden": ([".sub-1.nii.gz"], [], ["hidden file"]),
    "unfinished": (["sub-1.nii.gz.part"], [], ["unfinished copy"]),
    "unfinished, hidden": ([".sub-1.nii.gz.Xq3dEf"], [], ["unfinished copy"]),
    "a link to the own folder": (["sub-1.nii", "again -> ."], ["sub-1.nii"], ["link loop"]),
    "the user's own links are followed, each file once": (
        [
            *("../other/sub-9.nii", "sub-1.nii", "alias.nii -> sub-1.nii"),
            *("sub-2.nii -> ../other/sub-9.nii", "sub-3.nii -> gone.nii"),
        ],
        ["sub-1.nii", "sub-2.nii"],
        ["counted already", "target is missing"],
    ),
    "a link to a folder elsewhere, and to one that holds this one": (
        ["../other/sub-9.nii", "sub-1.nii", "more -> ../other", "all -> .."],
        ["more/sub-9.nii", "sub-1.nii"],
        [LINKED],
    ),
    "a linked folder, whatever it is called": (
        ["b/sub-0.nii", "b/sub-1.nii", "a -> b", "c -> b"],
        ["b/sub-0.nii", "b/sub-1.nii"],
        [LINKED, LINKED],
    ),
    "links into a hidden store": (
        [".git/annex/objects/x1.nii.gz", "sub-1.nii.gz -> .git/annex/objects/x1.nii.gz"],
        ["sub-1.nii.gz"],
        [],
    ),
    "a link to itself": (["x -> x", "sub-1.nii"], ["sub-1.nii"], []),
    "a pair": (["sub-1.hdr", "sub-1.img"], ["sub-1.img"], []),
    "a pair whose header is a link": (
        ["../sub-1.hdr", "sub-1.hdr -> ../sub-1.hdr", "sub-1.img"],
        ["sub-1.img"],
        [],
    ),
    "a pair of AFNI": (["a+tlrc.HEAD", "a+tlrc.BRIK.gz", "b.head"], ["a+tlrc.HEAD", "b.head"], []),
    "formats that are read": (
        ["a.voi", "b.MGZ", "c.mgh", "d.mgh.gz"],
        ["a.voi", "b.MGZ", "c.mgh", "d.mgh.gz"],
        [],
    ),
    "formats that are named, and files that are not an image": (
        [
            "a.nrrd",
            "b.dcm",
            "c.json",
            "c.bval",
            "README",
            "d.mnc",
            "e.nii.gz.bz2",
            "f.npy",
            "g.pdf",
        ],
        [],
        ["NRRD", "DICOM", "MINC", "compressed otherwise", "convert"],
    ),
    "files whose image lies beside them, and voxels of a header": (
        ["a.nrrd", "a.nii.gz", "b.mha", "b.mha.nii.gz", "c.mhd", "c.raw"],
        ["a.nii.gz", "b.mha.nii.gz"],
        ["MetaImage"],
    ),
    "dead links into a store": (
        ["a.nii.gz -> ../.git/annex/objects/K/K", "b.img -> .git/annex/objects/K/K", "b.hdr"],
        [],
        ["datalad get"] * 3,
    ),
    "placeholders by their names": (
        ["a.nii.gz.dvc", ".b.nii.gz.icloud", "c.nii.gz", "c.nii.gz.dvc"],
        ["c.nii.gz"],
        ["iCloud", "dvc pull"],
    ),
}


@pytest.mark.parametrize(("entries", "images", "reasons"), TREES.values(), ids=TREES)
def test_images_are_found_once_and_the_others_passed_over_with_a_reason(
    tmp_path, entries, images, reasons
):
    root = write_tree(tmp_path / "data", *entries)
    listing = list_images(root)
    assert [path.relative_to(root).as_posix() for path in listing.images] == images
    skipped = [reason for _, reason in listing.skipped]
    assert len(skipped) == len(reasons)
    assert all(reason in text for reason, text in zip(reasons, skipped, strict=True))


def test_a_process_that_is_confined_follows_no_link_out_of_its_folder(tmp_path):
    root = write_tree(
        tmp_path / "data",
        *("../other/sub-9.nii", "m/sub-1.nii", "store/x.nii", "m/sub-2.nii -> ../store/x.nii"),
        *("m/sub-3.nii -> ../../other/sub-9.nii", "m/sub-4.hdr -> ../../other/sub-9.nii"),
        *("m/sub-4.img", "m/odd -> ../../other/sub-9.nii"),
    )
    with confine_task([root]):
        listing = list_images(root / "m")
    assert [path.name for path in listing.images] == ["sub-1.nii", "sub-2.nii"]
    assert ["outside the data folder" in reason for _, reason in listing.skipped] == [True] * 3


CONTENTS = {
    "DICOM": (bytes(128) + b"DICM" + bytes(50), "dcm2niix"),
    "an archive": (b"PK\x03\x04" + bytes(50), "unpack"),
    "a NIfTI image under another name": (b"\x5c\x01\0\0" + bytes(400), "end in .nii"),
    "the same, compressed": (gzip.compress(b"\x5c\x01\0\0" + bytes(400)), "end in .nii.gz"),
    "a surface": (b'<?xml version="1.0"?>\n<GIFTI Version="1.0">', "volume version"),
    "no known format": (bytes(range(256)), "format not known"),
    "text": (b"some words about this study\n", ""),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(50), ""),
    "nothing": (b"", ""),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_a_file_whose_name_tells_nothing_is_told_by_its_content(tmp_path, case):
    content, words = CONTENTS[case]
    (tmp_path / "IM0001").write_bytes(content)
    reasons = [reason for _, reason in list_images(tmp_path).skipped]
    assert len(reasons) == bool(words)
    assert words in "".join(reasons)


def test_what_is_no_folder_is_said(tmp_path):
    with pytest.raises(InputError, match="folder not found"):
        list_images(tmp_path / "data")
    write_tree(tmp_path, "data")
    with pytest.raises(InputError, match="is a file, not a folder"):
        list_images(tmp_path / "data")


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (os.mkfifo, "not a regular file"),
        (Path.mkdir, "not a regular file: is a folder"),
        (Path.touch, "file is empty"),
        (lambda path: None, "file not found"),
    ],
    ids=["a pipe, at once", "a folder", "empty", "missing"],
)
@pytest.mark.parametrize("read", [read_bytes, FileView])
def test_what_cannot_be_read_as_a_file_is_refused(tmp_path, make, match, read):
    make(tmp_path / "sub-1.nii")
    with pytest.raises(InputError, match=match):
        read(tmp_path / "sub-1.nii")


def test_odd_names_are_told_from_plain_ones():
    assert odd_name("sub-1.nii") == ""
    assert "control character" in odd_name("sub\x1b[31m.nii")
    assert "Windows" in odd_name("CON.nii.gz")


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


def test_a_file_that_changes_is_refused_and_another_error_is_not_hidden(path):
    with pytest.raises(InputError, match="changed while reading"), FileView(path):
        os.utime(path, ns=(1, 1))

    def fail():
        with FileView(path):
            path.write_bytes(b"other")
            raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        fail()


def test_descriptors_are_closed(path):
    def is_open():
        for entry in Path("/dev/fd").iterdir():
            with suppress(OSError):  # that of the listing itself
                if os.path.samestat(path.stat(), os.fstat(int(entry.name))):
                    return True
        return False

    with FileView(path):
        assert is_open()
    assert not is_open()
