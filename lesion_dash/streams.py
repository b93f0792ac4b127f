"""The standard streams of the command line, where no fault of a stream ends the work."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class _Output(io.RawIOBase):
    """Below a standard stream: what cannot be written is dropped, and the first reason kept."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.fault: OSError | None = None

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def write(self, content: Any) -> int:
        try:
            # None: full for the moment, and another program has set the stream not to wait.
            while (written := self._raw.write(content)) is None:
                select.select([], [self._raw], [])
            return int(written)
        except OSError as error:
            # A fault may pass, as a full disk does: a log goes on after it.
            self.fault = self.fault or error
            return len(content)


def open_missing_streams() -> None:
    """Open the null device for each standard stream that is closed, as some services are started.

    A file that is opened later would get the descriptor of the missing stream otherwise, and what
    a library writes to standard error would go into a file of results.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # It gets the lowest free descriptor, which is this one; programs we start inherit it.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open until the end


@contextmanager
def lasting_streams() -> Iterator[Callable[[], dict[str, OSError]]]:
    """Let a command go on where what it prints cannot be written: a full disk, a closed pipe.

    Streams that a caller in Python put in the place of the standard ones stay as they are.

    Yields
    ------
    callable
        Flushes the streams; gives what kept them from being written, by their names in `sys`.
    """
    before = sys.stdout, sys.stderr
    outputs: dict[str, _Output] = {}
    for name, stream in zip(("stdout", "stderr"), before, strict=True):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that knows no "³" gets a "?" rather than an error.
            stream.reconfigure(errors="replace")
            if stream is getattr(sys, f"__{name}__"):
                outputs[name] = _Output(getattr(stream.buffer, "raw", stream.buffer))
                setattr(sys, name, _text_over(outputs[name], stream))

    def faults() -> dict[str, OSError]:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return {name: output.fault for name, output in outputs.items() if output.fault}

    try:
        yield faults
    finally:
        faults()
        sys.stdout, sys.stderr = before


def _text_over(output: _Output, stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """A stream of text with the settings of another one."""
    return io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=stream.encoding,
        errors=stream.errors,
        # Python was told not to buffer (-u) where it writes through.
        line_buffering=stream.line_buffering or stream.write_through,
    )
