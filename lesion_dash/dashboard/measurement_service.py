"""A region chosen on the page Template & signal in, its masks and signal to noise out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..atlas.formats import Region
from ..atlas.loading import load_atlas
from ..core.defaults import COILS, REGION_THRESHOLD
from ..core.errors import InputError
from ..files.paths import PathInput
from ..images.masks import Mask
from ..images.series import count_volumes
from ..scans.region_masks import RegionMap, native_region, read_region
from ..scans.signal import NativeSignal, leave_out, measure_native, region_on
from .cache import Cache
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
    threshold: float = REGION_THRESHOLD


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
    coils: int = COILS


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


def _read_choice(path: str, label: str, cache: Cache) -> RegionMap:
    """The map of one region; while its file stays as it is, it is read once."""
    options: dict[str, Any] = {"percent": True} if label == PERCENT else {"label": label or None}
    changed = Path(path).stat().st_mtime_ns
    return cache.get((path, label, changed), lambda: read_region(path, **options))


def place_region(choice: RegionChoice, volumes: VolumePair, cache: Cache) -> Placed:
    """The region's mask on the grid that is looked at.

    Parameters
    ----------
    choice : RegionChoice
    volumes : VolumePair
    cache : Cache
        Holds the maps that were read and resampled last.

    Raises
    ------
    InputError
        Where the map cannot be read.
    """
    region = _read_choice(choice.path, choice.label, cache)
    threshold = None if region.probabilities is None else choice.threshold
    try:
        grid = volumes.grid
        on_grid = cache.get((region, grid), lambda: region_on(region, grid))
        mask = on_grid.mask_on(grid, threshold)
    except InputError as error:
        return Placed(choice, volumes, region, None, str(error).replace("--", ""))
    return Placed(choice, volumes, region, mask)


def measure(placed: Placed, noise: Noise, cache: Cache) -> SignalAnswer:
    """Signal and contrast to noise on the native image; `cache` as for `place_region`.

    Raises
    ------
    InputError
        Where the region has no voxel there, or the image cannot be used.
    """
    volumes = placed.volumes
    mask = native_region(placed.region, placed.threshold, volumes.transform, volumes.native.grid)
    own: Mask | None = None
    if noise.background_label:
        other = _read_choice(placed.choice.path, noise.background_label, cache)
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
