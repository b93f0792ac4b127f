"""What the columns of tables hold, for the sidecars of a BIDS dataset."""

from __future__ import annotations

import re

_COLUMNS = {
    # Patients and their files.
    "patient": "Identifier of the patient",
    "file": "File of the mask, below the folder of masks; several are separated by semicolons",
    "status": "used, skipped or excluded",
    "reason": "Why the patient is not used, or what is unusual about the file",
    "voxels": "Number of voxels",
    "volume_mm3": "Volume of the voxels",
    # Regions.
    "label": "Number of the region in the atlas; 0 or n/a is outside the atlas",
    "region": "Name of the region; of a cluster, that at its peak",
    "full_name": "Full name of the region",
    "lobe": "Lobe of the region",
    "gyrus": "Gyrus of the region",
    "hemisphere": "Hemisphere of the region",
    "system": "System of the region",
    "parent": "Region above it in the table of the atlas",
    "nearest_region": "Region nearest to the peak",
    "nearest_mm": "Distance of the peak to the nearest region",
    "percent_of_map": "Voxels of the map in the region, of all voxels of the map",
    "percent_of_region": "Voxels of the map in the region, of all voxels of the region",
    "dice": "Dice coefficient of the map and the region",
    "expected_voxels": "Sum of the probabilities of the region over the map",
    "expected_volume_mm3": "Volume of the expected voxels",
    "expected_percent_of_region": "Expected voxels, of the sum of all probabilities of the region",
    "mean_probability": "Mean probability of the region over the map",
    "max_probability": "Largest probability of the region within the map",
    # Places and clusters.
    "x_mm": "World coordinate of the place or peak, to the right",
    "y_mm": "World coordinate of the place or peak, to the front",
    "z_mm": "World coordinate of the place or peak, upwards",
    "cluster": "Number of the cluster, the most extreme peak first",
    "cluster_p": "p of the size of the cluster, by permutations",
    "significant_voxels": "Voxels of the cluster with a small corrected p",
    "statistic": "Test statistic at the peak",
    "t": "t of the test",
    "p": "p, uncorrected",
    "corrected_p": "p corrected for the family-wise error, by permutations",
    "partial_r": "Partial correlation with the score",
    "lesioned": "Patients lesioned at the peak",
    "spared": "Patients who are not lesioned there",
    "damaged": "Patients in whom the column is not that of an intact brain",
    "mean_lesioned": "Mean score of the lesioned patients",
    "mean_spared": "Mean score of the spared patients",
    "effect": "Difference of the score, lesioned minus spared",
    "ci_low": "Lower bound of the 95 % confidence interval of the effect",
    "ci_high": "Upper bound of the 95 % confidence interval of the effect",
    "name": "Region or column that is tested",
    "patients": "Patients lesioned at the peak",
    "mean_volume_mm3": "Mean total lesion volume of these patients",
    # Choices, the same in each row.
    "of_patients": "Patients of the cohort",
    "level": "Largest corrected p of the voxels of a cluster",
    "min_patients": "Least number of lesioned patients at a voxel or in a region that counts",
    "permutations": "Number of permutations",
    "seed": "Seed of the random numbers",
    "side": "What counts as extreme: larger, smaller or two-sided",
    # Two cohorts.
    "difference_percentage_points": "Share of the patients of A lesioned in the region minus of B",
    "difference_mean_volume_mm3": "Mean total lesion volume of A minus that of B",
    # Permutations.
    "largest_cluster_voxels": "Voxels of the largest cluster of the permutation",
}

_PATTERNS = {
    r"patients_([ab])": "Patients of cohort {} lesioned in the region",
    r"percent_([ab])": "Patients of cohort {} lesioned in the region, of all its patients",
    r"mean_volume_([ab])_mm3": "Mean total lesion volume of these patients of cohort {}",
    r"cohort_([ab])": "Name of cohort {}",
    r"of_([ab])": "Number of patients of cohort {}",
    r"largest_(\d+)": "Largest statistic of the permutation, number {} from the top",
}

_UNITS = {"mm3": "mm^3", "mm": "mm", "percent": "percent", "points": "percentage points"}
_WITH_UNIT = re.compile(r"_(mm3|mm|points)$|(?:^|_)(percent)(?:_|$)")


def describe_column(name: str) -> dict[str, str]:
    """What a column of a table holds, as a BIDS sidecar says it.

    Examples
    --------
    >>> describe_column("mean_volume_a_mm3")["Units"]
    'mm^3'
    >>> describe_column("nihss")
    {'Description': 'nihss of the participants table'}
    """
    unit = _WITH_UNIT.search(name)
    units = {"Units": _UNITS[unit[1] or unit[2]]} if unit else {}
    return {"Description": _description(name)} | units


def _description(name: str) -> str:
    if name in _COLUMNS:
        return _COLUMNS[name]
    for pattern, text in _PATTERNS.items():
        if match := re.fullmatch(pattern, name):
            return text.format(match[1].upper())
    return f"{name} of the participants table"
