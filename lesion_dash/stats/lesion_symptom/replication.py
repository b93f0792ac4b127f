"""Whether a lesion-symptom map of one sample holds in another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...cohort.cells import value_text
from ...cohort.cohort import Cohort
from ...core.defaults import MIN_PATIENTS, PERMUTATIONS, SEED, SIGNIFICANCE_LEVEL
from ...core.errors import InputError
from ...core.text import enumerated
from ...images.reading import Progress
from ..contrast import check_permutations
from ..patterns import Patterns, find_patterns
from .cluster_table import SymptomClusters
from .column_tests import ColumnChoice, ColumnTests, compare_columns
from .design import Design, make_design, permuted_orders
from .families import EXPLAINED
from .folds import Fold, RidgeFold
from .kernels import one_thread, shared_voxels
from .mapping import SymptomMap
from .null import share_as_large
from .patients import SymptomPatients, select_patients
from .prediction import model_terms
from .prediction_result import BOTH, LESIONS, VOLUME, r_squared
from .univariate import LINEAR

if TYPE_CHECKING:
    import pandas as pd

Float = NDArray[np.float64]

_TOGETHER = 256  # permutations of one product, arbitrary: some MB

STATEMENT = (
    "A peak of A is the largest of many and so too large there: the effect in B is the fairer one. "
    "An effect in B whose interval holds 0 is not refuted: look at the interval, and at how many "
    "patients of B are lesioned there. Both samples may share what they do wrong, such as how "
    "lesions were drawn."
)


@dataclass(frozen=True)
class Agreement:
    """How much the maps of two samples have in common.

    Parameters
    ----------
    voxels : int
        Compared, of those significant in A or, without any, of all tested ones.
    is_significant : bool
        Whether they are significant in A.
    same_sign : float
        Share of them with the same sign in B.
    same_sign_p : float
        Share of permutations of B's score in which as many have it.
    tested : int
        Voxels tested in both.
    r : float
        Correlation of both statistics over these.
    r_p : float
        Share of permutations of B's score with such a correlation.
    """

    voxels: int
    is_significant: bool
    same_sign: float
    same_sign_p: float
    tested: int
    r: float
    r_p: float


@dataclass(frozen=True, eq=False)
class SymptomReplication:
    """What a second sample says of a map.

    Parameters
    ----------
    clusters : SymptomClusters
        Of the map of A, with the map itself.
    patients : SymptomPatients
        Of B.
    peaks : ColumnTests or None
        The same test of B at the peaks of A, corrected for their number; None where too few
        patients of B are lesioned, or spared, at any of them.
    peak_places : tuple of (str, tuple of float)
        Name and place (mm) of each peak.
    agreement : Agreement or None
        None where no voxel is tested in both.
    predicted : dict of array of float64, shape (N,)
        By model, of B from what A gives alone.
    predicted_p : dict of float
        Of R², by permutations of B's score.
    notes : tuple of str

    Examples
    --------
    >>> from lesion_dash import find_symptom_clusters, load_cohort, map_symptom, replicate_symptom
    >>> a, b = (load_cohort(f"sample_data/cohort_{letter}") for letter in "ab")
    >>> clusters = find_symptom_clusters(map_symptom(a, "naming", permutations=99))
    >>> replication = replicate_symptom(clusters, b, min_lesioned=3, permutations=99)
    >>> replication.table[["peak", "lesioned_b", "replicated"]].values.tolist()
    [['cluster 1', 4, True]]
    >>> round(replication.agreement.r, 2)
    0.85
    """

    clusters: SymptomClusters
    patients: SymptomPatients
    peaks: ColumnTests | None
    peak_places: tuple[tuple[str, tuple[float, float, float]], ...]
    agreement: Agreement | None
    predicted: dict[str, Float]
    predicted_p: dict[str, float]
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """A row for each peak of A: what it shows in A, and in B."""
        import pandas as pd

        symptom_map = self.clusters.symptom_map
        of_b = {} if self.peaks is None else _rows_by_name(self.peaks)
        rows = []
        for name, mm in self.peak_places:
            at = symptom_map.row_at(mm)
            assert at is not None, "a peak is a tested voxel"
            own: dict[str, Any] = {
                "peak": name,
                **dict(zip(("x_mm", "y_mm", "z_mm"), mm, strict=True)),
            }
            for key in ("statistic", "effect", "ci_low", "ci_high", "corrected_p"):
                own[f"{key}_a"] = float(symptom_map.values[key][at])
            b = of_b.get(name, {})
            names = {"lesioned_b": "damaged", "spared_b": "spared", "t_b": "t"}
            names |= {f"{key}_b": key for key in ("effect", "ci_low", "ci_high", "p")}
            own |= {name: b.get(key, np.nan) for name, key in names.items()}
            own["corrected_p_b"] = b.get("corrected_p", np.nan)
            # The largest statistic of a map without a cluster is not a finding that could hold.
            own["significant_a"] = bool(len(self.clusters))
            same = own["significant_a"] and own["statistic_a"] * own["t_b"] > 0
            own["replicated"] = bool(same and own["corrected_p_b"] <= SIGNIFICANCE_LEVEL)
            rows.append(own)
        return pd.DataFrame(rows)

    def measures(self, model: str) -> dict[str, float]:
        """How well a model of A predicts B: r, R² about B's mean, mean absolute error."""
        predicted, score = self.predicted[model], self.patients.score
        varies = np.ptp(predicted) > 0
        return {
            "r": float(np.corrcoef(predicted, score)[0, 1]) if varies else float("nan"),
            "r2": float(r_squared(score[:, None], predicted[:, None])[0]),
            "mae": float(np.abs(predicted - score).mean()),
            "p": self.predicted_p[model],
        }

    @property
    def prediction_table(self) -> pd.DataFrame:
        """A row for each patient of B."""
        import pandas as pd

        columns: dict[str, Any] = {
            "patient": [self.patients.id(row) for row in range(self.patients.size)],
            self.patients.name: self.patients.score,
        }
        for model, values in self.predicted.items():
            columns[f"predicted_by_{model.replace(' ', '_')}"] = values
        return pd.DataFrame(columns)

    @property
    def sentence(self) -> str:
        """The design in one sentence."""
        symptom_map = self.clusters.symptom_map
        return (
            f"{self.patients.name} of {self.patients.cohort.name} "
            f"({self.patients.size} patients) tested where {symptom_map.patients.cohort.name} "
            f"({symptom_map.patients.size} patients) has its peaks, as there: {symptom_map.test}, "
            f"{symptom_map.control}"
        )


def replicate_symptom(
    clusters: SymptomClusters,
    cohort: Cohort,
    *,
    min_lesioned: int = MIN_PATIENTS,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    progress: Progress | None = None,
) -> SymptomReplication:
    """Test a map of one sample in another, with the same score, covariates and control.

    Parameters
    ----------
    clusters : SymptomClusters
        Of the map of A, by a linear test; without any cluster the largest statistic is the peak.
    cohort : Cohort
        B, on the grid of A, with a participants table that has the same columns.
    min_lesioned : int
        Peaks and voxels with fewer lesioned, or fewer spared patients of B, are not compared.
    permutations, seed : int
        Of B's score.
    progress : callable, optional
        Called with (permutations done, permutations in all).

    Returns
    -------
    SymptomReplication

    Raises
    ------
    InputError
        Where grids differ, the map is of another test, or a column is missing in B.

    Examples
    --------
    >>> from lesion_dash import find_symptom_clusters, load_cohort, map_symptom
    >>> a, b = (load_cohort(f"sample_data/cohort_{letter}") for letter in "ab")
    >>> clusters = find_symptom_clusters(map_symptom(a, "naming", permutations=199))
    >>> found = replicate_symptom(clusters, b, min_lesioned=3, permutations=199)
    >>> found.table["replicated"].tolist()
    [True]
    """
    symptom_map = clusters.symptom_map
    if symptom_map.test not in LINEAR:
        problem = f"a map of {symptom_map.test} cannot be compared"
        raise InputError("test", problem, "choose ols or rank")
    if cohort.grid != symptom_map.grid:
        problem = f"has another grid than {symptom_map.patients.cohort.name}"
        raise InputError(cohort.name, problem, "resample one of them to the other")
    check_permutations(permutations)
    given = symptom_map.covariates, symptom_map.test, symptom_map.control, symptom_map.blocks
    patients = select_patients(cohort, symptom_map.patients.name, *given)
    places = _peaks(clusters)
    peaks, notes = _test_peaks(symptom_map, patients, places, min_lesioned, permutations, seed)
    patterns = _compared(symptom_map, patients, min_lesioned)
    agreement = None
    if patterns is None:
        notes += (f"no voxel of the map has {min_lesioned} lesioned and spared patients of B",)
    else:
        agreement = _agree(symptom_map, patients, patterns, permutations, seed, progress)
    predicted, more = _predict(symptom_map, patients)
    predicted_p = {
        model: _p_of_prediction(values, patients, permutations, seed)
        for model, values in predicted.items()
    }
    notes = (*patients.notes, *notes, *more)
    return SymptomReplication(
        clusters, patients, peaks, places, agreement, predicted, predicted_p, notes
    )


def _rows_by_name(peaks: ColumnTests) -> dict[str, dict[Any, Any]]:
    return {str(row["name"]): row for row in peaks.table.to_dict("records")}


def _peaks(clusters: SymptomClusters) -> tuple[tuple[str, tuple[float, float, float]], ...]:
    """Name and place of each cluster's peak, or of the largest statistic."""
    if len(clusters):
        return tuple((f"cluster {row.cluster}", row.mm) for row in clusters)
    symptom_map = clusters.symptom_map
    row = int(symptom_map.heights_of(symptom_map.statistic).argmax())
    x, y, z = symptom_map.grid.mm_of_index(symptom_map.indices[[row]])[0].tolist()
    return (("largest statistic", (x, y, z)),)


def _test_peaks(
    symptom_map: SymptomMap,
    patients: SymptomPatients,
    places: tuple[tuple[str, tuple[float, float, float]], ...],
    min_lesioned: int,
    permutations: int,
    seed: int,
) -> tuple[ColumnTests | None, tuple[str, ...]]:
    """The test of B at each peak, corrected for their number; and why there is none."""
    rows = [symptom_map.row_at(mm) for _, mm in places]
    indices = symptom_map.indices[np.array(rows)]
    lesioned = np.array([np.isin(indices, patients.lesion(row)) for row in range(patients.size)])
    columns = lesioned.astype(np.float64)
    n = columns.sum(axis=0)
    is_enough = np.minimum(n, patients.size - n) >= min_lesioned
    if not is_enough.any():
        most = int(np.minimum(n, patients.size - n).max())
        groups = f"at most {most} of {patients.size} patients of B are lesioned, or spared, there"
        return None, (f"no peak of A is tested in B: {groups}, {min_lesioned} are needed",)
    columns[:, ~is_enough] = 0
    choice = ColumnChoice(
        "rank" if symptom_map.test == "rank" else "ols",
        symptom_map.control,
        min_lesioned,
        permutations,
        seed,
        symptom_map.side,
    )
    names = [name for name, _ in places]
    return compare_columns(columns, names, patients, choice, noun="peaks"), ()


def _compared(
    symptom_map: SymptomMap, patients: SymptomPatients, min_lesioned: int
) -> Patterns | None:
    """B's patterns of the voxels of the map that have enough patients."""
    counts = patients.counts
    qualifies = np.zeros(counts.size, np.bool_)
    qualifies[symptom_map.indices] = True
    qualifies &= np.minimum(counts, patients.size - counts) >= min_lesioned
    return find_patterns(patients, qualifies) if qualifies.any() else None


def _design(symptom_map: SymptomMap, patients: SymptomPatients) -> Design:
    from scipy.stats import rankdata

    score = rankdata(patients.score) if symptom_map.test == "rank" else patients.score
    return make_design(
        score, patients.covariates, patients.volumes, symptom_map.control, patients.blocks,
        patients.name,
    )  # fmt: skip


def _agree(
    symptom_map: SymptomMap,
    patients: SymptomPatients,
    patterns: Patterns,
    permutations: int,
    seed: int,
    progress: Progress | None,
) -> Agreement:
    """Signs and correlation of both maps, and of permuted scores of B with that of A."""
    design = _design(symptom_map, patients)
    norms = design.norms(patterns)
    # What covariates explain altogether has no statistic, and so no sign.
    is_usable = norms > EXPLAINED * np.sqrt(patterns.n * (1 - patterns.n / patients.size))
    scale = np.where(is_usable, 1 / np.where(is_usable, norms, 1.0), 0.0)[:, None]
    rows = np.searchsorted(symptom_map.indices, patterns.indices)
    of_a = symptom_map.statistic[rows]
    is_significant = symptom_map.corrected_p[rows] <= SIGNIFICANCE_LEVEL
    some = is_significant if is_significant.any() else np.ones_like(is_significant)

    def counted(is_there: NDArray[np.bool_]) -> Float:
        return np.bincount(patterns.of_voxel[is_there], minlength=patterns.size).astype(float)

    higher, lower = counted(some & (of_a > 0)), counted(some & (of_a < 0))
    voxels = counted(np.ones_like(some))
    centred = np.bincount(patterns.of_voxel, of_a - of_a.mean(), patterns.size)
    length = np.sqrt(((of_a - of_a.mean()) ** 2).sum())

    def shared(scores: Float) -> tuple[Float, Float]:
        r = np.asarray(patterns.members @ scores) * scale
        same = higher @ (r > 0) + lower @ (r < 0)
        spread = np.maximum(voxels @ r**2 - (voxels @ r) ** 2 / voxels.sum(), 0.0)
        together = centred @ r / np.where(spread > 0, np.sqrt(spread) * (length or 1.0), np.inf)
        return np.asarray(same / some.sum()), np.asarray(together)

    same, r = shared(design.scores)
    null = [shared(scores) for scores in _permuted(design, permutations, seed, progress)]
    null_same, null_r = (np.concatenate(parts) for parts in zip(*null, strict=True))
    return Agreement(
        voxels=int(some.sum()),
        is_significant=bool(is_significant.any()),
        same_sign=float(same[0]),
        same_sign_p=float(share_as_large(null_same, same[0])),
        tested=int(patterns.indices.size),
        r=float(r[0]),
        r_p=float(share_as_large(null_r, r[0])),
    )


def _permuted(
    design: Design, permutations: int, seed: int, progress: Progress | None
) -> Iterator[Float]:
    done = 0
    for scores in design.permuted(permutations, seed, _TOGETHER):
        yield scores
        done += scores.shape[1]
        if progress is not None:
            progress(done, permutations)


@dataclass(frozen=True, eq=False)
class _Both:
    """The lesions of A, then those of B."""

    a: SymptomPatients
    b: SymptomPatients
    rows_a: NDArray[np.int64]

    @property
    def size(self) -> int:
        return int(self.rows_a.size) + self.b.size

    def lesion(self, row: int) -> NDArray[np.int32]:
        first = int(self.rows_a.size)
        return self.a.lesion(int(self.rows_a[row])) if row < first else self.b.lesion(row - first)


def _predict(
    symptom_map: SymptomMap, b: SymptomPatients
) -> tuple[dict[str, Float], tuple[str, ...]]:
    """Scores of B by models that know A alone, and why there are none."""
    a = symptom_map.patients
    if others := [
        name for name in symptom_map.covariates if _categories(a, name) != _categories(b, name)
    ]:
        return {}, (f"B is not predicted: {enumerated(others)} has other values there than in A",)
    if (b.volumes == 0).any():
        return {}, ("B is not predicted: some of its lesions are empty",)
    rows_a = np.flatnonzero(a.volumes > 0)
    volumes = np.concatenate([a.volumes[rows_a], b.volumes])
    covariates = [
        np.concatenate([a.covariates[name][rows_a], b.covariates[name]]) for name in a.covariates
    ]
    terms = model_terms(volumes, covariates)
    qualifies = a.counts >= symptom_map.min_lesioned
    products = shared_voxels(find_patterns(_Both(a, b, rows_a), qualifies))
    train, test = np.split(np.arange(volumes.size), [rows_a.size])
    score = np.concatenate([a.score[rows_a], np.zeros(b.size)])[:, None]
    folds = {
        VOLUME: Fold(terms[VOLUME], train, test),
        **({BOTH: Fold(terms[BOTH], train, test)} if BOTH in terms else {}),
        LESIONS: RidgeFold(terms[LESIONS], train, test, products),
    }
    predicted = {}
    with one_thread():
        for model, fold in folds.items():
            predicted[model] = fold.predict(score)[0][:, 0]
    return predicted, ()


def _categories(patients: SymptomPatients, covariate: str) -> frozenset[str]:
    """The values of a covariate that is not a number; empty of one that is."""
    if covariate in patients.covariates:
        return frozenset()
    cells = patients.cohort.used_table[patients.cohort.name_in_table(covariate)].to_numpy()
    return frozenset(value_text(cells[row]) for row in patients.rows.tolist())


def _p_of_prediction(
    predicted: Float, patients: SymptomPatients, permutations: int, seed: int
) -> float:
    """Share of permutations of B's score that are predicted as well, by R²."""
    orders = np.hstack(list(permuted_orders(patients.blocks, permutations, seed, _TOGETHER)))
    shuffled = patients.score[orders]
    null = r_squared(shuffled, np.broadcast_to(predicted[:, None], shuffled.shape))
    value = r_squared(patients.score[:, None], predicted[:, None])
    return float(share_as_large(null, value - 1e-9)[0])
