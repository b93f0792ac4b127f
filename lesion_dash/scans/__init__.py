"""Single scans: arrays made images, registration, transforms, inspection, signal to noise."""

from __future__ import annotations

from .. import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
