"""Several files as one, for the browser to save."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest a zip file can name: the same files give the same bytes."""


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """Files as one ZIP, the same bytes each time; what is compressed already is kept as it is.

    Parameters
    ----------
    files : mapping of bytes
        By name.

    Examples
    --------
    >>> zip_of({"a.txt": b"one"}) == zip_of({"a.txt": b"one"})
    True
    """
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            is_small = name.endswith((".gz", ".png"))
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_STORED if is_small else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return made.getvalue()
