"""Signal to noise and contrast to noise, by every definition a report may name."""

from .definitions import DEFINITIONS, Definition
from .factors import noise_factor
from .measures import Measure, SignalQuality
from .quality import measure_signal
from .regional import snr_by_region
from .temporal import temporal_snr

__all__ = [
    "DEFINITIONS",
    "Definition",
    "Measure",
    "SignalQuality",
    "measure_signal",
    "noise_factor",
    "snr_by_region",
    "temporal_snr",
]
