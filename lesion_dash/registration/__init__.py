"""Registration: an image, its lesion and what else belongs to it brought onto a template."""

from .engine import Report
from .engines import engine_named, installed_engines
from .registering import register_image
from .registration import KINDS, Kind, NotCredible, Quality, Registration

__all__ = [
    "KINDS",
    "Kind",
    "NotCredible",
    "Quality",
    "Registration",
    "Report",
    "engine_named",
    "installed_engines",
    "register_image",
]
