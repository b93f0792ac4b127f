"""How much memory is free, on a machine or within the limit of a container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OWN_GROUPS = Path("/proc/self/cgroup")
_ALL_GROUPS = Path("/sys/fs/cgroup")
_FIRST_VERSION = ("memory.limit_in_bytes", "memory.usage_in_bytes")
_SECOND_VERSION = ("memory.max", "memory.current")


def free_memory() -> int:
    """Bytes that this process can have: what the machine has free, or less within a container.

    Returns
    -------
    int
        The least of what is available on the machine, and what each of the control groups of Linux
        that the process belongs to has left of its limit. Swap space does not count.

    Examples
    --------
    >>> free_memory() > 0
    True
    """
    import psutil

    return min([int(psutil.virtual_memory().available), *_left_in_groups()])


def _left_in_groups() -> Iterator[int]:
    """What the control groups that this process belongs to have left; a container is one."""
    with suppress(OSError, ValueError, IndexError):
        for line in _OWN_GROUPS.read_text(encoding="utf-8").splitlines():
            _, kinds, place = line.split(":", 2)
            if kinds == "memory":
                top, names = _ALL_GROUPS / "memory", _FIRST_VERSION
            elif not kinds:
                top, names = _ALL_GROUPS, _SECOND_VERSION
            else:
                continue
            group = top / place.lstrip("/")
            for folder in (group, *group.parents):
                with suppress(OSError, ValueError):  # no limit there, or it is called "max"
                    limit, used = (int((folder / name).read_text()) for name in names)
                    yield max(limit - used, 0)
