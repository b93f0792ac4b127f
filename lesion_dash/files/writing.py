"""Write a set of files together: all of them, or none."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from ..core.errors import InputError, cause_of
from ..core.system import flush_folder, lock_file
from ..core.text import printable
from .paths import AnyPath, PathInput, UrlPath, as_path, local_path
from .reading import checksum, read_bytes
from .temporary import temporary_folder
from .uploading import ENDING, check_writable, upload

LOCK_NAME = ".lesion_dash.lock"
JOURNAL_NAME = ".lesion_dash.journal"
_LARGEST_JOURNAL = 2**20  # bytes, arbitrary: a thousand times that of any command
_FULL = {errno.ENOSPC: "disk is full", errno.EDQUOT: "disk is full: your quota is used up"}

Moves = list[tuple[str, str]]
"""Temporary and final names of files in one folder."""


class AtomicWriter:
    """Files that wait in the folder of their final names; see :func:`write_atomically`."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self.folder = folder
        self._names = frozenset(names)
        self.sums: dict[str, str] = {}
        self._waiting: list[tuple[Path, Path]] = []

    def announce(self, name: str, overwrite: bool = False) -> None:
        """Add a file to those that will be written, of which the name was not known before.

        Raises
        ------
        InputError
            Where it is there already.
        """
        check_absent(self.folder, [name], overwrite)
        self._names |= {name}

    def add(self, name: str, *parts: bytes | memoryview) -> None:
        """Write a file under a temporary name in the results folder, and flush it to disk.

        Its parts are written one after the other, without being copied together.
        """
        if name not in self._names:
            raise ValueError(f"{name} is not one of the files that were announced")
        try:
            handle, temporary = tempfile.mkstemp(f"{ENDING}", f".{name}.", self.folder)
            self._waiting.append((Path(temporary), self.folder / name))
            with open(handle, "wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _write_error(self.folder, error, "nothing was changed") from error
        self.sums[name] = checksum(*parts)

    def commit(self) -> None:
        """Move every waiting file to its final name.

        A journal is written first: should the process die between two moves, the next run moves
        the rest. The window is below a millisecond.
        """
        moves = [(temporary.name, final.name) for temporary, final in self._waiting]
        umask = os.umask(0)
        os.umask(umask)
        try:
            for temporary, _ in self._waiting:
                os.chmod(temporary, 0o666 & ~umask)
            _write_journal(self.folder, moves)
            _finish_moves(self.folder, moves)
        except KeyboardInterrupt:
            if (self.folder / JOURNAL_NAME).exists():
                _finish_moves(self.folder, moves)
            raise
        except OSError as error:
            moved = sum(not temporary.exists() for temporary, _ in self._waiting)
            remedy = f"{moved} of {len(self._waiting)} files were replaced; run again"
            (self.folder / JOURNAL_NAME).unlink(missing_ok=True)
            raise _write_error(self.folder, error, remedy) from error

    def discard(self) -> None:
        """Remove what was not moved."""
        for temporary, _ in self._waiting:
            temporary.unlink(missing_ok=True)


def write_atomically(
    folder: PathInput,
    names: Iterable[str],
    overwrite: bool = False,
    space: int = 0,
) -> AbstractContextManager[AtomicWriter]:
    """Write a set of files so that none is ever half there under its final name.

    The folder is made, checked and locked on entry, before any work is done; the files take their
    final names together on leaving, and none does where an exception is raised in between. Behind a
    URL there is no lock; the files wait in a temporary folder and are uploaded on leaving.

    Parameters
    ----------
    folder : path or URL
        Made where it does not exist.
    names : iterable of str
        The files to be written, checked against what is there.
    overwrite : bool
        Replace earlier results.
    space : int
        Bytes that will be needed, where known.

    Raises
    ------
    InputError
        Where the folder may not be written, already holds results, is in use by another run, or
        the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_atomically(folder, ["a.txt"]) as writer:
    ...         writer.add("a.txt", b"whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    place = as_path(folder)
    if isinstance(place, UrlPath):
        return _write_to_url(place, list(names), overwrite, space)
    return _write_here(place, list(names), overwrite, space)


@contextmanager
def _write_to_url(
    folder: UrlPath, names: list[str], overwrite: bool, space: int
) -> Iterator[AtomicWriter]:
    check_absent(folder, names, overwrite)
    check_writable(folder)
    with temporary_folder() as waiting:
        with _write_here(waiting / "results", names, False, space) as writer:
            yield writer
        check_absent(folder, names, overwrite)  # another run may have written there meanwhile
        upload([writer.folder / name for name in writer.sums], folder, record=FILE_NAME)


@contextmanager
def _write_here(
    path: Path, names: list[str], overwrite: bool, space: int
) -> Iterator[AtomicWriter]:
    new_folders = [parent for parent in (path, *path.parents) if not _exists(parent)]
    try:
        prepare_results(path, names, overwrite, space)
        with _locked(path):
            _clear_leftovers(path)
            check_absent(path, names, overwrite)
            writer = AtomicWriter(path, names)
            try:
                yield writer
                writer.commit()
            finally:
                writer.discard()
    finally:
        for made in new_folders:  # the innermost first
            with suppress(OSError, ValueError):  # it holds results, is gone, or never was
                made.rmdir()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError) as error:
        raise InputError(str(path), f"is not a path ({error})", "give another one") from None


def prepare_results(
    folder: str | os.PathLike[str],
    names: Iterable[str],
    overwrite: bool = False,
    space: int = 0,
) -> Path:
    """Make a results folder, or say why results cannot go there."""
    path = local_path(folder)
    if _exists(path) and not path.is_dir():
        raise InputError(path, "is a file, not a folder", "give another results folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise InputError(str(path), f"is not a path ({error})", "give another one") from None
    except OSError as error:
        raise InputError(path, f"cannot be made ({error.strerror})", _elsewhere(error)) from error
    if not os.access(path, os.W_OK | os.X_OK) or not path.stat().st_mode & 0o222:
        raise InputError(path, "cannot write here", "give a results folder of your own")
    check_absent(path, names, overwrite)
    check_space(path, space)
    return path


@contextmanager
def new_folder(parent: Path, name: str) -> Iterator[Path]:
    """Make a folder that no other run has, and remove it where nothing was written into it.

    The name gets a number where it is taken, and the parent is made where it does not exist.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     Path(parent, "maps").mkdir()
    ...     with new_folder(Path(parent), "maps") as folder:
    ...         folder.name
    'maps_2'
    """
    prepare_results(parent, ())
    for number in count(1):
        folder = parent / (name if number == 1 else f"{name}_{number}")
        try:
            folder.mkdir()  # to look first would let two runs find it free
            break
        except FileExistsError:
            continue
        except OSError as error:
            problem = f"cannot be made ({error.strerror})"
            raise InputError(folder, problem, _elsewhere(error)) from error
    try:
        yield folder
    finally:
        with suppress(OSError):  # it holds results
            folder.rmdir()


def check_absent(path: AnyPath, names: Iterable[str], overwrite: bool = False) -> None:
    """Refuse where results of an earlier run would be replaced without being asked."""
    present = [name for name in names if (path / name).exists()]
    if blocked := [name for name in present if (path / name).is_dir()]:
        raise InputError(path, f"holds a folder named {blocked[0]}", "give another results folder")
    if present and not overwrite:
        listed = ", ".join(present[:3]) + (" ..." if len(present) > 3 else "")
        problem = f"already holds results ({listed})"
        raise InputError(path, problem, "use --overwrite to replace them")


def check_space(folder: AnyPath, space: int) -> None:
    """Refuse where the disk has less space than the results need.

    Results for a URL wait in the folder for temporary files.
    """
    place = folder if isinstance(folder, Path) else Path(tempfile.gettempdir())
    free = shutil.disk_usage(place).free
    if free < space:
        problem = f"disk is full: {space / 1e6:,.0f} MB needed, {free / 1e6:,.0f} MB free"
        other = (
            "give another results folder" if place == folder else "name another folder in TMPDIR"
        )
        raise InputError(place, problem, f"free some space or {other}")


def _elsewhere(error: OSError) -> str:
    remedy = "give another results folder"
    return f"free some space, or {remedy}" if cause_of(error) == "full" else remedy


def _write_error(folder: Path, error: OSError, remedy: str) -> InputError:
    problem = _FULL.get(error.errno or 0, f"cannot write ({error.strerror or error})")
    return InputError(folder, problem, remedy)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the results folder: the system frees the lock when the process ends, however it ends.

    `filelock` is not used, as it leaves its file in the folder of the results.
    """
    path = folder / LOCK_NAME
    with ExitStack() as held:
        try:
            held.enter_context(lock_file(path))
        except BlockingIOError:
            remedy = "wait until it has ended, or give another results folder"
            raise InputError(folder, "is in use by another run", remedy) from None
        except OSError as error:
            problem = f"cannot be used as a lock ({error.strerror})"
            if os.path.lexists(path):
                raise InputError(path, problem, "remove it") from None
            raise _write_error(folder, error, _elsewhere(error)) from None
        yield


def _clear_leftovers(folder: Path) -> None:
    """Finish or clear away what a killed run left; we hold the lock, so nobody is writing it."""
    try:
        if (folder / JOURNAL_NAME).exists():
            moves = _read_journal(folder)
            if moves is None:
                _set_aside(folder)
            else:
                _finish_moves(folder, moves)
        for path in _waiting_files(folder):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _write_error(folder, error, "remove the leftovers of an earlier run") from error


def _waiting_files(folder: Path) -> list[Path]:
    """Files of runs, whole or not, that have not taken their final names."""
    return [path for path in folder.glob(f".*{ENDING}") if not path.is_dir()]


def _write_journal(folder: Path, moves: Moves) -> None:
    draft = folder / f".journal{ENDING}"
    with open(draft, "w", encoding="utf-8", newline="\n") as file:
        json.dump(moves, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, folder / JOURNAL_NAME)
    flush_folder(folder)


def _read_journal(folder: Path) -> Moves | None:
    """The moves of a run that was killed; None where no run of ours would have written them."""
    try:
        read = json.loads(read_bytes(folder / JOURNAL_NAME, max_bytes=_LARGEST_JOURNAL))
        moves = [(temporary, final) for temporary, final in read]
        are_ours = all(_is_move(folder, *move) for move in moves)
    except (InputError, OSError, TypeError, ValueError, RecursionError):
        return None
    # A run clears up before it begins, so that no file waits of which its journal does not know.
    known = {temporary for temporary, _ in moves}
    are_all = all(path.name in known for path in _waiting_files(folder))
    return moves if are_ours and are_all else None


def _is_move(folder: Path, temporary: str, final: str) -> bool:
    """Whether a file of ours that waits in a folder is to take its final name in it."""
    paths = [folder / temporary, folder / final]
    are_here = [path.name for path in paths] == [temporary, final]
    are_files = not any(path.is_dir() or b"\0" in os.fsencode(path) for path in paths)
    is_ours = temporary.startswith(f".{final}.") and temporary.endswith(ENDING)
    return are_here and are_files and is_ours


def _set_aside(folder: Path) -> None:
    """Keep a damaged journal, and all that waits to be moved, in a folder of its own."""
    place = Path(tempfile.mkdtemp(prefix=".lesion_dash.damaged.", dir=folder))
    try:
        for path in (folder / JOURNAL_NAME, *_waiting_files(folder)):
            os.replace(path, place / path.name)
    except OSError:
        with suppress(OSError):  # it holds what could be moved
            place.rmdir()
        raise
    problem = "a run was killed here, and the journal of its files is damaged"
    message = f"{folder}: {problem}; what was left of it is in {place}"
    warnings.warn(printable(message), stacklevel=2)


def _finish_moves(folder: Path, moves: Moves) -> None:
    """Move what the journal names and was not moved yet; it is then done and removed."""
    for temporary, final in moves:
        with suppress(FileNotFoundError):
            os.replace(folder / temporary, folder / final)
    flush_folder(folder)
    (folder / JOURNAL_NAME).unlink()


FILE_NAME = "provenance.json"
_PACKAGES = ("lesion-dash", "numpy", "scipy", "nibabel", "nilearn", "pandas", "deflate")


def provenance_bytes(
    command: str,
    parameters: Mapping[str, Any],
    inputs: list[dict[str, Any]],
    counts: Mapping[str, Any],
    outputs: Mapping[str, str],
) -> bytes:
    """The content of ``provenance.json``.

    Parameters
    ----------
    command : str
        What was run, such as ``stats``.
    parameters : mapping
        Every choice, defaults included.
    inputs : list of dict
        See `cohort_input`, `mask_input` and `atlas_input`.
    counts : mapping
        The sizes by which a result can be recognised.
    outputs : mapping
        SHA-256 of every other file of this result, by name.
    """
    content = {
        "software": {name: version(name) for name in _PACKAGES}
        | {"python": platform.python_version()},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "parameters": dict(parameters),
        "inputs": inputs,
        "counts": dict(counts),
        "outputs": dict(outputs),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def with_notes(content: dict[str, Any], notes: Iterable[str]) -> dict[str, Any]:
    """An input of a provenance with the notes on it, where there are any."""
    sentences = list(notes)
    return content | {"notes": sentences} if sentences else content


def file_input(kind: str, path: PathInput) -> dict[str, Any]:
    """A file as an input, with the checksum of its bytes as they are now; no password is kept."""
    place = as_path(path)
    return {"kind": kind, "file": str(place), "sha256": checksum(read_bytes(place))}
