"""From the names that were chosen to a source with paths: each name is looked up once more."""

from __future__ import annotations

from typing import Any, cast

from ..cohort.file_choice import ALL_FILES, joint_choice
from ..core.defaults import Correction
from ..core.errors import InputError
from ..rois.recipe import Source
from ..rois.sources import (
    FILE_CHOICES,
    CohortsSource,
    ImagesSource,
    MapSource,
    ScoreSource,
    SeriesSource,
    SplitSource,
)
from .lab_choices import InputChoices, Setup
from .lab_files import LabFiles


def missing(choices: InputChoices, files: LabFiles) -> str:
    """What to choose next, where something is not chosen yet."""
    kind = choices.kind
    if not files.folders:
        return "The data root holds no image: serve another folder."
    if not choices.folder:
        return "Choose a folder."
    needed: dict[str, list[tuple[object, str]]] = {
        "series": [
            (choices.runs, "Choose at least one run."),
            (choices.a and choices.b, "Choose two conditions."),
        ],
        "images": [(choices.folder_b, "Choose folder B.")],
        "cohorts": [(choices.folder_b, "Choose folder B.")],
        "split": [
            (choices.column, "Choose a column of the participants table."),
            (choices.a and choices.b, "Choose two groups."),
        ],
        "score": [(choices.column, "Choose the column with the score.")],
        "map": [(choices.file, "Choose a file.")],
    }
    return next((words for given, words in needed[kind] if not given), "")


def setup_of(choices: InputChoices, files: LabFiles) -> Setup:
    """The files and the test that were chosen.

    Raises
    ------
    InputError
        Where a name is not listed, or a run has no table.
    """
    source = _SOURCES[choices.kind](choices, files)
    correction = cast("Correction", choices.correction)
    if correction != "fwe":
        return Setup(source, correction)
    return Setup(source, "fwe", choices.n_permutations, choices.seed)


def tables_of_runs(choices: InputChoices, files: LabFiles) -> tuple[str, ...]:
    """Paths of the tables of the chosen runs: one for all of them, or one each.

    Raises
    ------
    InputError
        Where a run has no table beside it.
    """
    if choices.table:
        return (files.path(choices.folder, choices.table),)
    offered = files.tables_of(choices.folder, choices.runs)
    for run, table in offered.items():
        if not table:
            remedy = "choose a table for all runs, or put the run's events.tsv beside it"
            raise InputError(run, "no table of conditions lies beside it", remedy)
    tables = files.paths(choices.folder, list(offered.values()))
    # One table of labels beside several runs has a row for each volume of all.
    return tables[:1] if len(set(tables)) == 1 else tables


def _test(choices: InputChoices) -> Any:
    """The test, which its trait has checked against the kind of input."""
    return choices.test


def _mask(choices: InputChoices, files: LabFiles) -> str | None:
    return files.path(choices.mask_folder, choices.mask) if choices.mask else None


def _series(choices: InputChoices, files: LabFiles) -> Source:
    return SeriesSource(
        files.paths(choices.folder, choices.runs),
        tables_of_runs(choices, files),
        choices.a,
        choices.b,
        test=_test(choices),
        delay_s=choices.delay_s,
        repetition_time=choices.repetition_time or None,
        fwhm_mm=choices.fwhm_mm or None,
        mask=_mask(choices, files),
    )


def _images(choices: InputChoices, files: LabFiles) -> Source:
    return ImagesSource(
        files.folder_path(choices.folder),
        files.folder_path(choices.folder_b),
        test=_test(choices),
        fwhm_mm=choices.fwhm_mm or None,
        mask=_mask(choices, files),
    )


def _cohorts(choices: InputChoices, files: LabFiles) -> Source:
    folders = files.folder_path(choices.folder), files.folder_path(choices.folder_b)
    return CohortsSource(
        *folders,
        test=_test(choices),
        min_patients=choices.min_patients,
        within=str(files.root.within(choices.folder)),
        **_files_of(files, choices.folder, choices.folder_b),
    )


def _files_of(files: LabFiles, *folders: str) -> dict[str, Any]:
    """Which files and voxels count, as it was chosen for the folders."""
    chosen = [files.root.file_choices.get(folder, ALL_FILES) for folder in folders]
    choice = joint_choice(chosen[0], chosen[-1])
    values = {name: getattr(choice, name) for name in FILE_CHOICES}
    return {key: value for key, value in values.items() if value != getattr(ALL_FILES, key)}


def _of_participants(choices: InputChoices, files: LabFiles) -> dict[str, Any]:
    """Folder, column and table: the table is named, so that none outside the root is read."""
    table = files.participants(choices.folder)
    if table is None:
        remedy = "put participants.tsv beside the masks"
        raise InputError(choices.folder, "has no participants table", remedy)
    folder = files.folder_path(choices.folder)
    places = {"participants": str(table.path), "within": str(files.root.within(choices.folder))}
    own = _files_of(files, choices.folder)
    return {"folder": folder, "column": choices.column, **places, **own}


def _split(choices: InputChoices, files: LabFiles) -> Source:
    return SplitSource(
        **_of_participants(choices, files),
        a=choices.a,
        b=choices.b,
        test=_test(choices),
        min_patients=choices.min_patients,
    )


def _score(choices: InputChoices, files: LabFiles) -> Source:
    return ScoreSource(
        **_of_participants(choices, files),
        test=_test(choices),
        min_lesioned=choices.min_patients,
    )


def _map(choices: InputChoices, files: LabFiles) -> Source:
    return MapSource(files.path(choices.folder, choices.file))


_SOURCES = {
    "series": _series,
    "images": _images,
    "cohorts": _cohorts,
    "split": _split,
    "score": _score,
    "map": _map,
}
