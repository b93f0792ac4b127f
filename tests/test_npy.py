"""Files of numpy.save and numpy.savez: what numpy reads, bounded by what the file holds."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pickled
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pickled import TYPES, layouts, numbers

from lesion_dash.core.errors import InputError
from lesion_dash.scans.arrays import read_array


def npy(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode("latin-1")


def says(shape: object, descr: object = "|u1", order: object = False) -> bytes:
    return header(f"{{'descr': {descr!r}, 'fortran_order': {order!r}, 'shape': {shape!r}}}\n")


def npz(compressed: bool = True, **arrays) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


@pytest.fixture
def read(tmp_path):
    def read_content(content: bytes, ending: str = "npy", name=None):
        path = tmp_path / f"array.{ending}"
        path.write_bytes(content)
        return read_array(path, name)

    return read_content


@pytest.mark.parametrize("code", TYPES)
def test_every_layout_is_what_numpy_reads(read, code):
    for _, array in layouts(numbers(code)):
        for content, ending in (
            (npy(array), "npy"),
            (npz(data=array), "npz"),
            (npz(False, data=array), "npz"),
        ):
            found = read(content, ending).array
            assert found.dtype == np.load(io.BytesIO(npy(array))).dtype
            np.testing.assert_array_equal(found, array)
            assert not found.flags.writeable


def test_headers_of_python_2_and_version_2(read):
    array = np.arange(24, dtype="<i2").reshape(2, 3, 4)
    text = "{'descr': '<i2', 'fortran_order': False, 'shape': (2L, 3L, 4L)}\n"
    for version in (b"\x01\x00", b"\x02\x00"):
        found = read(header(text, version) + array.tobytes()).array
        np.testing.assert_array_equal(found, array)


def test_what_follows_is_said(read):
    assert read(npy(numbers("u1")) + b"more").notes == ("4 bytes after the array are ignored",)


def test_no_second_copy_is_held(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.asfortranarray(numbers(">f4", (100, 100, 100))))
    tracemalloc.start()
    read_array(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * path.stat().st_size


FAULTS = {
    "objects": (npy(np.array([{}], object), allow_pickle=True), "objects are not allowed"),
    "records": (npy(np.zeros(2, [("a", "i4"), ("b", "f8")])), "records of several fields"),
    "records of text": (header("{'descr': []}", b"\x03\x00"), "records of several fields"),
    "sub-array": (says((1,), [("a", "u1", (9, 9))]) + bytes(81), "records"),
    "text": (npy(np.array(["a"])), "it holds text"),
    "dates": (npy(np.zeros(2, "M8[s]")), "dates"),
    "long double": (npy(np.ones(2, np.longdouble)), "values of type 'f16'"),
    "claims 1 TB": (says((10**4, 10**4, 10**4)) + bytes(64), r"impossible size: 10000 x 10000"),
    "claims more than 64 bits": (says((10**18,) * 5) + bytes(64), "impossible size"),
    "negative": (says((-2, -3, 4)) + bytes(24), r"impossible size: \(-2, -3, 4\)"),
    "empty": (npy(np.zeros((3, 0))), "holds no values"),
    "many axes": (says((1,) * 60) + bytes(1), "60 axes"),
    "one byte short": (npy(numbers("u1"))[:-1], "file is truncated"),
    "header cut": (npy(numbers("u1"))[:40], "header is damaged"),
    "mark alone": (b"\x93NUMPY", "header is damaged"),
    "version 9": (header("{}", b"\x09\x00"), "header is damaged|version"),
    "no dict": (header("[1]\n"), "header is damaged"),
    "a call": (header("__import__('os').system('x')\n"), "header is damaged"),
    "deep": (header("(" * 9000 + "\n"), "header is damaged"),
    "many digits": (header("{'shape': (" + "9" * 6000 + ",)}\n"), "header is damaged"),
    "long": (header(" " * 60_000 + "\n"), "header is damaged"),
    "order": (says((2,), order=7) + bytes(2), "header is damaged"),
    "shape": (says([2]) + bytes(2), "header is damaged"),
    "truth as length": (says((True, 2)) + bytes(2), "impossible size|damaged"),
    "type": (says((2,), "|z9") + bytes(2), "header is damaged"),
    "an archive": (npz(a=numbers("u1")), "is an archive of arrays"),
    "no mark": (b"numbers 1 2 3", "its mark is missing"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_sentences(read, case):
    content, match = FAULTS[case]
    tracemalloc.start()
    with pytest.raises(InputError, match=rf"array\.npy: .*({match}).*; "):
        read(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24  # the parser of Python takes it for a header of 10 kB


@pytest.mark.parametrize("case", [case for case in FAULTS if FAULTS[case][0][1:6] == b"NUMPY"])
def test_faults_in_an_archive_are_sentences(read, case):
    with pytest.raises(InputError, match=r"array\.npz: .*; "):
        read(zipped(data=FAULTS[case][0]), "npz")


def test_a_fault_beside_an_array_is_not_its_own(read):
    archive = zipped(good=npy(numbers("u1")), bad=FAULTS["objects"][0])
    assert read(archive, "npz").name == "good"
    with pytest.raises(InputError, match="objects are not allowed"):
        read(archive, "npz", "bad")


def test_one_of_several_is_asked_for(read):
    arrays = {"t1": numbers("f4"), "mask": numbers("u1"), "tr": np.array(2.0)}
    content = npz(**arrays)
    with pytest.raises(
        InputError, match=r"holds 3 arrays; .*--array`: t1 \(3 x 4 x 5 float32\), mask"
    ):
        read(content, "npz")
    for name, array in arrays.items():
        np.testing.assert_array_equal(read(content, "npz", name).array, array)


def test_an_archive_brings_its_affine(read):
    affine = np.diag([2.0, 2, 3, 1])
    found = read(npz(data=numbers("f4"), affine=affine, spacing=np.ones(3)), "npz")
    np.testing.assert_array_equal(found.affine, affine)
    assert found.notes == ("of the file, data is used; left out: spacing",)


def test_an_archive_without_arrays(read):
    with pytest.raises(InputError, match="holds no array of numbers"):
        read(zipped(), "npz")


def test_a_bomb_is_not_unpacked(read):
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made,
        made.open("data.npy", "w") as member,
    ):
        member.write(says((800, 10**6)))
        for _ in range(800):
            member.write(bytes(10**6))
    archive = file.getvalue()
    assert len(archive) < 10**6
    tracemalloc.start()
    match = (
        r"unpacks to 801 MB from 7\d\d,\d\d\d bytes: more than 2 times as many, and than 64 MB; "
    )
    with pytest.raises(InputError, match=match):
        read(archive, "npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(archive)


def test_what_is_unpacked_unasked(read, monkeypatch):
    """Twice the compressed bytes, however many, or a fixed number, however few."""
    monkeypatch.setattr("lesion_dash.scans.arrays.UNPACKED", 100_000)
    noise = np.random.default_rng(0).integers(0, 256, (50, 60, 70), np.uint8)
    half = noise * (np.indices(noise.shape)[0] < 28)  # so much noise, and the rest zeros
    np.testing.assert_array_equal(read(npz(data=half), "npz").array, half)
    with pytest.raises(InputError, match="more than 2 times as many"):
        read(npz(data=half * (np.indices(noise.shape)[0] < 22)), "npz")
    flat = np.zeros((10, 100, 99), np.uint8)
    assert not read(npz(data=flat), "npz").array.any()


def test_an_archive_that_overstates_its_compressed_bytes(read, monkeypatch):
    """The file itself is the most that can be compressed in it."""
    monkeypatch.setattr("lesion_dash.scans.arrays.UNPACKED", 1000)
    content = bytearray(zipped(data=npy(np.zeros((10, 100, 99), np.uint8))))
    place = content.index(b"PK\x01\x02") + 20
    content[place : place + 4] = struct.pack("<I", 2**30)
    with pytest.raises(InputError, match="unpacks to 1 MB from"):
        read(bytes(content), "npz")


def test_an_affine_alone_is_no_array(read):
    with pytest.raises(InputError, match="holds no array of numbers, but its affine"):
        read(npz(affine=np.eye(4)), "npz")


def test_an_archive_that_lies_about_a_size(read):
    """The list of contents says what an array takes; the array's own header must agree."""
    content = bytearray(npz(data=numbers("u1")))
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 2**31)
    with pytest.raises(InputError, match=r"impossible size|damaged"):
        read(bytes(content), "npz")


def test_an_archive_that_ends_too_early(read):
    """Header and list of contents agree; the compressed bytes, and their checksum, are fewer."""
    start = says((3, 4, 6))
    content = bytearray(zipped(data=start + bytes(60)))
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", len(start) + 72)
    with pytest.raises(InputError, match=r"data\.npy: holds another number of bytes"):
        read(bytes(content), "npz")


def test_an_archive_of_too_many(read):
    content = npz(data=numbers("u1"))
    end = bytearray(content[-22:])
    end[12:16] = struct.pack("<I", 2**24)
    with pytest.raises(InputError, match="list of contents of 16,777,216 bytes"):
        read(content[:-22] + bytes(end), "npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(read, method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("data.npy", npy(numbers("u1")))
    with pytest.raises(InputError, match="compressed as numpy doesn't compress"):
        read(file.getvalue(), "npz")


ARCHIVE = npz(data=numbers("i2"), affine=np.eye(4))


def test_a_cut_archive_is_refused(read):
    for length in range(1, len(ARCHIVE), 5):
        with pytest.raises(InputError, match=r"array\.npz: "):
            read(ARCHIVE[:length], "npz")


@settings(max_examples=500)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_changed_archive_is_the_array_or_a_sentence(tmp_path_factory, changes):
    content = bytearray(ARCHIVE)
    for place, value in changes:
        content[int(place * (len(content) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    path.write_bytes(content)
    try:
        found = read_array(path)
    except InputError:
        return
    # The archive's checksums leave no other numbers.
    np.testing.assert_array_equal(found.array, numbers("i2"))


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(0, 127), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_changed_header_is_what_numpy_reads_or_a_sentence(tmp_path_factory, changes):
    content = bytearray(npy(numbers("i2")))
    for place, value in changes:
        content[place] = value
    path = tmp_path_factory.getbasetemp() / "changed.npy"
    path.write_bytes(content)
    try:
        found = read_array(path).array
    except InputError:
        return
    np.testing.assert_array_equal(found, np.load(path))


def test_the_ending_tells_the_format(tmp_path):
    path = tmp_path / "array.mat"
    path.write_bytes(b"x")
    with pytest.raises(InputError, match=r"ends in none of \.npy, \.npz, \.pkl, \.pickle"):
        read_array(path)


def test_an_empty_file_and_none(tmp_path):
    (tmp_path / "array.pkl").touch()
    with pytest.raises(InputError, match="file is empty"):
        read_array(tmp_path / "array.pkl")
    with pytest.raises(InputError, match="file not found"):
        read_array(tmp_path / "other.pkl")


def test_the_checksum_is_of_the_file(tmp_path):
    import hashlib

    path = tmp_path / "array.pickle"
    path.write_bytes(pickled.array(pickled.raw(bytes(24))) + b".")
    assert read_array(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
