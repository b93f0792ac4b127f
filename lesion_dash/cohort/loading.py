"""Read a folder of masks into a cohort."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Unpack

from ..errors import InputError
from ..files import PathInput, check_folder
from ..grid import Grid
from ..images import BINARY, Choice, Lesion, Progress
from ..runs import voxels_of
from .cluster import reader_on
from .cohort import Cohort
from .participants import read_participants
from .positions import Notice, Positions, memory_limit
from .readers import Reader
from .reading import Question, ReadOptions, read_folder
from .restriction import LeftOut, Restriction, leave_out
from .roster import Roster


def load_cohort(
    folder: PathInput,
    participants: PathInput | None = None,
    pattern: str = "*",
    choice: Choice = BINARY,
    progress: Progress | None = None,
    cancelled: Question | None = None,
    on_grid: Callable[[Grid], None] | None = None,
    within: PathInput | None = None,
    notice: Notice | None = None,
    scheduler: str | None = None,
    where: Sequence[Restriction] = (),
) -> Cohort:
    """Read a folder of binary lesion masks in one common space.

    Parameters
    ----------
    folder : path or URL
        Searched with its sub-folders for NIfTI files (``.nii``, ``.nii.gz``, ``.img`` with
        ``.hdr``), one a patient.
    participants : path or URL, optional
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
    notice : callable, optional
        Given a sentence, early in the reading, where the cohort is too large for the memory. Its
        voxel positions are then kept on disk; all results are the same.
    scheduler : str, optional
        Address of a Dask cluster whose workers read the masks, such as ``tcp://127.0.0.1:8786``.
    where : sequence of Condition
        Only patients who meet all of these are read, see `parse_conditions`; the files of the
        others are not opened, and are skipped with the reason.

    Returns
    -------
    Cohort
        With every file used, or skipped and the reason.

    Raises
    ------
    InputError
        Where the folder holds no usable mask, or no grid holds at least 90 % of the masks; where
        the cluster cannot be used; where a condition cannot be asked, or nobody meets them all.

    Examples
    --------
    >>> cohort = load_cohort("sample_data/cohort_a")
    >>> cohort.grid.voxel_volume
    8.0
    >>> from lesion_dash import parse_conditions
    >>> load_cohort("sample_data/cohort_a", where=parse_conditions(["sex=F", "age>=60"])).name
    'cohort_a, age >= 60, sex = F'
    """
    with reader_on(scheduler) as reader, Positions(memory_limit(), notice) as positions:
        roster = read_roster(
            folder,
            lambda lesion: positions.add(voxels_of(lesion.starts, lesion.lengths)),
            participants=participants,
            pattern=pattern,
            choice=choice,
            progress=partial(_show, positions, progress),
            cancelled=cancelled,
            on_grid=on_grid,
            within=within,
            reader=reader,
            where=where,
        )
        starts, indices = positions.starts, positions.join()
    notes = roster.notes + positions.notes
    return Cohort(
        roster.name,
        roster.folder,
        roster.grid,
        roster.patients,
        starts[:-1],
        starts[1:],
        indices,
        roster.participants,
        notes,
    )


def _show(positions: Positions, progress: Progress | None, done: int, total: int) -> None:
    positions.expect(done, total)
    if progress:
        progress(done, total)


def read_roster(
    folder: PathInput,
    keep: Callable[[Lesion], None] | None = None,
    participants: PathInput | None = None,
    within: PathInput | None = None,
    reader: Reader | None = None,
    where: Sequence[Restriction] = (),
    **options: Unpack[ReadOptions],
) -> Roster:
    """Read every mask of a folder once and hand each lesion to `keep`, in the files' order.

    A `reader` may keep the lesions elsewhere, and hand on none. The other parameters and the
    errors are those of `load_cohort`.
    """
    place = check_folder(folder)
    table, notes = read_participants(place, participants, within)
    left_out = LeftOut()

    def unwanted(files: Sequence[str]) -> Mapping[str, str]:
        nonlocal left_out
        left_out = leave_out(where, table, files, place, notes)
        return left_out.reasons

    reading = read_folder(folder, keep=keep, reader=reader, unwanted=unwanted, **options)
    if reading.fault or reading.grid is None:
        raise reading.fault or InputError(reading.root, "no masks found")
    root = reading.root
    notes += left_out.notes + reading.notes
    name = left_out.name(root.resolve().name)
    return Roster(name, root, reading.grid, reading.patients, table, notes)
