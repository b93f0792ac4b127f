"""At the foot of the first page: a report on what is chosen, to read, print and hand on."""

from __future__ import annotations

import threading
from datetime import date, datetime
from functools import partial

import ipywidgets as widgets

from ...report.page import PAGE_NAME
from ...report.report import Report
from ..app_context import AppContext
from ..archive import zip_of
from ..controls import card, download_button, heading, labelled, note, set_text
from ..reporting import ReportChoice, Reporting
from .map_card import plain_button

ARCHIVE_NAME = "report.zip"
_ABOUT = "One page with patients, maps, tables, methods and code. Self-contained HTML; print-ready."
_EMPTY = "Choose folder A to make a report."
_LONGEST_TITLE = 200


class ReportPanel:
    """Makes a report beside the page and hands it to the browser.

    Parameters
    ----------
    context : AppContext
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.reporting = Reporting(context.session)
        self._stop = threading.Event()
        self._running: ReportChoice | None = None
        self._maker = context.worker(self._failed)
        self.title = widgets.Text(placeholder="Title (optional)", continuous_update=False)
        self.make = plain_button("Make the report", "Takes some seconds")
        self.cancel = plain_button("Cancel", "Stop making the report")
        self.bar = widgets.IntProgress(min=0, max=1)
        self.state = note()
        guard = context.banner.guard
        self.page = download_button("Save page", f"Save {PAGE_NAME}", guard(self._save_page))
        self.all = download_button(
            "Save all files",
            f"Save {ARCHIVE_NAME}: the page, maps and tables",
            guard(self._save_all),
        )
        self.widget = self._lay_out()
        self.make.on_click(guard(lambda _: self._start()))
        self.cancel.on_click(guard(lambda _: self._stop.set()))
        self.title.observe(guard(lambda _: self._update()), names="value")
        names = ["cohort_a", "cohort_b", "min_patients", "loaded_atlases"]
        context.choices.observe(guard(lambda _: self._update()), names=names)
        self._update()

    def _lay_out(self) -> widgets.VBox:
        self._progress = widgets.HBox([self.bar, self.cancel])
        row = widgets.HBox(
            [
                labelled("Title", self.title),
                labelled("Report", self.make),
                labelled("Progress", self._progress, self.state),
                labelled("Save", widgets.HBox([self.page, self.all])),
            ]
        )
        row.add_class("ld-report-row")
        head = widgets.HBox([heading("Report"), note(_ABOUT)])
        return card(head, row, name="report")

    @property
    def choice(self) -> ReportChoice | None:
        """What would be reported now."""
        now = self._context.choices.selection
        if not now.cohort_a:
            return None
        title = str(self.title.value)[:_LONGEST_TITLE]
        uses = self._context.session.uses_of(now.atlases)
        return ReportChoice(now.cohort_a, now.cohort_b, now.min_patients, now.atlases, title, uses)

    @property
    def report(self) -> Report | None:
        """The report on what is chosen now, where it was made."""
        choice = self.choice
        return self.reporting.known(choice, _today()) if choice else None

    def _start(self) -> None:
        choice = self.choice
        if choice is None or choice == self._running:
            return
        self._context.banner.clear()
        self._stop.set()
        self._stop, self._running = threading.Event(), choice
        tell = partial(self._maker.tell, self._show_progress, choice)
        job = partial(self.reporting.make, choice, _today(), tell, self._stop)
        self._maker.submit(job, lambda _report: self._finish(choice))
        self._update()

    def _finish(self, done: ReportChoice) -> None:
        if self._running == done:
            self._running = None
        self._update()

    def _failed(self, error: Exception) -> None:
        self._running = None
        self._update()
        self._context.banner.show(error)

    def _show_progress(self, choice: ReportChoice, done: int, total: int) -> None:
        if choice == self._running:
            self.bar.max, self.bar.value = total, done
            set_text(self.state, f"{done} of {total} parts")

    def _update(self) -> None:
        choice, report = self.choice, self.report
        if self._running is not None and self._running != choice:
            self._stop.set()  # what is being made is no longer asked for
            self._running = None
        is_running = self._running is not None
        self.make.disabled = choice is None or is_running or report is not None
        self.page.disabled = self.all.disabled = report is None
        (self._progress.remove_class if is_running else self._progress.add_class)("ld-unseen")
        if is_running:
            return
        self.bar.value = 0
        ready = f"Ready: {PAGE_NAME}, {len(report.html) / 1e6:.1f} MB" if report else ""
        set_text(self.state, ready if choice else _EMPTY)

    def _save_page(self) -> None:
        report = self.report
        if report is not None:
            self._context.saver.save(PAGE_NAME, report.files[PAGE_NAME])

    def _save_all(self) -> None:
        report = self.report
        if report is not None:
            self._context.saver.save(ARCHIVE_NAME, zip_of(report.files))


def _today() -> date:
    return datetime.now().astimezone().date()
