"""Published atlases by name: downloaded by nilearn on first use, into nilearn's own cache."""

from .entries import LIBRARY, PREFIX, Entry
from .fetching import Fetched, alike_names, fetch_atlas, is_library_name, will_download
from .recognition import probable_credit

__all__ = [
    "LIBRARY",
    "PREFIX",
    "Entry",
    "Fetched",
    "alike_names",
    "fetch_atlas",
    "is_library_name",
    "probable_credit",
    "will_download",
]
