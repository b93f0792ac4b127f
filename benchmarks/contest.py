"""Floor, `lesion-dash stats`, the nibabel loop and the naive script on the same masks, in turn."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import NamedTuple

from cohorts import Cohorts
from extrapolation import loop_cost, naive_cost
from measure import Cost, median_cost, repeat
from plan import KINDS, Plan
from synthetic import SHAPES

from lesion_dash.cohort.readers import THREADS  # the floor has no fewer threads

FLOOR, OURS, NIBABEL, NAIVE = "floor", "lesion-dash", "nibabel loop", "naive script"
COMPETITORS = (FLOOR, OURS, NIBABEL, NAIVE)
HERE = Path(__file__).parent
PROGRAM = Path(sys.executable).with_name("lesion-dash")


class Case(NamedTuple):
    """Who worked on which masks."""

    who: str
    voxel_mm: int
    dtype: str
    masks: int

    def __str__(self) -> str:
        return f"{self.who}, {self.masks:,} masks of {self.voxel_mm} mm {self.dtype}"


@dataclass(frozen=True)
class Finding:
    """What a case took.

    Parameters
    ----------
    cost : Cost
    measured : int, optional
        The number of masks from which it was extrapolated.
    walls : tuple of float
        Wall seconds of every run.
    """

    cost: Cost
    measured: int | None = None
    walls: tuple[float, ...] = ()


Findings = dict[Case, Finding]


class Contest:
    """All cases of a plan.

    Parameters
    ----------
    plan : Plan
    cohorts : Cohorts
    out : Path
        A folder for what the competitors write.
    runs : int
        The medians of so many runs are kept; of the naive script, the quickest run.
    """

    def __init__(self, plan: Plan, cohorts: Cohorts, out: Path, runs: int) -> None:
        self.plan = plan
        self.cohorts = cohorts
        self.out = out
        self.runs = runs

    def findings(self) -> Findings:
        """Measure all cases, and extrapolate those that would take too long."""
        found: Findings = {}
        for kind in KINDS:
            turn = [(case, self._command(case)) for case in self._cases(*kind)]
            costs = repeat(turn, self.runs)
            found |= {case: _finding(case, several) for case, several in costs.items()}
            found |= self._extrapolated(found, *kind)
        return found

    def _cases(self, voxel_mm: int, dtype: str) -> list[Case]:
        counts = self.plan.counts(voxel_mm, dtype)
        sizes = {
            FLOOR: counts,
            OURS: [self.plan.start, *counts],
            NIBABEL: [self.plan.nibabel],
            NAIVE: [self.plan.naive[voxel_mm]] * 2,  # the second finds the memory warm
        }
        return [Case(who, voxel_mm, dtype, masks) for who in sizes for masks in sizes[who]]

    def _command(self, case: Case) -> list[str]:
        folder = str(self.cohorts.folder(*case[1:]))
        out = str(self._out(case))
        if case.who == OURS:
            return [str(PROGRAM), "stats", folder, "-o", out, "--overwrite"]
        if case.who == FLOOR:
            return [sys.executable, str(HERE / "floor.py"), folder, str(THREADS)]
        script = "naive.py" if case.who == NAIVE else "nibabel_loop.py"
        return [sys.executable, str(HERE / script), folder, out]

    def _out(self, case: Case) -> Path:
        return self.out / "_".join(map(str, case)).replace(" ", "_")

    def _extrapolated(self, found: Findings, voxel_mm: int, dtype: str) -> Findings:
        more: Findings = {}
        grid_voxels = prod(SHAPES[voxel_mm])
        naive, nibabel = self.plan.naive[voxel_mm], self.plan.nibabel
        for masks in self.plan.counts(voxel_mm, dtype):
            if masks != nibabel:
                part = found[Case(NIBABEL, voxel_mm, dtype, nibabel)].cost
                cost = loop_cost(part, nibabel, masks)
                more[Case(NIBABEL, voxel_mm, dtype, masks)] = Finding(cost, nibabel)
            if masks != naive:
                part = found[Case(NAIVE, voxel_mm, dtype, naive)].cost
                voxels = self._qualifying(Case(OURS, voxel_mm, dtype, masks))
                cost = naive_cost(part, naive, masks, voxels, grid_voxels)
                more[Case(NAIVE, voxel_mm, dtype, masks)] = Finding(cost, naive)
        return more

    def _qualifying(self, case: Case) -> int:
        """Voxels with enough patients, as our own run counted them."""
        provenance = json.loads((self._out(case) / "provenance.json").read_text())
        return int(provenance["counts"]["voxels"])


def _finding(case: Case, costs: list[Cost]) -> Finding:
    """The median; of the naive script the quickest run.

    Its time hangs on how fast the system hands out gigabytes, which may differ by several times
    from run to run. The quickest is the one that can't be called unfair.
    """
    quickest = min(costs, key=lambda cost: cost.wall)
    cost = quickest if case.who == NAIVE else median_cost(costs)
    return Finding(cost, walls=tuple(cost.wall for cost in costs))
