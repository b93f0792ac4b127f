"""What is chosen on the page Symptoms: score, covariates and test; and the bar of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets as widgets

from ..app_context import AppContext
from ..controls import bind, labelled, note, set_text
from ..page_inputs import number_field
from ..symptom_choices import BY_SHARE, MIN_LESIONED, SymptomChoices, SymptomRequest
from .map_card import plain_button

TESTS = (
    ("t-test in a regression (ols)", "ols"),
    ("The same of ranks (rank)", "rank"),
    ("Welch's t-test (welch)", "welch"),
    ("Ranks (brunner-munzel)", "brunner-munzel"),
    ("Symptom 0 or 1 (liebermeister)", "liebermeister"),
    ("Symptom 0 or 1 (fisher)", "fisher"),
)
CONTROLS = (
    ("Log volume as covariate", "log-volume"),
    ("Volume as covariate", "volume"),
    ("None", "none"),
    ("Score: volume regressed out", "behaviour"),
    ("Lesion: volume regressed out", "lesion"),
    ("Direct (dTLVC)", "dtlvc"),
)
SIDES = (
    ("Differ, either way", "two-sided"),
    ("Are higher", "larger"),
    ("Are lower", "smaller"),
)


class SymptomFields:
    """Score, covariates and test, as the browser offers them.

    Parameters
    ----------
    context : AppContext
    choices : SymptomChoices
    """

    def __init__(self, context: AppContext, choices: SymptomChoices) -> None:
        self._context, self._choices = context, choices
        self._columns_of = ""
        self._is_filling = False
        self.scores: tuple[str, ...] = ()
        self.cohort = widgets.ToggleButtons(options=[("A", "a"), ("B", "b")])
        self.score = widgets.Dropdown(options=[("choose a score", "")])
        self.covariates = widgets.SelectMultiple(options=[], rows=3)
        self.test = widgets.Dropdown(options=TESTS)
        self.control = widgets.Dropdown(options=CONTROLS)
        self.side = widgets.Dropdown(options=SIDES)
        self.least = widgets.Dropdown(
            options=[(f"{k} patients" if k else "5 % of patients", k) for k in MIN_LESIONED],
            value=BY_SHARE,
        )
        self.permutations = widgets.BoundedIntText(**number_field("symptoms", "permutations"))
        self.seed = widgets.BoundedIntText(**number_field("symptoms", "seed"))
        self.compares = widgets.Dropdown(options=[("No", False), ("Yes, side by side", True)])
        for name, field in (
            *(("cohort", self.cohort), ("test", self.test), ("control", self.control)),
            *(("side", self.side), ("min_lesioned", self.least), ("compares", self.compares)),
            *(("permutations", self.permutations), ("seed", self.seed)),
        ):
            bind(choices, name, field)
        guard = context.banner.guard
        self.score.observe(guard(self._scored), names="value")
        self.covariates.observe(guard(self._covaried), names="value")
        choices.observe(guard(lambda _: self._show()), names=["score", "covariates"])

    @property
    def rows(self) -> tuple[list[widgets.Widget], list[widgets.Widget]]:
        """The fields with their labels: what is asked, and how it is tested."""
        first = [
            labelled("Cohort", self.cohort),
            labelled("Score", self.score),
            labelled("Covariates", self.covariates),
            labelled("Control of lesion volume", self.control),
            labelled("Test of the score", self.test),
            labelled("Scores of lesioned patients", self.side),
        ]
        second = [
            labelled("Minimum lesioned", self.least),
            labelled("Without control as well", self.compares),
            labelled("Permutations of the score", self.permutations),
            labelled("Seed", self.seed),
        ]
        return first, second

    @property
    def cohort_name(self) -> str:
        """The cohort of the chosen side; empty where there is none."""
        return str(getattr(self._context.choices, f"cohort_{self._choices.cohort}"))

    @property
    def request(self) -> SymptomRequest | None:
        """What is asked of the cohort, with the columns that it has; None without a score."""
        if self._choices.score not in self.scores:
            return None
        return self._choices.request(self.cohort_name, self.covariates.options)

    @property
    def ignored(self) -> list[str]:
        """Covariates that are chosen and that this cohort does not have, or all of one value."""
        chosen = self._choices.covariates
        return [name for name in chosen if name not in self.covariates.options]

    def offer(self, scores: tuple[str, ...], covariates: tuple[str, ...], cohort: str) -> None:
        """List the columns of a cohort; a choice that is among them stays."""
        if cohort == self._columns_of:
            return
        self._columns_of, self.scores = cohort, scores
        self._is_filling = True
        try:
            self.score.options = [("choose a score", ""), *((name, name) for name in scores)]
            self.covariates.options = covariates
        finally:
            self._is_filling = False
        self._show()

    def _scored(self, change: dict[str, Any]) -> None:
        if not self._is_filling:
            self._choices.score = change["new"]

    def _covaried(self, change: dict[str, Any]) -> None:
        if not self._is_filling:
            self._choices.covariates = change["new"]

    def _show(self) -> None:
        self._is_filling = True
        try:
            score = self._choices.score
            self.score.value = score if score in self.scores else ""
            known = self.covariates.options
            self.covariates.value = tuple(own for own in self._choices.covariates if own in known)
        finally:
            self._is_filling = False


@dataclass(frozen=True, eq=False)
class _Run:
    """What is being worked out."""

    kind: str
    key: Hashable
    stop: threading.Event


class RunBar:
    """Works something out beside the page, one thing at a time, with progress and Cancel.

    Parameters
    ----------
    context : AppContext
    ended : callable
        Told the kind and the key of a run that has ended, and its result or the exception; not of
        one that another has taken the place of.
    noun : str
        What steps are called.
    """

    def __init__(
        self, context: AppContext, ended: Callable[[str, Hashable, Any], None], noun: str = ""
    ) -> None:
        self._ended, self._noun = ended, f" {noun}" if noun else ""
        self._worker = context.worker()
        self._current: _Run | None = None
        self.cancel = plain_button("Cancel", "Stop what is running")
        self.bar, self.state = widgets.IntProgress(min=0, max=1), note()
        self.progress = widgets.HBox([self.bar, self.cancel])
        self.cancel.on_click(context.banner.guard(lambda _: self.stop()))
        self._show(False)

    def runs(self, kind: str, key: Hashable) -> bool:
        """Whether this is being worked out."""
        run = self._current
        return run is not None and (run.kind, run.key) == (kind, key)

    @property
    def is_running(self) -> bool:
        """Whether anything is being worked out."""
        return self._current is not None

    def start(
        self,
        kind: str,
        key: Hashable,
        work: Callable[[Callable[[int, int], None], threading.Event], Any],
    ) -> None:
        """Work something out, in place of what is being worked out."""
        self.stop()
        self._current = run = _Run(kind, key, threading.Event())
        self._tell(run, 0, 1)
        tell = partial(self._worker.tell, self._tell, run)
        self._worker.submit(partial(_outcome, work, tell, run.stop), partial(self._end, run))

    def stop(self) -> None:
        """Stop what is running, at its next step."""
        if self._current is not None:
            self._current.stop.set()

    def keep(self, *runs: tuple[str, Hashable]) -> None:
        """Stop what is running unless it is one of these, of kind and key."""
        if not any(self.runs(kind, key) for kind, key in runs):
            self.stop()

    def say(self, text: str) -> None:
        """Say how it stands, where nothing is running."""
        if self._current is None:
            set_text(self.state, text)

    def _tell(self, run: _Run, done: int, total: int) -> None:
        if run is self._current:
            self.bar.max, self.bar.value = total, done
            set_text(self.state, f"{done:,} of {total:,}{self._noun}")
            self._show(True)

    def _end(self, run: _Run, result: Any) -> None:
        if run is self._current:
            self._current = None
            self._show(False)
            set_text(self.state, "Stopped." if run.stop.is_set() else "")
            self._ended(run.kind, run.key, result)

    def _show(self, is_running: bool) -> None:
        change = self.progress.remove_class if is_running else self.progress.add_class
        change("ld-unseen")


def _outcome(
    work: Callable[[Callable[[int, int], None], threading.Event], Any],
    tell: Callable[[int, int], None],
    stop: threading.Event,
) -> Any:
    """The result, or the exception: whoever started this run is told, and nobody else."""
    try:
        return work(tell, stop)
    except Exception as error:  # noqa: BLE001 - told by the caller
        return error
