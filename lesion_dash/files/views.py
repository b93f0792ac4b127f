"""Look into a file of any size without holding it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from ..errors import InputError
from .reading import check_status, open_file


class FileView:
    """The bytes of a regular file, read as they are asked for.

    A slice gives bytes, as of a `bytes` object; nothing is kept. To be used in a ``with`` block,
    whose end checks that the file did not change meanwhile.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        Where it is not a regular file, is empty, may not be read, or changed while it was read.

    Examples
    --------
    >>> with FileView(Path("sample_data/README.md")) as view:
    ...     view[:1], view.startswith(b"# "), len(view) > 100
    (b'#', True, True)
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = open_file(path)
        try:
            self._status = os.fstat(self._descriptor)
            check_status(path, self._status)
        except InputError:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        after = os.fstat(self._descriptor)
        os.close(self._descriptor)
        before = self._status
        is_same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if kind is None and not is_same:
            problem = "changed while reading"
            raise InputError(self._path, problem, "wait until it is copied whole")

    def __len__(self) -> int:
        return self._status.st_size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(len(self))
        pieces = []
        try:
            os.lseek(self._descriptor, start, os.SEEK_SET)
            while start < stop and (piece := os.read(self._descriptor, stop - start)):
                pieces.append(piece)
                start += len(piece)
        except OSError as error:
            problem = f"reading stopped ({error.strerror})"
            raise InputError(self._path, problem, "check the disk or network share") from error
        return b"".join(pieces)

    def startswith(self, mark: bytes, start: int = 0) -> bool:
        """Whether these bytes stand at a place."""
        return self[start : start + len(mark)] == mark
