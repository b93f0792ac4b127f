"""The memory that one kernel may take, so that no page takes what the others need."""

from __future__ import annotations

from ..core.errors import InputError
from ..core.memory import all_memory, bytes_in

SMALLEST = 10**9
"""Bytes; of these a page needs half before it has read anything."""
_SHARE = 0.5


def memory_of_kernels(size: str | None) -> int:
    """Bytes that each kernel may take.

    Parameters
    ----------
    size : str, optional
        Such as ``4GB``; half of what the machine or the container has by default.

    Returns
    -------
    int

    Raises
    ------
    InputError
        Where the text is not a size, or one that is too small for a page.

    Examples
    --------
    >>> memory_of_kernels("4GB")
    4000000000
    """
    if size is None:
        return max(int(_SHARE * all_memory()), SMALLEST)
    try:
        size_in_bytes = bytes_in(size)
    except ValueError:
        problem = "is not a size"
        raise InputError(f"--kernel-memory {size}", problem, "give one such as 4GB") from None
    if size_in_bytes < SMALLEST:
        problem = "is too small for a page"
        raise InputError(f"--kernel-memory {size}", problem, "give 1GB or more")
    return size_in_bytes
