"""Text for the terminal, and standard streams whose faults end no work."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.system import wait_until_writable
from ..core.text import printable
from .request import Result


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
                wait_until_writable(self._raw)
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
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open until the end


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


# Text for the terminal.


LONGEST_LIST = 20
"""Lines after which a list is cut: about a screen; arbitrary."""

_NOT_PRINTED = 3  # exit code where all was done, and what was to be printed could not be
_STREAMS = {"stdout": "standard output", "stderr": "standard error"}


def say(line: str) -> None:
    """Print a line of the result."""
    print(printable(line))


def json_lines(content: Any) -> list[str]:
    """An object as lines of JSON for programs, in ASCII: names come out of it as they are."""
    # The only character of ASCII that json leaves as it is, and a terminal does not show.
    return json.dumps(content, indent=2).replace("\x7f", "\\u007f").split("\n")


def warn(line: str) -> None:
    """Print a line that is not the result."""
    print(printable(line), file=sys.stderr)


def show(result: Result) -> None:
    """Print the lines of a result, and what is not the result first."""
    for note in result.notes:
        warn(f"note: {note}")
    for line in result.lines:
        say(line)


def complain(sentence: str, details: Sequence[str] = (), code: int = 2) -> int:
    """Print an error as one sentence, with its details below; return the exit code."""
    warn(f"lesion-dash: error: {sentence}")
    for line in details[:LONGEST_LIST]:
        warn(f"  {line}")
    if len(details) > LONGEST_LIST:
        warn(f"  ... and {len(details) - LONGEST_LIST} more")
    return code


def tell_faults(faults: Mapping[str, OSError], code: int) -> int:
    """Say on the other stream which one could not be written; return the exit code.

    Parameters
    ----------
    faults : mapping of str to OSError
        By ``stdout`` or ``stderr``. A reader that has gone, such as `head`, wanted no more: that
        is not a fault.
    code : int
        Of the command, as far as it went.
    """
    done = code in (0, 1)
    for name, fault in faults.items():
        if fault.errno != errno.EPIPE:
            problem = f"cannot be written ({fault.strerror}), what was to be printed is lost"
            files_note = "; what goes to files is complete" if done else ""
            sentence = f"lesion-dash: error: {_STREAMS[name]}: {problem}{files_note}"
            (warn if name == "stdout" else say)(sentence)
            code = _NOT_PRINTED if done else code
    return code


@contextmanager
def sentences_for_warnings() -> Iterator[None]:
    """Print each warning as one line, without the place in the code that Python names."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        warn(f"warning: {message}")

    shown, warnings.showwarning = warnings.showwarning, show
    try:
        yield
    finally:
        warnings.showwarning = shown


def progress_bar(text: str, unit: str) -> Callable[..., None] | None:
    """A progress bar on stderr, where somebody may be looking.

    Parameters
    ----------
    text : str
        What is being done.
    unit : str
        One of what is counted, such as ``file``.

    Returns
    -------
    callable or None
        Takes how many of how many are done, and what is being done now where that changes; None
        where stderr is not a terminal.
    """
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    percent = "{desc} {percentage:3.0f} %|{bar}| {elapsed}" if unit == "%" else None
    bar = tqdm(desc=printable(text), unit=unit, leave=False, bar_format=percent)

    def show(done: int, total: int, step: str = "") -> None:
        bar.total = total
        bar.update(min(max(done, 0), total) - bar.n)
        if step:
            bar.set_description_str(printable(step))
        if done >= total:
            bar.close()

    return show
