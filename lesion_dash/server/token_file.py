"""The token that visitors log in with, from a file that only its owner reads."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..core.errors import InputError

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
        raise InputError(place, f"cannot be read ({error.strerror})", _NEW) from error
    token = held.decode("ascii", errors="replace").strip()
    if len(token) < SHORTEST:
        problem = f"holds {len(token)} characters, a token has at least {SHORTEST}"
        raise InputError(place, problem, _NEW)
    if len(held) > _LARGEST_FILE or not all("!" <= letter <= "~" for letter in token):
        problem = "holds no token: one line of plain letters, digits and signs without spaces"
        raise InputError(place, problem, _NEW)
    return token


def _check_rights(place: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise InputError(place, "is no file", _NEW)
    mode = stat.S_IMODE(found.st_mode)
    if os.name == "posix" and mode & 0o077:
        problem = f"may be read or changed by other accounts (mode {mode:o}, 600 is needed)"
        raise InputError(place, problem, f"run: chmod 600 {place}; and change the token")
