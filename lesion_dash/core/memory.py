"""Memory: what is free, and results that are kept on the object they derive from."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from .system import memory_left_to_process, memory_of_groups

MEMORY_VARIABLE = "LESION_DASH_MEMORY"
"""Environment variable: the most memory a cohort's voxel positions may take, such as ``4GB``."""

_POWERS = ["", "K", "M", "G", "T"]


def free_memory() -> int:
    """Bytes that this process can have: what the machine has free, or less within a container.

    Returns
    -------
    int
        The least of what is available on the machine, what each of the control groups of Linux
        that the process belongs to has left of its limit, and what the process has left of a limit
        of its own. Swap space does not count.

    Examples
    --------
    >>> free_memory() > 0
    True
    """
    import psutil

    left = [max(limit - used, 0) for limit, used in memory_of_groups()]
    own = memory_left_to_process()
    return min([int(psutil.virtual_memory().available), *left, *([] if own is None else [own])])


def all_memory() -> int:
    """Bytes of memory that the machine has, or less where a container has a limit.

    Examples
    --------
    >>> all_memory() >= free_memory()
    True
    """
    import psutil

    return min([int(psutil.virtual_memory().total), *(limit for limit, _ in memory_of_groups())])


def bytes_in(text: str) -> int:
    """Bytes of a size such as ``4GB`` or ``500 MiB``.

    Raises
    ------
    ValueError
        Where the text is not a size.

    Examples
    --------
    >>> bytes_in("4GB"), bytes_in("1.5 kiB"), bytes_in("512")
    (4000000000, 1536, 512)
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(i?)B?", text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError(text)
    unit = 1024 if match[3] else 1000
    return int(float(match[1]) * unit ** _POWERS.index(match[2].upper()))


Result = TypeVar("Result")

_NOTHING = object()
_LOCK = threading.Lock()
_MAX_RESULTS = 8  # arbitrary: of one owner; each may be as large as an image


def derived(owner: object, key: Hashable, compute: Callable[[], Result]) -> Result:
    """A result that depends on an object alone, computed when it is first asked for.

    A cache in a module would keep the owner, or what derives from it, alive after its last user.

    Parameters
    ----------
    owner : object
        Never changed, such as a cohort. A result that refers to it would be freed late.
    key : hashable
        Names the result, with the parameters that it depends on.
    compute : callable
        Computes the result.

    Examples
    --------
    >>> class Masks: ...
    >>> masks = Masks()
    >>> derived(masks, "volume", lambda: 3), derived(masks, "volume", lambda: 4)
    (3, 3)
    """
    results: dict[Hashable, Any] = vars(owner).setdefault("_derived", {})
    value: Any = results.get(key, _NOTHING)
    if value is _NOTHING:
        value = compute()
        with _LOCK:  # two threads may have computed it
            while len(results) >= _MAX_RESULTS:
                results.pop(next(iter(results)))
            value = results.setdefault(key, value)
    result: Result = value
    return result
