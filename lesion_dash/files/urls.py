"""Files that lie behind a URL, such as ``s3://bucket/masks``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.request import url2pathname

from ..errors import InputError
from .addresses import is_url, shown_host, take_apart, without_password
from .drivers import Refused, ask, open_driver

_WEB = ("http", "https")
_HERE = ("file", "local")  # protocols of this computer's own files


@dataclass(frozen=True, order=True, repr=False)
class UrlPath:
    """The path of a file or folder behind a URL; it answers to the names a `Path` answers to.

    Shown as text it holds no password and no query string.

    Parameters
    ----------
    base : str
        Protocol and host or bucket, such as ``s3://bucket``.
    key : PurePosixPath
        The path below.
    query : str
        From the question mark on, where there is one.

    Examples
    --------
    >>> path = UrlPath.parse("https://me:secret@host/study/sub-1.nii.gz?token=1")
    >>> str(path), path.name, str(path.parent)
    ('https://***@host/study/sub-1.nii.gz', 'sub-1.nii.gz', 'https://***@host/study')
    """

    base: str
    key: PurePosixPath
    query: str = ""

    @classmethod
    def parse(cls, url: str) -> UrlPath:
        """Take a URL apart; see `addresses.take_apart` for what is refused."""
        protocol, host, key, query = take_apart(url)
        return cls(f"{protocol}://{host}", PurePosixPath(key.lstrip("/")), query)

    @property
    def protocol(self) -> str:
        """Such as ``s3``."""
        return self.base.partition("://")[0]

    @property
    def is_web(self) -> bool:
        """Whether this lies on a web server, which lists no folders."""
        return self.protocol in _WEB

    @property
    def address(self) -> str:
        """The whole URL, with what must not be shown."""
        key = "" if self.key == PurePosixPath() else str(self.key)
        return f"{self.base}/{key}{self.query}"

    def __str__(self) -> str:
        protocol, _, host = self.base.partition("://")
        key = "" if self.key == PurePosixPath() else str(self.key)
        return f"{protocol}://{shown_host(protocol, host)}/{key}".removesuffix("/")

    def __repr__(self) -> str:
        return f"UrlPath({str(self)!r})"

    @property
    def name(self) -> str:
        """The last part; of a bucket as a whole, the bucket."""
        return self.key.name or str(self).partition("://")[2]

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.key.stem

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        return self.key.suffix

    @property
    def parent(self) -> UrlPath:
        """The folder above; of a bucket, the bucket itself."""
        return self._at(self.key.parent)

    def __truediv__(self, part: str) -> UrlPath:
        return self._at(self.key / part)

    def with_suffix(self, suffix: str) -> UrlPath:
        """The same with another ending."""
        return self._at(self.key.with_suffix(suffix))

    def relative_to(self, folder: object) -> PurePosixPath:
        """The path below a folder of the same host or bucket."""
        if not isinstance(folder, UrlPath) or folder.base != self.base:
            raise ValueError(f"{self} does not lie below {folder}")
        return self.key.relative_to(folder.key)

    def is_relative_to(self, folder: object) -> bool:
        """Whether this is the folder or lies below it."""
        if not isinstance(folder, UrlPath) or folder.base != self.base:
            return False
        return self.key.is_relative_to(folder.key)

    def resolve(self) -> UrlPath:
        """Itself: there are no links."""
        return self

    def is_symlink(self) -> bool:
        """There are no links."""
        return False

    def exists(self) -> bool:
        """Whether there is a file or folder."""
        return self._kind() is not None

    def is_dir(self) -> bool:
        """Whether there is a folder, or files whose path begins so."""
        return self._kind() == "directory"

    def is_file(self) -> bool:
        """Whether there is a file that may be read."""
        try:
            return self._kind() == "file"
        except Refused:
            # A bucket that may not be listed answers so for what is not there as well.
            return False

    def iterdir(self) -> Iterator[UrlPath]:
        """What lies in the folder."""
        system, place = self.system()
        found = ask(self, lambda: system.ls(place, detail=False))
        return (self / PurePosixPath(path).name for path in found)

    def find(self) -> list[str]:
        """Paths of all files below the folder, relative to it."""
        system, place = self.system()
        system.invalidate_cache()  # a listing kept from an earlier run may be old
        found = ask(self, lambda: system.find(place))
        return [path[len(place) :].lstrip("/") for path in found]

    def system(self) -> tuple[Any, str]:
        """The file system of fsspec, and the path in its own form; see `open_driver`."""
        return open_driver(self)

    def _kind(self) -> str | None:
        if self.is_web and not self.suffix:
            return "directory"  # a web server does not tell; all that is read has an ending
        system, place = self.system()
        return ask(self, lambda: _kind_of(system, place))

    def _at(self, key: PurePosixPath) -> UrlPath:
        return UrlPath(self.base, key, self.query)


def _kind_of(system: Any, place: str) -> str | None:
    """``file``, ``directory``, or None where there is nothing now, whatever was listed before."""
    system.invalidate_cache(place)
    try:
        return str(system.info(place)["type"])
    except FileNotFoundError:
        return None


AnyPath = Path | UrlPath
"""A file or folder, on this computer or behind a URL."""

PathInput = str | os.PathLike[str] | UrlPath
"""What a user may give as a path."""


def as_path(given: PathInput) -> AnyPath:
    """A path on this computer (``~`` expanded), or one behind a URL: here alone this is decided.

    Examples
    --------
    >>> as_path("s3://bucket/masks"), as_path("file:///data/my%20masks").name
    (UrlPath('s3://bucket/masks'), 'my masks')
    """
    if isinstance(given, UrlPath):
        return given
    text = os.fspath(given)
    if not isinstance(given, str) or not is_url(text):
        return Path(os.path.expanduser(text))
    protocol, _, rest = text.partition("://")
    return _path_of(rest) if protocol.lower() in _HERE else UrlPath.parse(text)


def _path_of(rest: str) -> Path:
    """The path of a ``file://`` URL: after the name of the computer, with ``%20`` for a space."""
    shown = without_password(f"file://{rest}")
    host, slash, path = rest.partition("/")
    if host.lower() not in ("", "localhost"):
        remedy = "mount the folder here and give its path, such as /mnt/masks"
        raise InputError(shown, "names a file of another computer", remedy)
    if not slash:
        raise InputError(shown, "names no file", "write it as file:///data/masks")
    return Path(url2pathname(slash + path))


def path_below(path: AnyPath, folder: AnyPath) -> str:
    """The path of a file below a folder, with forward slashes.

    Examples
    --------
    >>> path_below(as_path("s3://bucket/masks/a/sub-1.nii"), as_path("s3://bucket/masks"))
    'a/sub-1.nii'
    """
    if isinstance(path, UrlPath):
        return path.relative_to(folder).as_posix()
    assert isinstance(folder, Path), "both lie on this computer"
    return path.relative_to(folder).as_posix()


def local_path(given: PathInput) -> Path:
    """A path on this computer, or an error where a URL is given."""
    path = as_path(given)
    if isinstance(path, UrlPath):
        raise InputError(path, "is a URL, a folder of this computer is needed", "give its path")
    return path


def is_below(place: AnyPath, root: AnyPath) -> bool:
    """Whether a place is a folder, or lies in it; a URL never lies on the disk."""
    if isinstance(place, Path):
        return isinstance(root, Path) and place.is_relative_to(root)
    return place.is_relative_to(root)
