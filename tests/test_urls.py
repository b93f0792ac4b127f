"""URLs: named as paths are, read as a folder is, faults told, passwords never shown."""

from __future__ import annotations

import json
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from buckets import empty_bucket, upload, write_study
from phantoms import random_masks, write_masks

from lesion_dash import cli
from lesion_dash.analyses.validation import check_path
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError, SetupError
from lesion_dash.files.paths import UrlPath, as_path
from lesion_dash.files.reading import read_bytes, read_text
from lesion_dash.images.masks import read_mask
from lesion_dash.stats.topography import folder_stats

fsspec = pytest.importorskip("fsspec")
MemoryFileSystem = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem
TABLE = "memory://bucket/table.csv"


@pytest.fixture
def bucket():
    with empty_bucket() as system:
        yield system


@pytest.fixture
def folder(tmp_path):
    return write_study(tmp_path / "study" / "masks")


@pytest.fixture
def url(folder, bucket):
    return upload(folder, bucket, "memory://bucket/study/masks")


@pytest.fixture
def table(bucket):
    """A table of ten bytes behind a URL."""
    bucket.pipe_file(TABLE, b"0123456789")
    return as_path(TABLE)


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """How long was waited before each new try."""
    waited = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


@pytest.fixture
def driver(monkeypatch):
    """Replace a method of the driver: ``driver(name, function)``, called with the real method."""

    def replace(name, function):
        work = getattr(MemoryFileSystem, name)
        monkeypatch.setattr(
            MemoryFileSystem,
            name,
            lambda self, *arguments, **options: function(
                lambda: work(self, *arguments, **options), *arguments
            ),
        )

    return replace


def fails(error, times=10**6, where=""):
    """The first calls about a path raise an error, and those after them do not."""
    left = iter(range(times))

    def fail(work, path="", *_):
        if where in path and next(left, None) is not None:
            raise error
        return work()

    return fail


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
    assert as_path("s3://me:secret@bucket").name == "***@bucket"
    assert as_path("s3://me:secret@bucket").parent.name == "***@bucket"
    assert as_path(Path("/data/masks")) == Path("/data/masks")
    assert as_path("C:/data") == Path("C:/data")
    assert as_path("~/x") == Path("~/x").expanduser()


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("memory://bucket/none", r"memory://bucket/none: folder not found; check .* the bucket"),
        ("memory://bucket/study/masks/notes.txt", "is a file, not a folder"),
        ("memory://bucket/study/masks/.hidden/nothing", "folder not found"),
        ("nosuch://bucket/masks", "nosuch:// is not a known protocol"),
        ("zip://*.nii::s3://bucket/masks.zip", "a chain of URLs"),
        ("file://otherhost/data", "file://otherhost/data: names a file of another computer; mount"),
        ("file://", "names no file; write it as file:///"),
        ("file://localhost", "names no file; write it as file:///"),
        *(
            (f"{protocol}://study/masks", f"{protocol}:// opens what lies within another.*unpack")
            for protocol in ("zip", "tar", "reference", "blockcache", "simplecache", "dir")
        ),
        *(
            (f"{protocol}://host.invalid/masks", f"^{protocol}://host.*not list its folders; down")
            for protocol in ("http", "https")
        ),
    ],
)
def test_a_folder_that_cannot_be_read_is_one_sentence(address, match, url):
    with pytest.raises(InputError, match=match):
        load_cohort(address)


@pytest.mark.parametrize(
    ("address", "shown"),
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
def test_what_is_secret_in_a_url_is_not_shown_and_still_used(address, shown):
    path = as_path(address)
    assert str(path) == str(InputError(path, "x")).removesuffix(": x") == shown
    assert "sec" not in repr(path) + str(path.parent)
    assert path.address.lower() == address.lower()
    assert path.name.endswith(".nii")


@pytest.mark.parametrize(
    "address",
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
def test_a_url_whose_password_cannot_be_told_is_refused_and_not_shown(address, tmp_path, capsys):
    with pytest.raises(InputError, match=r"://\*\*\*") as caught:
        as_path(address)
    assert cli.main(["stats", address, "-o", str(tmp_path / "out")]) == 2
    shown = f"{caught.value!r} {capsys.readouterr().err}"
    assert not any(part in shown for part in ("sec", "ret", "me:"))


def test_a_password_reaches_no_file_and_no_screen(bucket, folder, tmp_path, capsys):
    secret = upload(folder, bucket, "memory://me:secret@bucket/masks")
    out = tmp_path / "out"
    assert cli.main(["stats", secret, "-k", "2", "-o", str(out)]) == 0
    assert cli.main(["check", "--json", secret]) == 1
    captured = capsys.readouterr()
    inputs = json.loads((out / "provenance.json").read_text())["inputs"]
    assert inputs[0]["folder"].startswith("memory://***@bucket")
    assert not any(b"secret" in file.read_bytes() for file in out.iterdir())
    assert "secret" not in captured.out + captured.err


@pytest.mark.parametrize("start", ["file://", "local://", "FILE://localhost", "file://LocalHost"])
def test_a_file_url_is_a_path_of_this_computer(start, folder):
    assert as_path(f"{start}/data/my%20masks") == Path("/data/my masks")
    assert load_cohort(f"{start}{folder}").patients == load_cohort(folder).patients


def test_a_url_gives_the_same_bits_as_a_folder(folder, url):
    (listing, stats), (own, own_stats) = folder_stats(url, 2), folder_stats(folder, 2)
    assert listing.patients == own.patients
    assert {patient.status for patient in listing.patients} == {"used", "skipped"}
    assert listing.notes == own.notes
    assert listing.name == own.name == "masks"
    assert listing.table.equals(own.table)
    assert stats.voxels == own_stats.voxels > 0
    for key, array in own_stats.arrays.items():
        np.testing.assert_array_equal(stats.arrays[key], array, strict=True)
    cohorts = [load_cohort(place, pattern="*lesion*") for place in (url, folder)]
    assert cohorts[0].patients == cohorts[1].patients
    np.testing.assert_array_equal(cohorts[0].indices, cohorts[1].indices)


def test_check_says_the_same_of_a_url(folder, url):
    report, own = check_path(url), check_path(folder)
    assert report.files == own.files
    assert report.path == url
    mask = "sub-000_lesion.nii.gz"
    like = check_path(f"{url}/{mask}", like=f"{url}/sub-001_lesion.nii.gz")
    assert like.files == check_path(folder / mask).files
    assert check_path(f"{url}/none.nii").files[0].reasons[0].startswith("file not found")
    assert check_path(f"{url}/participants.tsv").exit_code == 0


def test_a_participants_table_is_found_above_or_named(folder, bucket):
    def age(cohort):
        return cohort.table.set_index("patient")["age"]["sub-000"]

    table = (folder / "participants.tsv").read_bytes()
    (folder / "participants.tsv").unlink()
    url = upload(folder, bucket, "memory://bucket/study/masks")
    assert load_cohort(url).participants is None
    bucket.pipe_file("memory://bucket/study/participants.tsv", table)
    cohort = load_cohort(url)
    assert age(cohort) == 61
    assert str(cohort.participants.path) == "memory://bucket/study/participants.tsv"
    assert load_cohort(url, within=url).participants is None
    named = "memory://bucket/other.tsv"
    bucket.pipe_file(named, table.replace(b"61", b"70"))
    assert age(load_cohort(folder, participants=named)) == 70


def test_the_commands_take_urls(url, bucket, tmp_path, capsys):
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


def test_results_are_written_to_a_url_and_show_no_password(bucket, folder, capsys):
    out = "memory://me:secret@bucket/out"
    assert cli.main(["stats", str(folder), "-k", "2", "-o", out]) == 0
    captured = capsys.readouterr()
    assert "files in memory://***@bucket/out" in captured.out
    assert "secret" not in captured.out + captured.err
    written = [bucket.cat_file(path) for path in bucket.find(out)]
    assert len(written) == 6
    assert not any(b"secret" in content for content in written)


def test_the_dashboard_serves_no_url(capsys):
    assert cli.main(["serve", "--data-root", "memory://bucket/study"]) == 2
    assert "is a URL, a folder of this computer is needed" in capsys.readouterr().err


def test_files_behind_a_url_are_checked_as_local_ones_are(bucket, table, driver):
    with pytest.raises(InputError, match="file or folder not found"):
        read_text(as_path("memory://bucket/none.csv"))
    assert (read_bytes(table, head=4), read_bytes(table)) == (b"0123", b"0123456789")
    with pytest.raises(InputError, match="is too large: 10 bytes, 5 allowed"):
        read_bytes(table, max_bytes=5)
    driver("info", lambda work, *_: work() | {"size": 11})
    with pytest.raises(InputError, match="changed while reading"):
        read_bytes(table)


@pytest.mark.parametrize("head", [None, 100])
def test_an_empty_file_is_told_also_where_a_store_refuses_a_range_of_it(bucket, driver, head):
    bucket.pipe_file(TABLE, b"")
    with pytest.raises(InputError, match="file is empty"):
        read_bytes(as_path(TABLE), head)
    driver("cat_file", fails(OSError(22, "InvalidRange")))
    with pytest.raises(InputError, match="file is empty"):
        read_bytes(as_path(TABLE), head)


def test_a_file_that_is_replaced_between_two_reads_is_refused(bucket, tmp_path, driver):
    masks = random_masks(2, shape=(60, 60, 60))
    folder = write_masks(tmp_path / "m", masks, names=["a.nii", "b.nii"])
    url = upload(folder, bucket, "memory://bucket/m")
    other = (folder / "b.nii").read_bytes()

    def replace(work, path, *_):
        content = work()
        bucket.pipe_file(path, other)
        return content

    driver("cat_file", replace)
    with pytest.raises(InputError, match="changed while reading"):
        read_mask(f"{url}/a.nii")


def test_keys_that_are_no_paths_and_halves_of_images_are_told(bucket, url):
    bucket.pipe_file(f"{url}/b//sub-x.nii", b"x")
    skipped = {patient.file: patient.reason for patient in load_cohort(url).patients}
    assert "two slashes" in skipped["b/sub-x.nii"]
    bucket.pipe_file("memory://bucket/m/sub-1.img", b"x")
    with pytest.raises(InputError, match=r"the .hdr file is missing; copy sub-1.hdr too"):
        read_mask("memory://bucket/m/sub-1.img")


def test_a_server_that_gives_more_than_was_asked_for_is_cut(table, driver, monkeypatch):
    """A server that knows no ranges, and tells no sizes."""
    whole = MemoryFileSystem.cat_file
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda self, path, **_: whole(self, path))
    driver("info", lambda work, *_: work() | {"size": None})
    assert read_bytes(table, head=4) == b"0123"
    assert read_bytes(table, max_bytes=10) == read_bytes(table) == b"0123456789"
    with pytest.raises(InputError, match="is too large: more than the 9 bytes allowed"):
        read_bytes(table, max_bytes=9)


def test_no_more_than_is_allowed_is_asked_for(table, monkeypatch):
    cat, ends = MemoryFileSystem.cat_file, []

    def note(self, path, start=None, end=None, **options):
        ends.append(end)
        return cat(self, path, start, end, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", note)
    read_bytes(table, max_bytes=50)
    assert ends == [11]


def test_a_driver_that_is_not_installed_is_named_with_the_remedy(monkeypatch):
    fsspec.register_implementation(
        "nodriver", "no_such_driver.FileSystem", clobber=True, errtxt="Install no_such_driver"
    )
    match = r"^nodriver://b/m: the driver for nodriver:// is not installed; Install no_such_driver"
    with pytest.raises(SetupError, match=match):
        load_cohort("nodriver://b/m")
    with pytest.raises(SetupError, match="the driver for nodriver"):
        read_mask("nodriver://b/m.nii")
    # Not s3fs, which fsspec keeps once another test has used it.
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(SetupError, match=r"the driver for gs:// is not installed; .*gcsfs"):
        load_cohort("gs://bucket/masks")
    for name in ("fsspec", "fsspec.core"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SetupError, match=r"URLs need fsspec.*pip install 'lesion-dash\[cluster"):
        load_cohort("s3://bucket/masks")


def raised(name, text="secret", **attributes):
    """An error of a driver's own kind: many are not OSError, and hold the address in their text."""
    error = type(name, (Exception,), {})(text)
    vars(error).update(attributes)
    return error


def client_error(status):
    """As Amazon's library tells it."""
    response = {"ResponseMetadata": {"HTTPStatusCode": status}}
    return raised("ClientError", response=response)


REFUSED = "no permission to read; check your credentials"
STOPPED = "in each of 4 tries; check the network"
FAULTS = [
    (PermissionError("s3://me:secret@bucket"), REFUSED),
    (raised("HttpError", "token=secret", status=403), REFUSED),
    (client_error(403), REFUSED),
    (raised("NoCredentialsError"), REFUSED),
    (raised("TokenRetrievalError"), REFUSED),
    (raised("EndpointConnectionError"), f"(EndpointConnectionError) {STOPPED}"),
    (TimeoutError("secret"), f"reading stopped (TimeoutError) {STOPPED}"),
    (ConnectionResetError("secret"), f"reading stopped (ConnectionResetError) {STOPPED}"),
    (client_error(503), f"reading stopped (ClientError) {STOPPED}"),
    (client_error(400), "the driver cannot read this address (ClientError)"),
    (ModuleNotFoundError("x", name="libsmb.y"), "driver for memory:// is not installed; pip"),
]
each_fault = pytest.mark.parametrize(("error", "words"), FAULTS, ids=[words for _, words in FAULTS])


@each_fault
@pytest.mark.parametrize("method", ["info", "find"])
def test_a_folder_whose_driver_fails_is_one_sentence_without_a_password(
    bucket, driver, error, words, method
):
    bucket.pipe_file("memory://me:secret@bucket/masks/sub-1.nii", b"x")
    driver(method, fails(error))
    match = rf"^memory://\*\*\*@bucket/masks: .*{re.escape(words)}"
    with pytest.raises(InputError, match=match) as caught:
        load_cohort("memory://me:secret@bucket/masks")
    assert caught.value.__cause__ is None
    assert "secret" not in f"{caught.value} {caught.value!r} {caught.value.details}"


@each_fault
def test_a_file_whose_driver_fails_ends_the_run_and_is_no_bad_mask(
    bucket, folder, driver, tmp_path, capsys, error, words
):
    secret = upload(folder, bucket, "memory://me:secret@bucket/masks")
    driver("cat_file", fails(error, where="sub-004"))
    out = tmp_path / "out"
    assert cli.main(["stats", secret, "-o", str(out)]) == 2
    shown = capsys.readouterr().err
    assert "memory://***@bucket/masks/sub-004_lesion.nii.gz: " in shown
    assert words in shown
    assert "secret" not in shown
    assert not out.exists()
    report = check_path(secret)
    assert report.exit_code == 2
    assert "secret" not in repr(report)


@pytest.mark.parametrize("method", ["cat_file", "info", "find"])
def test_a_fault_that_passes_changes_nothing(url, driver, pauses, method):
    expected = load_cohort(url).patients
    driver(method, fails(ConnectionResetError("secret"), times=3))
    assert load_cohort(url).patients == expected
    assert max(pauses) > 0


def test_pauses_grow_and_end(table, driver, pauses):
    driver("cat_file", fails(TimeoutError()))
    with pytest.raises(SetupError, match="in each of 4 tries"):
        read_bytes(table, head=10)
    assert len(pauses) == 3
    assert pauses == sorted(set(pauses))


def test_what_will_not_change_is_not_asked_again(table, driver, pauses):
    driver("cat_file", fails(PermissionError(), times=1))
    with pytest.raises(SetupError, match="no permission to read"):
        read_bytes(table, head=10)
    assert not pauses


def test_a_file_that_was_listed_and_has_gone_is_skipped_with_a_clear_reason(url, driver):
    driver("cat_file", fails(FileNotFoundError("secret"), where="sub-004"))
    reasons = {patient.id: patient.reason for patient in load_cohort(url).patients}
    assert reasons["sub-004"].startswith("file not found, although it was listed a moment ago; run")


def test_a_participants_table_that_cannot_be_fetched_is_an_error_where_there_is_one(
    bucket, folder, url, driver
):
    bucket.pipe_file(f"{url}/participants.json", b"{}")  # with the units
    for name in ("participants.json", "participants.tsv"):
        driver("cat_file", fails(ConnectionError(), where=name))
        with pytest.raises(SetupError, match=rf"{name}: reading stopped"):
            load_cohort(url)
    # A folder above that may not be listed answers so whether the table is there or not.
    bucket.rm_file(f"{url}/participants.tsv")
    driver("info", fails(PermissionError(), where="participants"))
    assert load_cohort(url).participants is None
