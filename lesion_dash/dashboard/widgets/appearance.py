"""Light or dark, as the page is shown."""

from __future__ import annotations

import anywidget
import traitlets as t

from .assets import asset


class Appearance(anywidget.AnyWidget):
    """The button that swaps light and dark; figures follow it."""

    _esm = asset("appearance.js")
    dark = t.Bool(False).tag(sync=True)
