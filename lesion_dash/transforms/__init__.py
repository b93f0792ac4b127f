"""Where the points of one image lie in another: affines, displacement fields, their files."""

from .chaining import chain_transforms
from .flirt import world_matrix
from .jacobians import jacobian_map
from .kinds import Taken, kind_of
from .reading import read_transform, stated_way
from .transform import Field, Transform
from .warping import warp_any, warp_labels, warp_map, warp_mask
from .writing import field_bytes, itk_text, matrix_text

__all__ = [
    "Field",
    "Taken",
    "Transform",
    "chain_transforms",
    "field_bytes",
    "itk_text",
    "jacobian_map",
    "kind_of",
    "matrix_text",
    "read_transform",
    "stated_way",
    "warp_any",
    "warp_labels",
    "warp_map",
    "warp_mask",
    "world_matrix",
]
