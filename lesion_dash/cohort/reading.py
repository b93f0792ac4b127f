"""Read every mask of a folder: first all headers, for the grid, then all voxels."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypedDict

import numpy as np

from ..core.errors import Cancelled, InputError
from ..core.grid import SAME_GRID_MM, Grid, is_near
from ..files.listing import list_images, odd_name, strip_ending
from ..files.paths import AnyPath, PathInput, as_path, path_below
from ..images.masks import BINARY, Binarization, Lesion
from ..images.nifti import Header
from ..images.reading import Progress
from .participants import Outcome, Patient, patient_ids, subject_of
from .readers import LoadedMask, Reader, Threads

_OURS = re.compile(
    r"([ab]_)?lesion_(totalvol_(mean|std|median)_given_voxel|patients_per_voxel)|overlap_map|"
    r"mask_atlas|lesion_(frequency|totalvol_(mean|std))_difference|"
    r"lesion_size_(above_(weighted_)?mean|statistic|(minus_log10_)?(corrected_)?p)",
    re.IGNORECASE,
)
_LIKELY = re.compile(
    r"(^|[_-])(count|counts|overlap|frequency|freq|sum|mean|std|median|average|heat|prob)"
    r"([_-]?(map|image))?$",
    re.IGNORECASE,
)


def looks_like_result(name: str) -> bool:
    """Whether a file's name is that of a map made from masks rather than of a mask.

    Examples
    --------
    >>> looks_like_result("overlap_map.nii"), looks_like_result("lesion_count.nii.gz")
    (True, True)
    >>> looks_like_result("sub-01_lesion.nii.gz")
    False
    """
    stem = strip_ending(name)
    return bool(_OURS.fullmatch(stem) or _LIKELY.search(stem))


def is_own_result(name: str) -> bool:
    """Whether a file has a name under which this program saves a map."""
    return bool(_OURS.fullmatch(strip_ending(name)))


# Read every mask of a folder, and say of each file what came of it.


_MOST_GROUPS = 20  # of files that are named in notes

SHARE_ON_ONE_GRID = 0.9
"""Share of the readable masks that must lie on one grid."""

ALONE = "only one patient: no spread between patients can be computed"

AssignmentRequest = Callable[[], bool]

Unwanted = Callable[[Sequence[str]], Mapping[str, str]]
"""Told the files, as paths below the folder; answers which are not to be read, and why."""


class ReadOptions(TypedDict, total=False):
    """The options of `read_folder`, for functions that pass them on."""

    pattern: str
    choice: Binarization
    progress: Progress | None
    cancelled: AssignmentRequest | None
    on_grid: Callable[[Grid], None] | None


@dataclass(frozen=True, slots=True)
class MaskRecord:
    """What is remembered of a mask that was read.

    Parameters
    ----------
    voxels : int
    volume_mm3 : float
    notes : tuple of str
    sha256 : str
        Of the file.
    fingerprint : str
        Of the lesioned voxels.
    """

    voxels: int
    volume_mm3: float
    notes: tuple[str, ...]
    sha256: str
    fingerprint: str


@dataclass
class FolderReading:
    """What came of every file of a folder, before it is decided whether that makes a cohort.

    Parameters
    ----------
    root : Path or UrlPath
    passed_over : dict
        Files that were not opened, with the reason.
    left_out : dict
        Files that were not opened because their patients are not wanted, with the reason.
    twins : dict
        Of these, masks in another format, with the file that is preferred.
    refused : dict
        Files that cannot be used, with the reason.
    read : dict
        What is remembered of each mask, by file.
    grid : Grid or None
        The grid most masks share.
    fault : InputError or None
        Why this folder makes no cohort.
    """

    root: AnyPath
    passed_over: dict[AnyPath, str]
    twins: dict[AnyPath, AnyPath] = field(default_factory=dict)
    left_out: dict[AnyPath, str] = field(default_factory=dict)
    refused: dict[AnyPath, str] = field(default_factory=dict)
    read: dict[AnyPath, MaskRecord] = field(default_factory=dict)
    grid: Grid | None = None
    fault: InputError | None = None

    @property
    def patients(self) -> tuple[Patient, ...]:
        """A patient for every file, in the order of the file names.

        Those used are in the order in which their masks were read and handed on, which differs
        where a mask in another format took the place of one that could not be read.
        """
        used = iter(self.read)
        every = sorted([*self.read, *self.refused, *self.passed_over, *self.left_out])
        paths = [next(used) if path in self.read else path for path in every]
        files = [path_below(path, self.root) for path in paths]
        opened = [
            file for path, file in zip(paths, files, strict=True) if path not in self.passed_over
        ]
        ids = dict(zip(opened, patient_ids(opened), strict=True))
        return tuple(
            self._patient(path, file, ids.get(file, file))
            for path, file in zip(paths, files, strict=True)
        )

    def _patient(self, path: AnyPath, file: str, identity: str) -> Patient:
        if path in self.left_out:
            return Patient(identity, file, "skipped", "accept", (self.left_out[path],))
        if path in self.passed_over:
            return Patient(identity, file, "skipped", "warn", (self.passed_over[path],))
        if path in self.refused:
            return Patient(identity, file, "skipped", "reject", (self.refused[path],))
        found = self.read[path]
        outcome: Outcome = "warn" if found.notes else "accept"
        size = found.voxels, found.volume_mm3
        return Patient(identity, file, "used", outcome, found.notes, *size, found.sha256)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about the masks as a group, a sentence each."""
        used = [patient for patient in self.patients if patient.status == "used"]
        return (
            ((ALONE,) if len(used) == 1 else ())
            + _tell(
                "same name twice, one patient or two?",
                _groups(used, lambda patient: subject_of(patient.file).casefold()),
            )
            + _tell("identical masks, voxel for voxel:", _groups(used, self._fingerprint))
        )

    def _fingerprint(self, patient: Patient) -> str:
        """Equal for equal masks; an empty mask is like no other."""
        read = self.read[self.root / patient.file]
        return read.fingerprint if read.voxels else patient.file


def _groups(patients: list[Patient], key: Callable[[Patient], str]) -> list[list[str]]:
    """Files of the patients for whom the key is the same, where they are several."""
    groups: dict[str, list[str]] = defaultdict(list)
    for patient in patients:
        groups[key(patient)].append(patient.file)
    return [files for files in groups.values() if len(files) > 1]


def _tell(what: str, groups: list[list[str]]) -> tuple[str, ...]:
    """A sentence for each group of files; beyond twenty, how many more there are."""
    told = tuple(f"{what} {_list(files)}" for files in groups[:_MOST_GROUPS])
    more = len(groups) - _MOST_GROUPS
    return told if more <= 0 else (*told, f"{more:,} more groups of files: {what.rstrip(':')}")


def _list(files: list[str]) -> str:
    return ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")


def read_folder(
    folder: PathInput,
    pattern: str = "*",
    choice: Binarization = BINARY,
    progress: Progress | None = None,
    cancelled: AssignmentRequest | None = None,
    on_grid: Callable[[Grid], None] | None = None,
    keep: Callable[[Lesion], None] | None = None,
    reader: Reader | None = None,
    unwanted: Unwanted | None = None,
) -> FolderReading:
    """Read every mask of a folder, and say of each file what came of it.

    Parameters are those of `load_cohort`; `keep`, which is given every usable lesion in the
    order of the reading's used patients (the reading itself holds none); `reader`, by default
    the threads of this computer; and `unwanted`, which says which files are not to be opened. A
    folder that makes no cohort is no error here: the reading tells the fault.

    Raises
    ------
    InputError
        Where the folder itself cannot be read.
    """
    reader = reader or Threads()
    stop = partial(_stop, cancelled)
    reading, paths = _find_files(folder, pattern, unwanted)
    headers = _read_headers(paths, reading, reader, stop)
    reading.grid, reading.fault = common_grid(reading.root, headers)
    if on_grid and reading.grid and not reading.fault:
        on_grid(reading.grid)
    for waiting in _rounds(reading, headers, reader, stop):
        jobs = [(path, headers[path].grid) for path in waiting]
        with closing(reader.masks(jobs, choice)) as results:
            for done, (path, result) in enumerate(zip(waiting, results, strict=True), start=1):
                stop()
                lesion = _sort_in(reading, path, result, headers[path])
                if keep and lesion:
                    keep(lesion)
                if progress:
                    progress(done, len(waiting))
    if not reading.read and not reading.fault:
        reading.fault = _nothing_usable(reading, pattern)
    return reading


def _stop(cancelled: AssignmentRequest | None) -> None:
    if cancelled and cancelled():
        raise Cancelled


def _rounds(
    reading: FolderReading, headers: dict[AnyPath, Header], reader: Reader, stop: Callable[[], None]
) -> Iterator[list[AnyPath]]:
    """The files to read: those preferred first, then the twins of those that were refused."""
    yield _on_grid(reading, headers)
    again = [twin for twin, preferred in reading.twins.items() if preferred in reading.refused]
    for twin in again:
        del reading.passed_over[twin]
    more = _read_headers(again, reading, reader, stop)
    headers |= more
    if more:
        yield _on_grid(reading, more)


def _on_grid(reading: FolderReading, headers: dict[AnyPath, Header]) -> list[AnyPath]:
    """The files that lie on the common grid; the others are refused."""
    for path, header in headers.items():
        if reason := _off_grid(header, reading.grid):
            reading.refused[path] = reason
    return [path for path in headers if path not in reading.refused]


def _find_files(
    folder: PathInput, pattern: str, unwanted: Unwanted | None
) -> tuple[FolderReading, list[AnyPath]]:
    """The images to be read, and a reading that holds those to be passed over."""
    listing = list_images(folder, pattern)
    skipped = dict(listing.skipped)
    paths = []
    for path in listing.images:
        if is_own_result(path.name):
            skipped[path] = "looks like a result of an earlier run, skipped"
        else:
            paths.append(path)
    reading = FolderReading(as_path(folder), skipped, listing.twins)
    if unwanted is None:
        return reading, paths
    files = {path: path_below(path, reading.root) for path in paths}
    reasons = unwanted([*files.values()])
    reading.left_out = {path: reasons[file] for path, file in files.items() if file in reasons}
    return reading, [path for path in paths if path not in reading.left_out]


def _read_headers(
    paths: list[AnyPath], reading: FolderReading, reader: Reader, stop: Callable[[], None]
) -> dict[AnyPath, Header]:
    """The header of every image of one volume; the others are refused."""
    headers: dict[AnyPath, Header] = {}
    same: dict[Header, Header] = {}  # headers that came from elsewhere are copies of few
    with closing(reader.headers(paths)) as results:
        for path, header in zip(paths, results, strict=True):
            stop()
            if isinstance(header, InputError):
                reading.refused[path] = header.reason
            else:
                headers[path] = same.setdefault(header, header)
    return headers


def common_grid(
    root: AnyPath, headers: dict[AnyPath, Header]
) -> tuple[Grid | None, InputError | None]:
    """The grid most masks share, and a fault where fewer than 90 % lie on it."""
    stated = {path: header for path, header in headers.items() if header.form != "none"}
    groups: dict[Grid, list[AnyPath]] = defaultdict(list)
    for path, header in (stated or headers).items():
        if header.grid is not None:
            groups[header.grid].append(path)
    if not groups:
        return None, None
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


def _sort_in(
    reading: FolderReading, path: AnyPath, result: LoadedMask | InputError, header: Header
) -> Lesion | None:
    """Put what was read where it belongs; a usable lesion is placed on the common grid."""
    if isinstance(result, InputError):
        if looks_like_result(path.name):
            reading.passed_over[path] = f"looks like a result, skipped ({result.problem})"
        else:
            reading.refused[path] = result.reason
        return None
    grid = reading.grid
    assert grid is not None, "a header was read, and has a grid"
    notes = (*result.notes, *_placement(header, grid), *filter(None, [odd_name(path.name)]))
    volume = result.voxels * grid.voxel_volume
    reading.read[path] = MaskRecord(result.voxels, volume, notes, result.sha256, result.fingerprint)
    lesion = result.lesion
    return lesion if lesion is None or lesion.grid is grid else replace(lesion, grid=grid)


def _placement(header: Header, grid: Grid) -> tuple[str, ...]:
    if header.form == "none" and header.grid != grid:
        return ("placed on the other masks' grid, whose shape and voxel size it has",)
    own = header.grid
    if own is not None and own != grid and (shift := own.corner_shift(grid)) >= SAME_GRID_MM:
        return (f"grid differs slightly, by {shift:.2g} mm: the nearest voxel is the same",)
    return ()


def _nothing_usable(reading: FolderReading, pattern: str) -> InputError:
    reasons = reading.passed_over | reading.refused
    lines = tuple(f"{path.name}: {reason}" for path, reason in sorted(reasons.items()))
    if reading.refused:
        problem = f"no readable mask among {len(reasons)} files"
        return InputError(reading.root, problem, "see the reason for each file", lines)
    if reasons and all(reason.startswith("looks like a result") for reason in reasons.values()):
        problem = "holds results of lesion_dash, no masks"
        return InputError(reading.root, problem, "choose the folder that holds the masks", lines)
    named = "" if pattern == "*" else f" whose name matches {pattern!r}"
    problem = f"no masks found: no .nii or .nii.gz file{named} in this folder"
    return InputError(reading.root, problem, "choose the folder that holds the masks", lines)
