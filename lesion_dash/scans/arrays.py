"""Read one array of a .npy, .npz or .pkl file, and the affine stored with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError
from ..files.listing import ARRAY_ENDINGS, has_image_ending, other_format
from ..files.paths import AnyPath, PathInput, as_path
from ..files.reading import checksum, read_bytes
from ..images.reading import read_header
from .npy import SAVE_AGAIN, UNPACKED, ArrayFault, LazyArray, read_npy, read_npz
from .pickles import read_pickle

LARGEST_FILE = 2**31 - 1
"""Bytes a file may have: a .npz archive of more is of another format (zip64)."""

_AFFINE = "affine"
_IMAGE_AXES = (3, 4)
_MAX_NAMES = 10  # arbitrary: those that fit a sentence


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
        What of the file is ignored, a sentence each.
    sha256 : str
        Of the file.

    Examples
    --------
    >>> from lesion_dash.scans import read_array
    >>> stored = read_array("sample_data/template/moving_image.pkl")
    >>> stored.name, stored.array.shape, stored.array.dtype.name
    ('array', (108, 76, 72), 'uint8')
    >>> stored.affine.diagonal().tolist()
    [-1.5, -1.5, 1.5, 1.0]
    """

    path: AnyPath
    name: str
    array: NDArray
    affine: NDArray[np.float64] | None
    notes: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, eq=False)
class _Contents:
    """Arrays by name, not built yet; other values by name; where they end in the file."""

    arrays: Mapping[str, LazyArray | ArrayFault]
    others: Mapping[str, Any]
    end: int


def _check_is_no_image(path: AnyPath) -> None:
    """Say of an image, or of a file of another format, what it is."""
    if has_image_ending(path.name):
        read_header(path)  # which names what is not a volume
        raise InputError(path, "is an image, not an array", "use it as it is")
    if isinstance(path, Path) and (reason := other_format(path)):
        problem, _, remedy = reason.partition("; ")
        raise InputError(path, problem, remedy)


def read_array(
    source: PathInput, name: str | None = None, unpack_mb: float | None = None
) -> StoredArray:
    """Read an array of numbers from a ``.npy``, ``.npz`` or ``.pkl`` file.

    A pickle never runs anything: the array is made from type, shape and bytes. Beside the file's
    content no more than the array itself is held, or twice that in protocols 0 to 2 of pickle.

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
    ...     stored = read_array(path)
    >>> stored.name, stored.array.shape, stored.affine.shape
    ('data', (4, 5, 6), (4, 4))
    """
    path = as_path(source)
    suffix = path.suffix.lower()
    if suffix not in ARRAY_ENDINGS:
        _check_is_no_image(path)
        problem = f"is not an array file: its name ends in none of {', '.join(ARRAY_ENDINGS)}"
        raise InputError(path, problem, SAVE_AGAIN)
    limit = UNPACKED if unpack_mb is None else unpack_mb * 1e6
    if not 0 < limit <= LARGEST_FILE:
        problem = f"{unpack_mb:g} is not between 0 and {LARGEST_FILE / 1e6:,.0f}"
        raise InputError("--unpack-mb", problem, "give the megabytes that an array may take")
    raw = read_bytes(path, max_bytes=LARGEST_FILE)
    sha256, size = checksum(raw), len(raw)
    try:
        contents = _read(raw, suffix, int(limit))
        del raw  # the arrays of a pickle are copies
        chosen = _choose(contents, name)
        array = _sound(contents.arrays[chosen]).build()
        affine = _find_affine(contents)
    except ArrayFault as fault:
        raise InputError(path, fault.problem, fault.remedy) from None
    notes = []
    if contents.end < size:
        notes.append(f"{size - contents.end:,} bytes after the array are ignored")
    others = [key for key in (*contents.arrays, *contents.others) if key != chosen]
    if rest := [key for key in others if key.casefold() != _AFFINE]:
        notes.append(f"array {chosen} is used; the file also holds {_listed(rest)}")
    return StoredArray(path, chosen, array, affine, tuple(notes), sha256)


def _read(raw: bytes, suffix: str, limit: int) -> _Contents:
    if suffix == ".npy":
        array, end = read_npy(raw)
        return _Contents({"": array}, {}, end)
    if suffix == ".npz":
        return _Contents(read_npz(raw, limit), {}, len(raw))
    return _Contents(*read_pickle(raw))


def _choose(contents: _Contents, name: str | None) -> str:
    """The array that is asked for, or the only one that can be an image."""
    names = [key for key in contents.arrays if key.casefold() != _AFFINE]
    if name in names:
        return name
    described = [f"{key[:60]} ({_describe(contents.arrays[key])})" for key in names]
    remedy = f"name one with `lesion-dash convert --array`: {_listed(described)}"
    if name is not None:
        if names == [""]:
            remedy = "the file holds one array, without a name: omit --array"
        raise ArrayFault(f"holds no array named {name!r}", remedy)
    if not names:
        rest = _listed(contents.others) or ("its affine" if contents.arrays else "nothing else")
        raise ArrayFault(f"holds no array of numbers, but {rest}", SAVE_AGAIN)
    images = [
        key for key in names if len(getattr(contents.arrays[key], "shape", ())) in _IMAGE_AXES
    ]
    for candidates in (names, images):
        if len(candidates) == 1:
            return candidates[0]
    raise ArrayFault(f"holds {len(names)} arrays", remedy)


def _describe(array: LazyArray | ArrayFault) -> str:
    return array.problem if isinstance(array, ArrayFault) else str(array)


def _sound(array: LazyArray | ArrayFault) -> LazyArray:
    if isinstance(array, ArrayFault):
        raise array
    return array


def _listed(names: Iterable[str]) -> str:
    shown = [name[:100] for name in names]
    return ", ".join(shown[:_MAX_NAMES]) + (" ..." if len(shown) > _MAX_NAMES else "")


def _find_affine(contents: _Contents) -> NDArray[np.float64] | None:
    """What the file calls its affine, an array or rows of numbers."""
    values = {**contents.arrays, **contents.others}
    keys = [key for key in values if key.casefold() == _AFFINE and values[key] is not None]
    if not keys:
        return None
    if len(keys) > 1:
        raise ArrayFault(f"holds {len(keys)} affines: {_listed(keys)}", "keep one of them")
    value = values[keys[0]]
    if isinstance(value, (LazyArray, ArrayFault)):
        array = _sound(value)
        if array.shape == (4, 4) and array.dtype.kind in "iuf":
            return array.build().astype(np.float64)
    elif _is_square(value):
        return np.array(value, np.float64)
    raise ArrayFault("its affine is not a matrix of 4 x 4 numbers", "save it as an array")


def _is_square(value: object) -> bool:
    """Whether it is four rows of four numbers; nothing deeper is looked at."""
    rows = value if isinstance(value, (list, tuple)) and len(value) == 4 else ()
    return bool(rows) and all(
        isinstance(row, (list, tuple))
        and len(row) == 4
        and all(
            type(number) is float or (type(number) is int and abs(number) < 2**63) for number in row
        )
        for row in rows
    )
