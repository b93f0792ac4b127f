"""Atlases: which region each voxel belongs to."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .files import has_image_ending, list_images, strip_ending
from .grid import Grid
from .images import read_labels
from .label_tables import ENDINGS, Region, read_label_table

if TYPE_CHECKING:
    import pandas as pd

OUTSIDE = "outside the atlas"

TIE_MM = 0.001
"""A point this much to the left, back and below decides between equally near voxels."""


@dataclass(frozen=True, eq=False)
class LabelAtlas:
    """One region at most for every voxel.

    Parameters
    ----------
    name : str
    grid : Grid
    labels : array of int, shape of the grid
        0 is outside the atlas.
    regions : tuple of Region
        In ascending order of label; a label without a name is called ``label N``.
    notes : tuple of str
        What is unusual about the image or its table, and how it was brought onto its grid.
    """

    name: str
    grid: Grid
    labels: NDArray[np.integer]
    regions: tuple[Region, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def names(self) -> dict[int, str]:
        """Label to name, with 0 for what lies outside the atlas."""
        return {0: OUTSIDE} | {region.label: region.name for region in self.regions}

    @cached_property
    def sizes(self) -> dict[int, int]:
        """Voxels of each label that occurs, on this grid."""
        found, counts = np.unique(self.labels, return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))

    @property
    def table(self) -> pd.DataFrame:
        """A row per region: label, region, voxels on this grid, and the table's other columns."""
        import pandas as pd

        rows = [
            {
                "label": region.label,
                "region": region.name,
                "voxels": self.sizes.get(region.label, 0),
            }
            | region.extra
            for region in self.regions
        ]
        return pd.DataFrame(rows, columns=None if rows else ["label", "region", "voxels"])

    def region_at(self, mm: ArrayLike) -> str:
        """Name of the region at a world point in mm."""
        voxel = self.grid.nearest_voxel(mm)
        return self.names[int(self.labels[voxel])] if voxel else OUTSIDE

    def on_grid(self, grid: Grid) -> LabelAtlas:
        """Bring the atlas onto a grid by nearest neighbour through world coordinates.

        Where a voxel's centre lies exactly between atlas voxels, the one to the left (then back,
        below) is taken: every point is moved by 0.001 mm in these directions before rounding.
        The rule is one of the world, so a mirrored or permuted copy of an atlas gives the same.

        Raises
        ------
        InputError
            Where the atlas does not overlap the grid.
        """
        return _on_grid(self, grid)


def load_atlas(
    image: str | os.PathLike[str], labels: str | os.PathLike[str] | None = None
) -> LabelAtlas:
    """Read a labelled atlas and the table of its region names.

    Parameters
    ----------
    image : path
        NIfTI image of whole numbers; 0 is outside the atlas.
    labels : path, optional
        CSV or TSV with columns for index and name, or a FreeSurfer colour table. By default the
        table that lies beside the image and is named most like it.

    Raises
    ------
    InputError
        Where image or table cannot be used.

    Examples
    --------
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> atlas.region_at([0, 0, 200])
    'outside the atlas'
    """
    path = Path(image).expanduser()
    data, grid, notes = read_labels(path)
    if not data.any():
        raise InputError(path, "atlas is empty: no voxel has a label")
    table_path = Path(labels).expanduser() if labels is not None else find_label_table(path)
    present = set(np.unique(data).tolist()) - {0}
    if table_path is None:
        regions: tuple[Region, ...] = ()
        notes += ("no label table found: regions are called by their number",)
    else:
        table = read_label_table(table_path)
        regions, notes = table.regions, notes + table.notes + _compare(present, table.regions)
    return LabelAtlas(strip_ending(path.name), grid, data, _name_all(present, regions), notes)


def find_label_table(image: Path) -> Path | None:
    """The table beside an atlas image whose name is most like the image's."""
    stem = strip_ending(image.name).lower()
    if not image.parent.is_dir():
        return None
    tables = [path for path in sorted(image.parent.iterdir()) if path.suffix.lower() in ENDINGS]
    likeness = {path: _shared_start(stem, path.name.lower()) for path in tables}
    best = max(tables, key=lambda path: likeness[path], default=None)
    return best if best and (likeness[best] > 2 or len(tables) == 1) else None


def _shared_start(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))


def find_atlases(folder: str | os.PathLike[str]) -> dict[str, tuple[Path, Path]]:
    """Atlas images below a folder that have a label table beside them: name to both paths."""
    found = {}
    for image in list_images(folder).images:
        table = find_label_table(image)
        if table is not None and has_image_ending(image.name) and "participants" not in table.name:
            found[strip_ending(image.name)] = (image, table)
    return found


def _compare(present: set[int], regions: tuple[Region, ...]) -> tuple[str, ...]:
    named = {region.label for region in regions}
    notes = []
    if missing := sorted(present - named):
        notes.append(f"label without a name: {_shorten(missing)}")
    if empty := sorted(named - present):
        notes.append(f"region without voxels: label {_shorten(empty)}")
    return tuple(notes)


def _shorten(labels: list[int]) -> str:
    return ", ".join(map(str, labels[:5])) + (f" and {len(labels) - 5} more" if labels[5:] else "")


def _name_all(present: set[int], regions: tuple[Region, ...]) -> tuple[Region, ...]:
    named = {region.label: region for region in regions}
    for label in present - set(named):
        named[label] = Region(label, f"label {label}")
    whole = [
        replace(region, name=region.name or f"label {label}") for label, region in named.items()
    ]
    return tuple(sorted(whole, key=lambda region: region.label))


@lru_cache(maxsize=8)
def _on_grid(atlas: LabelAtlas, grid: Grid) -> LabelAtlas:
    from scipy.ndimage import affine_transform

    if atlas.grid.matches(grid):
        return atlas
    inverse = np.linalg.inv(atlas.grid.affine)
    steps = inverse @ grid.affine
    nudge = inverse[:3, :3] @ np.full(3, -TIE_MM)
    labels = affine_transform(
        atlas.labels,
        steps[:3, :3],
        steps[:3, 3] + nudge,
        output_shape=grid.shape,
        order=0,
        mode="grid-constant",
        cval=0,
        prefilter=False,
    )
    if not labels.any():
        problem = f"atlas does not overlap the map: {_extent(atlas.grid)} against {_extent(grid)}"
        raise InputError(atlas.name, problem, "choose an atlas of the same space")
    labels.setflags(write=False)
    return replace(atlas, grid=grid, labels=labels, notes=(*atlas.notes, _how(atlas.grid, grid)))


def _how(own: Grid, grid: Grid) -> str:
    if own.exact_steps(grid) is not None:
        return f"atlas reoriented from {own} onto the map's grid ({grid}): no value changes"
    return (
        f"atlas resampled from {own} onto the map's grid ({grid}) by nearest neighbour in world "
        "coordinates; exact ties go to the left, back and below"
    )


def _extent(grid: Grid) -> str:
    low, high = grid.corners().min(axis=0), grid.corners().max(axis=0)
    return ", ".join(
        f"{axis} {a:.0f}..{b:.0f} mm" for axis, a, b in zip("xyz", low, high, strict=True)
    )
