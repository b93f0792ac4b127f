"""The file system: find images in a folder, read a file whole, write a set of files safely."""

from .addresses import without_password
from .boundary import is_kept, keep_in_task, keep_within, kept_roots
from .limits import EVENTS, PARTICIPANTS, SMALLER, TABLE
from .listing import (
    ARRAY_ENDINGS,
    Listing,
    check_folder,
    halves_of,
    has_image_ending,
    list_images,
    odd_name,
    strip_ending,
)
from .reading import checksum, open_file, read_bytes, read_text
from .urls import (
    AnyPath,
    PathInput,
    UrlPath,
    as_path,
    is_below,
    local_path,
    path_below,
)
from .views import FileView
from .writing import Outbox, check_space, new_folder, prepare_results, write_together

__all__ = [
    "ARRAY_ENDINGS",
    "EVENTS",
    "PARTICIPANTS",
    "SMALLER",
    "TABLE",
    "AnyPath",
    "FileView",
    "Listing",
    "Outbox",
    "PathInput",
    "UrlPath",
    "as_path",
    "check_folder",
    "check_space",
    "checksum",
    "halves_of",
    "has_image_ending",
    "is_below",
    "is_kept",
    "keep_in_task",
    "keep_within",
    "kept_roots",
    "list_images",
    "local_path",
    "new_folder",
    "odd_name",
    "open_file",
    "path_below",
    "prepare_results",
    "read_bytes",
    "read_text",
    "strip_ending",
    "without_password",
    "write_together",
]
