"""Memory of pages that have gone."""

from __future__ import annotations

import ctypes
import gc
from functools import cache
from typing import Any


def give_back() -> bool:
    """Give memory that is free back to the system.

    A page moves megabytes through the server in pieces of all sizes. Its connection refers to
    itself, so that Python frees it late, and the C library keeps what lies between other pieces:
    the server would seem to grow with every page.

    Returns
    -------
    bool
        Whether the C library can as well; only that of GNU does.

    Examples
    --------
    >>> give_back() in (True, False)
    True
    """
    gc.collect()
    library = _library()
    if library is None:
        return False
    library.malloc_trim(0)
    return True


@cache
def _library() -> Any | None:
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") else None
    except (OSError, TypeError):
        return None
