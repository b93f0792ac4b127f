"""Published atlases by name: downloaded by nilearn on first use, into nilearn's own cache."""

from .entries import LIBRARY, PREFIX, Entry
from .fetching import Fetched, fetch_atlas, is_library_name, will_download

__all__ = [
    "LIBRARY",
    "PREFIX",
    "Entry",
    "Fetched",
    "fetch_atlas",
    "is_library_name",
    "will_download",
]
