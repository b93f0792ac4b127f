"""What an address is made of, and what of it must not be shown."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import InputError

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.IGNORECASE | re.DOTALL)
_PLACE = re.compile(r"([^/?]*)([^?]*)(.*)", re.DOTALL)
_PORT = re.compile(r"([^:@]*|\[[0-9a-f:.]+\])(:\d{1,5})?", re.IGNORECASE)
# Azure writes container@account, neither of which is a secret.
_CONTAINERS = {"abfs", "abfss", "az", "wasb", "wasbs"}
# These open files within, or by means of, what another address names.
_WRAPPING = {
    "async_wrapper", "asyncwrapper", "blockcache", "cached", "dask", "data", "dir", "filecache",
    "generic", "libarchive", "reference", "simplecache", "tar", "zip",
}  # fmt: skip


class Address(NamedTuple):
    """The parts of a URL.

    Parameters
    ----------
    protocol : str
        In small letters.
    host : str
        Host or bucket, with user, password and port where they are given.
    key : str
        The path, from its first slash on.
    query : str
        From the question mark on.
    """

    protocol: str
    host: str
    key: str
    query: str


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path.

    Examples
    --------
    >>> is_url("s3://bucket/masks"), is_url("C:/masks")
    (True, False)
    """
    return _URL.fullmatch(text) is not None


def take_apart(url: str) -> Address:
    """Take a URL apart.

    Raises
    ------
    InputError
        Where it is a chain, wraps another file, or where a password cannot be told from the path.
        The sentence shows nothing but the protocol.

    Examples
    --------
    >>> take_apart("S3://bucket/study/masks")
    Address(protocol='s3', host='bucket', key='/study/masks', query='')
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise InputError(without_password(url), "is no URL", "write it as s3://bucket/folder")
    protocol, rest = found[1].lower(), found[2]
    shown = f"{protocol}://***"
    if "::" in rest:
        raise InputError(shown, "holds '::', a chain of URLs", "give the folder or file itself")
    if protocol in _WRAPPING:
        problem = f"{protocol}:// opens what lies within another file or folder, which is not read"
        raise InputError(shown, problem, "unpack it, and give the folder")
    place = _PLACE.fullmatch(rest)
    assert place is not None, "any text matches"
    host, key, query = place.groups()
    if _may_leak(host, key, query):
        problem = "holds a password that cannot be told from the path (by an @, a / or a ?)"
        remedy = "leave it out: drivers look for it in the environment and in configuration files"
        raise InputError(shown, problem, remedy)
    return Address(protocol, host, key, query)


def _may_leak(host: str, key: str, query: str) -> bool:
    """Whether a part of a password may have been taken for something else."""
    if query and not key:
        return True
    if "@" in key + query and ":" in host:
        return True
    return "@" not in host and _PORT.fullmatch(host) is None


def shown_host(protocol: str, host: str) -> str:
    """A host as it may be shown.

    Examples
    --------
    >>> shown_host("s3", "me:secret@bucket"), shown_host("abfs", "container@account")
    ('***@bucket', 'container@account')
    """
    user, at, place = host.rpartition("@")
    is_container = protocol in _CONTAINERS and ":" not in user
    return host if not at or is_container else f"***@{place}"


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
