"""Masks of one region, read from a map of it, and an image inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atlas.atlas import Atlas, resample_sparse
from ..atlas.formats import Region
from ..atlas.loading import label_regions, load_atlas
from ..atlas.values import to_probabilities
from ..core.defaults import REGION_THRESHOLD
from ..core.errors import InputError
from ..core.grid import Grid
from ..core.notes import InfoNote, note_on
from ..files.listing import ARRAY_ENDINGS, has_image_ending, strip_ending
from ..files.paths import AnyPath, PathInput, as_path
from ..images.maps import Map, masked_bytes, read_map, read_volume
from ..images.masks import Binarization, Mask, volume_grid
from ..images.nifti import SpatialImage, half_step
from ..images.probabilities import UnclearScale
from ..images.reading import RawImage, read_header
from ..images.series import count_volumes
from ..transforms.transform import Transform
from ..transforms.warping import warp_mask
from .arrays import StoredArray, read_array
from .conversion import convert_array, fitting_orders
from .placing import check_overlap, place_mask, space_notes

_MAX_NAMED = 12  # arbitrary: regions that fit a sentence
# A probability stored as float32, or interpolated, may miss the threshold by so much.
_ROUNDING = 1e-6
# Labels stored as floats may miss whole numbers by so much; arbitrary, far above float32's error.
_LABEL_TOLERANCE = 1e-4
_LARGEST_PERCENT = 100
_BLOCK = 2**20  # arbitrary: values that are compared together


def _pick_region(subject: object, regions: Sequence[Region], label: str | int | None) -> int:
    """The place of a region among others, by its number or its name; capitals do not matter."""
    if label is None:
        problem = f"holds {len(regions)} regions, and a threshold would not tell them apart"
        raise InputError(subject, problem, f"choose one with --label: {_list_regions(regions)}")
    text = str(label).strip()
    numbers = [str(region.label) for region in regions]
    names = [region.name.casefold() for region in regions]
    matches = [place for place, number in enumerate(numbers) if number == text]
    matches = matches or [place for place, name in enumerate(names) if name == text.casefold()]
    if len(matches) > 1:
        problem = f"{len(matches)} regions are called {text!r}"
        choices = ", ".join(numbers[place] for place in matches)
        raise InputError(subject, problem, f"choose one by its number: {choices}")
    if matches:
        return matches[0]
    by_name = dict(zip(names, regions, strict=True))
    close = get_close_matches(text.casefold(), by_name, n=5, cutoff=0.5)
    parts = [name for name in by_name if text.casefold() in name and name not in close]
    likely = [by_name[name] for name in [*close, *parts]]
    remedy = f"did you mean {_list_regions(likely)}?"
    remedy = remedy if likely else f"choose one of {_list_regions(regions)}"
    raise InputError(subject, f"has no region {text!r}", remedy)


def _list_regions(regions: Sequence[Region]) -> str:
    """Numbers with names, such as ``1 (lens), 2 (globe)``, as far as they fit a sentence."""
    shown = [
        str(region.label)
        if region.name in ("", f"label {region.label}")
        else f"{region.label} ({region.name})"
        for region in regions[:_MAX_NAMED]
    ]
    more = len(regions) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


# Maps in files of arrays, which take the space of the image in their folder.


def _open_array(
    path: AnyPath, axes: str | None
) -> tuple[SpatialImage, tuple[str, ...], dict[str, str]]:
    """An array as an image, notes on whose space it takes, and the checksums of both files."""
    stored = read_array(path)
    like = _find_space(path, stored) if stored.affine is None else None
    converted = convert_array(stored, like, axes=axes)
    image = converted.to_nifti()
    image.file_map["image"].filename = str(path)  # for messages; its voxels are in memory
    notes = (*stored.notes, *converted.notes)
    if like:
        notes += (f"{path.name} takes the space of {like.name} beside it",)
    return image, notes, {str(path): stored.sha256} | converted.placement.sources


def _find_space(path: AnyPath, stored: StoredArray) -> AnyPath:
    """The image in the folder of an array whose space it takes.

    The one of the same name counts, else the only one of the same shape; several of them may
    stand for one another where they share a grid. Others that cannot be read, or do not say
    where left is, say nothing of the array.
    """
    shape = stored.array.shape[:4]
    remedy = "make an image of it with `lesion-dash convert`"
    images = [file for file in path.parent.iterdir() if has_image_ending(file.name)]
    images.sort(key=lambda file: file.name)
    named = [file for file in images if strip_ending(file.name) == path.stem]
    grids = {file: _grid_of(file, bool(named)) for file in named or images}
    fitting = {
        file: grid for file, grid in grids.items() if grid and fitting_orders(shape, grid.shape)
    }
    if not fitting:
        edges = " x ".join(map(str, shape))
        problem = f"has no space of its own, and no NIfTI image of {edges} voxels lies beside it"
        raise InputError(path, f"{problem} that states its orientation", remedy)
    first, *others = fitting
    for other in others:
        if not fitting[first].matches(fitting[other]):
            problem = f"{first.name} and {other.name} beside it lie in different places"
            raise InputError(path, problem, remedy)
    return first


def _grid_of(file: AnyPath, is_meant: bool) -> Grid | None:
    try:
        header = read_header(file)
    except InputError:
        if is_meant:
            raise
        return None
    return header.grid if is_meant or header.form != "none" else None


# The map of one region: its probabilities, or the voxels that bear its label.


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
                raise InputError(self.name, problem, "omit --threshold")
            return place_mask(Mask(self.grid, self.indices, self.name), grid)
        share = REGION_THRESHOLD if threshold is None else threshold
        Binarization(share)  # raises where it is not a share
        indices, values, notes = _on_grid(self, self.probabilities, grid)
        inside = indices[values >= share - _ROUNDING]
        if not inside.size:
            largest = f"the largest is {values.max(initial=0):.3g}"
            problem = f"no voxel of the image has a probability of at least {share:g}: {largest}"
            raise InputError(self.name, problem, "give a lower --threshold")
        note = InfoNote(f"voxels of at least {share:g} taken as the mask")
        return Mask(grid, inside, self.name, (*notes, note))


def _on_grid(
    region: RegionMap, values: NDArray[np.float64], grid: Grid
) -> tuple[NDArray[np.int32], NDArray[np.float64], tuple[str, ...]]:
    own = region.grid
    if own.matches(grid):
        return region.indices, values, ()
    check_overlap(region.name, own, grid)
    note = f"map reoriented from {own} to the image's grid ({grid})"
    if own.exact_steps(grid) is None:
        note = f"probabilities resampled from {own} onto the image's grid ({grid}) by linear "
        note += "interpolation in world coordinates"
    return (*resample_sparse(region.indices, values, own, grid), (InfoNote(note),))


def read_region(
    source: PathInput | SpatialImage,
    label: str | int | None = None,
    table: PathInput | None = None,
    percent: bool = False,
    axes: str | None = None,
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
    axes : str, optional
        The order of the axes of an array, where it fits the image beside it in more than one; see
        :func:`convert_array`.

    Raises
    ------
    InputError
        Where the map holds several regions and none was chosen, is a colour picture, or holds
        neither labels nor probabilities.

    Examples
    --------
    >>> region = read_region("sample_data/atlas/synthetic_atlas.nii.gz", "synthetic putamen l")
    >>> region.name, region.indices.size
    ('Synthetic putamen L', 458)
    """
    place = source if isinstance(source, SpatialImage) else as_path(source)
    if isinstance(place, SpatialImage) or place.suffix.lower() not in ARRAY_ENDINGS:
        return _read(place, label, table, percent)
    image, notes, sources = _open_array(place, axes)
    region = _read(image, label, table, percent)
    name = region.name.removesuffix(place.suffix)
    return replace(region, name=name, notes=notes + region.notes, sources=region.sources | sources)


def _read(
    place: AnyPath | SpatialImage, label: str | int | None, table: PathInput | None, percent: bool
) -> RegionMap:
    is_folder = not isinstance(place, SpatialImage) and place.is_dir()
    if is_folder or count_volumes(place) > 1:
        atlas = load_atlas(place, table)
        if percent and atlas.is_probabilistic:
            problem = (
                "holds a region a volume: the largest value of all tells whether it is percent"
            )
            raise InputError(atlas.name, problem, "omit --percent")
        return _of_atlas(atlas, label)
    image = read_map(place)
    path = Path(image.name) if isinstance(place, SpatialImage) else place
    values = np.ravel(image.array, order="F")
    values = np.nan_to_num(values) if np.isnan(values).any() else values
    tolerance, largest = _label_tolerance(place), values.max()
    is_whole = _is_whole(values, tolerance)
    is_labels = is_whole and largest > 1 + tolerance and values.min() > -tolerance and not percent
    if label is None and not is_labels:
        return _of_single(image, values, path, percent)
    if label is not None and (percent or (largest <= 1 and not is_whole)):
        problem = "is the map of one region's probabilities: it holds no labels"
        raise InputError(image.name, problem, "omit --label")
    atlas = label_regions(place, table)
    if label is not None:
        return _of_atlas(atlas, label)
    # A threshold on labels would take the union of all that are larger.
    problem = f"is a map of labels: whole numbers up to {largest:g}, which a threshold would join"
    remedy = f"choose one with --label: {_list_regions(atlas.regions)}"
    if largest <= _LARGEST_PERCENT:
        remedy += "; or say --percent where they are per cent of one region"
    raise InputError(path, problem, remedy)


def _label_tolerance(place: AnyPath | SpatialImage) -> float:
    """How far labels may be off: half a step, where the file keeps them as integers by a slope."""
    if isinstance(place, SpatialImage):
        place = Path(place.get_filename() or "")
    is_file = has_image_ending(place.name) and place.exists()
    return max(_LABEL_TOLERANCE, half_step(read_header(place))) if is_file else _LABEL_TOLERANCE


def _is_whole(values: NDArray, tolerance: float) -> bool:
    if values.dtype.kind in "iu":
        return True
    # In blocks: the first one settles it for most maps of probabilities.
    blocks = (values[start : start + _BLOCK] for start in range(0, values.size, _BLOCK))
    return all(bool(np.all(np.abs(block - np.rint(block)) <= tolerance)) for block in blocks)


def _of_atlas(atlas: Atlas, label: str | int | None) -> RegionMap:
    place = _pick_region(atlas.name, atlas.regions, label)
    region = atlas.regions[place]
    note = InfoNote(f"region {region.label}, {region.name}, chosen of {len(atlas.regions)}")
    first, last = atlas.maps.indptr[place : place + 2].tolist()
    indices = atlas.maps.indices[first:last]
    if not indices.size:
        raise InputError(atlas.name, f"region {region.name} has no voxel", "choose another one")
    values = atlas.maps.data[first:last] if atlas.is_probabilistic else None
    return RegionMap(
        region.name, atlas.grid, indices, values, (*atlas.notes, note), dict(atlas.sources)
    )


def _of_single(image: Map, values: NDArray, path: AnyPath, percent: bool) -> RegionMap:
    indices, dtype = np.flatnonzero(values).astype(np.int32), image.array.dtype
    given = [(indices, values[indices])]
    try:
        columns, notes = to_probabilities(path, given, dtype, scale="percent" if percent else None)
    except UnclearScale as fault:
        remedy = "say --percent where they are per cent; a statistic is not a map of a region"
        raise InputError(path, fault.problem, remedy) from fault
    indices, probabilities = columns[0]
    sources = {str(path): image.sha256}
    return RegionMap(image.name, image.grid, indices, probabilities, image.notes + notes, sources)


# A region of a template on the grid of an image that was registered to it.


def native_region(
    region: RegionMap, threshold: float | None, transform: Transform | None, grid: Grid
) -> Mask:
    """The mask of a template's region on the grid of a native image.

    It is made on the map's own grid, so that it is interpolated once.

    Parameters
    ----------
    region : RegionMap
        In the template's space.
    threshold : float or None
        The least probability; None for labels, and for the default.
    transform : Transform or None
        From the native image to the template; None where the map lies in the image's own space.
    grid : Grid
        Of the native image.

    Raises
    ------
    InputError
        Where no voxel reaches the threshold.

    Examples
    --------
    >>> import numpy as np
    >>> grid = Grid((4, 4, 4), np.eye(4))
    >>> region = RegionMap("eye", grid, np.array([21]), None)
    >>> shift = np.eye(4)
    >>> shift[0, 3] = 1
    >>> native_region(region, None, Transform(shift), grid).indices.tolist()
    [20]
    """
    if transform is None:
        return region.mask_on(grid, threshold)
    own = region.mask_on(region.grid, threshold)
    placed = warp_mask(own, transform.inverse(), grid)
    notes = tuple(note_on(region.name, note) for note in placed.notes[len(own.notes) :])
    return replace(placed, notes=(*own.notes, *notes))


# An image inside the mask of one region.


@dataclass(frozen=True, eq=False)
class MaskedImage:
    """An image, and the mask inside which it keeps its values.

    Parameters
    ----------
    stored : RawImage
        The image as it was read.
    mask : Mask
        On the image's grid.
    threshold : float or None
        The probability that the mask's voxels have at least; None where they bear a label.
    notes : tuple of str
        What is unusual about map and image, and how the map was brought to the image.
    sources : dict
        SHA-256 of the files that were read, by path.
    """

    stored: RawImage
    mask: Mask
    threshold: float | None
    notes: tuple[str, ...]
    sources: dict[str, str]

    def to_bytes(self, is_compressed: bool = True) -> tuple[bytes, tuple[str, ...]]:
        """The image with 0 outside the mask as a NIfTI file; see `images.masked_bytes`."""
        return masked_bytes(self.stored, self.mask, is_compressed)


def mask_image(
    image: PathInput | SpatialImage,
    prob: PathInput | SpatialImage,
    label: str | int | None = None,
    threshold: float | None = None,
    table: PathInput | None = None,
    percent: bool = False,
    transform: Transform | None = None,
    axes: str | None = None,
) -> MaskedImage:
    """Cut a region out of an image by its probability or its label.

    The map is brought to the image, never the image to the map: values inside the mask stay what
    they are.

    Parameters
    ----------
    image : path, URL or nibabel image
        Of one volume.
    prob : path, URL or nibabel image
        Map of probabilities or of labels; see `read_region`.
    label : str or int, optional
        Name or number of the region, where the map holds several.
    threshold : float, optional
        Voxels of at least this probability (a share in (0, 1]) are kept; 0.5 by default.
    table : path, optional
        Names of the regions.
    percent : bool
        Whole numbers of a 3D map are percent.
    transform : Transform, optional
        From the image to the map's space, where the image was registered to it. Without one, both
        lie in one space.
    axes : str, optional
        The order of the axes of a map that is an array; see `read_region`.

    Returns
    -------
    MaskedImage

    Raises
    ------
    InputError
        Where map or image cannot be used, do not overlap, or the mask would be empty.

    Examples
    --------
    >>> atlas = "sample_data/atlas/synthetic_atlas.nii.gz"
    >>> cut = mask_image("sample_data/cohort_a/sub-a01_lesion.nii.gz", atlas, "Synthetic putamen L")
    >>> cut.mask.voxels
    458
    """
    if threshold is not None:
        Binarization(threshold)  # raises where it is not a share
    region = read_region(prob, label, table, percent, axes)
    stored = read_volume(image)
    grid = volume_grid(stored.path, stored.header)
    mask = native_region(region, threshold, transform, grid)
    name = stored.path.name
    # First what may be wrong, then how it was made.
    notes = space_notes("the map", region.grid, name, grid) if transform is None else ()
    notes += tuple(note_on(name, note) for note in stored.notes)
    notes += region.notes + mask.notes
    sources = {str(stored.path): stored.sha256} | region.sources
    used = threshold if region.probabilities is None or threshold else REGION_THRESHOLD
    return MaskedImage(stored, mask, used, notes, sources)
