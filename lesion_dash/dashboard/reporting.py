"""The report on what is chosen, as `lesion-dash report` makes it; each is made once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ..cohort.file_choice import joint_choice
from ..core.errors import Cancelled
from ..report.findings import ReportRequest
from ..report.report import Report
from .cache import Cache
from .session import Session


@dataclass(frozen=True)
class ReportChoice:
    """What a report is asked for.

    Parameters
    ----------
    cohort_a, cohort_b : str
        Names of loaded cohorts, `cohort_b` empty where there is none.
    min_patients : int
    atlases : tuple of str
        Names of the loaded atlases.
    title : str
        Empty for the names of the cohorts.
    atlas_uses : tuple of str
        What was said of each atlas, see `AtlasUse`, or of none.
    """

    cohort_a: str
    cohort_b: str
    min_patients: int
    atlases: tuple[str, ...]
    title: str = ""
    atlas_uses: tuple[str, ...] = ()


@dataclass(eq=False)
class Reporting:
    """The reports of a session.

    Parameters
    ----------
    session : Session
    """

    session: Session
    _reports: Cache = field(default_factory=lambda: Cache(2))

    def known(self, choice: ReportChoice, day: date) -> Report | None:
        """A report that was made already."""
        key = choice, day
        report: Report | None = self._reports.get(key, _nothing) if key in self._reports else None
        return report

    def make(
        self,
        choice: ReportChoice,
        day: date,
        tell: Callable[[int, int], None],
        stop: threading.Event,
    ) -> Report:
        """Make a report; the whole folders are given, and their conditions asked by the report.

        Parameters
        ----------
        choice : ReportChoice
        day : date
        tell : callable
            Given steps done, and steps in all.
        stop : Event
            Ends the work at the next step.
        """
        from ..analyses.report import make_report

        def progress(done: int, total: int) -> None:
            if stop.is_set():
                raise Cancelled
            tell(done, total)

        folder_a, where_a = self.session.origin(choice.cohort_a)
        folder_b, where_b = self.session.origin(choice.cohort_b)
        names = (choice.cohort_a, choice.cohort_b or choice.cohort_a)
        files = joint_choice(*map(self.session.files_of, names))
        read = vars(files) | {"space": self.session.stated_spaces(files, choice.atlases)}
        where: dict[str, Any] = (
            {"where_a": where_a, "where_b": where_b} if folder_b else {"where": where_a}
        )
        accepted = self.session.joint_sides(choice.atlases)["accept_swapped"]
        request = ReportRequest(
            choice.min_patients, title=choice.title, accept_swapped=accepted, **where, **read
        )
        a, b = self.session.load(folder_a), self.session.cohort(folder_b)
        atlases = [atlas for atlas in map(self.session.atlas, choice.atlases) if atlas is not None]
        return self._reports.get(
            (choice, day), lambda: make_report(a, b, atlases, request, day, progress)
        )


def _nothing() -> None:
    return None
