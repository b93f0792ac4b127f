"""A region chosen on the page Template & signal in, its masks and signal to noise out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..atlas.formats import Region
from ..atlas.loading import load_atlas
from ..core.errors import InputError
from ..core.grid import Grid
from ..files.paths import PathInput
from ..images.masks import Mask
from ..images.series import count_volumes
from ..scans.region_masks import RegionMap, native_region, read_region
from ..scans.signal import NativeSignal, leave_out, measure_native, region_on
from .volume_pair import VolumePair

ONE = ""
"""The choice of a map that holds one region only."""

PERCENT = "percent"
"""The choice of all whole numbers as per cent of one region."""


_LARGEST_PERCENT = 100


@dataclass(frozen=True)
class MapFacts:
    """What can be chosen in a map.

    Parameters
    ----------
    path : str
    regions : tuple of Region
        Empty where it holds one.
    may_be_percent : bool
        Whether its labels may as well be per cent of one region.
    """

    path: str
    regions: tuple[Region, ...]
    may_be_percent: bool = False


@dataclass(frozen=True)
class RegionChoice:
    """One region of a map, and from which probability on.

    Parameters
    ----------
    path : str
    label : str
        Its number; empty for a map of one region, ``percent`` for whole numbers as per cent.
    threshold : float
        Of no use for labels.
    """

    path: str
    label: str = ONE
    threshold: float = 0.5


@dataclass(frozen=True, eq=False)
class Placed:
    """A region on the grid that is looked at.

    Parameters
    ----------
    choice : RegionChoice
    volumes : VolumePair
    region : RegionMap
    mask : Mask or None
        None where no voxel reaches the threshold.
    why : str
        Why there is no mask.
    """

    choice: RegionChoice
    volumes: VolumePair
    region: RegionMap
    mask: Mask | None
    why: str = ""

    @property
    def is_label(self) -> bool:
        """Whether its voxels bear a label, and no threshold is asked for."""
        return self.region.probabilities is None

    @property
    def threshold(self) -> float | None:
        """The least probability; None for labels."""
        return None if self.is_label else self.choice.threshold


@dataclass(frozen=True)
class Noise:
    """What signal is compared with.

    Parameters
    ----------
    background : str
        Path of a mask, or empty.
    background_label : str
        Number of another region of the map, or empty.
    air, second : str
        Paths, or empty.
    coils : int
    """

    background: str = ""
    background_label: str = ""
    air: str = ""
    second: str = ""
    coils: int = 1


@dataclass(frozen=True, eq=False)
class SignalAnswer:
    """Signal and contrast to noise, and the masks they were measured in.

    Parameters
    ----------
    placed : Placed
    noise : Noise
    mask : Mask
        Of the region, on the native image.
    background : Mask or None
        Of another region of the map, on the native image.
    signal : NativeSignal
    """

    placed: Placed
    noise: Noise
    mask: Mask
    background: Mask | None
    signal: NativeSignal


def open_facts(path: str) -> MapFacts:
    """Which regions a map holds.

    Raises
    ------
    InputError
        Where it holds neither labels nor probabilities.
    """
    try:
        read_region(path)
    except InputError:
        regions = load_atlas(path).regions
        is_small = max(region.label for region in regions) <= _LARGEST_PERCENT
        return MapFacts(path, regions, is_small and count_volumes(Path(path)) == 1)
    return MapFacts(path, ())


def read_choice(path: str, label: str) -> RegionMap:
    """The map of one region; while its file stays as it is, it is read once."""
    return _read(path, label, Path(path).stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: str, label: str, _changed: int) -> RegionMap:
    if label == PERCENT:
        return read_region(path, percent=True)
    return read_region(path, label or None)


def place_region(choice: RegionChoice, volumes: VolumePair) -> Placed:
    """The region's mask on the grid that is looked at.

    Raises
    ------
    InputError
        Where the map cannot be read.
    """
    region = read_choice(choice.path, choice.label)
    threshold = None if region.probabilities is None else choice.threshold
    try:
        mask = _on_grid(region, volumes.grid).mask_on(volumes.grid, threshold)
    except InputError as error:
        return Placed(choice, volumes, region, None, str(error).replace("--", ""))
    return Placed(choice, volumes, region, mask)


@lru_cache(maxsize=2)
def _on_grid(region: RegionMap, grid: Grid) -> RegionMap:
    return region_on(region, grid)


def measure(placed: Placed, noise: Noise) -> SignalAnswer:
    """Signal and contrast to noise on the native image.

    Raises
    ------
    InputError
        Where the region has no voxel there, or the image cannot be used.
    """
    volumes = placed.volumes
    mask = native_region(placed.region, placed.threshold, volumes.transform, volumes.native.grid)
    own: Mask | None = None
    if noise.background_label:
        other = read_choice(placed.choice.path, noise.background_label)
        region = native_region(other, placed.threshold, volumes.transform, volumes.native.grid)
        own = leave_out(region, mask)
    background: Mask | PathInput | None = own or noise.background or None
    quality = measure_native(
        volumes.native,
        mask,
        background,
        second=noise.second or None,
        air=noise.air or None,
        coils=noise.coils,
    )
    return SignalAnswer(placed, noise, mask, own, quality)
