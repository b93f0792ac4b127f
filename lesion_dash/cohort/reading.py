"""Read every mask of a folder: first all headers, for the grid, then all voxels."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np

from ..core.errors import Cancelled, InputError
from ..core.grid import SAME_GRID_MM, Grid, is_near
from ..core.space import StatedSpace
from ..files.listing import list_images, odd_name, strip_ending
from ..files.paths import AnyPath, PathInput, as_path, path_below
from ..images.masks import BINARY, Binarization, Lesion
from ..images.nifti import Header
from ..images.reading import Progress
from ..images.space import in_space, space_of
from .cohort import ALONE
from .conditions import Condition
from .participants import Outcome, Patient, patient_ids, subject_of
from .readers import LoadedMask, Reader, Threads
from .spaces import common_space, note_on_space, notes_on_spaces

_OURS = re.compile(
    r"([ab]_)?lesion_(totalvol_(mean|std|median)_given_voxel|patients_per_voxel)|overlap_map|"
    r"mask_atlas|lesion_(frequency|totalvol_(mean|std))_difference|"
    r"lesion_size_(above_(weighted_)?mean|statistic|(minus_log10_)?(corrected_)?p)",
    re.IGNORECASE,
)
_ADDED: set[str] = set()
_LIKELY = re.compile(
    r"(^|[_-])(count|counts|overlap|frequency|freq|sum|mean|std|median|average|heat|prob)"
    r"([_-]?(map|image))?$",
    re.IGNORECASE,
)
_MAX_GROUPS = 20  # of files that are named in notes, arbitrary: a screenful
_MAX_NAMED = 5  # files of a group, arbitrary as well

SHARE_ON_ONE_GRID = 0.9
"""Share of the readable masks that must lie on one grid. Arbitrary: a few files that strayed in
must not stop a cohort; two sets of masks on two grids must, as either could be the one meant."""

IsCancelled = Callable[[], bool]


def looks_like_result(name: str) -> bool:
    """Whether a file's name is that of a map made from masks rather than of a mask.

    Examples
    --------
    >>> looks_like_result("overlap_map.nii"), looks_like_result("lesion_count.nii.gz")
    (True, True)
    >>> looks_like_result("sub-01_lesion.nii.gz")
    False
    """
    return is_own_result(name) or bool(_LIKELY.search(strip_ending(name)))


def is_own_result(name: str) -> bool:
    """Whether a file has a name under which this program saves a map."""
    stem = strip_ending(name).casefold()
    return bool(_OURS.fullmatch(stem)) or re.sub("^[ab]_", "", stem) in _ADDED


def add_result_names(names: Iterable[str]) -> None:
    """Tell names under which maps are saved, so that no result becomes a patient."""
    _ADDED.update(strip_ending(name).casefold() for name in names)


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What is read of a folder of masks, and the callbacks of the reading.

    Parameters
    ----------
    participants, pattern, choice, progress, cancelled, on_grid, within, where, space
        As for `load_cohort`.
    """

    participants: PathInput | None = None
    pattern: str = "*"
    choice: Binarization = BINARY
    progress: Progress | None = None
    cancelled: IsCancelled | None = None
    on_grid: Callable[[Grid], None] | None = None
    within: PathInput | None = None
    where: Iterable[Condition | str] = ()
    space: str | None = None

    def check_cancelled(self) -> None:
        """Raise Cancelled where the user stopped the reading."""
        if self.cancelled and self.cancelled():
            raise Cancelled


DEFAULTS = ReadOptions()


@dataclass
class FolderReading:
    """What came of every file of a folder, before it is decided whether that makes a cohort.

    Parameters
    ----------
    root : Path or UrlPath
    waiting : list of Path or UrlPath
        Masks that are to be read.
    passed_over : dict
        Files that were not opened, with the reason.
    twins : dict
        Of these, masks in another format, with the file that is preferred.
    excluded : dict
        Files that were not opened because a condition excludes their patients, with the reason.
    refused : dict
        Files that cannot be used, with the reason.
    read : dict
        Each mask that was read, without its lesion, by file.
    spaces : dict
        What each file whose header was read states of its space.
    grid : Grid or None
        The grid most masks share.
    fault : InputError or None
        Why this folder makes no cohort.
    """

    root: AnyPath
    waiting: list[AnyPath]
    passed_over: dict[AnyPath, str]
    twins: dict[AnyPath, AnyPath]
    excluded: dict[AnyPath, str] = field(default_factory=dict)
    refused: dict[AnyPath, str] = field(default_factory=dict)
    read: dict[AnyPath, LoadedMask] = field(default_factory=dict)
    spaces: dict[AnyPath, StatedSpace] = field(default_factory=dict)
    grid: Grid | None = None
    fault: InputError | None = None

    @property
    def files(self) -> list[str]:
        """The files that are to be read, as paths below the folder."""
        return [path_below(path, self.root) for path in self.waiting]

    def exclude(self, reasons: Mapping[str, str]) -> None:
        """Take files off those to be read: path below the folder to the reason."""
        places = dict(zip(self.waiting, self.files, strict=True))
        self.excluded = {path: reasons[file] for path, file in places.items() if file in reasons}
        self.waiting = [path for path in self.waiting if path not in self.excluded]

    @property
    def patients(self) -> tuple[Patient, ...]:
        """A patient for every file, in the order of the file names.

        Those used are in the order in which their masks were read and handed on, which differs
        where a mask in another format took the place of one that could not be read.
        """
        used = iter(self.read)
        every = sorted([*self.read, *self.refused, *self.passed_over, *self.excluded])
        paths = [next(used) if path in self.read else path for path in every]
        files = {path: path_below(path, self.root) for path in paths}
        # A side file must not change the id of the mask it lies beside.
        opened = [file for path, file in files.items() if path not in self.passed_over]
        ids = dict(zip(opened, patient_ids(opened), strict=True))
        return tuple(self._patient(path, file, ids.get(file, file)) for path, file in files.items())

    def _patient(self, path: AnyPath, file: str, identity: str) -> Patient:
        skipped: tuple[tuple[dict[AnyPath, str], Outcome], ...] = (
            (self.excluded, "accept"),
            (self.passed_over, "warn"),
            (self.refused, "reject"),
        )
        for reasons, outcome in skipped:
            if path in reasons:
                return Patient(identity, file, "skipped", outcome, (reasons[path],))
        assert self.grid is not None, "a mask was read, and is on it"
        mask = self.read[path]
        size = mask.voxels, mask.voxels * self.grid.voxel_volume
        outcome = "warn" if mask.notes else "accept"
        return Patient(identity, file, "used", outcome, mask.notes, *size, mask.sha256)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about the masks as a group, a sentence each."""
        used = [patient for patient in self.patients if patient.status == "used"]
        return (
            ((ALONE,) if len(used) == 1 else ())
            + self._notes_on_spaces
            + _notes_on_groups(
                "same name twice, one patient or two?",
                used,
                lambda patient: subject_of(patient.file).casefold(),
            )
            + _notes_on_groups("identical masks, voxel for voxel:", used, self._fingerprint)
        )

    @property
    def _notes_on_spaces(self) -> tuple[str, ...]:
        spaces = {path_below(path, self.root): self.spaces[path] for path in self.read}
        return () if self.grid is None else notes_on_spaces(spaces, self.grid)

    def _fingerprint(self, patient: Patient) -> str:
        """Equal for equal masks; an empty mask is like no other."""
        mask = self.read[self.root / patient.file]
        return mask.fingerprint if mask.voxels else patient.file


def _notes_on_groups(
    title: str, patients: list[Patient], key: Callable[[Patient], str]
) -> tuple[str, ...]:
    """A sentence for each group of files with one key; beyond twenty, how many more there are."""
    files: dict[str, list[str]] = defaultdict(list)
    for patient in patients:
        files[key(patient)].append(patient.file)
    groups = [group for group in files.values() if len(group) > 1]
    notes = []
    for group in groups[:_MAX_GROUPS]:
        more = f" and {len(group) - _MAX_NAMED} more" if len(group) > _MAX_NAMED else ""
        notes.append(f"{title} {', '.join(group[:_MAX_NAMED])}{more}")
    if len(groups) > _MAX_GROUPS:
        notes.append(f"{len(groups) - _MAX_GROUPS:,} more groups of files: {title.rstrip(':')}")
    return tuple(notes)


def read_folder(folder: PathInput, options: ReadOptions = DEFAULTS) -> FolderReading:
    """Read every mask of a folder with this computer's threads, without a participants table.

    A folder that makes no cohort is no error here: the reading tells the fault.

    Raises
    ------
    InputError
        Where the folder itself cannot be read.
    """
    reading = list_masks(folder, options.pattern)
    read_masks(reading, options)
    return reading


def list_masks(folder: PathInput, pattern: str = "*") -> FolderReading:
    """List the masks that are to be read, and what is passed over.

    Raises
    ------
    InputError
        Where the folder itself cannot be read.
    """
    listing = list_images(folder, pattern)
    own = {path: is_own_result(path.name) for path in listing.images}
    results = {path: "looks like a result of an earlier run, skipped" for path in own if own[path]}
    waiting = [path for path in own if not own[path]]
    return FolderReading(as_path(folder), waiting, dict(listing.skipped) | results, listing.twins)


def read_masks(
    reading: FolderReading,
    options: ReadOptions = DEFAULTS,
    reader: Reader | None = None,
    keep: Callable[[Lesion], None] | None = None,
) -> None:
    """Read the masks that wait in a reading, and note in it what came of each.

    All headers are read before any voxel. The grid that most masks share must be known first: a
    mask that lies off it is refused without being inflated, a lesion is placed on it as soon as it
    is read, so that none has to be held, and `on_grid` can see that results will fit on the disk
    before minutes are spent. A header is the first bytes of a file, and takes little.

    Parameters
    ----------
    reading : FolderReading
    options : ReadOptions
        `participants`, `within` and `where` are not looked at.
    reader : Reader, optional
        By default the threads of this computer.
    keep : callable, optional
        Given every usable lesion in the order of the reading's used patients.
    """
    reader = reader or Threads()
    headers = _read_headers(reading, reading.waiting, reader, options)
    grid, reading.fault = common_grid(reading.root, headers)
    if grid is not None:
        on_it = [path for path, header in headers.items() if header.grid == grid]
        space = common_space([reading.spaces[path] for path in on_it])
        reading.grid = in_space(replace(grid, space=space), options.space)
    if options.on_grid and reading.grid and not reading.fault:
        options.on_grid(reading.grid)
    for paths in _rounds(reading, headers, reader, options):
        jobs = [(path, headers[path].grid) for path in paths]
        with closing(reader.masks(jobs, options.choice)) as results:
            for done, (path, result) in enumerate(zip(paths, results, strict=True), start=1):
                options.check_cancelled()
                lesion = _sort_in(reading, path, result, headers[path])
                if keep and lesion:
                    keep(lesion)
                if options.progress:
                    options.progress(done, len(paths))
    if not reading.read and not reading.fault:
        reading.fault = _nothing_usable(reading, options.pattern)


def _read_headers(
    reading: FolderReading, paths: list[AnyPath], reader: Reader, options: ReadOptions
) -> dict[AnyPath, Header]:
    """The header of every image of one volume; the others are refused."""
    headers: dict[AnyPath, Header] = {}
    same: dict[object, Header] = {}  # headers that came from elsewhere are copies of few
    with closing(reader.headers(paths)) as results:
        for path, header in zip(paths, results, strict=True):
            options.check_cancelled()
            if isinstance(header, InputError):
                reading.refused[path] = header.reason
            else:
                assert header.grid is not None, "an image of one volume has a grid"
                reading.spaces[path] = space = space_of(header.grid)
                headers[path] = same.setdefault((header, space), header)
    return headers


def _rounds(
    reading: FolderReading, headers: dict[AnyPath, Header], reader: Reader, options: ReadOptions
) -> Iterator[list[AnyPath]]:
    """The files to read: those preferred first, then the twins of those that were refused."""
    yield _on_grid(reading, headers)
    again = [twin for twin, preferred in reading.twins.items() if preferred in reading.refused]
    for twin in again:
        del reading.passed_over[twin]
    more = _read_headers(reading, again, reader, options)
    headers |= more
    if more:
        yield _on_grid(reading, more)


def _on_grid(reading: FolderReading, headers: dict[AnyPath, Header]) -> list[AnyPath]:
    """The files that lie on the common grid; the others are refused."""
    for path, header in headers.items():
        if reason := _off_grid(header, reading.grid):
            reading.refused[path] = reason
    return [path for path in headers if path not in reading.refused]


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
    # Programs write one grid with other last digits: the largest group is found among grids that
    # agree to 0.01 mm, far below any voxel, and of its members the most common one is taken.
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
    lines = [f"{len(paths)} on {grid}, such as {paths[0].name}" for grid, paths in groups.items()]
    return best, InputError(root, problem, "bring all masks onto one grid first", tuple(lines))


def _off_grid(header: Header, common: Grid | None) -> str:
    """How an image lies off the common grid, or an empty string."""
    own = header.grid
    if own is None or common is None or is_near(own, common):
        return ""
    same_size = np.allclose(own.voxel_size, common.voxel_size, atol=1e-3)
    if header.form == "none" and own.shape == common.shape and same_size:
        return ""
    larger = own.size > 8 * common.size  # as at half the voxel size, or of another template
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
    grid, lesion = reading.grid, result.lesion
    assert grid is not None, "a header was read, and has a grid"
    notes = (*result.notes, *_placement(header, grid), *note_on_space(reading.spaces[path], grid))
    notes += tuple(filter(None, [odd_name(path.name)]))
    reading.read[path] = replace(result, notes=notes, lesion=None)
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
    remedy = "choose the folder that holds the masks"
    if reading.refused:
        problem = f"no readable mask among {len(reasons)} files"
        remedy = "see the reason for each file"
    elif reasons and all(reason.startswith("looks like a result") for reason in reasons.values()):
        problem = "holds results of lesion_dash, no masks"
    else:
        named = "" if pattern == "*" else f" whose name matches {pattern!r}"
        problem = f"no masks found: no .nii or .nii.gz file{named} in this folder"
    lines = tuple(f"{path.name}: {reason}" for path, reason in sorted(reasons.items()))
    return InputError(reading.root, problem, remedy, lines)
