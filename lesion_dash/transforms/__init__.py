"""Where the points of one image lie in another: affines, displacement fields, their files."""

from .transform import Field, Transform

__all__ = ["Field", "Transform"]
