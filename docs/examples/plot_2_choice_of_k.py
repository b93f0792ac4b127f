"""
Which minimum lesion overlap?
=============================

The minimum lesion overlap, k, is the number of lesioned patients that a voxel needs to count. The
curve shows the lesioned voxels that each k leaves, with common choices in the literature.
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
axes.set(xlabel="k (patients)", ylabel="remaining lesioned voxels (%)", ylim=(0, 100))
plt.show()
