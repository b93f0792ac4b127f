"""Step 2 of the ROI lab: the test at each voxel, its correction, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ...stats.contrast import CORRECTIONS, TESTS, Contrast
from ..app_context import AppContext
from ..controls import bind, card, heading, labelled, note, set_text
from ..lab_choices import TESTS_OF, InputChoices, corrections_of
from ..page_inputs import number_field

_TEST_NAMES = {
    "student": "Student's t (equal variances)",
    "welch": "Welch's t (unequal variances)",
    "fisher": "Fisher's exact test",
}
_CORRECTION_NAMES = {
    "none": "None",
    "bonferroni": "Bonferroni",
    "fdr": "False discovery rate",
    "fwe": "Family-wise error, permutations",
}
_LEAST_WORDS = {
    "score": "Minimum patients lesioned and spared",
    "cohorts": "Minimum patients lesioned (A and B)",
    "split": "Minimum patients lesioned (A and B)",
}
_NO_TEST = "A map from a file is not tested: it goes to the threshold as it is."


class ContrastPanel:
    """The test, the button that runs it, and what it shows.

    Parameters
    ----------
    context : AppContext
    choices : InputChoices
    run, cancel : callable
        What the two buttons do.
    """

    def __init__(
        self,
        context: AppContext,
        choices: InputChoices,
        run: Callable[[], None],
        cancel: Callable[[], None],
    ) -> None:
        self._choices = choices
        self.run = widgets.Button(description="Run the test", tooltip="Read the files and test")
        self.cancel = widgets.Button(description="Cancel", tooltip="Stop what is running")
        self.test, self.correction = widgets.Dropdown(), widgets.Dropdown()
        self.min_patients = widgets.BoundedIntText(**number_field("roi", "min_patients"))
        self.n_permutations = widgets.BoundedIntText(
            **number_field("roi", "n_permutations"), step=500
        )
        self.seed = widgets.BoundedIntText(**number_field("roi", "seed"))
        self.busy, self.test_hint, self.correction_hint = note(), note(), note()
        self.least_name = widgets.Label()
        self.statement = widgets.HTML()
        self.size, self.notes = note(), note()
        self.run.on_click(lambda _: run())
        self.cancel.on_click(lambda _: cancel())
        self.widget = self._lay_out()
        self._offer_tests()
        for name in ("test", "correction", "min_patients", "n_permutations", "seed"):
            bind(choices, name, getattr(self, name))
        guard = context.banner.guard
        choices.observe(guard(self._kind_chosen), names="kind")
        choices.observe(guard(self._describe), names=["test", "correction"])
        self._kind_chosen()

    def say(self, text: str, is_running: bool = False) -> None:
        """What is being done, or is to be done next."""
        set_text(self.busy, text)
        (self.cancel.remove_class if is_running else self.cancel.add_class)("ld-hidden")

    def show(self, contrast: Contrast | None) -> None:
        """What the test shows, its sizes and degrees of freedom."""
        set_text(self.statement, _NO_TEST if contrast is None else contrast.statement)
        set_text(self.size, "" if contrast is None else f"{contrast.sentence}.")
        set_text(self.notes, "" if contrast is None else "; ".join(contrast.notes))

    def clear(self) -> None:
        """Nothing has been tested."""
        for text in (self.statement, self.size, self.notes):
            set_text(text, "")

    def _lay_out(self) -> widgets.VBox:
        for button in (self.run, self.cancel):
            button.add_class("ld-button")
        self.run.add_class("ld-run")
        self.statement.add_class("ld-statement")
        self.least_name.add_class("ld-label")
        self._least = widgets.VBox([self.least_name, self.min_patients])
        self._least.add_class("ld-field")
        self._draws = widgets.HBox(
            [labelled("Permutations", self.n_permutations), labelled("Seed", self.seed)]
        )
        self._draws.add_class("ld-pair")
        self._choose = widgets.VBox(
            [
                labelled("Test", self.test, self.test_hint),
                self._least,
                labelled("Correction for many voxels", self.correction, self.correction_hint),
                self._draws,
            ]
        )
        self._choose.add_class("ld-plain")
        busy = widgets.HBox([self.busy, self.cancel])
        busy.add_class("ld-busy-line")
        head = widgets.HBox([heading("2  Test"), self.run])
        parts = [busy, self._choose, self.statement, self.size, self.notes]
        return card(head, *parts, name="roi-test")

    def _offer_tests(self) -> None:
        tests = TESTS_OF[self._choices.kind] or tuple(TESTS)
        self.test.options = [(_TEST_NAMES[key], key) for key in tests]
        self.correction.options = [(words, key) for key, words in _CORRECTION_NAMES.items()]

    def _kind_chosen(self, _change: Any = None) -> None:
        kind = self._choices.kind
        tests = [(_TEST_NAMES[key], key) for key in TESTS_OF[kind]]
        if tests and tuple(tests) != self.test.options:
            self.test.options = tests
        words = _LEAST_WORDS.get(kind, "")
        self.least_name.value = words
        (self._least.remove_class if words else self._least.add_class)("ld-hidden")
        (self._choose.remove_class if TESTS_OF[kind] else self._choose.add_class)("ld-hidden")
        self.run.description = "Run the test" if TESTS_OF[kind] else "Open the map"
        self._describe()

    def _describe(self, _change: Any = None) -> None:
        choices = self._choices
        corrections = corrections_of(choices.test)
        options = [(words, key) for key, words in _CORRECTION_NAMES.items() if key in corrections]
        if tuple(options) != self.correction.options:
            correction = choices.correction
            self.correction.options = options
            choices.correction = correction if correction in corrections else "none"
        set_text(self.test_hint, f"{TESTS[choices.test]}.")
        words = CORRECTIONS[choices.correction]
        set_text(self.correction_hint, f"{words[0].upper()}{words[1:]}.")
        is_fwe = choices.correction == "fwe"
        (self._draws.remove_class if is_fwe else self._draws.add_class)("ld-hidden")
