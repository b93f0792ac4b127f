"""Voxel positions of a cohort's lesions, in memory or, where they are too many, on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..memory import bytes_in, free_memory

MEMORY_VARIABLE = "LESION_DASH_MEMORY"
"""Environment variable: the most memory a cohort's voxel positions may take, such as ``4GB``."""

_SHARE_OF_MEMORY = 0.25
_SAMPLE = 64  # masks that an estimate is made from

Notice = Callable[[str], None]


def memory_limit() -> int:
    """Bytes that the voxel positions of one cohort may take in memory.

    That is ``LESION_DASH_MEMORY`` where it is set, otherwise a quarter of what the machine, or the
    container this runs in, has free.

    Raises
    ------
    InputError
        Where the variable holds no size.
    """
    text = os.environ.get(MEMORY_VARIABLE, "").strip()
    if text:
        try:
            return bytes_in(text)
        except ValueError:
            problem = f"{text!r} is no size"
            raise InputError(MEMORY_VARIABLE, problem, "give one such as 4GB") from None
    return int(_SHARE_OF_MEMORY * free_memory())


class Positions:
    """Collects the positions of one lesion after the other.

    Once 64 masks are read, the size of all is estimated. Where that is above the limit, what was
    collected moves to an unnamed temporary file and the rest follows.

    Parameters
    ----------
    limit : int
        Bytes that may be held in memory; half of that for the positions, as they are there twice
        for a moment when they are put together.
    notice : callable, optional
        Given a sentence as soon as the positions go to disk.
    """

    def __init__(self, limit: int, notice: Notice | None = None) -> None:
        self._limit = limit
        self._notice = notice
        self._parts: list[NDArray[np.int32]] = []
        self._sizes: list[int] = []
        self._bytes = 0
        self._is_estimated = False
        self._file: IO[bytes] | None = None
        self.notes: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()  # what `join` returned keeps a map of it

    def add(self, positions: NDArray[np.int32]) -> None:
        """Add the positions of the next patient."""
        self._sizes.append(positions.size)
        self._bytes += positions.nbytes
        if self._file is None:
            self._parts.append(positions)
            if 2 * self._bytes > self._limit:
                self._move_to_disk(self._bytes)
        else:
            self._write(positions)

    def expect(self, done: int, total: int) -> None:
        """Estimate the size of all from those read so far, once 64 files or all are done."""
        if self._is_estimated or done < min(_SAMPLE, total):
            return
        self._is_estimated = True
        estimate = self._bytes * total // done
        if self._file is None and 2 * estimate > self._limit:
            self._move_to_disk(estimate)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each patient's positions begin, and the end of the last, shape (patients + 1,)."""
        return np.concatenate([[0], np.cumsum(self._sizes)]).astype(np.int64)

    def join(self) -> NDArray[np.int32]:
        """All positions one after the other; those on disk are mapped, read-only."""
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else np.empty(0, np.int32)
        return np.memmap(self._file, np.int32, "r")

    def _move_to_disk(self, estimate: int) -> None:
        text = (
            f"about {_size(2 * estimate)} of memory to put together its voxel positions, "
            f"{_size(self._limit)} allowed: kept on disk, the maps are the same but a subgroup or "
            f"a click takes longer (the limit is {MEMORY_VARIABLE})"
        )
        self.notes = (text,)
        if self._notice:
            self._notice(text)
        with _disk_errors():
            # Without a buffer, so that nothing is left to be written when it is closed.
            self._file = tempfile.TemporaryFile(  # noqa: SIM115
                prefix="lesion_dash_", buffering=0
            )
        for positions in self._parts:
            self._write(positions)
        self._parts = []

    def _write(self, positions: NDArray[np.int32]) -> None:
        assert self._file is not None
        content = positions.tobytes()
        with _disk_errors():
            while content:
                content = content[self._file.write(content) :]


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = f"cannot keep voxel positions in the temporary folder ({error.strerror})"
        remedy = "make room there, or name another folder in TMPDIR"
        raise InputError(tempfile.gettempdir(), problem, remedy) from error


def _size(count: int) -> str:
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10 ** (power - 1):
            return f"{count / 10**power:.3g} {unit}"
    return f"{count} bytes"
