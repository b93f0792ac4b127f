"""A kernel gets no more memory than it was given, and says so in a sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lesion_dash.core.errors import InputError
from lesion_dash.core.memory import all_memory
from lesion_dash.dashboard.controls import Banner
from lesion_dash.server.kernel_memory import memory_of_kernels

ASK_FOR_MORE = """
import numpy as np
from lesion_dash.core.memory import free_memory
from lesion_dash.server.kernel_memory import limit_memory
limit_memory(10**9)
print(free_memory() < 10**9)
try:
    np.ones(2 * 10**9, "uint8")
except MemoryError:
    print("MemoryError")
"""


def test_a_share_of_the_memory_is_the_default() -> None:
    assert 10**9 <= memory_of_kernels(None) <= max(all_memory(), 10**9)
    assert memory_of_kernels("4GB") == 4 * 10**9


@pytest.mark.parametrize("size", ["", "much", "-4GB", "4 PB"])
def test_what_is_no_size_is_one_sentence(size: str) -> None:
    with pytest.raises(InputError, match="is no size; give one such as 4GB"):
        memory_of_kernels(size)


def test_too_small_a_size_is_one_sentence() -> None:
    with pytest.raises(InputError, match="is too small for a page; give 1GB or more"):
        memory_of_kernels("300MB")


@pytest.mark.skipif(sys.platform != "linux", reason="limits are set on Linux alone")
def test_a_process_gets_no_more_than_its_limit() -> None:
    command = [sys.executable, "-c", ASK_FOR_MORE]
    told = subprocess.run(command, stdout=-1, text=True, timeout=60, check=True).stdout
    assert told.split() == ["True", "MemoryError"]


def test_the_page_says_that_memory_ran_out() -> None:
    banner = Banner()
    banner.show(MemoryError("Unable to allocate 3 GiB"))
    assert "not enough memory" in banner.message
    assert "allocate" not in banner.message
