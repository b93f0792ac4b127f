"""Read a file whole, within limits, or look into one of any size."""

from __future__ import annotations

import hashlib
import os
import stat
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

from ..core.errors import InputError, MissingFile, NotFetched
from ..core.system import READ
from .contents import LONGEST_PLACEHOLDER, Finding, dead_link, is_workbook, placeholder
from .listing import open_confined
from .paths import AnyPath, UrlPath, ask

_LINE_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # of `str.splitlines`, besides \n and \r


class TableLimits(NamedTuple):
    """The largest table of a kind.

    Parameters
    ----------
    bytes, rows, columns, cells : int
    """

    bytes: int
    rows: int
    columns: int
    cells: int

    def fault(self, rows: int = 0, columns: int = 0, cells: int = 0) -> str:
        """What is too large about a table, empty where nothing is.

        Examples
        --------
        >>> TABLE.fault(rows=400), TABLE.fault(rows=400_000)
        ('', 'has 400,000 rows, 60,000 are allowed')
        """
        for kind, number in (("rows", rows), ("columns", columns), ("cells", cells)):
            if number > (limit := getattr(self, kind)):
                return f"has {number:,} {kind}, {limit:,} are allowed"
        return ""

    def fault_of(self, text: str, separators: str) -> str:
        """The same of a text before it is parsed: its lines, and what separates its cells.

        Examples
        --------
        >>> TABLE.fault_of("a,b" * 2_000_000, ",;")
        'has 2,000,001 cells, 600,000 are allowed'
        """
        ends = max(text.count("\n"), text.count("\r")) + sum(map(text.count, _LINE_ENDS))
        # A cell more than there are separators in each line.
        return self.fault(rows=ends) or self.fault(cells=sum(map(text.count, separators)) + 1)


TABLE = TableLimits(bytes=2**22, rows=60_000, columns=2_000, cells=600_000)
"""Of regions, points, units and numbers: the largest label tables have some 15,000 rows."""

EVENTS = TABLE._replace(bytes=2**24, rows=100_000, cells=1_000_000)
"""Of what was shown when: a run has thousands of events at most, with long names of files."""

PARTICIPANTS = TableLimits(bytes=2**26, rows=120_000, columns=2_000, cells=2_000_000)
"""Of patients: 100,000 with 20 columns, or 1,000 with 2,000."""

MEASURES = PARTICIPANTS._replace(columns=PARTICIPANTS.cells)
"""Of what programs measured in patients, such as 10,000 disconnections of 200: its cells are read
as text, which takes up to 200 bytes each."""

SMALLER = "remove empty rows, and rows and columns that are not needed"
"""What to do about a table that is too large."""


_RIGHT_FILE = "check that it is the right file"
_EMPTY = "file is empty", "copy it again from its source"
_CHANGED = "changed while reading", "wait until it is copied whole"


def read_bytes(path: AnyPath, head: int | None = None, max_bytes: int | None = None) -> bytes:
    """Read a regular file whole, or only its first `head` bytes.

    Parameters
    ----------
    path : Path or UrlPath
    head : int, optional
        Read no more than these bytes.
    max_bytes : int, optional
        Refuse a larger file.

    Raises
    ------
    InputError
        Where it is not a regular file, is empty or too large, may not be read, changes while it
        is read, or stands for one that was not fetched.
    """
    if isinstance(path, UrlPath):
        content = _read_url(path, head, max_bytes)
    else:
        descriptor = open_file(path)
        try:
            content = _read_open_file(descriptor, path, head, max_bytes)
        finally:
            os.close(descriptor)
    if len(content) <= LONGEST_PLACEHOLDER and (finding := placeholder(content)):
        raise NotFetched(path, finding.problem, finding.remedy)
    return content


def open_file(path: Path) -> int:
    """Open a file of this computer for reading; gives its descriptor."""
    try:
        return open_confined(path, READ)
    except PermissionError as error:
        raise InputError(path, "no permission to read", "ask the file's owner") from error
    except FileNotFoundError as error:
        if finding := unfetched_link(path):
            raise NotFetched(path, finding.problem, finding.remedy) from error
        raise MissingFile(path, "file not found", "check the spelling of the path") from error
    except OSError as error:
        raise InputError(path, f"cannot be opened ({error.strerror})") from error


def unfetched_link(path: AnyPath) -> Finding | None:
    """What a link to content that was never fetched stands for; None for every other path."""
    if not isinstance(path, Path) or path.exists() or not path.is_symlink():
        return None
    return dead_link(os.readlink(path))


def _read_open_file(descriptor: int, path: Path, head: int | None, max_bytes: int | None) -> bytes:
    before = os.fstat(descriptor)
    check_status(path, before, max_bytes)
    try:
        # One byte more than expected shows a file that grows meanwhile.
        count = head if head is not None else before.st_size + 1
        content = os.read(descriptor, count)
        while len(content) < count and (more := os.read(descriptor, count - len(content))):
            content += more
    except OSError as error:
        raise _stopped(path, error) from error
    after = os.fstat(descriptor)
    whole = head is not None or len(content) == before.st_size
    if not whole or after.st_mtime_ns != before.st_mtime_ns:
        raise InputError(path, *_CHANGED)
    return content


def _stopped(path: Path, error: OSError) -> InputError:
    problem = f"reading stopped ({error.strerror})"
    return InputError(path, problem, "check the disk or network share")


def check_status(path: Path, status: os.stat_result, max_bytes: int | None = None) -> None:
    """Refuse a file that is not regular, is closed to everybody, empty, or too large."""
    if not stat.S_ISREG(status.st_mode):
        what = "is a folder" if stat.S_ISDIR(status.st_mode) else "a device or pipe"
        raise InputError(path, f"not a regular file: {what}", "give the file itself")
    if not status.st_mode & 0o444:
        raise InputError(path, "no permission to read: closed to everybody", "ask its owner")
    if status.st_size == 0:
        raise InputError(path, *_EMPTY)
    if max_bytes is not None and status.st_size > max_bytes:
        problem = f"is too large: {status.st_size:,} bytes, {max_bytes:,} allowed"
        raise InputError(path, problem, _RIGHT_FILE)


def _read_url(path: UrlPath, head: int | None, max_bytes: int | None) -> bytes:
    """Read a file behind a URL; its first bytes take a single request."""
    system, place = path.system()
    size = None
    if head is None:
        # None where a server does not tell.
        size = ask(path, lambda: system.info(place)["size"])
        if max_bytes is not None and size is not None and size > max_bytes:
            problem = f"is too large: {size:,} bytes, {max_bytes:,} allowed"
            raise InputError(path, problem, _RIGHT_FILE)
    expected = max_bytes if size is None else size
    # One byte more than expected shows a larger file, however large it is.
    allowed = head if head is not None or expected is None else expected + 1
    content = ask(path, partial(_content, system, place, allowed))
    if not content:
        raise InputError(path, *_EMPTY)
    if size is not None and len(content) != size:
        raise InputError(path, *_CHANGED)
    if head is None and max_bytes is not None and len(content) > max_bytes:
        problem = f"is too large: more than the {max_bytes:,} bytes allowed"
        raise InputError(path, problem, _RIGHT_FILE)
    return content


def _content(system: Any, place: str, allowed: int | None) -> bytes:
    start = None if allowed is None else 0
    try:
        content = bytes(system.cat_file(place, start=start, end=allowed))
    except OSError:
        # Object stores refuse to give a range of an empty file.
        if allowed is not None and system.info(place)["size"] == 0:
            return b""
        raise
    return content[:allowed]  # a server may give the whole file where a part was asked for


def read_text(
    path: AnyPath, limits: TableLimits = TABLE, separators: str = "\t,;|<"
) -> tuple[str, tuple[str, ...], str]:
    """Read a text table: UTF-8 with or without a byte order mark, UTF-16, or Latin-1.

    Parameters
    ----------
    path : Path or UrlPath
    limits : TableLimits
        A larger table is refused before it is parsed.
    separators : str
        Each of these characters ends a cell.

    Returns
    -------
    text : str
    notes : tuple of str
        How it was read, where that was not UTF-8.
    sha256 : str
        Of the file.

    Raises
    ------
    InputError
        Where the file is missing, empty, too large, or is not text, such as a workbook.
    """
    content = b"" if is_workbook(path.name) else read_bytes(path, max_bytes=limits.bytes)
    if is_workbook(path.name, content):
        raise InputError(path, "a workbook is not read", "save it as CSV")
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    notes: tuple[str, ...] = ("read as UTF-16",) if wide else ()
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        text, notes = content.decode("latin-1"), ("not UTF-8: read as Latin-1",)
    if "\0" in text:
        raise InputError(path, "not a text table: it holds a NUL byte")
    if fault := limits.fault_of(text, separators):
        raise InputError(path, fault, SMALLER)
    return text, notes, checksum(content)


def checksum(*parts: bytes | memoryview) -> str:
    """SHA-256 of a file's content, in one or several parts, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


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
            raise InputError(self._path, *_CHANGED)

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
            raise _stopped(self._path, error) from error
        return b"".join(pieces)

    def startswith(self, mark: bytes, start: int = 0) -> bool:
        """Whether these bytes stand at a place."""
        return self[start : start + len(mark)] == mark
