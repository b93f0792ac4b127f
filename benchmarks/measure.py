"""Run a command and say what it took: wall and processor seconds, and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Cost:
    """Of one whole process: wall and processor seconds, peak memory in MB (10**6 bytes)."""

    wall: float
    cpu: float
    peak: float


def run(command: list[str]) -> Cost:
    """Run a command to its end; it must succeed."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed ({process.returncode}): {' '.join(command)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def medians(commands: dict[str, list[str]], runs: int) -> dict[str, Cost]:
    """Run each command several times, in turn so that a slow machine is slow for all."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            costs[name].append(run(command))
    return {
        name: Cost(*(median(getattr(c, field) for c in found) for field in ("wall", "cpu", "peak")))
        for name, found in costs.items()
    }
