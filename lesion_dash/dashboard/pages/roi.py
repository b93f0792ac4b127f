"""ROI lab: from images over a test to regions of interest, every step to be seen and undone."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from ...core.errors import Cancelled, LesionDashError
from ...rois.saving import SCRIPT_NAME, VALUES_NAME, run_files
from ..app_context import AppContext
from ..controls import card, heading, note, set_text
from ..lab_choices import FIRST_THRESHOLDS, InputChoices, RoiRequest, Setup, Way, WayChoices
from ..lab_inputs import missing, setup_of
from ..lab_steps import step_of, step_text
from ..persisted_inputs import Control, control, file_control
from ..places import Mm
from ..roi_lab import RoiLab, RoiResult, draw_answer_values, draw_step
from ..save_field import saved_bytes
from ..tasks import FRAME, PAUSE, Debounce
from .roi_code import CodePanel
from .roi_contrast import ContrastPanel
from .roi_input import InputPanel
from .roi_parts import PartsPanel
from .roi_picture import PicturePanel
from .roi_steps import StepsPanel
from .roi_values import ValuesPanel

TITLE = "ROI"
_PRESS = "Press “{}” to begin."
_CHANGED = "Settings changed: press “{}” to update."
_NOTHING = "Nothing to show: see the message."


def build(context: AppContext) -> widgets.Widget:
    """Input and test above, what comes of them below, in the order of work."""
    page = RoiPage(context)
    context.inputs.follow("roi", roi_controls(page, context), page.come_back)
    return page.widget


class RoiPage:
    """The way from files to regions of interest.

    The button settles files and test; everything after it follows at once.
    """

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self.lab = RoiLab(context.session)
        self.choices, self.way = InputChoices(), WayChoices()
        root = context.session.root
        atlases = [name for name, (image, _) in root.atlases.items() if isinstance(image, Path)]
        # With several, which one fits the images is not known.
        self.way.atlas = atlases[0] if len(atlases) == 1 else ""
        guard = context.banner.guard
        self.answer: RoiResult | None = None
        self._request: RoiRequest | None = None
        self._returned: Setup | None = None
        self._stop = threading.Event()
        self.input = InputPanel(context, self.lab.files, self.choices)
        self.test = ContrastPanel(context, self.choices, guard(self._run), self._cancel)
        self.steps = StepsPanel(context, self.lab, self.way)
        self.picture = PicturePanel(guard(self._draw))
        self.parts = PartsPanel(context, self.way, self._go_to)
        self.values = ValuesPanel(partial(guard(self._save), VALUES_NAME))
        self.code = CodePanel(guard(self._save))
        self.caption = note()
        self._worker = context.worker(self._failed)
        self._drawer, self._writer = context.worker(), context.worker()
        self._drawn: RoiResult | None = None
        self.widget = self._lay_out()
        self._follow()
        self._show_nothing()

    def _follow(self) -> None:
        guard = self.context.banner.guard
        settled = Debounce(FRAME, guard(self._choices_changed))
        self.choices.observe(lambda _: settled())
        later = Debounce(PAUSE, guard(self._way_changed))
        self.way.observe(lambda _: later())
        # Where it is used in another way, such as in another space.
        self.context.choices.observe(guard(self._atlas_read), names="loaded_atlases")
        # A picked part has another number where the parts are others.
        names = [name for name in self.way.trait_names() if name not in ("picks", "atlas")]
        self.way.observe(self._forget_picks, names=names)

    def _lay_out(self) -> widgets.Box:
        left = widgets.VBox([self.input.widget, self.test.widget])
        left.add_class("ld-roi-ask")
        row = widgets.HBox([self.steps.widget, self.picture.widget])
        row.add_class("ld-roi-row")
        head = widgets.HBox([heading("3  From the map to a mask"), self.caption])
        steps_card = card(head, row, name="roi-steps")
        right = widgets.VBox([steps_card, self.parts.widget, self.values.widget, self.code.widget])
        right.add_class("ld-roi-show")
        page = widgets.Box([left, right])
        page.add_class("ld-roi")
        return page

    @property
    def _button(self) -> str:
        return str(self.test.run.description)

    def _choices_changed(self) -> None:
        """Say what is to be chosen or pressed next."""
        if self._is_busy:
            return
        lacking = missing(self.choices, self.lab.files)
        self.test.run.disabled = bool(lacking)
        is_new = self.answer is None or self._setup_or_none() != self.answer.question.setup
        mark = self.test.run.add_class if is_new and not lacking else self.test.run.remove_class
        mark("ld-primary")
        if self.answer is None:
            self.test.say(lacking or _PRESS.format(self._button))
            self.picture.tell(lacking or _PRESS.format(self._button) + self._to_come)
        else:
            self.test.say(lacking or (_CHANGED.format(self._button) if is_new else ""))

    @property
    def _to_come(self) -> str:
        """The steps that came with a link or a file, and are not made yet."""
        steps = self.way.steps
        if not steps or self._returned is None or self._returned != self._setup_or_none():
            return ""
        return f" Then: {', '.join(step.summary for step in steps)}."

    @property
    def _is_busy(self) -> bool:
        return self._request is not None and (
            self.answer is None or self.answer.question != self._request
        )

    def _setup_or_none(self) -> Setup | None:
        try:
            return setup_of(self.choices, self.lab.files)
        except LesionDashError:
            return None  # told when the button is pressed

    def _run(self) -> None:
        """Settle files and test: what is no longer possible after them begins anew."""
        self.context.banner.clear()
        lacking = missing(self.choices, self.lab.files)
        if lacking:
            self.test.say(lacking)
            return
        setup = setup_of(self.choices, self.lab.files)
        self._ask(RoiRequest(setup, self._way_after(setup)))

    def _way_after(self, setup: Setup) -> Way:
        """The way as it is, without what other files or another test leave no sense in."""
        way = self.way.way.unpicked
        before = self._request.setup if self._request is not None else self._returned
        if before is None or before.source.data != setup.source.data:
            way = replace(way, steps=())
        if before is None or _maps_of(before) != _maps_of(setup):
            key = _first_map(setup)
            threshold, side = FIRST_THRESHOLDS[key]
            way = replace(way, map_key=key, threshold=threshold, side=side)
        return way

    def _way_changed(self) -> None:
        if self._request is not None and self.way.way != self._request.way:
            self.context.banner.clear()
            self._ask(replace(self._request, way=self.way.way))

    def _atlas_read(self, _change: Any) -> None:
        answer = self.answer
        if answer is None or self._is_busy or self._request is None:
            return
        if answer.question.recipe(self.context.session.root) != answer.run.recipe:
            self._ask(answer.question)

    def come_back(self) -> None:
        """Other choices were made than those that are shown: the button is to be pressed."""
        self._request = self.answer = self._drawn = None
        self._returned = self._setup_or_none()
        self._show_nothing()

    def _forget_picks(self, _change: Any) -> None:
        shown = self._request.way if self._request is not None else None
        if shown is not None and self.way.way.unpicked != shown.unpicked:
            self.way.picks = ()

    def _ask(self, question: RoiRequest) -> None:
        self._request = question
        self.way.take(question.way)
        self._stop.clear()
        self.test.say("Working ...", is_running=True)
        if self.answer is None:
            self.picture.tell("Working ...")
        self.picture.image.add_class("ld-busy")
        self._worker.submit(partial(self._work, question), self._show)

    def _work(self, question: RoiRequest) -> RoiResult:
        try:
            return self.lab.answer(question, partial(self._watch, question))
        except LesionDashError as error:
            if question != self._request:
                raise Cancelled from error  # nobody waits for it any more
            raise

    def _watch(self, question: RoiRequest, words: str) -> None:
        """Within a job: show how far it has come, and end it where nobody waits for it."""
        if self._stop.is_set() or question != self._request:
            raise Cancelled
        self._worker.tell(self._say_progress, question, words)

    def _say_progress(self, question: RoiRequest, words: str) -> None:
        if question == self._request and self._is_busy:
            self.test.say(f"{words[:1].upper()}{words[1:]} ...", is_running=True)

    def _cancel(self) -> None:
        self._stop.set()
        self.test.say("Stopping ...", is_running=True)

    def _show(self, answer: RoiResult) -> None:
        if answer.question != self._request:
            return  # a newer question is being answered
        self.answer = answer
        self.test.show(answer.run.contrast)
        self._choices_changed()
        set_text(self.caption, answer.summary)
        self.steps.show(answer)
        self.picture.show(answer)
        self.parts.show(answer)
        self.values.show(answer)
        self.code.show(answer)
        self._draw()

    def _failed(self, error: Exception) -> None:
        """Go back to what is shown; a stop that a newer question caused is none."""
        if isinstance(error, Cancelled) and not self._stop.is_set():
            return
        self._stop.clear()
        self._returned = None  # a step that cannot be made is not made again
        self._request = self.answer.question if self.answer is not None else None
        if self.answer is None:
            self._show_nothing()
            if not isinstance(error, Cancelled):
                self.picture.tell(_NOTHING)
        else:
            self.way.take(self.answer.question.way)
            self.picture.image.remove_class("ld-busy")
            self._choices_changed()
        self.context.banner.show(error)

    def _show_nothing(self) -> None:
        set_text(self.caption, "")
        self.test.clear()
        self.steps.clear()
        self.picture.clear("")
        self.parts.clear()
        self.values.clear("")
        self.code.clear()
        self._choices_changed()

    def _go_to(self, mm: Mm) -> None:
        self.picture.go_to(mm)

    def _draw(self) -> None:
        answer = self.answer
        if answer is not None:
            self.picture.image.add_class("ld-busy")
            job = partial(self._draw_both, answer, self.picture.row, self.picture.cut)
            self._drawer.submit(job, self._paint)

    def _draw_both(
        self, answer: RoiResult, row: int, mm: Mm | None
    ) -> tuple[RoiResult, int, bytes, bytes | None]:
        """The picture of a step; and the box plots, where these are not drawn yet."""
        values = None if self._drawn is answer else draw_answer_values(answer)
        picture = draw_step(answer, row, mm)
        self._drawn = answer
        return answer, row, picture, values

    def _paint(self, drawn: tuple[RoiResult, int, bytes, bytes | None]) -> None:
        answer, row, picture, values = drawn
        if values is not None and answer is self.answer:
            self.values.paint(values)
        if answer is self.answer:
            self.picture.paint(picture, answer.steps[row])

    def _save(self, name: str) -> None:
        answer = self.answer
        if answer is None:
            return
        if name == SCRIPT_NAME:
            content = answer.script.encode("utf-8", "backslashreplace")
            self.context.saver.save(name, content)
            return
        job = partial(run_files, answer.run)
        self._writer.submit(
            job, lambda files: self.context.saver.save(name, saved_bytes(name, files.__getitem__))
        )


def _maps_of(setup: Setup) -> tuple[object, ...]:
    """What decides which maps there are."""
    return type(setup.source), getattr(setup.source, "test", ""), setup.correction != "none"


def _first_map(setup: Setup) -> str:
    """The map a student begins with: −log10 of p, corrected where a correction was chosen."""
    if not hasattr(setup.source, "test"):
        return ""
    return "minus_log10_p" if setup.correction == "none" else "minus_log10_corrected_p"


# What the ROI lab keeps for an address or a file: where its choices are read and made.


_NUMBERS = ("delay_s", "repetition_time", "fwhm_mm")
_OF_INPUT = ("kind", "folder", "folder_b", "runs", "table", "file", "column", "a", "b", *_NUMBERS)
_OF_TEST = ("test", "correction", "min_patients", "n_permutations", "seed")
_OF_PARTS = ("connectivity", "min_voxels", "min_mm3", "atlas")
"""Fields that bear the name of their choice."""


def roi_controls(page: RoiPage, context: AppContext) -> dict[str, Control]:
    """The choices by their names; fields take nothing but what they offer."""
    root, way = context.session.root, page.way
    parts = ((page.input, _OF_INPUT), (page.test, _OF_TEST), (page.parts, _OF_PARTS))

    def read_steps() -> tuple[str, ...]:
        return tuple(step_text(step, root) for step in way.steps)

    def make_steps(texts: tuple[str, ...]) -> None:
        way.steps = tuple(step_of(text, root) for text in texts)

    return {
        **{name: control(getattr(panel, name)) for panel, names in parts for name in names},
        "mask": file_control(page.input.mask),
        "map_key": control(way, "map_key"),
        "threshold": control(way, "threshold"),
        "threshold_side": control(way, "side"),
        "steps": Control(read_steps, make_steps, (way,)),
    }
