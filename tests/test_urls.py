"""URLs as paths: which are taken, what they are called, and what of them is never shown."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from buckets import empty_bucket, upload, write_study

from lesion_dash import cli
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.files.paths import UrlPath, as_path

pytest.importorskip("fsspec")


@pytest.fixture
def bucket():
    with empty_bucket() as system:
        yield system


@pytest.fixture
def folder(tmp_path):
    return write_study(tmp_path / "study" / "masks")


def test_a_url_is_a_path_among_paths():
    path = as_path("s3://bucket/study/sub-1.nii.gz")
    assert isinstance(path, UrlPath)
    assert pickle.loads(pickle.dumps(path)) == path == as_path(path)
    assert (path.name, path.suffix, path.stem) == ("sub-1.nii.gz", ".gz", "sub-1.nii")
    assert str(path.with_suffix(".hdr")) == "s3://bucket/study/sub-1.nii.hdr"
    assert str(path.parent.parent.parent) == "s3://bucket"
    assert path.parent.parent.name == "bucket"
    assert path.is_relative_to(path.parent)
    assert not path.is_relative_to(as_path("gs://bucket/study"))
    assert as_path(Path("/data/masks")) == Path("/data/masks")
    assert as_path("C:/data") == Path("C:/data")
    assert as_path("~/x") == Path("~/x").expanduser()
    with pytest.raises(InputError, match="a chain of URLs"):
        as_path("zip://*.nii::s3://bucket/masks.zip")


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("memory://bucket/none", r"memory://bucket/none: folder not found; check .* the bucket"),
        ("memory://bucket/study/masks/notes.txt", "is a file, not a folder"),
        ("memory://bucket/study/masks/.hidden/nothing", "folder not found"),
        ("nosuch://bucket/masks", "nosuch:// is not a known protocol"),
    ],
)
def test_a_folder_that_cannot_be_read_is_one_sentence(url, match, folder, bucket):
    upload(folder, bucket, "memory://bucket/study/masks")
    with pytest.raises(InputError, match=match):
        load_cohort(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://me:secret@bucket/a.nii", "s3://***@bucket/a.nii"),
        ("s3://me:sec@ret@bucket/a.nii", "s3://***@bucket/a.nii"),
        ("https://host/a.nii?token=secret", "https://host/a.nii"),
        ("https://secret@host/a.nii", "https://***@host/a.nii"),
        ("https://host:8080/a.nii", "https://host:8080/a.nii"),
        ("https://host/a@b.nii", "https://host/a@b.nii"),
        ("sftp://secret@host/a.nii", "sftp://***@host/a.nii"),
        ("abfs://me:secret@account/a.nii", "abfs://***@account/a.nii"),
        ("abfs://masks@account.dfs.core.windows.net/a.nii",) * 2,
        ("HTTPS://host/a.nii?x=secret", "https://host/a.nii"),
    ],
)
def test_what_is_secret_in_a_url_is_not_shown_and_still_used(url, shown):
    path = as_path(url)
    assert str(path) == str(InputError(path, "x")).removesuffix(": x") == shown
    assert "sec" not in repr(path) + str(path.parent)
    assert path.address.lower() == url.lower()
    assert path.name.endswith(".nii")


def test_a_password_reaches_no_file_and_no_screen(bucket, folder, tmp_path, capsys):
    secret = upload(folder, bucket, "memory://me:secret@bucket/masks")
    out = tmp_path / "out"
    assert cli.main(["stats", secret, "-k", "2", "-o", str(out)]) == 0
    assert cli.main(["check", "--json", secret]) == 1
    captured = capsys.readouterr()
    written = [file.read_bytes() for file in out.iterdir()]
    assert json.loads((out / "provenance.json").read_text())["inputs"][0]["folder"].startswith(
        "memory://***@bucket"
    )
    assert not any(b"secret" in content for content in written)
    assert "secret" not in captured.out + captured.err


@pytest.mark.parametrize(
    "url",
    [
        "s3://me:sec/ret@bucket/a.nii",
        "s3://me:sec?ret@bucket/a.nii",
        "s3://me:12/sec@bucket/a.nii",
        "https://sec?ret@host/a.nii",
        "https://me:1/2?sec@host/a.nii",
        "https://me:s@ec/ret@host/a.nii",
        "s3://me:secret",
        "s3://me:sec::ret@bucket/a.nii",
        "zip://a.nii::s3://me:secret@bucket/m.zip",
        "file://me:sec/ret@host/data",
    ],
)
def test_a_url_whose_password_cannot_be_told_is_refused_and_not_shown(url, tmp_path, capsys):
    with pytest.raises(InputError, match=r"://\*\*\*") as caught:
        as_path(url)
    assert cli.main(["stats", url, "-o", str(tmp_path / "out")]) == 2
    shown = f"{caught.value!r} {capsys.readouterr().err}"
    assert not any(part in shown for part in ("sec", "ret", "me:"))


def test_the_name_of_a_bucket_holds_no_password():
    assert as_path("s3://me:secret@bucket").name == "***@bucket"
    assert as_path("s3://me:secret@bucket").parent.name == "***@bucket"


@pytest.mark.parametrize("start", ["file://", "local://", "FILE://localhost", "file://LocalHost"])
def test_a_file_url_is_a_path_of_this_computer(start, folder):
    assert as_path(f"{start}/data/my%20masks") == Path("/data/my masks")
    assert load_cohort(f"{start}{folder}").patients == load_cohort(folder).patients


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("file://otherhost/data", "file://otherhost/data: names a file of another computer; mount"),
        ("file://", "names no file; write it as file:///"),
        ("file://localhost", "names no file; write it as file:///"),
    ],
)
def test_a_file_url_that_is_none_here_is_told(url, match):
    with pytest.raises(InputError, match=match):
        as_path(url)


@pytest.mark.parametrize(
    "protocol", ["zip", "tar", "reference", "blockcache", "simplecache", "filecache", "dir"]
)
def test_what_lies_within_another_file_is_refused(protocol):
    with pytest.raises(InputError, match=rf"{protocol}:// opens what lies within another.*unpack"):
        as_path(f"{protocol}://study/masks")


@pytest.mark.parametrize("protocol", ["http", "https"])
def test_a_web_server_lists_no_folders(protocol, tmp_path, capsys):
    url = f"{protocol}://host.invalid/study/masks"
    with pytest.raises(InputError, match=r"does not list its folders; download it") as caught:
        load_cohort(url)
    assert str(caught.value).startswith(url)
    out = str(tmp_path / "out")
    assert cli.main(["overlap", url, url, "--atlas", "x.nii", "-o", out]) == 2
    assert "is a file" not in capsys.readouterr().err
