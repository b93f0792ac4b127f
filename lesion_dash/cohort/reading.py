"""Read every mask of a folder: first all headers, for the grid, then all voxels."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..core.errors import Cancelled, InputError, NotBinary
from ..core.grid import SAME_GRID_MM, Grid, is_near
from ..core.notes import note_on
from ..core.space import StatedSpace
from ..core.text import counted, printable
from ..files.listing import list_images, odd_name, strip_ending
from ..files.paths import AnyPath, PathInput, as_path, path_below
from ..images.mask_choices import label_text
from ..images.masks import BINARY, Binarization, Lesion
from ..images.nifti import Header
from ..images.reading import Progress
from ..images.space import in_space, space_of
from .cohort import ALONE
from .conditions import Condition
from .file_choice import FileChoice, SeveralFiles
from .notes import by_reason, said_of
from .participants import FileSum, Outcome, Patient
from .readers import Job, LoadedMask, Reader, Threads
from .selection import choice_fault, select_files
from .spaces import common_space, note_on_space, notes_on_spaces

_OURS = re.compile(
    r"([ab]_)?lesion_(totalvol_(mean|std|median)_given_voxel|patients_per_voxel)|overlap_map|"
    r"mask_atlas|lesion_(frequency|totalvol_(mean|std))_difference|"
    r"space-\w+_res-\w+mm_(stat-\w+_desc-\w+_statmap|label-L_desc-\w+_mask)|"  # of `--bids`
    r"lesion_size_(above_(weighted_)?mean|statistic|(minus_log10_)?(corrected_)?p)",
    re.IGNORECASE,
)
_ADDED: set[str] = set()
_LIKELY = re.compile(
    r"(^|[_-])(count|counts|overlap|frequency|freq|sum|mean|std|median|average|heat|prob)"
    r"([_-]?(map|image))?$",
    re.IGNORECASE,
)
_RESULT = "looks like a result"
_SIDE_FILE = ", skipped"  # how all that is said of a file that was never meant as a mask ends
_FOLLOWED = "link points outside the data folder, followed"
_NO_MASKS = "no masks found: no .nii or .nii.gz file{} in this folder"
_MAX_GROUPS = 20  # of files that are named in notes, arbitrary: a screenful
_MAX_NAMED = 5  # files of a group, arbitrary as well

SHARE_ON_ONE_GRID = 0.9
"""Share of the readable masks that must lie on one grid. Arbitrary: a few files that strayed in
must not stop a cohort; two sets of masks on two grids must, as either could be the one meant."""

IsCancelled = Callable[[], bool]

Files = tuple[AnyPath, ...]
"""Those of one patient that count together."""


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
    participants, pattern, session, several_files, choice, progress, cancelled
        As for `load_cohort`.
    on_grid, within, where, space
        As for `load_cohort`.
    """

    participants: PathInput | None = None
    pattern: str = "*"
    session: str = ""
    several_files: SeveralFiles = "refuse"
    choice: Binarization = BINARY
    progress: Progress | None = None
    cancelled: IsCancelled | None = None
    on_grid: Callable[[Grid], None] | None = None
    within: PathInput | None = None
    where: Iterable[Condition | str] = ()
    space: str | None = None

    @property
    def files(self) -> FileChoice:
        """Which of a patient's files count, and which of their voxels."""
        label = label_text(self.choice.label)
        return FileChoice(
            self.session, self.several_files, self.pattern, label, self.choice.threshold
        )

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
    waiting : list of tuple of Path or UrlPath
        The masks of each patient that are to be read, taken together where there are several.
    ids : dict
        Files to the ids of their patients.
    passed_over : dict
        Files that were not opened, with the reason.
    twins : dict
        Of these, masks in another format, with the file that is preferred.
    excluded : dict
        Files that were not opened because a condition excludes their patients, with the reason.
    left_out : dict
        Files of patients that do not count, by name or choice, with the reason.
    refused : dict
        Files that cannot be used, with the reason.
    read : dict
        What was read for each patient, without the lesion, by the patient's files.
    spaces : dict
        What each file whose header was read states of its space.
    grid : Grid or None
        The grid most masks share.
    selected : tuple of str
        What was left out and taken together, a sentence each.
    fault : InputError or None
        Why this folder makes no cohort.
    outside : tuple of Path or UrlPath
        Masks that a link leads to out of the folder.
    """

    root: AnyPath
    waiting: list[Files]
    ids: dict[AnyPath, str]
    passed_over: dict[AnyPath, str]
    twins: dict[AnyPath, AnyPath]
    left_out: dict[AnyPath, str] = field(default_factory=dict)
    excluded: dict[AnyPath, str] = field(default_factory=dict)
    refused: dict[AnyPath, str] = field(default_factory=dict)
    read: dict[Files, LoadedMask] = field(default_factory=dict)
    spaces: dict[AnyPath, StatedSpace] = field(default_factory=dict)
    grid: Grid | None = None
    selected: tuple[str, ...] = ()
    fault: InputError | None = None
    outside: tuple[AnyPath, ...] = ()

    @property
    def files(self) -> list[str]:
        """The first file of each patient that is to be read, as a path below the folder."""
        return [path_below(paths[0], self.root) for paths in self.waiting]

    def exclude(self, reasons: Mapping[str, str]) -> None:
        """Take patients off those to be read: their first file below the folder to the reason."""
        places = dict(zip(self.waiting, self.files, strict=True))
        out = {paths: reasons[file] for paths, file in places.items() if file in reasons}
        self.excluded = {path: reason for paths, reason in out.items() for path in paths}
        self.waiting = [paths for paths in self.waiting if paths not in out]

    @property
    def patients(self) -> tuple[Patient, ...]:
        """Every patient whose masks are used, and every file that is not, in the files' order.

        Those used are in the order in which their masks were read and handed on, which differs
        where a mask in another format took the place of one that could not be read.
        """
        skipped: dict[AnyPath, tuple[str, Outcome]] = {}
        kinds: tuple[tuple[dict[AnyPath, str], Outcome], ...] = (
            (self.refused, "reject"),
            (self.passed_over, "warn"),
            (self.excluded, "accept"),
            (self.left_out, "accept"),
        )
        for reasons, outcome in kinds:
            skipped |= {path: (reason, outcome) for path, reason in reasons.items()}
        used = iter(self.read.items())
        first = {paths[0] for paths in self.read}
        return tuple(
            self._skipped(path, *skipped[path]) if path in skipped else self._used(*next(used))
            for path in sorted([*first, *skipped])
        )

    def _skipped(self, path: AnyPath, reason: str, outcome: Outcome) -> Patient:
        file = path_below(path, self.root)
        is_left_out = path in self.left_out
        identity = self.ids.get(path, file)
        return Patient(identity, file, "skipped", outcome, (reason,), is_left_out=is_left_out)

    def _used(self, paths: Files, mask: LoadedMask) -> Patient:
        assert self.grid is not None, "a mask was read, and is on it"
        file, *more = (path_below(path, self.root) for path in paths)
        size = mask.voxels, mask.voxels * self.grid.voxel_volume
        outcome: Outcome = "warn" if mask.notes else "accept"
        others = tuple(map(FileSum, more, mask.sha256[1:]))
        identity = self.ids.get(paths[0], file)
        sha256 = mask.sha256[0]
        return Patient(identity, file, "used", outcome, mask.notes, *size, sha256, others)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about the masks as a group, a sentence each."""
        used = [patient for patient in self.patients if patient.status == "used"]
        return (
            self.selected
            + ((ALONE,) if len(used) == 1 else ())
            + self._notes_on_spaces
            + self._notes_on_links
            + self._notes_on_equals("identical masks, voxel for voxel:", used)
        )

    @property
    def _notes_on_spaces(self) -> tuple[str, ...]:
        paths = [path for files in self.read for path in files]
        spaces = {path_below(path, self.root): self.spaces[path] for path in paths}
        return () if self.grid is None else notes_on_spaces(spaces, self.grid)

    @property
    def _notes_on_links(self) -> tuple[str, ...]:
        read = {path for files in self.read for path in files}
        linked = ((path.name, _FOLLOWED) for path in self.outside if path in read)
        return tuple(said_of(*group) for group in by_reason(linked))

    def _notes_on_equals(self, title: str, used: list[Patient]) -> tuple[str, ...]:
        """A sentence for each group of equal masks, however many are empty."""
        files: dict[str, list[str]] = defaultdict(list)
        for patient, mask in zip(used, self.read.values(), strict=True):
            files[mask.fingerprint if mask.voxels else patient.file].append(patient.file)
        return _notes_on_groups(title, files)


def _notes_on_groups(title: str, files: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """A sentence for each group of files; beyond twenty, how many more there are."""
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

    A folder that makes no cohort is not an error here: the reading tells the fault.

    Raises
    ------
    InputError
        Where the folder itself cannot be read.
    """
    reading = list_masks(folder, options)
    read_masks(reading, options)
    return reading


def list_masks(folder: PathInput, options: ReadOptions = DEFAULTS) -> FolderReading:
    """List the masks that are to be read by patient, and what is passed over.

    Where a choice among the files of a patient is needed, the fault says so, and every file waits
    for itself.

    Raises
    ------
    InputError
        Where the folder itself cannot be read.
    """
    listing = list_images(folder, options.pattern)
    root = as_path(folder)
    own = {path: is_own_result(path.name) for path in listing.images}
    results = {path: f"{_RESULT} of an earlier run, skipped" for path in own if own[path]}
    images = {path_below(path, root): path for path in own if not own[path]}
    selection, fault = select_files(root, [*images], options.files)
    taken = [tuple(images[file] for file in files) for files in selection.patients.values()]
    if fault:
        taken = [(path,) for paths in taken for path in paths]
    return FolderReading(
        root,
        sorted(taken),
        {images[file]: identity for file, identity in selection.ids.items()},
        dict(listing.skipped) | results,
        listing.twins,
        {images[file]: reason for file, reason in selection.left_out.items()},
        selected=tuple(selection.notes),
        fault=fault,
        outside=tuple(path for path in listing.outside if not own[path]),
    )


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
    paths = [path for files in reading.waiting for path in files]
    headers = _read_headers(reading, paths, reader, options)
    grid, fault = common_grid(reading.root, headers)
    reading.fault = reading.fault or fault
    if grid is not None:
        on_it = [path for path, header in headers.items() if header.grid == grid]
        space = common_space([reading.spaces[path] for path in on_it])
        reading.grid = in_space(replace(grid, space=space), options.space)
    if options.on_grid and reading.grid and not reading.fault:
        options.on_grid(reading.grid)
    others: dict[AnyPath, NotBinary] = {}
    for patients in _rounds(reading, headers, reader, options):
        jobs: list[Job] = [tuple((path, headers[path].grid) for path in each) for each in patients]
        with closing(reader.masks(jobs, options.choice)) as results:
            for done, (files, result) in enumerate(zip(patients, results, strict=True), start=1):
                options.check_cancelled()
                lesion = _sort_in(reading, files, result, headers)
                if isinstance(result, NotBinary):
                    bad = next((path for path in files if _is_of(result, path)), files[0])
                    others |= {bad: result} if bad in reading.refused else {}
                if keep and lesion:
                    keep(lesion)
                if options.progress:
                    options.progress(done, len(patients))
    masks = sum(map(len, reading.read))
    reading.fault = reading.fault or choice_fault(reading.root, others, masks, options.files)
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
) -> Iterator[list[Files]]:
    """The patients to read: by the files preferred first, then by twins of those refused."""
    yield _on_grid(reading, reading.waiting, headers)
    again = {
        preferred: twin for twin, preferred in reading.twins.items() if preferred in reading.refused
    }
    patients = []
    for files in reading.waiting:
        if again.keys() & set(files):
            patients.append(tuple(again.get(path, path) for path in files))
            for path in files:
                if path in again:
                    del reading.passed_over[again[path]]
                    reading.ids[again[path]] = reading.ids[path]
                else:
                    del reading.refused[path]
    more = _read_headers(reading, [*again.values()], reader, options)
    headers |= more
    if more:
        yield _on_grid(reading, patients, headers)


def _on_grid(
    reading: FolderReading, patients: Sequence[Files], headers: dict[AnyPath, Header]
) -> list[Files]:
    """The patients all of whose files lie on the common grid; the others are refused."""
    usable = []
    for files in patients:
        for path in files:
            if path in headers and (reason := _off_grid(headers[path], reading.grid)):
                reading.refused[path] = reason
        bad = next((path for path in files if path in reading.refused), None)
        if bad is None:
            usable.append(files)
        else:
            _refuse(reading, files, bad, reading.refused[bad])
    return usable


def _refuse(reading: FolderReading, files: Files, bad: AnyPath, reason: str) -> None:
    """Refuse a file, and those that would count together with it: a part is not the whole."""
    reading.refused[bad] = reason
    for path in files:
        if path not in reading.refused:
            reading.refused[path] = f"not counted without {bad.name} of the same patient: {reason}"


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
    return best, InputError(root, problem, "resample all masks to one grid first", tuple(lines))


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
    reading: FolderReading,
    files: Files,
    result: LoadedMask | InputError,
    headers: Mapping[AnyPath, Header],
) -> Lesion | None:
    """Put what was read where it belongs; a usable lesion is placed on the common grid."""
    if isinstance(result, InputError):
        bad = next((path for path in files if _is_of(result, path)), files[0])
        if len(files) == 1 and looks_like_result(bad.name):
            reading.passed_over[bad] = f"looks like a result, skipped ({result.problem})"
        else:
            _refuse(reading, files, bad, result.reason)
        return None
    grid, lesion = reading.grid, result.lesion
    assert grid is not None, "a header was read, and has a grid"
    more = (
        note_on(path.name, note) if len(files) > 1 else note
        for path in files
        for note in (
            *_placement(headers[path], grid),
            *note_on_space(reading.spaces[path], grid),
            odd_name(path.name),
        )
        if note
    )
    reading.read[files] = replace(result, notes=(*result.notes, *more), lesion=None)
    return lesion if lesion is None or lesion.grid is grid else replace(lesion, grid=grid)


def _is_of(error: InputError, path: AnyPath) -> bool:
    """Whether an error is about a file; workers of a cluster know it by its absolute path."""
    paths = (path, path.absolute()) if isinstance(path, Path) else (path,)
    return error.subject in [printable(str(each)) for each in paths]


def _placement(header: Header, grid: Grid) -> tuple[str, ...]:
    if header.form == "none" and header.grid != grid:
        return ("placed on the other masks' grid, whose shape and voxel size it has",)
    own = header.grid
    if own is not None and own != grid and (shift := own.corner_shift(grid)) >= SAME_GRID_MM:
        return (f"grid differs slightly, by {shift:.2g} mm: the nearest voxel is the same",)
    return ()


def _nothing_usable(reading: FolderReading, pattern: str) -> InputError:
    reasons = reading.passed_over | reading.refused
    groups = by_reason((path.name, reasons[path]) for path in sorted(reasons))
    lines = tuple(said_of(*group) for group in groups)
    remedy = "choose the folder that holds the masks"
    no_mask = f"no readable mask among {counted(len(reasons), 'file')}"
    if reasons and all(reason.startswith(_RESULT) for reason in reasons.values()):
        problem = "holds results of lesion_dash, not masks"
    elif reasons and all(reason.endswith(_SIDE_FILE) for reason in reasons.values()):
        problem = _NO_MASKS.format("")
    elif len(groups) == 1:
        problem, _, remedy = groups[0][-1].partition("; ")
        such = min(reasons).name
        return InputError(reading.root, f"{no_mask}, such as {such}: {problem}", remedy)
    elif reasons:
        problem, remedy = no_mask, "see the reason for each file"
    else:
        named = "" if pattern == "*" else f" whose name matches {pattern!r}"
        problem = _NO_MASKS.format(named)
    return InputError(reading.root, problem, remedy, lines)
