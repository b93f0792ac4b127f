"""Cohorts and atlases as requests name them, and the notes on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from ..core.errors import InputError
from ..core.notes import note_on
from ..core.space import ATLAS, spaces_stated
from .console import warn
from .request import Progress, Request

if TYPE_CHECKING:
    from ..atlas.atlas import Atlas
    from ..cohort.cohort import Cohort
    from ..cohort.file_choice import SeveralFiles
    from ..cohort.reading import ReadOptions
    from ..core.grid import Grid
    from ..images.probabilities import Scale
    from ..regions.counts import RegionCounts
    from ..regions.load import LesionLoad


_OPTIONAL = ("participants", "session", "several_files")


class ReadsFolders(Protocol):
    """A request with the fields that say how folders of masks are read."""

    pattern: str
    session: str
    several_files: SeveralFiles
    threshold: float | str | None
    label: int | str | None
    where: tuple[str, ...]
    scheduler: str | None


class ReadsAtlas(Protocol):
    """A request with the fields that say how an atlas is read."""

    scale: Scale | None
    space: tuple[str, ...]
    accept_swapped: bool
    mirror_atlas: bool


class ReadsAtlases(ReadsAtlas, Protocol):
    """A request of several atlases."""

    atlas: tuple[str, ...]
    labels: tuple[str, ...]


def read_options(request: ReadsFolders, **more: Any) -> ReadOptions:
    """How a request reads folders of masks; `more` are other fields, such as callbacks."""
    from ..cohort.conditions import parse_conditions
    from ..cohort.reading import ReadOptions
    from ..images.masks import Binarization

    return ReadOptions(
        pattern=request.pattern,
        choice=Binarization(request.threshold, request.label),
        where=parse_conditions(request.where),
        # An analysis need not have these fields.
        space=spaces_stated(vars(request).get("space", ()), "masks")[0],
        **{name: vars(request)[name] for name in _OPTIONAL if name in vars(request)},
        **more,
    )


def load_folder(
    path: str, request: ReadsFolders, progress: Progress, *, more: Sequence[str] = ()
) -> Cohort:
    """Load a cohort into memory, or onto the disk where it is too large for that.

    Parameters
    ----------
    path : str
    request : ReadsFolders
    progress : callable
    more : sequence of str
        Conditions beside those of the request, such as those for A alone.
    """
    from ..cohort.conditions import parse_conditions
    from ..cohort.dask import scheduler_to_use
    from ..cohort.loading import load_cohort
    from ..files.paths import as_path

    options = read_options(request, progress=progress(f"reading {as_path(path).name}", "file"))
    return load_cohort(
        path,
        **vars(replace(options, where=(*options.where, *parse_conditions(more)))),
        notice=lambda text: warn(f"note: {text}"),
        scheduler=scheduler_to_use(request.scheduler),
    )


def check_overlap(request: Request, max_overlap: int, name: str, *, needed: bool = True) -> None:
    """Refuse a minimum number of patients that no voxel reaches: every map would be empty.

    Where no patient has a lesion there is no smaller number that would do.

    Parameters
    ----------
    request : Request
        With `min_patients`.
    max_overlap : int
        The most patients that are lesioned at one voxel.
    name : str
        Of their cohort.
    needed : bool
        The whole result depends on the number. Otherwise its default is not a choice of the user,
        and stands for no error.

    Raises
    ------
    InputError
        With the largest number that any voxel reaches.
    """
    minimum = vars(request)["min_patients"]
    if minimum > max_overlap > 0 and (needed or "min_patients" in request.changed):
        problem = f"no voxel of {name} is lesioned in {minimum:,} patients"
        remedy = f"at most {max_overlap:,} share one: give {max_overlap:,} or less"
        raise InputError(request.flag("min_patients"), problem, remedy)


def file_inputs(sources: Mapping[str, str]) -> list[dict[str, Any]]:
    """Files, each with its checksum where there is one, as inputs for the provenance."""
    return [
        {"kind": "file", "file": file, "sha256": sha256 or None} for file, sha256 in sources.items()
    ]


def open_atlas(image: str, table: str | None, request: ReadsAtlas) -> Atlas:
    """Load an atlas as a request says, and say so where that takes a download.

    Names that are on the wrong side are marked, unless the request accepts them.
    """
    from ..atlas.doubts import settle_sides

    atlas = _load_atlas(image, table, request, *spaces_stated(request.space, ATLAS))
    return settle_sides(atlas, is_mirrored=request.mirror_atlas, is_accepted=request.accept_swapped)


def _load_atlas(image: str, table: str | None, request: ReadsAtlas, space: str | None) -> Atlas:
    from ..atlas.loading import load_atlas
    from ..atlas.published import will_download

    if will_download(image):
        warn(f"note: {image} is downloaded now, by nilearn and into its cache")
    return load_atlas(image, table, scale=request.scale, space=space)


def side_notices(*atlases: Atlas | None) -> list[str]:
    """What stands before the results where names of an atlas are on the wrong side, and marked."""
    from ..atlas.doubts import REMEDY, is_marked, side_doubt

    doubted = [atlas for atlas in atlases if atlas is not None and is_marked(atlas)]
    lines = [f"WARNING: {atlas.name}: {side_doubt(atlas)}; {REMEDY}" for atlas in doubted]
    return [*lines, ""] if lines else []


def open_atlases(request: ReadsAtlases) -> list[Atlas]:
    """Load the atlases of a request, each with its own label table.

    Of several, those are mirrored whose names are on the wrong side.
    """
    from ..atlas.doubts import settle_sides, side_doubt

    tables = request.labels or [None] * len(request.atlas)
    if len(tables) != len(request.atlas):
        problem = f"{len(tables)} label tables for {len(request.atlas)} atlases"
        raise InputError("--labels", problem, "give one for each atlas in their order, or none")
    spaces = spaces_stated(request.space, ATLAS, len(tables))
    atlases = [
        _load_atlas(image, table, request, space)
        for image, table, space in zip(request.atlas, tables, spaces, strict=True)
    ]
    is_meant = [not atlases[1:] or bool(side_doubt(atlas)) for atlas in atlases]
    if request.mirror_atlas and atlases and not any(is_meant):
        problem = "left and right agree with the names in each atlas"
        raise InputError("--mirror-atlas", problem, "give the atlas to mirror alone")
    return [
        settle_sides(
            atlas, is_mirrored=request.mirror_atlas and meant, is_accepted=request.accept_swapped
        )
        for atlas, meant in zip(atlases, is_meant, strict=True)
    ]


def names_by_atlas(file_name: str, request: ReadsAtlases) -> list[str]:
    """A file name for each atlas of a request."""
    from ..atlas.finding import file_stem
    from ..core.file_names import own_names

    return own_names(file_name, [file_stem(name) for name in request.atlas])


def prepare_atlas(atlas: Atlas, grid: Grid, by: str) -> Atlas:
    """An atlas on a grid, its regions put together by a level of their names."""
    from ..atlas.doubts import is_marked, mark_doubtful
    from ..atlas.grouping import group_regions

    local = atlas.on_grid(grid)
    if by == "region":
        return local
    grouped = group_regions(local, by)  # type: ignore[arg-type]
    return mark_doubtful(grouped) if is_marked(local) else grouped


def notes_on_atlases(results: Sequence[RegionCounts | LesionLoad]) -> list[str]:
    """The notes on atlases, with their names."""
    return [note_on(result.atlas.name, note) for result in results for note in result.notes]
