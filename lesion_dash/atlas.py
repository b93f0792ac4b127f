"""Atlases: which region each voxel belongs to."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .files import (
    AnyPath,
    PathInput,
    UrlPath,
    as_path,
    list_images,
    path_below,
    strip_ending,
)
from .grid import Grid
from .images import SpatialImage, read_labels
from .label_tables import ENDINGS, Region, is_label_table, read_label_table

if TYPE_CHECKING:
    import pandas as pd

OUTSIDE = "outside the atlas"
SWAPPED = "left and right are swapped"

_GENERIC = frozenset(
    ("atlas", "label", "labels", "lut", "names", "table", "map", "dseg", "nii", "gz")
)
_GENERIC |= {
    "",
    "atlases",
    "name",
    "maps",
    "region",
    "regions",
    "prob",
    "1mm",
    "2mm",
    "lesion",
    "mask",
}
"""Words in a file's name that do not tell one atlas from another."""

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
    sources : dict
        SHA-256 of image and label table, by path.
    """

    name: str
    grid: Grid
    labels: NDArray[np.integer]
    regions: tuple[Region, ...]
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)

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
        """Name of the region at a world point in mm; ties as in `on_grid`."""
        voxel = self.grid.nearest_voxel(np.asarray(mm, float) - TIE_MM)
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


def load_atlas(image: PathInput | SpatialImage, labels: PathInput | None = None) -> LabelAtlas:
    """Read a labelled atlas and the table of its region names.

    Parameters
    ----------
    image : path, URL or nibabel image
        Whole numbers; 0 is outside the atlas.
    labels : path or URL, optional
        CSV or TSV with columns for index and name, or a FreeSurfer colour table. By default the
        table that lies beside the image and is named after it; see `find_label_table`.

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
    source = image if isinstance(image, SpatialImage) else as_path(image)
    data, grid, stored, notes = read_labels(source)
    path = stored.path
    if not data.any():
        raise InputError(path, "atlas is empty: no voxel has a label")
    sources = {str(path): stored.sha256}
    table_path = as_path(labels) if labels is not None else find_label_table(path)
    present = set(np.unique(data).tolist()) - {0}
    if table_path is None:
        regions: tuple[Region, ...] = ()
        notes += ("no label table found: regions are called by their number",)
    else:
        table = read_label_table(table_path)
        sources[str(table_path)] = table.sha256
        regions, notes = table.regions, notes + table.notes + _compare(present, table.regions)
        notes += check_sides(grid, data, regions)
    named = _name_all(present, regions)
    return LabelAtlas(strip_ending(path.name), grid, data, named, notes, sources)


@overload
def find_label_table(image: Path) -> Path | None: ...
@overload
def find_label_table(image: UrlPath) -> UrlPath | None: ...
def find_label_table(image: AnyPath) -> AnyPath | None:
    """The label table beside an atlas image that is named after it.

    Words such as "labels" or "2mm" aside, every word of the table's name is one of the image's:
    ``BN_Atlas_246_LUT.txt`` belongs to ``BN_Atlas_246_2mm.nii.gz``. A file that is no label table
    is none, whatever its name.
    """
    if not image.parent.is_dir():
        return None
    stem, own = strip_ending(image.name).lower(), _words(image.name)
    beside: list[AnyPath] = list(image.parent.iterdir())
    tables = [path for path in beside if path.suffix.lower() in ENDINGS]
    tables.sort(key=lambda path: path.name)
    same = [table for table in tables if strip_ending(table.stem).lower() == stem]
    alike = [table for table in tables if _words(table.name) <= own and _words(table.name)]
    ranked = same + sorted(alike, key=lambda table: -len(_words(table.name)))
    return next((table for table in ranked if is_label_table(table)), None)


def find_atlases(folder: PathInput) -> dict[str, tuple[AnyPath, AnyPath]]:
    """Atlas images below a folder that have a label table beside them: name to both paths.

    Atlases of one file name are told apart by their path below the folder.
    """
    root = as_path(folder)
    pairs = [(image, find_label_table(image)) for image in list_images(root).images]
    found = [(image, table) for image, table in pairs if table is not None]
    times = Counter(image.name for image, _ in found)
    return {
        strip_ending(image.name if times[image.name] == 1 else path_below(image, root)): (
            image,
            table,
        )
        for image, table in found
    }


def _words(name: str) -> frozenset[str]:
    words = re.split(r"[^a-z0-9]+", strip_ending(Path(name).stem if "." in name else name).lower())
    return frozenset(words) - _GENERIC


def check_sides(
    grid: Grid, labels: NDArray[np.integer], regions: tuple[Region, ...]
) -> tuple[str, ...]:
    """Compare names that say left or right with the side on which the regions lie.

    Examples
    --------
    >>> grid = Grid((2, 1, 1), [[2, 0, 0, -1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> regions = (Region(1, "Insula_R"), Region(2, "Insula_L"))
    >>> check_sides(grid, np.array([1, 2]).reshape(2, 1, 1), regions)[0]
    'left and right are swapped: 2 of 2 regions lie on the other side than their name says'
    """
    sides = {region.label: side for region in regions if (side := _named_side(region.name))}
    flat = np.ravel(labels, order="F")
    indices = np.flatnonzero(np.isin(flat, list(sides)))
    if not indices.size:
        return ()
    found, place = np.unique(flat[indices], return_inverse=True)
    x = np.bincount(place, weights=grid.mm_of_index(indices)[:, 0]) / np.bincount(place)
    wrong = [
        label for label, mean in zip(found.tolist(), x, strict=True) if sides[label] * mean < 0
    ]
    if len(wrong) > len(found) / 2:
        share = f"{len(wrong)} of {len(found)} regions"
        return (f"{SWAPPED}: {share} lie on the other side than their name says",)
    if wrong:
        return (f"lies on the other side than its name says: label {_shorten(wrong)}",)
    return ()


def _named_side(name: str) -> int:
    """-1 where a name says left, 1 where it says right, 0 where it says neither."""
    words = re.split(r"[\s_.\-()\[\],]+", name.lower())
    left = any(word in ("l", "lh", "left") for word in words)
    right = any(word in ("r", "rh", "right") for word in words)
    return int(right) - int(left)


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
    if not _boxes_meet(atlas.grid, grid):
        problem = f"atlas does not overlap the map: {_extent(atlas.grid)} against {_extent(grid)}"
        raise InputError(atlas.name, problem, "choose an atlas of the same space")
    labels.setflags(write=False)
    return replace(atlas, grid=grid, labels=labels, notes=(*atlas.notes, _how(atlas.grid, grid)))


def _how(own: Grid, grid: Grid) -> str:
    if own.exact_steps(grid) is not None and own.size == grid.size:
        return f"atlas reoriented from {own} onto the map's grid ({grid}): no value changes"
    return (
        f"atlas resampled from {own} onto the map's grid ({grid}) by nearest neighbour in world "
        "coordinates; exact ties go to the left, back and below; region sizes are those on the "
        "map's grid"
    )


def _boxes_meet(a: Grid, b: Grid) -> bool:
    (low_a, high_a), (low_b, high_b) = (
        (grid.corners().min(axis=0), grid.corners().max(axis=0)) for grid in (a, b)
    )
    return bool(np.all(low_a <= high_b) and np.all(low_b <= high_a))


def _extent(grid: Grid) -> str:
    low, high = grid.corners().min(axis=0), grid.corners().max(axis=0)
    return ", ".join(
        f"{axis} {a:.0f}..{b:.0f} mm" for axis, a, b in zip("xyz", low, high, strict=True)
    )
