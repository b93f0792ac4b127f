"""How well lesions predict a score in patients that a model has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ...cohort.cells import value_text
from ...cohort.cohort import Cohort, check_min_patients
from ...core.defaults import MIN_PATIENTS, PERMUTATIONS, SEED
from ...core.errors import InputError
from ...images.reading import Progress
from ..patterns import find_patterns
from .design import permuted_orders
from .folds import INNER_FOLDS, Fold, RidgeFold, SupportVectorFold, decompose, probabilities
from .kernels import Model, one_thread, shared_voxels
from .logistic import bias_reduced_log_odds, draw_symptoms
from .mapping import LEAST_SHARE
from .patients import SymptomPatients, select_patients
from .prediction_result import (
    BOTH,
    FOLDS,
    LESIONS,
    MEAN,
    REPEATS,
    VOLUME,
    PredictionChoice,
    SymptomPrediction,
    r_squared,
)

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_TOGETHER = 256  # permutations of one product; measured: some MB stay in the cache
_FEW = 100  # patients, as for multivariate maps
_LEAST_LEFT = 5  # patients more than terms to learn from; arbitrary, as many inner folds as that
_FEW_WITH = 10  # patients with a symptom, or without; arbitrary


def predict_symptom(
    cohort: Cohort,
    score: str,
    *,
    model: Model = "ridge",
    covariates: Sequence[str] = (),
    min_lesioned: int | None = None,
    folds: int | None = None,
    repeats: int = REPEATS,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    sites: str | None = None,
    progress: Progress | None = None,
) -> SymptomPrediction:
    """Predict a score in patients that were left out, by nested cross-validation.

    Parameters
    ----------
    cohort : Cohort
        With a participants table.
    score : str
        A column of numbers; of one of 0 and 1, probabilities are predicted.
    model : {"ridge", "svr"}
        Of the lesions, at all voxels together.
    covariates : sequence of str
        Columns of numbers or categories, which the model of the lesions knows as well, beside
        lesion volume and its logarithm.
    min_lesioned : int, optional
        Voxels with fewer lesioned patients are left out; by default 5 %, at least 5.
    folds : int, optional
        Patients are divided at random into folds of equal size; by default 10, or half as many as
        patients where these are fewer than 20.
    repeats : int
        In each of several repeats they are divided anew.
    permutations : int
        At least 20, or 0 for none.
    seed : int
    sites : str, optional
        A column: all patients of one value are left out at a time as well, and permutations
        exchange scores within one value only.
    progress : callable, optional
        Called with (steps done, steps in all); what it raises ends the computation.

    Returns
    -------
    SymptomPrediction
        Of the mean of the training patients, of volume alone, of volume and covariates where there
        are any, and of the lesions.

    Raises
    ------
    InputError
        Where a column or choice does not fit, or no voxel has enough patients.

    Notes
    -----
    R² is one less the sum of squared errors over that about the mean of all, so that it is below 0
    where predictions are worse than this mean. Two p are by permutations of the whole nested
    cross-validation: that of R² of scores that are shuffled, and that of what the lesions add to R²
    of volume and covariates, where what these leave of the scores is shuffled (Freedman & Lane
    1983).

    Examples
    --------
    >>> from lesion_dash import load_cohort
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> prediction = predict_symptom(cohort, "nihss", covariates=["age"], permutations=99)
    >>> prediction.models
    ('mean', 'volume', 'volume and covariates', 'lesions')
    """
    patients = select_patients(cohort, score, covariates, None, "log-volume", sites)
    folds = usual_folds(patients.size) if folds is None else folds
    choice = PredictionChoice(model, folds, repeats, permutations, seed)
    default = max(MIN_PATIENTS, ceil(LEAST_SHARE * patients.size))
    least = default if min_lesioned is None else check_min_patients(min_lesioned)
    patterns = find_patterns(patients, patients.counts >= least)
    if not patterns.size:
        problem = f"no voxel has {least} lesioned patients"
        raise InputError(cohort.name, problem, "lower the number of lesioned patients")
    features = f"{patterns.indices.size:,} voxels"
    products = shared_voxels(patterns)
    return predict_from_products(products, patients, choice, features, sites, progress)


def usual_folds(patients: int) -> int:
    """Number of folds where nobody says: ten, or half as many as patients."""
    return max(2, min(FOLDS, patients // 2))


def predict_from_products(
    products: Float,
    patients: SymptomPatients,
    choice: PredictionChoice,
    features: str,
    sites: str | None = None,
    progress: Progress | None = None,
) -> SymptomPrediction:
    """Predict a score from the products of what is known of each two patients.

    Parameters
    ----------
    products : array of float64, shape (N, N)
    patients : SymptomPatients
    choice : PredictionChoice
    features : str
        What is known, for sentences.
    sites : str, optional
        The column that the blocks of the patients are of.
    progress : callable, optional
    """
    size = patients.size
    _check_products(products, patients, choice)
    is_binary = np.unique(patients.score).size == 2
    terms = model_terms(patients.volumes, list(patients.covariates.values()))
    schemes = {f"{choice.folds} folds": _random_folds(size, choice)}
    fold_names: dict[str, list[str]] = {}
    if sites is not None:
        left_out = f"one {sites} left out"
        fold_names[left_out] = _names_of_blocks(patients, sites)
        schemes[left_out] = [patients.blocks]
        _check_sites(patients, fold_names[left_out], terms[LESIONS].shape[1])
    _check_terms(patients, choice, terms[LESIONS].shape[1])
    scores = _Scores.of(patients, terms, choice)
    total = sum(np.unique(own).size for folds in schemes.values() for own in folds) * len(terms)
    steps = iter(range(1, total + 1))

    def step() -> None:
        done = next(steps)
        if progress is not None:
            progress(done, total)

    predicted: dict[tuple[str, str], Float] = {}
    penalties: dict[str, Float] = {}
    null: dict[tuple[str, str, str], Float] = {}
    for scheme, folds in schemes.items():
        given: dict[str, Float] = {}
        for model, columns in terms.items():
            lesions = products if model == LESIONS else None
            run = _Run(columns, lesions, choice.model, is_binary)
            with one_thread():
                of_repeats = [run.predict(scores.of_model(model), own, step) for own in folds]
            predicted[scheme, model] = np.array([one.predicted for one in of_repeats])
            r2 = np.mean([one.r2 for one in of_repeats], axis=0)
            shuffled, given[model] = np.split(r2[1:], [choice.permutations])
            if choice.permutations and model != MEAN:
                null[scheme, model, "r2"] = shuffled
        penalties[scheme] = np.concatenate([one.penalties for one in of_repeats])
        if choice.permutations:
            null[scheme, LESIONS, "gain"] = given[LESIONS] - given[_baseline(terms)]
    return SymptomPrediction(
        patients=patients,
        choice=choice,
        features=features,
        is_binary=is_binary,
        schemes=schemes,
        fold_names=fold_names,
        predicted=predicted,
        penalties=penalties,
        null=null,
        notes=(*patients.notes, *_warnings(patients)),
    )


def model_terms(volumes: Float, covariates: Sequence[Float]) -> dict[str, Float]:
    """What each model knows beside the lesions, by name, shape (N, terms).

    Volume counts as it is and as its logarithm: a score may follow either one, and lesions, whose
    voxels add up to the volume, would seem to add what only the other form of volume says.

    Parameters
    ----------
    volumes : array of float64, shape (N,)
        Above 0.
    covariates : sequence of array of float64, shape (N,)
    """
    volume = [_standard(np.log(volumes)), _standard(volumes)]
    given = [_standard(column) for column in covariates]
    one = np.ones(volumes.size)
    columns = {MEAN: [one], VOLUME: [one, *volume]}
    if given:
        columns[BOTH] = [one, *volume, *given]
    columns[LESIONS] = [one, *volume, *given]
    return {model: np.column_stack(own) for model, own in columns.items()}


def _standard(column: Float) -> Float:
    return np.asarray((column - column.mean()) / (column.std() or 1.0))


def _baseline(terms: Mapping[str, Float]) -> str:
    return BOTH if BOTH in terms else VOLUME


def _random_folds(size: int, choice: PredictionChoice) -> list[Int]:
    """The fold of each patient, in each repeat."""
    generator = np.random.default_rng(choice.seed)
    even = np.arange(size) % choice.folds
    return [generator.permutation(even) for _ in range(choice.repeats)]


def _names_of_blocks(patients: SymptomPatients, column: str) -> list[str]:
    """The value of a column in each block of patients."""
    cells = patients.cohort.used_table[patients.cohort.name_in_table(column)].to_numpy()
    number = int(patients.blocks.max()) + 1
    names = [""] * number
    for row, block in zip(patients.rows.tolist(), patients.blocks.tolist(), strict=True):
        names[block] = value_text(cells[row])
    if np.unique(patients.blocks).size < 2:
        raise InputError(column, "is the same in all patients", "leave the sites out")
    return names


def _check_products(products: Float, patients: SymptomPatients, choice: PredictionChoice) -> None:
    """Check that there is something to predict from, and folds of two patients or more."""
    if choice.folds > patients.size // 2:
        problem = f"{choice.folds} of {patients.size} patients"
        raise InputError("folds", problem, f"give at most {patients.size // 2}")
    if not np.trace(products) > 0:
        raise InputError(patients.cohort.name, "no patient has any of it", "choose other features")


def _check_terms(patients: SymptomPatients, choice: PredictionChoice, terms: int) -> None:
    """Check that more patients than terms are left to learn from."""
    left = patients.size - ceil(patients.size / choice.folds)
    if choice.model == "svr":  # whose cost is chosen by folds of those
        left -= ceil(left / INNER_FOLDS)
    if left < (least := terms + _LEAST_LEFT):
        problem = f"{left} patients are left to learn from, {least} are needed"
        raise InputError(patients.cohort.name, problem, "leave covariates out, or add folds")


def _check_sites(patients: SymptomPatients, names: Sequence[str], terms: int) -> None:
    """Check that patients are left to learn from, whichever site is left out."""
    sizes = np.bincount(patients.blocks)
    left, least = patients.size - int(sizes.max()), terms + _LEAST_LEFT
    if left < least:
        problem = f"{left} patients are left without {names[int(sizes.argmax())]}"
        raise InputError("sites", problem, f"{least} are needed: leave the sites out")


@dataclass(frozen=True, eq=False)
class _Scores:
    """The score of the data, and permuted ones.

    `shuffled` are shuffled as they are. In `given` lesions say nothing, but volume and covariates
    say what they say of the data: what these leave is shuffled (Freedman & Lane 1983), or a symptom
    is drawn as they make it likely.
    """

    data: Float
    shuffled: Float
    given: Float
    compared: tuple[str, ...]

    @classmethod
    def of(
        cls, patients: SymptomPatients, terms: Mapping[str, Float], choice: PredictionChoice
    ) -> _Scores:
        score, baseline = patients.score, _baseline(terms)
        number, seed = choice.permutations, choice.seed
        orders = [np.empty((score.size, 0), np.int64)]
        orders += permuted_orders(patients.blocks, number, seed, _TOGETHER)
        order, basis = np.hstack(orders), decompose(terms[baseline])[0]
        if np.unique(score).size == 2 and number:
            log_odds = bias_reduced_log_odds(score, basis)
            draws = draw_symptoms(score, log_odds, patients.blocks, number, seed, _TOGETHER)
            given = np.hstack(list(draws))
        else:
            residuals = score - basis @ (basis.T @ score)
            given = (score - residuals)[:, None] + residuals[order]
        return cls(score[:, None], score[order], given, (LESIONS, baseline))

    def of_model(self, model: str) -> Float:
        """The scores that a model is to predict, shape (N, columns), the data's first."""
        kinds = {MEAN: [self.data], VOLUME: [self.data, self.shuffled]}
        every = [self.data, self.shuffled, self.given]
        return np.hstack(every if model in self.compared else kinds.get(model, every[:2]))


@dataclass(frozen=True, eq=False)
class _Predicted:
    """What a run of all folds predicts: of the data, R² of each column of scores, penalties."""

    predicted: Float
    r2: Float
    penalties: Float


@dataclass(frozen=True, eq=False)
class _Run:
    """A cross-validation of one model."""

    terms: Float
    products: Float | None
    model: Model
    is_binary: bool

    def predict(self, scores: Float, folds: Int, step: Callable[[], None]) -> _Predicted:
        """Predict each patient from those of other folds."""
        predicted = np.empty_like(scores)
        penalties = []
        for number in np.unique(folds):
            fold = self._fold(np.flatnonzero(folds != number), np.flatnonzero(folds == number))
            for first in range(0, scores.shape[1], _TOGETHER):
                part = slice(first, first + _TOGETHER)
                values, left_out, chosen = fold.predict(scores[:, part])
                if self.is_binary:
                    own = fold.has_others
                    values = probabilities(left_out[own], scores[fold.train, part][own], values)
                predicted[fold.test, part] = values
                if not first:
                    penalties.append(chosen[0])
            step()
        return _Predicted(predicted[:, 0], r_squared(scores, predicted), np.array(penalties))

    def _fold(self, train: Int, test: Int) -> Fold:
        if self.products is None:
            return Fold(self.terms, train, test)
        kind = RidgeFold if self.model == "ridge" else SupportVectorFold
        return kind(self.terms, train, test, self.products)


def _warnings(patients: SymptomPatients) -> tuple[str, ...]:
    notes = []
    if patients.size < _FEW:
        notes.append(
            f"{patients.size} patients: below {_FEW}, how well a model predicts changes much from "
            "sample to sample"
        )
    values, counts = np.unique(patients.score, return_counts=True)
    if values.size == 2 and counts.min() < _FEW_WITH:
        rare = f"{patients.name} = {values[counts.argmin()]:g}"
        notes.append(f"{counts.min()} patients have {rare}: too few to learn from")
    return tuple(notes)
