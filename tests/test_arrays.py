"""Arrays of .npy, .npz and .pkl files: what numpy and pickle read, bounded by what a file holds."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np
import pandas as pd
import pickled
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pickled import PROTOCOLS, TYPES, layouts, numbers, peak_of

from lesion_dash.core.errors import InputError
from lesion_dash.scans.arrays import read_array

MEGABYTE = 2**20


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


def zipped(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def listing_says(content: bytes, offset: int, value: int) -> bytes:
    """An archive whose list of contents tells another number of its first array."""
    place = content.index(b"PK\x01\x02") + offset
    return content[:place] + struct.pack("<I", value) + content[place + 4 :]


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arrays")

    def read_content(content: bytes, ending: str = "npy", name=None, unpack_mb=None):
        path = folder / f"array.{ending}"
        path.write_bytes(content)
        return read_array(path, name, unpack_mb)

    return read_content


def assert_same(stored, expected):
    # numpy turns bytes round as it unpickles; here they stay, and mean the same.
    assert stored.array.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
    assert stored.array.shape == expected.shape
    assert not stored.array.flags.writeable
    np.testing.assert_array_equal(stored.array, expected)


@pytest.mark.parametrize("code", TYPES)
def test_every_layout_is_what_numpy_reads(read, code):
    for _, array in layouts(numbers(code)):
        files = [(npy(array), "npy"), (npz(data=array), "npz"), (npz(False, data=array), "npz")]
        for content, ending in files:
            stored = read(content, ending)
            assert stored.array.dtype == np.load(io.BytesIO(npy(array))).dtype
            assert_same(stored, array)


def test_npy_headers_of_python_2_and_version_2(read):
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 3L, 4L)}\n"
    for version in (b"\x01\x00", b"\x02\x00"):
        stored = read(header(text, version) + bytes(range(24)))
        assert_same(stored, np.arange(24, dtype="u1").reshape(2, 3, 4))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_layout_is_what_pickle_gives(read, protocol):
    for code in TYPES:
        for _, array in layouts(numbers(code)):
            content = pickle.dumps(array, protocol)
            stored = read(content, "pkl")
            assert_same(stored, pickle.loads(content))
            assert (stored.name, stored.affine, stored.notes) == ("", None, ())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_1_calls_its_modules_by_other_names(read, protocol):
    array = numbers("f4")
    content = pickle.dumps(array, protocol)
    if protocol > 3:  # where a name is written with its length
        content = content.replace(b"\x16numpy._core.multiarray", b"\x15numpy.core.multiarray")
        content = content.replace(b"\x13numpy._core.numeric", b"\x12numpy.core.numeric")
        content = content[:2] + content[11:]  # without the frame, whose length has changed
    content = content.replace(b"numpy._core", b"numpy.core")
    assert b"numpy._core" not in content
    assert_same(read(content, "pkl"), array)
    content = pickle.dumps(array, 2).replace(b".multiarray\n", b"._multiarray_umath\n")
    for module in (b"numpy._core", b"numpy.core"):
        assert_same(read(content.replace(b"numpy._core", module), "pkl"), array)


@pytest.mark.parametrize(
    "write",
    [
        lambda content: b"S" + repr(content)[1:].encode() + b"\n",  # protocol 0: quoted, escaped
        lambda content: b"T" + len(content).to_bytes(4, "little") + content,  # protocol 2
    ],
)
def test_arrays_of_python_2(read, write):
    array = (numbers("i4", (7, 30, 100)) * 300 + 7).astype(">i2")
    kind = b"cnumpy\ndtype\n(S'i2'\nI0\nI1\ntR(I3\nS'>'\nNNNI-1\nI-1\nI0\ntb"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    state = b"(I1\n(L7L\nI30\nI100\nt" + kind + b"I00\n" + write(array.tobytes()) + b"tb"
    content = b"(dS'data'\n" + start + state + b"s."
    assert_same(read(content, "pkl"), array)
    np.testing.assert_array_equal(pickled.numpy_reads(content)["data"], array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_only_image_is_taken_with_its_affine(read, protocol):
    affine = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
    forms = (affine, affine.astype(">f4"), affine.tolist(), tuple(map(tuple, affine.tolist())))
    image, other = {"img": numbers("i2")}, {"TR": np.float64(2.5), "spacing": np.ones(3)}
    files = [
        (pickle.dumps({**image, key: own, **other}, protocol), "pkl")
        for key in ("affine", b"affine", "Affine")
        for own in forms
    ]
    for file, ending in (*files, (npz(**image, affine=affine, **other), "npz")):
        stored = read(file, ending)
        assert (stored.name, stored.affine.dtype) == ("img", float)
        np.testing.assert_array_equal(stored.affine, affine)
        assert stored.notes == ("array img is used; the file also holds TR, spacing",)
    assert read(pickle.dumps({**image, "affine": None}, protocol), "pkl").affine is None


@pytest.mark.parametrize("kind", [dict, list, tuple, "npz"])
def test_one_of_several_is_asked_for(read, kind):
    arrays = [numbers("u1"), numbers("f4"), numbers("i2", (2, 3, 4))]
    is_named = kind in (dict, "npz")
    names = ["sub-01", "sub-02", "sub-03"] if is_named else ["0", "1", "2"]
    named = dict(zip(names, arrays, strict=True))
    content = npz(**named) if kind == "npz" else pickle.dumps(named if is_named else kind(arrays))
    ending = "npz" if kind == "npz" else "pkl"
    match = rf"holds 3 arrays; name one .*--array`: {names[0]} \(3 x 4 x 5 uint8\), {names[1]} "
    for name, message in ((None, match), ("other", r"no array named 'other'; .*--array`")):
        with pytest.raises(InputError, match=message):
            read(content, ending, name)
    for name, array in named.items():
        stored = read(content, ending, name)
        assert stored.name == name
        assert_same(stored, array)


@pytest.mark.parametrize("protocol", PROTOCOLS[2:])
def test_harmless_things_beside_the_array(read, protocol):
    array = numbers("f8")
    content = {"data": array, "same": array, "text": "ü" * 5000, "big": 2**40}
    if protocol > 3:  # before, Python calls a function to make a set
        content |= {"tags": {"a", ("b", 1)}, "deep": [[{(1, 2): (2.5, -(10**9))}], frozenset([1])]}
    assert_same(read(pickle.dumps(content, protocol), "pkl", "same"), array)


def test_what_a_program_writes_otherwise_than_python(read):
    data = pickled.array(pickled.raw(bytes(24))) + b"s."
    assert read(b"(dS'a\\q'\n" + data, "pkl").name == "a\\q"  # an unknown escape
    row = b"(F1" + b"0" * 70 + b"\nK\0K\0K\0t"  # a number of many digits is not cut
    assert read(b"(dS'affine'\n(" + row * 4 + b"tsS'd'\n" + data, "pkl").affine[3, 0] == 1e70


@pytest.mark.parametrize("ending", ["npy", "pickle"])
def test_what_follows_the_array_is_said(read, ending):
    content = npy(numbers("u1")) if ending == "npy" else pickle.dumps(numbers("u1"))
    stored = read(content + b"more", ending)
    assert_same(stored, numbers("u1"))
    assert stored.notes == ("4 bytes after the array are ignored",)


@pytest.mark.parametrize("protocol", [None, *PROTOCOLS])
def test_how_much_is_held_at_once(read, protocol):
    """The file, and the array of a pickle; protocols 0 to 2 keep it as text, which is decoded."""
    array = np.random.default_rng(5).integers(0, 2**32, (60, 60, 60)).astype(">u4", order="F")
    content = npy(array) if protocol is None else pickle.dumps(array, protocol)
    ending = "npy" if protocol is None else "pkl"
    read(content, ending)
    limit = 1.1 if protocol is None else 2 if protocol > 2 else 5
    assert peak_of(lambda: read(content, ending)) < limit * len(content) + MEGABYTE


FAULTS = {
    "objects": (npy(np.array([{}], object), allow_pickle=True), "objects are not allowed"),
    "records": (npy(np.zeros(2, [("a", "i4"), ("b", "f8")])), "records of several fields"),
    "records of text": (header("{'descr': []}", b"\x03\x00"), "records of several fields"),
    "type of nothing": (says((1,), ()), "header is damaged"),
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

    def refuse():
        with pytest.raises(InputError, match=rf"array\.npy: .*({match}).*; "):
            read(content)

    assert peak_of(refuse) < 2**24  # the parser of Python takes it for a header of 10 kB
    if content[1:6] == b"NUMPY":
        with pytest.raises(InputError, match=r"array\.npz: .*; "):
            read(zipped(data=content), "npz")


def test_a_fault_beside_an_array_is_not_its_own(read):
    archive = zipped(good=npy(numbers("u1")), bad=FAULTS["objects"][0])
    assert read(archive, "npz").name == "good"
    with pytest.raises(InputError, match="objects are not allowed"):
        read(archive, "npz", "bad")


ARCHIVE = npz(data=numbers("i2"), affine=np.eye(4))
LONGER = says((3, 4, 6))
BAD_ARCHIVES = {
    # The list of contents says what an array takes; header and compressed bytes must agree.
    "huge": (listing_says(ARCHIVE, 24, 2**31), r"impossible size|damaged"),
    "longer": (
        listing_says(zipped(data=LONGER + bytes(60)), 24, len(LONGER) + 72),
        r"archive is damaged .*expected 72 bytes got 60",
    ),
    "too many": (
        ARCHIVE[:-10] + struct.pack("<I", 2**24) + ARCHIVE[-6:],
        "list of contents of 16,777,216 bytes",
    ),
    "bzip2": (zipped(zipfile.ZIP_BZIP2, data=npy(numbers("u1"))), "numpy doesn't compress"),
    "lzma": (zipped(zipfile.ZIP_LZMA, data=npy(numbers("u1"))), "numpy doesn't compress"),
    "nothing": (zipped(), "holds no array of numbers"),
    "an affine": (npz(affine=np.eye(4)), "holds no array of numbers, but its affine"),
}


@pytest.mark.parametrize("case", BAD_ARCHIVES)
def test_faults_of_archives_are_sentences(read, case):
    content, match = BAD_ARCHIVES[case]
    with pytest.raises(InputError, match=match):
        read(content, "npz")


def test_a_bomb_is_not_unpacked(read):
    archive = zipped(data=says((70, 10**6)) + bytes(70 * 10**6))
    assert len(archive) < 10**5

    def refuse():
        match = r"unpacks to 71 MB from 6\d,\d\d\d bytes: more than 2 times as many, and than 64 MB"
        with pytest.raises(InputError, match=match):
            read(archive, "npz")

    refuse()
    assert peak_of(refuse) < 4 * len(archive)


def test_what_is_unpacked_unasked(read):
    """Twice the compressed bytes, however many, or a fixed number, however few."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 60, 70), np.uint8)
    half = noise * (np.indices(noise.shape)[0] < 28)  # so much noise, and the rest zeros
    less = noise * (np.indices(noise.shape)[0] < 22)
    flat = np.zeros((10, 100, 99), np.uint8)
    for array in (half, flat):
        assert_same(read(npz(data=array), "npz", unpack_mb=0.1), array)
    with pytest.raises(InputError, match="more than 2 times as many"):
        read(npz(data=less), "npz", unpack_mb=0.1)
    # The file itself is the most that can be compressed in it, whatever it says.
    # Python 3.13 refuses such a listing by itself.
    with pytest.raises(InputError, match=r"unpacks to 1 MB from|Overlapped entries"):
        read(listing_says(npz(data=flat), 20, 2**30), "npz", unpack_mb=0.001)


NO_AFFINES = (np.eye(3), [[1, 2], [3, 4]], "RAS", [["a"] * 4] * 4, [[10**400] * 4] * 4)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (np.array([object], object), "Python objects"),
        (np.array(["a", "b"]), "it holds text"),
        (np.array([b"a"]), "it holds text"),
        (np.zeros(3, [("a", "i4"), ("b", "f8")]), "records of several fields"),
        (np.array(["2020-01-01"], "M8[D]"), "dates"),
        (np.ones(3, np.longdouble), "values of type 'f16'"),
        (np.ma.masked_array(np.ones(3), [0, 1, 0]), r"a masked array .*array\.filled\(0\)"),
        (np.ones((2, 2)).view(np.matrix), "numpy.matrix"),
        (pd.DataFrame({"a": [1, 2]}), r"a pandas table .*table\.to_numpy"),
        (7, "a single value"),
        ("text", "a single value"),
        (2**200, "a single value"),
        ({}, "holds no array of numbers, but nothing else"),
        ({"a": 1, "b": [1.5]}, "holds no array of numbers, but a, b"),
        ([[1, 2], [3, 4]], r"holds no array of numbers, but 0, 1.*numpy\.save"),
        (list(range(30_000)), "lists of numbers"),
        ({(1, 2): np.ones(3)}, "keys are neither text nor numbers"),
        ({1: np.ones(3), "1": np.zeros(3)}, "two things named '1'"),
        ({"affine": np.eye(4), b"affine": 2 * np.eye(4)}, "two things named 'affine'"),
        ({"x": np.ones(3), "affine": np.eye(4), "Affine": np.eye(4)}, "2 affines: affine, Affine"),
        ({"a" * 300: np.ones(3)}, "a name of 300 characters"),
        *(
            ({"x": np.ones(3), "affine": wrong}, "affine is not a matrix of 4 x 4 numbers")
            for wrong in NO_AFFINES
        ),
    ],
)
def test_a_pickle_of_no_array_of_numbers(read, value, match):
    for protocol in (2, 5):
        with pytest.raises(InputError, match=rf"array\.pkl: .*{match}"):
            read(pickle.dumps(value, protocol), "pkl")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"PK\x03\x04" + bytes(50), r"zip archive, as torch\.save"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02", r"file of torch\.save"),
        (b"\x1f\x8b\x08" + bytes(20), "compressed by gzip"),
        (b"\x93NUMPY\x01\0", r"is a \.npy file"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"hello\n", "is not a pickle, or damaged"),
        (b"\xff\xfe", "is not a pickle, or damaged .*byte 255 at 0"),
        (b"\x80\x09N.", "protocol: 9"),
        (b"", "file is empty"),
        (pickle.dumps(numbers("u1")), "holds one array, without a name: omit --array"),
        (pickle.dumps({"data": np.zeros((2, 0, 3))}, 5), r"no values: its shape is \(2, 0, 3\)"),
    ],
)
def test_other_files_are_told(read, content, match):
    with pytest.raises(InputError, match=match):
        read(content, "pkl", "data")


def test_other_endings_and_missing_files_are_told(read):
    with pytest.raises(InputError, match=r"ends in none of \.npy, \.npz, \.pkl, \.pickle"):
        read(b"x", "mat")
    with pytest.raises(InputError, match="file not found"):
        read_array("nowhere.pkl")


def test_a_cut_file_is_refused_wherever_it_is_cut(read):
    content = {"data": numbers("i2", (2, 3, 2)), "affine": np.eye(4)}
    files = [(pickle.dumps(content, protocol), "pkl") for protocol in PROTOCOLS]
    for file, ending in [*files, (ARCHIVE, "npz")]:
        for length in range(1, len(file), 11):
            with pytest.raises(InputError, match=rf"array\.{ending}: .*; (copy|save)"):
                read(file[:length], ending)


HONEST = [
    (protocol, array, pickle.dumps(value, protocol))
    for protocol in PROTOCOLS
    for _, array in layouts(numbers(">i2", (2, 3, 4)))
    for value in (array, {"data": array, "affine": np.eye(4)})
]
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4)


def changed(content: bytes, changes, start: int = 0, length: int | None = None) -> bytes:
    made = bytearray(content)
    for place, value in changes:
        made[start + int(place * ((length or len(content)) - 1))] = value
    return bytes(made)


def array_or_none(read, content: bytes, ending: str) -> np.ndarray | None:
    try:
        return read(content, ending).array
    except InputError as error:
        assert error.subject.endswith(f"array.{ending}")  # noqa: PT017 - either outcome is right
        return None


@settings(max_examples=250)
@given(CHANGES)
def test_changed_files_of_numpy_are_what_it_reads_or_a_sentence(read, changes):
    array = array_or_none(read, changed(ARCHIVE, changes), "npz")
    if array is not None:  # the archive's checksums leave no other numbers
        np.testing.assert_array_equal(array, numbers("i2"))
    content = changed(npy(numbers("i2")), changes, 0, 128)
    array = array_or_none(read, content, "npy")
    if array is not None:
        np.testing.assert_array_equal(array, np.load(io.BytesIO(content)))


@settings(max_examples=250)
@given(st.sampled_from(HONEST), CHANGES)
def test_a_changed_pickle_is_an_array_or_a_sentence(read, case, changes):
    protocol, array, honest = case
    content = changed(honest, changes)
    made = array_or_none(read, content, "pkl")
    if made is not None:
        assert made.nbytes <= len(content)
        # Nothing is made up: the numbers lie in the file, in one piece.
        assert protocol < 3 or made.ravel(order="K").tobytes() in content
    if protocol < 3:
        return
    # Changed numbers are what pickle gives.
    orders = (array, array.byteswap(), array.ravel(order="K"), array.ravel(order="F"))
    start = next(place for order in orders if (place := honest.find(order.tobytes())) > 0)
    content = changed(honest, changes, start, array.nbytes)
    value = pickled.numpy_reads(content)
    assert_same(read(content, "pkl"), value["data"] if isinstance(value, dict) else value)


@settings(max_examples=100)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_are_an_array_or_a_sentence(read, content):
    for ending in ("pkl", "npy", "npz"):
        assert array_or_none(read, content, ending) is None
