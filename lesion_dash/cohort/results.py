"""Results of an earlier run that lie among the masks."""

from __future__ import annotations

import re

from ..files import strip_ending

_OURS = re.compile(
    r"([ab]_)?lesion_(totalvol_(mean|std|median)_given_voxel|patients_per_voxel)|overlap_map|"
    r"mask_atlas|lesion_(frequency|totalvol_(mean|std))_difference|"
    r"lesion_size_(above_(weighted_)?mean|statistic|(minus_log10_)?(corrected_)?p)",
    re.IGNORECASE,
)
_LIKELY = re.compile(
    r"(^|[_-])(count|counts|overlap|frequency|freq|sum|mean|std|median|average|heat|prob)"
    r"([_-]?(map|image))?$",
    re.IGNORECASE,
)


def looks_like_result(name: str) -> bool:
    """Whether a file's name is that of a map made from masks rather than of a mask.

    Examples
    --------
    >>> looks_like_result("overlap_map.nii"), looks_like_result("lesion_count.nii.gz")
    (True, True)
    >>> looks_like_result("sub-01_lesion.nii.gz")
    False
    """
    stem = strip_ending(name)
    return bool(_OURS.fullmatch(stem) or _LIKELY.search(stem))


def is_own_result(name: str) -> bool:
    """Whether a file has a name under which this program saves a map."""
    return bool(_OURS.fullmatch(strip_ending(name)))
