"""Load a folder of masks into a cohort, in memory or, where it is too large, on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError, temporary_fault
from ..core.grid import Grid
from ..core.memory import MEMORY_VARIABLE, bytes_in, free_memory
from ..core.runs import voxels_of
from ..files.listing import check_folder
from ..files.paths import PathInput
from ..images.mask_choices import LabelChoice, ThresholdChoice
from ..images.masks import BINARY, Binarization, Lesion
from ..images.reading import Progress
from .cohort import Cohort, CohortListing
from .conditions import Condition, exclude_patients
from .file_choice import SeveralFiles
from .participants import read_participants
from .readers import Reader, reader_on
from .reading import DEFAULTS, IsCancelled, ReadOptions, list_masks, read_masks

_SHARE_OF_MEMORY = 0.25  # arbitrary: the maps, and other programs, need memory as well
# Masks that an estimate is made from. Where volumes vary as much as their mean, the mean of 64 is
# known to about 1 / sqrt(64) = 12 %.
_SAMPLE = 64

Notice = Callable[[str], None]


def memory_limit() -> int:
    """Bytes that the voxel positions of one cohort may take in memory.

    That is ``LESION_DASH_MEMORY`` where it is set, otherwise a quarter of what the machine, or the
    container this runs in, has free.

    Raises
    ------
    InputError
        Where the variable holds no size.
    """
    text = os.environ.get(MEMORY_VARIABLE, "").strip()
    if text:
        try:
            return bytes_in(text)
        except ValueError:
            problem = f"{text!r} is not a size"
            raise InputError(MEMORY_VARIABLE, problem, "give one such as 4GB") from None
    return int(_SHARE_OF_MEMORY * free_memory())


class Positions:
    """Collects the positions of one lesion after the other.

    Once 64 masks are read, the size of all is estimated. Where that is above the limit, what was
    collected moves to an unnamed temporary file and the rest follows.

    Parameters
    ----------
    limit : int
        Bytes that may be held in memory; half of that for the positions, as they are there twice
        for a moment when they are put together.
    notice : callable, optional
        Given a sentence as soon as the positions go to disk.
    """

    def __init__(self, limit: int, notice: Notice | None = None) -> None:
        self._limit = limit
        self._notice = notice
        self._parts: list[NDArray[np.int32]] = []
        self._sizes: list[int] = []
        self._bytes = 0
        self._is_estimated = False
        self._file: IO[bytes] | None = None
        self.notes: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()  # what `join` returned keeps a map of it

    def add(self, positions: NDArray[np.int32]) -> None:
        """Add the positions of the next patient."""
        self._sizes.append(positions.size)
        self._bytes += positions.nbytes
        if self._file is None:
            self._parts.append(positions)
            if 2 * self._bytes > self._limit:
                self._move_to_disk(self._bytes)
        else:
            self._write(positions)

    def expect(self, done: int, total: int) -> None:
        """Estimate the size of all from those read so far, once 64 files or all are done."""
        if self._is_estimated or done < min(_SAMPLE, total):
            return
        self._is_estimated = True
        estimate = self._bytes * total // done
        if self._file is None and 2 * estimate > self._limit:
            self._move_to_disk(estimate)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each patient's positions begin, and the end of the last, shape (patients + 1,)."""
        return np.concatenate([[0], np.cumsum(self._sizes)]).astype(np.int64)

    def join(self) -> NDArray[np.int32]:
        """All positions one after the other; those on disk are mapped, read-only."""
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else np.empty(0, np.int32)
        return np.memmap(self._file, np.int32, "r")

    def _move_to_disk(self, estimate: int) -> None:
        text = (
            f"about {_size(2 * estimate)} of memory to put together its voxel positions, "
            f"{_size(self._limit)} allowed: kept on disk, the maps are the same but a subgroup or "
            f"a click takes longer (the limit is {MEMORY_VARIABLE})"
        )
        self.notes = (text,)
        if self._notice:
            self._notice(text)
        with _disk_errors():
            # Without a buffer, so that nothing is left to be written when it is closed.
            self._file = tempfile.TemporaryFile(  # noqa: SIM115
                prefix="lesion_dash_", buffering=0
            )
        for positions in self._parts:
            self._write(positions)
        self._parts = []

    def _write(self, positions: NDArray[np.int32]) -> None:
        assert self._file is not None
        content = positions.tobytes()
        with _disk_errors():
            while content:
                content = content[self._file.write(content) :]


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problem = "cannot keep voxel positions in the temporary folder"
        raise temporary_fault(problem, error) from error


def _size(count: int) -> str:
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        if count >= 10 ** (power - 1):
            return f"{count / 10**power:.3g} {unit}"
    return f"{count} bytes"


# Read a folder of masks into a cohort.


def load_cohort(
    folder: PathInput,
    participants: PathInput | None = None,
    pattern: str = "*",
    choice: Binarization = BINARY,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
    on_grid: Callable[[Grid], None] | None = None,
    within: PathInput | None = None,
    notice: Notice | None = None,
    scheduler: str | None = None,
    where: Iterable[Condition | str] = (),
    session: str = "",
    several_files: SeveralFiles = "refuse",
    threshold: ThresholdChoice = None,
    label: LabelChoice = None,
    space: str | None = None,
) -> Cohort:
    """Read a folder of binary lesion masks in one common space.

    The unit is the patient: what files belong to whom is read from their names and folders, see
    `read_names`. Files that are not masks of lesions by their names do not count where the patient
    has a mask; a note says how many.

    Parameters
    ----------
    folder : path or URL
        Searched with its sub-folders for images (NIfTI, MRIcron's ``.voi``, FreeSurfer's ``.mgz``,
        AFNI's ``.HEAD`` with ``.BRIK``), one per patient.
    participants : path or URL, optional
        A ``.tsv`` or ``.csv`` table, joined by patient id. By default ``participants.tsv`` or
        ``participants.csv`` in the folder, the one above or, in a BIDS dataset, up to its root.
    pattern : str
        Only files whose name, or path below the folder, matches, such as ``*lesion*``, ``ses-1/*``.
    choice : Binarization
        How to make masks of probability or label maps.
    progress : callable, optional
        Called with (files done, files in all).
    cancelled : callable, optional
        Asked between files; where it answers True, `Cancelled` is raised.
    on_grid : callable, optional
        Called with the common grid when all headers are read, before any voxel is.
    within : path, optional
        A participants table is looked for in no folder outside this one.
    notice : callable, optional
        Given a sentence, early in the reading, where the cohort is too large for the memory. Its
        voxel positions are then kept on disk; all results are the same.
    scheduler : str, optional
        Address of a Dask cluster whose workers read the masks, such as ``tcp://127.0.0.1:8786``.
    where : iterable of Condition or str
        Only patients who meet all of these are read, see `parse_condition`; the files of the
        others are not opened, and are skipped with the reason.
    session : str
        Which session counts where patients have several: ``first``, ``last``, or the name of one.
    several_files : {"refuse", "union", "separate"}
        What becomes of several files of one patient, such as a left and a right mask: an error
        that names the choices; the union of their voxels; or, where people of the same name lie in
        several folders, a patient for each.
    threshold : float or str, optional
        Make masks of probability maps, see `Binarization`; in place of `choice`.
    label : int, sequence of int or "any", optional
        Make masks of label maps, likewise.
    space : str, optional
        The space that the masks lie in, such as ``MNI152NLin6Asym``, whatever their files say; by
        default what these state, and a note where that is not a standard space, or several.

    Returns
    -------
    Cohort
        With every file used, or skipped and the reason.

    Raises
    ------
    SeveralFilesError
        Where a patient has several files that could count, or where files hold several labels or
        probabilities, with the choices that fit the folder.
    InputError
        Where the folder holds no usable mask, or no grid holds at least 90 % of the masks; where
        the cluster cannot be used; where a condition does not fit the table, or nobody meets them
        all.

    Examples
    --------
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> cohort.grid.voxel_volume
    8.0
    >>> load_cohort("sample_data/cohort_a", where=["sex=F", "age>=60"]).name
    'cohort_a, age >= 60, sex = F'
    """
    stated = Binarization(threshold, label)
    if stated != BINARY and choice != BINARY:
        raise InputError("choice", "given together with a threshold or label", "give one of them")
    with reader_on(scheduler) as reader, Positions(memory_limit(), notice) as positions:

        def show(done: int, total: int) -> None:
            positions.expect(done, total)
            if progress:
                progress(done, total)

        options = ReadOptions(
            participants=participants,
            pattern=pattern,
            session=session,
            several_files=several_files,
            choice=choice if stated == BINARY else stated,
            progress=show,
            cancelled=cancelled,
            on_grid=on_grid,
            within=within,
            where=where,
            space=space,
        )

        def keep(lesion: Lesion) -> None:
            positions.add(voxels_of(lesion.starts, lesion.lengths))

        listing = read_listing(folder, options, reader, keep)
        starts, indices = positions.starts, positions.join()
    return Cohort(
        listing.name,
        listing.folder,
        listing.grid,
        listing.patients,
        starts[:-1],
        starts[1:],
        indices,
        participants=listing.participants,
        notes=listing.notes + positions.notes,
    )


def read_listing(
    folder: PathInput,
    options: ReadOptions = DEFAULTS,
    reader: Reader | None = None,
    keep: Callable[[Lesion], None] | None = None,
) -> CohortListing:
    """Read every mask of a folder once and hand each lesion to `keep`, in the files' order.

    A `reader` may keep the lesions elsewhere, and hand on none. Errors are those of `load_cohort`.
    """
    place = check_folder(folder)
    reading = list_masks(place, options)
    if reading.fault:
        raise reading.fault
    table, notes = read_participants(
        place,
        reading.files,
        options.participants,
        options.within,
        is_whole=options.pattern == "*",
    )
    exclusions = exclude_patients(options.where, table, reading.files, place, notes)
    reading.exclude(exclusions.reasons)
    read_masks(reading, options, reader, keep)
    root = reading.root
    if reading.fault or reading.grid is None:
        raise reading.fault or InputError(root, "no masks found")
    name = exclusions.name(root.resolve().name)
    notes += exclusions.notes + reading.notes
    return CohortListing(
        name, root, reading.grid, reading.patients, participants=table, notes=notes
    )
