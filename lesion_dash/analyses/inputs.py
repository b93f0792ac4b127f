"""Cohorts and atlases as requests name them, and the notes on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..core.errors import InputError
from .console import LONGEST_LIST, warn
from .request import Progress

if TYPE_CHECKING:
    from ..atlas.atlas import Atlas
    from ..cohort.cohort import Cohort, CohortListing
    from ..cohort.selection import SeveralFiles
    from ..core.grid import Grid
    from ..images.probabilities import Scale
    from ..regions.counts import RegionCounts
    from ..regions.load import LesionLoad


class ReadsFolders(Protocol):
    """A request with the fields that say how folders of masks are read."""

    pattern: str
    session: str
    several_files: SeveralFiles
    threshold: float | str | None
    label: int | str | None
    where: tuple[str, ...]
    scheduler: str | None


class ReadsAtlases(Protocol):
    """A request of several atlases."""

    atlas: tuple[str, ...]
    labels: tuple[str, ...]
    scale: Scale | None


def load_folder(
    path: str,
    request: ReadsFolders,
    progress: Progress,
    participants: str | None = None,
    more: Sequence[str] = (),
) -> Cohort:
    """Load a cohort into memory, or onto the disk where it is too large for that.

    Parameters
    ----------
    path : str
    request : ReadsFolders
    progress : callable
    participants : str, optional
    more : sequence of str
        Conditions beside those of the request, such as those for A alone.
    """
    from ..cohort.conditions import parse_conditions
    from ..cohort.dask import scheduler_to_use
    from ..cohort.loading import load_cohort
    from ..files.paths import as_path
    from ..images.masks import Binarization

    return load_cohort(
        path,
        participants,
        request.pattern,
        Binarization(request.threshold, request.label),
        progress(f"reading {as_path(path).name}", "file"),
        notice=lambda text: warn(f"note: {text}"),
        scheduler=scheduler_to_use(request.scheduler),
        where=parse_conditions([*request.where, *more]),
        session=request.session,
        several_files=request.several_files,
        space=getattr(request, "space", None),  # an analysis need not have the field
    )


def skipped_files(cohort: CohortListing, owner: str = "") -> list[str]:
    """Which files were not used, and why; the notes count who is excluded by a condition."""
    skipped = [
        patient
        for patient in cohort.patients
        if patient.status == "skipped" and patient.outcome != "accept"
    ]
    lines = [f"note: {owner}{note}" for note in cohort.notes]
    if skipped:
        lines.append(f"{len(skipped)} of {len(cohort.patients)} files skipped in {cohort.folder}")
        lines += [f"  {patient.file}: {patient.reason}" for patient in skipped[:LONGEST_LIST]]
    if len(skipped) > LONGEST_LIST:
        lines.append(f"  ... and {len(skipped) - LONGEST_LIST} more")
    return lines


def file_inputs(sources: Mapping[str, str]) -> list[dict[str, Any]]:
    """Files, each with its checksum where there is one, as inputs for the provenance."""
    return [
        {"kind": "file", "file": file, "sha256": sha256 or None} for file, sha256 in sources.items()
    ]


def open_atlas(image: str, table: str | None, scale: Scale | None = None) -> Atlas:
    """Load an atlas; what makes its names doubtful is printed first, before any result."""
    from ..atlas.loading import doubts, load_atlas
    from ..atlas.published import will_download

    if will_download(image):
        warn(f"note: {image} is downloaded now, by nilearn and into its cache")
    atlas = load_atlas(image, table, scale=scale)
    for doubt in doubts(atlas.notes):
        warn(f"warning: {atlas.name}: {doubt}")
    return atlas


def open_atlases(request: ReadsAtlases) -> list[Atlas]:
    """Load the atlases of a request, each with its own label table."""
    tables = request.labels or [None] * len(request.atlas)
    if len(tables) != len(request.atlas):
        problem = f"{len(tables)} label tables for {len(request.atlas)} atlases"
        raise InputError("--labels", problem, "give one for each atlas in their order, or none")
    return [
        open_atlas(image, table, request.scale)
        for image, table in zip(request.atlas, tables, strict=True)
    ]


def names_by_atlas(file_name: str, request: ReadsAtlases) -> list[str]:
    """A file name for each atlas of a request."""
    from ..core.tables import own_names
    from ..files.listing import strip_ending
    from ..files.paths import as_path

    return own_names(file_name, [strip_ending(as_path(name).name) for name in request.atlas])


def prepare_atlas(atlas: Atlas, grid: Grid, by: str) -> Atlas:
    """An atlas on a grid, its regions put together by their hemisphere or parent."""
    from ..atlas.grouping import group_regions

    local = atlas.on_grid(grid)
    return local if by == "region" else group_regions(local, by)  # type: ignore[arg-type]


def notes_on_atlases(results: Sequence[RegionCounts | LesionLoad]) -> list[str]:
    """The notes on atlases, with their names where there are several."""
    if len(results) == 1:
        return list(results[0].notes)
    return [f"{result.atlas.name}: {note}" for result in results for note in result.notes]


def atlas_notes(notes: Sequence[str]) -> list[str]:
    """Notes on an atlas to print, but those that were a warning already."""
    from ..atlas.loading import doubts

    known = doubts(notes)
    return [f"note on the atlas: {note}" for note in notes if note not in known]
