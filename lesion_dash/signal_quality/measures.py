"""Numbers of signal quality, each with all that is needed to quote it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..images import Mask
from .definitions import DEFINITIONS, Definition
from .intervals import ratio_interval
from .moments import Moments, measure, resample
from .samples import Sample, noise_fault

if TYPE_CHECKING:
    import pandas as pd

_NAN = float("nan")
_SEEDS = {"signal": 0, "background": 1, "air": 2}
_SHARES_MASK = {
    "pair_signal": "signal",
    "difference": "signal",
    "pair_background": "background",
}
"""Roles that are drawn together with the mask they share."""

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

    measure: str
    value: float
    low: float
    high: float
    formula: str
    source: str
    image: str
    signal: str
    noise: str
    signal_voxels: int
    noise_voxels: int
    signal_zeros_percent: float
    noise_zeros_percent: float
    factor: float
    interval: str
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
        plain = [asdict(one) for one in self.measures]
        if not self.regions:
            return plain
        pairs = zip(self.regions, plain, strict=True)
        return [{"label": label, "region": name} | row for (label, name), row in pairs]

    @property
    def json_rows(self) -> list[dict[str, Any]]:
        """The rows with None in place of NaN, which JSON does not know."""
        return [
            {
                key: None if isinstance(value, float) and math.isnan(value) else value
                for key, value in row.items()
            }
            for row in self.rows
        ]

    @property
    def table(self) -> pd.DataFrame:
        """A row a measure; columns as the fields of `Measure`."""
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
        for one in self.measures:
            if one.measure == measure:
                return one.value
        raise KeyError(measure)


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


def estimate(role: str, sample: Sample, resamples: int, seed: int) -> Estimate:
    """Measure and resample a sample; roles that share a mask draw the same voxels.

    Parameters
    ----------
    role : str
        See `definitions.Role`.
    sample : Sample
    resamples, seed : int
    """
    generator = np.random.default_rng([seed, _SEEDS[_SHARES_MASK.get(role, role)]])
    drawn = resample(sample.values, sample.units, resamples, generator, role == "air")
    fault = noise_fault(sample, may_hold_zeros=role == "difference")
    return Estimate(sample, measure(sample.values), drawn, fault)


def measure_all(estimates: Mapping[str, Estimate], coils: int) -> tuple[Measure, ...]:
    """Every definition whose regions are there.

    Parameters
    ----------
    estimates : mapping of role to Estimate
    coils : int
    """
    wanted = [one for one in DEFINITIONS if set(one.needs) <= set(estimates)]
    return tuple(_measure(definition, estimates, coils) for definition in wanted)


def _measure(definition: Definition, estimates: Mapping[str, Estimate], coils: int) -> Measure:
    parts = {role: estimates[role] for role in definition.needs}
    factor = definition.factor(coils)
    signal, noise = parts[definition.needs[0]], parts[definition.needs[-1]]
    others = [role for role in definition.needs if role in _TISSUE]
    against = [parts[role].sample.name for role in others if definition.name.startswith("cnr")]
    value, low, high, reason = _NAN, _NAN, _NAN, _fault(definition, noise)
    if not reason:
        of = {role: part.moments for role, part in parts.items()}
        value = float(definition.compute(of, factor))
        low, high, reason = _interval(definition, parts, value, factor)
    return Measure(
        definition.name,
        value,
        low,
        high,
        definition.formula,
        definition.source,
        signal.sample.image,
        signal.sample.name,
        noise.sample.name,
        signal.sample.values.size,
        noise.sample.values.size,
        100 * signal.sample.zeros,
        100 * noise.sample.zeros,
        factor,
        describe_units(
            [part.sample for part in parts.values()],
            int(np.size(signal.resampled.mean)),
            correlation=noise.sample.correlation,
        ),
        reason,
        against[0] if against else "",
    )


def _fault(definition: Definition, noise: Estimate) -> str:
    """Why the noise of a definition cannot be divided by; empty where it can."""
    if noise.fault:
        return f"{noise.sample.name} {noise.fault}"
    if definition.spread == "mad" and noise.moments.mad == 0:
        return f"{noise.sample.name} is quantised: its MAD is 0, half of its voxels have one value"
    return ""


def _interval(
    definition: Definition, parts: Mapping[str, Estimate], value: float, factor: float
) -> tuple[float, float, str]:
    drawn = {role: part.resampled for role, part in parts.items()}
    units = min(part.sample.unit_count for part in parts.values())
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample may hold one value only
        ratios = np.asarray(definition.compute(drawn, factor))
    return ratio_interval(value, ratios, units)


_TOO_NARROW = "too narrow: draw cubes, by --block-mm of `lesion-dash snr`"


def describe_units(
    samples: list[Sample], resamples: int, how: str = "basic interval", correlation: float = 0.0
) -> str:
    """What was resampled, and so what the interval assumes."""
    edges = sorted({sample.block_mm for sample in samples})
    single = "single voxels, taken as independent"
    if correlation:
        single += f" although neighbours correlate by {correlation:.1f} ({_TOO_NARROW})"
    words = [f"cubes of {edge:g} mm, taken as independent" if edge else single for edge in edges]
    return f"95 %, {how} of {resamples:,} resamples of {' and '.join(words)}"


def check_apart(masks: Mapping[str, Mask]) -> str:
    """Which two of several masks share voxels, in words; empty where none do.

    Examples
    --------
    >>> from lesion_dash import Grid
    >>> mask = Mask(Grid((2, 2, 2), np.eye(4)), np.array([1, 2]), "eye")
    >>> check_apart({"signal": mask, "air": mask})
    'signal (eye) and air (eye) overlap in 2 voxels'
    """
    roles = list(masks)
    for place, first in enumerate(roles):
        for second in roles[place + 1 :]:
            a, b = masks[first], masks[second]
            shared = _shared(a.indices, b.indices)
            if shared:
                return f"{first} ({a.name}) and {second} ({b.name}) overlap in {shared:,} voxels"
    return ""


def _shared(a: NDArray[np.integer], b: NDArray[np.integer]) -> int:
    return int(np.intersect1d(a, b, assume_unique=True).size)
