"""Measures of signal quality, each with all that is needed to quote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.defaults import BLOCK_MM, RESAMPLES, SEED
from ..core.errors import InputError
from ..core.grid import Grid
from ..core.text import counted
from ..files.paths import as_path
from ..images.maps import Map, MapLike, as_map
from ..images.masks import Mask, MaskLike
from ..images.nifti import SpatialImage
from .placing import binary_mask, place_mask, space_notes
from .sampling import Sample, noise_fault, ratio_interval, take_pair, take_sample
from .signal_definitions import DEFINITIONS, Definition, Moments, measure, noise_factor, resample

if TYPE_CHECKING:
    import pandas as pd


_NAN = float("nan")
_SEEDS = {
    **dict.fromkeys(("signal", "pair_signal", "difference"), 0),
    **dict.fromkeys(("background", "pair_background"), 1),
    "air": 2,
}
"""Roles that share a mask are drawn together, and different masks independently."""

_TISSUE = ("background", "pair_background")
"""Roles of the tissue that a contrast compares with."""


@dataclass(frozen=True)
class Measure:
    """One number, and how it came to be.

    Parameters
    ----------
    measure : str
        Name of the `Definition`.
    value, low, high : float
        The number and its 95 % bootstrap interval, see `ratio_interval`; NaN where there is none.
    formula, source : str
    image : str
        On which it was measured; two where two acquisitions were compared.
    signal, noise : str
        Names of the masks.
    signal_voxels, noise_voxels : int
        Voxels with a number.
    signal_zeros_percent, noise_zeros_percent : float
        Share of zeros among them.
    factor : float
        Between the SD of noise and that of air; NaN where none is taken.
    interval : str
        What was resampled.
    reason : str
        Why there is no value, or no interval.
    against : str
        Name of the mask whose mean a contrast takes away; empty where there is no contrast.
    """

    measure: str = ""
    value: float = _NAN
    low: float = _NAN
    high: float = _NAN
    formula: str = ""
    source: str = ""
    image: str = ""
    signal: str = ""
    noise: str = ""
    signal_voxels: int = 0
    noise_voxels: int = 0
    signal_zeros_percent: float = _NAN
    noise_zeros_percent: float = _NAN
    factor: float = _NAN
    interval: str = ""
    reason: str = ""
    against: str = ""


@dataclass(frozen=True, eq=False)
class SignalQuality:
    """Signal and contrast to noise of an image.

    Parameters
    ----------
    image : str
    measures : tuple of Measure
    regions : tuple of (int, str)
        Label and name of the region of each measure; empty where there was one mask.
    notes : tuple of str
    parameters : dict
        Every choice, defaults included.
    sources : dict
        SHA-256 of the files that were read, by path.

    Examples
    --------
    >>> import numpy as np
    >>> from lesion_dash import Grid, Map, Mask
    >>> from lesion_dash.scans import measure_signal
    >>> grid = Grid((20, 20, 20), np.eye(4))
    >>> values = np.random.default_rng(0).normal(100, 5, grid.shape)
    >>> eye = Mask.from_array(np.indices(grid.shape)[0] < 10, grid, "eye")
    >>> quality = measure_signal(Map("T1w", values, grid, "", ""), eye, resamples=100)
    >>> quality.table[["measure", "value"]].round(1)
          measure  value
    0  snr_within   20.0
    1   snr_mriqc   20.0
    """

    image: str
    measures: tuple[Measure, ...]
    notes: tuple[str, ...]
    parameters: dict[str, Any]
    sources: dict[str, str]
    regions: tuple[tuple[int, str], ...] = ()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dict for each measure, with label and region before it where there are several."""
        plain = [asdict(measure) for measure in self.measures]
        if not self.regions:
            return plain
        pairs = zip(self.regions, plain, strict=True)
        return [{"label": label, "region": name} | row for (label, name), row in pairs]

    @property
    def json_rows(self) -> list[dict[str, Any]]:
        """The rows with None in place of NaN, which JSON does not know."""
        # NaN alone is not equal to itself.
        return [
            {key: value if value == value else None for key, value in row.items()}
            for row in self.rows
        ]

    @property
    def table(self) -> pd.DataFrame:
        """One row per measure; the columns are the fields of `Measure`."""
        import pandas as pd

        columns = [field.name for field in fields(Measure)]
        return pd.DataFrame(self.rows, columns=None if self.rows else columns)

    def value(self, measure: str) -> float:
        """The first number of this name.

        Raises
        ------
        KeyError
            Where it was not measured.
        """
        values = {row.measure: row.value for row in reversed(self.measures)}
        return values[measure]


@dataclass(frozen=True, eq=False)
class Estimate:
    """A sample with its moments, as they are and resampled.

    Parameters
    ----------
    sample : Sample
    moments, resampled : Moments
    fault : str
        Why no noise can be measured in it; see `noise_fault`.
    """

    sample: Sample
    moments: Moments
    resampled: Moments
    fault: str


def estimate(role: str, sample: Sample, bootstrap: Bootstrap) -> Estimate:
    """Measure and resample a sample of a `Role`; those that share a mask draw the same voxels."""
    generator = np.random.default_rng([bootstrap.seed, _SEEDS[role]])
    # Only the definitions that divide by the MAD of air need it, and it takes long.
    options = (bootstrap.resamples, generator, role == "air")
    fault = noise_fault(sample, may_hold_zeros=role == "difference")
    moments, resampled = measure(sample.values), resample(sample.values, sample.units, *options)
    return Estimate(sample, moments, resampled, fault)


def measure_all(estimates: Mapping[str, Estimate], coils: int) -> tuple[Measure, ...]:
    """Every definition whose regions are there, of estimates by their roles."""
    given = [row for row in DEFINITIONS if set(row.needs) <= set(estimates)]
    return tuple(_measure(definition, estimates, coils) for definition in given)


def _measure(definition: Definition, estimates: Mapping[str, Estimate], coils: int) -> Measure:
    parts = {role: estimates[role] for role in definition.needs}
    factor = definition.factor(coils)
    signal, noise = parts[definition.needs[0]], parts[definition.needs[-1]]
    tissues = [part.sample.name for role, part in parts.items() if role in _TISSUE]
    value, low, high, reason = _NAN, _NAN, _NAN, _fault(definition, noise)
    if not reason:
        moments = {role: part.moments for role, part in parts.items()}
        value = float(definition.compute(moments, factor))
        drawn = {role: part.resampled for role, part in parts.items()}
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample may hold one value only
            ratios = np.asarray(definition.compute(drawn, factor))
        units = min(part.sample.unit_count for part in parts.values())
        low, high, reason = ratio_interval(value, ratios, units)
    samples, resamples = [part.sample for part in parts.values()], np.size(signal.resampled.mean)
    return Measure(
        measure=definition.name,
        value=value,
        low=low,
        high=high,
        formula=definition.formula,
        source=definition.source,
        image=signal.sample.image,
        signal=signal.sample.name,
        noise=noise.sample.name,
        signal_voxels=signal.sample.values.size,
        noise_voxels=noise.sample.values.size,
        signal_zeros_percent=100 * signal.sample.zeros,
        noise_zeros_percent=100 * noise.sample.zeros,
        factor=factor,
        interval=describe_units(samples, resamples, correlation=noise.sample.correlation),
        reason=reason,
        against=tissues[0] if tissues and definition.name.startswith("cnr") else "",
    )


def _fault(definition: Definition, noise: Estimate) -> str:
    """Why the noise of a definition cannot be divided by; empty where it can."""
    if noise.fault:
        return f"{noise.sample.name} {noise.fault}"
    if definition.spread == "mad" and noise.moments.mad == 0:
        return f"{noise.sample.name} is quantised: its MAD is 0, half of its voxels have one value"
    return ""


_TOO_NARROW = "too narrow: draw cubes, by --block-mm of `lesion-dash snr`"


def describe_units(
    samples: list[Sample], resamples: int, how: str = "basic interval", correlation: float = 0.0
) -> str:
    """What was resampled, and so what the interval assumes."""
    edges = sorted({sample.block_mm for sample in samples})
    single = "single voxels, taken as independent"
    if correlation:
        single += f" although neighbours correlate by {correlation:.1f} ({_TOO_NARROW})"
    units = [f"cubes of {edge:g} mm, taken as independent" if edge else single for edge in edges]
    return f"95 %, {how} of {resamples:,} resamples of {' and '.join(units)}"


def refuse_overlap(masks: Mapping[str, Mask]) -> None:
    """Raise InputError where two masks, by their roles, share voxels of the image."""
    for (role, mask), (other_role, other) in combinations(masks.items(), 2):
        shared = np.intersect1d(mask.indices, other.indices, assume_unique=True).size
        if shared:
            pair = f"{role} ({mask.name}) and {other_role} ({other.name})"
            problem = f"{pair} overlap in {shared:,} voxels"
            raise InputError("masks", problem, "give regions that share no voxel")


# What a measurement is made in: the image, where its noise is, and a second acquisition.


FEWEST_RESAMPLES = 100
"""Fewer hardly show where the 2.5th percentile lies; arbitrary."""

_ABOUT_LESIONS = ("lesion ", "mask is empty")
"""Beginnings of notes that concern lesion masks only."""

_LIKE_AIR = (
    "the background looks like air: its mean is 1.9 times its SD, as Rayleigh's distribution has "
    "it; give air as air, so that the factor corrects its SD"
)
_CLOSE = 0.15
"""Distance from the ratio of Rayleigh's distribution, 1.91; arbitrary."""


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are computed.

    Parameters
    ----------
    block_mm : float
        Edge of the cubes of neighbours that are drawn together; 0 for single voxels.
    resamples : int
    seed : int

    Raises
    ------
    InputError
        Where the edge or the seed is negative, or there are fewer than 100 resamples.
    """

    block_mm: float = BLOCK_MM
    resamples: int = RESAMPLES
    seed: int = SEED

    def __post_init__(self) -> None:
        if not 0 <= self.block_mm < np.inf:
            raise InputError(
                "block_mm", f"{self.block_mm} is not an edge of a cube", "give mm, or 0"
            )
        if self.resamples < FEWEST_RESAMPLES:
            problem = f"{self.resamples} are too few for an interval"
            raise InputError("resamples", problem, f"give at least {FEWEST_RESAMPLES}")
        if self.seed < 0:
            raise InputError("seed", f"{self.seed} is below 0", "give a whole number from 0")


@dataclass(frozen=True, eq=False)
class MeasurementSetup:
    """All that the regions of one image are measured with.

    Parameters
    ----------
    image : Map
    second : Map or None
        Another acquisition of the image, on its grid.
    masks : dict of role to Mask
        Background and air, on the image's grid.
    noises : dict of role to Estimate
        Of these masks, and of the background of both acquisitions.
    bootstrap : Bootstrap
    coils : int
    notes : tuple of str
    sources : dict
        SHA-256 of the files that were read, by path.
    """

    image: Map
    second: Map | None
    masks: dict[str, Mask]
    noises: dict[str, Estimate]
    bootstrap: Bootstrap
    coils: int
    notes: tuple[str, ...]
    sources: dict[str, str]

    @property
    def parameters(self) -> dict[str, Any]:
        """What numbers and intervals depend on."""
        return {"coils": self.coils} | asdict(self.bootstrap)

    def measure(
        self, mask: Mask, role: str = "signal"
    ) -> tuple[tuple[Measure, ...], tuple[str, ...]]:
        """Every definition whose regions are there, and notes on the voxels of the mask.

        Raises
        ------
        InputError
            Where the mask shares voxels with one of noise, or holds too few numbers.
        """
        refuse_overlap({role: mask} | self.masks)
        block_mm = self.bootstrap.block_mm
        samples = {"signal": take_sample(self.image, mask, block_mm)}
        if self.second is not None:
            mean, difference = take_pair(self.image, self.second, mask, block_mm)
            samples |= {"pair_signal": mean, "difference": difference}
        estimates = {
            role: estimate(role, sample, self.bootstrap) for role, sample in samples.items()
        }
        notes = tuple(sample_notes(samples["signal"]))
        return measure_all(self.noises | estimates, self.coils), notes


def check_same_grid(image: Map, second: Map) -> None:
    """Raise InputError where a second acquisition has another shape or lies elsewhere."""
    if not image.grid.matches(second.grid):
        problem = f"is not on the grid of {image.name}: {second.grid.difference(image.grid)}"
        remedy = "give two acquisitions of one grid; resampling would smooth the noise away"
        raise InputError(second.name, problem, remedy)


def set_up(
    image: MapLike,
    background: MaskLike | None,
    second: MapLike | None,
    air: MaskLike | None,
    coils: int,
    bootstrap: Bootstrap,
) -> MeasurementSetup:
    """Read the image, bring the masks of noise to it, and see that they hold noise.

    Raises
    ------
    InputError
        Where a file cannot be used, two masks overlap, or a region of noise is empty, constant,
        zero-filled or quantised.
    """
    noise_factor(coils)  # raises where it is not a number of coils, whether air is given or not
    first = as_map(image)
    notes, sources = native_notes(first.notes), source_of(image, first)
    repeat = None
    if second is not None:
        repeat = as_map(second)
        check_same_grid(first, repeat)
        if np.array_equal(first.array, repeat.array, equal_nan=True):
            problem = f"has the values of {first.name}: their difference holds no noise"
            raise InputError(repeat.name, problem, "give a second acquisition")
        notes += native_notes(repeat.notes)
        sources |= source_of(second, repeat)
    given = {"background": background, "air": air}
    masks = {
        role: native_mask(mask, first.name, first.grid)
        for role, mask in given.items()
        if mask is not None
    }
    refuse_overlap(masks)
    noises = {}
    for role, mask in masks.items():
        noises[role] = estimate(role, take_sample(first, mask, bootstrap.block_mm), bootstrap)
        notes += native_notes(mask.notes)
        sources |= source_of(given[role], mask)
    for role, noise in noises.items():
        if noise.fault:
            remedy = f"let {role} lie where the image, as it was acquired, has noise"
            raise InputError(noise.sample.name, noise.fault, remedy)
        notes += sample_notes(noise.sample)
    if "background" in noises and looks_like_air(noises["background"].sample.values):
        notes.append(_LIKE_AIR)
    if repeat is not None and "background" in masks:
        mean, _ = take_pair(first, repeat, masks["background"], bootstrap.block_mm)
        noises["pair_background"] = estimate("pair_background", mean, bootstrap)
    unique = tuple(dict.fromkeys(notes))
    return MeasurementSetup(first, repeat, masks, noises, bootstrap, coils, unique, sources)


def native_mask(source: MaskLike, name: str, grid: Grid) -> Mask:
    """A mask on the grid of the image of that name; the image is never brought to the mask."""
    mask = binary_mask(source)
    placed = place_mask(mask, grid)
    notes = space_notes(f"mask {mask.name}", mask.grid, name, grid)
    return replace(placed, notes=(*placed.notes, *notes))


def source_of(given: Any, image: Map | Mask) -> dict[str, str]:
    """Checksum of what was read, by its path, or by its name where it came from memory."""
    is_file = not isinstance(given, Map | Mask | SpatialImage)
    return {str(as_path(given)) if is_file else image.name: image.sha256}


def native_notes(notes: tuple[str, ...]) -> list[str]:
    """What is unusual about an image, as far as it matters for one in its native space."""
    return [
        type(note)(note.replace("treated as background", "excluded"))
        for note in notes
        if not note.startswith(_ABOUT_LESIONS)
    ]


def looks_like_air(values: NDArray[np.float64]) -> bool:
    """Whether the mean is as many times the SD as in the magnitude of noise alone, for one coil.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> looks_like_air(generator.rayleigh(5, 1000)), looks_like_air(generator.normal(5, 1, 1000))
    (True, False)
    """
    rayleigh = np.sqrt(np.pi / 2) / noise_factor(1)
    return bool(abs(values.mean() / values.std() - rayleigh) < _CLOSE)


def sample_notes(sample: Sample) -> list[str]:
    """What was left out, and zeros that are there."""
    notes = []
    if sample.unknown:
        notes.append(f"{sample.name}: {counted(sample.unknown, 'voxel')} of NaN excluded")
    if sample.zeros:
        notes.append(f"{sample.name}: {sample.zeros:.1%} of its voxels are 0")
    return notes
