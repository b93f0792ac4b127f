"""The patients of a cohort: volumes as a table and a histogram, and how files were validated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import ipywidgets as widgets
import pandas as pd

from ...analyses.validation import FileReport, report_of
from ...cohort.cohort import Cohort
from ...cohort.columns import with_unit
from ...cohort.notes import kind_of
from ...cohort.participants import Units
from ...core.formats import COUNT, VOLUME, Format, decimals_of
from ...plotting.figures import ML, draw_histogram
from ..app_context import AppContext
from ..code import Code
from ..controls import card, download_button, heading, note, set_text
from ..outline import find_outline, key_of, pick_patient, row_of_file
from ..sentences import without_options
from ..session import PATIENTS_FILE
from ..widgets.table import Column, Table
from .chart import Chart
from .code import CodeCard, place_below
from .outline import OutlineLine


def patients_code(context: AppContext, page: PatientsPage) -> widgets.Box:
    """The page, and below it the code of the patients of A or B."""
    code = Code(context.session)

    def lines() -> tuple[str, str]:
        return code.patients(str(getattr(context.choices, f"cohort_{page.side.value}")))

    made = CodeCard(context, lines).follow(context.choices, "cohort_a", "cohort_b")
    return place_below(page.widget, made.follow(page.side, "value"))


# The patients of a cohort: volumes as a table and a histogram, and how files were validated.


TITLE = "Patients"
PATIENT = Column("patient", "Patient")
VOLUME_ML = Column(
    "volume_mm3", "Volume (mL)", VOLUME, 1 / ML, "Total lesion volume: all voxels of the mask"
)
VOXELS = Column("voxels", "Voxels", COUNT, help="Voxels of the mask")
_OWN = (PATIENT, VOLUME_ML, VOXELS, Column("status", "Status"))
_NOT_SHOWN = frozenset({"file", "reason", *(column.key for column in _OWN)})
_MOST_DECIMALS = 2  # of a participant's value; a year or a score has none

_FEW = 3
"""So many files are named one by one."""


def build(context: AppContext) -> widgets.Widget:
    """A table of patients, a histogram of their volumes, and the report on their files."""
    return patients_code(context, PatientsPage(context))


class PatientsPage:
    """The patients of A or B."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self.side = widgets.ToggleButtons(options=[("A", "a"), ("B", "b")])
        self.caption = note()
        guard = context.banner.guard
        self.table = Table(
            "Patients", "patients", guard(self._pick), rows=18,
            order=(VOLUME_ML.key, True), on_none=guard(self._leave),
        )  # fmt: skip
        self.line = OutlineLine(context, leads_to_brain=True)
        self.histogram = Chart(context, "Histogram of lesion volumes in mL")
        self.report_caption = note()
        self.report = Table(
            "File check", "report", rows=6, empty="No notes: every file is used as it is"
        )
        save = context.banner.guard(self._save)
        self.download = download_button("CSV", f"Save {PATIENTS_FILE}", save)
        self.widget = self._lay_out()
        update = context.banner.guard(self._update)
        say = guard(self._say_outline)
        context.choices.observe(update, names=["cohort_a", "cohort_b"])
        context.choices.observe(say, names=["cohort_a", "cohort_b", "patient"])
        for shown in (update, say):
            self.side.observe(shown, names="value")
        self._update()
        self._say_outline()

    def _lay_out(self) -> widgets.Box:
        report_title = widgets.HBox([heading("File check"), self.report_caption])
        parts = [heading("Patients"), self.side, self.caption, self.line.widget, self.download]
        title = widgets.HBox(parts)
        page = widgets.Box(
            [
                card(title, self.table, name="patients"),
                card("Lesion volumes", self.histogram.widget, name="volumes"),
                card(report_title, self.report, name="report-card"),
            ]
        )
        page.add_class("ld-patients-page")
        return page

    def _cohort(self) -> Cohort | None:
        name = getattr(self._context.choices, f"cohort_{self.side.value}")
        return self._context.session.cohort(name)

    def _update(self, _change: Any = None) -> None:
        cohort = self._cohort()
        self.download.disabled = cohort is None
        if cohort is None:
            side = self.side.value.upper()
            set_text(self.caption, f"Choose folder {side} on the first page to see its patients.")
            self.table.show(NOBODY, shown_columns(NOBODY, Units()))
            self.histogram.clear()
            set_text(self.report_caption, f"Choose folder {side} on the first page.")
            self.report.show(shown_report(()), REPORT)
            return
        set_text(
            self.caption, f"{cohort.name}: {cohort.n_patients:,} of {len(cohort.patients):,} used"
        )
        table = cohort.table
        self.table.show(table, shown_columns(table, cohort.units))
        report = report_of(cohort)
        set_text(self.report_caption, report.sentence)
        self.report.show(shown_report(report.files), REPORT)
        volumes = cohort.volumes * (cohort.grid.voxel_volume / ML)
        self.histogram.show(partial(draw_histogram, volumes, cohort.name))

    def _pick(self, position: int) -> None:
        cohort = self._cohort()
        if cohort is not None:
            self._context.banner.clear()
            row = row_of_file(cohort, cohort.patients[position].file)
            name = str(getattr(self._context.choices, f"cohort_{self.side.value}"))
            pick_patient(self._context, name, row)

    def _leave(self) -> None:
        self._context.choices.patient = ""

    def _say_outline(self, _change: Any = None) -> None:
        session, cohort, patient = (
            self._context.session,
            self._cohort(),
            self._context.choices.patient,
        )
        self.line.say(find_outline(session, self._context.choices))
        name = str(getattr(self._context.choices, f"cohort_{self.side.value}"))
        every = () if cohort is None else cohort.patients
        rows = [
            row
            for row, patient_row in enumerate(every)
            if key_of(session, name, patient_row) == patient
        ]
        self.table.mark(rows[0] if rows else None)

    def _save(self) -> None:
        cohort = self._cohort()
        if cohort is not None:
            self._context.saver.save(PATIENTS_FILE, cohort.files_csv)


NOBODY = pd.DataFrame(columns=[column.key for column in _OWN])


def shown_columns(
    frame: pd.DataFrame, units: Units, own: Sequence[Column] = _OWN
) -> tuple[Column, ...]:
    """The columns of a list of patients: its own, then those of the participants table.

    Parameters
    ----------
    frame : DataFrame
    units : Units
        Of the participants table.
    own : sequence of Column
        Columns of `frame` that are not participants table's.
    """
    keys = _NOT_SHOWN | {column.key for column in own}
    titles = {column.title for column in own}
    return (
        *own,
        *(_participants_column(frame[key], units, titles) for key in frame if key not in keys),
    )


def _participants_column(values: pd.Series[Any], units: Units, taken: set[str]) -> Column:
    """Numbers with as many decimals as they have: ages in years are whole."""
    key = str(values.name)
    title = with_unit(key, units.of(key))
    decimals = None
    if pd.api.types.is_numeric_dtype(values):
        decimals = decimals_of(values.dropna().tolist(), _MOST_DECIMALS)
    return Column(
        key,
        f"{title} (table)" if title in taken else title,
        None if decimals is None else Format(decimals, decimals),
    )


REPORT = (
    Column("File", "File", wraps=True),
    Column("Outcome", "Outcome"),
    Column("Reason", "Reason", wraps=True),
)


def shown_report(files: Sequence[FileReport]) -> pd.DataFrame:
    """What is to be said of files: what is refused, what is said of most, then the rarest.

    A warning of most files is one row, so that it does not hide the others; so is one that differs
    in its numbers, with one file as an example.
    """
    own = [report for report in files if report.file != "."]
    warned = [patient for patient in own if patient.outcome == "warn"]
    counts = Counter(kind_of(reason) for patient in warned for reason in patient.reasons)
    common = {kind: n for kind, n in counts.items() if n > max(_FEW, len(own) / 2)}
    refused = [
        (_name(patient), "refused", patient.reasons)
        for patient in files
        if patient.outcome == "reject"
    ]
    ranked: list[tuple[int, str, str, tuple[str, ...]]] = []
    for patient in files:
        reasons = tuple(reason for reason in patient.reasons if kind_of(reason) not in common)
        if patient.outcome == "warn" and reasons:
            rarest = min(counts[kind_of(reason)] for reason in reasons)
            outcome = (
                "note" if patient.file == "." else "warning"
            )  # of no file, and counted as none
            ranked.append((rarest, _name(patient), outcome, reasons))
    rare = [rest for _, *rest in sorted(ranked, key=lambda row: row[0])]
    common_rows = [
        (_share(n, len(own)) + example, "warning", (reason,))
        for kind, n in common.items()
        for example, reason in [_example(warned, kind)]
    ]
    rows = [
        (file, outcome, "; ".join(map(without_options, why)))
        for file, outcome, why in [*refused, *common_rows, *rare]
    ]
    return pd.DataFrame(rows, columns=["File", "Outcome", "Reason"])


def _example(files: Sequence[FileReport], kind: str) -> tuple[str, str]:
    """The reason of this kind, with one of its files where it is not the same of all."""
    every = [(file.file, why) for file in files for why in file.reasons if kind_of(why) == kind]
    (first, reason), *_ = every
    return (f", such as {first}" if len({why for _, why in every}) > 1 else ""), reason


def _name(report: FileReport) -> str:
    return "the whole folder" if report.file == "." else report.file


def _share(number: int, total: int) -> str:
    return f"all {total} files" if number == total else f"{number} of {total} files"
