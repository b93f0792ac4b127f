"""Lesion-symptom maps: the test of a score at every voxel, corrected by permutations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...cohort.cohort import Cohort, check_min_patients
from ...core.defaults import (
    CLUSTER_P,
    CONTROL,
    EXCEEDANCES_MM3,
    MIN_PATIENTS,
    PERMUTATIONS,
    SEED,
    SIGNIFICANCE_LEVEL,
    SYMPTOM_SIDE,
    SYMPTOM_TEST,
    Control,
    SymptomSide,
    SymptomTest,
)
from ...core.errors import InputError, check_choice
from ...images.reading import Progress
from ..contrast import check_permutations
from ..patterns import find_patterns
from ..voxel_maps import Column, Columns, VoxelMaps
from .cautions import LEAST_OF_RANKS, symptom_warnings
from .design import CONTROLS
from .effects import detectable_d, false_discovery_rate
from .families import PreparedTest, TestChoice, prepare_test, testable
from .null import Null
from .path import PathPatterns, along_path
from .patients import SymptomPatients, select_patients
from .quantities import STATISTICS, effect_notes, symptom_quantities
from .univariate import LINEAR, TESTS

if TYPE_CHECKING:
    import pandas as pd

Float = NDArray[np.float64]

LEAST_SHARE = 0.05
"""A voxel is tested where at least this share of the patients is lesioned, and spared."""

_BYTES_OF_ENTRY, _BYTES_OF_VOXEL = 20, 300
"""Of a run, above the masks, by patients at tested voxels and by these voxels. Measured with 944
masks at 1 mm: 0.36 GB where this gives 0.39."""
_BYTES_OF_BLOCK = 2**25  # of what is computed at once, whatever the masks. Measured: 20 MB

_SIDES = {
    "two-sided": "two-sided",
    "larger": "one-sided, higher in lesioned patients",
    "smaller": "one-sided, lower in lesioned patients",
}

STATEMENT = (
    "A voxel shows where lesioned and spared patients differ in the score, not that this place "
    "alone causes it: lesions follow the arteries and cover neighbours together, and the highest "
    "voxel lies 5 to 8 mm from a true focus even with ideal data. The effect at a peak is the "
    "largest of many, and so too large."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class SymptomMap(VoxelMaps):
    """A test of a score between lesioned and spared patients at each voxel.

    The sign is lesioned less spared everywhere.

    Parameters
    ----------
    grid, indices, values, quantities
        As those of `VoxelMaps`, at the tested voxels.
    patients : SymptomPatients
        Who was used, and who was excluded.
    test, control, side, covariates, min_lesioned, permutations, seed, v_mm3, cluster_p, blocks
        As for `map_symptom`.
    null : Null
        What the permutations gave.
    prepared : PreparedTest
        The test at each set of patients.
    notes : tuple of str
        Who was excluded, what was assumed, and what makes the result doubtful.
    tested : int
        Number of voxels tested, the family of the correction; a selection keeps it.

    Examples
    --------
    >>> from lesion_dash import load_cohort, map_symptom
    >>> symptom_map = map_symptom(load_cohort("sample_data/cohort_a"), "nihss", permutations=99)
    >>> symptom_map.patients.size, symptom_map.tested
    (37, 10127)
    >>> bool(symptom_map.threshold() > abs(symptom_map.statistic).max())  # nothing is significant
    True
    """

    patients: SymptomPatients = field(repr=False)
    test: SymptomTest
    control: Control
    side: SymptomSide
    covariates: tuple[str, ...]
    min_lesioned: int
    permutations: int
    seed: int
    v_mm3: tuple[float, ...]
    cluster_p: float | None
    blocks: str | None
    null: Null = field(repr=False)
    prepared: PreparedTest = field(repr=False)
    notes: tuple[str, ...] = ()
    tested: int = 0

    n = Column()
    statistic = Column()
    p = Column()
    corrected_p = Column()
    effect = Column()

    def __post_init__(self) -> None:
        if not self.tested:
            object.__setattr__(self, "tested", self.voxels)

    def threshold(self, v_mm3: float | None = None, level: float = SIGNIFICANCE_LEVEL) -> float:
        """The statistic above which the corrected p is at most a level.

        Parameters
        ----------
        v_mm3 : float, optional
            Volume of false findings that is allowed; none by default.
        level : float

        Returns
        -------
        float
            Infinite where there are too few permutations for this level.
        """
        v = 1 if v_mm3 is None else voxels_in(v_mm3, self.grid.voxel_volume)
        return self.prepared.as_statistic(self.null.threshold(level, v))

    def heights_of(self, statistics: NDArray) -> NDArray:
        """Statistics of which the largest are the most extreme for the side of the test."""
        return self.prepared.null.heights_of(statistics)

    def is_lesioned(self, row: int) -> NDArray[np.bool_]:
        """Whether each patient is lesioned at the voxel in a row, shape (patients,)."""
        pattern = self.prepared.patterns.of_voxel[
            np.searchsorted(self.prepared.patterns.indices, self.indices[row])
        ]
        members = self.prepared.patterns.members[[int(pattern)]]
        return np.asarray(members.toarray()[0] > 0)

    @property
    def statistic_name(self) -> str:
        """What the statistic is called: t, BM or z."""
        return STATISTICS.get(self.test, "z")

    @property
    def null_table(self) -> pd.DataFrame:
        """As `Null.table`, with the statistics of the test (two-sided: without their sign)."""
        table = self.null.table
        for name in (f"largest_{v}" for v in self.null.largest):
            table[name] = [self.prepared.as_statistic(height) for height in table[name]]
        return table

    @property
    def parameters(self) -> dict[str, Any]:
        """Every choice."""
        names = ("test", "control", "side", "covariates", "min_lesioned", "permutations", "seed")
        chosen = {name: getattr(self, name) for name in (*names, "v_mm3", "cluster_p", "blocks")}
        return {"score": self.patients.name, **chosen}

    @property
    def sentence(self) -> str:
        """The design in one sentence."""
        given = f", given {' and '.join(self.covariates)}" if self.covariates else ""
        return (
            f"{TESTS[self.test]}: {self.patients.name}{given}; {CONTROLS[self.control]}; "
            f"{_SIDES[self.side]}; {self.patients.size} patients, at least {self.min_lesioned} "
            f"lesioned and as many spared at each of {self.tested:,} voxels; family-wise error "
            f"by {self.permutations:,} permutations of the largest statistic"
        )


def memory_needed(
    cohort: Cohort, test: SymptomTest = SYMPTOM_TEST, min_lesioned: int | None = None
) -> int:
    """Bytes that `map_symptom` takes at most, above the masks; more permutations take no more.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> memory_needed(load_cohort("sample_data/cohort_a")) < 1e8
    True
    """
    counts = np.ravel(cohort.counts, order="F")
    least = least_lesioned(min_lesioned, cohort.n_patients, test)
    tested = counts[np.minimum(counts, cohort.n_patients - counts) >= least]
    entries = int(tested.sum(dtype=np.int64))
    return _BYTES_OF_ENTRY * entries + _BYTES_OF_VOXEL * tested.size + _BYTES_OF_BLOCK


def voxels_in(v_mm3: float, voxel_volume: float) -> int:
    """Number of voxels of a volume, at least 1."""
    return max(1, round(v_mm3 / voxel_volume))


def map_symptom(
    cohort: Cohort,
    score: str,
    *,
    test: SymptomTest = SYMPTOM_TEST,
    covariates: Sequence[str] = (),
    control: Control = CONTROL,
    min_lesioned: int | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    v_mm3: Sequence[float] = EXCEEDANCES_MM3,
    cluster_p: float | None = CLUSTER_P,
    side: SymptomSide = SYMPTOM_SIDE,
    blocks: str | None = None,
    progress: Progress | None = None,
) -> SymptomMap:
    """Test at each voxel whether a score differs between lesioned and spared patients.

    Parameters
    ----------
    cohort : Cohort
        With a participants table.
    score : str
        A column of numbers; of 0 and 1 for the binary tests.
    test : {"ols", "rank", "welch", "brunner-munzel", "liebermeister", "fisher"}
        With covariates or volume, "welch" and "brunner-munzel" test what these leave of the score,
        and the binary tests are the score test of a logistic regression.
    covariates : sequence of str
        Columns of numbers or categories.
    control : {"log-volume", "volume", "none", "behaviour", "lesion", "dtlvc"}
        How lesion volume is controlled. The last three are for the comparison with papers.
    min_lesioned : int, optional
        Voxels with fewer lesioned, or fewer spared patients, are not tested. By default 5 % of the
        patients, at least 5, and at least 10 for "brunner-munzel".
    permutations : int
        At least 20; no p is below 1 / (1 + permutations).
    seed : int
    v_mm3 : sequence of float
        Volumes of false findings to allow: a corrected p for each.
    cluster_p : float, optional
        Cluster-forming p: voxels with this p or less form clusters; None, which is faster,
        tests no cluster sizes.
    side : {"two-sided", "larger", "smaller"}
        Of lesioned patients' scores.
    blocks : str, optional
        A column such as a site: scores are exchanged among patients of one value only.
    progress : callable, optional
        Called with (permutations done, permutations in all); what it raises ends the test.

    Returns
    -------
    SymptomMap
        On the grid of the cohort.

    Raises
    ------
    InputError
        Where a column or choice does not fit, or no voxel has enough patients.

    Notes
    -----
    Corrected p are (1 + number of permutations that reach the statistic) / (1 + permutations)
    (Phipson & Smyth 2010), of the largest statistic over all tested voxels (Westfall & Young
    1993), or of the v-th largest (Mirman et al. 2018). With covariates, what they leave of the
    score is permuted and regressed on them again (Freedman & Lane 1983).

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> found = map_symptom(cohort, "nihss", permutations=99)
    >>> found.patients.size, bool((found.corrected_p >= 0.01).all())
    (37, True)
    """
    choice = TestChoice(test, control, side, CLUSTER_P if cluster_p is None else cluster_p)
    _check_choices(choice, permutations, v_mm3)
    patients = select_patients(cohort, score, covariates, test, control, blocks)
    least = least_lesioned(min_lesioned, patients.size, test)
    patterns, notes = _patterns(patients, least, choice)
    prepared = prepare_test(patients, patterns, choice)
    volume = cohort.grid.voxel_volume
    volumes = tuple(dict.fromkeys(map(float, v_mm3)))
    allowed = tuple(v for v in volumes if voxels_in(v, volume) <= patterns.indices.size)
    if dropped := [f"{v:g}" for v in volumes if v not in allowed]:
        notes += (f"no corrected p for {' and '.join(dropped)} mm³: fewer voxels are tested",)
    numbers = [voxels_in(v, volume) for v in allowed]
    forming = None if cluster_p is None else prepared.forming
    null = prepared.null.run(permutations, seed, numbers, forming, progress)
    columns = _columns(prepared, null, dict(zip(allowed, numbers, strict=True)), choice)
    unadjusted = effect_notes(test, control, bool(covariates))
    warnings = symptom_warnings(patients, patterns, choice)
    notes = (*patients.notes, *notes, *unadjusted, *warnings)
    return SymptomMap(
        grid=cohort.grid,
        indices=patterns.indices,
        values=columns,
        quantities=tuple(
            quantity.made(f", {test}, {control}, {permutations} permutations")
            for quantity in symptom_quantities(score, test, control, bool(covariates), allowed)
        ),
        patients=patients,
        test=test,
        control=control,
        side=side,
        covariates=tuple(covariates),
        min_lesioned=least,
        permutations=permutations,
        seed=seed,
        v_mm3=allowed,
        cluster_p=cluster_p,
        blocks=blocks,
        null=null,
        prepared=prepared,
        notes=notes,
    )


def _check_choices(choice: TestChoice, permutations: int, v_mm3: Sequence[float]) -> None:
    check_choice("test", choice.test, TESTS)
    check_choice("control", choice.control, CONTROLS)
    check_choice("side", choice.side, _SIDES)
    check_permutations(permutations)
    if not 0 < choice.cluster_p < 1:
        problem = f"is {choice.cluster_p}"
        raise InputError("cluster p", problem, "give a p between 0 and 1, such as 0.001")
    if wrong := [v for v in v_mm3 if not 0 < v < np.inf]:
        raise InputError("v", f"is {wrong[0]:g} mm³", "give volumes above 0")
    fitting = CONTROLS if choice.test in LINEAR else ("log-volume", "volume", "none")
    if choice.control not in fitting:
        problem = f"{choice.control} is a control of linear tests, not of {choice.test}"
        raise InputError("control", problem, "choose log-volume, or the test ols or rank")


def least_lesioned(chosen: int | None, patients: int, test: SymptomTest = SYMPTOM_TEST) -> int:
    """Lesioned, and spared, patients that a voxel needs to be tested; see `map_symptom`.

    Examples
    --------
    >>> least_lesioned(None, 129), least_lesioned(None, 40), least_lesioned(8, 129)
    (7, 5, 8)
    """
    if chosen is None:
        least = max(MIN_PATIENTS, ceil(LEAST_SHARE * patients))
        return max(least, LEAST_OF_RANKS) if test == "brunner-munzel" else least
    if check_min_patients(chosen) < 2:
        raise InputError("min lesioned", f"is {chosen}", "each group needs at least 2 patients")
    return chosen


def _patterns(
    patients: SymptomPatients, least: int, choice: TestChoice
) -> tuple[PathPatterns, tuple[str, ...]]:
    """The patterns of the voxels that can be tested, along a path."""
    counts = patients.counts
    qualifies = np.minimum(counts, patients.size - counts) >= least
    if not qualifies.any():
        largest = int(np.minimum(counts, patients.size - counts).max(initial=0))
        problem = (
            f"no voxel has at least {least} lesioned and as many spared patients: the most is "
            f"{largest} of {patients.size}"
        )
        raise InputError(patients.cohort.name, problem, "lower the number of lesioned patients")
    patterns = find_patterns(patients, qualifies)
    notes: tuple[str, ...] = ()
    usable = testable(patients, patterns, choice)
    if not usable.all():
        unusable = ~usable[patterns.of_voxel]
        reason = "covariates or lesion volume tell who is lesioned, or the scores do not vary"
        if unusable.all():
            problem = f"no voxel can be tested: {reason}"
            raise InputError(patients.cohort.name, problem, "leave covariates out, or the control")
        notes = (f"{int(unusable.sum()):,} voxels are not tested: {reason}",)
        qualifies[patterns.indices[unusable]] = False
        patterns = find_patterns(patients, qualifies)
    return along_path(patients.cohort.grid, patterns), notes


def _columns(
    prepared: PreparedTest, null: Null, numbers: Mapping[float, int], choice: TestChoice
) -> Columns:
    """Every value at the voxels, computed when it is first volumes for."""
    of_pattern = Columns(prepared.columns)
    of_voxel = prepared.patterns.of_voxel
    heights = prepared.null.heights_of(prepared.heights)

    def spread(key: str) -> Float:
        return of_pattern[key][of_voxel]

    def corrected(v: int) -> Float:
        return null.corrected_p(heights, v)[of_voxel]

    def detectable() -> Float:
        threshold = prepared.as_statistic(null.threshold(SIGNIFICANCE_LEVEL))
        two_sided = choice.side == "two-sided"
        return detectable_d(prepared.norms, prepared.dof, threshold, two_sided)[of_voxel]

    columns: dict[str, Any] = {key: partial(spread, key) for key in prepared.columns}
    columns |= {
        "n": lambda: prepared.patterns.n[of_voxel],
        "corrected_p": partial(corrected, 1),
        "fdr_p": lambda: false_discovery_rate(columns["p"]()),
        **{f"corrected_p_v{v:g}": partial(corrected, number) for v, number in numbers.items()},
    }
    if prepared.dof:
        columns["power_d80"] = detectable
    return Columns(columns)
