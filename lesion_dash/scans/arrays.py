"""Read one array of a .npy, .npz or .pkl file, and the affine beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError
from ..files.listing import ARRAY_ENDINGS
from ..files.paths import AnyPath, PathInput, as_path
from ..files.reading import checksum, read_bytes
from .npy import SAVE_AGAIN, UNPACKED, ArrayFault, Layout, Unread, read_npy, read_npz
from .pickled_arrays import PickledArray
from .pickles import read_pickle

ENDINGS = ARRAY_ENDINGS
"""Of the files that are read."""

LARGEST_FILE = 2**31 - 1
"""Bytes a file may have."""

_AFFINE = "affine"
_IMAGE_AXES = (3, 4)
_MOST_NAMES = 10


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array as a file holds it.

    Parameters
    ----------
    path : Path or UrlPath
    name : str
        Of the array, where the file holds several; otherwise empty.
    array : array
        Read-only, of the type, byte order and memory order of the file.
    affine : array, shape (4, 4), or None
        What the file calls ``affine``: from voxels to mm, RAS.
    notes : tuple of str
        What was left out, a sentence each.
    sha256 : str
        Of the file.
    """

    path: AnyPath
    name: str
    array: NDArray
    affine: NDArray[np.float64] | None
    notes: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, eq=False)
class _Contents:
    """What a file holds: arrays not built yet, other things by name, what was unusual."""

    arrays: Mapping[str, Unread | ArrayFault]
    others: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def read_array(
    source: PathInput, name: str | None = None, unpack_mb: float | None = None
) -> StoredArray:
    """Read an array of numbers from a ``.npy``, ``.npz`` or ``.pkl`` file.

    A pickle is never run: it is followed operation by operation, and the array is made from type,
    shape and bytes. Beside the file's content no more than the array itself is allocated.

    Parameters
    ----------
    source : path or URL
        A ``.pkl`` holds an array, or a dict or list of arrays and anything harmless; written by
        Python 2 or 3, numpy 1 or 2, in any protocol.
    name : str, optional
        Which array, where there are several; of a list its place, from 0. Without one, the array of
        three or four axes is taken, where there is one.
    unpack_mb : float, optional
        Megabytes that a compressed array of a ``.npz`` may take, where that is more than twice
        its compressed bytes; 64 by default.

    Returns
    -------
    StoredArray

    Raises
    ------
    InputError
        Where the file is damaged, holds code, objects or no array of numbers, or several arrays.

    Examples
    --------
    >>> import pickle, tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "scan.pkl")
    ...     content = {"data": np.ones((4, 5, 6), np.int16), "affine": np.eye(4)}
    ...     _ = path.write_bytes(pickle.dumps(content))
    ...     found = read_array(path)
    >>> found.name, found.array.shape, found.affine.shape
    ('data', (4, 5, 6), (4, 4))
    """
    path = as_path(source)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        problem = f"is no file of an array: its name ends in none of {', '.join(ENDINGS)}"
        raise InputError(path, problem, SAVE_AGAIN)
    most = UNPACKED if unpack_mb is None else _megabytes(unpack_mb)
    raw = read_bytes(path, max_bytes=LARGEST_FILE)
    try:
        contents = read(raw, most)
        chosen, notes = _choose(contents, name)
        array = _whole(contents.arrays[chosen]).build()
        affine = _find_affine(contents)
    except ArrayFault as fault:
        raise InputError(path, fault.problem, fault.remedy) from None
    return StoredArray(path, chosen, array, affine, contents.notes + notes, checksum(raw))


def _megabytes(number: float) -> int:
    if not 0 < number * 1e6 <= LARGEST_FILE:
        problem = f"{number:g} is not between 0 and {LARGEST_FILE / 1e6:,.0f}"
        raise InputError("--unpack-mb", problem, "give the megabytes that an array may take")
    return int(number * 1e6)


def _read_npy(raw: bytes, _: int) -> _Contents:
    found = read_npy(raw)
    return _Contents({"": found}, {}, _extra(found.header.end, raw))


def _read_npz(raw: bytes, most: int) -> _Contents:
    return _Contents(read_npz(raw, most), {})


def _read_pickle(raw: bytes, _: int) -> _Contents:
    value, end = read_pickle(raw)
    notes = _extra(end, raw)
    if isinstance(value, PickledArray):
        return _Contents({"": value}, {}, notes)
    if isinstance(value, (list, tuple)):
        value = {str(place): item for place, item in enumerate(value)}
    if not isinstance(value, dict):
        raise ArrayFault("holds a single value, no array of numbers", SAVE_AGAIN)
    arrays = {key: item for key, item in value.items() if isinstance(item, PickledArray)}
    others = {key: item for key, item in value.items() if key not in arrays}
    return _Contents(arrays, others, notes)


def _extra(end: int, raw: bytes) -> tuple[str, ...]:
    return (f"{len(raw) - end:,} bytes after the array are ignored",) if end < len(raw) else ()


_READERS: dict[str, Callable[[bytes, int], _Contents]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".pkl": _read_pickle,
    ".pickle": _read_pickle,
}


def _choose(contents: _Contents, wanted: str | None) -> tuple[str, tuple[str, ...]]:
    """The array that is asked for, or the only one that can be an image; what is left out."""
    names = [key for key in contents.arrays if key.casefold() != _AFFINE]
    if wanted is not None:
        if wanted not in names:
            raise ArrayFault(f"holds no array named {wanted!r}", _offer(contents, names))
        return wanted, _left_out(contents, wanted)
    if not names:
        what = _listed(contents.others) or ("its affine" if contents.arrays else "nothing else")
        raise ArrayFault(f"holds no array of numbers, but {what}", SAVE_AGAIN)
    images = [key for key in names if _axes(contents.arrays[key]) in _IMAGE_AXES]
    if len(names) == 1:
        return names[0], _left_out(contents, names[0])
    if len(images) == 1:
        return images[0], _left_out(contents, images[0])
    raise ArrayFault(f"holds {len(names)} arrays", _offer(contents, names))


def _axes(found: Unread | ArrayFault) -> int:
    return 0 if isinstance(found, ArrayFault) else len(found.layout.final_shape)


def _offer(contents: _Contents, names: list[str]) -> str:
    if names == [""]:
        return "it is the only array and has no name: leave --array out"
    described = [f"{name[:60]} ({_describe(contents.arrays[name])})" for name in names]
    more = " ..." if len(described) > _MOST_NAMES else ""
    shown = ", ".join(described[:_MOST_NAMES])
    return f"name one with `lesion-dash convert --array`: {shown}{more}"


def _describe(found: Unread | ArrayFault) -> str:
    try:
        return str(_whole(found).layout)
    except ArrayFault as fault:
        return fault.problem


def _whole(found: Unread | ArrayFault) -> Unread:
    if isinstance(found, ArrayFault):
        raise found
    return found


def _left_out(contents: _Contents, chosen: str) -> tuple[str, ...]:
    others = [key for key in (*contents.arrays, *contents.others) if key != chosen]
    rest = [key for key in others if key.casefold() != _AFFINE]
    return (f"of the file, {chosen} is used; left out: {_listed(rest)}",) if rest else ()


def _listed(names: Any) -> str:
    shown = [name[:60] for name in names]
    return ", ".join(shown[:_MOST_NAMES]) + (" ..." if len(shown) > _MOST_NAMES else "")


def _find_affine(contents: _Contents) -> NDArray[np.float64] | None:
    """What the file calls its affine, an array or rows of numbers."""
    everything = {**contents.arrays, **contents.others}
    keys = [key for key in everything if key.casefold() == _AFFINE and everything[key] is not None]
    if not keys:
        return None
    if len(keys) > 1:
        raise ArrayFault(f"holds {len(keys)} affines: {_listed(keys)}", "keep one of them")
    found = everything[keys[0]]
    if isinstance(found, ArrayFault):
        raise found
    numbers = _numbers_of(found)
    if numbers is None:
        raise ArrayFault("its affine is no matrix of 4 x 4 numbers", "save it as an array")
    return numbers


def _numbers_of(found: object) -> NDArray[np.float64] | None:
    layout = getattr(found, "layout", None)
    if isinstance(layout, Layout):
        is_matrix = layout.final_shape == (4, 4) and layout.dtype.kind in "iuf"
        return found.build().astype(np.float64) if is_matrix else None  # type: ignore[attr-defined]
    if not isinstance(found, (list, tuple)) or len(found) != 4:
        return None
    for row in found:
        if not isinstance(row, (list, tuple)) or len(row) != 4:
            return None
        if not all(type(number) in (int, float) for number in row):
            return None
    return np.array(found, np.float64)
