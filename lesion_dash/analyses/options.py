"""Options that several commands share, and the inputs they name."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import InputError
from .console import LONGEST_LIST, progress_bar, say, warn

if TYPE_CHECKING:
    from ..atlas.atlas import Atlas
    from ..cohort.cohort import Cohort, CohortListing
    from ..cohort.conditions import Condition
    from ..core.grid import Grid
    from ..regions.counts import RegionCounts
    from ..regions.load import LesionLoad


_KINDS = {(".csv",): "CSV", (".nii", ".nii.gz"): "NIfTI"}
TABLE, IMAGE = _KINDS
"""Endings of what is written."""


def output_file(
    text: str, endings: tuple[str, ...], inputs: Iterable[str | None] = ()
) -> tuple[Path, str, str]:
    """The file, its name without its ending, and the ending.

    Parameters
    ----------
    text : str
        As it was given.
    endings : tuple of str
        `TABLE` or `IMAGE`.
    inputs : iterable of str or None
        Files that are read and must not be replaced by their own result.

    Raises
    ------
    InputError
        Where it ends otherwise, or is one of the inputs.

    Examples
    --------
    >>> path, stem, ending = output_file("results/lens.NII.gz", IMAGE)
    >>> path.name, stem, ending
    ('lens.NII.gz', 'lens', '.NII.gz')
    """
    from ..files.paths import as_path, local_path

    path = local_path(text)
    found = [one for one in endings if path.name.lower().endswith(one)]
    if not found:
        remedy = f"let it end in {' or '.join(sorted(endings, key=len, reverse=True))}"
        raise InputError(text, f"is no name of a {_KINDS[endings]} file", remedy)
    for name in inputs:
        if name is not None and _is_same(path, as_path(name)):
            problem = "is read and would be replaced by its own result"
            raise InputError(text, problem, "write to another file")
    cut = len(path.name) - len(max(found, key=len))
    return path, path.name[:cut], path.name[cut:]


def _is_same(path: Path, other: object) -> bool:
    return isinstance(other, Path) and path.exists() and other.exists() and path.samefile(other)


# The atlas that `--atlas` and `--labels` give.


def open_atlas(image: str, table: str | None) -> Atlas:
    """Load an atlas; what makes its names doubtful is said first, before any result."""
    from ..atlas.loading import doubts, load_atlas
    from ..atlas.published import will_download

    if will_download(image):
        warn(f"note: {image} is downloaded now, by nilearn and into its cache")
    atlas = load_atlas(image, table)
    for doubt in doubts(atlas.notes):
        warn(f"warning: {atlas.name}: {doubt}")
    return atlas


def say_notes(notes: Sequence[str], before: str) -> None:
    """Print the notes on an atlas, but those that were a warning already."""
    from ..atlas.loading import doubts

    known = doubts(notes)
    for note in notes:
        if note not in known:
            say(f"{before}{note}")


# The option `--where` of the commands that read a folder of masks.


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add the option, which may be given several times."""
    parser.add_argument(
        "--where",
        metavar="CONDITION",
        action="append",
        default=[],
        help="only patients of whom the participants table says so, such as 'sex=F', 'age>=60', "
        "'age=60..80', 'group=A,B', 'sex!=F' or 'nihss=missing', in quotes; once for each of "
        "several conditions",
    )


def add_where_each(parser: argparse.ArgumentParser) -> None:
    """Add the same for A and for B alone."""
    for letter in "ab":
        parser.add_argument(
            f"--where-{letter}",
            metavar="CONDITION",
            action="append",
            default=[],
            help=f"as --where, for {letter.upper()} alone: A and B may be parts of one folder",
        )


def options_of(options: argparse.Namespace, letter: str) -> argparse.Namespace:
    """The options as they are for A, or for B: its conditions are those of both and its own."""
    where = [*options.where, *getattr(options, f"where_{letter}")]
    return argparse.Namespace(**vars(options) | {"where": where})


def conditions_of(options: argparse.Namespace) -> tuple[Condition, ...]:
    """The conditions that were given."""
    if not options.where:
        return ()
    from ..cohort.conditions import parse_conditions

    return parse_conditions(options.where)


def check_where(options: argparse.Namespace, places: Sequence[str]) -> None:
    """Say of which places nothing can be asked: a mask is one patient's, or a map of many.

    Raises
    ------
    InputError
        Where that is so of all of them, or of the one that was asked alone.
    """
    from ..files.paths import as_path

    for letter, place in zip("ab", places, strict=False):
        if getattr(options, f"where_{letter}", None) and not as_path(place).is_dir():
            problem = f"{place} is no folder of masks, and has no participants table"
            raise InputError(f"--where-{letter}", problem, "leave it out, or give a folder")
    masks = [place for place in places if options.where and not as_path(place).is_dir()]
    if masks and len(masks) == len(places):
        problem = f"{' and '.join(masks)} are no folders of masks, and have no participants table"
        raise InputError("--where", problem, "leave it out, or give a folder")
    for mask in masks:
        warn(f"note: {mask} is one mask, used as it is: --where asks about a folder of masks")


COHORT_PARAMETERS = ("min_patients", "pattern", "threshold", "label", "where")


def names_by_atlas(file_name: str, options: argparse.Namespace) -> list[str]:
    """A file name for each of the chosen atlases."""
    from ..core.tables import own_names
    from ..files.listing import strip_ending
    from ..files.paths import as_path

    return own_names(file_name, [strip_ending(as_path(name).name) for name in options.atlas])


def load_atlases(options: argparse.Namespace) -> list[Atlas]:
    """Load the chosen atlases, each with its own label table."""
    tables = options.labels or [None] * len(options.atlas)
    if len(tables) != len(options.atlas):
        problem = f"{len(tables)} label tables for {len(options.atlas)} atlases"
        raise InputError("--labels", problem, "give one for each atlas in their order, or none")
    return [open_atlas(image, table) for image, table in zip(options.atlas, tables, strict=True)]


def prepare_atlas(atlas: Atlas, grid: Grid, options: argparse.Namespace) -> Atlas:
    """An atlas on the grid that counts, its regions put together as chosen."""
    from ..atlas.grouping import group_regions

    local = atlas.on_grid(grid)
    return local if options.by == "region" else group_regions(local, options.by)


def notes_on_atlases(results: Sequence[RegionCounts | LesionLoad]) -> list[str]:
    """What is to be said of the atlases, with their names where there are several."""
    if len(results) == 1:
        return list(results[0].notes)
    return [f"{result.atlas.name}: {note}" for result in results for note in result.notes]


def load_folder(path: str, options: argparse.Namespace, participants: str | None = None) -> Cohort:
    """A cohort kept in memory, or on disk where it is too large for that."""
    from ..cohort.loading import load_cohort
    from ..files.paths import as_path
    from ..images.masks import Binarization

    return load_cohort(
        path,
        participants,
        options.pattern,
        Binarization(options.threshold, options.label),
        progress_bar(f"reading {as_path(path).name}", "file"),
        notice=_note,
        scheduler=options.scheduler,
        where=conditions_of(options),
    )


def _note(text: str) -> None:
    warn(f"note: {text}")


def report_skipped(cohort: CohortListing, owner: str = "") -> None:
    """Say which files were not used, and why; the notes count who is left out by a condition."""
    for note in cohort.notes:
        warn(f"note: {owner}{note}")
    skipped = [
        patient
        for patient in cohort.patients
        if patient.status == "skipped" and patient.outcome != "accept"
    ]
    if not skipped:
        return
    warn(f"{len(skipped)} of {len(cohort.patients)} files skipped in {cohort.folder}")
    for patient in skipped[:LONGEST_LIST]:
        warn(f"  {patient.file}: {patient.reason}")
    if len(skipped) > LONGEST_LIST:
        warn(f"  ... and {len(skipped) - LONGEST_LIST} more")
