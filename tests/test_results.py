"""Maps this program saved among the masks are not taken for patients."""

from __future__ import annotations

import pytest
from phantoms import random_masks, write_masks

from lesion_dash import cli
from lesion_dash.cohort.loading import load_cohort
from lesion_dash.cohort.reading import is_own_result
from lesion_dash.stats.differences import FILE_NAMES as DIFFERENCES
from lesion_dash.stats.overlap import FILE_NAME as OVERLAP
from lesion_dash.stats.size_bias import MEAN_FILE_NAMES as MEANS
from lesion_dash.stats.size_bias import PERMUTATION_FILE_NAMES as PERMUTED
from lesion_dash.stats.topography import FILE_NAMES as MAPS

NAMES = sorted(
    {*MAPS.values(), *DIFFERENCES.values(), *MEANS.values(), *PERMUTED.values(), OVERLAP}
)


@pytest.mark.parametrize("name", NAMES)
def test_each_map_is_known_by_its_name(name):
    assert is_own_result(name)
    assert is_own_result(name.removesuffix(".nii") + ".nii.gz")
    assert not is_own_result(f"sub-01_{name}")


def test_p_maps_beside_masks_are_no_patients(tmp_path):
    folder = write_masks(tmp_path / "masks", random_masks(8, seed=4))
    asked = ["size-bias", folder, "-o", folder, "-k", 1, "--permutations", 20]
    assert cli.main([str(word) for word in asked]) == 0
    assert load_cohort(folder).n_patients == 8
