"""Fetch a published atlas: nilearn downloads it, or takes it from its cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tarfile import TarError
from typing import Any
from zipfile import BadZipFile

from ..errors import InputError
from ..images import SpatialImage
from ..label_tables import LabelTable, Region, is_background
from .entries import LIBRARY, PREFIX, Entry

_DAMAGE = (OSError, ValueError, RuntimeError, LookupError, EOFError, TarError, BadZipFile)
"""What a download that fails or breaks off may raise."""

_CONNECT_S = 4.0
"""Seconds in which a server must take a connection."""


@dataclass(frozen=True, eq=False)
class Fetched:
    """An atlas of the library, on this computer."""

    entry: Entry
    image: Path | SpatialImage
    table: LabelTable


def is_library_name(text: str) -> bool:
    """Whether a text names an atlas of the library rather than a file.

    Examples
    --------
    >>> is_library_name("nilearn:aal"), is_library_name("atlases/aal.nii.gz")
    (True, False)
    """
    return text.startswith(PREFIX)


def alike_names(text: str) -> list[str]:
    """Names of published atlases that a word may stand for: the same but for the prefix, or alike.

    Examples
    --------
    >>> alike_names("aal"), alike_names("Schaefer400"), alike_names("atlases/aal.nii.gz")
    (['nilearn:aal'], ['nilearn:schaefer_400'], [])
    """
    if not re.fullmatch(r"[\w\- ]+", text):
        return []
    word = re.sub(r"\W+", "_", text.lower())
    known = [name.removeprefix(PREFIX) for name in LIBRARY]
    begun = [name for name in known if name.startswith(f"{word}_")][:3]
    found = [word] if word in known else begun or get_close_matches(word, known, 1, 0.75)
    return [PREFIX + name for name in found]


def will_download(name: str) -> bool:
    """Whether a name is one of the library whose atlas is not on this computer yet."""
    return name in LIBRARY and not LIBRARY[name].on_disk


def fetch_atlas(name: str) -> Fetched:
    """Download an atlas by its name, or take it from nilearn's cache.

    Parameters
    ----------
    name : str
        Such as ``nilearn:aal``; see `LIBRARY`.

    Raises
    ------
    InputError
        Where there is no atlas of that name, or it cannot be downloaded.
    """
    from nilearn import datasets

    entry = LIBRARY.get(name)
    if entry is None:
        alike = ", ".join(get_close_matches(name, LIBRARY, 3, 0.4))
        remedy = f"did you mean {alike}?" if alike else "`lesion-dash atlases` lists the names"
        raise InputError(name, "no atlas of this name is known", remedy)
    try:
        with _short_wait():
            found = getattr(datasets, f"fetch_atlas_{entry.fetcher}")(**entry.options, verbose=0)
    except _DAMAGE as error:
        problem = f"nilearn ({entry.fetcher}) could not download it: {_reason(error)}"
        remedy = (
            "connect to the internet and try again; or download the atlas elsewhere, and give its "
            "image in place of the name"
        )
        raise InputError(name, problem, remedy) from error
    return Fetched(entry, _image_of(found), LabelTable(Path(name), _rows_of(entry, found)))


@contextmanager
def _short_wait() -> Iterator[None]:
    """Let nilearn give up on a server that takes no connection after seconds.

    Its own limit is 15 s and no option; where another release keeps it elsewhere, that one holds.
    """
    from nilearn.datasets import _utils

    name = "_REQUESTS_TIMEOUT"
    usual = getattr(_utils, name, None)
    if not isinstance(usual, tuple):
        yield
        return
    setattr(_utils, name, (_CONNECT_S, *usual[1:]))
    try:
        yield
    finally:
        setattr(_utils, name, usual)


def _reason(error: Exception) -> str:
    """What went wrong, in few words: a failed request tells its whole history otherwise."""
    url = getattr(getattr(error, "request", None), "url", None)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if url is not None:
        return f"{url} answers {status}" if status is not None else f"no answer from {url}"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _image_of(found: Any) -> Path | SpatialImage:
    maps = found["maps"]
    return maps if isinstance(maps, SpatialImage) else Path(maps)


def _rows_of(entry: Entry, found: Any) -> tuple[Region, ...]:
    """The regions as nilearn tells them: a look-up table, a table of components, or a list."""
    lut, labels = found.get("lut"), found["labels"]
    pairs: Iterable[tuple[Any, Any]]
    if entry.kind == "labels" and lut is not None:
        pairs = zip(lut["index"].tolist(), lut["name"].tolist(), strict=True)
    elif hasattr(labels, "columns"):
        pairs = zip(labels["component"].tolist(), labels["difumo_names"].tolist(), strict=True)
    else:
        pairs = enumerate(labels, start=0 if is_background(str(labels[0])) else 1)
    parents = _parents_of(entry, found)
    return tuple(
        Region(int(label), str(name).strip(), parents(place, str(name)))
        for place, (label, name) in enumerate(pairs)
    )


def _parents_of(entry: Entry, found: Any) -> Callable[[int, str], dict[str, str]]:
    """The network of a region, where its name or a list says it."""
    if entry.fetcher == "schaefer_2018":
        # 7Networks_LH_Vis_1 is the first region of the network Vis.
        return lambda _, name: {"parent": name.split("_")[2]} if name.count("_") > 2 else {}
    networks = found.get("networks")
    if networks is not None:
        return lambda place, _: {"parent": str(networks[place])}
    return lambda _place, _name: {}
