"""The targets for speed and memory, and whether they are met; no test asserts them."""

from __future__ import annotations

from typing import NamedTuple

from contest import FLOOR, NAIVE, OURS, Case, Findings
from measure import Cost
from plan import REFERENCE, Plan


class Target(NamedTuple):
    """A limit, what was found, and whether it is kept."""

    what: str
    limit: str
    found: str
    met: bool


def reference(findings: Findings, who: str, masks: int) -> Cost:
    """What a competitor took on masks of the reference kind."""
    return findings[Case(who, *REFERENCE, masks)].cost


def stats_targets(findings: Findings, plan: Plan) -> list[Target]:
    """Of `lesion-dash stats`."""
    many, most = plan.many, plan.most
    ours, more = reference(findings, OURS, many), reference(findings, OURS, most)
    limit = 2 + 3 * reference(findings, FLOOR, many).told["seconds"]
    faster = reference(findings, NAIVE, many).wall / ours.wall
    memory, time = more.peak / ours.peak, more.wall / ours.wall
    words = f"2 + 3 x floor = {limit:.2f}"
    return [
        at_most(f"wall time of {many:,} masks, s", ours.wall, limit, words),
        Target(
            f"times faster than the naive script (extrapolated), {many:,} masks",
            "at least 30",
            f"{faster:.0f}",
            faster >= 30,
        ),
        at_most(f"peak memory of {most:,} masks / {many:,}", memory, 1.1),
        at_most(f"peak memory of {most:,} masks, MB", more.peak, 1000),
        at_most(f"time of {most:,} masks / {many:,}", time, 11),
    ]


def memory_targets(told: dict[str, float]) -> list[Target]:
    """Of a cohort in memory; the slowest threshold, or point, counts."""
    patients = f"{told['patients']:,.0f} patients in memory"
    return [
        at_most(f"four maps at another threshold, {patients}, ms", told["maps_slowest_ms"], 60),
        at_most(f"patients at a voxel, {patients}, ms", told["patients_at_slowest_ms"], 1),
    ]


def start_targets(costs: dict[str, Cost]) -> list[Target]:
    """Of starting the program and the package."""
    limits = {"lesion-dash --help": 0.3, "import lesion_dash": 0.5}
    return [at_most(f"`{name}`, s", costs[name].wall, limits[name]) for name in limits]


def at_most(what: str, value: float, limit: float, words: str | None = None) -> Target:
    """A target that is met by small numbers."""
    return Target(what, f"at most {words or f'{limit:g}'}", f"{value:.3g}", value <= limit)
