"""Paths and URLs: one way to name a file wherever it lies, and no password in a message."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Literal, TypeVar

from ..core.errors import InputError, MissingFile, SetupError
from ..core.text import printable

# Protocol, host or bucket, path from its first slash on, and query.
_URL = re.compile(r"([a-z][a-z0-9+.-]+)://([^/?]*)([^?]*)(.*)", re.IGNORECASE | re.DOTALL)
_PORT = re.compile(r"([^:@]*|\[[0-9a-f:.]+\])(:\d{1,5})?", re.IGNORECASE)
# Azure writes container@account, neither of which is a secret.
_CONTAINERS = {"abfs", "abfss", "az", "wasb", "wasbs"}
# These open files within, or by means of, what another address names.
_WRAPPING = {
    "async_wrapper", "asyncwrapper", "blockcache", "cached", "dask", "data", "dir", "filecache",
    "generic", "libarchive", "reference", "simplecache", "tar", "zip",
}  # fmt: skip
_WEB = ("http", "https")
_HERE = ("file", "local")  # protocols of this computer's own files


def without_password(address: str) -> str:
    """An address of any kind, without all that stands before its last ``@``.

    Examples
    --------
    >>> without_password("tcp://me:secret@host:8786"), without_password("tcp://host:8786")
    ('tcp://***@host:8786', 'tcp://host:8786')
    """
    before, at, place = address.rpartition("@")
    if not at:
        return address
    protocol = re.match(r"[a-z]+://", before, re.IGNORECASE)
    return f"{protocol[0] if protocol else ''}***@{place}"


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
        """Parse a URL.

        Raises
        ------
        InputError
            Where it is a chain, wraps another file, or where a password cannot be told from the
            path. The sentence shows nothing but the protocol.
        """
        parts = _URL.fullmatch(url)
        if parts is None:
            remedy = "write it as s3://bucket/folder"
            raise InputError(without_password(url), "is not a URL", remedy)
        protocol, host, key, query = parts[1].lower(), *parts.groups()[1:]
        shown = f"{protocol}://***"
        if "::" in host + key + query:
            raise InputError(shown, "holds '::', a chain of URLs", "give the folder or file itself")
        if protocol in _WRAPPING:
            problem = f"{protocol}:// opens what lies within another file, which is not read"
            raise InputError(shown, problem, "unpack it, and give the folder")
        # A part of a password may have been taken for something else.
        is_plain = "@" in host or _PORT.fullmatch(host) is not None
        if (query and not key) or ("@" in key + query and ":" in host) or not is_plain:
            problem = "holds a password that cannot be told from the path (by an @, a / or a ?)"
            remedy = "remove it: drivers read it from the environment and from configuration files"
            raise InputError(shown, problem, remedy)
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
        return f"{self.base}/{self._text}{self.query}"

    def __str__(self) -> str:
        protocol, _, host = self.base.partition("://")
        user, at, place = host.rpartition("@")
        is_container = protocol in _CONTAINERS and ":" not in user
        shown = host if not at or is_container else f"***@{place}"
        return f"{protocol}://{shown}/{self._text}".removesuffix("/")

    @property
    def _text(self) -> str:
        return "" if self.key == PurePosixPath() else str(self.key)

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
        paths = ask(self, lambda: system.ls(place, detail=False))
        return (self / PurePosixPath(path).name for path in paths)

    def find(self) -> list[str]:
        """Paths of all files below the folder, relative to it."""
        system, place = self.system()
        system.invalidate_cache()  # a listing kept from an earlier run may be old
        paths = ask(self, lambda: system.find(place))
        return [path[len(place) :].lstrip("/") for path in paths]

    def system(self) -> tuple[Any, str]:
        """The file system of fsspec, and the path in its own form; see `open_driver`."""
        return open_driver(self)

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file."""
        system, place = self.system()
        try:
            ask(self, lambda: system.rm_file(place), "write")
        except MissingFile:
            if not missing_ok:
                raise

    def _kind(self) -> str | None:
        if self.is_web and not self.suffix:
            return "directory"  # a web server does not tell; all that is read has an ending
        system, place = self.system()

        def kind() -> str | None:
            system.invalidate_cache(place)  # whatever was listed before
            try:
                return str(system.info(place)["type"])
            except FileNotFoundError:
                return None

        return ask(self, kind)

    def _at(self, key: PurePosixPath) -> UrlPath:
        return UrlPath(self.base, key, self.query)


AnyPath = Path | UrlPath
"""A file or folder, on this computer or behind a URL."""

PathInput = str | os.PathLike[str] | UrlPath
"""What a user may give as a path."""


def as_path(given: PathInput) -> AnyPath:
    """A path on this computer (``~`` expanded), or one behind a URL; only this function decides.

    Examples
    --------
    >>> as_path("s3://bucket/masks"), as_path("file:///data/my%20masks").name
    (UrlPath('s3://bucket/masks'), 'my masks')
    """
    if isinstance(given, UrlPath):
        return given
    text = os.fspath(given)
    if not isinstance(given, str) or not _URL.fullmatch(text):
        return Path(os.path.expanduser(text))
    protocol, _, rest = text.partition("://")
    if protocol.lower() not in _HERE:
        return UrlPath.parse(text)
    # After the name of the computer comes the path, with %20 for a space.
    shown = without_password(f"file://{rest}")
    host, slash, path = rest.partition("/")
    if host.lower() not in ("", "localhost"):
        remedy = "mount the folder here and give its path, such as /mnt/masks"
        raise InputError(shown, "names a file of another computer", remedy)
    if not slash:
        raise InputError(shown, "names no file", "write it as file:///data/masks")
    from urllib.request import url2pathname  # which imports all of HTTP

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


def below_pattern(folder: PurePath) -> str:
    r"""A regular expression for the beginning of each path below a folder, as texts have it.

    Windows's own separator may be doubled, as in JSON, or be the one of all other systems.

    Examples
    --------
    >>> re.sub(below_pattern(PurePosixPath("/data/a.b")), "", "/data/a.b/x.nii: /data/axb/y.nii")
    'x.nii: /data/axb/y.nii'
    """
    parts = [re.escape(printable(part)) for part in folder.as_posix().rstrip("/").split("/")]
    separator = r"(?:/|\\{1,2})" if isinstance(folder, PureWindowsPath) else "/"
    return separator.join([*parts, ""])


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


_PAUSES = (0.5, 2.0, 6.0)  # seconds before a driver is asked once more, arbitrary
_LONGEST_TRY = 60.0
"""Seconds after which a try is the last one, arbitrary: drivers repeat requests themselves, and one
that waited that long for a server that is silent would wait as long again."""
_REFUSALS = (401, 403)  # answers of a server
_MISSES = (404, 410)
_PASSING = (408, 429)  # and all from 500 on
_CREDENTIALS = re.compile(r"Credential|Token|Auth|Forbidden|AccessDenied")
# s3fs asks five times, and botocore five times each: 25 waits for a server that is silent.
# https://docs.aws.amazon.com/botocore/latest/reference/config.html
_S3: dict[str, Any] = {"config_kwargs": {"retries": {"total_max_attempts": 1}}}
_OPTIONS = {"s3": _S3, "s3a": _S3}
# A driver that raises these was not even asked over the network: asking again changes nothing.
_AT_ONCE = (AttributeError, LookupError, NotImplementedError, TypeError, ValueError)

T = TypeVar("T")
Deed = Literal["read", "write"]
_STOPPED: dict[Deed, str] = {"read": "reading stopped", "write": "writing stopped"}


class Refused(SetupError):
    """A file or folder that these credentials may not read or write."""


def open_driver(path: UrlPath) -> tuple[Any, str]:
    """The file system of fsspec, and the path in its own form.

    Raises
    ------
    SetupError
        Where fsspec or the protocol's driver is not installed, or the driver cannot begin.
    """
    try:
        from fsspec.config import conf
        from fsspec.core import url_to_fs
        from fsspec.registry import available_protocols, registry
    except ImportError:
        remedy = "pip install 'lesion-dash[cluster]'"
        raise SetupError(path, "URLs need fsspec, which is not installed", remedy) from None
    if path.protocol not in {*available_protocols(), *registry}:
        problem = f"{path.protocol}:// is not a known protocol"
        raise SetupError(path, problem, "check the spelling, such as s3:// or gs://")
    options = _OPTIONS.get(path.protocol, {}).items()
    own = {name: value for name, value in options if name not in conf.get(path.protocol, {})}
    system, place = ask(path, lambda: url_to_fs(path.address, **own))
    return system, str(place)


def ask(path: UrlPath, question: Callable[[], T], deed: Deed = "read") -> T:
    """Ask a driver, and again after a growing pause where the network or a server failed.

    Parameters
    ----------
    path : UrlPath
    question : callable
        Calls the driver.
    deed : str
        What it does, for the sentence of an error.

    Raises
    ------
    MissingFile
        Where there is no such file.
    Refused
        Where the credentials are missing, expired, or not enough.
    SetupError
        Where there is no answer in any try. No fault of the file: a run must not go on without it.
    """
    for tries, pause in enumerate((*_PAUSES, None), start=1):
        began = time.monotonic()
        try:
            return question()
        except (InputError, MemoryError):
            raise
        except Exception as error:
            fault = _lasting_fault(path, error, deed)
            kind = type(error).__name__
        # Raised here, so that nothing of the driver's own text, which may hold a password, is kept.
        if fault is not None:
            raise fault
        if pause is None or time.monotonic() - began > _LONGEST_TRY:
            when = f"in each of {tries} tries" if tries > 1 else f"after {_LONGEST_TRY:.0f} seconds"
            remedy = "check the network and the address, then run this again"
            raise SetupError(path, f"{_STOPPED[deed]} ({kind}) {when}", remedy)
        time.sleep(pause)
    raise AssertionError("the last try has no pause")


def _lasting_fault(path: UrlPath, error: Exception, deed: Deed) -> InputError | None:
    """What to say of an error that asking again would not mend."""
    status = _status_of(error)
    if isinstance(error, FileNotFoundError) or status in _MISSES:
        remedy = "check the spelling of the URL, and that the bucket is there"
        return MissingFile(path, "file or folder not found", remedy)
    if isinstance(error, IsADirectoryError):
        return InputError(path, "not a regular file: is a folder", "give the file itself")
    names_credentials = _CREDENTIALS.search(type(error).__name__) or "Forbidden" in str(error)
    if isinstance(error, PermissionError) or status in _REFUSALS or names_credentials:
        remedy = "check your credentials, or ask the owner for access"
        return Refused(path, f"no permission to {deed}", remedy)
    if isinstance(error, ImportError):
        problem = f"the driver for {path.protocol}:// is not installed"
        package = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0]
        return SetupError(path, problem, f"pip install {package}" if package else str(error))
    is_final = status is not None and 400 <= status < 500 and status not in _PASSING
    if isinstance(error, _AT_ONCE) or is_final:
        problem = f"the driver cannot {deed} this address ({type(error).__name__})"
        return SetupError(path, problem, "check the address and the driver's configuration")
    return None


def _status_of(error: Exception) -> int | None:
    """The number of a server's answer, wherever a driver keeps it."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):  # as those of Amazon's library
        number = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return number if isinstance(number, int) else None
    for place in (error, response):
        for name in ("status", "status_code", "code"):
            if isinstance(number := getattr(place, name, None), int):
                return number
    return None


def sample_data() -> Path:
    """The folder of the sample data: in the current folder, a clone, or installed."""
    places = (
        Path.cwd() / "sample_data",
        Path(__file__).parents[2] / "sample_data",
        Path(sys.prefix) / "share" / "lesion_dash" / "sample_data",
    )
    return next((place for place in places if place.is_dir()), places[-1])
