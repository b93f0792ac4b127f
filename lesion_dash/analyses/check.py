"""What `lesion-dash check` does: print a validation report."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from .console import progress_bar, say, say_json

if TYPE_CHECKING:
    from .validation import ValidationReport

_MANY_FILES = 5


def run_check(options: argparse.Namespace) -> int:
    """Print the validation report."""
    from ..images.masks import Binarization
    from .validation import check_path

    choice = Binarization(options.threshold, options.label)
    report = check_path(options.path, options.like, choice, progress_bar("checking files", "file"))
    if options.json:
        files = [
            {"file": file.file, "outcome": file.outcome, "reasons": list(file.reasons)}
            for file in report.files
        ]
        summary = {"path": report.path, "outcome": report.outcome, **report.counts}
        say_json({"files": files, "summary": summary})
        return report.exit_code
    _print_report(report)
    return report.exit_code


def _print_report(report: ValidationReport) -> None:
    """A line for each file; a sentence that is said of many files stands once."""
    times = Counter(reason for file in report.files for reason in file.reasons)
    common = [reason for reason, count in times.items() if count > _MANY_FILES]
    for file in report.files:
        own = [reason for reason in file.reasons if reason not in common]
        if file.outcome == "reject" or own:
            name = "the folder" if file.file == "." else file.file
            say(f"{file.outcome:7} {name}: {'; '.join(own or file.reasons)}")
    for reason in common:
        say(f"{times[reason]} files: {reason}")
    say(report.sentence)
