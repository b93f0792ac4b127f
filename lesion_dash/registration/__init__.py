"""Registration: an image, its lesion and what else belongs to it brought onto a template."""

from .registration import KINDS, Kind, NotCredible, Quality, Registration

__all__ = ["KINDS", "Kind", "NotCredible", "Quality", "Registration"]
