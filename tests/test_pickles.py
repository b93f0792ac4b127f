"""Hostile pickles: nothing runs, nothing changes, little is allocated, and a sentence says why."""

from __future__ import annotations

import copyreg
import os
import pickle
import pickletools
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pickled import (
    PROTOCOLS,
    array,
    blank,
    call,
    dtype,
    name,
    number,
    peak_of,
    plain_type,
    raw,
    tuple_of,
    type_state,
    utf8,
)

from lesion_dash.core.errors import InputError
from lesion_dash.scans import pickles
from lesion_dash.scans.arrays import read_array

SENTINEL = "hostile_sentinel"
TOUCH = utf8(f"touch {SENTINEL}")
PYTHON = utf8(f"open({SENTINEL!r}, 'w')")
RECONSTRUCT = name("numpy._core.multiarray", "_reconstruct")
FROM_BUFFER = name("numpy._core.numeric", "_frombuffer")
GOOD = raw(bytes(24))
STATE = tuple_of(number(1), tuple_of(number(24)), dtype(), b"\x89", GOOD) + b"b"
MEGABYTE = 2**20
FIXED = 2 * MEGABYTE  # for as many operations as are followed, whatever they are


def stack_global(module: str, attribute: str) -> bytes:
    return utf8(module) + utf8(attribute) + b"\x93"


def in_dict(program: bytes) -> bytes:
    """Beside an honest array."""
    return b"}" + utf8("data") + array(GOOD) + b"s" + utf8("more") + program + b"s"


class Reduced:
    def __reduce__(self):
        return os.system, (f"touch {SENTINEL}",)


# Names of modules and what they hold, and what would be called with.
CALLS = [
    ("os", "system", TOUCH),
    ("posix", "system", TOUCH),
    ("subprocess", "getoutput", TOUCH),
    ("builtins", "eval", PYTHON),
    ("__builtin__", "execfile", PYTHON),  # of Python 2
    ("operator", "attrgetter", utf8("system")),
    ("numpy.testing._private.utils", "runstring", PYTHON, b"}"),
    ("numpy.f2py.crackfortran", "getlincoef", PYTHON, b"}"),
    ("numpy.f2py.diagnose", "os.system", TOUCH),
    ("numpy", "ndarray.tofile", array(GOOD), utf8(SENTINEL)),
    ("numpy", "load", utf8("other.pkl")),
    ("numpy", "memmap", utf8(SENTINEL)),
    ("numpy._core.multiarray", "fromfile", utf8("/etc/hostname")),
    ("importlib", "import_module", utf8("antigravity")),
    ("numpy", "dtype ", utf8("u1")),
    ("Numpy", "Dtype", utf8("u1")),
    ("pickle", "loads", raw(b"cos\nsystem\n.")),
    ("copyreg", "_reconstructor", name("builtins", "object"), b"NN"),
    ("numpy", "ndarray", tuple_of(number(2))),
    ("_codecs", "encode", utf8("x")),
    ("_codecs", "encode", utf8("x"), utf8("zlib_codec")),
    ("_codecs", "encode", utf8("x"), utf8("utf-32")),
    ("_codecs", "encode", utf8("x"), utf8("latin1"), utf8("ignore")),
]
RUN_CODE = {
    **{
        f"{row[0]}.{row[1]} {place}": call(name(*row[:2]), *row[2:])
        for place, row in enumerate(CALLS)
    },
    "system of a stack": call(stack_global("posix", "system"), TOUCH),
    "getattr chain": call(
        call(name("builtins", "getattr"), name("numpy", "ndarray"), utf8("tofile")), PYTHON
    ),
    "dotted attribute": call(stack_global("numpy", "f2py.diagnose.os.system"), TOUCH),
    "dotted module": call(stack_global("numpy._core.multiarray.scalar", "__call__"), TOUCH),
    "name with an escape": stack_global("numpy\x1b[31m", "x\x07"),
    "name with a NUL": call(stack_global("numpy\0.x", "dtype"), utf8("u1")),
    "reconstruct of a class": call(RECONSTRUCT, name("posix", "system"), b")", raw(b"b")),
    "reconstruct of a type": call(RECONSTRUCT, name("numpy", "dtype"), b")", raw(b"b")) + STATE,
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
    "stack name of an array": array(GOOD) + utf8("system") + b"\x93",
    "build of a function": RECONSTRUCT + b"}" + utf8("__name__") + utf8("system") + b"sb",
    "build of the type": name("numpy", "dtype") + b"}" + utf8("x") + utf8("y") + b"sb",
    "build of a list": b"]}b",
    "build by a dict": blank() + b"}" + utf8("__class__") + number(1) + b"sb",
    "build by two states": blank() + tuple_of(b"}", b"}") + b"b",
    "build by attributes": dtype("u1") + b"}" + utf8("__reduce__") + TOUCH + b"sb",
}
SIZES = {
    "more bytes": array(raw(bytes(25))),
    "fewer bytes": array(raw(bytes(23))),
    "fewer bytes of text": array(utf8(bytes(23))),
    "more bytes of text": array(utf8(bytes(25))),
    "wide text": array(utf8("ä" * 12)),
    "text that is not bytes": array(utf8("€" * 24)),
    "half a character": array(utf8(b"\xc3" * 24)),
    "negative shape": array(GOOD, (-2, -3, 4)),
    "shape of two negatives": array(GOOD, (-24, -1)),
    "empty shape": array(raw(b""), (0, 4)),
    "forty axes": array(raw(b"x"), (1,) * 40),
    "8 GiB": array(GOOD, (2**11, 2**11, 2**11)),
    "8 GiB of text": array(utf8("x" * 24), (2**11, 2**11, 2**11)),
    "more than 64 bits": array(GOOD, (2**31 - 1,) * 30),
    "8 GiB at once": call(name("numpy", "ndarray"), tuple_of(number(2**31 - 1), number(4))),
    "8 GiB of a bytearray": call(name("builtins", "bytearray"), number(2**31 - 1)),
    "shape of text": blank() + tuple_of(number(1), utf8("24"), dtype(), b"\x89", GOOD) + b"b",
    "shape of tuples": blank() + tuple_of(b"K\1", b"K\x18\x85\x85", dtype(), b"\x89", GOOD) + b"b",
    "objects": array(b"]", kind=dtype("O8", "|")),
    "objects as numbers": array(b"(" + number(1) + b"l"),
    "records": array(GOOD, kind=dtype("V24", "|")),
    "sub-array": array(GOOD, kind=plain_type("(1000,1000)f8")),
    "fields": array(GOOD, kind=plain_type("u1,u1")),
    "type by a name": array(GOOD, kind=plain_type("float64")),
    "type of a huge name": array(GOOD, kind=call(name("numpy", "dtype"), utf8("f" * 400))),
    "type of an array": array(GOOD, kind=call(name("numpy", "dtype"), array(GOOD))),
    "byte order": array(GOOD, kind=dtype("u1", "x")),
    "type twice": array(GOOD, (12,), dtype("i2", "<") + type_state(">") + b"b"),
    "type of nothing": array(GOOD, kind=dtype() + tuple_of(*[b"N"] * 8) + b"b"),
    "flags of a type": array(GOOD, kind=dtype("u1", "|", 63)),
    "fields of a type": array(GOOD, kind=plain_type("u1") + b"(K\3" + utf8("|") + b"N]}NNNtb"),
    "no type": array(GOOD, kind=b"N"),
    "array twice": array(GOOD) + STATE,
    "never finished": blank(),
    "order of axes": call(FROM_BUFFER, GOOD, dtype(), b"K\x18\x85", utf8("K"), b"K\x07\x85"),
    "order": call(FROM_BUFFER, GOOD, dtype(), b"K\x18\x85", utf8("Z")),
}


BOMBS = {
    "text of a huge length": b"\x8d" + (2**62).to_bytes(8, "little") + b"x",
    "bytes of a huge length": b"\x8e" + (2**63 - 1).to_bytes(8, "little") + b"x",
    "bytearray of a huge length": b"\x96" + (2**40).to_bytes(8, "little") + b"x",
    "frame of a huge length": b"\x80\x04\x95" + (2**62).to_bytes(8, "little") + array(GOOD),
    "number of a megabyte": b"\x8b" + MEGABYTE.to_bytes(4, "little") + bytes(MEGABYTE),
    "number of many digits": b"I" + b"9" * MEGABYTE + b"\n",
    "long of many digits": b"L" + b"9" * MEGABYTE + b"L\n",
    "place in the memory": b"NI1\n0r" + b"\xff\xff\xff\x7f" + b"p9999999999999999999\n",
    "place of a negative": b"Np-1\n" + b"g-2\n",
    "many lists": b"(" + b"]" * MEGABYTE,
    "many marks": b"(" * MEGABYTE,
    "many dicts": b"}2" * MEGABYTE,
    "many numbers": b"](" + b"K\x01" * MEGABYTE + b"e",
    "a list in itself": b"]q\0h\0a" + b"h\0h\0a0" * 1000,
    "a tuple of a list of itself": b"]q\0(h\0ta",
    "an affine of lists of itself": b"}" + utf8("affine") + b"]q\0(h\0h\0h\0h\0es"
    + utf8("data") + array(GOOD) + b"s",
    "a dict in itself": b"}q\0" + utf8("affine") + b"h\0s" + utf8("data") + array(GOOD) + b"s",
    "a thousand laughs": b"]q\0" + b"(h\0h\0h\0h\0h\0h\0h\0h\0h\0h\0lq\0" * 1000,
    # A key of a dict that is a pair of pairs of pairs ...: its hash takes 2**60 steps.
    "keys of pairs of pairs": b"})" + b"2\x86" * 60 + b"Ns",
    "a tower of tuples": b")" + b"\x85" * 19_000,
    "encoded again and again": utf8("x" * MEGABYTE) + b"q\x000]("
    + (name("_codecs", "encode") + b"h\0" + utf8("latin1") + b"\x86R") * 3000 + b"e",
    "arrays of one text": utf8("x" * MEGABYTE)
    + b"q\x000](" + array(b"h\0", (MEGABYTE,)) * 200 + b"e",
    "wide characters": array(utf8("\U0001f600" + "x" * MEGABYTE), (MEGABYTE + 1,)),
    "escapes": array(b"V" + rb"\U0001f600" * 100_000 + b"\n", (100_000,)),
    "names of a megabyte": name("numpy", "x" * MEGABYTE),
    "stack names of a megabyte": stack_global("numpy", "x" * MEGABYTE),
    "key of a megabyte": b"}" + utf8("x" * MEGABYTE) + array(GOOD) + b"s",
    "quotes": array(b"S'" + rb"\N{EURO SIGN}" * 4 + b"'\n", (2,)),
    "unquoted": array(b"S" + b"x" * 24 + b"\n"),
    "underflow": b"0000R",
    "two on an empty stack": b"\x86",
    "dict of three": b"(" + utf8("a") + array(GOOD) + utf8("b") + b"d",
    "append to an array": array(GOOD) + b"Na",
    "item of a list": b"]" + utf8("a") + b"Ns",
}  # fmt: skip


def state() -> tuple:
    """What a pickle could change in this process."""
    from numpy._core import multiarray

    names = [getattr(multiarray, key).__name__ for key in ("_reconstruct", "scalar")]
    own = [(key, dict(vars(value))) for key, value in vars(pickles).items() if callable(value)]
    return (
        set(sys.modules),
        {**os.environ, "PYTEST_CURRENT_TEST": ""},
        names,
        vars(np).keys() - {"f2py"},
        str(own),
    )


PROGRAMS = {**RUN_CODE, **SIZES, **BOMBS}


def refused(path, content: bytes, array_name: str | None = None) -> str:
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"hostile\.pkl: .+; .+") as error:
        read_array(path, array_name)
    message = str(error.value)
    assert len(message) < 1000
    assert message.isprintable()
    return message


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A file; nothing outside of it is changed by what is read of it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hostile.pkl"
    # What reading itself imports, such as the codecs of Python 2, is there from now on.
    for text in (rb"V\u0041", rb"S'\x41'"):
        path.write_bytes(array(text + b"\n", (1,)) + b".")
        assert read_array(path).array == 65
    (tmp_path / "other.pkl").write_bytes(pickle.dumps(Reduced()))
    before, files = state(), set(tmp_path.iterdir())
    yield path
    assert set(tmp_path.iterdir()) == files
    assert state() == before


@pytest.mark.parametrize("case", PROGRAMS)
def test_nothing_runs_and_little_is_allocated(hostile, case):
    """Text takes up to four bytes a character, and is decoded once."""
    messages = []
    program = PROGRAMS[case] + b"."
    peak = peak_of(lambda: messages.append(refused(hostile, program)))
    assert peak < 8 * len(program) + FIXED
    assert "contains code" in messages[0] or case not in RUN_CODE


# Operations are counted over the whole file: too many of them are as many beside an array.
FEW = [case for case in PROGRAMS if not case.startswith("many ")]


@pytest.mark.parametrize("case", FEW)
def test_beside_an_honest_array(hostile, case):
    """What is never asked for is never made: the array is right, or the file is refused."""
    content = in_dict(PROGRAMS[case]) + b"."
    if case in RUN_CODE:
        assert "contains code" in refused(hostile, content, "data")
        return
    hostile.write_bytes(content)

    def read():
        with suppress(InputError):
            result = read_array(hostile, "data").array
            assert result.shape == (2, 3, 4)
            assert not result.any()

    assert peak_of(read) < 8 * len(content) + FIXED


PARTS = [bytes([code]) for code in b"()]}02tlduesabR\x81\x85\x86\x87\x8f\x90\x91\x93\x94NQo"]
PARTS += [b"q\0", b"h\0", b"h\1", b"K\1", GOOD, utf8("u1"), utf8("numpy"), utf8("dtype"), dtype()]
PARTS += [array(GOOD), blank(), name("numpy", "ndarray"), name("_codecs", "encode")]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PARTS), max_size=40))
def test_any_program_is_an_array_or_a_sentence(tmp_path_factory, parts):
    path = tmp_path_factory.getbasetemp() / "program.pkl"
    path.write_bytes(b"".join(parts) + b".")
    with suppress(InputError):
        assert read_array(path).array.shape == (2, 3, 4)


def test_the_programs_would_run_where_they_are_let(hostile):
    """The tests above can fail: what is refused is what the programs do, not how they look."""
    for case in {**RUN_CODE, **SIZES}.keys() - {"half a character"}:
        operations = [opcode.name for opcode, _, _ in pickletools.genops(PROGRAMS[case] + b".")]
        assert operations[-1] == "STOP", case
    hostile.write_bytes(in_dict(b"N") + b".")
    assert read_array(hostile).array.shape == (2, 3, 4)
    sentinel = hostile.with_name(SENTINEL)
    assert pickle.loads(RUN_CODE["posix.system 1"] + b".") == 0
    sentinel.unlink()


def test_a_name_of_the_registry_is_not_taken_of_its_cache(hostile):
    """Python keeps what a number stood for, and does not ask for its name again."""
    copyreg.add_extension("posix", "system", 250)
    try:
        assert pickle.loads(b"\x82\xfa.") is os.system
        assert "contains code" in refused(hostile, call(b"\x82\xfa", TOUCH) + b".")
    finally:
        copyreg.remove_extension("posix", "system", 250)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_of_every_protocol(hostile, protocol):
    assert "contains code" in refused(hostile, pickle.dumps(Reduced(), protocol))
    honest = {"data": np.ones((2, 3, 4)), "more": Reduced()}
    assert "system" in refused(hostile, pickle.dumps(honest, protocol))
