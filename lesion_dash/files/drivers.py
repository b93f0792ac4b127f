"""The drivers of fsspec: asked with patience, and what they raise turned into one sentence."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import InputError, MissingFile, SetupError

if TYPE_CHECKING:
    from .urls import UrlPath

_PAUSES = (0.5, 2.0, 6.0)  # seconds before a driver is asked once more
_REFUSALS = (401, 403)  # answers of a server
_MISSES = (404, 410)
_PASSING = (408, 429)  # and all from 500 on
_CREDENTIALS = re.compile(r"Credential|Token|Auth|Forbidden|AccessDenied")
# A driver that raises these was not even asked over the network: asking again changes nothing.
_AT_ONCE = (AttributeError, LookupError, NotImplementedError, TypeError, ValueError)

T = TypeVar("T")


class Refused(SetupError):
    """A file or folder that these credentials may not read."""


def open_driver(path: UrlPath) -> tuple[Any, str]:
    """The file system of fsspec, and the path in its own form.

    Raises
    ------
    SetupError
        Where fsspec or the protocol's driver is not installed, or the driver cannot begin.
    """
    try:
        from fsspec.core import url_to_fs
        from fsspec.registry import available_protocols, registry
    except ImportError:
        remedy = "pip install 'lesion-dash[cluster]'"
        raise SetupError(path, "URLs need fsspec, which is not installed", remedy) from None
    if path.protocol not in {*available_protocols(), *registry}:
        problem = f"{path.protocol}:// is no protocol that is known here"
        raise SetupError(path, problem, "check the spelling, such as s3:// or gs://")
    system, place = ask(path, lambda: url_to_fs(path.address))
    return system, str(place)


def ask(path: UrlPath, question: Callable[[], T]) -> T:
    """Ask a driver, and again after a growing pause where the network or a server failed.

    Raises
    ------
    MissingFile
        Where there is no such file.
    Refused
        Where the credentials are missing, expired, or not enough.
    SetupError
        Where there is no answer in any try. No fault of the file: a run must not go on without it.
    """
    pauses = iter(_PAUSES)
    while True:
        try:
            return question()
        except (InputError, MemoryError):
            raise
        except Exception as error:
            fault, pause = _lasting_fault(path, error), next(pauses, None)
            kind = type(error).__name__
        # Raised here, so that nothing of the driver's own text, which may hold a password, is kept.
        if fault is not None:
            raise fault
        if pause is None:
            problem = f"reading stopped ({kind}) in each of {len(_PAUSES) + 1} tries"
            remedy = "check the network and the address, then run this again"
            raise SetupError(path, problem, remedy)
        time.sleep(pause)


def _lasting_fault(path: UrlPath, error: Exception) -> InputError | None:
    """What to say of an error that asking again would not mend."""
    status = _status_of(error)
    if isinstance(error, FileNotFoundError) or status in _MISSES:
        remedy = "check the spelling of the URL, and that the bucket is there"
        return MissingFile(path, "file or folder not found", remedy)
    if isinstance(error, IsADirectoryError):
        return InputError(path, "not a regular file: is a folder", "give the file itself")
    if isinstance(error, PermissionError) or status in _REFUSALS or _names_credentials(error):
        remedy = "check your credentials, or ask the owner for access"
        return Refused(path, "no permission to read", remedy)
    if isinstance(error, ImportError):
        problem = f"the driver for {path.protocol}:// is not installed"
        return SetupError(path, problem, _what_to_install(error))
    if isinstance(error, _AT_ONCE) or _is_final(status):
        problem = f"the driver cannot read this address ({type(error).__name__})"
        return SetupError(path, problem, "check the address and the driver's configuration")
    return None


def _names_credentials(error: Exception) -> bool:
    return bool(_CREDENTIALS.search(type(error).__name__)) or "Forbidden" in str(error)


def _is_final(status: int | None) -> bool:
    return status is not None and 400 <= status < 500 and status not in _PASSING


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


def _what_to_install(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"pip install {error.name.partition('.')[0]}"
    return str(error)
