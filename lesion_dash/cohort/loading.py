"""Read a folder of masks into a cohort."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ..errors import Cancelled, InputError
from ..files import list_images, odd_name
from ..grid import SAME_GRID_MM, Grid
from ..images import Mask, mask_of, read_header, read_stored, volume_grid
from .cohort import Cohort
from .participants import read_participants
from .patients import Patient, patient_ids

SHARE_ON_ONE_GRID = 0.9
"""Share of the readable masks that must lie on one grid."""

Progress = Callable[[int, int], None]
Question = Callable[[], bool]


@dataclass(frozen=True)
class _Read:
    """A mask as it was read from a file."""

    mask: Mask
    sha256: str


def load_cohort(
    folder: str | os.PathLike[str],
    participants: str | os.PathLike[str] | None = None,
    pattern: str = "*",
    progress: Progress | None = None,
    cancelled: Question | None = None,
) -> Cohort:
    """Read a folder of binary lesion masks in one common space.

    Parameters
    ----------
    folder : path
        Searched with its sub-folders for ``.nii`` and ``.nii.gz`` files, one a patient.
    participants : path, optional
        A ``.tsv`` or ``.csv`` table, joined by patient id. By default ``participants.tsv`` or
        ``participants.csv`` in the folder or in the one above, where there is one.
    pattern : str
        Only files whose name matches, such as ``*lesion*``.
    progress : callable, optional
        Called with (files done, files in all).
    cancelled : callable, optional
        Asked between files; where it answers True, `Cancelled` is raised.

    Returns
    -------
    Cohort
        With every file used, or skipped and the reason.

    Raises
    ------
    InputError
        Where the folder holds no usable mask, or no grid holds at least 90 % of the masks.

    Examples
    --------
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> cohort.grid.voxel_volume
    8.0
    """
    root, paths, skipped = _find_files(folder, pattern)
    grids = _read_grids(paths, skipped)
    grid = common_grid(root, grids)
    for path, own in grids.items():
        if not _is_near(own, grid):
            skipped[path] = own.difference(grid)
    waiting = [path for path in paths if path not in skipped]
    read: dict[Path, _Read] = {}
    with closing(_read_masks(waiting)) as results:
        for done, (path, result) in enumerate(results, start=1):
            if cancelled and cancelled():
                raise Cancelled
            if isinstance(result, InputError):
                skipped[path] = result.reason
            else:
                read[path] = result
            if progress:
                progress(done, len(waiting))
    return _assemble(root, grid, read, skipped, participants)


def _find_files(
    folder: str | os.PathLike[str], pattern: str
) -> tuple[Path, list[Path], dict[Path, str]]:
    listing = list_images(folder)
    root = Path(folder).expanduser()
    paths = [path for path in listing.images if fnmatch(path.name, pattern)]
    if not paths:
        named = "" if pattern == "*" else f" whose name matches {pattern!r}"
        seen = tuple(f"{path.name}: {reason}" for path, reason in listing.skipped)
        problem = f"no masks found: no .nii or .nii.gz file{named} in this folder"
        raise InputError(root, problem, "choose the folder that holds the masks", seen)
    return root, paths, dict(listing.skipped)


def _read_grids(paths: list[Path], skipped: dict[Path, str]) -> dict[Path, Grid]:
    """The grid of every readable file; the others go to `skipped`."""
    grids: dict[Path, Grid] = {}
    for path in paths:
        try:
            grids[path] = volume_grid(path, read_header(path))
        except InputError as error:
            skipped[path] = error.reason
    return grids


def common_grid(root: Path, grids: dict[Path, Grid]) -> Grid:
    """The grid that at least 90 % of the masks share.

    Raises
    ------
    InputError
        Where there is none, with a line for each grid that was found.
    """
    groups: dict[Grid, list[Path]] = {}
    for path, grid in grids.items():
        groups.setdefault(grid, []).append(path)
    shares = {
        grid: sum(len(paths) for other, paths in groups.items() if _is_near(other, grid))
        for grid in groups
    }
    best = max(groups, key=lambda grid: (shares[grid], len(groups[grid])), default=None)
    if best is not None and shares[best] >= SHARE_ON_ONE_GRID * len(grids):
        return best
    if best is None:
        return Grid((1, 1, 1), np.eye(4))
    problem = (
        f"masks are not on one grid: {shares[best]} of {len(grids)} share the most common one, "
        f"{SHARE_ON_ONE_GRID:.0%} must"
    )
    lines = [f"{len(found)} on {grid}, such as {found[0].name}" for grid, found in groups.items()]
    raise InputError(root, problem, "bring all masks onto one grid first", tuple(lines))


def _is_near(grid: Grid, common: Grid) -> bool:
    """Whether no voxel lies nearer to a neighbour's centre: at most half a voxel away."""
    return grid.matches(common, float(common.voxel_size.min()) / 2)


def _read_masks(paths: list[Path]) -> Generator[tuple[Path, _Read | InputError]]:
    """Read masks in threads (inflating releases the interpreter), in the order given."""
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        yield from zip(paths, pool.map(_read_or_refuse, paths), strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


def _read_or_refuse(path: Path) -> _Read | InputError:
    try:
        stored = read_stored(path)
        return _Read(mask_of(stored), stored.sha256)
    except InputError as error:
        return error


def _assemble(
    root: Path,
    grid: Grid,
    read: dict[Path, _Read],
    skipped: dict[Path, str],
    participants: str | os.PathLike[str] | None,
) -> Cohort:
    files = {path: path.relative_to(root).as_posix() for path in sorted([*read, *skipped])}
    ids = dict(zip(files, patient_ids(list(files.values())), strict=True))
    patients = tuple(
        _used(ids[path], file, read[path], grid)
        if path in read
        else Patient(ids[path], file, "skipped", skipped[path])
        for path, file in files.items()
    )
    if not read:
        reasons = tuple(f"{patient.file}: {patient.reason}" for patient in patients)
        problem = f"no readable mask among {len(patients)} files"
        raise InputError(root, problem, "see the reason for each file", reasons)
    parts = [read[path].mask.indices for path in files if path in read]
    starts = np.concatenate([[0], np.cumsum([part.size for part in parts])]).astype(np.int64)
    table = read_participants(root, participants)
    return Cohort(root.resolve().name, root, grid, patients, starts, np.concatenate(parts), table)


def _used(identity: str, file: str, read: _Read, grid: Grid) -> Patient:
    mask = read.mask
    notes = [*mask.notes]
    if (shift := mask.grid.corner_shift(grid)) >= SAME_GRID_MM:
        notes.append(f"grid differs slightly, by {shift:.2g} mm: the nearest voxel is the same")
    if odd := odd_name(file.rpartition("/")[2]):
        notes.append(odd)
    if mask.voxels == 0:
        notes.append("mask is empty")
    volume = mask.voxels * grid.voxel_volume
    return Patient(identity, file, "used", "; ".join(notes), mask.voxels, volume, read.sha256)
