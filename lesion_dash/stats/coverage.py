"""Coverage: how much of the brain is left at each minimum number of patients."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..cohort.cohort import Cohort, check_min_patients
from ..core.formats import PERCENT
from ..core.grid import Grid, pieces
from ..core.memory import derived
from ..core.text import counted
from ..images.template import grid_of, template_on

if TYPE_CHECKING:
    import pandas as pd


WEAVER = "Weaver et al. 2019, figure 3: typically set in the range of 5 to 10 patients"
SHARE = (
    "a common habit, which grows with the cohort; on leaving out voxels that few have lesioned: "
    "Sperber & Karnath 2017"
)
LESYMAP = "LESYMAP (Pustina), default of minSubjectPerVoxel"

# A fifth of the brightest voxel, as in nilearn's load_mni152_brain_mask.
_BRAIN_ABOVE = 51


@dataclass(frozen=True)
class Mark:
    """A minimum number of patients that others ask for.

    Parameters
    ----------
    min_patients : int
    label : str
        The rule, such as ``5 % of patients``.
    reference : str
        Who asks for it.
    """

    min_patients: int
    label: str
    reference: str


@dataclass(frozen=True)
class CoverageRow:
    """What one minimum number of patients leaves.

    Parameters
    ----------
    min_patients : int
    voxels : int
        Lesioned in at least so many patients.
    volume_mm3 : float
        Of these voxels.
    voxels_in_brain : int
        Those of them that lie in the MNI152 brain.
    percent_of_brain : float
        Share of the brain that these are; NaN where no voxel of the grid lies in the brain.
    percent_of_lesioned : float
        Voxels as a share of those that any patient has lesioned; NaN where there is none.
    """

    min_patients: int
    voxels: int
    volume_mm3: float
    voxels_in_brain: int
    percent_of_brain: float
    percent_of_lesioned: float

    @property
    def voxels_outside(self) -> int:
        """Those of the voxels that lie outside the brain, where any of it is on the grid."""
        return 0 if np.isnan(self.percent_of_brain) else self.voxels - self.voxels_in_brain

    @property
    def sentence(self) -> str:
        """The row as text; voxels outside the brain are apart from those in its share.

        Examples
        --------
        >>> CoverageRow(5, 12_345, 98_760.0, 12_345, 6.21, 50.0).sentence
        'k = 5: 12,345 voxels, 6.2 % of the brain, 50.0 % of all lesioned voxels'
        >>> CoverageRow(5, 12_345, 98_760.0, 12_000, 6.04, np.nan).sentence
        'k = 5: 12,345 voxels, 6.0 % of the brain (12,000) and 345 outside it'
        """
        text = f"k = {self.min_patients}: {counted(self.voxels, 'voxel')}"
        outside = self.voxels_outside
        if not np.isnan(self.percent_of_brain):
            text += f", {PERCENT.with_unit(self.percent_of_brain)} of the brain"
            text += f" ({self.voxels_in_brain:,}) and {outside:,} outside it" if outside else ""
        if not np.isnan(self.percent_of_lesioned):
            text += f", {PERCENT.with_unit(self.percent_of_lesioned)} of all lesioned voxels"
        return text


@dataclass(frozen=True, eq=False)
class Coverage:
    """Voxels left at every minimum number of patients, from 1 to the most that share one.

    Parameters
    ----------
    name : str
        Of the cohort.
    n_patients : int
        Patients of the cohort.
    grid : Grid
    brain_voxels : int
        Voxels of the grid that lie in the MNI152 brain.
    voxels : array of int64, shape (max_overlap,)
        Lesioned in at least 1, 2, ... patients.
    voxels_in_brain : array of int64, shape (max_overlap,)
        Those of them that lie in the brain.
    """

    name: str
    n_patients: int
    grid: Grid
    brain_voxels: int
    voxels: NDArray[np.int64]
    voxels_in_brain: NDArray[np.int64]

    @property
    def max_overlap(self) -> int:
        """Patients that share a voxel, at most."""
        return int(self.voxels.size)

    @property
    def outside_brain(self) -> int:
        """Lesioned voxels that do not lie in the brain."""
        return int(self.voxels[0] - self.voxels_in_brain[0]) if self.max_overlap else 0

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The conventions of the literature for a cohort of this size."""
        return conventions(self.n_patients)

    @property
    def rows(self) -> tuple[CoverageRow, ...]:
        """A row for every minimum number of patients that any voxel reaches."""
        return tuple(self.at(min_patients) for min_patients in range(1, self.max_overlap + 1))

    @property
    def table(self) -> pd.DataFrame:
        """`rows`, with the conventions that ask for each number of patients."""
        import pandas as pd

        columns = list(CoverageRow.__dataclass_fields__)
        table = pd.DataFrame([asdict(row) for row in self.rows], columns=columns)
        labels = [
            "; ".join(mark.label for mark in self.marks if mark.min_patients == min_patients)
            for min_patients in range(1, self.max_overlap + 1)
        ]
        return table.assign(conventions=labels)

    def at(self, min_patients: int) -> CoverageRow:
        """What this minimum number of patients leaves; nothing, above `max_overlap`."""
        min_patients = check_min_patients(min_patients)
        voxels = inside = 0
        if min_patients <= self.max_overlap:
            row = min_patients - 1
            voxels, inside = int(self.voxels[row]), int(self.voxels_in_brain[row])
        lesioned = int(self.voxels[0]) if self.max_overlap else 0
        return CoverageRow(
            min_patients,
            voxels,
            voxels * self.grid.voxel_volume,
            inside,
            100 * inside / self.brain_voxels if self.brain_voxels else float("nan"),
            100 * voxels / lesioned if lesioned else float("nan"),
        )


def threshold_coverage(cohort: Cohort) -> Coverage:
    """Count, for every minimum number of patients, the voxels lesioned in at least so many.

    The brain is the MNI152 template that nilearn ships, on the cohort's grid, where it is brighter
    than a fifth of its brightest voxel, as in nilearn's own brain mask. What of the brain lies
    beyond the grid is not part of the whole; lesioned voxels outside the brain count as voxels, and
    not in its share. The counts of all minimum numbers add up to the patients' lesion volumes.

    Parameters
    ----------
    cohort : Cohort
        In MNI152 space; in any other, the share of the brain means nothing.

    Returns
    -------
    Coverage

    References
    ----------
    Weaver et al. (2019) and Sperber & Karnath (2017); see docs/definitions.md. There is no
    general rule.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> coverage = threshold_coverage(cohort)
    >>> int(coverage.voxels.sum()) == int(cohort.volumes.sum())
    True
    >>> [(mark.min_patients, mark.label) for mark in coverage.marks]
    [(2, '5 % of patients'), (4, '10 % of patients'), (5, '5 patients'), (10, '10 patients')]
    """
    return derived(cohort, "coverage", lambda: _count_coverage(cohort))


def _count_coverage(cohort: Cohort) -> Coverage:
    counts, brain = np.ravel(cohort.counts, order="F"), brain_on(cohort.grid)
    voxels, inside = map(_at_least, _exactly(counts, brain))
    brain_voxels = int(np.count_nonzero(brain))
    return Coverage(cohort.name, cohort.n_patients, cohort.grid, brain_voxels, voxels, inside)


def conventions(n_patients: int) -> tuple[Mark, ...]:
    """What others ask for, in ascending order; shares of the patients are rounded up.

    Examples
    --------
    >>> [mark.min_patients for mark in conventions(101)]
    [5, 6, 10, 11]
    """
    marks = [
        Mark(5, "5 patients", WEAVER),
        Mark(10, "10 patients", WEAVER),
        Mark(-(-5 * n_patients // 100), "5 % of patients", SHARE),
        Mark(-(-10 * n_patients // 100), "10 % of patients", LESYMAP),
    ]
    return tuple(sorted(marks, key=lambda mark: mark.min_patients))


def brain_on(grid: Grid) -> NDArray[np.bool_]:
    """Which voxels of a grid lie in the MNI152 brain.

    Parameters
    ----------
    grid : Grid
        In MNI152 space.

    Returns
    -------
    array of bool, shape (voxels of the grid,)
        The first axis fastest, read-only.

    Examples
    --------
    >>> grid = Grid((91, 109, 91), [[2, 0, 0, -90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
    >>> 1.8e6 < brain_on(grid).sum() * grid.voxel_volume < 2e6  # mm³
    np.True_
    """
    return derived(grid, "brain", lambda: _find_brain(grid))


def _find_brain(grid: Grid) -> NDArray[np.bool_]:
    template = template_on(grid)
    own = grid_of(template)
    levels = np.ravel(np.asarray(template.dataobj), order="F")
    if not own.matches(grid):  # an oblique grid gets the template as it is
        levels = _nearest(levels, own, grid)
    brain = levels > _BRAIN_ABOVE
    brain.setflags(write=False)
    return brain


def _nearest(levels: NDArray[np.uint8], own: Grid, grid: Grid) -> NDArray[np.uint8]:
    """Values of an image at the voxels of another grid, slice by slice; 0 outside the image."""
    nearest = np.zeros(grid.size, levels.dtype)
    for places in np.split(np.arange(grid.size), grid.shape[2]):
        voxels = np.floor(own.to_voxel(grid.mm_of_index(places)) + 0.5).astype(np.int64)
        inside = np.all((voxels >= 0) & (voxels < own.shape), axis=1)
        source = np.ravel_multi_index(tuple(voxels[inside].T), own.shape, order="F")
        nearest[places[inside]] = levels[source]
    return nearest


def _exactly(
    counts: NDArray[np.int32], brain: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many voxels have exactly 0, 1, 2, ... patients, everywhere and in the brain."""
    bins = np.zeros(2 * (int(counts.max(initial=0)) + 1), np.int64)
    for piece in pieces(counts.size):
        bins += np.bincount(2 * counts[piece] + brain[piece], minlength=bins.size)
    outside, inside = bins.reshape(-1, 2).T
    return outside + inside, inside


def _at_least(exactly: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many voxels have at least 1, 2, ... patients."""
    at_least = np.cumsum(exactly[:0:-1])[::-1].astype(np.int64)
    at_least.setflags(write=False)
    return at_least
