"""What the columns of tables hold: for the docs, and for the sidecars of a BIDS dataset."""

from __future__ import annotations

import re

COLUMNS = {
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
    "outside the atlas": "Lesion outside the atlas, in the unit of the table",
    # Patients lesioned in a region.
    "percent_of_patients": "Patients lesioned in the region, of all patients",
    "patients_at_least": "Patients with at least the least share of the region lesioned",
    "least_percent": "Least share of the region that counts for patients_at_least",
    "max_patients_at_voxel": "Most patients lesioned at one voxel of the region",
    "mean_percent_lesioned": "Lesioned share of the region, mean of the patients lesioned there",
    "lesion_voxels": "Voxels of the patient's lesion",
    "lesion_volume_mm3": "Total lesion volume of the patient",
    # What each minimum lesion overlap leaves.
    "voxels_in_brain": "Voxels with at least this many patients in the MNI152 brain",
    "percent_of_brain": "These, of the brain's voxels on the grid",
    "percent_of_lesioned": "Voxels with at least this many patients, of all lesioned voxels",
    "conventions": "Common choices in the literature that this minimum is",
    # Components of a map and regions.
    "component": "Number of the connected component, the largest first",
    "sign": "1 where the component is above the threshold, -1 where it is below its negative",
    "component_voxels": "Voxels of the component",
    "component_volume_mm3": "Volume of the component",
    "percent_of_component": "Voxels of the component in the region, of those of the component",
    "weighted_mean_probability": "Probability of the region, its mean weighted by the map",
    "percent_of_region_probability": "Expected voxels, of the sum of the region's probabilities",
    "region_max_probability": "Largest probability of the region anywhere",
    "weighted_mean_value": "Value of the map, its mean weighted by the region's probabilities",
    "correlation": "Pearson's r of the map and the region over the smallest box of both",
    "intersection_over_union": "Voxels in both component and region, of those in either",
    "grid": "Grid on which map and atlas are compared",
    "point": "Number of the point",
    "sigma_mm": "Standard deviation of the place, which is a Gaussian",
    "probability": "Probability of the region at the point",
    "percent_of_point": "Share of the Gaussian in the region",
    # Predictions.
    "scheme": "How patients are left out: folds, or one site after the other",
    "model": "What the score is predicted from",
    "repeat": "Number of the repeat, with other folds",
    "repeats": "Number of repeats",
    "fold": "Number of the fold that the patient is left out with",
    "r": "Pearson's r of true and predicted scores",
    "r2": "1 minus the sum of squared errors over that of the mean score",
    "mae": "Mean absolute error, in points of the score",
    "auc": "Area under the receiver operating characteristic, of scores of 0 and 1",
    "brier": "Mean squared error of the probability, of scores of 0 and 1",
    "gain": "What the lesions add to the prediction by lesion volume and covariates",
    "gain_p": "p of the gain, by permutations or simulated symptoms",
    "bin": "Fifth of the patients by their predicted score",
    "predicted": "Mean predicted score of the fifth",
    "observed": "Mean true score of the fifth",
    # A second sample.
    "peak": "Number of the peak of A",
    "significant_a": "Whether the peak is significant in A",
    "replicated": "Whether a peak significant in A has the same sign and a small p in B",
    # Regions of interest.
    "index": "Number of the region of interest, which its voxels have in the image",
    "peak_value": "Most extreme value of the map there",
    "region_at_peak": "Likeliest region at the peak",
    "nearest_region_at_peak": "Region nearest to the peak",
    "nearest_mm_at_peak": "Distance of the peak to the nearest region",
    "region_at_centroid": "Likeliest region at the centroid",
    "nearest_region_at_centroid": "Region nearest to the centroid",
    "nearest_mm_at_centroid": "Distance of the centroid to the nearest region",
    "region_full_name": "Full name of the region at the peak",
    "region_lobe": "Lobe of the region at the peak",
    "peak_effect": "Effect at the peak, A minus B",
    "higher_in": "The group that is higher at the peak",
    "roi": "Name of the region of interest",
    "group": "Condition or group of the volume or patient",
    "sample": "Number of the volume, or identifier of the patient",
    "n": "Number of values",
    "mean": "Mean of the values",
    "sd": "Standard deviation of the values, divided by n - 1",
    "median": "Median of the values",
    # Signal to noise.
    "measure": "Name of the measure",
    "value": "Its value; of SNR and CNR a ratio without unit",
    "low": "Lower bound of the 95 % confidence interval",
    "high": "Upper bound of the 95 % confidence interval",
    "formula": "How it is computed",
    "source": "Where the formula is from",
    "image": "File of the image",
    "signal": "Region of the signal",
    "noise": "Region or image of the noise",
    "signal_voxels": "Voxels of the signal",
    "noise_voxels": "Voxels of the noise",
    "signal_zeros_percent": "Voxels of the signal with the value 0",
    "noise_zeros_percent": "Voxels of the noise with the value 0",
    "factor": "Factor by which the noise of air is corrected",
    "interval": "How the interval is computed",
    "against": "Region whose mean is subtracted",
    # siibra's names, with --like siibra.
    "input structure": "Number of the component",
    "centroid": "Centroid of the component in mm",
    "volume": "Volume of the component",
    "intersection over union": "As intersection_over_union",
    "map value": "As region_max_probability",
    "map weighted mean": "As weighted_mean_probability",
    "map containedness": "Voxels of the region in the component, of those of the region",
    "input weighted mean": "As weighted_mean_value",
    "input containedness": "Voxels of the component in the region, of those of the component",
    # Permutations.
    "largest_cluster_voxels": "Voxels of the largest cluster of the permutation",
}

PATTERNS = {
    "patients_SIDE": "Patients of cohort SIDE lesioned in the region",
    "percent_SIDE": "Patients of cohort SIDE lesioned in the region, of all its patients",
    "mean_volume_SIDE_mm3": "Mean total lesion volume of these patients of cohort SIDE",
    "cohort_SIDE": "Name of cohort SIDE",
    "of_SIDE": "Number of patients of cohort SIDE",
    "largest_NUMBER": "Largest statistic of the permutation, number NUMBER from the top",
    "PLACE_AXIS_mm": "World coordinate AXIS of the PLACE",
    "MEASURE_sd": "Standard deviation of MEASURE over the repeats",
    "MEASURE of MODEL": "MEASURE of MODEL in the permutation",
    "predicted_by_MODEL": "Score predicted from MODEL",
    "QUANTITY_SIDE": "QUANTITY in sample SIDE",
}
"""Names with parts that vary, in capitals; `PARTS` says what stands there."""

PARTS = {
    "SIDE": "a|b",
    "NUMBER": r"\d+",
    "PLACE": "peak|centroid",
    "AXIS": "x|y|z",
    "MEASURE": "r|r2|mae|auc|brier|gain",
    "MODEL": ".+",
    "QUANTITY": "statistic|t|p|corrected_p|effect|lesioned|spared|ci_low|ci_high",
}

_UNITS = {"mm3": "mm^3", "mm": "mm", "percent": "percent", "points": "percentage points"}
_PART = re.compile("|".join(PARTS))
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
    units = {"Units": unit_of(name)} if unit_of(name) else {}
    return {"Description": meaning_of(name) or f"{name} of the participants table"} | units


def unit_of(name: str) -> str:
    """The unit that the name of a column ends with; empty where there is none."""
    unit = _WITH_UNIT.search(name)
    return _UNITS[unit[1] or unit[2]] if unit else ""


def meaning_of(name: str) -> str:
    """What a column holds; empty where it comes from a table of the user.

    Examples
    --------
    >>> meaning_of("patients_a"), meaning_of("nihss")
    ('Patients of cohort A lesioned in the region', '')
    """
    if name in COLUMNS:
        return COLUMNS[name]
    for template, meaning in PATTERNS.items():
        pattern = _PART.sub(lambda part: f"(?P<{part[0]}>{PARTS[part[0]]})", template)
        if match := re.fullmatch(pattern, name):
            text = meaning
            for part, value in match.groupdict().items():
                text = text.replace(part, value.upper() if part == "SIDE" else value)
            return text
    return ""
