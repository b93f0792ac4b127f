"""The results asked for last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

_NOTHING = object()


class Cache:
    """The results asked for last, by key; made once, whichever threads ask at the same time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.RLock] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def forget(self, is_unwanted: Callable[[Any], bool]) -> None:
        """Let go of what was made for some keys."""
        with self._lock:
            for key in [key for key in self._values if is_unwanted(key)]:
                del self._values[key]

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for this key, or is made now."""
        with self._lock:
            making = self._making.setdefault(key, threading.RLock())
        try:
            with making:
                with self._lock:  # another thread may drop it between two looks
                    cached: Any = self._values.get(key, _NOTHING)
                if cached is _NOTHING:
                    cached = make()
                with self._lock:
                    self._values[key] = cached
                    self._values.move_to_end(key)
                    while len(self._values) > self._size:
                        self._values.popitem(last=False)
        finally:
            with self._lock:
                self._making.pop(key, None)
        value: T = cached
        return value
