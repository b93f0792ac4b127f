"""Text of a user's data within a sentence or a command of ours."""

from __future__ import annotations

import shlex


def printable(text: str) -> str:
    r"""Text on one line, with every character spelt out that would not be shown as it is.

    Names come from files and folders and may hold anything: line breaks, escapes that steer a
    terminal, characters that turn the direction of writing, bytes that are no
    text.

    Examples
    --------
    >>> printable("sub\x1b[31m\n.nii")
    'sub\\x1b[31m\\n.nii'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def counted(number: int, noun: str) -> str:
    """A count with its noun.

    Examples
    --------
    >>> counted(1, "voxel"), counted(12345, "voxel")
    ('1 voxel', '12,345 voxels')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shell_word(text: str) -> str:
    r"""Text as one word of a command line, on one line.

    Characters that are not shown are spelt out as bash, zsh and POSIX of 2024 read them.

    Examples
    --------
    >>> print(shell_word("my masks"), shell_word("it's\n2"))
    'my masks' $'it\'s\x0a2'
    """
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_quoted, text))}'"


def _quoted(char: str) -> str:
    """A character within the quotes of `shell_word`."""
    if char in "\\'":
        return f"\\{char}"
    if char.isprintable():
        return char
    # Python shows a byte of a file's name that is no text as one of these code points.
    is_byte = "\udc80" <= char <= "\udcff"
    content = char.encode("utf-8", "surrogateescape" if is_byte else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in content)
