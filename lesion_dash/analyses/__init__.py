"""Analyses as requests, one for each command: ``Stats(masks="masks", output="out").execute()``."""

from __future__ import annotations

from .. import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
