"""`lesion-dash predict`: how well lesions predict a score in new patients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from . import fields
from .fields import option
from .inputs import load_folder, open_atlas, side_notices
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from ..atlas.atlas import Atlas
    from ..cohort.cohort import Cohort
    from ..stats.lesion_symptom.prediction_result import SymptomPrediction

SCRIPT_NAME = "predict_script.py"
TABLE_NAME, SUMMARY_NAME = "predictions.csv", "summary.csv"
CALIBRATION_NAME = "calibration.csv"


class PredictSymptom(Request):
    """How well lesions predict a score in patients the model has not seen.

    Patients are left out in turn (nested cross-validation), and everything is estimated without
    them. The lesions' prediction stands beside that of lesion volume alone, and of volume and
    covariates: what it adds to these is what the place of lesions says. R² is the share of the
    variance of scores that is predicted; at 0 the mean of the others does as well. Of a score of 0
    and 1, probabilities are predicted. `lsm` tells where damage goes with the score.
    """

    command = "predict"
    example = "masks/ --score nihss --covariates age sex -o predict/"

    masks: fields.Masks
    score: str = option("column of the participants table: numbers, or 0 and 1", "COLUMN")
    covariates: tuple[str, ...] = option(
        "columns of numbers or categories that all models but volume alone know", "COLUMN",
        default=(), several=True,
    )  # fmt: skip
    output: fields.Output
    overwrite: fields.Overwrite
    strict: fields.Strict
    model: Literal["ridge", "svr"] = option(
        "of the lesions: ridge regression, or linear support vector regression, of which each "
        "permutation takes seconds",
        default="ridge",
    )
    min_lesioned: int | None = option(
        "voxels with at least K lesioned patients count (default: 5 % of the patients, but at "
        "least 5)",
        "K",
        default=None,
        ge=1,
    )
    atlas: str | None = fields.source(
        "predict from the share of each of its regions that is lesioned, in place of voxels",
        "ATLAS",
        default=None,
    )
    labels: fields.Labels
    scale: fields.AtlasScale
    accept_swapped: fields.AcceptSwapped
    mirror_atlas: fields.MirrorAtlas
    folds: int | None = option(
        "parts that patients are divided into (default: 10, or half as many as patients)", "N",
        default=None, ge=2,
    )  # fmt: skip
    repeats: int = option("times that they are divided anew", "N", default=10, ge=1)
    sites: str | None = option(
        "column such as a site: all patients of one value are left out at a time as well, and "
        "permutations exchange scores within one value only",
        "COLUMN",
        default=None,
    )
    permutations: fields.Permutations
    seed: fields.Seed
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.Space
    where: fields.Where
    participants: fields.Participants
    scheduler: fields.Scheduler

    def outputs(self) -> list[str]:
        from ..plotting.predictions import PREDICTION_NAME

        tables = [TABLE_NAME, SUMMARY_NAME, CALIBRATION_NAME, "null.csv", "patients.csv"]
        return [*tables, PREDICTION_NAME, SCRIPT_NAME]

    def run(self, progress: Progress) -> Result:
        from ..atlas.atlas import atlas_input
        from ..cohort.cohort import cohort_input
        from ..stats.lesion_symptom.sentences import prediction_sentences

        atlas = open_atlas(self.atlas, self.labels, self) if self.atlas else None
        cohort = load_folder(self.masks, self, progress)
        if atlas is not None:
            atlas = atlas.on_grid(cohort.grid)
        prediction = self._predict(cohort, atlas, progress)
        return Result(
            files=self._files(prediction),
            inputs=[cohort_input(cohort), *([atlas_input(atlas)] if atlas is not None else [])],
            counts=_counts(prediction),
            lines=[*side_notices(atlas), *prediction_sentences(prediction), self.files_line()],
            notes=list(prediction.notes),
        )

    def _predict(
        self, cohort: Cohort, atlas: Atlas | None, progress: Progress
    ) -> SymptomPrediction:
        from ..regions.load import lesion_load
        from ..regions.symptoms import predict_from_regions
        from ..stats.lesion_symptom.prediction import predict_symptom

        choices: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "model", "covariates", "folds", "repeats", "permutations", "seed",
                "sites",
            )
        }  # fmt: skip
        choices["progress"] = progress(f"predicting {self.score}", "fold")
        if atlas is not None:
            return predict_from_regions(lesion_load(cohort, atlas), self.score, **choices)
        return predict_symptom(cohort, self.score, min_lesioned=self.min_lesioned, **choices)

    def _files(self, prediction: SymptomPrediction) -> Iterator[tuple[str, Any]]:
        from ..core.tables import csv_bytes
        from ..plotting.figures import figure_bytes
        from ..plotting.predictions import PREDICTION_NAME, draw_prediction

        yield TABLE_NAME, csv_bytes(prediction.table)
        yield SUMMARY_NAME, csv_bytes(prediction.summary)
        yield CALIBRATION_NAME, csv_bytes(prediction.calibration)
        yield "null.csv", csv_bytes(prediction.null_table)
        yield "patients.csv", csv_bytes(prediction.patients.table)
        yield PREDICTION_NAME, figure_bytes(draw_prediction(prediction))
        yield SCRIPT_NAME, self.script


def _counts(prediction: SymptomPrediction) -> dict[str, Any]:
    from ..stats.lesion_symptom.prediction_result import LESIONS

    scheme = next(iter(prediction.schemes))
    gain, gain_p = prediction.gain(scheme)
    return {
        "patients": prediction.patients.size,
        "excluded": {why: len(ids) for why, ids in prediction.patients.excluded.items()},
        "features": prediction.features,
        **{
            key: float(values.mean())
            for key, values in prediction.measures(scheme, LESIONS).items()
        },
        "p": prediction.p(scheme),
        "gain": gain,
        "gain_p": gain_p,
        "notes": list(prediction.notes),
        "sentence": prediction.sentence,
    }
