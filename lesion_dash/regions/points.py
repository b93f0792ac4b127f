"""Points: which regions of an atlas a coordinate lies in, exactly or with an uncertainty."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..atlas.atlas import OUTSIDE, TIE_MM, Atlas
from ..atlas.levels import levels_of
from ..core.defaults import LOWER_THRESHOLD, POINT_SIGMA_MM
from ..core.errors import InputError
from ..core.grid import Grid
from ..files.paths import PathInput, as_path
from ..files.reading import read_text
from .overlap_scores import RegionSums, check_lower_threshold, sum_regions

if TYPE_CHECKING:
    import pandas as pd


COLUMNS = (
    "point",
    "x_mm",
    "y_mm",
    "z_mm",
    "sigma_mm",
    "label",
    "region",
    "probability",
    "max_probability",
    "percent_of_point",
    "full_name",
    "lobe",
    "nearest_region",
    "nearest_mm",
)
REACH = 3.0
"""Standard deviations at which the Gaussian around a point is cut off: 97 % of it lie within."""

LARGEST_SIGMA_MM = 20.0
"""Arbitrary: the Gaussian then reaches 6 cm, beyond any lobe."""


@dataclass(frozen=True, eq=False)
class PointAssignment:
    """Points, and the regions each of them may lie in.

    Parameters
    ----------
    atlas_name : str
    rows : tuple of tuple
        In the order of `COLUMNS`: point by point, likeliest region first, the outside last.
    notes : tuple of str
        What is unusual about the atlas.
    parameters : dict
        Every choice, defaults included.
    """

    atlas_name: str
    rows: tuple[tuple[Any, ...], ...]
    notes: tuple[str, ...]
    parameters: dict[str, Any]

    @property
    def table(self) -> pd.DataFrame:
        """A row per point and region, and one for what lies outside the atlas.

        - ``probability``: of the region, averaged over the Gaussian; that of the nearest voxel
          where sigma is 0. Outside the atlas it is what all regions leave of 1.
        - ``max_probability``: the highest one within three sigma.
        - ``percent_of_point``: how much of the Gaussian lies where the region has any probability;
          in a labelled atlas it adds up to 100 with the row for what lies outside.
        - ``nearest_region``, ``nearest_mm``: the region nearest to the point itself, and its
          distance, 0 in a region.
        """
        import pandas as pd

        return pd.DataFrame(list(self.rows), columns=list(COLUMNS))

    @property
    def best(self) -> pd.DataFrame:
        """A row of `table` per point: the likeliest region, the outside where there is none."""
        return self.table.drop_duplicates("point").reset_index(drop=True)


def assign_points(
    points_mm: ArrayLike,
    atlas: Atlas,
    sigma_mm: ArrayLike = POINT_SIGMA_MM,
    lower_threshold: float = LOWER_THRESHOLD,
) -> PointAssignment:
    """Assign coordinates to the regions of an atlas.

    A point with an uncertainty is a three-dimensional Gaussian, the same in all directions, cut
    off at three standard deviations and scaled to a sum of 1; what of it lies outside the image
    is outside the atlas.

    Parameters
    ----------
    points_mm : array, shape (n, 3) or (3,)
        World coordinates (x, y, z) in the atlas's space.
    atlas : Atlas
    sigma_mm : float or array, shape (n,)
        Standard deviation in mm along each axis, from 0 to 20; 0 is an exact point, which lies in
        its nearest voxel (of equally near ones the one to the left, back and below).
    lower_threshold : float
        Probabilities of the atlas below it count as 0; from 0 to 1.

    Returns
    -------
    PointAssignment
        Points are numbered from 1.

    Raises
    ------
    InputError
        Where a coordinate is not a number, or a parameter is out of its range.

    Notes
    -----
    The meaning is that of siibra's point assignment (siibra-python 1.0.1), which treats a sigma
    below three voxels as an exact point, and centres the Gaussian on a voxel; here it is used as
    it is given.

    Examples
    --------
    >>> from lesion_dash import load_atlas
    >>> atlas = load_atlas("sample_data/atlas/synthetic_atlas.nii.gz")
    >>> assign_points([-26, 0, 8], atlas).table[["region", "probability"]].head(1)
                    region  probability
    0  Synthetic putamen L          1.0
    """
    points, sigmas = _check_points(points_mm, sigma_mm)
    check_lower_threshold(lower_threshold)
    sums = sum_regions(atlas, lower_threshold)
    rows: list[tuple[Any, ...]] = []
    for number, (point, sigma) in enumerate(zip(points, sigmas.tolist(), strict=True), start=1):
        head = (number, *point.tolist(), sigma)
        near = sums.nearest_at(point)
        rows += [(*head, *cells, *near) for cells in _assign_point(point, sigma, sums)]
    parameters = {
        "points_mm": points.tolist(),
        "sigma_mm": sigmas.tolist(),
        "lower_threshold": lower_threshold,
    }
    return PointAssignment(atlas.name, tuple(rows), atlas.notes, parameters)


def _check_points(
    points_mm: ArrayLike, sigma_mm: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        points, sigmas = np.array(points_mm, float), np.array(sigma_mm, float)
    except (TypeError, ValueError):
        raise InputError("points", "are not numbers", "give x, y, z in mm for each") from None
    points = np.atleast_2d(points) if points.size else np.empty((0, 3))
    if points.ndim != 2 or points.shape[1] != 3:
        raise InputError("points", f"have the shape {points.shape}", "give x, y, z in mm for each")
    if not np.isfinite(points).all():
        raise InputError("points", "hold a coordinate that is not a number", "give x, y, z in mm")
    if sigmas.shape not in ((), (len(points),)):
        problem = f"holds {sigmas.size} values for {len(points)} points"
        raise InputError("sigma_mm", problem, "give one, or one per point")
    wrong = sigmas[~((sigmas >= 0) & (sigmas <= LARGEST_SIGMA_MM))]
    if wrong.size:
        remedy = f"give mm from 0 to {LARGEST_SIGMA_MM:g}"
        raise InputError("sigma_mm", f"is {wrong[0]}", remedy)
    return points, np.broadcast_to(sigmas, len(points))


def _assign_point(
    point: NDArray[np.float64], sigma: float, sums: RegionSums
) -> list[tuple[Any, ...]]:
    """The cells of `COLUMNS` from the label to the lobe, one row per region."""
    indices, weights = _spread_point(point, sigma, sums.atlas.grid)
    near = sums.by_voxel[indices]
    probability = weights @ near
    share = weights @ (near > 0)
    highest = near.max(axis=0).toarray().ravel() if indices.size else np.zeros(near.shape[1])
    inside = float(weights[np.diff(near.indptr) > 0].sum())
    regions = sums.atlas.regions
    rows = [
        (
            regions[column].label,
            regions[column].name,
            float(probability[column]),
            float(highest[column]),
            100 * float(share[column]),
            levels_of(regions[column]).full_name,
            levels_of(regions[column]).lobe,
        )
        for column in np.argsort(-probability, kind="stable").tolist()
        if share[column] > 0
    ]
    rest = max(0.0, 1.0 - float(weights @ np.minimum(1, near.sum(axis=1))))
    return [*rows, (0, OUTSIDE, rest, float("nan"), 100 * max(0.0, 1.0 - inside), "", "")]


def _spread_point(
    point: NDArray[np.float64], sigma: float, grid: Grid
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Linear positions of the voxels of a grid that a point may be in, and how likely it is each.

    Likelihoods add up to 1 together with those of the places outside the grid.
    """
    nearest = np.floor(grid.to_voxel(point - TIE_MM) + 0.5).astype(np.int64)
    # A step along one axis of the grid is at least this long across the planes of the other two.
    steps = np.ceil(REACH * sigma * np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1))
    sides = [np.arange(-int(step) - 1, int(step) + 2) for step in steps]
    voxels = nearest + np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)
    away = ((grid.to_mm(voxels) - point) ** 2).sum(axis=1)
    is_near = (away <= (REACH * sigma) ** 2) & (sigma > 0)
    if not is_near.any():
        is_near = (voxels == nearest).all(axis=1)  # all of it lies within one voxel
        away = np.zeros(len(voxels))
    voxels, away = voxels[is_near], away[is_near]
    weights = np.exp(-away / (2 * sigma**2)) if sigma > 0 else np.ones(len(voxels))
    weights /= weights.sum()
    is_inside = ((voxels >= 0) & (voxels < grid.shape)).all(axis=1)
    places = tuple(voxels[is_inside].T)
    return np.ravel_multi_index(places, grid.shape, order="F"), weights[is_inside]


@dataclass(frozen=True, eq=False)
class Points:
    """Coordinates that were read from a file.

    Parameters
    ----------
    mm : array, shape (n, 3)
    sigma_mm : array, shape (n,), or None
        Where every line has a fourth number.
    sha256 : str
        Of the file.
    """

    mm: NDArray[np.float64]
    sigma_mm: NDArray[np.float64] | None
    sha256: str


def read_points(path: PathInput) -> Points:
    r"""Read coordinates from a text file.

    Parameters
    ----------
    path : path or URL
        One point per line: x, y, z in mm, and its sigma in mm where it has one, separated by
        commas, semicolons, tabs or spaces. Decimals have a point. Lines that begin with # and a
        first line of names are skipped.

    Raises
    ------
    InputError
        Naming the line that is not a point; or where there is none.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "peaks.txt").write_text("x,y,z\n-26,0,8\n")
    ...     read_points(Path(folder, "peaks.txt")).mm.tolist()
    [[-26.0, 0.0, 8.0]]
    """
    place = as_path(path)
    text, _, sha256 = read_text(place, separators="\t,; ")
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = [cell for cell in re.split(r"[\s,;]+", line.strip()) if cell]
        if not cells or cells[0].startswith("#") or (not rows and _is_head(cells)):
            continue
        if _has_decimal_commas(line):
            problem = f"line {number} has commas within its numbers: {line.strip()[:60]!r}"
            raise InputError(place, problem, "write decimals with a point")
        rows.append(_parse_cells(place, number, cells))
    if len({len(row) for row in rows}) > 1:
        raise InputError(place, "some points have a sigma and some have none", "give it to all")
    if not rows:
        raise InputError(place, "holds no point", "give x, y, z in mm, one point per line")
    table = np.array(rows)
    return Points(table[:, :3], table[:, 3] if table.shape[1] == 4 else None, sha256)


def _is_head(cells: list[str]) -> bool:
    return not any(character.isdigit() for character in "".join(cells))


def _has_decimal_commas(line: str) -> bool:
    """Whether something else separates the numbers, so that a comma belongs to one of them."""
    cells = re.split(r"[\s;]+", line.strip())
    return len(cells) > 1 and any(re.search(r"\d,\d", cell) for cell in cells)


def _parse_cells(path: object, number: int, cells: list[str]) -> list[float]:
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        values = []
    if len(values) not in (3, 4) or not np.isfinite(values).all():
        problem = f"line {number} is not a point: {' '.join(cells)[:60]!r}"
        raise InputError(path, problem, "give x, y, z and, if known, sigma, in mm")
    return values
