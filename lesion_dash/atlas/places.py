"""What a place is called: its region, or the nearest one and how far away that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from .atlas import OUTSIDE, Atlas
from .levels import levels_of


@dataclass(frozen=True)
class NamedPlace:
    """A place and its region; every field is empty where there is no atlas.

    Parameters
    ----------
    region : str
        Or ``outside the atlas``.
    full_name, lobe : str
        Of the region, where it is in one.
    nearest_region : str
        The region itself, or the nearest one outside the atlas.
    nearest_mm : float
        Distance to it, 0 in a region; NaN where there is none.
    """

    region: str = ""
    full_name: str = ""
    lobe: str = ""
    nearest_region: str = ""
    nearest_mm: float = float("nan")

    @property
    def words(self) -> str:
        """As text, such as ``outside the atlas, 3.0 mm from IFJ_R``.

        Examples
        --------
        >>> NamedPlace("A8m_L", "medial area 8", "Frontal Lobe", "A8m_L", 0.0).words
        'A8m_L (medial area 8, Frontal Lobe)'
        """
        if self.nearest_mm > 0:
            return f"{self.region}, {self.nearest_mm:.1f} mm from {self.nearest_region}"
        more = [text for text in (self.full_name, self.lobe) if text and text != self.region]
        return f"{self.region} ({', '.join(more)})" if more else self.region


def place_words(atlases: Sequence[Atlas], mm: ArrayLike) -> str:
    """What a world point in mm is called in each atlas, in one line; empty without one.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> place_words([atlas.replaced(name="A"), atlas.replaced(name="B")], [-26, 0, 8])
    'A: Synthetic putamen L (deep); B: Synthetic putamen L (deep)'
    """
    words = [name_place(atlas, mm).words for atlas in atlases]
    if len(words) > 1:
        words = [f"{atlas.name}: {own}" for atlas, own in zip(atlases, words, strict=True)]
    return "; ".join(words)


def name_place(atlas: Atlas | None, mm: ArrayLike) -> NamedPlace:
    """What a world point in mm is called.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> name_place(atlas, [-26, 0, 8]).region
    'Synthetic putamen L'
    """
    near = atlas.nearest(mm) if atlas is not None else None
    if near is None:
        return NamedPlace(OUTSIDE if atlas is not None else "")
    if near.distance_mm > 0:
        return NamedPlace(OUTSIDE, nearest_region=near.region.name, nearest_mm=near.distance_mm)
    levels = levels_of(near.region)
    return NamedPlace(near.region.name, levels.full_name, levels.lobe, near.region.name, 0.0)
