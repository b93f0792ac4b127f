"""What a prediction of a score is, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...core.defaults import PERMUTATIONS, SEED
from ...core.errors import InputError, check_choice
from ..contrast import check_permutations
from .effects import mean_interval
from .kernels import MODELS, Model
from .null import ROUNDING, share_as_large
from .patients import SymptomPatients

if TYPE_CHECKING:
    import pandas as pd

Float = NDArray[np.float64]
Int = NDArray[np.int64]

FOLDS = 10
REPEATS = 10
"""Of the folds, each time drawn anew; ten of ten by convention."""
MEAN, VOLUME, BOTH, LESIONS = "mean", "volume", "volume and covariates", "lesions"
_BINS = 5  # of a calibration curve, of 20 % of the patients each; arbitrary

STATEMENT = (
    "The figures are of patients whom the model had not seen, but of this sample: other scanners, "
    "hospitals, times after stroke or ways of drawing lesions may give worse ones. What lesions "
    "add to volume and covariates is what their place says. A prediction does not show which place "
    "matters, nor that it causes the deficit, and is not a statement on a single patient's future. "
    "That a place is found and lesions do not predict better is not a contradiction: one place is "
    "easier to find than all that matter, and whether it holds is asked of a second sample."
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

    Examples
    --------
    >>> from lesion_dash import load_cohort, predict_symptom
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> prediction = predict_symptom(cohort, "nihss", repeats=2, permutations=0)
    >>> prediction.models, prediction.baseline
    (('mean', 'volume', 'lesions'), 'volume')
    >>> prediction.summary["r2"].round(2).tolist()
    [-0.06, 0.84, 0.84]
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
