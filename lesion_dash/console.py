"""Text for the terminal."""

from __future__ import annotations

import errno
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .text import printable

LONGEST_LIST = 20
"""Lines after which a list is cut."""

_UNTOLD = 3  # exit code where all was done, and what was to be printed could not be
_STREAMS = {"stdout": "standard output", "stderr": "standard error"}


def say(line: str) -> None:
    """Print a line of the result."""
    print(printable(line))


def say_json(content: Any) -> None:
    """Print an object as JSON for programs, in ASCII: names come out of it as they are."""
    # The only sign of ASCII that json leaves as it is, and a terminal does not show.
    print(json.dumps(content, indent=2).replace("\x7f", "\\u007f"))


def say_script(script: str) -> None:
    """Print the lines of a script."""
    for line in script.split("\n"):
        say(line)


def warn(line: str) -> None:
    """Print a line that is not the result."""
    print(printable(line), file=sys.stderr)


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
        is no fault.
    code : int
        Of the command, as far as it went.
    """
    done = code in (0, 1)
    for name, fault in faults.items():
        if fault.errno != errno.EPIPE:
            problem = f"cannot be written ({fault.strerror}), what was to be printed is lost"
            kept = "; what goes to files is complete" if done else ""
            sentence = f"lesion-dash: error: {_STREAMS[name]}: {problem}{kept}"
            (warn if name == "stdout" else say)(sentence)
            code = _UNTOLD if done else code
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


def progress_bar(text: str, unit: str) -> Callable[[int, int], None] | None:
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
        Told how many of how many are done; None where stderr is no terminal.
    """
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    bar = tqdm(desc=printable(text), unit=unit, leave=False)

    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return show
