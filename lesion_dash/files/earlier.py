"""What an earlier run wrote into a folder, by its provenance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import InputError
from .paths import AnyPath, PathInput, as_path
from .reading import checksum, read_bytes
from .writing import FILE_NAME as RECORD


@dataclass(frozen=True)
class EarlierResult:
    """Files of one run, as its provenance lists them.

    Parameters
    ----------
    folder : path or URL
    command : str
        What was run; empty where there is no provenance.
    sums : mapping
        SHA-256 of each file, by name.
    """

    folder: AnyPath
    command: str = ""
    sums: Mapping[str, str] = field(default_factory=dict)

    def beside(self, names: Iterable[str], inputs: Iterable[PathInput] = ()) -> list[AnyPath]:
        """Files that are still as that run wrote them, and that other results do not replace.

        Parameters
        ----------
        names : iterable of str
            Files of the other results.
        inputs : iterable of path
            Files and folders that those are made of: neither they nor the files in them are given.
        """
        replaced = {name.casefold() for name in names}
        read = [_resolved(as_path(path)) for path in inputs]
        paths = {self.folder / name: digest for name, digest in self.sums.items()}
        return [
            path
            for path, digest in paths.items()
            if path.parent == self.folder
            and path.name.casefold() not in replaced
            and _resolved(path) not in read
            and _resolved(self.folder) not in read
            and path.is_file()
            # One that was changed since, or cannot be read, is not that run's any more.
            and _checksum(path) == digest
        ]


@contextmanager
def replacing(folder: PathInput, command: str, names: Iterable[str]) -> Iterator[None]:
    """While a result is written, and then remove what an earlier one of the command has left.

    Parameters
    ----------
    folder : path or URL
    command : str
    names : iterable of str
        Files of the new result, ``provenance.json`` among them.
    """
    earlier = earlier_result(as_path(folder), RECORD)
    yield
    if earlier.command == command:
        for path in earlier.beside(names):
            path.unlink(missing_ok=True)


def earlier_result(folder: AnyPath, record: str) -> EarlierResult:
    """The result whose provenance lies in a folder under this name.

    Examples
    --------
    >>> from pathlib import Path
    >>> earlier_result(Path("sample_data"), "provenance.json").command
    ''
    """
    try:
        content = json.loads(read_bytes(folder / record))
        return EarlierResult(folder, str(content["command"]), dict(content["outputs"]))
    except (ValueError, KeyError, TypeError, RecursionError):  # an InputError is a ValueError
        return EarlierResult(folder)


def _resolved(path: AnyPath) -> AnyPath:
    return path.resolve() if isinstance(path, Path) else path


def _checksum(path: AnyPath) -> str:
    """Of a file's bytes; empty where they cannot be read."""
    try:
        return checksum(read_bytes(path))
    except InputError:
        return ""
