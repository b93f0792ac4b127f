"""Masks behind a URL: the same as those of a local folder."""

from __future__ import annotations

import json

import numpy as np
import pytest
from buckets import empty_bucket, upload, write_study
from phantoms import write_masks

from lesion_dash import cli
from lesion_dash.analyses.validation import check_path
from lesion_dash.atlas.loading import load_atlas
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.core.errors import InputError
from lesion_dash.files.paths import as_path
from lesion_dash.files.reading import read_bytes, read_text
from lesion_dash.images.masks import read_mask
from lesion_dash.stats.topography import folder_stats

fsspec = pytest.importorskip("fsspec")
MemoryFileSystem = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem


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


def test_a_key_that_is_no_path_is_passed_over(bucket, folder):
    url = upload(folder, bucket, "memory://bucket/study/masks")
    bucket.pipe_file(f"{url}/b//sub-x.nii", b"x")
    skipped = {patient.file: patient.reason for patient in load_cohort(url).patients}
    assert "two slashes" in skipped["b/sub-x.nii"]


def test_an_image_without_its_header_file_is_told(bucket, tmp_path):
    bucket.pipe_file("memory://bucket/m/sub-1.img", b"x")
    with pytest.raises(InputError, match=r"the .hdr file is missing; copy sub-1.hdr too"):
        read_mask("memory://bucket/m/sub-1.img")


class Plain(MemoryFileSystem):
    """A server that knows no ranges, and tells no sizes."""

    protocol = "plain"

    @classmethod
    def _strip_protocol(cls, path):
        return MemoryFileSystem._strip_protocol(path.replace("plain://", "memory://"))

    def cat_file(self, path, start=None, end=None, **options):
        return super().cat_file(path)

    def info(self, path, **options):
        return super().info(path, **options) | {"size": None}


def test_a_server_that_gives_more_than_was_asked_for_is_cut(bucket):
    fsspec.register_implementation("plain", Plain, clobber=True)
    bucket.pipe_file("memory://bucket/table.csv", b"0123456789")
    path = as_path("plain://bucket/table.csv")
    assert read_bytes(path, head=4) == b"0123"
    assert read_bytes(path, most=10) == read_bytes(path) == b"0123456789"
    with pytest.raises(InputError, match="is too large: more than the 9 bytes allowed"):
        read_bytes(path, most=9)


def test_no_more_than_is_allowed_is_asked_for(bucket, monkeypatch):
    bucket.pipe_file("memory://bucket/table.csv", b"0123456789")
    cat, asked = MemoryFileSystem.cat_file, []

    def note(self, path, start=None, end=None, **options):
        asked.append(end)
        return cat(self, path, start, end, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", note)
    read_bytes(as_path("memory://bucket/table.csv"), most=50)
    assert asked == [11]
