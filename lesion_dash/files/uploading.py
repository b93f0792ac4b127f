"""Results behind a URL: uploaded when all are complete, and given their names last.

An object store has neither a lock nor a way to rename several objects at once. So the files go to
temporary keys first, which may take long, and are copied to their final keys within the store. The
record comes last: results without it are those of a run that was killed while it copied.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from ..core.errors import InputError
from .paths import UrlPath, ask

ENDING = ".lesion_dash.tmp"
"""Of files that have not taken their final names yet."""


def check_writable(folder: UrlPath) -> None:
    """Write an empty file and remove it again, so that no work is done that cannot be kept.

    Raises
    ------
    InputError
        Where a web server is named.
    SetupError
        Where there is no bucket, the credentials are not enough to write and to remove, or nobody
        answers.
    """
    if folder.is_web:
        remedy = "give a folder of this computer, or a store such as s3://"
        raise InputError(folder, "is a web server, which takes no results", remedy)
    system, place = folder.system()
    name = f"{place}/.{secrets.token_hex(4)}{ENDING}"
    ask(folder, lambda: system.pipe_file(name, b""), "write")
    ask(folder, lambda: system.rm_file(name), "write")


def upload(files: Sequence[Path], folder: UrlPath, record: str) -> None:
    """Copy complete files to a folder behind a URL, all of them or none.

    Parameters
    ----------
    files : sequence of Path
    folder : UrlPath
    record : str
        Files whose names end so are removed first where they are replaced, and written last.

    Raises
    ------
    SetupError
        Where the network or the store failed. What was there before is then untouched; where that
        happened while the files took their names, none is left under any of these names.
    """
    files = sorted(files, key=lambda file: file.name.endswith(record))
    token = secrets.token_hex(4)
    waiting = {file.name: folder / f".{file.name}.{token}{ENDING}" for file in files}
    try:
        for file in files:
            _put(file, waiting[file.name])
        for file in files:
            if file.name.endswith(record):
                (folder / file.name).unlink(missing_ok=True)
        _name_all(waiting, folder)
    finally:
        _remove_all(waiting.values())


def _put(file: Path, to: UrlPath) -> None:
    system, place = to.system()
    ask(to.parent, lambda: system.put_file(str(file), place), "write")


def _name_all(waiting: dict[str, UrlPath], folder: UrlPath) -> None:
    system, _ = folder.system()
    places = {folder / name: temporary for name, temporary in waiting.items()}
    try:
        for final, temporary in places.items():
            copy = partial(system.cp_file, temporary.system()[1], final.system()[1])
            ask(final.parent, copy, "write")
    except BaseException:
        _remove_all(places)
        raise


def _remove_all(paths: Iterable[UrlPath]) -> None:
    with suppress(InputError):  # the error that led here says more
        for path in paths:
            path.unlink(missing_ok=True)
