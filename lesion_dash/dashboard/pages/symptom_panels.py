"""Below the map of a score: the patients at a place, clusters, regions and predictions."""

from __future__ import annotations

import html
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from ...core.defaults import SIGNIFICANCE_LEVEL
from ...core.formats import COORDINATE, COUNT, VOLUME, Format, P, decimals_of
from ...core.tables import csv_bytes
from ...core.text import counted, printable
from ...plotting.figures import ML
from ...plotting.predictions import draw_prediction
from ...plotting.symptoms import draw_forest, draw_symptom_groups
from ...stats.lesion_symptom.cluster_table import TABLE_NAME, SymptomClusters
from ...stats.lesion_symptom.column_tests import ColumnTests
from ...stats.lesion_symptom.mapping import SymptomMap
from ...stats.lesion_symptom.prediction_result import LESIONS, MEAN, STATEMENT, SymptomPrediction
from ...stats.lesion_symptom.sentences import gain_sentence, model_measures, place_sentences
from ..app_context import AppContext
from ..controls import card, download_button, heading, note, set_text
from ..into_view import IntoView
from ..outline import pick_patient
from ..places import Mm, named_places, place_words
from ..symptom_choices import SymptomRequest
from ..symptom_service import REGIONS_NAME, SymptomResult, SymptomService, prediction_key
from ..tasks import PAUSE, Debounce
from ..widgets.table import Column, Table
from .chart import Chart
from .map_card import plain_button
from .symptom_fields import RunBar

_VALUE = Format(2, 2)
_MOST_DECIMALS = 4  # of a score, arbitrary: more are not read
_MODELS = {MEAN: "Mean of the others", LESIONS: "Volume and lesions"}
_PREDICTION = "prediction"
_NO_PREDICTION = (
    '<div class="ld-symptoms-notes"><p>Each patient is left out in turn and predicted from the '
    "others, from lesion volume alone and from the lesions: some seconds.</p></div>"
)
_TOO_FEW = "Too few patients are lesioned, or spared, here."
_CLICK = "Click the map to compare the patients with a lesion there with the others."


class GroupsPanel:
    """Lesioned against spared patients at the crosshair: dots, means, intervals and names.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.caption, self.effect, self.certainty = note(), widgets.HTML(), widgets.HTML()
        self.chart = Chart(context, "Scores of patients with and without a lesion here")
        self.table = Table(
            "Patients with and without a lesion at the crosshair", "symptom-groups",
            context.banner.guard(self._pick), rows=8,
        )  # fmt: skip
        self._rows: tuple[str, list[int]] = ("", [])
        self._shown: tuple[int, int | None] = (0, None)
        self._draw_later = Debounce(PAUSE, context.banner.guard(self._draw))
        self._map: tuple[SymptomMap, Mm] | None = None
        head = widgets.HBox([heading("Patients at the crosshair"), self.caption])
        for words in (self.effect, self.certainty):
            words.add_class("ld-symptoms-words")
        both = widgets.Box([self.chart.widget, self.table])
        both.add_class("ld-symptoms-both")
        self.widget = card(head, self.effect, self.certainty, both, name="symptoms-groups")

    def show(
        self, symptom_map: SymptomMap | None, mm: Mm, names: Sequence[str], cohort: str
    ) -> None:
        """Show the patients at a place of a map."""
        row = None if symptom_map is None else symptom_map.row_at(mm)
        if symptom_map is not None:
            words = [place_words(mm, symptom_map.grid), *names]
            set_text(self.caption, " · ".join(filter(None, words)))
        if symptom_map is None or row is None:
            set_text(self.effect, _CLICK if symptom_map is None else _TOO_FEW)
            set_text(self.certainty, "")
            self._map, self._shown = None, (0, None)
            self.chart.clear()
            self.table.show(pd.DataFrame(), ())
            return
        if (id(symptom_map), row) == self._shown:
            return
        self._shown = id(symptom_map), row
        effect, certainty = place_sentences(symptom_map, row)
        set_text(self.effect, _as_sentence(effect))
        set_text(self.certainty, _as_sentence(certainty))
        self._map = symptom_map, mm
        self._list(symptom_map, row, cohort)
        self._draw_later()

    def _list(self, symptom_map: SymptomMap, row: int, cohort: str) -> None:
        patients, is_lesioned = symptom_map.patients, symptom_map.is_lesioned(row)
        frame = pd.DataFrame(
            {
                "group": np.where(is_lesioned, "lesioned", "spared"),
                "patient": [patients.id(each) for each in range(patients.size)],
                "score": patients.score,
                "volume": patients.volumes / ML,
                "row": patients.rows,
            }
        ).sort_values(["group", "score", "patient"], kind="stable", ignore_index=True)
        self._rows = cohort, frame["row"].tolist()
        decimals = decimals_of(patients.score.tolist(), _MOST_DECIMALS)
        columns = (
            Column("group", "Here"),
            Column("patient", "Patient"),
            Column("score", patients.name, Format(decimals, decimals)),
            Column("volume", "Lesion (mL)", VOLUME),
        )
        self.table.show(frame, columns)

    def _draw(self) -> None:
        if self._map is not None:
            self.chart.show(partial(draw_symptom_groups, *self._map))

    def _pick(self, position: int) -> None:
        cohort, rows = self._rows
        if cohort:
            pick_patient(self._context, cohort, rows[position])


class SymptomClustersPanel:
    """A row per cluster; a click moves the crosshair to its peak.

    Parameters
    ----------
    context : AppContext
    service : SymptomService
    listed : callable
        Given the clusters once they are listed.
    """

    def __init__(
        self,
        context: AppContext,
        service: SymptomService,
        listed: Callable[[SymptomClusters], None],
    ) -> None:
        self._context, self._service, self._listed = context, service, listed
        self._current: tuple[Any, ...] = ()
        self.clusters: SymptomClusters | None = None
        self.brain = IntoView(".ld-symptoms-map")
        guard = context.banner.guard
        self.caption, self.about = note(), note()
        self.table = Table(
            "Clusters", "symptom-clusters", guard(self._go_to), empty="No significant cluster"
        )
        self.download = download_button("CSV", f"Save {TABLE_NAME}", guard(self._save))
        self._finder = context.worker()
        head = widgets.HBox(
            [heading("Clusters of the map"), self.caption, self.download, self.brain]
        )
        self.widget = card(head, self.about, self.table, name="symptoms-clusters")

    def ask(self, request: SymptomRequest, result: SymptomResult | None, atlas: str) -> None:
        """List the clusters of a result."""
        if result is None:
            self._current, self.clusters = (), None
            return
        current = (request, id(result.symptom_map), atlas, self._context.session.use_of(atlas))
        if current != self._current:
            self._current = current
            job = partial(self._service.clusters, request, result, atlas)
            self._finder.submit(job, partial(self._show, current))

    def _show(self, current: tuple[Any, ...], clusters: SymptomClusters) -> None:
        if current != self._current:
            return  # something else was chosen meanwhile
        self.clusters = clusters
        self.download.disabled = not len(clusters)
        table, symptom_map = clusters.table, clusters.symptom_map
        set_text(self.caption, counted(len(clusters), "cluster"))
        set_text(self.about, _clusters_words(clusters))
        name = symptom_map.patients.name
        region = [Column("place", "Region at the peak", wraps=True)] if current[2] else []
        columns = (
            Column("cluster", "Cluster", COUNT),
            *region,
            *(Column(f"{axis}_mm", f"{axis} (mm)", COORDINATE) for axis in "xyz"),
            Column("corrected_p", "Corrected p", P, help="Of the peak, family-wise"),
            Column("cluster_p", "p of size", P, help="Of the size: an effect somewhere in it"),
            Column("lesioned", "Lesioned", COUNT, help="Patients with a lesion at the peak"),
            Column("mean_lesioned", f"{name}, lesioned", _VALUE),
            Column("mean_spared", f"{name}, spared", _VALUE),
            Column("effect", "Difference", _VALUE, help="Given covariates; at the peak too large"),
            Column("ci_low", "95 % from", _VALUE),
            Column("ci_high", "to", _VALUE),
            Column("volume_mm3", "Cluster (mL)", VOLUME, 1 / ML, help=_forming(symptom_map)),
            Column(
                "significant_mm3", f"of which p ≤ {clusters.level:g} (mL)", VOLUME, 1 / ML,
                help="Voxels whose own corrected p is so small",
            ),
        )  # fmt: skip
        table["significant_mm3"] = table["significant_voxels"] * symptom_map.grid.voxel_volume
        named = table.assign(place=named_places(table)) if len(table) else table
        self.table.show(named, columns if len(table) else ())
        self._listed(clusters)

    def _go_to(self, position: int) -> None:
        if self.clusters is not None:
            self._context.choices.mm = self.clusters.rows[position].mm
            self.brain.bring()  # it may be a screen above the table

    def _save(self) -> None:
        if self.clusters is not None:
            self._context.saver.save(TABLE_NAME, csv_bytes(self.clusters.table))


class RegionTestsPanel:
    """The same test of the share of each region, as a forest plot and a table.

    Parameters
    ----------
    context : AppContext
    service : SymptomService
    tested : callable
        Called once regions were tested.
    """

    def __init__(
        self, context: AppContext, service: SymptomService, tested: Callable[[], None]
    ) -> None:
        self._context, self._service, self._tested = context, service, tested
        self._current: tuple[Any, ...] = ()
        self.tests: ColumnTests | None = None
        guard = context.banner.guard
        self.caption, self.about = note(), note()
        self.chart = Chart(context, "Effects in regions with 95 % intervals")
        self.table = Table("Regions", "symptom-regions", order=("corrected_p", False))
        self.download = download_button("CSV", f"Save {REGIONS_NAME}", guard(self._save))
        self._tester = context.worker(self._failed)
        head = widgets.HBox([heading("Regions and the score"), self.caption, self.download])
        self._body = widgets.HBox([self.chart.widget, self.table])
        self._body.add_class("ld-symptoms-row")
        self.widget = card(head, self.about, self._body, name="symptoms-regions")

    def ask(self, request: SymptomRequest | None, atlas: str) -> None:
        """Test the regions of an atlas."""
        current: tuple[Any, ...] = (request, atlas, self._context.session.use_of(atlas))
        if current == self._current:
            return
        self._current, self.tests = current, None
        self.download.disabled = True
        self._say("" if request is None else "Testing regions ...")
        if request is not None:
            job = partial(self._service.regions, request, atlas)
            self._tester.submit(job, partial(self._show, current))

    def _show(self, current: tuple[Any, ...], tests: ColumnTests | None) -> None:
        if current != self._current:
            return  # something else was chosen meanwhile
        self.tests = tests
        self.download.disabled = tests is None
        if tests is None:
            why = "Choose an atlas on the page Maps." if not current[1] else "Linear tests only."
            self._say(why)
            return
        self._body.remove_class("ld-hidden")
        self.chart.show(partial(draw_forest, tests))
        small = int((tests.table["corrected_p"] <= SIGNIFICANCE_LEVEL).sum())
        of = f"{small} of {counted(len(tests.table), 'region')} with corrected p ≤ 0.05"
        set_text(self.caption, of)
        set_text(self.about, _as_sentence(tests.sentence))
        columns = (
            Column("name", "Region", wraps=True),
            Column("damaged", "Patients", COUNT, help="With any damage of the region"),
            Column("effect", "Difference per 10 %", _VALUE, 0.1),
            Column("ci_low", "95 % from", _VALUE, 0.1),
            Column("ci_high", "to", _VALUE, 0.1),
            Column("corrected_p", "Corrected p", P, help="Family-wise, over all regions"),
        )
        self.table.show(tests.table, columns)
        self._tested()

    def _failed(self, error: Exception) -> None:
        self._say(str(error))

    def _say(self, why: str) -> None:
        set_text(self.caption, "")
        set_text(self.about, why)
        self._body.add_class("ld-hidden")

    def _save(self) -> None:
        if self.tests is not None:
            self._context.saver.save(REGIONS_NAME, csv_bytes(self.tests.table))


class PredictionPanel:
    """Whether the score of patients who were left out is predicted, beside volume alone.

    Parameters
    ----------
    context : AppContext
    service : SymptomService
    """

    def __init__(self, context: AppContext, service: SymptomService) -> None:
        self._context, self._service = context, service
        self._request: SymptomRequest | None = None
        self._heard: list[Callable[[], None]] = []
        self.prediction: SymptomPrediction | None = None
        self.is_shown = False
        self.run = plain_button("Predict left-out patients", "Nested cross-validation")
        self.runs = RunBar(context, self._ended, "folds")
        self.chart = Chart(context, "True against predicted scores, by volume and by lesions")
        self.words = widgets.HTML()
        bar = widgets.HBox([self.run, self.runs.progress, self.runs.state])
        bar.add_class("ld-compare-bar")
        body = widgets.HBox([self.chart.widget, self.words])
        body.add_class("ld-symptoms-row")
        self.widget = card("Prediction in new patients", bar, body, name="symptoms-prediction")
        self.run.on_click(context.banner.guard(lambda _: self._start()))

    def observe(self, heard: Callable[[], None]) -> None:
        """Tell somebody once a prediction was made, or is no longer shown."""
        self._heard.append(heard)

    def ask(self, request: SymptomRequest) -> None:
        """Show the prediction where it was made for these choices."""
        self._request = request
        self.runs.keep((_PREDICTION, prediction_key(request)))
        self.prediction = prediction = self._service.known_prediction(request)
        was_shown, self.is_shown = self.is_shown, prediction is not None
        if prediction is None:
            self.chart.clear()
            self.words.value = _NO_PREDICTION
        else:
            self.chart.show(partial(draw_prediction, prediction))
            self.words.value = prediction_html(prediction)
        self.run.disabled = self.runs.runs(_PREDICTION, prediction_key(request))
        if was_shown != self.is_shown:
            for heard in self._heard:
                heard()

    def _start(self) -> None:
        request = self._request
        if request is not None:
            work = partial(self._service.predict, request)
            self.runs.start(_PREDICTION, prediction_key(request), work)
            self.run.disabled = True

    def _ended(self, _kind: str, _key: Hashable, result: Any) -> None:
        self.run.disabled = False
        if isinstance(result, Exception):
            self._context.banner.show(result)
        elif self._request is not None:
            self.ask(self._request)


def _forming(symptom_map: SymptomMap) -> str:
    p = symptom_map.cluster_p
    return "" if p is None else f"Connected voxels with an uncorrected p below {p:g}"


def _clusters_words(clusters: SymptomClusters) -> str:
    forming = f"{_forming(clusters.symptom_map)}. ".removeprefix(". ")
    none = "" if len(clusters) else "No cluster is significant by its peak or its size. "
    return (
        f"{forming}{none}Listed are those whose peak or size has a corrected p ≤ "
        f"{clusters.level:g}; {counted(clusters.others, 'other')} not. Click a row to go there."
    )


def _as_sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(printable(text))}</p>"


def prediction_html(prediction: SymptomPrediction) -> str:
    """What the place of lesions adds, each model's measures, and what they do not show."""
    scheme = next(iter(prediction.schemes))
    rows = {model: model_measures(prediction, scheme, model) for model in prediction.models}
    names = list(rows[LESIONS])
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Predicted from", *names))
    body = "".join(
        f'<tr><th scope="row">{_MODELS.get(model, model.capitalize())}</th>'
        + "".join(f"<td>{html.escape(texts.get(name, ''))}</td>" for name in names)
        + "</tr>"
        for model, texts in rows.items()
    )
    spread = f"Mean (SD) of {len(prediction.schemes[scheme])} repeats of {scheme}. "
    gain = _as_sentence(gain_sentence(prediction, scheme))
    lines = [
        f"{spread}{_as_sentence(prediction.sentence)}",
        STATEMENT,
        *(_as_sentence(words) for words in prediction.notes),
    ]
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    made = "".join([_paragraph(gain), table, *map(_paragraph, lines)])
    return f'<div class="ld-symptoms-notes ld-place-table">{made}</div>'
