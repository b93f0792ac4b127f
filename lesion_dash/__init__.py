"""Lesion masks in a common brain space: size topography, overlap, and the regions it falls in.

What is done with single scans is in `lesion_dash.scans`, what makes regions of interest in
`lesion_dash.rois`.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from .core.lazy import lazy_names

_get, __all__ = lazy_names(__name__, __file__)


def __getattr__(name: str) -> Any:
    """A public name, a part such as `scans`, or the version; imported when first asked for."""
    return version("lesion-dash") if name == "__version__" else _get(name)
