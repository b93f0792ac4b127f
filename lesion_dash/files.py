"""The file system: find images in a folder, read a file whole, write a set of files safely."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError

IMAGE_ENDINGS = (".nii", ".nii.gz")
"""File name endings that are read as images, in any case."""

_SIDE_FILES = {"._": "macOS side file", "~$": "lock file of an office program"}
_UNFINISHED = re.compile(
    r"\.nii(\.gz)?(\.(part|crdownload|tmp)|~|\.[A-Za-z0-9]{6})$", re.IGNORECASE
)


@dataclass(frozen=True)
class Listing:
    """The images below a folder, and what was passed over and why."""

    images: tuple[Path, ...]
    skipped: tuple[tuple[Path, str], ...]


def list_images(folder: str | os.PathLike[str]) -> Listing:
    """Find every NIfTI file below a folder, in alphabetical order.

    Links are followed only to files and folders inside the folder, and no folder is entered twice.

    Raises
    ------
    InputError
        Where the folder is missing, is a file, or may not be read.
    """
    root = check_folder(folder)
    images: list[Path] = []
    skipped: list[tuple[Path, str]] = []
    real_root = os.path.realpath(root)
    entered = {real_root}
    waiting = [root]
    while waiting:
        for entry in _entries(waiting.pop(), root):
            path = Path(entry.path)
            reason = _link_fault(entry, real_root, entered) or _name_fault(entry.name)
            if reason:
                skipped.append((path, reason))
            elif entry.is_dir():
                entered.add(os.path.realpath(entry.path))
                if has_image_ending(entry.name):
                    skipped.append((path, "is a folder, although its name is an image's"))
                if not entry.name.startswith("."):
                    waiting.append(path)
            elif has_image_ending(entry.name):
                images.append(path)
    return Listing(tuple(sorted(images)), tuple(sorted(skipped)))


def has_image_ending(name: str) -> bool:
    """Whether a file name ends as an image's does, in capitals or not."""
    return name.lower().endswith(IMAGE_ENDINGS)


def strip_ending(name: str) -> str:
    """A file's name without ``.nii`` or ``.nii.gz``.

    Examples
    --------
    >>> strip_ending("sub-01_lesion.nii.gz")
    'sub-01_lesion'
    """
    return re.sub(r"\.nii(\.gz)?$", "", name, flags=re.IGNORECASE)


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """Return the folder as a path (``~`` expanded), or say why it cannot be read."""
    path = Path(os.path.expanduser(folder))
    if not path.exists():
        raise InputError(path, "folder not found", "check the spelling of the path")
    if not path.is_dir():
        raise InputError(path, "is a file, not a folder", "give the folder that holds the masks")
    if not os.access(path, os.R_OK | os.X_OK):
        raise InputError(path, "no permission to read this folder", "ask its owner for access")
    return path


def _entries(folder: Path, root: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except PermissionError as error:
        raise InputError(folder, "no permission to read this folder", "ask its owner") from error
    except FileNotFoundError:
        if folder == root:
            raise InputError(folder, "folder not found") from None
        return []


def _link_fault(entry: os.DirEntry[str], real_root: str, entered: set[str]) -> str:
    if not entry.is_symlink() or not (has_image_ending(entry.name) or _is_folder(entry)):
        return ""
    target = os.path.realpath(entry.path)
    if not os.path.exists(target):
        return "link target is missing"
    if os.path.isdir(target) and target in entered:
        return "link loop, not followed"
    if os.path.commonpath([real_root, target]) != real_root and not _is_device(target):
        return "link points outside the data folder, not followed"
    return ""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_device(path: str) -> bool:
    mode = os.stat(path).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _name_fault(name: str) -> str:
    for prefix, what in _SIDE_FILES.items():
        if name.startswith(prefix):
            return f"{what}, skipped"
    if _UNFINISHED.search(name):
        return "unfinished copy, skipped"
    if name.startswith(".") and has_image_ending(name):
        return "hidden file, skipped"
    return ""


def odd_name(name: str) -> str:
    """Say what is unusual about a file name, or return an empty string."""
    if any(unicodedata.category(letter) in ("Cc", "Cf") for letter in name):
        return "control character in the name"
    if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)", name.split(".", maxsplit=1)[0].lower()):
        return "reserved name on Windows"
    return ""


def read_bytes(path: Path, head: int | None = None) -> bytes:
    """Read a regular file whole, or only its first `head` bytes.

    Raises
    ------
    InputError
        Where it is not a regular file, is empty, may not be read, or changes while it is read.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe waits for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError as error:
        raise InputError(path, "no permission to read", "ask the file's owner") from error
    except FileNotFoundError as error:
        raise InputError(path, "file not found") from error
    except OSError as error:
        raise InputError(path, f"cannot be opened ({error.strerror})") from error
    with open(descriptor, "rb") as file:
        return _read_open_file(file.fileno(), path, head)


def _read_open_file(descriptor: int, path: Path, head: int | None) -> bytes:
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        raise InputError(path, "not a regular file (a device, pipe or folder)")
    if before.st_size == 0:
        raise InputError(path, "file is empty", "copy it again from its source")
    try:
        # One byte more than expected shows a file that grows meanwhile.
        content = _read_up_to(descriptor, head if head is not None else before.st_size + 1)
    except OSError as error:
        problem = f"reading stopped ({error.strerror})"
        raise InputError(path, problem, "check the disk or network share") from error
    after = os.fstat(descriptor)
    whole = head is not None or len(content) == before.st_size
    if not whole or after.st_mtime_ns != before.st_mtime_ns:
        raise InputError(path, "changed while reading", "wait until it is copied whole")
    return content


def _read_up_to(descriptor: int, count: int) -> bytes:
    content = os.read(descriptor, count)
    while len(content) < count and (more := os.read(descriptor, count - len(content))):
        content += more
    return content


def read_text(path: Path) -> str:
    """Read a text table: UTF-8 with or without a byte order mark, or UTF-16.

    Raises
    ------
    InputError
        Where the file is missing, empty, or is no text.
    """
    content = read_bytes(path)
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text:
        raise InputError(path, "not a text table: it holds a NUL byte")
    return text


def checksum(content: bytes) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


class Outbox:
    """Files waiting beside their final names; see :func:`write_together`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting: list[tuple[Path, Path]] = []

    def add(self, name: str, content: bytes) -> None:
        """Write a file under a temporary name in the results folder, and flush it to disk."""
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=self.folder)
        self._waiting.append((Path(temporary), self.folder / name))
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def commit(self) -> None:
        """Move every waiting file to its final name."""
        umask = os.umask(0)
        os.umask(umask)
        for temporary, final in self._waiting:
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, final)

    def discard(self) -> None:
        """Remove what was not moved."""
        for temporary, _ in self._waiting:
            temporary.unlink(missing_ok=True)


@contextmanager
def write_together(
    folder: str | os.PathLike[str], names: Iterable[str], overwrite: bool = False
) -> Iterator[Outbox]:
    """Write a set of files so that none is ever half there under its final name.

    The folder is made and checked on entry, before any work is done; the files take their final
    names together on leaving, and none does where an exception is raised in between.

    Parameters
    ----------
    folder : path
        Made where it does not exist.
    names : iterable of str
        The files to be written, checked against what is there.
    overwrite : bool
        Replace earlier results.

    Raises
    ------
    InputError
        Where the folder may not be written or already holds results.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_together(folder, ["a.txt"]) as outbox:
    ...         outbox.add("a.txt", b"whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    is_new = not Path(os.path.expanduser(folder)).exists()
    outbox = Outbox(prepare_results(folder, names, overwrite))
    try:
        yield outbox
        outbox.commit()
    except OSError as error:
        raise InputError(
            folder, f"cannot write ({error.strerror})", "nothing was changed"
        ) from error
    finally:
        outbox.discard()
        if is_new and not any(outbox.folder.iterdir()):
            outbox.folder.rmdir()


def prepare_results(
    folder: str | os.PathLike[str], names: Iterable[str], overwrite: bool = False
) -> Path:
    """Make a results folder, or say why results cannot go there."""
    path = Path(os.path.expanduser(folder))
    if path.exists() and not path.is_dir():
        raise InputError(path, "is a file, not a folder", "give another results folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(path, f"cannot be made ({error.strerror})") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError(path, "cannot write here", "give a results folder of your own")
    present = [name for name in names if (path / name).exists()]
    if present and not overwrite:
        found = ", ".join(present[:3]) + (" ..." if len(present) > 3 else "")
        raise InputError(
            path, f"already holds results ({found})", "use --overwrite to replace them"
        )
    return path
