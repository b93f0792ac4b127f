"""Validation: what would become of each file, and why."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..atlas.finding import (
    atlases_in,
    find_atlases,
    find_label_table,
    find_maps_table,
    find_unread_table,
)
from ..atlas.formats import has_table_ending
from ..atlas.loading import OtherTable, load_atlas
from ..atlas.tables import read_label_table
from ..cohort.cohort import CohortListing
from ..cohort.file_choice import ALL_FILES, FileChoice
from ..cohort.joining import ID_COLUMNS
from ..cohort.loading import read_listing
from ..cohort.notes import by_reason, group_notes, said_of
from ..cohort.participants import Outcome, Patient, read_participants_table
from ..cohort.reading import FolderReading, ReadOptions, read_folder
from ..cohort.spaces import notes_on_spaces
from ..core.errors import InputError
from ..core.grid import Grid, is_near
from ..core.text import counted
from ..files.contents import UNFETCHED
from ..files.listing import has_image_ending, list_images, other_format
from ..files.paths import AnyPath, PathInput, as_path, path_below
from ..files.reading import PARTICIPANTS, read_text
from ..images.masks import BINARY, Binarization, mask_of, volume_grid
from ..images.reading import read_header, read_raw_image
from ..images.space import in_space, space_of

if TYPE_CHECKING:
    import pandas as pd


_EXIT_CODES = {"accept": 0, "warn": 1, "reject": 2}


@dataclass(frozen=True)
class FileReport:
    """What would become of one file.

    Parameters
    ----------
    file : str
        Path below the folder that was checked; ``.`` is that folder.
    outcome : str
        ``accept``; ``warn``: used and flagged, or passed over; ``reject``: cannot be used.
    reasons : tuple of str
    used : bool
        Whether it would be counted.
    """

    file: str
    outcome: Outcome
    reasons: tuple[str, ...]
    used: bool


@dataclass(frozen=True)
class ValidationReport:
    """What would become of each file of a folder, or of a single file.

    Parameters
    ----------
    path : str
        What was checked.
    files : tuple of FileReport
    of_atlases : bool
        The files are atlases of a folder, each for itself, and not masks that count together.
    space : str
        What the image states of its space, or what most masks do; empty where it is not known.
    """

    path: str
    files: tuple[FileReport, ...]
    of_atlases: bool = False
    space: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many files are used, skipped, and used with a warning."""
        files = [report for report in self.files if report.file != "."]
        if any(report.file == "." and report.outcome == "reject" for report in self.files):
            return {"used": 0, "skipped": len(files), "warnings": 0}
        return {
            "used": sum(report.used for report in files),
            "skipped": sum(not report.used for report in files),
            "warnings": sum(report.used and report.outcome == "warn" for report in files),
        }

    @property
    def outcome(self) -> Outcome:
        """``reject`` where nothing is usable, ``warn`` where there is any note."""
        whole = [report for report in self.files if report.file == "."]
        if not self.counts["used"] or any(report.outcome == "reject" for report in whole):
            return "reject"
        return "accept" if all(r.outcome == "accept" for r in self.files) else "warn"

    @property
    def exit_code(self) -> int:
        """0: all is well; 1: there are warnings; 2: nothing is usable."""
        return _EXIT_CODES[self.outcome]

    @property
    def sentence(self) -> str:
        """The counts in words.

        Examples
        --------
        >>> ValidationReport("x", (FileReport("a.nii", "warn", ("mask is empty",), True),)).sentence
        '1 used, 0 skipped, 1 with warnings'
        """
        counts = self.counts
        used, skipped, warnings = counts["used"], counts["skipped"], counts["warnings"]
        if self.of_atlases:
            atlases = "1 atlas" if used == 1 else f"{used} atlases"
            unusable = f", {skipped} that cannot be used" if skipped else ""
            return atlases + unusable + (f", {warnings} with warnings" if warnings else "")
        on_folder = sum(
            len(report.reasons)
            for report in self.files
            if report.file == "." and report.outcome == "warn"
        )
        parts = [f"{used} used", f"{skipped} skipped"]
        if warnings or not on_folder:
            parts.append(f"{warnings} with warnings")
        if on_folder:
            parts.append(f"{counted(on_folder, 'warning')} on the folder")
        return ", ".join(parts)

    @property
    def lines(self) -> list[str]:
        """Each outcome but ``accept`` with its reason, the same of several files once.

        Examples
        --------
        >>> empty = [FileReport(f"{n}.nii", "warn", ("mask is empty",), True) for n in range(9)]
        >>> ValidationReport("x", tuple(empty)).lines
        ['warn    9 files, such as 0.nii: mask is empty']
        """
        of_folder = " ".join(
            r for report in self.files if report.file == "." for r in report.reasons
        )

        def is_said(reason: str) -> bool:
            """Whether the folder's reasons say it, and of how many files."""
            return reason in of_folder or (UNFETCHED in of_folder and UNFETCHED in reason)

        noted = [
            (report.outcome, "the folder" if report.file == "." else report.file, reason)
            for report in self.files
            if report.outcome != "accept"
            for reason in report.reasons
            if report.file == "." or not is_said(reason)
        ]
        return [
            f"{outcome:7} {said_of(*group)}"
            for outcome in ("reject", "warn")
            for group in by_reason((file, why) for kind, file, why in noted if kind == outcome)
        ]

    @property
    def table(self) -> pd.DataFrame:
        """A row per file: file, outcome, reasons."""
        import pandas as pd

        rows = [[report.file, report.outcome, "; ".join(report.reasons)] for report in self.files]
        return pd.DataFrame(rows, columns=["file", "outcome", "reasons"])


def check_path(
    path: PathInput,
    like: PathInput | None = None,
    choice: Binarization = BINARY,
    progress: Callable[[int, int], None] | None = None,
    files: FileChoice = ALL_FILES,
    space: str | None = None,
) -> ValidationReport:
    """Say what would become of a folder of masks, a mask, an atlas or a table.

    Parameters
    ----------
    path : path or URL
        A folder of masks, of an atlas's maps with their label table, or of atlases with a label
        table each; an image (an atlas where a label table lies beside it, a mask otherwise); a
        label table or a participants table.
    like : path or URL, optional
        A mask or a folder of masks on whose grid an image is to be used.
    choice : Binarization
        How to make masks of probability or label maps.
    progress : callable, optional
        Called with (files done, files in all).
    files : FileChoice
        Which of a patient's files count.
    space : str, optional
        The space that all lies in, as for `load_cohort`.

    Examples
    --------
    >>> check_path("sample_data/cohort_a").sentence
    '40 used, 0 skipped, 0 with warnings'
    """
    place = as_path(path)
    try:
        table = None
        if place.is_dir():
            options = ReadOptions(
                pattern=files.pattern,
                session=files.session,
                several_files=files.several_files,
                choice=choice,
                progress=progress,
                space=space,
            )
            report = _check_folder(place, options)
            table = find_maps_table(place) if report.outcome == "reject" else None
            if table is None:
                atlases = _only_atlases(place) if not report.counts["used"] else {}
                return _check_each(place, atlases, like) if atlases else report
        grid = _grid_of(as_path(like)) if like is not None else None
        notes = _check_atlas(place, table, grid) if table else _check_file(place, grid, choice)
        own = _grid_of_file(place)
        stated = "" if own is None else str(space_of(in_space(own, space)))
        if own is not None and space is None:
            notes += _notes_on_space(place, own, choice)
        outcome: Outcome = "warn" if notes else "accept"
        report_on_file = FileReport(place.name, outcome, notes, used=True)
    except InputError as error:
        report_on_file, stated = FileReport(place.name, "reject", (error.reason,), used=False), ""
    return ValidationReport(str(place), (report_on_file,), space=stated)


def report_of(cohort: CohortListing) -> ValidationReport:
    """The validation report of a cohort that was read."""
    notes = group_notes(cohort.notes)
    whole = (FileReport(".", "warn", notes, used=True),) if notes else ()
    files = (*whole, *map(_report_patient, cohort.patients))
    return ValidationReport(str(cohort.folder), files, space=str(space_of(cohort.grid)))


def _report_patient(patient: Patient) -> FileReport:
    return FileReport(patient.file, patient.outcome, patient.reasons, patient.status == "used")


def _check_folder(folder: AnyPath, options: ReadOptions) -> ValidationReport:
    try:
        # The reading of every command, so that all of them say the same.
        report, grid = _report_listing(read_listing(folder, options))
    except InputError:
        try:
            reading = read_folder(folder, options)
        except InputError as error:
            whole = FileReport(".", "reject", (error.reason,), used=False)
            return ValidationReport(str(folder), (whole,))
        report, grid = _report_fault(folder, reading), reading.grid
    atlases = _check_atlases(folder, report, grid)
    reports = (file for file in report.files if file.file not in atlases)
    return replace(report, files=(*reports, *atlases.values()))


def _report_listing(cohort: CohortListing) -> tuple[ValidationReport, Grid | None]:
    return report_of(cohort), cohort.grid


def _report_fault(folder: AnyPath, reading: FolderReading) -> ValidationReport:
    """The report on a folder that makes no cohort."""
    whole = list[FileReport]()
    if reading.fault:
        fault = getattr(reading.fault, "on_command_line", reading.fault)
        whole.append(FileReport(".", "reject", (fault.reason, *fault.details), used=False))
    return ValidationReport(str(folder), (*whole, *map(_report_patient, reading.patients)))


def _check_atlases(
    folder: AnyPath, report: ValidationReport, grid: Grid | None
) -> dict[str, FileReport]:
    """Label maps with a table beside them are atlases that lie among the masks."""
    reports = {}
    for file in (each.file for each in report.files if each.outcome == "reject" or not each.used):
        path = folder / file
        table = find_label_table(path) if file != "." else None
        if file == "." or (table is None and find_unread_table(path) is None):
            continue
        try:
            notes = _check_atlas(path, table, grid)
            outcome: Outcome = "warn" if notes else "accept"
            reports[file] = FileReport(file, outcome, (*notes, "an atlas, not counted"), used=False)
        except InputError as error:
            reports[file] = FileReport(file, "reject", (error.reason,), used=False)
    return reports


def _only_atlases(folder: AnyPath) -> dict[AnyPath, AnyPath | None]:
    """Atlases below a folder with their tables, where every image is one or is part of one."""
    atlases = dict(find_atlases(folder).values())
    images = list_images(folder).images
    only = all(image in atlases or image.parent in atlases for image in images)
    return atlases if only else {}


def _check_each(
    folder: AnyPath, atlases: dict[AnyPath, AnyPath | None], like: PathInput | None
) -> ValidationReport:
    """The report on a folder of atlases, each by its own outcome."""
    grid = _grid_of(as_path(like)) if like is not None else None
    reports = []
    for path, table in atlases.items():
        file = path_below(path, folder)
        try:
            notes = _check_atlas(path, table, grid)
            reports.append(FileReport(file, "warn" if notes else "accept", notes, used=True))
        except InputError as error:
            reports.append(FileReport(file, "reject", (error.reason,), used=False))
    return ValidationReport(str(folder), tuple(reports), of_atlases=True)


def _check_file(path: AnyPath, grid: Grid | None, choice: Binarization) -> tuple[str, ...]:
    if has_table_ending(path):
        return _check_table(path, grid)
    if not path.exists() and not path.is_symlink():
        raise InputError(path, "file not found", "check the spelling of the path")
    if not has_image_ending(path.name):
        what, _, remedy = (other_format(path) if isinstance(path, Path) else "").partition("; ")
        if what:
            raise InputError(path, what, remedy)
        problem = "is a file, not a folder, and no image or table that is known here"
        raise InputError(path, problem, "give a folder, a .nii or .nii.gz image, or a table")
    table = find_label_table(path)
    if choice == BINARY and table is not None:
        try:
            return _check_atlas(path, table, grid)
        except OtherTable:
            # A text of something else beside a mask makes no atlas of it.
            with suppress(InputError):
                return _check_mask(path, grid, choice)
            raise
    try:
        return _check_mask(path, grid, choice)
    except InputError:
        if find_unread_table(path) is None:
            raise
        return _check_atlas(path, None, grid)


def _grid_of_file(path: AnyPath) -> Grid | None:
    """The grid of an image, or of the first map of an atlas; None of a table alone."""
    image: AnyPath | None = path
    if path.is_dir():
        image = next(iter(list_images(path).images), None)
    elif has_table_ending(path):
        image = _image_of(path)
    return read_header(image).grid if image is not None else None


def _notes_on_space(path: AnyPath, grid: Grid, choice: Binarization) -> tuple[str, ...]:
    """What an image that is checked alone states of its space, where that is not a standard one.

    Of an atlas, only a space of another standard: few state any.
    """
    space = space_of(grid)
    is_atlas = path.is_dir() or has_table_ending(path)
    is_atlas = is_atlas or (choice == BINARY and find_label_table(path) is not None)
    noted = not is_atlas or space.kind == "template"
    return notes_on_spaces({path.name: space}, grid) if noted else ()


def _check_mask(path: AnyPath, grid: Grid | None, choice: Binarization) -> tuple[str, ...]:
    header = read_header(path)
    own = volume_grid(path, header)
    if grid is not None and not is_near(own, grid):
        raise InputError(path, own.difference(grid), "bring it onto the others' grid")
    return mask_of(read_raw_image(path), choice).notes


def _check_atlas(path: AnyPath, table: AnyPath | None, grid: Grid | None) -> tuple[str, ...]:
    atlas = load_atlas(path, table)
    return (atlas.on_grid(grid) if grid is not None else atlas).notes


def _check_table(path: AnyPath, grid: Grid | None) -> tuple[str, ...]:
    header = read_text(path, PARTICIPANTS)[0].partition("\n")[0]
    if set(ID_COLUMNS) & set(re.split(r"[,;\t]", header.strip())):
        return read_participants_table(path).notes
    table = read_label_table(path)
    image = _image_of(path)
    return _check_atlas(image, path, grid) if image else table.notes


def _image_of(table: AnyPath) -> AnyPath | None:
    """The image beside a label table to which it belongs."""
    images = [path for path in table.parent.iterdir() if has_image_ending(path.name)]
    images.sort(key=lambda path: path.name)
    atlases = atlases_in(table.parent, images)
    return next((image for image, own in atlases if own == table and image != table.parent), None)


def _grid_of(path: AnyPath) -> Grid:
    if path.is_dir():
        reading = read_folder(path, ReadOptions(several_files="separate"))  # for the grid alone
        if reading.grid is None or reading.fault:
            raise reading.fault or InputError(path, "no masks found")
        return reading.grid
    return volume_grid(path, read_header(path))
