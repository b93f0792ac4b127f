"""Sentences of the library as the page says them."""

from __future__ import annotations

import re

_OPTION = re.compile(r"(?<![\w-])--(?=[a-z])")


def without_options(sentence: str) -> str:
    """A sentence without the advice that names an option of the command line.

    What was found stays, as the page has other ways to go on; an option in it is its bare name.

    Examples
    --------
    >>> without_options("a.nii: many values; make a mask with --threshold 0.5; or omit it")
    'a.nii: many values; or omit it'
    >>> without_options("--voxel-size: is 0; give --voxel-size X Y Z")
    'voxel-size: is 0'
    """
    problem, *advice = sentence.split("; ")
    kept = [part for part in advice if not _OPTION.search(part)]
    return "; ".join([_OPTION.sub("", problem), *kept])
