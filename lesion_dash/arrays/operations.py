"""The operations of a pickle, one after the other: cut out of the file, not decoded, not run."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass

from .faults import COPY_AGAIN, SAVE_AGAIN, ArrayFault

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
