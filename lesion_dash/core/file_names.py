"""Names of files and folders that every system takes, and that no system takes for one another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³]) *", re.IGNORECASE)


def is_reserved(name: str) -> bool:
    """Whether Windows keeps a name for a device, whatever comes after its first dot.

    Examples
    --------
    >>> is_reserved("CON"), is_reserved("nul.nii.gz"), is_reserved("console.nii")
    (True, True, False)
    """
    return _RESERVED.fullmatch(name.partition(".")[0]) is not None


def plain_name(text: str, longest: int, kept: str = ".-_") -> str:
    """A text as a part of a file's name: letters and digits without accents, and a few signs.

    A name of such characters is left as it is, unless Windows reserves it, or would drop its end.

    Parameters
    ----------
    text : str
    longest : int
        Characters; the rest is cut.
    kept : str
        Signs that stay; every run of other characters becomes one ``_``.

    Examples
    --------
    >>> plain_name("sub-01_T1w", 80), plain_name("my cohört/a", 80), plain_name("con.a", 80)
    ('sub-01_T1w', 'my_coh_rt_a', '_con.a')
    """
    plain = re.sub(rf"[^A-Za-z0-9{re.escape(kept)}]+", "_", text)[:longest]
    if is_reserved(plain):
        plain = f"_{plain}"[:longest]
    return plain.rstrip(".")


def distinct_names(names: Iterable[str], ending: str = "", taken: Sequence[str] = ()) -> list[str]:
    """Names with an ending, and a number where one would be another's but for capitals.

    Parameters
    ----------
    names : iterable of str
    ending : str
    taken : sequence of str
        Whole names of other files.

    Examples
    --------
    >>> distinct_names(["T2", "t2", "T1"], ".nii", taken=["t1.nii"])
    ['T2.nii', 't2_2.nii', 'T1_2.nii']
    """
    known = {name.casefold() for name in taken}
    distinct: list[str] = []
    for name in names:
        own = next(each for each in _numbered(name, ending) if each.casefold() not in known)
        known.add(own.casefold())
        distinct.append(own)
    return distinct


def _numbered(name: str, ending: str) -> Iterator[str]:
    yield f"{name}{ending}"
    yield from (f"{name}_{number}{ending}" for number in count(2))


_LONGEST = 80  # characters; with the rest of the name below the usual limit of 255. Arbitrary


def own_names(file_name: str, owners: Sequence[str]) -> list[str]:
    """A file name for each of several owners; one alone has the name as it is.

    Names differ even where a file system takes A for a.

    Examples
    --------
    >>> own_names("region_counts.csv", ["AAL"])
    ['region_counts.csv']
    >>> own_names("region_counts.csv", ["AAL", "my atlas", "aal"])
    ['region_counts_AAL.csv', 'region_counts_my_atlas.csv', 'region_counts_aal_2.csv']
    """
    if len(owners) == 1:
        return [file_name]
    stem, dot, ending = file_name.rpartition(".")
    names = [f"{stem}_{plain_name(owner, _LONGEST, kept='-_')}" for owner in owners]
    return distinct_names(names, f"{dot}{ending}")
