"""Files that lie behind a URL, such as ``s3://bucket/masks``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import InputError, SetupError

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://([^/?]*)([^?]*)(.*)", re.IGNORECASE | re.DOTALL)
# A password may hold anything, even a slash; digits after a colon are a port. A name alone is
# a container of Azure or an account, but with http it may be a token.
_SECRET = re.compile(
    r"(?<=://)[^/@]*:(?!\d+(?:/|$)).*@|(?<=https://)[^/@]+@|(?<=http://)[^/@]+@", re.DOTALL
)
_REFUSED = (401, 403)  # answers of a server


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
        """Take a URL apart."""
        found = _URL.fullmatch(url)
        if found is None:
            raise InputError(url, "is no URL", "write it as s3://bucket/folder")
        protocol, host, key, query = found.groups()
        path = cls(f"{protocol.lower()}://{host}", PurePosixPath(key.lstrip("/")), query)
        if "::" in url:
            raise InputError(path, "holds '::', a chain of URLs", "give the folder or file itself")
        return path

    @property
    def address(self) -> str:
        """The whole URL, with what must not be shown."""
        key = "" if self.key == PurePosixPath() else str(self.key)
        return f"{self.base}/{key}{self.query}"

    def __str__(self) -> str:
        shown = self.address.removesuffix(self.query) if self.query else self.address
        return without_password(shown).removesuffix("/")

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
        system, place = self.system()
        with self.explained():
            try:
                return str(system.info(place)["type"]) == "file"
            except FileNotFoundError:
                return False
            except Exception as error:
                # A bucket that may not be listed answers so for what is not there as well.
                if _is_refusal(error):
                    return False
                raise

    def iterdir(self) -> Iterator[UrlPath]:
        """What lies in the folder."""
        system, place = self.system()
        with self.explained():
            found = system.ls(place, detail=False)
        return (self / PurePosixPath(path).name for path in found)

    def find(self) -> list[str]:
        """Paths of all files below the folder, relative to it."""
        system, place = self.system()
        with self.explained():
            system.invalidate_cache()  # a listing kept from an earlier run may be old
            found = system.find(place)
        return [path[len(place) :].lstrip("/") for path in found]

    def system(self) -> tuple[Any, str]:
        """The file system of fsspec, and the path in its own form.

        Raises
        ------
        SetupError
            Where fsspec or the protocol's driver is not installed.
        """
        protocol = self.base.partition("://")[0]
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            remedy = "pip install 'lesion-dash[cluster]'"
            raise SetupError(self, "URLs need fsspec, which is not installed", remedy) from None
        try:
            system, place = url_to_fs(self.address)
        except ImportError as error:
            problem = f"the driver for {protocol}:// is not installed"
            raise SetupError(self, problem, str(error)) from None
        except ValueError:
            problem = f"{protocol}:// is no protocol that is known here"
            raise SetupError(self, problem, "check the spelling, such as s3:// or gs://") from None
        return system, str(place)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what a driver raises into one sentence; its own text might hold a password."""
        try:
            yield
        except (InputError, MemoryError):
            raise
        except Exception as error:
            raise self._explain(error) from None

    def _explain(self, error: Exception) -> InputError:
        if isinstance(error, FileNotFoundError):
            remedy = "check the spelling of the URL, and that the bucket is there"
            return InputError(self, "file or folder not found", remedy)
        if isinstance(error, IsADirectoryError):
            return InputError(self, "not a regular file: is a folder", "give the file itself")
        if _is_refusal(error):
            remedy = "check your credentials, or ask the owner for access"
            return InputError(self, "no permission to read", remedy)
        problem = f"reading stopped ({type(error).__name__})"
        return InputError(self, problem, "check the network and the address, then try again")

    def _kind(self) -> str | None:
        system, place = self.system()
        with self.explained():
            try:
                return str(system.info(place)["type"])
            except FileNotFoundError:
                return None

    def _at(self, key: PurePosixPath) -> UrlPath:
        return UrlPath(self.base, key, self.query)


def _is_refusal(error: Exception) -> bool:
    status = getattr(error, "status", getattr(error, "code", None))
    named = "Credentials" in type(error).__name__ or "Forbidden" in str(error)
    return isinstance(error, PermissionError) or status in _REFUSED or named


AnyPath = Path | UrlPath
"""A file or folder, on this computer or behind a URL."""

PathInput = str | os.PathLike[str] | UrlPath
"""What a user may give as a path."""


def as_path(given: PathInput) -> AnyPath:
    """A path on this computer (``~`` expanded), or one behind a URL: here alone this is decided.

    Examples
    --------
    >>> as_path("s3://bucket/masks"), as_path("file:///data/masks").name
    (UrlPath('s3://bucket/masks'), 'masks')
    """
    if isinstance(given, UrlPath):
        return given
    text = os.fspath(given)
    if not isinstance(given, str) or not _URL.fullmatch(text):
        return Path(os.path.expanduser(text))
    if text.lower().startswith("file:///"):
        return Path(text[len("file://") :])
    return UrlPath.parse(text)


def without_password(url: str) -> str:
    """An address that may be shown.

    Examples
    --------
    >>> without_password("s3://me:secret@bucket/masks"), without_password("tcp://host:8786")
    ('s3://***@bucket/masks', 'tcp://host:8786')
    """
    return _SECRET.sub("***@", url)


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
