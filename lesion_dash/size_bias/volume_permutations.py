"""The outcome of shuffling volumes among patients: statistic and p at each voxel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..grid import Grid
from ..images import Map
from .means import map_of

Side = Literal["larger", "smaller", "two-sided"]

SIDES = {
    "larger": "test for a mean larger than that of shuffled volumes",
    "smaller": "test for a mean smaller than that of shuffled volumes",
    "two-sided": "test for a mean further from the cohort's than that of shuffled volumes",
}

STATEMENT = (
    "Null hypothesis: volumes are exchangeable among patients, given where the lesions are. It is "
    "not that lesions of any size lie everywhere alike: a large lesion covers more voxels, so the "
    "mean is above the cohort's nearly everywhere by construction, and a small p says that large "
    "lesions are over-represented at a voxel, not that this place makes lesions large."
)

FILE_NAMES = {
    "statistic": "lesion_size_statistic.nii",
    "p": "lesion_size_p.nii",
    "minus_log10_p": "lesion_size_minus_log10_p.nii",
    "corrected_p": "lesion_size_corrected_p.nii",
    "minus_log10_corrected_p": "lesion_size_minus_log10_corrected_p.nii",
}


@dataclass(frozen=True, eq=False)
class VolumePermutations:
    """Where the mean volume differs from the cohort's more than with shuffled volumes.

    Parameters
    ----------
    grid : Grid
    n_patients : int
        Patients with a lesion: those whose volumes were shuffled.
    min_patients, permutations, seed, side
        As for `permute_volumes`.
    indices : array of int32, shape (tested,)
        Linear positions of the tested voxels, ascending, the first axis fastest.
    n : array of int64, shape (tested,)
        Patients lesioned at each.
    statistic : array of float64, shape (tested,)
        (mean at the voxel - the cohort's mean) / its standard deviation over all permutations.
    p, corrected_p : array of float64, shape (tested,)
        Not corrected, and corrected for the family-wise error over all tested voxels.
    largest : array of float64, shape (permutations,)
        The largest statistic over all tested voxels in each permutation (of its negative or
        absolute value, as `side` says).
    patterns : int
        Different sets of patients among the tested voxels.
    notes : tuple of str
    """

    grid: Grid
    n_patients: int
    min_patients: int
    permutations: int
    seed: int
    side: Side
    indices: NDArray[np.int32]
    n: NDArray[np.int64]
    statistic: NDArray[np.float64]
    p: NDArray[np.float64]
    corrected_p: NDArray[np.float64]
    largest: NDArray[np.float64] = field(repr=False)
    patterns: int
    notes: tuple[str, ...] = ()

    @property
    def tested(self) -> int:
        """Number of voxels that were tested: the family of the correction."""
        return int(self.indices.size)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the maps there are."""
        return tuple(FILE_NAMES)

    def map(self, key: str) -> Map:
        """One of the maps in `keys`; NaN where no voxel was tested.

        Raises
        ------
        InputError
            Where there is no map of this name.
        """
        if key not in FILE_NAMES:
            remedy = f"choose one of {', '.join(FILE_NAMES)}"
            raise InputError("size bias", f"has no map {key!r}", remedy)
        of = f"n>={self.min_patients} of {self.n_patients}"
        text = f"lesion_dash: {key}, {self.side}, {self.permutations} permutations, {of}"
        name = f"{key} of mean total lesion volume, {self.side}"
        return map_of(self.grid, self.indices, self._values(key), name, "", text)

    @property
    def files(self) -> dict[str, Map]:
        """All maps under the names they are saved as."""
        return {file: self.map(key) for key, file in FILE_NAMES.items()}

    def significant(self, level: float = 0.05) -> int:
        """Number of voxels whose corrected p is at most this."""
        return int(np.count_nonzero(self.corrected_p <= level))

    @property
    def parameters(self) -> dict[str, Any]:
        """Every choice."""
        names = ("min_patients", "permutations", "seed", "side")
        return {name: getattr(self, name) for name in names}

    @property
    def sentence(self) -> str:
        """What was tested, over how many voxels, and how."""
        family = f"{self.tested:,} voxels tested ({self.patterns:,} different sets of patients)"
        shuffled = f"volumes shuffled among {self.n_patients} patients {self.permutations:,} times"
        return f"{SIDES[self.side]}: {family}; {shuffled}, seed {self.seed}"

    def _values(self, key: str) -> NDArray[np.float64]:
        if key.startswith("minus_log10_"):
            return -np.log10(self._values(key.removeprefix("minus_log10_")))
        values: NDArray[np.float64] = getattr(self, key)
        return values
