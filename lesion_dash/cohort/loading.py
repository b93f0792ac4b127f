"""Read a folder of masks into a cohort."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ..errors import Cancelled, InputError
from ..files import check_folder, checksum, list_images, odd_name
from ..grid import SAME_GRID_MM, Grid, is_near
from ..images import BINARY, Choice, Header, Mask, mask_of, read_header, read_stored, volume_grid
from .cohort import Cohort
from .participants import Participants, read_participants
from .patients import Outcome, Patient, patient_ids, subject_of
from .results import is_own_result, looks_like_result

SHARE_ON_ONE_GRID = 0.9
"""Share of the readable masks that must lie on one grid."""

LARGEST_MASK = 2**29
"""Bytes the voxels of one mask may take."""

Progress = Callable[[int, int], None]
Question = Callable[[], bool]


@dataclass(frozen=True)
class _Read:
    """A mask as it was read from a file."""

    mask: Mask
    sha256: str
    fingerprint: str


@dataclass
class FolderReading:
    """What came of every file of a folder, before it is decided whether that makes a cohort.

    Parameters
    ----------
    root : Path
    passed_over : dict
        Files that were not opened, with the reason.
    refused : dict
        Files that cannot be used, with the reason.
    read : dict
        Masks by file.
    grid : Grid or None
        The grid most masks share.
    fault : InputError or None
        Why this folder makes no cohort.
    """

    root: Path
    passed_over: dict[Path, str]
    refused: dict[Path, str] = field(default_factory=dict)
    read: dict[Path, _Read] = field(default_factory=dict)
    grid: Grid | None = None
    fault: InputError | None = None

    @property
    def patients(self) -> tuple[Patient, ...]:
        """A patient for every file, in the order of the file names."""
        paths = sorted([*self.read, *self.refused, *self.passed_over])
        files = [path.relative_to(self.root).as_posix() for path in paths]
        opened = [
            file for path, file in zip(paths, files, strict=True) if path not in self.passed_over
        ]
        ids = dict(zip(opened, patient_ids(opened), strict=True))
        return tuple(
            self._patient(path, file, ids.get(file, file))
            for path, file in zip(paths, files, strict=True)
        )

    def _patient(self, path: Path, file: str, identity: str) -> Patient:
        if path in self.passed_over:
            return Patient(identity, file, "skipped", "warn", (self.passed_over[path],))
        if path in self.refused:
            return Patient(identity, file, "skipped", "reject", (self.refused[path],))
        read = self.read[path]
        mask, notes = read.mask, read.mask.notes
        outcome: Outcome = "warn" if notes else "accept"
        volume = mask.volume_mm3
        return Patient(identity, file, "used", outcome, notes, mask.voxels, volume, read.sha256)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about the masks as a group, a sentence each."""
        used = [patient for patient in self.patients if patient.status == "used"]
        alone = ("only one patient: no spread between patients can be computed",)
        return (
            (alone if len(used) == 1 else ())
            + tuple(
                f"same name twice, one patient or two? {_list(files)}"
                for files in _groups(used, lambda patient: subject_of(patient.file).casefold())
            )
            + tuple(
                f"identical masks, voxel for voxel: {_list(files)}"
                for files in _groups(used, self._fingerprint)
            )
        )

    def _fingerprint(self, patient: Patient) -> str:
        """Equal for equal masks; an empty mask is like no other."""
        read = self.read[self.root / patient.file]
        return read.fingerprint if read.mask.voxels else patient.file


def _groups(patients: list[Patient], key: Callable[[Patient], str]) -> list[list[str]]:
    """Files of the patients for whom the key is the same, where they are several."""
    groups: dict[str, list[str]] = defaultdict(list)
    for patient in patients:
        groups[key(patient)].append(patient.file)
    return [files for files in groups.values() if len(files) > 1]


def _list(files: list[str]) -> str:
    return ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")


def load_cohort(
    folder: str | os.PathLike[str],
    participants: str | os.PathLike[str] | None = None,
    pattern: str = "*",
    choice: Choice = BINARY,
    progress: Progress | None = None,
    cancelled: Question | None = None,
    on_grid: Callable[[Grid], None] | None = None,
    within: str | os.PathLike[str] | None = None,
) -> Cohort:
    """Read a folder of binary lesion masks in one common space.

    Parameters
    ----------
    folder : path
        Searched with its sub-folders for NIfTI files (``.nii``, ``.nii.gz``, ``.img`` with
        ``.hdr``), one a patient.
    participants : path, optional
        A ``.tsv`` or ``.csv`` table, joined by patient id. By default ``participants.tsv`` or
        ``participants.csv`` in the folder or in the one above, where there is one.
    pattern : str
        Only files whose name matches, such as ``*lesion*``.
    choice : Choice
        How to make masks of probability or label maps.
    progress : callable, optional
        Called with (files done, files in all).
    cancelled : callable, optional
        Asked between files; where it answers True, `Cancelled` is raised.
    on_grid : callable, optional
        Called with the common grid when all headers are read, before any voxel is.
    within : path, optional
        A participants table is looked for in no folder outside this one.

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
    table, notes = read_participants(check_folder(folder), participants, within)
    reading = read_folder(folder, pattern, choice, progress, cancelled, on_grid)
    if reading.fault:
        raise reading.fault
    return _assemble(reading, table, notes)


def read_folder(
    folder: str | os.PathLike[str],
    pattern: str = "*",
    choice: Choice = BINARY,
    progress: Progress | None = None,
    cancelled: Question | None = None,
    on_grid: Callable[[Grid], None] | None = None,
) -> FolderReading:
    """Read every mask of a folder, and say of each file what came of it.

    Parameters are those of `load_cohort`. A folder that makes no cohort is no error here: the
    reading tells the fault.

    Raises
    ------
    InputError
        Where the folder itself cannot be read.
    """
    reading, paths = _find_files(folder, pattern)
    headers = _read_headers(paths, reading)
    reading.grid, reading.fault = common_grid(reading.root, headers)
    if on_grid and reading.grid and not reading.fault:
        on_grid(reading.grid)
    reading.refused |= {
        path: reason
        for path, header in headers.items()
        if (reason := _off_grid(header, reading.grid))
    }
    waiting = [path for path in headers if path not in reading.refused]
    with closing(_read_masks(waiting, choice)) as results:
        for done, (path, result) in enumerate(results, start=1):
            if cancelled and cancelled():
                raise Cancelled
            _sort_in(reading, path, result, headers[path])
            if progress:
                progress(done, len(waiting))
    if not reading.read and not reading.fault:
        reading.fault = _nothing_usable(reading, pattern)
    return reading


def _find_files(folder: str | os.PathLike[str], pattern: str) -> tuple[FolderReading, list[Path]]:
    """The images to be read, and a reading that holds those to be passed over."""
    listing = list_images(folder)
    skipped = {path: reason for path, reason in listing.skipped if fnmatch(path.name, pattern)}
    paths = []
    for path in listing.images:
        if is_own_result(path.name):
            skipped[path] = "looks like a result of an earlier run, skipped"
        elif fnmatch(path.name, pattern):
            paths.append(path)
    return FolderReading(Path(folder).expanduser(), skipped), paths


def _read_headers(paths: list[Path], reading: FolderReading) -> dict[Path, Header]:
    """The header of every image of one volume; the others are refused."""
    headers: dict[Path, Header] = {}
    for path in paths:
        try:
            header = read_header(path)
            volume_grid(path, header)
            headers[path] = header
        except InputError as error:
            reading.refused[path] = error.reason
    return headers


def common_grid(root: Path, headers: dict[Path, Header]) -> tuple[Grid | None, InputError | None]:
    """The grid most masks share, and a fault where fewer than 90 % lie on it."""
    groups: dict[Grid, list[Path]] = defaultdict(list)
    for path, header in headers.items():
        if header.grid is not None and header.form != "none":
            groups[header.grid].append(path)
    if not groups:
        grids = [header.grid for header in headers.values()]
        return (grids[0] if grids else None), None
    rounded: dict[object, list[Grid]] = defaultdict(list)
    for grid, paths in groups.items():
        key = (grid.shape, tuple(np.round(grid.affine.ravel(), 2).tolist()))
        rounded[key] += [grid] * len(paths)
    largest = max(rounded.values(), key=len)
    best = max(largest, key=lambda grid: len(groups[grid]))
    total = sum(map(len, groups.values()))
    share = sum(len(paths) for grid, paths in groups.items() if is_near(grid, best))
    if share >= SHARE_ON_ONE_GRID * total:
        return best, None
    problem = (
        f"masks are not on one grid: {share} of {total} share the most common one, "
        f"{SHARE_ON_ONE_GRID:.0%} must"
    )
    lines = [f"{len(found)} on {grid}, such as {found[0].name}" for grid, found in groups.items()]
    return best, InputError(root, problem, "bring all masks onto one grid first", tuple(lines))


def _off_grid(header: Header, common: Grid | None) -> str:
    """Say how an image lies off the common grid, or return an empty string."""
    own = header.grid
    if own is None or common is None or is_near(own, common):
        return ""
    same_size = np.allclose(own.voxel_size, common.voxel_size, atol=1e-3)
    if header.form == "none" and own.shape == common.shape and same_size:
        return ""
    larger = own.size > 8 * common.size
    return own.difference(common) + (", far larger than the other masks" if larger else "")


def _read_masks(paths: list[Path], choice: Choice) -> Generator[tuple[Path, _Read | InputError]]:
    """Read masks in threads (inflating releases the interpreter), in the order given."""
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        results = pool.map(lambda path: _read_or_refuse(path, choice), paths)
        yield from zip(paths, results, strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


def _read_or_refuse(path: Path, choice: Choice) -> _Read | InputError:
    try:
        stored = read_stored(path, LARGEST_MASK)
        mask = mask_of(stored, choice)
        return _Read(mask, stored.sha256, checksum(mask.indices.tobytes()))
    except InputError as error:
        return error
    except MemoryError:
        return InputError(path, "not enough memory to read it")


def _sort_in(
    reading: FolderReading, path: Path, result: _Read | InputError, header: Header
) -> None:
    """Put what was read where it belongs, placed on the common grid."""
    if isinstance(result, InputError):
        if looks_like_result(path.name):
            reading.passed_over[path] = f"looks like a result, skipped ({result.problem})"
        else:
            reading.refused[path] = result.reason
        return
    mask, grid = result.mask, reading.grid
    if grid is None or header.grid is None or mask.grid != header.grid:
        reading.refused[path] = "changed during the run: its header is not what it was"
        return
    notes = [*mask.notes]
    if header.form == "none":
        notes.append("placed on the other masks' grid, whose shape and voxel size it has")
    elif (shift := mask.grid.corner_shift(grid)) >= SAME_GRID_MM:
        notes.append(f"grid differs slightly, by {shift:.2g} mm: the nearest voxel is the same")
    if odd := odd_name(path.name):
        notes.append(odd)
    placed = Mask(grid, mask.indices, mask.name, tuple(notes))
    reading.read[path] = _Read(placed, result.sha256, result.fingerprint)


def _nothing_usable(reading: FolderReading, pattern: str) -> InputError:
    reasons = reading.passed_over | reading.refused
    lines = tuple(f"{path.name}: {reason}" for path, reason in sorted(reasons.items()))
    if reading.refused:
        problem = f"no readable mask among {len(reasons)} files"
        return InputError(reading.root, problem, "see the reason for each file", lines)
    named = "" if pattern == "*" else f" whose name matches {pattern!r}"
    problem = f"no masks found: no .nii or .nii.gz file{named} in this folder"
    return InputError(reading.root, problem, "choose the folder that holds the masks", lines)


def _assemble(reading: FolderReading, table: Participants | None, notes: tuple[str, ...]) -> Cohort:
    parts = [reading.read[path].mask.indices for path in sorted(reading.read)]
    starts = np.concatenate([[0], np.cumsum([part.size for part in parts])]).astype(np.int64)
    grid = next(iter(reading.read.values())).mask.grid
    name = reading.root.resolve().name
    indices = np.concatenate(parts)
    return Cohort(
        name,
        reading.root,
        grid,
        reading.patients,
        starts,
        indices,
        table,
        notes + reading.notes,
    )
