"""Drivers that fail: asked again, then one sentence; never a patient fewer."""

from __future__ import annotations

import re
import sys

import fsspec
import pytest
from buckets import empty_bucket, upload, write_study

from lesion_dash import cli
from lesion_dash.analyses.validation import check_path
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError, SetupError
from lesion_dash.files.paths import as_path
from lesion_dash.files.reading import read_bytes
from lesion_dash.images.masks import read_mask

MemoryFileSystem = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem


@pytest.fixture
def bucket():
    with empty_bucket() as system:
        yield system


@pytest.fixture
def folder(tmp_path):
    return write_study(tmp_path / "study" / "masks")


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """How long was waited before each new try."""
    waited = []
    monkeypatch.setattr("lesion_dash.files.paths.time.sleep", waited.append)
    return waited


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


def client_error(status):
    """As Amazon's library tells it."""
    error = type("ClientError", (Exception,), {})("secret")
    error.response = {"ResponseMetadata": {"HTTPStatusCode": status}}
    return error


REFUSED = "no permission to read; check your credentials"
STOPPED = "in each of 4 tries; check the network"
FAULTS = [
    (PermissionError("s3://me:secret@bucket"), REFUSED),
    (HttpError("token=secret"), REFUSED),
    (client_error(403), REFUSED),
    (type("NoCredentialsError", (Exception,), {})("secret"), REFUSED),
    (type("TokenRetrievalError", (Exception,), {})("secret"), REFUSED),
    (EndpointConnectionError("https://me:secret@host"), f"(EndpointConnectionError) {STOPPED}"),
    (TimeoutError("secret"), f"reading stopped (TimeoutError) {STOPPED}"),
    (ConnectionResetError("secret"), f"reading stopped (ConnectionResetError) {STOPPED}"),
    (client_error(503), f"reading stopped (ClientError) {STOPPED}"),
    (client_error(400), "the driver cannot read this address (ClientError)"),
    (ModuleNotFoundError("x", name="libsmb.y"), "driver for memory:// is not installed; pip"),
]
each_fault = pytest.mark.parametrize(
    ("error", "words"),
    FAULTS,
    ids=[words for _, words in FAULTS],
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
def test_a_file_whose_driver_fails_ends_the_run_and_is_no_bad_mask(
    bucket, folder, monkeypatch, tmp_path, capsys, error, words
):
    secret = upload(folder, bucket, "memory://me:secret@bucket/masks")
    cat = MemoryFileSystem.cat_file

    def fail(self, path, **options):
        if "sub-004" in path:
            raise error
        return cat(self, path, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", fail)
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


def fails_times(monkeypatch, method, error, times):
    """The first calls of a driver's method fail, and those after them do not."""
    work, left = getattr(MemoryFileSystem, method), iter(range(times))

    def fail(self, *arguments, **options):
        if next(left, None) is not None:
            raise error
        return work(self, *arguments, **options)

    monkeypatch.setattr(MemoryFileSystem, method, fail)


@pytest.mark.parametrize("method", ["cat_file", "info", "find"])
def test_a_fault_that_passes_changes_nothing(bucket, folder, monkeypatch, pauses, method):
    url = upload(folder, bucket, "memory://bucket/masks")
    expected = load_cohort(url).patients
    fails_times(monkeypatch, method, ConnectionResetError("secret"), 3)
    assert load_cohort(url).patients == expected
    assert max(pauses) > 0


def test_pauses_grow_and_end(bucket, monkeypatch, pauses):
    bucket.pipe_file("memory://bucket/a.csv", b"x")
    fails_times(monkeypatch, "cat_file", TimeoutError(), 100)
    with pytest.raises(SetupError, match="in each of 4 tries"):
        read_bytes(as_path("memory://bucket/a.csv"), head=10)
    assert len(pauses) == 3
    assert pauses == sorted(set(pauses))


def test_what_will_not_change_is_not_asked_again(bucket, monkeypatch, pauses):
    bucket.pipe_file("memory://bucket/a.csv", b"x")
    fails_times(monkeypatch, "cat_file", PermissionError(), 1)
    with pytest.raises(SetupError, match="no permission to read"):
        read_bytes(as_path("memory://bucket/a.csv"), head=10)
    assert not pauses


def test_a_file_that_was_listed_and_has_gone_is_skipped_with_a_clear_reason(
    bucket, folder, monkeypatch
):
    url = upload(folder, bucket, "memory://bucket/masks")
    cat = MemoryFileSystem.cat_file

    def fail(self, path, **options):
        if "sub-004" in path:
            raise FileNotFoundError("secret")
        return cat(self, path, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", fail)
    reasons = {patient.id: patient.reason for patient in load_cohort(url).patients}
    assert reasons["sub-004"].startswith("file not found, although it was listed a moment ago; run")


def test_a_participants_table_that_cannot_be_fetched_is_not_left_out(bucket, folder, monkeypatch):
    url = upload(folder, bucket, "memory://bucket/masks")
    cat = MemoryFileSystem.cat_file

    def fail(self, path, **options):
        if "participants" in path:
            raise ConnectionError
        return cat(self, path, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", fail)
    with pytest.raises(SetupError, match=r"participants.tsv: reading stopped"):
        load_cohort(url)


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(SetupError, match=r"the driver for s3:// is not installed; Install s3fs"):
        load_cohort("s3://bucket/masks")


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
