"""Hostile pickles: nothing runs, nothing changes, little is allocated, and a sentence says why."""

from __future__ import annotations

import copyreg
import os
import pickle
import pickletools
import sys
import tracemalloc

import numpy as np
import pytest
from pickled import array, blank, call, dtype, name, number, raw, tuple_of, type_state, word

from lesion_dash.core.errors import InputError
from lesion_dash.scans.arrays import read_array

SENTINEL = "hostile_sentinel"
TOUCH = word(f"touch {SENTINEL}")
PYTHON = word(f"open({SENTINEL!r}, 'w')")
MULTIARRAY = "numpy._core.multiarray"
GOOD = raw(bytes(24))
MEGABYTE = 2**20
FIXED = 2 * MEGABYTE  # what following as many operations as may be takes, whatever they are


def stack_global(module: str, attribute: str) -> bytes:
    return word(module) + word(attribute) + b"\x93"


def in_dict(program: bytes) -> bytes:
    """Beside an honest array."""
    return b"}" + word("data") + array(GOOD) + b"s" + word("more") + program + b"s"


class Reduced:
    def __reduce__(self):
        return os.system, (f"touch {SENTINEL}",)


RUN_CODE = {
    "os.system": call(name("os", "system"), TOUCH),
    "posix.system": call(name("posix", "system"), TOUCH),
    "system of a stack": call(stack_global("posix", "system"), TOUCH),
    "subprocess": call(name("subprocess", "getoutput"), TOUCH),
    "eval": call(name("builtins", "eval"), PYTHON),
    "exec of Python 2": call(name("__builtin__", "execfile"), PYTHON),
    "getattr chain": call(
        call(name("builtins", "getattr"), name("numpy", "ndarray"), word("tofile")), PYTHON
    ),
    "attrgetter": call(name("operator", "attrgetter"), word("system")),
    "numpy.testing": call(name("numpy.testing._private.utils", "runstring"), PYTHON, b"}"),
    "numpy.f2py": call(name("numpy.f2py.crackfortran", "getlincoef"), PYTHON, b"}"),
    "numpy's own os": call(name("numpy.f2py.diagnose", "os.system"), TOUCH),
    "dotted attribute": call(stack_global("numpy", "f2py.diagnose.os.system"), TOUCH),
    "method by a dot": call(name("numpy", "ndarray.tofile"), array(GOOD), word(SENTINEL)),
    "dotted module": call(stack_global("numpy._core.multiarray.scalar", "__call__"), TOUCH),
    "numpy.load": call(name("numpy", "load"), word("other.pkl")),
    "numpy.memmap": call(name("numpy", "memmap"), word(SENTINEL)),
    "numpy.fromfile": call(name("numpy._core.multiarray", "fromfile"), word("/etc/hostname")),
    "import": call(name("importlib", "import_module"), word("antigravity")),
    "name with an end": call(name("numpy", "dtype "), word("u1")),
    "name with a NUL": call(stack_global("numpy\0.x", "dtype"), word("u1")),
    "capitals": call(name("Numpy", "Dtype"), word("u1")),
    "pickle in a pickle": call(name("pickle", "loads"), raw(b"cos\nsystem\n.")),
    "reconstruct of a class": call(
        name(MULTIARRAY, "_reconstruct"), name("posix", "system"), tuple_of(TOUCH), raw(b"b")
    ),
    "reconstruct of a type": call(
        name(MULTIARRAY, "_reconstruct"), name("numpy", "dtype"), tuple_of(number(0)), raw(b"b")
    )
    + tuple_of(number(1), tuple_of(number(24)), dtype(), b"\x89", GOOD)
    + b"b",
    "copyreg": call(name("copyreg", "_reconstructor"), name("builtins", "object"), b"NN"),
    "instance": b"(" + TOUCH + b"iposix\nsystem\n",
    "object": b"(" + name("posix", "system") + TOUCH + b"o",
    "new object": name("numpy", "ndarray") + tuple_of(tuple_of(number(8))) + b"\x81",
    "new object with names": name("numpy", "ndarray") + b")}" + b"\x92",
    "persistent id": b"P" + SENTINEL.encode() + b"\n",
    "persistent id of the stack": TOUCH + b"Q",
    "registry 1": b"\x82\x01",
    "registry 2": b"\x83\x01\x01",
    "registry 4": b"\x84\x01\x01\x01\x01",
    "next buffer": b"\x97",
    "read-only buffer": raw(b"x") + b"\x98",
    "call of a number": number(7) + b")R",
    "call of an array": array(GOOD) + b")R",
    "call with no tuple": name("numpy", "dtype") + b"]R",
    "stack name of numbers": number(1) + number(2) + b"\x93",
    "stack name of an array": array(GOOD) + word("system") + b"\x93",
    "build of a function": name(MULTIARRAY, "_reconstruct")
    + b"}"
    + word("__name__")
    + word("system")
    + b"sb",
    "build of the type": name("numpy", "dtype") + b"}" + word("x") + word("y") + b"sb",
    "build of a list": b"]}b",
    "build by a dict": blank() + b"}" + word("__class__") + number(1) + b"sb",
    "build by two states": blank() + tuple_of(b"}", b"}") + b"b",
    "build by attributes": dtype("u1") + b"}" + word("__reduce__") + TOUCH + b"sb",
    "array as a call": call(name("numpy", "ndarray"), tuple_of(number(2))),
    "other codec": call(name("_codecs", "encode"), word("x"), word("zlib_codec")),
    "codec of the file": call(name("_codecs", "encode"), word("x"), word("utf-32")),
    "codec without a name": call(name("_codecs", "encode"), word("x")),
    "errors of a codec": call(name("_codecs", "encode"), word("x"), word("latin1"), word("ignore")),
}
SIZES = {
    "more bytes": array(raw(bytes(25))),
    "fewer bytes": array(raw(bytes(23))),
    "fewer bytes of text": array(word(bytes(23))),
    "more bytes of text": array(word(bytes(25))),
    "wide text": array(word("ä" * 12)),
    "text that is no bytes": array(word("€" * 24)),
    "half a character": array(word(b"\xc3" * 24)),
    "negative shape": array(GOOD, (-2, -3, 4)),
    "shape of two negatives": array(GOOD, (-24, -1)),
    "empty shape": array(raw(b""), (0, 4)),
    "forty axes": array(raw(b"x"), (1,) * 40),
    "8 GiB": array(GOOD, (2**11, 2**11, 2**11)),
    "8 GiB of text": array(word("x" * 24), (2**11, 2**11, 2**11)),
    "more than 64 bits": array(GOOD, (2**31 - 1,) * 30),
    "8 GiB at once": call(name("numpy", "ndarray"), tuple_of(number(2**31 - 1), number(4))),
    "8 GiB of a bytearray": call(name("builtins", "bytearray"), number(2**31 - 1)),
    "shape of text": blank() + tuple_of(number(1), word("24"), dtype(), b"\x89", GOOD) + b"b",
    "shape of tuples": blank()
    + tuple_of(number(1), tuple_of(tuple_of(number(24))), dtype(), b"\x89", GOOD)
    + b"b",
    "objects": array(b"]", kind=dtype("O8", "|")),
    "objects as numbers": array(b"(" + number(1) + b"l"),
    "records": array(GOOD, kind=dtype("V24", "|")),
    "sub-array": array(GOOD, kind=call(name("numpy", "dtype"), word("(1000,1000)f8"), b"\x89\x88")),
    "fields": array(GOOD, kind=call(name("numpy", "dtype"), word("u1,u1"), b"\x89\x88")),
    "type by a name": array(GOOD, kind=call(name("numpy", "dtype"), word("float64"), b"\x89\x88")),
    "type of a huge name": array(GOOD, kind=call(name("numpy", "dtype"), word("f" * 400))),
    "type of an array": array(GOOD, kind=call(name("numpy", "dtype"), array(GOOD))),
    "byte order": array(GOOD, kind=dtype("u1", "x")),
    "type twice": array(GOOD, (12,), dtype("i2", "<") + type_state(">") + b"b"),
    "type of nothing": array(GOOD, kind=dtype() + tuple_of(*[b"N"] * 8) + b"b"),
    "flags of a type": array(
        GOOD,
        kind=call(name("numpy", "dtype"), word("u1"), b"\x89\x88")
        + tuple_of(number(3), word("|"), b"NNN", number(-1), number(-1), number(63))
        + b"b",
    ),
    "fields of a type": array(
        GOOD,
        kind=call(name("numpy", "dtype"), word("u1"), b"\x89\x88")
        + tuple_of(number(3), word("|"), b"N", tuple_of(word("a")), b"}" + number(1) * 2)
        + b"b",
    ),
    "no type": array(GOOD, kind=b"N"),
    "array twice": array(GOOD) + tuple_of(tuple_of(number(24)), dtype(), b"\x89", GOOD) + b"b",
    "never finished": blank(),
    "order of axes": call(
        name("numpy._core.numeric", "_frombuffer"),
        GOOD, dtype(), tuple_of(number(24)), word("K"), tuple_of(number(7)),
    ),
    "order": call(
        name("numpy._core.numeric", "_frombuffer"),
        GOOD, dtype(), tuple_of(number(24)), word("Z"),
    ),
}  # fmt: skip


def nested_keys(depth: int = 60) -> bytes:
    """A dict whose key is a pair of pairs of pairs ...: its hash takes 2**60 steps."""
    pair = b")" + b"2\x86" * depth
    return b"}" + pair + b"Ns"


BOMBS = {
    "text said to be long": b"\x8d" + (2**62).to_bytes(8, "little") + b"x",
    "bytes said to be long": b"\x8e" + (2**63 - 1).to_bytes(8, "little") + b"x",
    "bytearray said to be long": b"\x96" + (2**40).to_bytes(8, "little") + b"x",
    "frame said to be long": b"\x80\x04\x95" + (2**62).to_bytes(8, "little") + array(GOOD),
    "number of a megabyte": b"\x8b" + MEGABYTE.to_bytes(4, "little") + bytes(MEGABYTE),
    "number of many digits": b"I" + b"9" * MEGABYTE + b"\n",
    "long of many digits": b"L" + b"9" * MEGABYTE + b"L\n",
    "place in the memory": b"NI1\n0r" + b"\xff\xff\xff\x7f" + b"p9999999999999999999\n",
    "place of a negative": b"Np-1\n" + b"g-2\n",
    "many lists": b"(" + b"]" * 3 * MEGABYTE,
    "many marks": b"(" * 3 * MEGABYTE,
    "many dicts": b"}2" * MEGABYTE,
    "many numbers": b"](" + b"K\x01" * MEGABYTE + b"e",
    "a list in itself": b"]q\0h\0a" + b"h\0h\0a0" * 1000,
    "a tuple of a list of itself": b"]q\0(h\0ta",
    "an affine of lists of itself": b"}" + word("affine") + b"]q\0(h\0h\0h\0h\0es"
    + word("data") + array(GOOD) + b"s",
    "a dict in itself": b"}q\0" + word("affine") + b"h\0s" + word("data") + array(GOOD) + b"s",
    "a thousand laughs": b"]q\0" + b"(h\0h\0h\0h\0h\0h\0h\0h\0h\0h\0lq\0" * 1000,
    "keys of pairs of pairs": nested_keys(),
    "a tower of tuples": b")" + b"\x85" * 19_000,
    "encoded again and again": b"]"
    + word("x" * MEGABYTE)
    + b"q\0"
    + b"0(" + (name("_codecs", "encode") + b"h\0" + word("latin1") + b"\x86R") * 3000 + b"e",
    "arrays of one text": word("x" * MEGABYTE)
    + b"q\0"
    + b"0](" + array(b"h\0", (MEGABYTE,)) * 200 + b"e",
    "wide characters": array(word("\U0001f600" + "x" * MEGABYTE), (MEGABYTE + 1,)),
    "escapes": array(b"V" + rb"\U0001f600" * 100_000 + b"\n", (100_000,)),
    "names of a megabyte": name("numpy", "x" * MEGABYTE),
    "stack names of a megabyte": stack_global("numpy", "x" * MEGABYTE),
    "key of a megabyte": b"}" + word("x" * MEGABYTE) + array(GOOD) + b"s",
    "quotes": array(b"S'" + rb"\N{EURO SIGN}" * 4 + b"'\n", (2,)),
    "unquoted": array(b"S" + b"x" * 24 + b"\n"),
    "underflow": b"0000R",
    "two on an empty stack": b"\x86",
    "dict of three": b"(" + word("a") + array(GOOD) + word("b") + b"d",
    "append to an array": array(GOOD) + b"Na",
    "item of a list": b"]" + word("a") + b"Ns",
}  # fmt: skip
EVERYTHING = {**RUN_CODE, **SIZES, **BOMBS}


def state() -> tuple:
    """What a pickle could change in this process."""
    from numpy._core import multiarray

    names = [getattr(multiarray, one).__name__ for one in ("_reconstruct", "scalar")]
    registry = len(copyreg.dispatch_table), len(copyreg._extension_registry)
    return set(sys.modules), dict(os.environ), names, vars(np).keys() - {"f2py"}, registry


@pytest.fixture
def refuse(tmp_path, monkeypatch):
    """Read a file, which must be refused with a sentence, run nothing and change nothing."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.pkl"
    (tmp_path / "other.pkl").write_bytes(pickle.dumps(Reduced()))

    def read(content: bytes) -> str:
        path.write_bytes(content)
        before, files = state(), set(tmp_path.iterdir())
        with pytest.raises(InputError, match=r"hostile\.pkl: .+; .+") as refused:
            read_array("hostile.pkl")
        assert set(tmp_path.iterdir()) == files
        assert state() == before
        assert len(str(refused.value)) < 1000
        return str(refused.value)

    # What reading itself imports, such as the codecs of Python 2, is there from now on.
    for text in (rb"V\u0041", rb"S'\x41'"):
        path.write_bytes(array(text + b"\n", (1,)) + b".")
        assert read_array(path).array == 65
    return read


@pytest.mark.parametrize("case", EVERYTHING)
def test_nothing_runs(refuse, case):
    refuse(EVERYTHING[case] + b".")


@pytest.mark.parametrize("case", RUN_CODE)
def test_code_is_called_code(refuse, case):
    assert "contains code" in refuse(RUN_CODE[case] + b".")
    assert "contains code" in refuse(in_dict(RUN_CODE[case]) + b".")


@pytest.mark.parametrize("case", {**SIZES, **BOMBS})
def test_beside_an_honest_array(tmp_path, case):
    """What is never asked for is never made: the array is right, or the file is refused."""
    content = in_dict({**SIZES, **BOMBS}[case]) + b"."
    path = tmp_path / "beside.pkl"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        found = read_array(path, "data").array
    except InputError:
        found = np.zeros((2, 3, 4))
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    np.testing.assert_array_equal(found, np.zeros((2, 3, 4)))
    assert peak < 2 * len(content) + FIXED


@pytest.mark.parametrize("case", EVERYTHING)
def test_little_is_allocated(refuse, case):
    content = EVERYTHING[case] + b"."
    refuse(content)
    tracemalloc.start()
    try:
        refuse(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(content) + FIXED


def test_a_sentinel_would_be_seen(tmp_path, monkeypatch):
    """The programs do run where they are let: the tests above can fail."""
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(RUN_CODE["posix.system"] + b".") == 0
    assert (tmp_path / SENTINEL).exists()


def test_the_programs_are_pickles():
    """As Python reads them: what is refused is what they do, not how they are written."""
    for case, program in {**RUN_CODE, **SIZES}.items():
        if case == "half a character":
            continue
        operations = [found.name for found, _, _ in pickletools.genops(program + b".")]
        assert operations[-1] == "STOP", case


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_objects_of_every_protocol(refuse, protocol):
    assert "contains code" in refuse(pickle.dumps(Reduced(), protocol))
    honest = {"data": np.ones((2, 3, 4)), "more": Reduced()}
    assert "system" in refuse(pickle.dumps(honest, protocol))


def test_the_honest_part_is_honest(tmp_path):
    """The array that the programs above stand beside is read: they alone are refused."""
    path = tmp_path / "good.pkl"
    path.write_bytes(in_dict(b"N") + b".")
    assert read_array(path).array.shape == (2, 3, 4)


def test_names_cannot_steer_the_terminal(refuse):
    sentence = refuse(stack_global("numpy\x1b[31m", "x\x07") + b".")
    assert sentence.isprintable()
