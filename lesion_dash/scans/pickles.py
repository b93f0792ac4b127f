"""Read the arrays of a pickle without running any of it.

A pickle is a small program: as Python reads it, it may import and call whatever it names. Here
Python's own reader runs as its documentation tells how to restrict it: every name it asks for is
refused, but for the few that arrays of numbers need, and those give stand-ins of this module, which
only write down type, shape and bytes. numpy itself is never called by a file.

`find_class` alone bounds neither memory nor time, so the operations are followed first (`_check`).
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .npy import COPY_AGAIN, SAVE_AGAIN, ArrayFault, LazyArray, array_bytes, first_line, number_type

_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_LENGTH_BYTES = {pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT4: 4,
                 pickletools.TAKEN_FROM_ARGUMENT4U: 4,
                 pickletools.TAKEN_FROM_ARGUMENT8U: 8}  # fmt: skip
# An array takes some fifty operations, however large it is; both numbers are arbitrary.
_MAX_OPERATIONS = 20_000
_BYTES_PER_FURTHER_OPERATION = 4096
_MAX_HASHED = 1000  # arbitrary: values in a key of a dict
_LONGEST_NAME = 256  # arbitrary: characters of a key
_OTHER_FILES = {
    b"PK\x03\x04": "is a zip archive, as torch.save writes it, and no pickle of an array",
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.": "is a file of torch.save",
    b"\x1f\x8b": "is compressed by gzip",
    b"BZh": "is compressed by bzip2",
    b"\xfd7zXZ": "is compressed by xz",
    b"\x93NUMPY": "is a .npy file by its content",
    b"\x89HDF": "is an HDF5 file",
}
# Names by their number in a registry, and buffers that lie outside the file.
_REFUSED_OPERATIONS = ("EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER")
# Which of the values that an operation takes are hashed.
_EVERY_OTHER = slice(1, None, 2)
_HASHED = {"SETITEM": _EVERY_OTHER, "SETITEMS": _EVERY_OTHER, "DICT": slice(0, None, 2),
           "ADDITEMS": slice(1, None), "FROZENSET": slice(0, None)}  # fmt: skip
_REFUSED_PACKAGES = {
    "torch": ("a torch tensor", 'numpy.save("array.npy", tensor.cpu().numpy())'),
    "pandas": ("a pandas table", 'numpy.save("array.npy", table.to_numpy())'),
    "numpy.ma": ("a masked array", 'numpy.save("array.npy", array.filled(0))'),
    "scipy": ("an object of scipy", 'numpy.save("array.npy", matrix.toarray())'),
    "nibabel": ("a nibabel image", 'nibabel.save(image, "image.nii.gz")'),
    "SimpleITK": ("a SimpleITK image", 'SimpleITK.WriteImage(image, "image.nii.gz")'),
}


def read_pickle(raw: bytes) -> tuple[dict[str, LazyArray | ArrayFault], dict[str, Any], int]:
    """Read a pickle of an array, or of a list or dict of arrays.

    Parameters
    ----------
    raw : bytes
        The file.

    Returns
    -------
    arrays : dict
        By name, none of them built yet, or with what is wrong with it. An array alone is called
        ``""``, those of a list by their places.
    others : dict
        The other values by name.
    end : int
        Where the pickle ends in the file.

    Raises
    ------
    ArrayFault
        Where it is damaged or names anything but arrays of numbers.

    Examples
    --------
    >>> arrays, _, _ = read_pickle(pickle.dumps({"volume": np.eye(2)}))
    >>> arrays["volume"].build().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    for mark, kind in _OTHER_FILES.items():
        if raw.startswith(mark):
            raise ArrayFault(kind, SAVE_AGAIN)
    file = io.BytesIO(raw)
    try:
        _check(raw)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unknown escape stands for itself
            values = _by_name(_Unpickler(file, encoding="latin-1").load())
    except (TypeError, AttributeError, pickle.UnpicklingError) as error:
        problem = f"contains code or objects, of which nothing is run ({first_line(error)})"
        raise ArrayFault(problem, SAVE_AGAIN) from None
    except (ValueError, LookupError, EOFError, OverflowError, struct.error) as error:
        problem = f"is not a pickle, or damaged ({first_line(error)})"
        raise ArrayFault(problem, COPY_AGAIN) from None
    blank = ArrayFault("names an array but holds no values of it", COPY_AGAIN)
    arrays = {
        name: value.array or blank for name, value in values.items() if isinstance(value, _Array)
    }
    return arrays, {name: values[name] for name in values if name not in arrays}, file.tell()


def _by_name(content: object) -> dict[str, Any]:
    if isinstance(content, _Array):
        return {"": content}
    if isinstance(content, (list, tuple)):
        return {str(place): item for place, item in enumerate(content)}
    if not isinstance(content, dict):
        raise ArrayFault("holds a single value, not an array of numbers", SAVE_AGAIN)
    values: dict[str, Any] = {}
    for key, value in content.items():
        if not isinstance(key, (str, bytes, int, float, type(None))):
            raise ArrayFault("holds a dict whose keys are neither text nor numbers", SAVE_AGAIN)
        name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        if len(name) > _LONGEST_NAME:
            problem = f"holds a name of {len(name):,} characters, {_LONGEST_NAME} at most"
            raise ArrayFault(problem, SAVE_AGAIN)
        if name in values:  # as 1 and "1" do; neither may hide the other
            raise ArrayFault(f"holds two things named {name!r}", SAVE_AGAIN)
        values[name] = value
    return values


# What Python would do before it asks for a name.


def _check(raw: bytes) -> None:
    """Refuse what would take far more memory or time than the file is long.

    Python makes room at once for as many values as a place in the memo says, and the hash of a key
    that is a pair of pairs of pairs ... takes 2^n steps. So the stack is followed, with no more of
    each value than how many others its hash would visit.
    """
    stack: list[int] = []
    below: list[list[int]] = []
    memo: dict[int, int] = {}
    for opcode, argument in _operations(raw):
        name = opcode.name
        if name == "MARK":
            below.append(stack)
            stack = []
        elif name == "POP" and not stack:  # takes a mark
            stack = below.pop()
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "MEMOIZE" or name.endswith("PUT"):
            memo[_memo_place(name, argument, len(memo), len(raw))] = stack[-1]
        elif name.endswith("GET"):
            stack.append(memo[_memo_place(name, argument, len(memo), len(raw))])
        else:
            stack = _follow(opcode, stack, below)


def _follow(opcode: pickletools.OpcodeInfo, stack: list[int], below: list[list[int]]) -> list[int]:
    """The stack after an operation that makes one value of others."""
    taken, marked = len(opcode.stack_before), []
    if pickletools.markobject in opcode.stack_before:
        taken = opcode.stack_before.index(pickletools.markobject)
        marked, stack = stack, below.pop()
    start = len(stack) - taken
    values = stack[max(start, 0) :] + marked
    keys = values[_HASHED.get(opcode.name, slice(0))]
    if start < 0 or max(keys, default=0) > _MAX_HASHED:
        raise ValueError(f"{opcode.name} of too few values, or of a key of too many")
    # Capped, so that it has few digits however many values there are.
    weight = min(1 + sum(values), _MAX_HASHED + 1)
    return stack[:start] + [weight] * len(opcode.stack_after)


def _memo_place(name: str, argument: memoryview, count: int, length: int) -> int:
    if name == "MEMOIZE":
        return count
    is_text = name in ("PUT", "GET")
    place = int(bytes(argument)) if is_text else int.from_bytes(argument, "little")
    if not 0 <= place < _max_operations(length):
        raise ValueError("a place far outside the memo")
    return place


def _max_operations(length: int) -> int:
    """How many operations a file of so many bytes may have: each takes some hundred of memory."""
    return _MAX_OPERATIONS + length // _BYTES_PER_FURTHER_OPERATION


def _operations(raw: bytes) -> Iterator[tuple[pickletools.OpcodeInfo, memoryview]]:
    """Operations and their arguments; `pickletools.genops` would decode each text."""
    view, end, limit = memoryview(raw), 0, _max_operations(len(raw))
    for _ in range(limit):
        # Past the end stands the stop that is missing.
        code = raw[end] if end < len(raw) else ord(".")
        if code not in _OPCODES:
            raise ValueError(f"byte {code} at {end}")
        opcode, start = _OPCODES[code], end + 1
        size = 0 if opcode.arg is None else opcode.arg.n
        if size == pickletools.UP_TO_NEWLINE:
            end = raw.find(b"\n", start) + 1
            if opcode.name in ("GLOBAL", "INST") and end:  # of two lines
                end = raw.find(b"\n", end) + 1
            end = end or len(raw) + 1
        else:
            if size in _LENGTH_BYTES:
                size = int.from_bytes(view[start : start + _LENGTH_BYTES[size]], "little")
                start += _LENGTH_BYTES[opcode.arg.n]  # type: ignore[union-attr]
            end = start + size
            if opcode.name == "FRAME":  # Python reads at once as many bytes as it says
                start += int.from_bytes(view[start:end], "little")
        if max(start, end) > len(raw):
            problem = f"file is truncated, or not a pickle: {len(raw):,} bytes have no end"
            raise ArrayFault(problem, COPY_AGAIN)
        if opcode.name in _REFUSED_OPERATIONS:
            problem = f"contains code or objects: what {opcode.name} stands for is not in the file"
            raise ArrayFault(problem, SAVE_AGAIN)
        yield opcode, view[start:end]
        if opcode.name == "STOP":
            return
    raise ArrayFault(f"holds more than {limit:,} parts: lists of numbers, or no array", SAVE_AGAIN)


# What the names stand for: nothing of numpy is called, and nothing else can be.


class _Unpickler(pickle.Unpickler):
    """Python's own reader, which gets nothing but the stand-ins of this module."""

    def find_class(self, module: str, name: str) -> _Function:
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        module, name = module[:80], name[:80]
        for package, (kind, command) in _REFUSED_PACKAGES.items():
            if module == package or module.startswith(f"{package}."):
                problem = f"contains objects: {kind} ({module}.{name})"
                raise ArrayFault(problem, f"save it by {command}")
        problem = f"contains code or objects: it names {module}.{name}, and nothing of it is run"
        raise ArrayFault(problem, SAVE_AGAIN)


class _Function:
    """Takes the place of a function or a type of numpy; it can be called and not be changed."""

    def __init__(self, make: Callable[..., object]) -> None:
        self._make = make

    def __call__(self, *arguments: object) -> object:
        return self._make(*arguments)

    def __setstate__(self, _: object) -> None:
        raise TypeError("a function is changed")


class _Type:
    """Takes the place of a numpy.dtype."""

    def __init__(self, code: object, align: object = False, copy: object = True) -> None:
        # Python 2 wrote whole numbers in place of truth values.
        if not isinstance(code, str) or not isinstance(align, int) or not isinstance(copy, int):
            raise TypeError("no type of numbers")
        self.dtype = number_type(code)
        self._is_whole = False

    def __setstate__(self, state: object) -> None:
        # Version, byte order, sub-array, names, fields, size, alignment, flags, and maybe metadata.
        if not isinstance(state, tuple) or len(state) not in (8, 9) or self._is_whole:
            raise TypeError("no state of a type")
        if any(part is not None for part in state[2:5]):
            raise ArrayFault("not a number array: it holds records of several fields", SAVE_AGAIN)
        if not isinstance(state[1], str) or state[5:8] != (-1, -1, 0):
            raise TypeError("no state of a type of numbers")
        self.dtype = number_type(self.dtype.str[1:], state[1])
        self._is_whole = True


class _Array:
    """Takes the place of a numpy.ndarray: how it lies, and its bytes."""

    array: LazyArray | None = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise TypeError("no state of an array")
        shape, kind, is_fortran, content = state[-4:]  # a version stands before them, or not
        self.describe(content, kind, shape, "F" if is_fortran else "C")

    def describe(
        self, content: Any, kind: object, shape: Any, order: object, axes: Any = None
    ) -> _Array:
        """Check and write down what the array is, once; nothing is allocated."""
        if self.array is not None:
            raise ArrayFault("describes one array twice: it was changed by hand", SAVE_AGAIN)
        if not isinstance(kind, _Type):
            raise ArrayFault("holds an array without the type of its values", COPY_AGAIN)
        if not isinstance(content, (bytes, bytearray, str)):
            raise ArrayFault("not a number array: its values are objects, not bytes", SAVE_AGAIN)
        dtype, size = kind.dtype, array_bytes(shape, kind.dtype)
        # K: the axes of the memory come first, then the order in which they are meant.
        turned = tuple(range(len(shape))) if order != "K" or axes is None else axes
        if order not in ("C", "F", "K") or not isinstance(turned, tuple):
            raise TypeError("no order of an array")
        if {type(axis) for axis in turned} - {int} or sorted(turned) != list(range(len(shape))):
            raise ArrayFault("holds an array whose axes are in no order", COPY_AGAIN)

        def read() -> NDArray:
            try:
                # Protocols 0 to 2 and Python 2 keep bytes as text.
                data = content.encode("latin-1") if isinstance(content, str) else content
            except UnicodeError:
                raise ArrayFault("holds text that stands for no bytes", COPY_AGAIN) from None
            # A bytearray may have grown since: the file goes on changing it.
            numbers = np.frombuffer(data, dtype, math.prod(shape))
            return numbers.reshape(shape, order="F" if order == "F" else "C").transpose(turned)

        self.array = LazyArray(dtype, tuple(shape[axis] for axis in turned), read)
        if size != len(content):
            problem = f"impossible size: {self.array} needs {size:,} bytes"
            raise ArrayFault(f"{problem}, {len(content):,} are there", COPY_AGAIN)
        return self


def _reconstruct(kind: object, _shape: object, _code: object) -> _Array:
    if kind is not _NDARRAY:
        raise TypeError("no array")
    return _Array()


def _encode(text: object, encoding: object) -> str | bytes:
    """What protocols 0 to 2 write for bytes, as text of Latin-1."""
    if not isinstance(text, str) or encoding != "latin1":
        raise TypeError("no bytes of an array")
    # Short ones may be a key. Long ones stay text, so that nothing is copied however often.
    return text.encode("latin-1") if len(text) <= _LONGEST_NAME else text


def _refuse(*_: object) -> None:
    raise TypeError("an array is made of no bytes")


_NDARRAY = _Function(_refuse)
_KNOWN = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Function(_Type),
    ("_codecs", "encode"): _Function(_encode),
}
for _core in ("numpy.core", "numpy._core"):  # of numpy 1 and 2
    _KNOWN[f"{_core}.numeric", "_frombuffer"] = _Function(
        lambda content, kind, shape, order, axes=None: _Array().describe(
            content, kind, shape, order, axes
        )
    )
    for _module in ("multiarray", "_multiarray_umath"):
        _KNOWN[f"{_core}.{_module}", "_reconstruct"] = _Function(_reconstruct)
        _KNOWN[f"{_core}.{_module}", "scalar"] = _Function(
            lambda kind, content: _Array().describe(content, kind, (), "C")
        )
