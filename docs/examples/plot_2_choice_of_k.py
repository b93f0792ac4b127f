"""
Which minimum lesion overlap?
=============================

The minimum lesion overlap, k, is the number of patients a voxel needs to be looked at. What each k
leaves of the lesioned voxels, beside common choices in the literature.
"""

import matplotlib.pyplot as plt

from lesion_dash import load_cohort, threshold_coverage

coverage = threshold_coverage(load_cohort("../../sample_data/cohort_a"))
share = 100 * coverage.voxels / coverage.voxels[0]

figure, axes = plt.subplots()
axes.step(range(1, share.size + 1), share, where="mid")
for mark in coverage.marks:
    axes.axvline(mark.min_patients, color="grey", linestyle=":")
    axes.text(mark.min_patients, 98, mark.label, rotation=90, ha="right", va="top")
axes.set(xlabel="k (patients)", ylabel="lesioned voxels that are left (%)", ylim=(0, 100))
plt.show()
