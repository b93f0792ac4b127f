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

from ..core.defaults import BASE_URL, LOOPBACK
from ..core.errors import InputError
from ..core.system import IS_WINDOWS, has_socket_files
from ..dashboard.own_server import OWN_NAMES, host_name

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_BASE_URL = re.compile(r"/((?!\.{1,2}/)([\w.~@-]|%[0-9A-Fa-f]{2})+/)*", re.ASCII)


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
    base_url : str
        The path of the dashboard as browsers see it, with a slash at both ends.
    socket_file : Path, optional
        A socket in the file system to listen on, in place of an address and a port. No browser
        reaches it: what comes was let in by a program of this account, which knows the names.
    """

    address: str = LOOPBACK
    names: tuple[str, ...] = OWN_NAMES
    token: str = field(default="", repr=False)
    generated: bool = False
    base_url: str = BASE_URL
    socket_file: Path | None = None

    @property
    def is_wide(self) -> bool:
        """Whether others than this computer's accounts can reach it."""
        return bool(self.token) or self.socket_file is not None

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
        if name in self.names or self.socket_file is not None:
            return True
        return self.address in {"0.0.0.0", "::"} and _as_address(name) is not None

    def url(self, port: int) -> str:
        """Where a browser finds the dashboard, as far as is known here.

        Examples
        --------
        >>> Access().url(8866)
        'http://127.0.0.1:8866/'
        >>> Access(base_url="/lesions/").url(8866)
        'http://127.0.0.1:8866/lesions/'
        """
        address = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(
            self.address, self.address
        )
        return f"http://{f'[{address}]' if ':' in address else address}:{port}{self.base_url}"


def arrange_access(
    host: str = LOOPBACK,
    hostname: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    base_url: str = BASE_URL,
    socket_file: str | os.PathLike[str] | None = None,
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
    base_url : str
        Path below which the dashboard is served, such as ``/lesions/``.
    socket_file : path, optional
        A socket to listen on in place of the address; it needs neither name nor token.

    Returns
    -------
    Access

    Raises
    ------
    InputError
        Where the address, the name, the path or the file is none.

    Examples
    --------
    >>> arrange_access().token
    ''
    >>> len(arrange_access("0.0.0.0").token)
    43
    """
    path = checked_base_url(base_url)
    if socket_file is not None:
        if not has_socket_files():
            problem = "cannot be made: this system has no sockets in the file system"
            raise InputError(socket_file, problem, "serve at an address and a port")
        return Access(base_url=path, socket_file=Path(socket_file))
    address = _as_address(LOOPBACK if host == "localhost" else host)
    if address is None:
        raise InputError(f"--host {host}", "is not an IP address", f"give one, such as {LOOPBACK}")
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
    return Access(str(address), tuple(dict.fromkeys(names)), token, generated, path)


def _as_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _checked_name(hostname: str) -> str:
    name = hostname.lower()
    if not _NAME.fullmatch(name):
        problem = "is not a host name"
        remedy = "give it alone, as in lab.example.org, without https:// and without a port"
        raise InputError(f"--hostname {hostname}", problem, remedy)
    return name


def checked_base_url(base_url: str) -> str:
    """The path of a dashboard; the slash at its end may be missing.

    Parameters
    ----------
    base_url : str

    Returns
    -------
    str

    Raises
    ------
    InputError
        Where it is not a path as browsers send it.

    Examples
    --------
    >>> checked_base_url("/lab/lesions")
    '/lab/lesions/'
    """
    path = f"{base_url.removesuffix('/')}/"
    if not _BASE_URL.fullmatch(path):
        problem = "is not a path of an address"
        remedy = (
            "give it with a slash in front and without the name, as in /lesions/; "
            "write letters other than a-z, 0-9 and .-_~@ as browsers do, as in %20"
        )
        raise InputError(f"--base-url {base_url}", problem, remedy)
    return path


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
        raise InputError(place, "is not a file", _NEW)
    mode = stat.S_IMODE(status.st_mode)
    # systemd gives the service's account read access by an ACL, which shows as the group's; the
    # folder is the service's alone: https://systemd.io/CREDENTIALS
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    is_credential = bool(credentials) and place.parent == Path(str(credentials))
    if not IS_WINDOWS and mode & (0o037 if is_credential else 0o077):
        problem = f"may be read or changed by other accounts (mode {mode:o}, 600 is needed)"
        raise InputError(place, problem, f"run: chmod 600 {place}; and change the token")
