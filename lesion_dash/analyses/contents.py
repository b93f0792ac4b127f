"""What the files of a result hold, and as which bytes they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ..images.maps import Map
    from ..images.masks import Mask

Content: TypeAlias = "bytes | Sequence[bytes | memoryview] | Map | Mask"
"""Of one file: its bytes, whole or in parts, or the map or mask that it holds as ``.nii``."""


def parts_of(content: Content) -> Sequence[bytes | memoryview]:
    r"""The parts of a file, to be written one after the other.

    Examples
    --------
    >>> parts_of(b"a,b\n")
    (b'a,b\n',)
    """
    from ..images.maps import Map, nifti_parts
    from ..images.masks import Mask

    if isinstance(content, (Map, Mask)):
        return nifti_parts(content.to_nifti())
    return (content,) if isinstance(content, bytes) else content
