"""Which regions' damage, or other columns of numbers, go with a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas
from ..cohort.cells import number_of
from ..cohort.cohort import Cohort
from ..cohort.participants import Participants, read_participants_table
from ..core.defaults import (
    CONTROL,
    MIN_PATIENTS,
    PERMUTATIONS,
    SEED,
    SYMPTOM_SIDE,
    SYMPTOM_TEST,
    Control,
    SymptomSide,
)
from ..core.errors import InputError
from ..core.text import counted
from ..files.paths import PathInput, as_path
from ..files.reading import MEASURES
from ..images.reading import Progress
from ..stats.lesion_symptom.column_tests import (
    ColumnChoice,
    ColumnTest,
    ColumnTests,
    compare_columns,
)
from ..stats.lesion_symptom.kernels import Model
from ..stats.lesion_symptom.patients import select_patients
from ..stats.lesion_symptom.prediction import predict_from_products, usual_folds
from ..stats.lesion_symptom.prediction_result import REPEATS, PredictionChoice, SymptomPrediction
from ..stats.voxel_maps import Columns, Quantity, VoxelMaps
from .load import LesionLoad


def region_symptoms(
    load: LesionLoad,
    score: str,
    *,
    test: ColumnTest = SYMPTOM_TEST,
    covariates: Sequence[str] = (),
    control: Control = CONTROL,
    min_damaged: int = MIN_PATIENTS,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    side: SymptomSide = SYMPTOM_SIDE,
    blocks: str | None = None,
    progress: Progress | None = None,
) -> ColumnTests:
    """Test in each region of an atlas whether a score goes with the share that is lesioned.

    Parameters
    ----------
    load : LesionLoad
        Of a cohort with a participants table; labelled atlases, probability maps of regions or of
        tracts.
    score, test, covariates, control, permutations, seed, side, blocks, progress
        As for `map_symptom`.
    min_damaged : int
        Regions in which fewer patients have any damage are not tested.

    Returns
    -------
    ColumnTests
        The effect is the difference of the score between a region that is lesioned completely and
        one that is spared, with its 95 % interval. Corrected p are for the family-wise error over
        all tested regions.

    Raises
    ------
    InputError
        As for `map_symptom`.

    Examples
    --------
    >>> from lesion_dash import lesion_load, load_atlas, load_cohort
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> load = lesion_load(load_cohort("sample_data/cohort_a"), atlas)
    >>> tests = region_symptoms(load, "nihss", permutations=99)
    >>> list(tests.table.columns[:4])
    ['name', 'damaged', 'spared', 't']
    """
    choice = ColumnChoice(test, control, min_damaged, permutations, seed, side)
    patients = select_patients(load.cohort, score, covariates, test, control, blocks)
    names = [region.name for region in load.atlas.regions]
    shares = load.of_region[patients.rows]
    tests = compare_columns(shares, names, patients, choice, progress, noun="regions")
    return replace(tests, notes=(*load.notes, *tests.notes))


_REGION_KEYS = {
    "t": ("t of {}, region by region", "", "t of the share of the region that is lesioned."),
    "effect": (
        "difference of {}, whole region lesioned minus spared",
        "{}",
        "Of a region that is lesioned completely: ten times that for 10 % of it.",
    ),
    "corrected_p": (
        "corrected p of {}, region by region",
        "",
        "p corrected for the family-wise error over all tested regions, by permutations.",
    ),
}
"""Maps of regions: label, unit and meaning by key of the tests."""


def region_map_names() -> list[str]:
    """Names of the files of `region_maps`."""
    return [f"region_{key}.nii" for key in _REGION_KEYS]


def region_maps(tests: ColumnTests, atlas: Atlas) -> VoxelMaps:
    """Each region in the colour of its test; a voxel belongs to its likeliest region.

    Parameters
    ----------
    tests : ColumnTests
        Of `region_symptoms`.
    atlas : Atlas
        That of the tests, on the grid of the masks.

    Returns
    -------
    VoxelMaps
        ``region_t``, ``region_effect`` and ``region_corrected_p`` in the tested regions.

    Examples
    --------
    >>> from lesion_dash import lesion_load, load_atlas, load_cohort, region_symptoms
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz").on_grid(cohort.grid)
    >>> tests = region_symptoms(lesion_load(cohort, atlas), "naming", permutations=99)
    >>> sorted(region_maps(tests, atlas).values)
    ['region_corrected_p', 'region_effect', 'region_t']
    """
    likeliest = atlas.maps.tocoo()
    # Of each voxel the last one is the likeliest; of equally likely regions the first.
    order = np.lexsort((-likeliest.col, likeliest.data, likeliest.row))
    voxels, regions, data = likeliest.row[order], likeliest.col[order], likeliest.data[order]
    is_last = np.append(voxels[1:] != voxels[:-1], True) & (data > 0)
    place = np.full(len(atlas.regions), -1)
    place[list(tests.tested)] = np.arange(len(tests.tested))
    rows = place[regions[is_last]]
    is_tested = rows >= 0
    columns = {
        f"region_{key}": np.asarray(tests.values[key])[rows[is_tested]] for key in _REGION_KEYS
    }
    score = tests.patients.name
    quantities = tuple(
        Quantity(
            key=f"region_{key}",
            label=label.format(score),
            unit=unit.format(score),
            file=f"region_{key}.nii",
            meaning=meaning,
            statistic=key,
            title=f"Regions: {label.format(score)}",
            colormap="viridis_r" if key == "corrected_p" else "coolwarm",
        ).made("")
        for key, (label, unit, meaning) in _REGION_KEYS.items()
    )
    indices = np.asarray(voxels[is_last][is_tested], np.int32)
    return VoxelMaps(
        grid=atlas.grid, indices=indices, values=Columns(columns), quantities=quantities
    )


def predict_from_regions(
    load: LesionLoad,
    score: str,
    *,
    model: Model = "ridge",
    covariates: Sequence[str] = (),
    folds: int | None = None,
    repeats: int = REPEATS,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    sites: str | None = None,
    progress: Progress | None = None,
) -> SymptomPrediction:
    """Predict a score from the share of each region that is lesioned, in patients left out.

    Parameters
    ----------
    load : LesionLoad
        Of a cohort with a participants table. Shares are taken as they are, from 0 to 1.
    score, model, covariates, folds, repeats, permutations, seed, sites, progress
        As for `predict_symptom`.

    Returns
    -------
    SymptomPrediction

    Raises
    ------
    InputError
        As for `predict_symptom`.

    Examples
    --------
    >>> from lesion_dash import lesion_load, load_atlas, load_cohort
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> load = lesion_load(load_cohort("sample_data/cohort_a"), atlas)
    >>> predict_from_regions(load, "nihss", permutations=0).models
    ('mean', 'volume', 'lesions')
    """
    patients = select_patients(load.cohort, score, covariates, None, "log-volume", sites)
    folds = usual_folds(patients.size) if folds is None else folds
    choice = PredictionChoice(model, folds, repeats, permutations, seed)
    shares = np.nan_to_num(load.of_region[patients.rows])
    features = f"the shares of {counted(shares.shape[1], 'region')}"
    products = shares @ shares.T
    prediction = predict_from_products(products, patients, choice, features, sites, progress)
    return replace(prediction, notes=(*load.notes, *prediction.notes))


def table_symptoms(
    table: PathInput,
    cohort: Cohort,
    score: str,
    *,
    test: ColumnTest = SYMPTOM_TEST,
    covariates: Sequence[str] = (),
    control: Control = CONTROL,
    min_damaged: int = MIN_PATIENTS,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    side: SymptomSide = SYMPTOM_SIDE,
    blocks: str | None = None,
    progress: Progress | None = None,
) -> ColumnTests:
    """Test each column of a table patients x anything, such as disconnections of tracts.

    Parameters
    ----------
    table : path or URL
        A row per patient and a column of ids, as a participants table: what LQT, BCBtoolkit or
        NeMo made of the same masks, for example. It has at most 2 million cells, such as those of
        200 patients with 10,000 columns.
    cohort : Cohort
        With a participants table that holds the score, and with the lesion volumes.
    score, test, covariates, control, permutations, seed, side, blocks, progress
        As for `map_symptom`.
    min_damaged : int
        Columns in which fewer patients differ from the most frequent value are not tested.

    Returns
    -------
    ColumnTests
        The effect is the difference of the score for 1 more in the column, with its 95 % interval.
        Columns with words, or without a value in some of the patients, are not tested.

    Raises
    ------
    InputError
        As for `map_symptom`, and where the table cannot be read or no patient is in it.

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> tests = table_symptoms("sample_data/participants.tsv", cohort, "nihss", permutations=99)
    >>> tests.table["name"].tolist()
    ['naming']
    """
    choice = ColumnChoice(test, control, min_damaged, permutations, seed, side)
    files = [one.file for one in cohort.used]
    rows = read_participants_table(as_path(table), files=files, limits=MEASURES)
    columns, names, notes = _numbers(rows, cohort, score)
    is_known = ~np.isnan(columns).all(axis=1)
    if not is_known.any():
        raise InputError(rows.path, "has no numbers of these patients", "check its ids")
    kept = np.flatnonzero(is_known)
    some = select_patients(cohort.select(kept), score, covariates, test, control, blocks)
    excluded = {**some.excluded}
    if missing := tuple(cohort.used[row].id for row in np.flatnonzero(~is_known).tolist()):
        excluded = {f"no row in {rows.path.name}": missing, **excluded}
    patients = replace(some, cohort=cohort, rows=kept[some.rows], excluded=excluded)
    columns = columns[patients.rows]
    is_whole = ~np.isnan(columns).any(axis=0)
    if not is_whole.all():
        count = f"{counted(int((~is_whole).sum()), 'column')} of {rows.path.name}"
        example = names[int(np.argmin(is_whole))]
        notes += (f"{count} not tested: a patient has no value, such as in {example}",)
    columns, names = columns[:, is_whole], [names[k] for k in np.flatnonzero(is_whole)]
    intact = np.array([_most_frequent(column) for column in columns.T])
    tests = compare_columns(columns, names, patients, choice, progress, intact)
    return replace(tests, notes=(*rows.notes, *notes, *tests.notes))


def _numbers(
    rows: Participants, cohort: Cohort, score: str
) -> tuple[NDArray[np.float64], list[str], tuple[str, ...]]:
    """The columns of numbers but the score, shape (used patients, columns); NaN where missing."""
    cells = [rows.values_of(patient.file) for patient in cohort.used]
    columns, names, words = [], [], []
    for place, name in enumerate(rows.columns):
        texts = [row[place] for row in cells]
        numbers = [number_of(text) if text else np.nan for text in texts]
        if None in numbers:
            words.append(name)
        elif name != score:
            columns.append(np.array(numbers, float))
            names.append(name)
    notes: tuple[str, ...] = ()
    if words:
        count = f"{counted(len(words), 'column')} of {rows.path.name}"
        notes = (f"{count} not tested: they hold words, such as {words[0]}",)
    return np.array(columns).reshape(len(names), len(cells)).T, names, notes


def _most_frequent(column: NDArray[np.float64]) -> float:
    values, counts = np.unique(column, return_counts=True)
    return float(values[counts.argmax()])
