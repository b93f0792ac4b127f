"""A click into one of several slices, as the browser sends it."""

from __future__ import annotations

import math
from typing import Any


def read_click(content: Any, panes: int) -> tuple[int, float, float] | None:
    """The pane and the place in it, None for anything else, whatever the browser sends.

    Parameters
    ----------
    content : Any
        What was sent.
    panes : int
        How many there are.

    Returns
    -------
    tuple of int, float and float, or None
        Number of the pane, and shares of its width and height from the upper left.

    Examples
    --------
    >>> read_click({"pane": 2, "x": 0.5, "y": 1}, 3)
    (2, 0.5, 1.0)
    >>> read_click({"pane": 3, "x": 0.5, "y": 1}, 3) is None
    True
    >>> read_click({"pane": 0, "x": "nan", "y": 0}, 3) is None
    True
    """
    try:
        pane, x, y = int(content["pane"]), float(content["x"]), float(content["y"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    is_place = math.isfinite(x) and math.isfinite(y) and 0 <= min(x, y) <= max(x, y) <= 1
    return (pane, x, y) if is_place and 0 <= pane < panes else None
