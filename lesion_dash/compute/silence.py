"""What Dask says on its own account, held back."""

from __future__ import annotations

import logging
import warnings
from contextlib import suppress
from threading import Lock
from typing import Any


class Silence:
    """What goes wrong is told by us, once: Dask itself keeps silent on this computer.

    Connections of several threads may overlap, in any order: the first one begins the silence,
    the last one ends it. `warnings.catch_warnings` cannot be used: it puts back all filters as
    they were when it was entered, those of other threads included.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._connections = 0
        self._levels: dict[logging.Logger, int] = {}
        self._filter: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._connections += 1
            if self._connections == 1:
                self._begin()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._connections -= 1
            if not self._connections:
                self._end()

    def _begin(self) -> None:
        from distributed.versions import VersionMismatchWarning

        loggers = [logging.getLogger(f"distributed.{name}") for name in ("client", "core", "comm")]
        self._levels = {logger: logger.level for logger in loggers}
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        # Versions are compared by us, and those that matter are an error.
        warnings.simplefilter("ignore", VersionMismatchWarning)
        self._filter = warnings.filters[0]

    def _end(self) -> None:
        for logger, level in self._levels.items():
            logger.setLevel(level)
        filters: Any = warnings.filters
        with suppress(ValueError):  # somebody has put back filters of an earlier moment
            filters.remove(self._filter)


SILENCE = Silence()
"""Held by every connection."""
