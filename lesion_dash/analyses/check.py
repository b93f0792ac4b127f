"""`lesion-dash check`: print a validation report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.space import spaces_stated
from . import fields
from .console import json_lines
from .fields import source
from .request import Progress, Request, Result

if TYPE_CHECKING:
    from .validation import ValidationReport


class Check(Request):
    """Check which files of a folder would be used; or a mask, an atlas or a table.

    Exit code: 0 all is well, 1 there are warnings, 2 nothing is usable.
    """

    command = "check"
    example = "masks/"

    path: str = source("folder, image or table, or the URL of one", "PATH", positional=True)
    as_json: fields.AsJson
    strict: fields.Strict
    like: str | None = source("a mask or folder: PATH is to fit on its grid", "MASKS", default=None)
    pattern: fields.Pattern
    session: fields.Session
    several_files: fields.SeveralFiles
    threshold: fields.Threshold
    label: fields.Label
    space: fields.Space

    def run(self, progress: Progress) -> Result:
        from ..cohort.file_choice import FileChoice
        from ..images.masks import Binarization
        from .validation import check_path

        choice = Binarization(self.threshold, self.label)
        files = FileChoice(self.session, self.several_files, self.pattern)
        shown = progress("checking files", "file")
        stated = spaces_stated(self.space, "masks")
        report = check_path(self.path, self.like, choice, shown, files, *stated)
        space = [f"space: {report.space}"] if report.space else []
        lines = _json(report) if self.as_json else [*report.lines, *space, report.sentence]
        return Result(lines=lines, exit_code=report.exit_code)


def _json(report: ValidationReport) -> list[str]:
    files = [
        {"file": file.file, "outcome": file.outcome, "reasons": list(file.reasons)}
        for file in report.files
    ]
    summary = {"path": report.path, "outcome": report.outcome, **report.counts}
    summary["space"] = report.space or None
    return json_lines({"files": files, "summary": summary})
