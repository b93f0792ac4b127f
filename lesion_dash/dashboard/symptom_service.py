"""A cohort and a score in, lesion-symptom maps and what belongs to them out; each made once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..cohort.columns import Column, describe_columns
from ..core.defaults import SIGNIFICANCE_LEVEL
from ..core.errors import Cancelled
from ..core.formats import VOLUME
from ..core.tables import csv_bytes
from ..images.maps import nifti_bytes
from ..images.masks import Mask
from ..images.reading import Progress
from ..plotting.figures import ML, counted_maximum, figure_bytes, nice_ceiling
from ..plotting.symptoms import (
    REGIONS_FIGURE,
    SCATTER_NAME,
    SLICES_NAME,
    draw_forest,
    draw_symptom_scatter,
    draw_symptom_slices,
)
from ..regions.symptoms import region_map_names, region_maps, region_symptoms
from ..stats.lesion_symptom.cluster_table import (
    TABLE_NAME,
    SymptomClusters,
    find_symptom_clusters,
)
from ..stats.lesion_symptom.column_tests import ColumnTests
from ..stats.lesion_symptom.mapping import SymptomMap, least_lesioned, map_symptom
from ..stats.lesion_symptom.patients import MAX_CATEGORIES, SymptomPatients, select_patients
from ..stats.lesion_symptom.planning import lookalikes, power_map, resolution_map
from ..stats.lesion_symptom.prediction import predict_symptom
from ..stats.lesion_symptom.prediction_result import SymptomPrediction
from ..stats.lesion_symptom.univariate import LINEAR
from ..stats.voxel_maps import Quantity, VoxelMaps
from .cache import Cache
from .places import Mm
from .symptom_choices import SymptomRequest
from .widgets.layers import P_STEPS, MaskLayer, Scale, ValueLayer

if TYPE_CHECKING:
    from .session import Session

LIMITS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
"""Of p, at which the page's slider can stop."""
WITHOUT = "without_control_"
"""Before the names of files of the map without control of lesion volume."""
REGIONS_NAME = "regions.csv"

_PATIENTS, _NULL = "patients.csv", "null.csv"
_SIDES = ("lower with a lesion", "higher with a lesion")
_SIDES_OF = {"log10_bf10": ("evidence for no difference", "for a difference")}
"""What the ends of a scale mean, where it is not the sign of a difference."""
_NAMES_OF_P = {"p": "uncorrected p", "corrected_p": "corrected p"}
_OUTLINE = (0, 0, 0)
_ALIKE = (0, 158, 115)


@dataclass(frozen=True, eq=False)
class SymptomPlan:
    """What is known before any test: who is in it, and what it could find.

    Parameters
    ----------
    patients : SymptomPatients
    least : int
        Lesioned, and spared, patients at each voxel.
    maps : VoxelMaps
        ``n`` and ``power_d80``.
    """

    patients: SymptomPatients
    least: int
    maps: VoxelMaps

    @property
    def sentence(self) -> str:
        """Patients, voxels and the smallest effect that would be found."""
        patients, d80 = self.patients, self.maps.values["power_d80"]
        excluded = [f"{len(ids)} excluded: {why}" for why, ids in patients.excluded.items()]
        who = "; ".join([f"{patients.size} patients with {patients.name}", *excluded])
        return (
            f"{who}. {self.maps.voxels:,} voxels have at least {self.least} lesioned and as many "
            f"spared patients. Smallest difference found in 80 % of such studies, corrected for "
            f"all voxels: {d80.min():.2f} to {d80.max():.2f} SD, by voxel."
        )


@dataclass(frozen=True, eq=False)
class SymptomResult:
    """A map, and the one without control of lesion volume where it was asked for."""

    symptom_map: SymptomMap
    without: SymptomMap | None


class SymptomService:
    """What follows from a cohort of a session and a score.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._plans, self._resolutions, self._maps = Cache(4), Cache(2), Cache(4)
        self._clusters, self._regions, self._predictions = Cache(4), Cache(4), Cache(4)
        self._layers, self._alike, self._region_maps = Cache(8), Cache(4), Cache(2)

    def columns(self, cohort: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Columns that can be scores, and those that can be covariates."""
        columns = describe_columns(self._session.load(cohort))
        varying = [column for column in columns if len(column.counts) > 1]
        scores = tuple(column.name for column in varying if column.kind == "number")
        return scores, tuple(column.name for column in varying if _is_covariate(column))

    def plan(self, request: SymptomRequest) -> SymptomPlan:
        """Who is in a test, and what it could find.

        Raises
        ------
        InputError
            Where a column does not fit, or no voxel has enough patients.
        """
        key = request.question
        return self._plans.get(key, lambda: self._make_plan(key))

    def resolution(
        self, request: SymptomRequest, progress: Progress, stop: threading.Event
    ) -> VoxelMaps:
        """Volume and shift of what cannot be told from each voxel; takes seconds to minutes."""
        plan = self.plan(request)

        def make() -> VoxelMaps:
            cohort = self._some(request, plan.patients)
            return resolution_map(cohort, plan.least, progress=_stopping(progress, stop))

        return self._resolutions.get(request.question, make)

    def known_resolution(self, request: SymptomRequest) -> VoxelMaps | None:
        """What `resolution` gave before; None where it was not made."""
        is_known = request.question in self._resolutions
        return self.resolution(request, _quiet, threading.Event()) if is_known else None

    def lookalikes(self, request: SymptomRequest, mm: Mm) -> MaskLayer:
        """The voxels that these patients do not tell from a place, as an outline.

        Raises
        ------
        InputError
            Where the place is not tested.
        """
        plan = self.plan(request)

        def make() -> MaskLayer:
            mask = lookalikes(self._some(request, plan.patients), mm, min_lesioned=plan.least)
            name = f"{mask.name}: {VOLUME.with_unit(mask.volume_mm3 / ML)}"
            return MaskLayer(mask, name, _ALIKE, filled=False)

        return self._alike.get((request.question, mm), make)

    def test(
        self, request: SymptomRequest, progress: Progress, stop: threading.Event
    ) -> SymptomResult:
        """Map a score, as `map_symptom` does.

        Raises
        ------
        Cancelled
            Once `stop` is set.
        InputError
            Where a choice does not fit, or no voxel can be tested.
        """
        tell = _stopping(progress, stop)
        symptom_map = self._map(replace(request, compares=False), tell)
        without = self._map(request.without_control, tell) if request.compares else None
        return SymptomResult(symptom_map, without)

    def known(self, request: SymptomRequest) -> SymptomResult | None:
        """What was tested before; None where it was not, or long ago.

        The map without control is there where it was made as well.
        """
        alone = replace(request, compares=False)
        if alone not in self._maps:
            return None
        has_both = request.compares and request.without_control in self._maps
        return self.test(request if has_both else alone, _quiet, threading.Event())

    def clusters(
        self, request: SymptomRequest, result: SymptomResult, atlas: str
    ) -> SymptomClusters:
        """The clusters of a map, with the regions of their peaks."""
        key = (request, atlas, self._session.use_of(atlas))
        return self._clusters.get(key, lambda: self._find_clusters(result, atlas))

    def regions(self, request: SymptomRequest, atlas: str) -> ColumnTests | None:
        """The same test of the share of each region; None without an atlas, or of other tests."""
        if not atlas or request.test not in ("ols", "rank"):
            return None

        def make() -> ColumnTests:
            return region_symptoms(
                self._session.region_load(request.cohort, atlas),
                request.score,
                test="rank" if request.test == "rank" else "ols",
                covariates=request.covariates,
                control=request.control,
                permutations=request.permutations,
                seed=request.seed,
                side=request.side,
            )

        return self._regions.get((request, atlas, self._session.use_of(atlas)), make)

    def known_region_maps(self, request: SymptomRequest, atlas: str) -> VoxelMaps | None:
        """Each region in the colour of its test; None where regions were not tested."""
        key = (request, atlas, self._session.use_of(atlas))
        tests = self.regions(request, atlas) if key in self._regions else None
        atlas_read = self._session.atlas(atlas)
        if tests is None or atlas_read is None:
            return None
        on_grid = atlas_read.on_grid(self._session.load(request.cohort).grid)
        return self._region_maps.get(key, lambda: region_maps(tests, on_grid))

    def predict(
        self, request: SymptomRequest, progress: Progress, stop: threading.Event
    ) -> SymptomPrediction:
        """Predict the score in patients left out, as `predict_symptom` does by default."""

        def make() -> SymptomPrediction:
            return predict_symptom(
                self._session.load(request.cohort),
                request.score,
                covariates=request.covariates,
                seed=request.seed,
                progress=_stopping(progress, stop),
            )

        return self._predictions.get(prediction_key(request), make)

    def known_prediction(self, request: SymptomRequest) -> SymptomPrediction | None:
        """What was predicted before; None where it was not."""
        is_known = prediction_key(request) in self._predictions
        return self.predict(request, _quiet, threading.Event()) if is_known else None

    def layer(
        self, maps: VoxelMaps, key: str, by: str = "", beside: VoxelMaps | None = None
    ) -> ValueLayer:
        """One quantity of a result for the viewer, which hides voxels by their p.

        Parameters
        ----------
        maps : VoxelMaps
            Of one of the methods above.
        key : str
            Of the quantity, or ``n``.
        by : str
            Key of the p that the slider stands for, empty where there is none.
        beside : VoxelMaps, optional
            Another result, whose colours are to mean the same.
        """
        # The maps are kept as well: others may get their id.
        known = (id(maps), key, by, id(beside))
        return self._layers.get(known, lambda: (maps, beside, _layer(maps, key, by, beside)))[2]

    def significant(self, symptom_map: SymptomMap) -> MaskLayer | None:
        """Outline of the voxels with a small corrected p; None where there are none."""
        rows = symptom_map.corrected_p <= SIGNIFICANCE_LEVEL
        if not rows.any():
            return None

        def make() -> tuple[SymptomMap, MaskLayer]:
            name = f"corrected p ≤ {SIGNIFICANCE_LEVEL:g}"
            indices = np.ascontiguousarray(symptom_map.indices[rows], np.int32)
            mask = Mask(symptom_map.grid, indices, name)
            return symptom_map, MaskLayer(mask, name, _OUTLINE, filled=False)

        return self._layers.get((id(symptom_map), "significant"), make)[1]

    def file_names(self, request: SymptomRequest, atlas: str) -> tuple[str, ...]:
        """The files that can be saved now, under the names the command line gives them."""
        result = self.known(request)
        if result is None:
            return ()
        maps = list(result.symptom_map.files)
        both = [f"{WITHOUT}{name}" for name in maps] if result.without is not None else []
        has_regions = bool(atlas) and request.test in LINEAR
        regions = [REGIONS_NAME, REGIONS_FIGURE, *region_map_names()] if has_regions else []
        return (*maps, *both, TABLE_NAME, *regions, _NULL, _PATIENTS, SLICES_NAME, SCATTER_NAME)

    def file_bytes(self, request: SymptomRequest, atlas: str, name: str) -> bytes:
        """One of `file_names`, with the bytes that `lesion-dash lsm` writes."""
        result = self.known(request)
        if result is None or name not in self.file_names(request, atlas):
            raise KeyError(name)
        if name in (REGIONS_NAME, REGIONS_FIGURE, *region_map_names()):
            return self._region_bytes(request, atlas, name)
        symptom_map = result.symptom_map
        if name == SLICES_NAME:
            return figure_bytes(draw_symptom_slices(symptom_map))
        if name == SCATTER_NAME:
            clusters = self.clusters(request, result, atlas)
            return figure_bytes(draw_symptom_scatter(symptom_map, clusters))
        tables = {
            TABLE_NAME: lambda: self.clusters(request, result, atlas).table,
            _NULL: lambda: symptom_map.null_table,
            _PATIENTS: lambda: symptom_map.patients.table,
        }
        if name in tables:
            return csv_bytes(tables[name]())
        if name.startswith(WITHOUT) and result.without is not None:
            return nifti_bytes(result.without.files[name.removeprefix(WITHOUT)].to_nifti())
        return nifti_bytes(symptom_map.files[name].to_nifti())

    def _region_bytes(self, request: SymptomRequest, atlas: str, name: str) -> bytes:
        tests = self.regions(request, atlas)
        maps = self.known_region_maps(request, atlas)
        assert tests is not None, "the file is offered"
        assert maps is not None, "regions were tested"
        if name == REGIONS_NAME:
            return csv_bytes(tests.table)
        if name == REGIONS_FIGURE:
            return figure_bytes(draw_forest(tests))
        return nifti_bytes(maps.files[name].to_nifti())

    def _make_plan(self, request: SymptomRequest) -> SymptomPlan:
        cohort = self._session.load(request.cohort)
        given = request.covariates, request.test, request.control
        patients = select_patients(cohort, request.score, *given)
        least = least_lesioned(request.min_lesioned, patients.size, request.test)
        maps = power_map(self._some(request, patients), min_lesioned=least)
        return SymptomPlan(patients, least, maps)

    def _some(self, request: SymptomRequest, patients: SymptomPatients) -> Any:
        """The patients of a test, as a cohort."""
        return self._session.load(request.cohort).select(patients.rows)

    def _map(self, request: SymptomRequest, progress: Progress) -> SymptomMap:
        return self._maps.get(
            request,
            lambda: map_symptom(
                self._session.load(request.cohort),
                request.score,
                test=request.test,
                covariates=request.covariates,
                control=request.control,
                min_lesioned=request.min_lesioned,
                permutations=request.permutations,
                seed=request.seed,
                side=request.side,
                progress=progress,
            ),
        )

    def _find_clusters(self, result: SymptomResult, atlas: str) -> SymptomClusters:
        return find_symptom_clusters(result.symptom_map, self._session.atlas(atlas))


def prediction_key(request: SymptomRequest) -> Hashable:
    """What a prediction depends on; its model and its folds are as usual."""
    return request.cohort, request.score, request.covariates, request.seed


def _is_covariate(column: Column) -> bool:
    return column.kind == "number" or len(column.counts) <= MAX_CATEGORIES


def _quiet(_done: int, _total: int) -> None:
    """Nothing is told of what is known already."""


def _stopping(progress: Progress, stop: threading.Event) -> Callable[[int, int], None]:
    """Tell how far it is, and end it where that is wanted."""

    def tell(done: int, total: int) -> None:
        if stop.is_set():
            raise Cancelled
        progress(done, total)

    return tell


def _layer(maps: VoxelMaps, key: str, by: str, beside: VoxelMaps | None) -> ValueLayer:
    quantity = next((own for own in maps.quantities if own.key == key), None)
    values = maps.values[key]
    factor, unit = (1.0, "patients") if quantity is None else quantity.display
    if key == "statistic" and isinstance(maps, SymptomMap):
        unit = maps.statistic_name
    shown = np.asarray(values, np.float64) * factor
    title = "Patients with a lesion" if quantity is None else quantity.title
    passed = _passed(maps.values[by]) if by else None
    # Of what no limit but the first holds.
    name = _NAMES_OF_P.get(by, f"p of {by.removeprefix('corrected_p_v')} mm³ or more")
    above = f"{name} > {LIMITS[1]:g}"
    steps = (above, *(f"{name} ≤ {limit:g}" for limit in LIMITS[1:])) if by else ()
    every = shown if beside is None else np.concatenate([shown, beside.values[key] * factor])
    scale = _scale(key, quantity, every)
    return ValueLayer(maps.grid, maps.indices, shown, title, unit, scale, passed, steps)


def _passed(p: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of the smallest of `LIMITS` that each p is not above."""
    limits = np.array(LIMITS[::-1])
    return np.asarray(len(LIMITS) - 1 - np.searchsorted(limits, np.minimum(p, 1.0)))


def _scale(key: str, quantity: Quantity | None, values: NDArray[np.float64]) -> Scale:
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max()) if finite.size else 1.0
    if key in ("n", ""):
        return Scale(counted_maximum(max(int(largest), 1)))
    if key in ("p", "fdr_p") or "corrected_p" in key:
        return Scale(1.0, kind="steps", steps=P_STEPS)
    if key == "auc":
        return Scale(1.0, shows_zero=True)
    if quantity is not None and quantity.colormap == "coolwarm":
        sides = _SIDES_OF.get(key, _SIDES)
        return Scale(nice_ceiling(largest), "blue-orange", kind="diverging", sides=sides)
    return Scale(nice_ceiling(largest), low=0.0)
