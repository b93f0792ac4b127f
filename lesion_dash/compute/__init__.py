"""A Dask cluster that is there already: functions are run on its workers, never is one started."""

from .cluster import Cluster, Kept, TooMuch, WorkerMemory, WorkersEnded
from .connection import SCHEDULER_VARIABLE, connect
from .versions import own_versions, worker_address

__all__ = [
    "SCHEDULER_VARIABLE",
    "Cluster",
    "Kept",
    "TooMuch",
    "WorkerMemory",
    "WorkersEnded",
    "connect",
    "own_versions",
    "worker_address",
]
