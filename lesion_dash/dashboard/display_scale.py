"""What the colours of a map stand for."""

from __future__ import annotations

from dataclasses import dataclass

from ..plotting.figures import ML, counted_maximum, fixed_maximum, nice_ceiling

__all__ = ["ML", "DisplayScale", "counted_maximum", "fixed_maximum", "nice_ceiling"]


@dataclass(frozen=True)
class DisplayScale:
    """What the colours of a map stand for.

    Parameters
    ----------
    title : str
        The map in words.
    unit : str
        ``mL`` or ``patients``, empty for the overlap.
    maximum : float
        Value of the last colour; fixed for a cohort, so that colours keep their meaning while the
        threshold moves.
    exceeded : bool
        Whether any voxel of the map lies above the last colour.
    colormap : str
        Name of the colour table, empty for the overlap.
    """

    title: str
    unit: str
    maximum: float
    exceeded: bool
    colormap: str
