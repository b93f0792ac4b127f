"""What `lesion-dash report` does: one page on a folder of masks, or on two, with its files."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from .console import say
from .options import add_where_each, load_folder, open_atlas, report_skipped

if TYPE_CHECKING:
    from ..cohort.cohort import Cohort
    from ..report.findings import ReportRequest


TEXT = "one HTML file to read, print and hand on, with the maps and tables it is made of"
_ASKED = ("min_patients", "where", "where_a", "where_b", "title", "pattern", "threshold", "label")


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What is reported; results, K and how folders are read are chosen as for `stats`."""
    parser.add_argument("a", metavar="A", help="folder or URL of binary masks, one a patient")
    parser.add_argument(
        "b", metavar="B", nargs="?", help="folder or URL of masks that A is compared with"
    )
    add_where_each(parser)
    parser.add_argument(
        "--atlas",
        metavar="ATLAS",
        help="for the table of regions: labelled or probabilistic NIfTI image, a folder of maps, "
        "or a name from `lesion-dash atlases`",
    )
    parser.add_argument(
        "--labels", metavar="TABLE", help="names of its regions (default: the table beside it)"
    )
    parser.add_argument("--title", metavar="TEXT", default="", help="of the page")
    parser.add_argument("--participants", metavar="TABLE", help="participants .tsv or .csv")


def run_report(options: argparse.Namespace) -> int:
    """Write the page, the maps, the tables and the provenance."""
    from ..files.writing import write_atomically
    from ..report.report import file_names, make_report

    request = _request(options)
    names = file_names(options.b is not None, options.atlas is not None)
    with write_atomically(options.output, names, options.overwrite) as writer:
        _check_folders(options, request)
        atlas = open_atlas(options.atlas, options.labels) if options.atlas is not None else None
        cohorts = _load(options)
        b = cohorts[1] if options.b is not None else None
        report = make_report(cohorts[0], b, atlas, request)
        for name, content in report.files.items():
            writer.add(name, content)
    for cohort in dict.fromkeys(cohorts):
        report_skipped(cohort)
    for sentence in report.sentences:
        say(sentence)
    say(f"{len(names)} files in {options.output}: open {writer.folder / names[0]}")
    return 0


def _request(options: argparse.Namespace) -> ReportRequest:
    """What is asked, checked before a mask is read."""
    from ..report.findings import ReportRequest

    if options.b is None and options.where_b:
        raise InputError("--where-b", "there is no folder B to ask", "give one, or use --where")
    if options.labels is not None and options.atlas is None:
        raise InputError("--labels", "names the regions of no atlas", "give --atlas as well")
    given: dict[str, Any] = {key: getattr(options, key) for key in _ASKED}
    return ReportRequest(**given)


def _check_folders(options: argparse.Namespace, request: ReportRequest) -> None:
    """Folders, tables and columns: a wrong name is told before many masks are read."""
    from ..cohort.conditions import exclude_patients
    from ..cohort.participants import read_participants
    from ..files.listing import check_folder

    for letter, folder in zip("ab", (options.a, options.b), strict=True):
        if folder is not None:
            place = check_folder(folder)
            table, notes = read_participants(place, options.participants)
            exclude_patients(request.conditions(letter), table, (), place, notes)


def _load(options: argparse.Namespace) -> list[Cohort]:
    """The whole folders, as the report asks the conditions itself; one folder is read once."""
    whole = argparse.Namespace(**vars(options) | {"where": []})
    folders = [options.a, *([options.b] if options.b is not None else [])]
    read = {
        folder: load_folder(folder, whole, options.participants)
        for folder in dict.fromkeys(folders)
    }
    return [read[folder] for folder in folders]
