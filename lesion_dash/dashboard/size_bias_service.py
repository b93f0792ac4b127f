"""A cohort in, where its lesions are larger than chance out; each is worked out once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.defaults import PERMUTATIONS, SEED, SIGNIFICANCE_LEVEL, VOLUME_SIDE, VolumeSide
from ..core.errors import Cancelled
from ..images.maps import nifti_bytes
from ..plotting.figures import ML, nice_ceiling
from ..stats.permutation import permute_volumes
from ..stats.size_bias import MEAN_FILE_NAMES as MEANS
from ..stats.size_bias import PERMUTATION_FILE_NAMES as PERMUTED
from ..stats.size_bias import (
    MeanContrast,
    SizeClusters,
    VolumePermutations,
    find_size_clusters,
    mean_contrast,
)
from .cache import Cache
from .state import Selection
from .widgets.layers import P_STEPS, Scale, ValueLayer

if TYPE_CHECKING:
    from .session import Session

PATIENTS_FILE = "patients.csv"

_SIDES = ("below", "above")


@dataclass(frozen=True)
class SizeBiasRequest:
    """A cohort, and how its volumes are shuffled.

    Parameters
    ----------
    cohort : str
    min_patients, permutations, seed, side
        As for `permute_volumes`.
    """

    cohort: str
    min_patients: int
    permutations: int = PERMUTATIONS
    seed: int = SEED
    side: VolumeSide = VOLUME_SIDE


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Mean volumes against two means of the cohort, in one scale of colours.

    Parameters
    ----------
    name : str
        Of the cohort.
    means : MeanContrast
    above_mean, above_weighted_mean : ValueLayer
        In mL, with the voxels of any number of patients.
    """

    name: str
    means: MeanContrast
    above_mean: ValueLayer
    above_weighted_mean: ValueLayer

    @property
    def whose(self) -> str:
        """The cohort and its patients, as far as they have a lesion."""
        n = self.means.n_patients
        # Notes tell of patients without a lesion, where there are any.
        lesioned = " with a lesion" if self.means.notes else ""
        return f"{self.name} ({n} patient{'' if n == 1 else 's'}{lesioned})"


class SizeBiasService:
    """What follows from a cohort of a session.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._layers, self._permuted, self._clusters = Cache(2), Cache(2), Cache(4)
        self._p_layers = Cache(2)

    def contrasts(self, cohort: str, min_patients: int) -> Contrasts:
        """Where means are above those of the cohort."""
        loaded = self._session.load(cohort)
        layers = self._layers.get(cohort, lambda: self._make_layers(cohort))
        return Contrasts(loaded.name, mean_contrast(loaded, min_patients), *layers)

    def permute(
        self,
        request: SizeBiasRequest,
        progress: Callable[[int, int], None] | None = None,
        stop: threading.Event | None = None,
    ) -> VolumePermutations:
        """Shuffle the volumes, as `permute_volumes` does.

        Raises
        ------
        Cancelled
            Once `stop` is set.
        InputError
            Where no voxel can be tested, or a choice is none.
        """

        def tell(done: int, total: int) -> None:
            if stop is not None and stop.is_set():
                raise Cancelled
            if progress is not None:
                progress(done, total)

        def shuffle() -> VolumePermutations:
            return permute_volumes(
                self._session.load(request.cohort),
                request.min_patients,
                request.permutations,
                request.seed,
                request.side,
                tell,
            )

        return self._permuted.get(request, shuffle)

    def known(self, request: SizeBiasRequest) -> VolumePermutations | None:
        """What was worked out before; None where it was not, or long ago."""
        return self.permute(request) if request in self._permuted else None

    def clusters(
        self, request: SizeBiasRequest, permutations: VolumePermutations, atlas: str
    ) -> SizeClusters:
        """Where the corrected p of a test is small, as `find_size_clusters` has it."""
        key = (request, atlas, self._session.use_of(atlas))
        return self._clusters.get(key, lambda: self._find_clusters(request, permutations, atlas))

    def p_layer(self, request: SizeBiasRequest) -> ValueLayer | None:
        """The corrected p, None where it was not worked out; the uncorrected is never a map."""
        permutations = self.known(request)
        if permutations is None:
            return None
        return self._p_layers.get(request, lambda: _p_layer(permutations))

    def file_names(self, request: SizeBiasRequest) -> tuple[str, ...]:
        """The files that can be saved now, under the names the command line gives them."""
        permuted = PERMUTED.values() if request in self._permuted else ()
        return (*MEANS.values(), *permuted, PATIENTS_FILE)

    def file_bytes(self, request: SizeBiasRequest, name: str) -> bytes:
        """One of `file_names`, with the bytes that `lesion-dash size-bias` writes."""
        if name not in self.file_names(request):
            raise KeyError(name)
        if name == PATIENTS_FILE:
            return self._session.load(request.cohort).files_csv
        if name in MEANS.values():
            means = self.contrasts(request.cohort, request.min_patients).means
            return nifti_bytes(means.files[name].to_nifti())
        return nifti_bytes(self.permute(request).files[name].to_nifti())

    def _find_clusters(
        self, request: SizeBiasRequest, permutations: VolumePermutations, atlas: str
    ) -> SizeClusters:
        means = self.contrasts(request.cohort, request.min_patients).means
        return find_size_clusters(
            permutations, means, self._session.atlas(atlas), SIGNIFICANCE_LEVEL
        )

    def _make_layers(self, cohort: str) -> list[ValueLayer]:
        """Both contrasts at any k: the viewer hides the voxels of fewer patients."""
        means = mean_contrast(self._session.load(cohort), 1)
        stats = self._session.stats(Selection(cohort))
        highest = self._session.scale(Selection(cohort, map_key="mean")).maximum
        maximum = nice_ceiling(max(highest - means.cohort_mean / ML, means.weighted_mean / ML))
        layers = []
        for words, base in (
            ("Above the cohort's mean", means.cohort_mean),
            ("Above the size-weighted mean", means.weighted_mean),
        ):
            values = (means.mean - base) / ML
            scale = Scale(maximum, "blue-orange", kind="diverging", sides=_SIDES)
            layers.append(
                ValueLayer(means.grid, means.indices, values, words, "mL", scale, stats.values["n"])
            )
        return layers


def _p_layer(permutations: VolumePermutations) -> ValueLayer:
    title = f"Corrected p (family-wise) of {permutations.tested:,} voxels tested"
    scale = Scale(1.0, kind="steps", steps=P_STEPS)
    return ValueLayer(
        permutations.grid, permutations.indices, permutations.corrected_p, title, "", scale
    )
