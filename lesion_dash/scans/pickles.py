"""Read the arrays of a pickle without running any of it."""

from __future__ import annotations

import pickletools
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .npy import COPY_AGAIN, SAVE_AGAIN, ArrayFault
from .pickled_arrays import (
    LONGEST_NAME,
    Name,
    PickledArray,
    PickledType,
    Raw,
    finish_array,
    finish_type,
    key_text,
    known_name,
    make,
)

_LENGTH_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_TWO_LINES = ("GLOBAL", "INST")
_MOST_OPERATIONS = 20_000
_BYTES_A_FURTHER_ONE = 4096


@dataclass(frozen=True)
class Operation:
    """One operation of a pickle.

    Parameters
    ----------
    name : str
        As :mod:`pickletools` calls it.
    argument : memoryview
        The part of the file that follows, without its length or its line end.
    place : int
        Of its first byte in the file.
    end : int
        Where the next one begins.
    """

    name: str
    argument: memoryview
    place: int
    end: int


def most_operations(length: int) -> int:
    """How many operations a file of so many bytes may have.

    An operation takes one byte of the file and up to a hundred of memory; an array takes about
    fifty operations, however large it is.
    """
    return _MOST_OPERATIONS + length // _BYTES_A_FURTHER_ONE


def read_operations(raw: bytes) -> Iterator[Operation]:
    r"""Cut a pickle into its operations, up to the one that ends it.

    Raises
    ------
    ArrayFault
        Where it is damaged, has no end, or has far more operations than arrays need.

    Examples
    --------
    >>> [operation.name for operation in read_operations(b"K\x07.")]
    ['BININT1', 'STOP']
    """
    view, place = memoryview(raw), 0
    most = most_operations(len(raw))
    for _ in range(most):
        found = _cut(raw, view, place)
        yield found
        if found.name == "STOP":
            return
        place = found.end
    raise ArrayFault(f"holds more than {most:,} parts: lists of numbers, or no array", SAVE_AGAIN)


def _cut(raw: bytes, view: memoryview, place: int) -> Operation:
    if place >= len(raw):
        raise _truncated(len(raw))
    opcode = _OPCODES.get(raw[place])
    if opcode is None:
        raise ArrayFault(f"is not a pickle, or damaged: byte {raw[place]} at {place}", COPY_AGAIN)
    start = place + 1
    size = 0 if opcode.arg is None else opcode.arg.n
    if size == pickletools.UP_TO_NEWLINE:
        end = _line_end(raw, start)
        if opcode.name in _TWO_LINES:
            end = _line_end(raw, end + 1)
        return Operation(opcode.name, view[start:end], place, end + 1)
    if size in _LENGTH_BYTES:
        first = start + _LENGTH_BYTES[size]
        size = int.from_bytes(view[start:first], "little")
        start = first
    end = start + size
    if opcode.name == "FRAME":  # says how much follows
        size += int.from_bytes(view[start:end], "little")
    if start + size > len(raw):
        raise _truncated(len(raw))
    return Operation(opcode.name, view[start:end], place, end)


def _line_end(raw: bytes, start: int) -> int:
    end = raw.find(b"\n", start)
    if end < 0:
        raise _truncated(len(raw))
    return end


def _truncated(length: int) -> ArrayFault:
    return ArrayFault(
        f"file is truncated, or not a pickle: {length:,} bytes have no end", COPY_AGAIN
    )


# Read the arrays of a pickle without running any of it.
#
# A pickle is a small program: as Python reads it, it may import and call whatever it names. Here it
# is only followed. Of all names, those few that arrays of numbers need are known, each as an inert
# stand-in; what numpy would have been told to make is written down, and made at the end from type,
# shape and bytes.


_LATEST_PROTOCOL = 5
_WHOLE_NUMBER = re.compile(rb"-?[0-9]{1,20}L?")
_LONGEST_NUMBER = 16  # bytes
_LONGEST_DECIMAL = 64  # bytes; Python writes 25 at most
_OTHER_FILES = {
    b"PK\x03\x04": "is a zip archive, as torch.save writes it, and no pickle of an array",
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.": "is a file of torch.save",
    b"\x1f\x8b": "is compressed by gzip",
    b"BZh": "is compressed by bzip2",
    b"\xfd7zXZ": "is compressed by xz",
    b"\x93NUMPY": "is a .npy file by its content",
    b"\x89HDF": "is an HDF5 file",
}


def read_pickle(raw: bytes) -> tuple[object, int]:
    """Follow a pickle to its end.

    Parameters
    ----------
    raw : bytes
        The file.

    Returns
    -------
    value : object
        Numbers, None, `Raw`, `PickledArray`, and tuples, lists and dicts of them; keys are text.
    end : int
        Where the pickle ends in the file.

    Raises
    ------
    ArrayFault
        Where it is damaged or names anything but arrays of numbers.

    Examples
    --------
    >>> import pickle
    >>> import numpy as np
    >>> found, _ = read_pickle(pickle.dumps({"volume": np.eye(2)}))
    >>> found["volume"].build().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    for mark, what in _OTHER_FILES.items():
        if raw.startswith(mark):
            raise ArrayFault(what, SAVE_AGAIN)
    machine = _Machine()
    for operation in read_operations(raw):
        machine.follow(operation)
    return machine.result, operation.end


class _Machine:
    """The stack and the memory of a pickle; :mod:`pickletools` says what each operation means."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memory: dict[int, Any] = {}
        self.result: object = None

    def follow(self, operation: Operation) -> None:
        """Do one operation."""
        do = _DO.get(operation.name)
        if do is None:
            what = _REFUSED.get(operation.name, "an object")
            raise ArrayFault(f"contains code or objects: {what}, and nothing is run", SAVE_AGAIN)
        try:
            do(self, operation.argument)
        except (IndexError, KeyError, ValueError, struct.error):
            problem = f"is not a pickle, or damaged: {operation.name} at byte {operation.place}"
            raise ArrayFault(problem, COPY_AGAIN) from None

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.below.pop()
        return items

    # Numbers and text.

    def number(self, argument: memoryview) -> None:
        self.push(_whole_number(argument))

    def signed(self, argument: memoryview) -> None:
        if len(argument) > _LONGEST_NUMBER:
            raise ArrayFault(f"holds a whole number of {len(argument):,} bytes", SAVE_AGAIN)
        self.push(int.from_bytes(argument, "little", signed=True))

    def unsigned(self, argument: memoryview) -> None:
        self.push(int.from_bytes(argument, "little"))

    def decimal(self, argument: memoryview) -> None:
        if len(argument) > _LONGEST_DECIMAL:
            raise ArrayFault(f"holds a number of {len(argument):,} bytes", SAVE_AGAIN)
        self.push(float(bytes(argument)))

    def double(self, argument: memoryview) -> None:
        self.push(struct.unpack(">d", argument)[0])

    def quoted(self, argument: memoryview) -> None:
        if len(argument) < 2 or argument[0] != argument[-1] or argument[0] not in b"'\"":
            raise ValueError("text without quotes")
        self.push(Raw(argument[1:-1], "unicode-escape"))

    # Memory.

    def put(self, argument: memoryview) -> None:
        self.memory[int(_whole_number(argument))] = self.stack[-1]

    def binary_put(self, argument: memoryview) -> None:
        self.memory[int.from_bytes(argument, "little")] = self.stack[-1]

    def memoize(self, _: memoryview) -> None:
        self.memory[len(self.memory)] = self.stack[-1]

    def get(self, argument: memoryview) -> None:
        self.push(self.memory[int(_whole_number(argument))])

    def binary_get(self, argument: memoryview) -> None:
        self.push(self.memory[int.from_bytes(argument, "little")])

    # The stack.

    def mark(self, _: memoryview) -> None:
        self.below.append(self.stack)
        self.stack = []

    def drop(self, _: memoryview) -> None:
        if self.stack:
            self.pop()
        else:
            self.pop_to_mark()

    def drop_to_mark(self, _: memoryview) -> None:
        self.pop_to_mark()

    def duplicate(self, _: memoryview) -> None:
        self.push(self.stack[-1])

    def stop(self, _: memoryview) -> None:
        self.result = self.pop()

    def protocol(self, argument: memoryview) -> None:
        if argument[0] > _LATEST_PROTOCOL:
            problem = (
                f"is a pickle of protocol {argument[0]}, {_LATEST_PROTOCOL} is the latest known"
            )
            raise ArrayFault(problem, SAVE_AGAIN)

    # Tuples, lists and dicts.

    def tuple_of_mark(self, _: memoryview) -> None:
        self.push(tuple(self.pop_to_mark()))

    def short_tuple(self, length: int) -> None:
        items = tuple(self.stack[-length:])
        if len(items) < length:
            raise IndexError("too few values")
        self.stack[-length:] = [items]

    def list_of_mark(self, _: memoryview) -> None:
        self.push(self.pop_to_mark())

    def append(self, _: memoryview) -> None:
        value = self.pop()
        _list(self.stack[-1]).append(value)

    def extend(self, _: memoryview) -> None:
        items = self.pop_to_mark()
        _list(self.stack[-1]).extend(items)

    def dict_of_mark(self, _: memoryview) -> None:
        self.push(_enter({}, self.pop_to_mark()))

    def set_item(self, _: memoryview) -> None:
        value, key = self.pop(), self.pop()
        _enter(_dict(self.stack[-1]), [key, value])

    def set_items(self, _: memoryview) -> None:
        items = self.pop_to_mark()
        _enter(_dict(self.stack[-1]), items)

    # Names, and what would be called.

    def name(self, argument: memoryview) -> None:
        if len(argument) > 2 * LONGEST_NAME:
            raise ArrayFault(f"holds a name of {len(argument):,} bytes", COPY_AGAIN)
        module, _, name = bytes(argument).decode().partition("\n")
        self.push(known_name(module, name))

    def name_of_stack(self, _: memoryview) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, Raw) or not isinstance(module, Raw):
            raise ArrayFault("contains code: it names what is no text", SAVE_AGAIN)
        self.push(known_name(module.text(), name.text()))

    def reduce(self, _: memoryview) -> None:
        arguments, name = self.pop(), self.pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise ArrayFault("contains code: it calls what is no function", SAVE_AGAIN)
        self.push(make(name, arguments))

    def build(self, _: memoryview) -> None:
        state = self.pop()
        target = self.stack[-1]
        if isinstance(target, PickledType):
            finish_type(target, state)
        elif isinstance(target, PickledArray):
            finish_array(target, state)
        else:
            raise ArrayFault("contains code: it changes what is no array", SAVE_AGAIN)


def _whole_number(argument: memoryview) -> int | bool:
    text = bytes(argument[:32])
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError("no whole number")
    # Protocol 0 writes False as 00 and True as 01.
    return {b"00": False, b"01": True}.get(text, int(text.rstrip(b"L")))


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("no list")  # noqa: TRY004 - the file is wrong, not our code
    return value


def _dict(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no dict")  # noqa: TRY004 - the file is wrong, not our code
    return value


def _enter(target: dict[str, Any], items: list[Any]) -> dict[str, Any]:
    """Keys as text: nothing of the file is ever hashed or compared but short text."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        name = key_text(key)
        if name in target:  # as 1 and "1" do; neither may hide the other
            raise ArrayFault(f"holds two things named {name!r}", SAVE_AGAIN)
        target[name] = value
    return target


_Do = Callable[[_Machine, memoryview], None]


def _text_of(encoding: str = "") -> _Do:
    return lambda machine, argument: machine.push(Raw(argument, encoding))


def _push(make: Callable[[], object]) -> _Do:
    return lambda machine, _: machine.push(make())


def _nothing(machine: _Machine, argument: memoryview) -> None:
    """A frame groups what follows; it means nothing."""


_BYTES = ("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_DO: dict[str, _Do] = {
    "PROTO": _Machine.protocol,
    "FRAME": _nothing,
    "STOP": _Machine.stop,
    "INT": _Machine.number,
    "LONG": _Machine.number,
    "BININT": _Machine.signed,
    "LONG1": _Machine.signed,
    "LONG4": _Machine.signed,
    "BININT1": _Machine.unsigned,
    "BININT2": _Machine.unsigned,
    "FLOAT": _Machine.decimal,
    "BINFLOAT": _Machine.double,
    "NONE": _push(lambda: None),
    "NEWTRUE": _push(lambda: True),
    "NEWFALSE": _push(lambda: False),
    "STRING": _Machine.quoted,
    "UNICODE": _text_of("raw-unicode-escape"),
    **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), _text_of("utf-8")),
    **dict.fromkeys(_BYTES, _text_of()),
    "PUT": _Machine.put,
    "BINPUT": _Machine.binary_put,
    "LONG_BINPUT": _Machine.binary_put,
    "MEMOIZE": _Machine.memoize,
    "GET": _Machine.get,
    "BINGET": _Machine.binary_get,
    "LONG_BINGET": _Machine.binary_get,
    "MARK": _Machine.mark,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_to_mark,
    "DUP": _Machine.duplicate,
    "EMPTY_TUPLE": _push(tuple),
    "TUPLE": _Machine.tuple_of_mark,
    "TUPLE1": lambda machine, _: machine.short_tuple(1),
    "TUPLE2": lambda machine, _: machine.short_tuple(2),
    "TUPLE3": lambda machine, _: machine.short_tuple(3),
    # A set is kept as a list, so that nothing is hashed.
    "EMPTY_LIST": _push(list),
    "EMPTY_SET": _push(list),
    "LIST": _Machine.list_of_mark,
    "FROZENSET": _Machine.list_of_mark,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.extend,
    "ADDITEMS": _Machine.extend,
    "EMPTY_DICT": _push(dict),
    "DICT": _Machine.dict_of_mark,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_of_stack,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}
_REFUSED = {
    "PERSID": "a reference to something outside the file, as torch.save writes it",
    "BINPERSID": "a reference to something outside the file, as torch.save writes it",
    "NEXT_BUFFER": "a reference to a buffer outside the file",
    "READONLY_BUFFER": "a reference to a buffer outside the file",
    "EXT1": "a name by its number in a registry",
    "EXT2": "a name by its number in a registry",
    "EXT4": "a name by its number in a registry",
}
