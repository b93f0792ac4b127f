"""A result is made once, whoever asks, and nobody gets another's."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lesion_dash.dashboard.cache import Cache


class Key:
    """A key that lets other threads in while it is hashed."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        time.sleep(0.0001)
        return self.number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other.number == self.number


def test_threads_that_push_each_others_results_out_get_their_own() -> None:
    cache = Cache(1)

    def ask(first: int) -> bool:
        numbers = [(first + step) % 2 for step in range(100)]
        return all(cache.get(Key(n), lambda n=n: n) == n for n in numbers)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(4)))


def test_what_failed_is_made_again() -> None:
    cache = Cache(2)

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("one", fail)
    assert cache.get("one", lambda: 1) == 1
    assert cache.get("one", fail) == 1


def test_the_results_asked_for_last_are_kept() -> None:
    cache = Cache(2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, key.upper)
    assert [key in cache for key in "abc"] == [True, False, True]
