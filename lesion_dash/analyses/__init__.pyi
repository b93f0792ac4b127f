# The requests, in the order of `lesion-dash --help`: see `lazy_names`.
# ruff: noqa: I001
from .topography import Stats as Stats
from .size_bias import SizeBias as SizeBias
from .overlap import OverlapRequest as OverlapRequest
from .differences import Compare as Compare
from .lsm import LesionSymptomMap as LesionSymptomMap
from .prediction import PredictSymptom as PredictSymptom
from .replication import ReplicateSymptom as ReplicateSymptom
from .coverage import CoverageRequest as CoverageRequest
from .report import WriteReport as WriteReport
from .load import Load as Load
from .assignment import Assign as Assign
from .rois import Roi as Roi
from .atlases import Atlases as Atlases
from .conversion import Convert as Convert
from .registration import Register as Register
from .warping import Warp as Warp
from .mask import MaskImage as MaskImage
from .signal import Snr as Snr
from .check import Check as Check
from .inspection import Inspect as Inspect
from .schema import Schema as Schema

__all__: list[str]  # noqa: PYI035 - the names above
