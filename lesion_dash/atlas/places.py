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
        said = self.region.replace("_", " ").casefold()
        more = [text for text in (self.full_name, self.lobe) if text.casefold() not in said]
        return f"{self.region} ({', '.join(more)})" if more else self.region


def names_of_place(
    atlases: Sequence[Atlas], mm: ArrayLike, owners: Sequence[str] = ()
) -> tuple[str, ...]:
    """What a world point in mm is called in each atlas; of several, behind the atlas's name.

    Parameters
    ----------
    atlases : sequence of Atlas
    mm : array-like, shape (3,)
    owners : sequence of str
        What the atlases are called, by default by their names.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> names_of_place([atlas], [-26, 0, 8])
    ('Synthetic putamen L (deep)',)
    >>> names_of_place([atlas, atlas], [-26, 0, 8], ["A", "B"])
    ('A: Synthetic putamen L (deep)', 'B: Synthetic putamen L (deep)')
    """
    words = [name_place(atlas, mm).words for atlas in atlases]
    if len(words) > 1:
        owners = owners or [atlas.name for atlas in atlases]
        words = [f"{owner}: {own}" for owner, own in zip(owners, words, strict=True)]
    return tuple(words)


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
