"""What lesions can tell, before any score: power, and places that they cannot tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...cohort.cohort import Cohort
from ...core.defaults import MIN_PATIENTS, PERMUTATIONS, SEED, SIGNIFICANCE_LEVEL
from ...core.errors import InputError, check_choice
from ...images.masks import Mask
from ...images.reading import Progress
from ..patterns import Patterns, find_patterns
from ..voxel_maps import Columns, Quantity, VoxelMaps
from .design import make_design, partial_t
from .effects import noncentrality
from .null import LinearNull
from .path import along_path

Float = NDArray[np.float64]
Int = NDArray[np.int64]

LOOKALIKE = 0.9
"""Correlation of two lesion columns from which on their voxels count as indistinguishable: they
share about four fifths of what either explains. Arbitrary."""
_TOGETHER = 256  # patterns that are compared with others at once, arbitrary
_OTHERS = 2**14  # these others, arbitrary: 4 million pairs, about 100 MB
_ROUNDING = 1e-9  # of a correlation, arbitrary: far above rounding, far below what matters

POWER = Quantity(
    key="power",
    label="power",
    file="power.nii",
    meaning="Share of studies like this one in which an effect of this size at the voxel is found.",
)
DETECTABLE = Quantity(
    key="power_d80",
    label="smallest effect found with 80 % power",
    unit="SD",
    file="power_d80.nii",
    meaning="Standardised difference that is found in 80 % of studies like this one.",
    colormap="viridis_r",
)
LOOKALIKES = Quantity(
    key="lookalikes",
    label="volume of indistinguishable places",
    unit="mm³",
    file="lookalikes.nii",
    meaning="Volume of the voxels whose lesions these patients do not tell from the voxel's.",
    colormap="viridis_r",
)
SHIFT = Quantity(
    key="shift",
    label="shift of their centre",
    unit="mm",
    file="lookalikes_shift.nii",
    meaning="Distance from the voxel to the centre of all voxels it is not told from.",
    colormap="viridis_r",
)


@dataclass(frozen=True, eq=False)
class _CohortLesions:
    """All patients of a cohort, with an empty lesion or not."""

    cohort: Cohort

    @property
    def size(self) -> int:
        return self.cohort.n_patients

    def lesion(self, row: int) -> NDArray[np.int32]:
        return self.cohort.voxels(row)


def _tested(cohort: Cohort, min_lesioned: int) -> Patterns:
    counts = np.ravel(cohort.counts, order="F")
    qualifies = np.minimum(counts, cohort.n_patients - counts) >= min_lesioned
    if not qualifies.any():
        problem = f"no voxel has {min_lesioned} lesioned and as many spared patients"
        raise InputError(cohort.name, problem, "lower the number of lesioned patients")
    return find_patterns(_CohortLesions(cohort), qualifies)


def power_map(
    cohort: Cohort,
    d: float = 0.8,
    n_total: int | None = None,
    threshold: Literal["fwe", "uncorrected"] = "fwe",
    *,
    min_lesioned: int = MIN_PATIENTS,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
) -> VoxelMaps:
    """Power of a two-sided test at each voxel, for a planned effect; no score is needed.

    Parameters
    ----------
    cohort : Cohort
    d : float
        Difference between lesioned and spared patients in standard deviations of either group.
    n_total : int, optional
        Patients of the planned study, with lesions as often at each voxel as in this cohort; by
        default as many as this cohort has.
    threshold : {"fwe", "uncorrected"}
        That of the largest t over all voxels, from permutations of a normal score, or that of one
        voxel alone.
    min_lesioned : int
        Voxels with fewer lesioned, or fewer spared patients of this cohort, are left out.
    permutations, seed : int

    Returns
    -------
    VoxelMaps
        ``power`` and ``power_d80``, and ``n``, the patients lesioned in this cohort.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> few, many = (power_map(cohort, 1.0, n, permutations=99) for n in (40, 120))
    >>> bool((many.values["power"] > few.values["power"]).all())
    True
    """
    from scipy.stats import nct, norm
    from scipy.stats import t as t_distribution

    check_choice("threshold", threshold, ("fwe", "uncorrected"))
    planned = cohort.n_patients if n_total is None else n_total
    if planned < 2 * min_lesioned or d == 0 or not np.isfinite(d):
        problem = f"an effect of {d:g} in {planned} patients has no power"
        raise InputError("planned study", problem, "give more patients, or an effect")
    patterns = along_path(cohort.grid, _tested(cohort, min_lesioned))
    dof = planned - 2
    if threshold == "fwe":
        ranks = (np.arange(cohort.n_patients) + 0.5) / cohort.n_patients
        design = make_design(norm.ppf(ranks), {}, np.ones(cohort.n_patients), "none")
        null = LinearNull(cohort.grid, patterns, design.norms(patterns), design, "two-sided")
        height = null.run(permutations, seed).threshold(SIGNIFICANCE_LEVEL)
        p = t_distribution.sf(partial_t(np.array(height), design.dof), design.dof)
        limit = float(t_distribution.isf(p, dof))
    else:
        limit = float(t_distribution.isf(SIGNIFICANCE_LEVEL / 2, dof))
    share = patterns.n / cohort.n_patients
    norms = np.sqrt(planned * share * (1 - share))
    delta = abs(d) * norms
    power = nct.sf(limit, dof, delta) + nct.sf(limit, dof, -delta)
    detectable = noncentrality(dof, limit, two_sided=True) / norms
    of_voxel = patterns.of_voxel
    how = f", d={d:g}, {planned} patients, {threshold}"
    return VoxelMaps(
        grid=cohort.grid,
        indices=patterns.indices,
        values=Columns(
            {
                "power": power[of_voxel],
                "power_d80": detectable[of_voxel],
                "n": patterns.n[of_voxel],
            }
        ),
        quantities=(POWER.made(how), DETECTABLE.made(how)),
    )


def resolution_map(
    cohort: Cohort,
    min_lesioned: int = MIN_PATIENTS,
    r: float = LOOKALIKE,
    progress: Progress | None = None,
) -> VoxelMaps:
    """How finely lesions tell places apart: the volume that looks like each voxel.

    Whatever score is mapped, a voxel cannot be told from others that are lesioned in nearly the
    same patients.

    Parameters
    ----------
    cohort : Cohort
    min_lesioned : int
        Voxels with fewer lesioned, or fewer spared patients, are left out.
    r : float
        Correlation of two voxels' columns (1 lesioned, 0 spared) from which on they look alike.
    progress : callable, optional
        Called with (patterns done, patterns in all).

    Returns
    -------
    VoxelMaps
        ``lookalikes`` in mm³, the voxel itself among them, and ``shift`` of their centre in mm.

    Notes
    -----
    Takes a time that grows with the square of the number of different sets of patients: two
    seconds for 18,000, an hour for a million.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> resolution = resolution_map(load_cohort("sample_data/cohort_a"))
    >>> bool((resolution.values["lookalikes"] >= resolution.grid.voxel_volume).all())
    True
    """
    _check_r(r)
    patterns = _tested(cohort, min_lesioned)
    patterns = patterns.sorted_by(patterns.n)
    sizes = np.bincount(patterns.of_voxel, minlength=patterns.size).astype(np.float64)
    mm = cohort.grid.mm_of_index(patterns.indices)
    sums = np.stack([np.bincount(patterns.of_voxel, axis, patterns.size) for axis in mm.T], axis=1)
    count, total = np.zeros(patterns.size), np.zeros((patterns.size, 3))
    for rows, alike, others in _alike(patterns, cohort.n_patients, r):
        count[rows] += alike @ sizes[others]
        total[rows] += alike @ sums[others]
        if progress is not None:
            progress(rows.stop, patterns.size)
    centre = total / count[:, None]
    of_voxel = patterns.of_voxel
    shift = np.linalg.norm(centre[of_voxel] - mm, axis=1)
    how = f", r>={r:g}, n>={min_lesioned} of {cohort.n_patients}"
    return VoxelMaps(
        grid=cohort.grid,
        indices=patterns.indices,
        values=Columns({"lookalikes": count[of_voxel] * cohort.grid.voxel_volume, "shift": shift}),
        quantities=(LOOKALIKES.made(how), SHIFT.made(how)),
    )


def _alike(patterns: Patterns, patients: int, r: float) -> Iterator[tuple[slice, Any, slice]]:
    """Blocks of patterns, and which of some others look like each of them.

    Patterns are in the order of n. Where one has many more patients than another, their
    correlation is below the square root of the ratio of their odds, so only some are compared.
    """
    from scipy import sparse

    odds = patterns.n / (patients - patterns.n)
    spread = np.sqrt(patterns.n * (patients - patterns.n))
    members = patterns.members
    for first in range(0, patterns.size, _TOGETHER):
        rows = slice(first, min(first + _TOGETHER, patterns.size))
        low = np.searchsorted(odds, odds[rows.start] * r**2 * (1 - _ROUNDING))
        high = np.searchsorted(odds, odds[rows.stop - 1] / r**2 * (1 + _ROUNDING), side="right")
        own = members[rows].astype(np.float32).toarray()
        for begin in range(int(low), int(high), _OTHERS):
            others = slice(begin, min(begin + _OTHERS, int(high)))
            shared = np.asarray(members[others].astype(np.float32) @ own.T).T
            # Correlation >= r as a bound of the number of patients that two patterns share.
            bound = np.outer(patterns.n[rows], patterns.n[others] / patients)
            bound += np.outer(spread[rows], spread[others] * ((r - _ROUNDING) / patients))
            yield rows, sparse.csr_array(shared >= bound), others


def lookalikes(
    cohort: Cohort, mm: ArrayLike, r: float = LOOKALIKE, min_lesioned: int = MIN_PATIENTS
) -> Mask:
    """The voxels that lesions do not tell from a place, as a mask.

    Parameters
    ----------
    cohort : Cohort
    mm : array, shape (3,)
        In mm.
    r, min_lesioned
        As for `resolution_map`.

    Raises
    ------
    InputError
        Where too few patients are lesioned, or spared, at the place.

    Examples
    --------
    >>> from lesion_dash import load_cohort, resolution_map
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> place = resolution_map(cohort).indices[0]
    >>> lookalikes(cohort, cohort.grid.mm_of_index([place])[0]).voxels >= 1
    True
    """
    _check_r(r)
    patterns = _tested(cohort, min_lesioned)
    place = cohort.grid.nearest_voxel(mm)
    index = -1 if place is None else cohort.grid.linear_index(place)
    row = int(np.searchsorted(patterns.indices, index))
    x, y, z = np.asarray(mm, float)
    name = f"{x:g}, {y:g}, {z:g} mm"
    if row == patterns.indices.size or patterns.indices[row] != index:
        problem = f"fewer than {min_lesioned} patients are lesioned, or spared, there"
        raise InputError(name, problem, "choose another place")
    own = patterns.members[[int(patterns.of_voxel[row])]].toarray()[0]
    shared, n, patients = patterns.members @ own, own.sum(), cohort.n_patients
    spread = np.sqrt(n * (patients - n) * patterns.n * (patients - patterns.n))
    alike = (patients * shared - n * patterns.n) / spread >= r - _ROUNDING
    return Mask(cohort.grid, patterns.indices[alike[patterns.of_voxel]], f"look-alikes of {name}")


def _check_r(r: float) -> None:
    if not 0 < r <= 1:
        raise InputError("r", f"is {r:g}", "give a correlation above 0 and at most 1, such as 0.9")
