"""Who may come to the dashboard: the address, the names it answers to, and the token."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import socket
import stat
from dataclasses import dataclass, field
from pathlib import Path

from ..core.defaults import LOOPBACK
from ..core.errors import InputError
from ..dashboard.own_server import OWN_NAMES, host_name

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@dataclass(frozen=True)
class Access:
    """The address the dashboard listens on, and what a request has to bring.

    Parameters
    ----------
    address : str
        IP address.
    names : tuple of str
        Names and addresses that a request's Host may give, in lower case.
    token : str
        What visitors log in with; empty on one's own computer.
    generated : bool
        Whether the token was made up here, and has to be told.
    """

    address: str = LOOPBACK
    names: tuple[str, ...] = OWN_NAMES
    token: str = field(default="", repr=False)
    generated: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether others than this computer's accounts can reach it."""
        return bool(self.token)

    def answers_to(self, host: str) -> bool:
        """Whether a Host header names this dashboard.

        A page elsewhere can have its own name point here, and then read what is served (DNS
        rebinding); it cannot do so with the names listed here, nor with an address.

        Examples
        --------
        >>> Access().answers_to("localhost:8866")
        True
        >>> Access().answers_to("[::1]:8866")
        True
        >>> Access().answers_to("evil.example:8866")
        False
        """
        name = host_name(host)
        if name in self.names:
            return True
        return self.address in {"0.0.0.0", "::"} and _as_address(name) is not None

    def url(self, port: int) -> str:
        """Where a browser finds the dashboard, as far as is known here.

        Examples
        --------
        >>> Access().url(8866)
        'http://127.0.0.1:8866/'
        """
        address = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(
            self.address, self.address
        )
        return f"http://{f'[{address}]' if ':' in address else address}:{port}/"


def arrange_access(
    host: str = LOOPBACK,
    hostname: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
) -> Access:
    """Settle who may come; whatever others can reach has a token.

    Parameters
    ----------
    host : str
        IP address to listen on.
    hostname : str, optional
        Name that visitors' browsers use, such as a proxy's.
    token_file : path, optional
        Holds the token; otherwise one is made up where one is needed.

    Returns
    -------
    Access

    Raises
    ------
    InputError
        Where the address, the name or the file is none.

    Examples
    --------
    >>> arrange_access().token
    ''
    >>> len(arrange_access("0.0.0.0").token)
    43
    """
    address = _as_address(LOOPBACK if host == "localhost" else host)
    if address is None:
        raise InputError(f"--host {host}", "is no IP address", f"give one, such as {LOOPBACK}")
    names = [*OWN_NAMES, str(address)]
    if hostname is not None:
        names.append(_checked_name(hostname))
    if address.is_unspecified:
        names.append(socket.gethostname().lower())
    needs_token = not address.is_loopback or hostname is not None
    generated = needs_token and token_file is None
    token = secrets.token_urlsafe(32) if generated else ""
    if token_file is not None:
        token = read_token(token_file)
    return Access(str(address), tuple(dict.fromkeys(names)), token, generated)


def _as_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _checked_name(hostname: str) -> str:
    name = hostname.lower()
    if not _NAME.fullmatch(name):
        problem = "is no host name"
        remedy = "give it alone, as in lab.example.org, without https:// and without a port"
        raise InputError(f"--hostname {hostname}", problem, remedy)
    return name


SHORTEST = 32
_LARGEST_FILE = 4096
_NEW = 'make one: (umask 077; python -c "import secrets; print(secrets.token_urlsafe(32))" > FILE)'


def read_token(path: str | os.PathLike[str]) -> str:
    """The token in a file.

    Parameters
    ----------
    path : path
        One line of at least 32 characters without spaces; on Linux and macOS, nobody but its owner
        may have any right to the file.

    Returns
    -------
    str

    Raises
    ------
    InputError
        Where the file cannot be read, is open to others, or holds no such line.

    Examples
    --------
    >>> import os, tempfile
    >>> from pathlib import Path
    >>> place = Path(tempfile.mkdtemp(), "token")
    >>> _ = place.write_text("k" * 40 + chr(10))
    >>> place.chmod(0o600)
    >>> len(read_token(place))
    40
    """
    place = Path(path).expanduser()
    try:
        with place.open("rb") as file:
            # The file that was opened, not one that took its name in between.
            _check_rights(place, os.fstat(file.fileno()))
            held = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        # Another one mends only that there is none.
        remedy = _NEW if isinstance(error, FileNotFoundError) else "give a file that you may read"
        raise InputError(place, f"cannot be read ({error.strerror})", remedy) from error
    token = held.decode("ascii", errors="replace").strip()
    if len(token) < SHORTEST:
        problem = f"holds {len(token)} characters, a token has at least {SHORTEST}"
        raise InputError(place, problem, _NEW)
    if len(held) > _LARGEST_FILE or not all("!" <= letter <= "~" for letter in token):
        problem = "holds no token: one line of plain letters, digits and signs without spaces"
        raise InputError(place, problem, _NEW)
    return token


def _check_rights(place: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InputError(place, "is no file", _NEW)
    mode = stat.S_IMODE(status.st_mode)
    if os.name == "posix" and mode & 0o077:
        problem = f"may be read or changed by other accounts (mode {mode:o}, 600 is needed)"
        raise InputError(place, problem, f"run: chmod 600 {place}; and change the token")
