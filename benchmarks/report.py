"""The results as tables in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version

from contest import COMPETITORS, FLOOR, NAIVE, NIBABEL, OURS, THREADS, Case, Finding, Findings
from measure import Cost
from plan import KINDS, REFERENCE, Plan
from targets import Target, reference

NOTES = """\
- **floor**: a script that only reads and inflates the files, with libdeflate in {threads} threads.
  Its *work* is that alone, without the interpreter's start.
- **lesion-dash**: the whole process `lesion-dash stats`, all four maps, table and provenance.
- **nibabel loop**: one mask at a time, n, sum and sum of squares by boolean indexing; no median.
- **naive script**: load as double precision, stack, loop over the voxels with at least 5 patients.
  Its quickest run is shown, and extrapolated: its time hangs on how fast the system hands out
  gigabytes, which differs from run to run. It runs twice in every turn, as memory used a moment
  ago is had sooner.
- *extrapolated from N masks* means: not measured. For the nibabel loop, the same time for every
  mask. For the naive script, reading and stacking grow with the masks; its loop grows with
  the masks or with the qualifying voxels, whichever is less, although in truth it grows with both:
  the lowest time that can be defended. Its memory grows by 16 bytes for each voxel of each
  mask; where that exceeds the machine's, it could not run at all.
- The {most:,} masks are {many:,} files, each under several names (hard links). All files were
  written or read shortly before, so the disk hardly plays a part.
- Peak memory is that of the whole process, MB = 10**6 bytes."""


def markdown(findings: Findings, plan: Plan, runs: int, targets: list[Target]) -> str:
    """All tables."""
    parts = [
        "# Speed and memory of `lesion-dash stats`",
        facts(runs),
        "## Targets",
        targets_table(targets),
        "## Ratios",
        ratios_table(findings, plan),
        "## Growth",
        growth_table(findings, plan),
        "## What was measured",
        costs_table(findings),
        NOTES.format(threads=THREADS, most=plan.most, many=plan.many),
    ]
    return "\n\n".join(parts) + "\n"


def facts(runs: int) -> str:
    """What is to be known of machine and versions."""
    return (
        f"{facts_of_machine()} Synthetic masks; medians of {runs} run{'s' if runs > 1 else ''} "
        "(the quickest of the naive script), all competitors in turn."
    )


def facts_of_machine() -> str:
    """Day, cores and versions."""
    names = ", ".join(
        f"{name} {version(name)}" for name in ("lesion-dash", "numpy", "scipy", "deflate")
    )
    today = datetime.now(UTC).date()
    return f"{today}; {os.cpu_count()} cores, Python {platform.python_version()}, {names}."


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def targets_table(targets: list[Target]) -> str:
    """Each target and whether it is met."""
    rows = [[t.what, t.limit, t.found, "yes" if t.met else "**no**"] for t in targets]
    return table(["target", "limit", "found", "met"], rows)


def costs_table(findings: Findings) -> str:
    """Every case, measured or extrapolated."""
    ordered = sorted(
        findings, key=lambda c: (c.voxel_mm, KINDS.index(c[1:3]), c.masks, COMPETITORS.index(c.who))
    )
    head = ["voxel", "type", "masks", "who", "wall s", "work s", "CPU s", "peak MB", "how"]
    return table(head, (_cost_row(case, findings[case]) for case in ordered))


def _cost_row(case: Case, finding: Finding) -> list[str]:
    cost = finding.cost
    work = f"{cost.told['seconds']:.2f}" if case.who == FLOOR else ""
    how = f"*extrapolated from {finding.measured}*"
    if finding.walls:
        kept = "quickest" if case.who == NAIVE else "median"
        how = f"{kept} of {min(finding.walls):.2f} to {max(finding.walls):.2f} s"
    numbers = [f"{cost.wall:,.2f}", work, f"{cost.cpu:,.2f}", f"{cost.peak:,.0f}"]
    return [f"{case.voxel_mm} mm", case.dtype, f"{case.masks:,}", case.who, *numbers, how]


def ratios_table(findings: Findings, plan: Plan) -> str:
    """How many times the others' costs are ours, and ours the floor's."""
    head = ["voxel", "type", "masks", "(ours - start) / floor", "nibabel / ours", "naive / ours"]
    rows = [
        [f"{voxel_mm} mm", dtype, f"{masks:,}", *_ratios(findings, plan, (voxel_mm, dtype, masks))]
        for voxel_mm, dtype in KINDS
        for masks in plan.counts(voxel_mm, dtype)
    ]
    said = (
        f"Wall times; the start is that of {plan.start} masks, and its noise shows where masks are "
        "few. Ratios to an extrapolated cost are marked *e*."
    )
    return said + "\n\n" + table([*head, "naive / ours, memory"], rows)


def _ratios(findings: Findings, plan: Plan, masks: tuple[int, str, int]) -> list[str]:
    ours = findings[Case(OURS, *masks)].cost
    start = findings[Case(OURS, *masks[:2], plan.start)].cost
    floor = findings[Case(FLOOR, *masks)].cost.told["seconds"]
    nibabel, naive = (findings[Case(who, *masks)] for who in (NIBABEL, NAIVE))
    return [
        f"{(ours.wall - start.wall) / floor:.1f}" if ours.wall > start.wall else "",
        _ratio(nibabel, nibabel.cost.wall / ours.wall),
        _ratio(naive, naive.cost.wall / ours.wall),
        _ratio(naive, naive.cost.peak / ours.peak),
    ]


def _ratio(finding: Finding, value: float) -> str:
    return f"{value:.1f}" + (" *e*" if finding.measured else "")


def growth_table(findings: Findings, plan: Plan) -> str:
    """Time and memory of `lesion-dash stats` from few to most masks."""
    many = reference(findings, OURS, plan.many)
    rows = []
    for masks in plan.counts(*REFERENCE):
        cost = reference(findings, OURS, masks)
        times = [f"{cost.wall / many.wall:.2f}", f"{cost.peak / many.peak:.2f}"]
        rows.append([f"{masks:,}", f"{cost.wall:.2f}", f"{cost.peak:.0f}", *times])
    said = f"`lesion-dash stats`, {REFERENCE[0]} mm, {REFERENCE[1]}."
    head = ["masks", "wall s", "peak MB", f"time / {plan.many:,}", f"peak / {plan.many:,}"]
    return said + "\n\n" + table(head, rows)


def memory_table(told: dict[str, float]) -> str:
    """What the dashboard does from memory."""
    rows = [
        ["statistics and four maps, the first time", f"{told['first_ms']:.0f}", ""],
        _memory_row("four maps at another threshold", told, "maps", 1),
        _memory_row("patients at a voxel", told, "patients_at", 3),
    ]
    return table([f"{told['patients']:,.0f} patients in memory", "median ms", "slowest ms"], rows)


def _memory_row(what: str, told: dict[str, float], key: str, digits: int) -> list[str]:
    return [what, *(f"{told[name]:.{digits}f}" for name in (f"{key}_ms", f"{key}_slowest_ms"))]


def stages_table(costs: dict[tuple[int, str, int], Cost]) -> str:
    """Seconds of each stage."""
    stages = ("read", "scan", "reduce", "maps")
    rows = [
        [f"{voxel_mm} mm", dtype, f"{masks:,}", *(f"{cost.told[stage]:.2f}" for stage in stages)]
        for (voxel_mm, dtype, masks), cost in costs.items()
    ]
    said = "Seconds in one process; read and scan in one thread, reduce in all."
    return said + "\n\n" + table(["voxel", "type", "masks", *stages], rows)
