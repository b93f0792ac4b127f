"""Masks behind a URL: the same as those of a local folder, and every trouble is one sentence."""

from __future__ import annotations

import json
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from phantoms import AFFINE, random_masks, write_masks

from lesion_dash import InputError, cli, load_atlas, load_cohort, read_mask
from lesion_dash.door import check_path
from lesion_dash.errors import SetupError
from lesion_dash.files import UrlPath, as_path, read_bytes, read_text
from lesion_dash.topography import folder_stats

fsspec = pytest.importorskip("fsspec")
MemoryFileSystem = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem


@pytest.fixture
def bucket():
    """The file system of the tests, emptied."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


@pytest.fixture
def folder(tmp_path):
    """Masks, and what else may lie among them."""
    masks = random_masks(12)
    folder = write_masks(tmp_path / "study" / "masks", masks)
    write_masks(folder, masks[:2], names=["a/sub-a.nii", ".hidden/sub-h.nii"])
    write_masks(folder, masks[2:4] + masks[2:3], names=["sub-t.nii", "sub-t.nii.gz", "x.nii/y.nii"])
    (folder / "sub-t.nii").write_bytes(b"broken")
    (folder / "sub-broken.nii.gz").write_bytes(b"broken")
    (folder / "sub-empty.nii.gz").write_bytes(b"")
    (folder / "sub-1.mgz").write_bytes(b"x")
    (folder / "._sub-2.nii").write_bytes(b"x")
    (folder / "sub-3.nii.gz.part").write_bytes(b"x")
    shifted = AFFINE + np.array([[0, 0, 0, 20]] + [[0] * 4] * 3)
    write_masks(folder, masks[4:5], shifted, names=["sub-off.nii"])
    write_masks(folder, masks[:1], names=["overlap_map.nii"])
    (folder / "sub-pair.hdr").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    (folder / "participants.tsv").write_text("participant_id\tage\nsub-000\t61\n")
    return folder


def upload(folder: Path, bucket, url: str) -> str:
    for file in folder.rglob("*"):
        if file.is_file():
            bucket.pipe_file(f"{url}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    return url


@pytest.fixture
def url(folder, bucket):
    return upload(folder, bucket, "memory://bucket/study/masks")


def test_a_url_gives_the_same_bits_as_a_folder(folder, url):
    (roster, stats), (own, own_stats) = folder_stats(url, 2), folder_stats(folder, 2)
    assert roster.patients == own.patients
    assert {patient.status for patient in roster.patients} == {"used", "skipped"}
    assert roster.notes == own.notes
    assert roster.name == own.name == "masks"
    assert roster.table.equals(own.table)
    assert stats.voxels == own_stats.voxels > 0
    for key, array in own_stats.arrays.items():
        np.testing.assert_array_equal(stats.arrays[key], array, strict=True)


def test_a_cohort_behind_a_url_is_the_same(folder, url):
    found, own = load_cohort(url, pattern="*lesion*"), load_cohort(folder, pattern="*lesion*")
    assert found.patients == own.patients
    np.testing.assert_array_equal(found.indices, own.indices)


def test_check_says_the_same_of_a_url(folder, url):
    found, own = check_path(url), check_path(folder)
    assert found.files == own.files
    assert found.path == url
    mask = "sub-000_lesion.nii.gz"
    like = check_path(f"{url}/{mask}", like=f"{url}/sub-001_lesion.nii.gz")
    assert like.files == check_path(folder / mask).files
    assert check_path(f"{url}/none.nii").files[0].reasons[0].startswith("file not found")
    assert check_path(f"{url}/participants.tsv").exit_code == 0


def test_a_participants_table_is_found_above_or_named(folder, bucket, tmp_path):
    table = (folder / "participants.tsv").read_bytes()
    (folder / "participants.tsv").unlink()
    url = upload(folder, bucket, "memory://bucket/study/masks")
    assert load_cohort(url).participants is None
    bucket.pipe_file("memory://bucket/study/participants.tsv", table)
    found = load_cohort(url)
    assert found.table.set_index("patient")["age"]["sub-000"] == 61
    assert str(found.participants.path) == "memory://bucket/study/participants.tsv"
    assert load_cohort(url, within=url).participants is None
    named = "memory://bucket/other.tsv"
    bucket.pipe_file(named, table.replace(b"61", b"70"))
    assert (
        load_cohort(folder, participants=named).table.set_index("patient")["age"]["sub-000"] == 70
    )


def test_the_commands_take_urls(url, bucket, tmp_path, sample_data, capsys):
    labels = np.ones((7, 9, 8), np.uint8)
    atlas = write_masks(tmp_path / "atlas", [labels], names=["atlas.nii.gz"])
    (atlas / "atlas.csv").write_text("index,name\n1,Everything\n")
    upload(atlas, bucket, "memory://bucket/atlas")
    image = "memory://bucket/atlas/atlas.nii.gz"
    assert load_atlas(image).names[1] == "Everything"
    out = tmp_path / "out"
    mask = f"{url}/sub-000_lesion.nii.gz"
    assert cli.main(["overlap", mask, url, "--atlas", image, "-k", "2", "-o", str(out)]) == 0
    inputs = json.loads((out / "provenance.json").read_text())["inputs"]
    assert [each.get("file", each.get("folder")) for each in inputs[:2]] == [mask, url]
    assert "Everything" in capsys.readouterr().out
    assert cli.main(["check", image]) == 0


def test_results_are_not_written_to_a_url(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["stats", str(folder), "-o", "memory://bucket/out"]) == 2
    assert cli.main(["serve", "--data-root", "memory://bucket/study"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("is a URL, a folder of this computer is needed") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


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
    assert as_path("file:///data/masks") == Path("/data/masks") == as_path(Path("/data/masks"))
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
        ("nosuch://bucket/masks", "nosuch:// is no protocol that is known here"),
    ],
)
def test_a_folder_that_cannot_be_read_is_one_sentence(url, match, folder, bucket):
    upload(folder, bucket, "memory://bucket/study/masks")
    with pytest.raises(InputError, match=match):
        load_cohort(url)


def test_a_driver_that_is_not_installed_is_named_with_the_remedy():
    fsspec.register_implementation(
        "nodriver", "no_such_driver.FileSystem", clobber=True, errtxt="Install no_such_driver"
    )
    match = r"^nodriver://b/m: the driver for nodriver:// is not installed; Install no_such_driver"
    with pytest.raises(SetupError, match=match):
        load_cohort("nodriver://b/m")
    with pytest.raises(SetupError, match="the driver for nodriver"):
        read_mask("nodriver://b/m.nii")


def test_without_fsspec_a_url_says_what_to_install(monkeypatch):
    for name in ("fsspec", "fsspec.core"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SetupError, match=r"URLs need fsspec.*pip install 'lesion-dash\[cluster"):
        load_cohort("s3://bucket/masks")


class EndpointConnectionError(Exception):
    """Drivers raise errors that are no OSError, with the address in their text."""


class HttpError(Exception):
    status = 403


REFUSED = "no permission to read; check your credentials"
FAULTS = [
    (PermissionError("s3://me:secret@bucket"), REFUSED),
    (HttpError("token=secret"), REFUSED),
    (type("NoCredentialsError", (Exception,), {})("secret"), REFUSED),
    (FileNotFoundError("The specified bucket does not exist: secret"), "not found; check"),
    (EndpointConnectionError("https://me:secret@host"), "stopped (EndpointConnectionError); check"),
    (TimeoutError("secret"), "stopped (TimeoutError); check the network"),
]
each_fault = pytest.mark.parametrize(
    ("error", "words"), FAULTS, ids=[type(error).__name__ for error, _ in FAULTS]
)


def fails_with(error):
    def fail(self, *_, **__):
        raise error

    return fail


@each_fault
@pytest.mark.parametrize("method", ["info", "find"])
def test_a_folder_whose_driver_fails_is_one_sentence_without_a_password(
    bucket, folder, monkeypatch, error, words, method
):
    secret = upload(folder, bucket, "memory://me:secret@bucket/masks")
    monkeypatch.setattr(MemoryFileSystem, method, fails_with(error))
    match = rf"^memory://\*\*\*@bucket/masks: .*{re.escape(words)}"
    with pytest.raises(InputError, match=match) as caught:
        load_cohort(secret)
    assert caught.value.__cause__ is None
    assert "secret" not in f"{caught.value} {caught.value!r} {caught.value.details}"


@each_fault
def test_a_file_whose_driver_fails_is_refused_without_a_password(
    bucket, folder, monkeypatch, error, words
):
    secret = upload(folder, bucket, "memory://me:secret@bucket/masks")
    monkeypatch.setattr(MemoryFileSystem, "cat_file", fails_with(error))
    report = check_path(secret)
    assert report.exit_code == 2
    reasons = {each.file: each.reasons[0] for each in report.files}
    assert words in reasons["sub-000_lesion.nii.gz"]
    assert "secret" not in repr(report)


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
    ("url", "shown"),
    [
        ("s3://me:secret@bucket/a.nii", "s3://***@bucket/a.nii"),
        ("s3://me:sec/ret@bucket/a.nii", "s3://***@bucket/a.nii"),
        ("s3://me:sec@ret@bucket/a.nii", "s3://***@bucket/a.nii"),
        ("https://host/a.nii?token=secret", "https://host/a.nii"),
        ("https://secret@host/a.nii", "https://***@host/a.nii"),
        ("https://host:8080/a@b.nii", "https://host:8080/a@b.nii"),
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


def test_files_behind_a_url_are_checked_as_local_ones_are(bucket, monkeypatch):
    path = as_path("memory://bucket/table.csv")
    with pytest.raises(InputError, match="file or folder not found"):
        read_text(path)
    bucket.pipe_file(path.address, b"")
    for head in (None, 100):
        with pytest.raises(InputError, match="file is empty"):
            read_bytes(path, head)
    bucket.pipe_file(path.address, b"0123456789")
    assert (read_bytes(path, head=4), read_bytes(path)) == (b"0123", b"0123456789")
    with pytest.raises(InputError, match="is too large: 10 bytes, 5 allowed"):
        read_bytes(path, most=5)
    size = MemoryFileSystem.info
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *_, **__: size(*_, **__) | {"size": 11})
    with pytest.raises(InputError, match="changed while reading"):
        read_bytes(path)


def test_a_store_that_refuses_a_range_of_nothing_tells_of_an_empty_file(bucket, monkeypatch):
    path = as_path("memory://bucket/sub-1.nii")
    bucket.pipe_file(path.address, b"")

    def refuse(self, *_, **__):
        raise OSError(22, "InvalidRange")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", refuse)
    with pytest.raises(InputError, match="file is empty"):
        read_bytes(path, head=100)


def test_a_file_that_is_replaced_between_two_reads_is_refused(bucket, tmp_path, monkeypatch):
    masks = [np.random.default_rng(seed).random((60, 60, 60)) < 0.5 for seed in (1, 2)]
    folder = write_masks(tmp_path / "m", masks, names=["a.nii", "b.nii"])
    url = upload(folder, bucket, "memory://bucket/m")
    cat, other = MemoryFileSystem.cat_file, (folder / "b.nii").read_bytes()

    def replace(self, path, **options):
        content = cat(self, path, **options)
        if path.endswith("a.nii"):
            bucket.pipe_file(path, other)
        return content

    monkeypatch.setattr(MemoryFileSystem, "cat_file", replace)
    with pytest.raises(InputError, match="changed while reading"):
        read_mask(f"{url}/a.nii")


def test_a_folder_that_may_not_be_seen_above_is_no_error(bucket, folder, monkeypatch):
    (folder / "participants.tsv").unlink()
    url = upload(folder, bucket, "memory://bucket/study/masks")
    info = MemoryFileSystem.info

    def refuse(self, path, **options):
        if "participants" in path:
            raise PermissionError(path)
        return info(self, path, **options)

    monkeypatch.setattr(MemoryFileSystem, "info", refuse)
    assert load_cohort(url).participants is None


def test_a_key_that_is_no_path_is_passed_over(bucket, folder):
    url = upload(folder, bucket, "memory://bucket/study/masks")
    bucket.pipe_file(f"{url}/b//sub-x.nii", b"x")
    skipped = {patient.file: patient.reason for patient in load_cohort(url).patients}
    assert "two slashes" in skipped["b/sub-x.nii"]


def test_an_image_without_its_header_file_is_told(bucket, tmp_path):
    bucket.pipe_file("memory://bucket/m/sub-1.img", b"x")
    with pytest.raises(InputError, match=r"the .hdr file is missing; copy sub-1.hdr too"):
        read_mask("memory://bucket/m/sub-1.img")
