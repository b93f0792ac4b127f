"""The file system: find images in a folder, read a file whole, write a set of files safely."""

from .listing import Listing, check_folder, has_image_ending, list_images, odd_name, strip_ending
from .reading import checksum, read_bytes, read_text
from .writing import Outbox, check_space, prepare_results, write_together

__all__ = [
    "Listing",
    "Outbox",
    "check_folder",
    "check_space",
    "checksum",
    "has_image_ending",
    "list_images",
    "odd_name",
    "prepare_results",
    "read_bytes",
    "read_text",
    "strip_ending",
    "write_together",
]
