"""Permutation test of the mean volume at each voxel: volumes shuffled among patients."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from operator import index

import numpy as np
from numpy.typing import NDArray

from ..cohort.cohort import Cohort, check_min_patients
from ..core.defaults import MIN_PATIENTS, PERMUTATIONS, SEED, VOLUME_SIDE, VolumeSide
from ..core.errors import InputError, check_choice
from ..core.text import counted
from ..images.reading import Progress
from .contrast import check_permutations
from .patterns import Patterns, find_patterns
from .size_bias import (
    PERMUTATION_QUANTITIES,
    SIDES,
    Lesioned,
    VolumePermutations,
    lesioned_patients,
)
from .voxel_maps import Columns, minus_log10

_BLOCK_BYTES = 2**26  # arbitrary: of the sums of one block of permutations
_TOGETHER = 64  # arbitrary: permutations of one block, at most
# Statistics that are equal differ by this part at most where their numbers of patients differ: a
# few roundings of 1e-16.
_ROUNDING = 1e-12

Float = NDArray[np.float64]


def volume_patterns(patients: Lesioned, min_patients: int) -> Patterns:
    """Patterns of the voxels lesioned in at least so many patients, but not in all of them.

    In ascending order of their numbers of patients.
    """
    counts = np.ravel(patients.cohort.counts, order="F")
    patterns = find_patterns(patients, (counts >= min_patients) & (counts < patients.size))
    return patterns.sorted_by(patterns.n)


def permute_volumes(
    cohort: Cohort,
    min_patients: int = MIN_PATIENTS,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    side: VolumeSide = VOLUME_SIDE,
    progress: Progress | None = None,
) -> VolumePermutations:
    """Test at each voxel whether its patients' lesions are larger than those of shuffled patients.

    **The null hypothesis** is that volumes are exchangeable among patients, given where the
    lesions are: who is lesioned at which voxels is kept, and volumes are shuffled.

    **What it is not.** It is not that lesions lie anywhere with equal chance. A large lesion covers
    more voxels, so the volumes of the patients lesioned at a voxel are above the cohort's mean
    nearly everywhere by construction, and the null is false there for that reason alone. A small p
    says that large lesions are over-represented at a voxel, beyond what the draw of n patients
    explains; not why, and not that a lesion of this place grows large. To see where the mean is
    beyond what size itself explains, look at `MeanContrast.above_weighted_mean`.

    The statistic is (mean_j - mean) / (σ sqrt((N - n) / (n (N - 1)))): with N patients, n of them
    lesioned at voxel j and σ the standard deviation of all volumes (divided by N), its denominator
    is the exact standard deviation over all permutations, drawing without replacement. Voxels of
    few patients, whose means vary most, therefore do not decide the largest statistic.

    p = (1 + count) / (1 + permutations), the data as they are counting as one permutation
    (Phipson & Smyth 2010). For the uncorrected p, count is of the permutations whose sum of volumes
    at the voxel is at least as extreme; sums are whole numbers of voxels, so ties are exact. For
    the corrected p, it is of the permutations whose most extreme statistic of all voxels is
    (single-step maximum, Westfall & Young 1993; Nichols & Holmes 2002); the same numbers n give
    the same rounding, and for different n, what is within 1e-12 of the statistic counts as equal,
    which makes p larger if anything.

    Parameters
    ----------
    cohort : Cohort
        Patients without a lesioned voxel are excluded; a note counts them.
    min_patients : int
        Voxels lesioned in at least this many patients are tested: the family of the correction.
        Voxels lesioned in all patients are not: whoever has which volume, their mean stays.
    permutations : int
        At least 20; no p is below 1 / (1 + permutations).
    seed : int
        Of the shuffles. The same seed gives the same p, whatever the order of the files.
    side : {"larger", "smaller", "two-sided"}
    progress : callable, optional
        Called with (permutations done, permutations in all); what it raises ends the test.

    Returns
    -------
    VolumePermutations
        On the grid of the cohort; the statistic has no unit.

    Raises
    ------
    InputError
        Where a parameter is none of the above, no voxel can be tested, or all volumes are equal.

    Notes
    -----
    Voxels lesioned in the very same patients are one pattern, computed once. Memory: about
    30 bytes for each patient of each pattern, 12 for each voxel of the grid, 80 for each tested
    voxel, and at most 75 MB for a block of permutations, however many there are (9 bytes for each
    pattern, where that is more). 200 masks at 1 mm took 133 MB, 1,449 at 2 mm 362 MB.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> found = permute_volumes(load_cohort("sample_data/cohort_a"), permutations=99)
    >>> float(found.p.min()) >= 1 / 100, bool((found.corrected_p >= found.p).all())
    (True, True)
    >>> found.map("corrected_p").name
    'corrected_p of mean total lesion volume, larger'
    """
    permutations, seed = _check_choices(min_patients, permutations, seed, side)
    patients = lesioned_patients(cohort)
    patterns = volume_patterns(patients, min_patients)
    _check_tested(patients, patterns, min_patients)
    volumes = patients.volumes.astype(np.float64)
    blocks = shuffled_blocks(volumes, permutations, seed, block_size(patterns.size))
    units = 1 / deviations(patterns.n, patients.volumes)
    counts, largest = count_extremes(patterns, volumes, units, blocks, side, permutations, progress)
    statistic = _excess(patterns, volumes[:, None])[:, 0] * units
    p = (1 + counts) / (1 + permutations)
    corrected = corrected_p(_signed(statistic.copy(), side), largest)
    notes = patients.notes
    if in_all := int(np.count_nonzero(cohort.counts == patients.size)):
        notes += (f"not tested, as all patients are lesioned there: {counted(in_all, 'voxel')}",)
    of_voxel = patterns.of_voxel
    columns = {
        "n": patterns.n[of_voxel],
        "statistic": statistic[of_voxel],
        "p": p[of_voxel],
        "corrected_p": corrected[of_voxel],
    }
    how = f", {side}, {permutations} permutations, n>={min_patients} of {patients.size}"
    return VolumePermutations(
        grid=cohort.grid,
        indices=patterns.indices,
        values=Columns({**columns, **minus_log10(columns)}),
        quantities=tuple(
            quantity.made(how, label=f"{quantity.label}, {side}", header=quantity.key)
            for quantity in PERMUTATION_QUANTITIES
        ),
        n_patients=patients.size,
        min_patients=min_patients,
        permutations=permutations,
        seed=seed,
        side=side,
        largest=largest,
        patterns=patterns.size,
        notes=notes,
    )


def deviations(n: NDArray[np.int64], volumes: NDArray[np.int64]) -> Float:
    """Standard deviation, over all permutations, of N times the sum of n volumes, less n Σv.

    That is N n times the standard deviation of their mean. N² σ² = N Σv² - (Σv)² is a whole number.
    """
    patients, values = volumes.size, volumes.tolist()
    spread = patients * sum(value * value for value in values) - sum(values) ** 2
    return np.sqrt(n * (patients - n) / (patients - 1)) * sqrt(spread)


def block_size(patterns: int) -> int:
    """Permutations of one block, so that their sums keep within `_BLOCK_BYTES`."""
    return max(1, min(_TOGETHER, _BLOCK_BYTES // (8 * patterns)))


def shuffled_blocks(volumes: Float, permutations: int, seed: int, together: int) -> Iterator[Float]:
    """Shuffled volumes, one permutation per column, the same ones whatever the size of a block."""
    generator = np.random.default_rng(seed)
    for first in range(0, permutations, together):
        block = range(first, min(first + together, permutations))
        yield np.stack([generator.permutation(volumes) for _ in block], axis=1)


def count_extremes(
    patterns: Patterns,
    volumes: Float,
    units: Float,
    blocks: Iterator[Float],
    side: VolumeSide,
    permutations: int,
    progress: Progress | None = None,
) -> tuple[NDArray[np.int64], Float]:
    """How many permutations are at least as extreme at each pattern, and the largest of each.

    Parameters
    ----------
    patterns : Patterns
    volumes : array of float64, shape (patients,)
        Whole numbers.
    units : array of float64, shape (patterns,)
        That make statistics of the differences of sums, equal for equal `Patterns.n`.
    blocks : iterator of array, shape (patients, permutations of a block)
    side : {"larger", "smaller", "two-sided"}
    permutations : int
        In all, for `progress`.
    progress : callable, optional

    Returns
    -------
    counts : array of int64, shape (patterns,)
    largest : array of float64, shape (permutations,)
    """
    observed = _signed(_excess(patterns, volumes[:, None]), side)
    starts = np.flatnonzero(np.diff(patterns.n, prepend=0))
    counts = np.zeros(patterns.size, np.int64)
    largest = []
    done = 0
    for block in blocks:
        shuffled = _signed(_excess(patterns, block), side)
        counts += np.count_nonzero(shuffled >= observed, axis=1)
        # The largest of those of one n is found among whole numbers, and scaled once.
        tops = [part.max(axis=0) for part in np.split(shuffled, starts[1:])]
        largest.append(np.max(np.array(tops) * units[starts, None], axis=0))
        done += block.shape[1]
        if progress is not None:
            progress(done, permutations)
    return counts, np.concatenate(largest)


def corrected_p(statistic: Float, largest: Float) -> Float:
    """Share of the largest statistics that are at least as large, the data's own among them."""
    lowest = statistic - _ROUNDING * np.abs(statistic)
    below = np.searchsorted(np.sort(largest), lowest)
    return np.asarray((1 + largest.size - below) / (1 + largest.size))


def _excess(patterns: Patterns, volumes: Float) -> Float:
    """N times the sum of a pattern's volumes, less n times that of all: whole numbers, exact."""
    patients = volumes.shape[0]
    excess: Float = patterns.members @ volumes
    excess *= patients
    excess -= (patterns.n * volumes[:, 0].sum())[:, None]
    return excess


def _signed(values: Float, side: VolumeSide) -> Float:
    """Values of which the largest are the most extreme, in place."""
    if side == "smaller":
        return np.negative(values, out=values)
    return np.abs(values, out=values) if side == "two-sided" else values


def _check_choices(min_patients: int, permutations: int, seed: int, side: str) -> tuple[int, int]:
    check_min_patients(min_patients)
    check_choice("side", side, SIDES)
    permutations = _whole_number("permutations", permutations)
    check_permutations(permutations)
    seed = _whole_number("seed", seed)
    if seed < 0:
        raise InputError("seed", f"is {seed}", "give a whole number of at least 0")
    return permutations, seed


def _whole_number(name: str, value: object) -> int:
    try:
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        problem = f"{value!r} is not a whole number"
        raise InputError(name, problem, "give one such as 1000") from None


def _check_tested(patients: Lesioned, patterns: Patterns, min_patients: int) -> None:
    name, volumes = patients.cohort.name, patients.volumes
    if not patterns.size:
        problem = (
            f"no voxel is lesioned in at least {min_patients} patients and not in all: at most "
            f"{patients.cohort.max_overlap} of {patients.size} share one"
        )
        raise InputError(name, problem, "lower the number of patients")
    if volumes[0] == volumes[-1]:
        problem = f"all lesions have the same volume, {int(volumes[0]):,} voxels"
        raise InputError(name, problem, "shuffling needs volumes that differ")
