"""What people call signal to noise and contrast to noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .factors import noise_factor
from .moments import Moments, Number

Role = Literal["signal", "background", "air", "pair_signal", "pair_background", "difference"]
"""What a region is there for; those of a pair belong to two acquisitions of one image."""

Regions = Mapping[str, Moments]


@dataclass(frozen=True)
class Definition:
    """A way to measure signal or contrast to noise.

    Parameters
    ----------
    name : str
        Begins with ``snr`` or ``cnr``.
    formula : str
        As it is computed; SD has the divisor n.
    source : str
        Who defined it.
    needs : tuple of str
        The roles of the regions it takes; the last is where its noise is measured.
    compute : function
        Of the regions by role, and the factor of air; gives a number, or one a resample.
    in_air : str
        Which factor it takes: ``coils`` for that of the coils, ``single`` for that of one coil.
    spread : str
        What its noise is divided by: ``sd``, or ``mad``, which may be 0 where the SD is not.
    """

    name: str
    formula: str
    source: str
    needs: tuple[str, ...]
    compute: Callable[[Regions, float], Number]
    in_air: Literal["", "coils", "single"] = ""
    spread: Literal["sd", "mad"] = "sd"

    def factor(self, coils: int) -> float:
        """The factor between the SD of noise and that of air; NaN where it takes none."""
        if not self.in_air:
            return float("nan")
        return noise_factor(coils if self.in_air == "coils" else 1)


def _contrast(regions: Regions, pair: str = "") -> Number:
    return regions[f"{pair}signal"].mean - regions[f"{pair}background"].mean


def _pooled(regions: Regions) -> Number:
    variances = [regions[role].sd ** 2 for role in ("air", "signal", "background")]
    return np.sqrt(sum(variances))


def _sample_sd(region: Moments) -> Number:
    return region.sd * np.sqrt(region.n / (region.n - 1))


_DIETRICH = "Dietrich et al. 2007"
# As it documents them; the program itself takes the median of a tissue in place of the mean.
_MRIQC = "MRIQC, Esteban et al. 2017"

DEFINITIONS = (
    Definition(
        "snr_plain",
        "mean(signal) / SD(background)",
        "the plain recipe",
        ("signal", "background"),
        lambda of, _: of["signal"].mean / of["background"].sd,
    ),
    Definition(
        "cnr_plain",
        "(mean(signal) - mean(background)) / SD(background)",
        "the plain recipe",
        ("signal", "background"),
        lambda of, _: _contrast(of) / of["background"].sd,
    ),
    Definition(
        "snr_within",
        "mean(signal) / SD(signal)",
        "within one region",
        ("signal",),
        lambda of, _: of["signal"].mean / of["signal"].sd,
    ),
    Definition(
        "snr_difference",
        "mean(signal of both acquisitions) / (SD(difference in signal) / sqrt(2))",
        f"NEMA MS 1, {_DIETRICH}",
        ("pair_signal", "difference"),
        lambda of, _: of["pair_signal"].mean / (of["difference"].sd / np.sqrt(2)),
    ),
    Definition(
        "cnr_difference",
        "(mean(signal) - mean(background) of both) / (SD(difference in signal) / sqrt(2))",
        f"after {_DIETRICH}",
        ("pair_signal", "pair_background", "difference"),
        lambda of, _: _contrast(of, "pair_") / (of["difference"].sd / np.sqrt(2)),
    ),
    Definition(
        "snr_air",
        "factor * mean(signal) / SD(air)",
        f"Constantinides et al. 1997, {_DIETRICH}",
        ("signal", "air"),
        lambda of, factor: factor * of["signal"].mean / of["air"].sd,
        "coils",
    ),
    Definition(
        "cnr_air",
        "factor * (mean(signal) - mean(background)) / SD(air)",
        f"after {_DIETRICH}",
        ("signal", "background", "air"),
        lambda of, factor: factor * _contrast(of) / of["air"].sd,
        "coils",
    ),
    Definition(
        "snr_mriqc",
        "mean(signal) / (SD(signal) * sqrt(n / (n - 1)))",
        _MRIQC,
        ("signal",),
        lambda of, _: of["signal"].mean / _sample_sd(of["signal"]),
    ),
    Definition(
        "snrd_mriqc",
        "0.655 * mean(signal) / MAD(air)",
        _MRIQC,
        ("signal", "air"),
        lambda of, factor: factor * of["signal"].mean / of["air"].mad,
        "single",
        "mad",
    ),
    Definition(
        "cnr_mriqc",
        "|mean(signal) - mean(background)| / sqrt(var(air) + var(signal) + var(background))",
        f"Magnotta and Friedman 2006, {_MRIQC}",
        ("signal", "background", "air"),
        lambda of, _: np.abs(_contrast(of)) / _pooled(of),
    ),
)
"""All of them, in the order in which they are reported."""
