"""The software a report was made with."""

from __future__ import annotations

import platform
from importlib.metadata import version

_PACKAGES = ("numpy", "scipy", "nibabel", "nilearn", "matplotlib", "pandas")


def versions() -> dict[str, str]:
    """Name and version of what was used."""
    own = {"lesion_dash": version("lesion-dash"), "Python": platform.python_version()}
    return own | {name: version(name) for name in _PACKAGES}
