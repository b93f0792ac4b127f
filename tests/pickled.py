"""Pickles for the tests: honest ones of every layout, and programs written by hand."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np

TYPES = ("b1", "i1", "u1", "<i2", ">i2", "u2", "i4", ">u4", "i8", ">i8", "u8", "f2", "f4", ">f4")
TYPES += ("f8", ">f8", "c8", ">c16")
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def numbers(code: str, shape: tuple[int, ...] = (3, 4, 5), seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) * 100).astype(code)


def layouts(array: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The same numbers, and parts of them, as memory can hold them."""
    yield "C", array
    yield "F", np.asfortranarray(array)
    yield "steps", array[::2, :, ::3]
    yield "turned", array.transpose(1, 2, 0)
    yield "reversed", array[::-1, :, ::-1]
    yield "one axis", array[0, 0]
    yield "0-d", np.array(array[1, 2, 3])
    yield "scalar", array[1, 2, 3]


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that are held at once while it runs."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class OnlyNumpy(pickle.Unpickler):
    """Python's own reading, with numpy's real functions and no other name: the oracle."""

    names = {
        (f"numpy.{core}.{home}", name)
        for core in ("core", "_core")
        for home in ("multiarray", "_multiarray_umath")
        for name in ("_reconstruct", "scalar")
    } | {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.numeric", "_frombuffer"),
        ("numpy._core.numeric", "_frombuffer"),
        ("_codecs", "encode"),
    }

    def find_class(self, module, name):
        if (module, name) not in self.names:
            raise pickle.UnpicklingError(f"{module}.{name}")
        if name == "dtype":
            return _dtype
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _dtype(code: str | bytes, align: int = 0, copy: int = 0) -> np.dtype:
    """Pickles hold 0 and 1 for the two; numpy 2.4 warns of anything but booleans."""
    return np.dtype(code, bool(align), bool(copy))


def numpy_reads(content: bytes):
    """What pickle.load gives, where only numpy may be called."""
    return OnlyNumpy(io.BytesIO(content), encoding="latin1").load()


# Programs, an operation after the other.


def utf8(text: str | bytes) -> bytes:
    content = text.encode() if isinstance(text, str) else text
    return b"X" + struct.pack("<I", len(content)) + content


def raw(content: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(content)) + content


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def tuple_of(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def plain_type(code: str) -> bytes:
    """A type that is not finished: its byte order is that of this machine."""
    return call(name("numpy", "dtype"), utf8(code), b"\x89\x88")


def dtype(code: str = "u1", order: str = "|", flags: int = 0) -> bytes:
    return plain_type(code) + type_state(order, flags) + b"b"


def type_state(order: str, flags: int = 0) -> bytes:
    return tuple_of(number(3), utf8(order), b"NNN", number(-1), number(-1), number(flags))


def blank(home: str = "numpy._core.multiarray") -> bytes:
    return call(
        name(home, "_reconstruct"), name("numpy", "ndarray"), tuple_of(number(0)), raw(b"b")
    )


def array(
    content: bytes,
    shape: tuple[int, ...] = (2, 3, 4),
    kind: bytes | None = None,
    home: str = "numpy._core.multiarray",
    fortran: bytes = b"\x89",
) -> bytes:
    """The operations of an array whose bytes another operation pushes."""
    state = tuple_of(number(1), tuple_of(*map(number, shape)), kind or dtype(), fortran, content)
    return blank(home) + state + b"b"
