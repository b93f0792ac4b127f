"""Assign: which regions the parts of a map lie in, shown on the brain."""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from ...atlas.grouping import SWAPPED
from ...core.errors import Cancelled, LesionDashError
from ...core.formats import COEFFICIENT, COUNT, PERCENT, PROBABILITY, VOLUME
from ...core.tables import csv_bytes
from ...plotting.figures import ML
from ...regions.assignment import COLUMNS, rank_rows
from ...regions.overlap_scores import ComponentOverlap
from ..app_context import AppContext
from ..assignment_request import NO_FILTER, AssignChoices, AssignmentRequest
from ..assignment_service import MAPS_OF_COHORTS, AssignmentResult, AssignmentService
from ..code import Code
from ..controls import card, download_button, heading, note, set_text
from ..page_inputs import INPUTS
from ..persisted_inputs import control
from ..tasks import PAUSE, Debounce
from ..widgets.table import Column, Table
from .ask import AskPanel
from .code import CHOSEN, CodeCard, place_below
from .match import MatchPanel


def assign_code(context: AppContext, page: AssignPage) -> widgets.Box:
    """The page, and below it the code of the assignment of a map to an atlas."""
    code = Code(context.session)

    def lines() -> tuple[str, str]:
        return code.assign(page.question)

    nothing = "# Choose a map and an atlas: the Python code appears here."
    made = CodeCard(context, lines, nothing).follow(context.choices, *CHOSEN)
    return place_below(page.widget, made.follow(page.choices, *page.choices.trait_names()))


# Assign: which regions the parts of a map lie in, shown on the brain.


TITLE = "Regions of a map"
FILE_NAME = "assignment.csv"
_MOST_ROWS = 500
"""That are sent to the browser; the file holds them all."""

_WORKING = "Working ..."
NO_ROWS = pd.DataFrame(columns=list(COLUMNS))

_CORRELATION = Column(
    "correlation", "Correlation", COEFFICIENT,
    help="Pearson's r of the region's probability and the map's values: 1 for the same",
)  # fmt: skip
_SIZE = Column("component_volume_mm3", "Size (mL)", VOLUME, 1 / ML, "Volume of the whole component")
_REGION = Column("region", "Region", wraps=True)
_COMPONENT = Column("component", "Component", COUNT)
_SIGN = Column("sign", "Sign", help="Of the map's values in the component")
_SHARES = (
    Column(
        "percent_of_component", "% of component", PERCENT,
        help="Share of the component that lies in the region",
    ),
    Column(
        "percent_of_region", "% of region", PERCENT,
        help="Share of the region that the component covers",
    ),
)  # fmt: skip
_LABELLED = (
    _COMPONENT,
    _SIZE,
    _REGION,
    Column("volume_mm3", "Shared (mL)", VOLUME, 1 / ML, "Volume of the component in the region"),
    *_SHARES,
    Column(
        "intersection_over_union", "Overlap (IoU)", COEFFICIENT,
        help="Shared volume over the volume of component and region together",
    ),
    _CORRELATION,
)  # fmt: skip
_PROBABLE = (
    _COMPONENT,
    _SIZE,
    _REGION,
    *_SHARES,
    Column("mean_probability", "Mean prob.", PROBABILITY),
    Column("max_probability", "Max. prob.", PROBABILITY),
    _CORRELATION,
)
_BEST = (Column("component", "No.", COUNT), _REGION, _CORRELATION, _SIZE)
_OF_SHARES = (
    "% of component, % of region: the voxels of the component that lie in the region, in percent "
    "of either."
)
_OF_CHANCES = "Mean and max. prob.: of the region's probability, over the voxels of the component."
_OF_CORRELATION = (
    "Correlation: Pearson's, of the region's probability (1 inside a labelled region) and the "
    "map's values in the component, over the smallest box that holds both."
)


def build(context: AppContext) -> widgets.Widget:
    """The question on the left, the brain and the best matches, and all matches below."""
    page = AssignPage(context)
    lists = ("source", "file", "space", "atlas", "signs", "connectivity")
    fields = {name: control(getattr(page.ask, name)) for name in lists}
    numbers = {name: control(page.choices, name) for name in INPUTS["assign"] if name not in lists}
    context.inputs.follow("assign", fields | numbers)
    return assign_code(context, page)


class AssignPage:
    """Components of a map, and the regions they touch."""

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.service = AssignmentService(context.session)
        start = "overlap" if context.choices.cohort_b else "n"
        self.choices = AssignChoices(atlas=context.choices.atlas, source=start)
        self.ask = AskPanel(context, self.service, self.choices)
        self.brain = MatchPanel(context)
        guard = context.banner.guard
        self.best = Table("Best match of each component", "best", guard(self._best_clicked), rows=5)
        self.table = Table("Components and regions", "matches", guard(self._row_clicked), rows=10)
        self.best_caption, self.caption, self.remark = note(), note(), note()
        self.meaning = note()
        self.download = download_button("CSV", f"Save {FILE_NAME}, all rows", guard(self._save))
        self.answer: AssignmentResult | None = None
        self._rows = self._best_rows = NO_ROWS
        self._request: AssignmentRequest | None = None
        self._busy = ""
        self._say_later = Debounce(PAUSE, guard(self._say_busy))
        self._worker = context.worker(self._failed)
        self.widget = self._lay_out()
        self._follow()

    def _follow(self) -> None:
        guard = self.context.banner.guard
        update = guard(self._update)
        inputs = [name for name in self.choices.trait_names() if name != "min_correlation"]
        self.choices.observe(update, names=inputs)
        self.choices.observe(guard(self._show_rows), names="min_correlation")
        later = Debounce(PAUSE, update)
        names = ["cohort_a", "cohort_b", "min_patients"]
        self.context.choices.observe(lambda _: later(), names=names)
        self.context.choices.observe(guard(self._atlas_read), names="loaded_atlases")
        update()

    def _lay_out(self) -> widgets.Box:
        best = widgets.HBox([heading("Best match of each component"), self.best_caption])
        every = widgets.HBox([heading("Components and regions"), self.caption, self.download])
        page = widgets.Box(
            [
                self.ask.widget,
                self.brain.widget,
                card(best, self.best, name="best"),
                card(every, self.table, self.meaning, self.remark, name="matches"),
            ]
        )
        page.add_class("ld-assign")
        return page

    @property
    def question(self) -> AssignmentRequest:
        """What the choices ask."""
        use = self.context.session.use_of(self.choices.atlas)
        return self.choices.ask(self.context.choices.selection, use)

    def _atlas_read(self, _change: Any) -> None:
        """Ask again where the atlas is used in another way."""
        if self._request is not None and self._request.atlas_use != self.question.atlas_use:
            self._update()

    def _update(self, _change: Any = None) -> None:
        question = self.question
        if missing := _missing(question):
            self._request = None
            self._show_nothing(missing)
            return
        self._request = question
        self.context.banner.clear()
        self._wait()
        done = self.context.banner.guard(partial(self._done, question))
        self._worker.submit(partial(self._work, question), done)

    @property
    def _is_waiting(self) -> bool:
        """Whether what is shown does not belong to the choices."""
        request, answer = self._request, self.answer
        return request is not None and (answer is None or answer.question != request)

    def _wait(self) -> None:
        """Say at once that another map or atlas is coming, and of a threshold if it takes long."""
        request, answer = self._request, self.answer
        if request is None or not self._is_waiting:
            return
        self.download.disabled = True
        is_read = self.context.session.has_atlas(request.atlas)
        self._busy = _WORKING if is_read else f"Reading atlas {request.atlas} ..."
        if answer is None or answer.question.subject != request.subject:
            self._say_busy()
        else:
            self._say_later()

    def _say_busy(self) -> None:
        if self._is_waiting:
            self.widget.add_class("ld-stale")
            for text in (self.caption, self.best_caption):
                set_text(text, self._busy)
            self.brain.say(self._busy)

    def _work(self, question: AssignmentRequest) -> AssignmentResult | Exception | None:
        def show(done: int, total: int) -> None:
            if self._request is None or self._request.atlas != question.atlas:
                raise Cancelled
            # One step in fifty is enough for the eye, and each is a message to the browser.
            if done == total or done % max(total // 50, 1) == 0:
                self.context.on_loop(self._show_progress, question, done, total)

        try:
            answer = self.service.answer(question, show)
            if answer is not None:
                answer.prepare()
        except LesionDashError as error:
            return error  # to be shown only if it is still asked for
        return answer

    def _show_progress(self, question: AssignmentRequest, done: int, total: int) -> None:
        reading = f"Reading atlas {question.atlas}: {done} of {total}"
        self._busy = _WORKING if done == total else reading
        self._say_busy()

    def _done(
        self, question: AssignmentRequest, result: AssignmentResult | Exception | None
    ) -> None:
        request = self._request
        if request is None or request.subject != question.subject:
            return  # the choice was taken back meanwhile
        if isinstance(result, AssignmentResult):
            self._show(result)
        elif question == request and result is not None and not isinstance(result, Cancelled):
            self._failed(result)

    def _show(self, answer: AssignmentResult) -> None:
        self.answer = answer
        if not self._is_waiting:  # the range for other signs would cut the threshold off
            self.ask.show(answer)
        self.download.disabled = self._is_waiting or not len(answer.assignment.components)
        set_text(self.caption, _describe(answer))
        set_text(self.best_caption, "by correlation")
        set_text(self.meaning, _meaning(answer))
        set_text(self.remark, _remark(answer))
        is_swapped = any(SWAPPED in remark for remark in answer.assignment.notes)
        (self.remark.add_class if is_swapped else self.remark.remove_class)("ld-alarm")
        self._best_rows = answer.best.sort_values(
            "component_volume_mm3", ascending=False, kind="stable"
        ).head(_MOST_ROWS)
        self.best.show(self._best_rows, _BEST)
        self.brain.show(answer)
        self._show_rows()
        if not self._is_waiting:
            self.widget.remove_class("ld-stale")

    def _show_rows(self, _change: Any = None) -> None:
        if self.answer is None:
            return
        self._rows = ranked(self.answer.table, self.choices.min_correlation).head(_MOST_ROWS)
        self.table.show(*shown_table(self._rows, self.answer))
        self._mark()

    def _mark(self) -> None:
        """Highlight what the brain shows, in both tables."""
        for table, rows in ((self.best, self._best_rows), (self.table, self._rows)):
            table.mark(row_of(self.brain.match, rows))

    def _show_nothing(self, why: str) -> None:
        self.answer = None
        self.widget.remove_class("ld-stale")
        self.download.disabled = True
        set_text(self.caption, why)
        for text in (self.best_caption, self.meaning, self.remark):
            set_text(text, "")
        self.best.show(NO_ROWS, _BEST)
        self.table.show(*shown_table(NO_ROWS, None))
        self.brain.clear(why)

    def _failed(self, error: Exception) -> None:
        self._request = None
        self._show_nothing("Nothing to show: see the message.")
        self.context.banner.show(error)

    def _best_clicked(self, row: int) -> None:
        self._pick(self._best_rows, row)

    def _row_clicked(self, row: int) -> None:
        self._pick(self._rows, row)

    def _pick(self, rows: pd.DataFrame, row: int) -> None:
        if self.answer is not None and not self._is_waiting:
            component, label, region = rows.iloc[row][["component", "label", "region"]]
            self.brain.pick(self.answer.match_of(int(component), int(label), region))
            self._mark()

    def _save(self) -> None:
        if self.answer is not None and not self._is_waiting:
            self.context.saver.save(FILE_NAME, csv_bytes(self.answer.table))


def _missing(question: AssignmentRequest) -> str:
    """What to do first, where something is not chosen yet."""
    if question.source in MAPS_OF_COHORTS and not question.selection.cohort_a:
        return "Choose folder A on the first page, or a folder of files as the map."
    if question.source == "overlap" and not question.selection.cohort_b:
        return "Choose folder B on the first page for the overlap, or another map."
    if question.source not in MAPS_OF_COHORTS and not question.file:
        return "Choose a file as the map."
    return "" if question.atlas else "Choose an atlas to see which regions the map lies in."


def _describe(answer: AssignmentResult) -> str:
    """The map, what counts of it, and how much that is."""
    parts = answer.assignment.components
    if not len(parts):
        return "No component is left: lower the threshold or the smallest component."
    number = "1 component" if len(parts) == 1 else f"{len(parts):,} components"
    unit = f" {answer.source.unit}" if answer.source.unit else ""
    above = "" if answer.source.is_binary else f", {answer.question.range_in_words}{unit}"
    size = f"{VOLUME.text(sum(part.volume_mm3 for part in parts) / ML)} mL"
    return f"{number}, {size}: {answer.source.summary}{above}"


def _meaning(answer: AssignmentResult) -> str:
    """What the columns are."""
    chances = [_OF_CHANCES] if answer.is_probabilistic else []
    return " ".join([_OF_SHARES, *chances, _OF_CORRELATION])


def _remark(answer: AssignmentResult) -> str:
    """What was unusual about map and atlas, and how the atlas was brought to the map."""
    rows = len(answer.table)
    note = f"the first {_MOST_ROWS} rows are shown, {FILE_NAME} has all {rows:,}"
    return "; ".join([*([note] if rows > _MOST_ROWS else []), *answer.assignment.notes])


def ranked(table: pd.DataFrame, min_correlation: float) -> pd.DataFrame:
    """Rows that share a voxel, the highest correlation first; what lies outside comes last."""
    table = table[table["voxels"] > 0]
    if min_correlation > NO_FILTER:
        return rank_rows(table, min_correlation)
    return table.sort_values("correlation", ascending=False, kind="stable", ignore_index=True)


def row_of(match: ComponentOverlap | None, rows: pd.DataFrame) -> int | None:
    """Position of the row of a match, None where it is not among them."""
    if match is None or rows.empty:
        return None
    own = (rows["component"] == match.component.number) & (rows["label"] == match.label)
    places = np.flatnonzero(own & (rows["region"] == match.region))
    return int(places[0]) if places.size else None


def shown_table(
    rows: pd.DataFrame, answer: AssignmentResult | None
) -> tuple[pd.DataFrame, tuple[Column, ...]]:
    """The matches as they are shown: other columns for a labelled atlas and a probabilistic one."""
    is_labelled = answer is None or not answer.is_probabilistic
    first, *others = _LABELLED if is_labelled else _PROBABLE
    has_signs = answer is not None and answer.question.signs != "positive"
    columns = (first, *([_SIGN] if has_signs else []), *others)
    return rows.assign(sign=rows["sign"].map({1: "+", -1: "−"})), columns
