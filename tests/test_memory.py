"""What is free: on the machine, or less where a container has a limit."""

from __future__ import annotations

import psutil
import pytest

from lesion_dash.core import system
from lesion_dash.core.memory import all_memory, free_memory

MACHINE = 10**15


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A machine with plenty of memory, and control groups in a folder of our own."""

    class Plenty:
        available = MACHINE
        total = 2 * MACHINE

    monkeypatch.setattr(psutil, "virtual_memory", Plenty)
    monkeypatch.setattr(system, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(system, "ALL_GROUPS", tmp_path / "all")
    return tmp_path


def limit(folder, names: tuple[str, str], maximum: object, used: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names, (maximum, used), strict=True):
        (folder / name).write_text(f"{value}\n")


SECOND = ("memory.max", "memory.current")
FIRST = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def test_without_groups_the_machine_is_the_limit(groups):
    assert free_memory() == MACHINE
    (groups / "own").write_text("0::/\n12:cpu:/there\nnonsense\n")
    assert free_memory() == MACHINE


@pytest.mark.parametrize(
    ("line", "top", "names"),
    [("0::/docker/abc", "all", SECOND), ("4:memory:/docker/abc", "all/memory", FIRST)],
    ids=["second version", "first version"],
)
def test_the_container_is_the_limit_whose_group_has_least_left(groups, line, top, names):
    (groups / "own").write_text(f"3:cpu:/docker/abc\n{line}\n")
    limit(groups / top / "docker" / "abc", names, "max", 5)
    assert free_memory() == MACHINE
    assert all_memory() == 2 * MACHINE
    limit(groups / top / "docker" / "abc", names, 1000, 400)
    assert free_memory() == 600
    assert all_memory() == 1000
    limit(groups / top / "docker", names, 900, 800)
    assert free_memory() == 100
    limit(groups / top / "docker" / "abc", names, 1000, 2000)
    assert free_memory() == 0
