"""The map of one region: its probabilities, or the voxels that bear its label."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atlas import (
    LabelAtlas,
    ProbabilityAtlas,
    check_scale,
    load_atlas,
    resample_sparse,
    to_probabilities,
)
from ..errors import InputError
from ..files import AnyPath, PathInput, as_path, has_image_ending
from ..grid import Grid
from ..images import Choice, Map, Mask, SpatialImage, count_volumes, read_header, read_map
from ..images.header import half_step
from ..label_tables import Region
from .beside import is_array_file, open_array
from .choosing import list_regions, pick_region
from .placing import check_overlap, place_mask

DEFAULT_THRESHOLD = 0.5

_ROUNDING = 1e-6
"""A probability stored as float32, or interpolated, may miss the threshold by so much."""

_OFF = 1e-4
"""Labels that were stored as floats may miss whole numbers by so much."""

_LARGEST_PERCENT = 100
_PIECE = 2**20  # values that are compared together


@dataclass(frozen=True, eq=False)
class RegionMap:
    """One region on the grid of its map.

    Parameters
    ----------
    name : str
        Of the region, or of the map where it holds one only.
    grid : Grid
    indices : array of int32, shape (voxels,)
        Linear positions of the voxels that may belong to it, ascending, first axis fastest.
    probabilities : array of float64, shape (voxels,), or None
        0 to 1; None where the map holds labels, and each of the voxels belongs to it.
    notes : tuple of str
    sources : dict
        SHA-256 of the files that were read, by path.
    """

    name: str
    grid: Grid
    indices: NDArray[np.int32]
    probabilities: NDArray[np.float64] | None
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)

    def mask_on(self, grid: Grid, threshold: float | None = None) -> Mask:
        """The mask of the region on the grid of an image.

        Labels are brought there by nearest neighbour; probabilities by linear interpolation, and
        then a voxel belongs to the region where its probability is **at least** the threshold.

        Parameters
        ----------
        grid : Grid
            Of the image.
        threshold : float, optional
            A share in (0, 1], 0.5 by default; labels take none.

        Raises
        ------
        InputError
            Where map and image do not overlap, or no voxel reaches the threshold.
        """
        if self.probabilities is None:
            if threshold is not None:
                problem = "is a map of labels: it has no probability to compare"
                raise InputError(self.name, problem, "leave --threshold out")
            return place_mask(Mask(self.grid, self.indices, self.name), grid)
        share = DEFAULT_THRESHOLD if threshold is None else threshold
        Choice(share)  # raises where it is no share
        indices, values, notes = _on_grid(self, self.probabilities, grid)
        kept = indices[values >= share - _ROUNDING]
        if not kept.size:
            largest = f"the largest is {values.max(initial=0):.3g}"
            problem = f"no voxel of the image has a probability of at least {share:g}: {largest}"
            raise InputError(self.name, problem, "give a lower --threshold")
        said = f"voxels of at least {share:g} taken as the mask"
        return Mask(grid, kept, self.name, (*notes, said))


def _on_grid(
    region: RegionMap, values: NDArray[np.float64], grid: Grid
) -> tuple[NDArray[np.int32], NDArray[np.float64], tuple[str, ...]]:
    own = region.grid
    if own.matches(grid):
        return region.indices, values, ()
    check_overlap(region.name, own, grid)
    placed = resample_sparse(region.indices, values, own, grid)
    if own.exact_steps(grid) is not None:
        return (*placed, (f"map reoriented from {own} to the image's grid ({grid})",))
    note = f"probabilities resampled from {own} onto the image's grid ({grid}) by linear "
    return (*placed, (f"{note}interpolation in world coordinates",))


def read_region(
    source: PathInput | SpatialImage,
    label: str | int | None = None,
    table: PathInput | None = None,
    percent: bool = False,
) -> RegionMap:
    """Read the map of one region.

    Parameters
    ----------
    source : path, URL or nibabel image
        A map of probabilities, 0 to 1 or percent: 3D of one region, 4D (or a folder of 3D ones)
        with a region a volume; or a 3D map of labels. The array of a ``.npy`` file takes the
        space of the NIfTI image of its shape beside it.
    label : str or int, optional
        Name or number of the region; needed where the map holds several.
    table : path, optional
        Names of the regions; by default the table beside the map that is named after it.
    percent : bool
        A 3D map holds percent, however small its largest value. Without this, whole numbers are
        taken for labels, since those up to 100 may be either; the largest value of others tells.

    Raises
    ------
    InputError
        Where the map holds several regions and none was chosen, is a colour picture, or holds
        neither labels nor probabilities.

    Examples
    --------
    >>> found = read_region("sample_data/atlas/synthetic_atlas.nii.gz", "synthetic putamen l")
    >>> found.name, found.indices.size
    ('Synthetic putamen L', 507)
    """
    place = source if isinstance(source, SpatialImage) else as_path(source)
    if isinstance(place, SpatialImage) or not is_array_file(place):
        return _read(place, label, table, percent)
    image, notes, read = open_array(place)
    found = _read(image, label, table, percent)
    sources = found.sources | read
    name = found.name.removesuffix(place.suffix)
    return replace(found, name=name, notes=notes + found.notes, sources=sources)


def _read(
    place: AnyPath | SpatialImage, label: str | int | None, table: PathInput | None, percent: bool
) -> RegionMap:
    is_folder = not isinstance(place, SpatialImage) and place.is_dir()
    if is_folder or count_volumes(place) > 1:
        return _of_several(place, label, table, percent)
    found = read_map(place)
    path = Path(found.name) if isinstance(place, SpatialImage) else place
    values = np.ravel(found.array, order="F")
    values = np.nan_to_num(values) if np.isnan(values).any() else values
    off, largest = _rounding(place), values.max()
    is_whole = _is_whole(values, off)
    is_several = is_whole and largest > 1 + off and values.min() > -off and not percent
    if label is None and not is_several:
        return _of_single(found, values, path, percent)
    if label is not None and (percent or (largest <= 1 and not is_whole)):
        problem = "is the map of one region's probabilities: it holds no labels"
        raise InputError(found.name, problem, "leave --label out")
    atlas = load_atlas(place, table)
    if label is None:
        raise _refuse_several(path, atlas.regions, float(largest))
    return _of_atlas(atlas, label)


def _rounding(place: AnyPath | SpatialImage) -> float:
    """How far labels may be off: half a step, where the file keeps them as integers by a slope."""
    if isinstance(place, SpatialImage):
        place = Path(place.get_filename() or "")
    is_file = has_image_ending(place.name) and place.exists()
    return max(_OFF, half_step(read_header(place))) if is_file else _OFF


def _is_whole(values: NDArray, off: float) -> bool:
    if values.dtype.kind in "iu":
        return True
    parts = (values[start : start + _PIECE] for start in range(0, values.size, _PIECE))
    return all(bool(np.all(np.abs(part - np.rint(part)) <= off)) for part in parts)


def _refuse_several(path: AnyPath, regions: tuple[Region, ...], largest: float) -> InputError:
    """A threshold on labels would take the union of all that are larger."""
    problem = f"is a map of labels: whole numbers up to {largest:g}, which a threshold would join"
    remedy = f"choose one with --label: {list_regions(regions)}"
    if largest <= _LARGEST_PERCENT:
        remedy += "; or say --percent where they are per cent of one region"
    return InputError(path, problem, remedy)


def _of_several(
    place: AnyPath | SpatialImage, label: str | int | None, table: PathInput | None, percent: bool
) -> RegionMap:
    atlas = load_atlas(place, table)
    if percent and isinstance(atlas, ProbabilityAtlas):
        problem = "holds a region a volume: the largest value of all tells whether it is percent"
        raise InputError(atlas.name, problem, "leave --percent out")
    return _of_atlas(atlas, label)


def _of_atlas(atlas: LabelAtlas | ProbabilityAtlas, label: str | int | None) -> RegionMap:
    place = pick_region(atlas.name, atlas.regions, label)
    region = atlas.regions[place]
    note = f"region {region.label}, {region.name}, chosen of {len(atlas.regions)}"
    first, last = atlas.maps.indptr[place : place + 2].tolist()
    indices = atlas.maps.indices[first:last]
    if not indices.size:
        raise InputError(atlas.name, f"region {region.name} has no voxel", "choose another one")
    values = None if isinstance(atlas, LabelAtlas) else atlas.maps.data[first:last]
    return RegionMap(
        region.name, atlas.grid, indices, values, (*atlas.notes, note), dict(atlas.sources)
    )


def _of_single(found: Map, values: NDArray, path: AnyPath, percent: bool) -> RegionMap:
    indices, dtype = np.flatnonzero(values).astype(np.int32), found.array.dtype
    largest = float(values.max())
    if percent and check_scale(path, 1, dtype, float(values.min()), largest) == 1:
        # Its largest value alone would tell of shares.
        indices = indices[values[indices] > 0]
        probabilities = values[indices].astype(np.float64) / 100
        notes: tuple[str, ...] = (f"values up to {largest:g} taken as percent",)
    else:
        columns, notes = to_probabilities(path, [(indices, values[indices])], dtype)
        indices, probabilities = columns[0]
    sources = {str(path): found.sha256}
    return RegionMap(found.name, found.grid, indices, probabilities, found.notes + notes, sources)
