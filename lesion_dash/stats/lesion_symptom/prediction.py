"""How well lesions predict a score in patients that a model has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...cohort.cells import value_text
from ...cohort.cohort import Cohort, check_min_patients
from ...core.defaults import MIN_PATIENTS, PERMUTATIONS, SEED
from ...core.errors import InputError, check_choice
from ...images.reading import Progress
from ..contrast import check_permutations
from ..patterns import find_patterns
from .design import permuted_orders
from .effects import mean_interval
from .folds import Fold, RidgeFold, SupportVectorFold, decompose, probabilities
from .kernels import MODELS, Model, one_thread, shared_voxels
from .logistic import bias_reduced_log_odds, draw_symptoms
from .mapping import LEAST_SHARE
from .null import ROUNDING, share_as_large
from .patients import SymptomPatients, select_patients

if TYPE_CHECKING:
    import pandas as pd

Float = NDArray[np.float64]
Int = NDArray[np.int64]

FOLDS = 10
REPEATS = 10
"""Of the folds, each time drawn anew; ten of ten by convention."""
MEAN, VOLUME, BOTH, LESIONS = "mean", "volume", "volume and covariates", "lesions"
_TOGETHER = 256  # permutations of one product; measured: some MB stay in the cache
_BINS = 5  # of a calibration curve, of 20 % of the patients each; arbitrary
_FEW = 100  # patients, as for multivariate maps
_LEAST_LEFT = 5  # patients more than terms to learn from; arbitrary, as many inner folds as that
_FEW_WITH = 10  # patients with a symptom, or without; arbitrary

STATEMENT = (
    "The figures are of patients whom the model had not seen, but of this sample: other scanners, "
    "hospitals, times after stroke or ways of drawing lesions may give worse ones. What lesions "
    "add to volume and covariates is what their place says. A prediction does not show which place "
    "matters, nor that it causes the deficit, and is no statement on a single patient's future."
)


@dataclass(frozen=True)
class PredictionChoice:
    """How a prediction is made; see `predict_symptom`.

    Raises
    ------
    InputError
        Where a choice does not fit.
    """

    model: Model = "ridge"
    folds: int = FOLDS
    repeats: int = REPEATS
    permutations: int = PERMUTATIONS
    seed: int = SEED

    def __post_init__(self) -> None:
        check_choice("model", self.model, MODELS)
        if self.permutations:
            check_permutations(self.permutations)
        for name, value, least in (("folds", self.folds, 2), ("repeats", self.repeats, 1)):
            if value < least:
                raise InputError(name, f"is {value}", f"give at least {least}")


@dataclass(frozen=True, eq=False)
class SymptomPrediction:
    """Predictions of a score in patients that were left out, and how good they are.

    Parameters
    ----------
    patients : SymptomPatients
    choice : PredictionChoice
    features : str
        What the products of lesions are of, such as "669,896 voxels".
    is_binary : bool
        Whether the score is 0 and 1, and predictions are probabilities.
    schemes : dict of list of array of int64, shape (N,)
        By name, such as "10 folds": the fold of each patient, in each repeat.
    fold_names : dict of list of str
        By scheme, where its folds have names, such as those of sites.
    predicted : dict of array of float64, shape (repeats, N)
        By (scheme, model).
    penalties : dict of array of float64
        Those chosen by the folds of each scheme for the lesions.
    null : dict of array of float64, shape (permutations,)
        By (scheme, model, "r2" or "gain"): mean R² of permuted scores, and by how much the lesions'
        exceeds that of volume and covariates where what these leave is permuted.
    notes : tuple of str
    """

    patients: SymptomPatients
    choice: PredictionChoice
    features: str
    is_binary: bool
    schemes: dict[str, list[Int]]
    fold_names: dict[str, list[str]]
    predicted: dict[tuple[str, str], Float] = field(repr=False)
    penalties: dict[str, Float] = field(repr=False)
    null: dict[tuple[str, str, str], Float] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """The models, the simplest first and the lesions' last."""
        first = next(iter(self.schemes))
        return tuple(model for scheme, model in self.predicted if scheme == first)

    @property
    def baseline(self) -> str:
        """What the lesions are compared with: volume, and covariates where there are any."""
        return self.models[-2]

    def measures(self, scheme: str, model: str) -> dict[str, Float]:
        """How good the predictions of a model are, an array of one value per repeat for each.

        ``r`` and ``r2`` of all patients, ``mae`` (mean absolute error); of scores of 0 and 1
        ``auc``, ``brier`` and ``r2`` (one less the Brier score over that of the share of all).
        """
        predicted, score = self.predicted[scheme, model], self.patients.score
        r2 = r_squared(score[:, None], predicted.T)
        none = np.full(r2.shape, np.nan)  # the order of means tells the fold of a patient alone
        if self.is_binary:
            brier = ((predicted - score) ** 2).mean(axis=1)
            auc = none if model == MEAN else _auc(predicted, score)
            return {"auc": auc, "brier": brier, "r2": r2}
        r = none if model == MEAN else np.array([_correlation(one, score) for one in predicted])
        return {"r": r, "r2": r2, "mae": np.abs(predicted - score).mean(axis=1)}

    def p(self, scheme: str, model: str = LESIONS) -> float:
        """P of R², by permutations of the whole nested cross-validation; NaN without any."""
        permuted = self.null.get((scheme, model, "r2"))
        if permuted is None:
            return float("nan")
        value = self.measures(scheme, model)["r2"].mean()
        return float(share_as_large(permuted, np.array(value - ROUNDING * abs(value))))

    def gain(self, scheme: str) -> tuple[float, float]:
        """By how much R² of the lesions exceeds that of volume and covariates, and its p."""
        values = [self.measures(scheme, model)["r2"].mean() for model in (LESIONS, self.baseline)]
        difference = float(values[0] - values[1])
        permuted = self.null.get((scheme, LESIONS, "gain"))
        if permuted is None:
            return difference, float("nan")
        least = np.array(difference - ROUNDING * abs(difference))
        return difference, float(share_as_large(permuted, least))

    @property
    def summary(self) -> pd.DataFrame:
        """A row for each scheme and model: measures, their SD over repeats, p, gain and its p."""
        import pandas as pd

        rows = []
        for scheme, model in self.predicted:
            row: dict[str, Any] = {"scheme": scheme, "model": model}
            row["patients"], row["repeats"] = self.patients.size, len(self.schemes[scheme])
            for key, values in self.measures(scheme, model).items():
                spread = values.std(ddof=1) if values.size > 1 else np.nan
                row |= {key: values.mean(), f"{key}_sd": spread}
            row["p"] = self.p(scheme, model)
            is_lesions = model == LESIONS
            row["gain"], row["gain_p"] = self.gain(scheme) if is_lesions else (np.nan, np.nan)
            rows.append(row)
        return pd.DataFrame(rows)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each scheme, repeat and patient: fold, score, and what each model predicted."""
        import pandas as pd

        ids = [self.patients.id(row) for row in range(self.patients.size)]
        parts = []
        for scheme, folds in self.schemes.items():
            names = self.fold_names.get(scheme)
            for repeat, own in enumerate(folds):
                columns: dict[str, Any] = {"patient": ids, "scheme": scheme, "repeat": repeat + 1}
                columns["fold"] = [names[fold] if names else str(fold + 1) for fold in own.tolist()]
                columns[self.patients.name] = self.patients.score
                for model in self.models:
                    key = f"predicted_by_{model.replace(' ', '_')}"
                    columns[key] = self.predicted[scheme, model][repeat]
                parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    @property
    def calibration(self) -> pd.DataFrame:
        """Fifths of the patients by what is predicted, and what they really have.

        Of a score of 0 and 1 the share with the symptom, of others the mean; with a 95 % interval,
        Wilson's for shares. Predictions are means over repeats.
        """
        import pandas as pd

        score = self.patients.score
        rows = []
        for scheme, model in self.predicted:
            if model == MEAN:  # the same for all, but for the fold
                continue
            mean = self.predicted[scheme, model].mean(axis=0)
            order = np.argsort(mean, kind="stable")
            for number, part in enumerate(np.array_split(order, min(_BINS, score.size))):
                low, high = mean_interval(score[part], self.is_binary)
                rows.append(
                    {
                        "scheme": scheme, "model": model, "bin": number + 1, "patients": part.size,
                        "predicted": mean[part].mean(), "observed": score[part].mean(),
                        "ci_low": low, "ci_high": high,
                    }
                )  # fmt: skip
        return pd.DataFrame(rows)

    @property
    def null_table(self) -> pd.DataFrame:
        """A row for each permutation."""
        import pandas as pd

        columns = {
            f"{key} of {model}, {scheme}": values
            for (scheme, model, key), values in self.null.items()
        }
        return pd.DataFrame(columns)

    @property
    def sentence(self) -> str:
        """The design in one sentence."""
        beside = ", ".join(
            ["lesion volume (as it is and its logarithm)", *self.patients.covariates]
        )
        return (
            f"{MODELS[self.choice.model]} of {self.patients.name} on {self.features} beside "
            f"{beside}; {self.patients.size} patients; nested cross-validation, "
            f"{self.choice.folds} folds, {self.choice.repeats} times; "
            f"p by {self.choice.permutations:,} permutations of it"
        )


def predict_symptom(
    cohort: Cohort,
    score: str,
    *,
    model: Model = "ridge",
    covariates: Sequence[str] = (),
    min_lesioned: int | None = None,
    folds: int = FOLDS,
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
    folds, repeats : int
        In each of several repeats, patients are divided at random into folds of equal size.
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
    choice = PredictionChoice(model, folds, repeats, permutations, seed)
    patients = select_patients(cohort, score, covariates, None, "log-volume", sites)
    default = max(MIN_PATIENTS, ceil(LEAST_SHARE * patients.size))
    least = default if min_lesioned is None else check_min_patients(min_lesioned)
    patterns = find_patterns(patients, patients.counts >= least)
    if not patterns.size:
        problem = f"no voxel has {least} lesioned patients"
        raise InputError(cohort.name, problem, "lower the number of lesioned patients")
    features = f"{patterns.indices.size:,} voxels"
    products = shared_voxels(patterns)
    return predict_from_products(products, patients, choice, features, sites, progress)


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
    if choice.folds > size // 2:
        problem = f"{choice.folds} of {size} patients"
        raise InputError("folds", problem, f"give at most {size // 2}")
    if not np.trace(products) > 0:
        raise InputError(patients.cohort.name, "no patient has any of it", "choose other features")
    is_binary = np.unique(patients.score).size == 2
    terms = model_terms(patients.volumes, list(patients.covariates.values()))
    schemes = {f"{choice.folds} folds": _random_folds(size, choice)}
    fold_names: dict[str, list[str]] = {}
    if sites is not None:
        left_out = f"one {sites} left out"
        fold_names[left_out] = _names_of_blocks(patients, sites)
        schemes[left_out] = [patients.blocks]
        _check_sites(patients, fold_names[left_out], terms[LESIONS].shape[1])
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
                    values = probabilities(left_out, scores[fold.train, part], values)
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


def r_squared(scores: Float, predicted: Float) -> Float:
    """One less the sum of squared errors over that about the mean, of each column.

    Examples
    --------
    >>> score = np.array([[1.0], [2.0], [3.0]])
    >>> r_squared(score, score).tolist(), r_squared(score, np.full((3, 1), 2.0)).tolist()
    ([1.0], [0.0])
    """
    total = ((scores - scores.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(1 - ((scores - predicted) ** 2).sum(axis=0) / total)


def _correlation(a: Float, b: Float) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _auc(predicted: Float, symptoms: Float) -> Float:
    """Probability that of two patients the one with the symptom has the higher prediction."""
    from scipy.stats import rankdata

    ranks = rankdata(predicted, axis=1)
    with_it = symptoms > 0
    n = int(with_it.sum())
    return np.asarray((ranks[:, with_it].sum(axis=1) - n * (n + 1) / 2) / (n * (~with_it).sum()))


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
