"""Contrast of two conditions of a series: a two-sample t-test at each voxel."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..conditions import Conditions
from ..errors import InputError
from ..images import Mask, Series
from .contrast import Contrast, Samples, keep_tested
from .moments import moments_of, p_of_t, t_statistic

_BLOCK = 2**20
"""Values that are worked on together by one thread."""

_OF_RUNS = (
    "Shows where the mean signal of the volumes differs. It is no model of the haemodynamic "
    "response: neighbouring volumes resemble each other, so p is too small, and permutations that "
    "take volumes for independent do not mend that. A map to explore, not a result to report."
)
_OF_PEOPLE = (
    "Shows where the mean of one group differs from the other's. It does not show why: groups that "
    "differ in age, scanner or anything else differ here too."
)


def contrast_conditions(
    series: Series,
    conditions: Conditions,
    a: str,
    b: str,
    *,
    test: Literal["student", "welch"] = "student",
    mask: Mask | None = None,
) -> Contrast:
    """Test at each voxel whether two conditions of a series differ in their mean.

    Parameters
    ----------
    series : Series
    conditions : Conditions
        One for each volume.
    a, b : str
        Names of two conditions; a positive t means more signal in `a`.
    test : {"student", "welch"}
    mask : Mask, optional
        On the grid of the series: test these voxels only. Else all that vary are tested.

    Returns
    -------
    Contrast
        NaN is left out voxel by voxel, as ``scipy.stats.ttest_ind(nan_policy="omit")`` does; voxels
        without any spread are not tested.

    Raises
    ------
    InputError
        Where a condition has fewer than two volumes, both are the same, or a mask lies elsewhere.

    Examples
    --------
    >>> from lesion_dash import read_conditions, read_series
    >>> run = "sample_data/series/sub-01_task-pictures_run-1"
    >>> series = read_series(f"{run}_bold.nii.gz")
    >>> conditions = read_conditions(f"{run}_events.tsv", series)
    >>> found = contrast_conditions(series, conditions, "face", "house")
    >>> found.sizes
    (16, 16)
    """
    if test not in ("student", "welch"):
        raise InputError("test", f"is {test!r}", "choose student or welch")
    if len(conditions.of_volume) != series.volumes:
        problem = f"{len(conditions.of_volume)} conditions for {series.volumes} volumes"
        raise InputError("conditions", problem, "give one for each volume")
    if a == b:
        raise InputError("conditions", f"both are {a!r}", "choose two that differ")
    rows = _rows_of(conditions, a), _rows_of(conditions, b)
    indices = _tested(series, mask)
    t, p, effect, dof = _test_blocks(series.rows, rows, indices, test == "student")
    return keep_tested(
        Contrast(
            name=f"{a} - {b}",
            grid=series.grid,
            test=test,
            groups=(a, b),
            sizes=(rows[0].size, rows[1].size),
            indices=indices,
            statistic=t,
            p=p,
            effect=effect,
            dof=dof,
            effect_unit="difference of the mean signal",
            statement=_OF_RUNS if max(series.runs) > 1 else _OF_PEOPLE,
            correction="none",
            corrected_p=p,
            samples=_samples(series, rows) if test == "student" else None,
            notes=(*series.notes, *conditions.notes),
            parameters={"a": a, "b": b, "test": test, "mask": mask.name if mask else None},
        )
    )


def _rows_of(conditions: Conditions, name: str) -> NDArray[np.int64]:
    rows = conditions.rows(name)
    if rows.size < 2:
        raise InputError(name, "has one volume only", "a t-test needs at least two in each group")
    return rows


def _tested(series: Series, mask: Mask | None) -> NDArray[np.int32]:
    if mask is None:
        return np.arange(series.grid.size, dtype=np.int32)
    indices = mask.on_grid(series.grid).indices
    if not indices.size:
        raise InputError(mask.name, "is empty: no voxel to test", "choose another mask")
    return indices


def _test_blocks(
    values: NDArray,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    indices: NDArray[np.int32],
    equal_variances: bool,
) -> NDArray[np.float64]:
    """t, p, effect and degrees of freedom, a few thousand voxels at a time in each thread."""

    def test_block(block: NDArray[np.int32]) -> NDArray[np.float64]:
        a, b = (moments_of(_take(values, own, block)) for own in rows)
        t, dof = t_statistic(a, b, equal_variances)
        return np.stack([t, p_of_t(t, dof), a.mean - b.mean, dof])

    step = max(_BLOCK // (rows[0].size + rows[1].size), 1)
    blocks = [indices[first : first + step] for first in range(0, indices.size, step)]
    with ThreadPoolExecutor(min(cpu_count() or 1, 8)) as pool:
        return np.concatenate(list(pool.map(test_block, blocks)), axis=1)


def _take(values: NDArray, rows: NDArray[np.int64], block: NDArray[np.int32]) -> NDArray:
    """Some rows and columns; whole stretches of a volume where the columns lie close together."""
    first, last = int(block[0]), int(block[-1]) + 1
    if last - first > 4 * block.size:
        return values[np.ix_(rows, block)]
    stretch = values[:, first:last][rows]
    # Rows stay rows in memory: sums run in the same order with a mask and without.
    return stretch if last - first == block.size else np.take(stretch, block - first, axis=1)


def _samples(series: Series, rows: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Samples:
    chosen = np.concatenate(rows)
    variable = np.repeat([1.0, 0.0], [rows[0].size, rows[1].size])

    def values(indices: NDArray[np.int32]) -> NDArray[np.float64]:
        return series.rows[np.ix_(chosen, indices)].astype(np.float64)

    return Samples(values, variable)
