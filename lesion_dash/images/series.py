"""Images of several volumes: series in time, maps of a probabilistic atlas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..core.errors import InputError
from ..core.grid import Grid, is_near
from ..core.notes import InfoNote, note_on
from ..core.text import counted
from ..files.listing import list_images, strip_ending
from ..files.paths import AnyPath, PathInput, UrlPath, as_path
from .maps import Map
from .nifti import Header, make_image
from .reading import (
    LARGEST_IMAGE,
    LARGEST_MASK,
    LARGEST_SERIES,
    Progress,
    RawImage,
    file_of_image,
    read_header,
    read_raw,
    read_raw_image,
    stored_of_image,
    voxel_parts,
)
from .sidecars import stated_time


@dataclass(frozen=True, eq=False)
class Volumes:
    """The values of several volumes that are not zero.

    Parameters
    ----------
    path : Path or UrlPath
    grid : Grid
        Of each volume.
    columns : tuple of (array of int32, array)
        For each volume the linear positions, ascending and the first axis fastest, and the values
        there, scaled as the header says. NaN is 0.
    dtype : numpy.dtype
        In which the file stores them.
    repetition_time : float
        Seconds; 0 where the header states no unit of time.
    sha256 : str
    notes : tuple of str
    """

    path: AnyPath
    grid: Grid
    columns: tuple[tuple[NDArray[np.int32], NDArray], ...]
    dtype: np.dtype
    repetition_time: float
    sha256: str
    notes: tuple[str, ...]


def count_volumes(source: AnyPath | nib.spatialimages.SpatialImage | RawImage) -> int:
    """Number of volumes of an image; no voxel is read."""
    if isinstance(source, RawImage):
        return source.header.volumes
    if isinstance(source, nib.spatialimages.SpatialImage):
        return int(np.prod(source.shape[3:], dtype=np.int64))
    return read_header(source).volumes


def read_volumes(
    source: AnyPath | nib.spatialimages.SpatialImage | RawImage, progress: Progress | None = None
) -> Volumes:
    """Read the values of an image that are not zero, volume by volume.

    A compressed file is inflated piece by piece, so that no more than a volume of it is held.

    Parameters
    ----------
    source : Path, UrlPath or nibabel image
    progress : callable, optional
        See `Progress`.

    Raises
    ------
    InputError
        Where the file is damaged, or a value is infinite.
    """
    if isinstance(source, nib.spatialimages.SpatialImage):
        source = file_of_image(source) or stored_of_image(source)
    if isinstance(source, RawImage):
        return _collect(source, source.values.reshape(source.header.volumes, -1), progress)
    header = read_header(source)
    size = header.voxel_bytes // header.volumes
    if size > LARGEST_MASK:
        problem = f"is too large: {size / 1e6:,.0f} MB of voxels per volume"
        raise InputError(source, problem, "check the image's size")
    if header.volumes == 1:
        stored = read_raw_image(source)
        return _collect(stored, [stored.values], progress)
    header, raw, sha256 = read_raw(source, LARGEST_SERIES)
    notes: list[str] = []
    parts = voxel_parts(source, header, raw, size, notes)
    volumes = (np.frombuffer(part, header.dtype) for part in parts)
    file = RawImage(source, header, np.empty(0), sha256, header.notes)
    read = _collect(file, volumes, progress)
    return replace(read, notes=(*read.notes, *notes))


def _collect(file: RawImage, volumes: Iterable[NDArray], progress: Progress | None) -> Volumes:
    path, header, notes = file.path, file.header, file.notes
    if header.grid is None:
        raise InputError(path, f"not a volume: {len(header.shape)} axes, three expected")
    columns, unknown = [], 0
    for stored in volumes:
        values, missing = _values_of_volume(path, header, stored)
        unknown += missing
        indices = np.flatnonzero(values).astype(np.int32)
        columns.append((indices, values[indices]))
        if progress is not None:
            progress(len(columns), header.volumes)
    if unknown:
        notes += (f"NaN treated as 0 in {unknown:,} places",)
    # Programs write 1 in images that are not series; they state no unit of time then.
    time = header.repetition_time if header.states_time_unit else 0.0
    return Volumes(path, header.grid, tuple(columns), header.dtype, time, file.sha256, notes)


def _values_of_volume(path: AnyPath, header: Header, stored: NDArray) -> tuple[NDArray, int]:
    """The meant values of a volume with NaN as 0, and how many those were."""
    values = stored * header.slope + header.intercept if header.is_scaled else stored
    if values.dtype.kind != "f":
        return values, 0
    if np.isinf(values).any():
        raise InputError(path, "infinite value in a voxel", "export the maps again")
    missing = np.isnan(values)
    return np.where(missing, 0, values), int(missing.sum())


# Series: the volumes of one or several 4D images, or of a folder of 3D ones, end to end.


_WIDEST_MM = 100.0
"""The largest width of smoothing; arbitrary: half a head, and the kernel still fits the memory."""


@dataclass(frozen=True, eq=False)
class Series:
    """Volumes on one grid, one after the other.

    Parameters
    ----------
    name : str
    grid : Grid
        Of each volume.
    array : array, shape (x, y, z, volumes)
        Read-only, the first axis fastest: as the files store the values, or as float32 where a
        file scales them.
    repetition_time : float
        Seconds from one volume to the next; NaN where the files do not say, or contradict each
        other.
    runs : tuple of int
        Number of volumes of each file, in their order.
    paths : tuple of Path or UrlPath
    sha256 : tuple of str
        Of each file.
    notes : tuple of str
        What is unusual about the files, a sentence each.
    time_doubt : str
        What header and sidecar say of the repetition time, where they differ; otherwise empty.

    Examples
    --------
    >>> from lesion_dash import read_series
    >>> run = "sample_data/series/sub-01_task-pictures_run-{}_bold.nii.gz"
    >>> series = read_series([run.format(1), run.format(2)])
    >>> series.volumes, series.runs, series.rows.shape
    (96, (48, 48), (96, 7128))
    >>> series.mean.array.shape
    (18, 22, 18)
    """

    name: str
    grid: Grid
    array: NDArray
    repetition_time: float
    runs: tuple[int, ...]
    paths: tuple[AnyPath, ...] = ()
    sha256: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    time_doubt: str = ""

    @property
    def volumes(self) -> int:
        """Number of volumes."""
        return int(self.array.shape[3])

    @property
    def rows(self) -> NDArray:
        """The same values as an array of volumes x voxels, nothing copied."""
        return self.array.reshape(self.grid.size, self.volumes, order="F").T

    @cached_property
    def mean(self) -> Map:
        """The mean of all volumes, such as a background for pictures."""
        array = self.array.mean(axis=3, dtype=np.float64)
        array.setflags(write=False)
        return Map(f"mean of {self.name}", array, self.grid, "", f"mean of {self.volumes} volumes")

    def to_nifti(self) -> nib.Nifti1Image:
        """The series as a nibabel image that shares its values."""
        image = make_image(self.grid, self.array, self.name)
        image.header.set_xyzt_units("mm", "sec")
        if np.isfinite(self.repetition_time):
            image.header["pixdim"][4] = self.repetition_time
        return image


def read_series(
    sources: PathInput | nib.spatialimages.SpatialImage | Sequence[PathInput],
) -> Series:
    """Read the volumes of one or several runs, or of a folder of images, end to end.

    Parameters
    ----------
    sources : path, URL, nibabel image, or several paths
        4D images, one a run, all on one grid; or a folder of 3D images, one a person, in the order
        of their names.

    Raises
    ------
    InputError
        Where a file is damaged, holds an infinite value, or lies on another grid than the first.

    Examples
    --------
    >>> series = read_series("sample_data/series/sub-01_task-pictures_run-1_bold.nii.gz")
    >>> series.array.shape, series.repetition_time
    ((18, 22, 18, 48), 2.5)
    """
    if isinstance(sources, nib.spatialimages.SpatialImage):
        stored = [stored_of_image(sources)]
        files, headers = [stored[0].path], [stored[0].header]
    else:
        stored = []
        files = [image for path in as_paths(sources) for image in images_of(path)]
        headers = [read_header(path) for path in files]
    if not files:
        raise InputError("series", "holds no image", "give a 4D image, or a folder of images")
    grid = _common_grid(files, headers)
    time, notes, doubt = _common_time(files, headers)
    is_from_files = not stored
    if len(files) == 1:
        stored = stored or [read_raw_image(files[0], LARGEST_IMAGE)]
        rows = _meant_values(stored[0])
    else:
        stored, rows = _join(files, headers, grid)
    array = rows.T.reshape((*grid.shape, len(rows)), order="F")
    array.setflags(write=False)
    file_notes = [note_on(raw.path.name, note) for raw in stored for note in raw.notes]
    return Series(
        strip_ending(files[0].name) if len(files) == 1 else f"{len(files)} images",
        grid,
        array,
        time,
        tuple(header.volumes for header in headers),
        tuple(files) if is_from_files else (),
        tuple(raw.sha256 for raw in stored) if is_from_files else (),
        tuple(dict.fromkeys([*file_notes, *notes])),
        doubt,
    )


def as_paths(sources: PathInput | Sequence[PathInput]) -> list[AnyPath]:
    """One path or URL, or several, as a list."""
    if isinstance(sources, (str, PathLike, UrlPath)):
        return [as_path(sources)]
    return [as_path(source) for source in sources]


def images_of(source: PathInput) -> tuple[AnyPath, ...]:
    """An image's path as it is, or the images below a folder in the order of their names.

    Raises
    ------
    InputError
        Where a folder holds no image.
    """
    path = as_path(source)
    if not path.is_dir():
        return (path,)
    images = list_images(path).images
    if not images:
        raise InputError(path, "holds no image", "give a folder of .nii or .nii.gz images")
    return images


def _common_grid(paths: list[AnyPath], headers: list[Header]) -> Grid:
    grids: list[Grid] = []
    for path, header in zip(paths, headers, strict=True):
        if header.grid is None:
            problem = f"not a volume: {len(header.shape)} axes, three or four expected"
            raise InputError(path, problem, "export it as a 3D or 4D image")
        if grids and not is_near(header.grid, grids[0]):
            problem = f"is not on the grid of {paths[0].name}: {header.grid.difference(grids[0])}"
            raise InputError(path, problem, "resample all images to one grid first")
        grids.append(header.grid)
    return grids[0]


def _common_time(paths: list[AnyPath], headers: list[Header]) -> tuple[float, list[str], str]:
    """Repetition time in seconds, NaN where it is not known, notes on it, and what is in doubt."""
    if all(header.volumes == 1 for header in headers):
        return float("nan"), [], ""
    stated = [stated_time(path, header) for path, header in zip(paths, headers, strict=True)]
    notes = [note for one in stated for note in one.notes]
    if doubts := [one.doubt for one in stated if one.doubt]:
        more = f" (and so in {len(doubts)} of {len(stated)} runs)" if len(stated) > 1 else ""
        return float("nan"), [*notes, f"repetition time: {doubts[0]}{more}"], doubts[0] + more
    times = {one.seconds for one in stated}
    if len(times) > 1 and not all(map(np.isnan, times)):
        shown = ", ".join(f"{time:g} s" for time in sorted(times))
        remedy = "give runs of one sequence only"
        raise InputError(paths[0].name, f"the runs differ in repetition time: {shown}", remedy)
    return times.pop(), notes, ""


def _join(
    paths: list[AnyPath], headers: list[Header], grid: Grid
) -> tuple[list[RawImage], NDArray]:
    """Read one file after the other into its rows: no more than one is held besides the result."""
    dtype = np.result_type(*(_dtype_of(header) for header in headers))
    rows = np.empty((sum(header.volumes for header in headers), grid.size), dtype)
    stored, first = [], 0
    for path, header in zip(paths, headers, strict=True):
        raw = read_raw_image(path, LARGEST_IMAGE)
        if raw.header.shape != header.shape:
            raise InputError(path, "changed while reading", "wait until it is copied whole")
        rows[first : first + header.volumes] = _meant_values(raw)
        first += header.volumes
        stored.append(replace(raw, values=np.empty(0)))
    return stored, rows


def _dtype_of(header: Header) -> np.dtype:
    """In which values are kept: as they are stored, or float32 where the header scales them."""
    return np.dtype(np.float32) if header.is_scaled else header.dtype.newbyteorder("=")


def _meant_values(stored: RawImage) -> NDArray:
    """Values as they are meant, volumes x voxels; those of the file where nothing is changed."""
    header = stored.header
    given = stored.values.reshape(header.volumes, -1)
    dtype = _dtype_of(header)
    values = given if given.dtype == dtype else np.empty(given.shape, dtype)
    for volume, meant in zip(given, values, strict=True):
        if header.is_scaled:
            # What is too large for float32 becomes infinite, and is told below.
            with np.errstate(over="ignore"):
                meant[:] = volume * np.float64(header.slope) + header.intercept
        elif values is not given:
            meant[:] = volume
        if dtype.kind == "f" and np.isinf(meant).any():
            infinite = counted(int(np.isinf(meant).sum()), "voxel")
            problem = f"infinite value in {infinite} of one volume"
            raise InputError(stored.path, problem, "replace it by NaN or 0 where it is background")
    return values


def smooth_series(series: Series, fwhm_mm: float) -> Series:
    """Smooth every volume with a Gaussian, by nilearn's `smooth_img`.

    Parameters
    ----------
    series : Series
    fwhm_mm : float
        Full width at half maximum, mm, above 0 and at most 100.

    Returns
    -------
    Series
        float32. NaN is taken as 0, as nilearn does; a note tells how many values that were.

    Raises
    ------
    InputError
        Where the width is not a number in that range.

    Examples
    --------
    >>> from lesion_dash import read_series
    >>> series = read_series("sample_data/series/sub-01_task-pictures_run-1_bold.nii.gz")
    >>> bool(smooth_series(series, 8).array.std() < series.array.std())
    True
    """
    from nilearn.image import smooth_img

    if not 0 < fwhm_mm <= _WIDEST_MM:
        remedy = f"give a width above 0 mm, at most {_WIDEST_MM:g}"
        raise InputError("fwhm", f"is {fwhm_mm} mm", remedy)
    image = nib.Nifti1Image(series.array.astype(np.float32), series.grid.affine)
    array = np.asarray(smooth_img(image, fwhm_mm).dataobj, np.float32, order="F")
    array.setflags(write=False)
    width = f"{fwhm_mm:g} mm (full width at half maximum)"
    notes: list[str] = [InfoNote(f"smoothed with a Gaussian of {width}")]
    if unknown := int(np.isnan(series.array).sum()):
        notes.append(f"NaN taken as 0 for smoothing, in {unknown:,} places")
    return replace(series, array=array, notes=(*series.notes, *notes))
