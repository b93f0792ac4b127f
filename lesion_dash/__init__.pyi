# The public names: type checkers read them here, `lazy_names` at run time.
from collections.abc import Callable
from typing import Any

from . import rois as rois
from . import scans as scans
from .analyses.report import make_report as make_report
from .atlas.atlas import LabelAtlas as LabelAtlas
from .atlas.atlas import ProbabilityAtlas as ProbabilityAtlas
from .atlas.doubts import settle_sides as settle_sides
from .atlas.finding import find_atlases as find_atlases
from .atlas.loading import load_atlas as load_atlas
from .atlas.search import find_regions as find_regions
from .cohort.cohort import Cohort as Cohort
from .cohort.columns import describe_columns as describe_columns
from .cohort.conditions import Condition as Condition
from .cohort.conditions import parse_conditions as parse_conditions
from .cohort.conditions import restrict_cohort as restrict_cohort
from .cohort.loading import load_cohort as load_cohort
from .core.errors import Cancelled as Cancelled
from .core.errors import InputError as InputError
from .core.errors import LesionDashError as LesionDashError
from .core.grid import Grid as Grid
from .images.maps import Map as Map
from .images.maps import read_map as read_map
from .images.masks import Mask as Mask
from .images.masks import read_mask as read_mask
from .images.series import Series as Series
from .images.series import read_series as read_series
from .images.series import smooth_series as smooth_series
from .regions.assignment import Assignment as Assignment
from .regions.assignment import assign_regions as assign_regions
from .regions.counts import RegionCounts as RegionCounts
from .regions.counts import count_regions as count_regions
from .regions.differences import region_differences as region_differences
from .regions.involvement import region_involvement as region_involvement
from .regions.load import LesionLoad as LesionLoad
from .regions.load import lesion_load as lesion_load
from .regions.points import assign_points as assign_points
from .regions.symptoms import predict_from_regions as predict_from_regions
from .regions.symptoms import region_maps as region_maps
from .regions.symptoms import region_symptoms as region_symptoms
from .regions.symptoms import table_symptoms as table_symptoms
from .report.findings import ReportRequest as ReportRequest
from .report.report import Report as Report
from .report.report import save_report as save_report
from .stats.components import find_components as find_components
from .stats.coverage import threshold_coverage as threshold_coverage
from .stats.differences import CohortDifferences as CohortDifferences
from .stats.differences import cohort_differences as cohort_differences
from .stats.lesion_symptom.cluster_table import find_symptom_clusters as find_symptom_clusters
from .stats.lesion_symptom.mapping import SymptomMap as SymptomMap
from .stats.lesion_symptom.mapping import map_symptom as map_symptom
from .stats.lesion_symptom.multivariate import MultivariateMap as MultivariateMap
from .stats.lesion_symptom.multivariate import map_multivariate as map_multivariate
from .stats.lesion_symptom.planning import lookalikes as lookalikes
from .stats.lesion_symptom.planning import power_map as power_map
from .stats.lesion_symptom.planning import resolution_map as resolution_map
from .stats.lesion_symptom.prediction import predict_symptom as predict_symptom
from .stats.lesion_symptom.prediction_result import SymptomPrediction as SymptomPrediction
from .stats.lesion_symptom.replication import SymptomReplication as SymptomReplication
from .stats.lesion_symptom.replication import replicate_symptom as replicate_symptom
from .stats.overlap import Overlap as Overlap
from .stats.overlap import overlap as overlap
from .stats.permutation import permute_volumes as permute_volumes
from .stats.size_bias import find_size_clusters as find_size_clusters
from .stats.size_bias import mean_contrast as mean_contrast
from .stats.topography import Statistic as Statistic
from .stats.topography import VolumeStats as VolumeStats
from .stats.topography import add_statistics as add_statistics
from .stats.topography import volume_stats as volume_stats
from .stats.voxel_maps import Quantity as Quantity
from .stats.voxel_maps import VoxelMaps as VoxelMaps

__version__: str

def lazy_names(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]: ...
