"""Run a command and say what it took: wall and processor seconds, and peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

LAUNCH = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py"))]

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Cost:
    """Of one whole process: wall and processor seconds, peak memory in MB (10**6 bytes).

    `told` are the numbers which the process itself printed, as a line of JSON.
    """

    wall: float
    cpu: float
    peak: float
    told: dict[str, float] = field(default_factory=dict)


def run(command: list[str]) -> Cost:
    """Run a command to its end; it must succeed."""
    launched = subprocess.run([*LAUNCH, *command], stdout=subprocess.PIPE, check=True)
    found = json.loads(launched.stdout)
    if found["code"]:
        sys.exit(f"failed ({found['code']}): {' '.join(command)}\n{found['output']}")
    return Cost(found["wall"], found["cpu"], found["peak"], _told(found["output"]))


def _told(output: str) -> dict[str, float]:
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {}


def repeat(turn: list[tuple[Name, list[str]]], runs: int) -> dict[Name, list[Cost]]:
    """Run all commands of a turn several times, so that a slow machine is slow for all."""
    costs: dict[Name, list[Cost]] = {name: [] for name, _ in turn}
    for number in range(1, runs + 1):
        for name, command in turn:
            cost = run(command)
            costs[name].append(cost)
            print(f"  run {number} of {runs}: {name}: {cost.wall:.2f} s", flush=True)
    return costs


def median_cost(costs: list[Cost]) -> Cost:
    """The median of every number on its own."""
    fields = (median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "peak"))
    told = {key: median(cost.told[key] for cost in costs) for key in costs[0].told}
    return Cost(*fields, told)
