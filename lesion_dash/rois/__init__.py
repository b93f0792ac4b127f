"""Regions of interest: where a map comes from, the steps of a recipe, values in the regions."""

from __future__ import annotations

from .. import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, __file__)
