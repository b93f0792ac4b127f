"""The way to a cluster: a scheduler that answers, and workers that fit this program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import InputError
from ..files import without_password
from .cluster import PATIENCE, Cluster
from .silence import SILENCE

SCHEDULER_VARIABLE = "LESION_DASH_SCHEDULER"
"""Environment variable: the scheduler that is used where none is named."""

_ADDRESS = re.compile(r"(tcp|tls)://[^/@\s]+:(\d{1,5})")
_LAST_PORT = 65535
_TLS = "distributed.comm.tls.ca-file and distributed.comm.tls.client.cert and .key"


@contextmanager
def connect(address: str) -> Iterator[Cluster]:
    """Connect to a scheduler whose workers fit this program; afterwards nothing of ours is there.

    Parameters
    ----------
    address : str
        Such as ``tcp://127.0.0.1:8786``.

    Raises
    ------
    InputError
        Where Dask is not installed here, the address is none, nobody answers within 10 s, there
        is no worker, or a worker runs other versions.
    """
    _check_address(address)
    try:
        import distributed
    except ImportError:
        problem, remedy = "needs Dask, which is not installed", "pip install 'lesion-dash[cluster]'"
        raise InputError("scheduler", problem, remedy) from None
    security = distributed.Security()  # as Dask's own configuration says
    if address.startswith("tls://"):
        _check_certificates(address, security)
    elif security.require_encryption:
        problem = "is not encrypted, and Dask's configuration asks for encryption"
        raise InputError(address, problem, "use a tls:// scheduler")
    with SILENCE:
        try:
            client = distributed.Client(
                address, timeout=PATIENCE, set_as_default=False, security=security
            )
        except (OSError, ValueError):
            problem = f"no scheduler answers within {PATIENCE} s"
            remedy = "start `dask scheduler` there, or check host and port"
            raise InputError(address, problem, remedy) from None
        try:
            cluster = Cluster(client, address)
            cluster.check_workers()
            yield cluster
        finally:
            with suppress(Exception):  # a scheduler that is gone has nothing of ours to release
                client.close(timeout=PATIENCE)


def _check_address(address: str) -> None:
    shown = without_password(address)
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise InputError(shown, "is no address of a scheduler", "write it as tcp://host:8786")
    if not 1 <= int(found[2]) <= _LAST_PORT:
        problem = f"port {found[2]} does not exist"
        raise InputError(shown, problem, f"give one from 1 to {_LAST_PORT}, such as 8786")


def _check_certificates(address: str, security: Any) -> None:
    """Raise InputError where Dask's configuration names no certificates, or they cannot be read."""
    try:
        context = security.get_connection_args("client").get("ssl_context")
    except (OSError, ValueError) as error:  # the errors of TLS are errors of the system
        problem = f"the certificates in Dask's configuration cannot be used ({error})"
        raise InputError(address, problem, f"check {_TLS}") from None
    if context is None:
        problem = "tls:// needs certificates, and Dask's configuration names none"
        raise InputError(address, problem, f"set {_TLS} there")
