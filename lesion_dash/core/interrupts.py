"""Interrupts by the user (Ctrl-C), whatever becomes of the exception."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = "stopped by the user; nothing was changed"
STOPPED_EXIT_CODE = 130  # that shells give where a signal 2 ended a program


@contextmanager
def noticed_interrupts() -> Iterator[Callable[[], bool]]:
    """Tell whether the user has interrupted (Ctrl-C), whatever became of the exception.

    Python raises it wherever it is: also in functions that C code of a library calls, which makes
    an error of its own of it. numpy, where it reads the format of a buffer, calls it an invalid
    format.

    Yields
    ------
    callable
        Gives whether there was an interrupt; never where it would not raise an exception here.
    """
    interrupts: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield lambda: False
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(interrupts)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
