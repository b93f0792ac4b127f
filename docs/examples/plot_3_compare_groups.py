"""
Compare two groups
==================

Where is group A lesioned more often than group B, and how far do both overlap?
"""

import matplotlib.pyplot as plt
from nilearn import plotting

from lesion_dash import cohort_differences, load_cohort, overlap

a = load_cohort("../../sample_data/cohort_a")
b = load_cohort("../../sample_data/cohort_b")

# %%
# The overlap of the voxels in which at least five patients are lesioned.
both = overlap(a.at_least(5), b.at_least(5))
print(f"{both.both.voxels:,} voxels in both, Dice {both.dice:.2f}")

# %%
# The difference of the shares of patients, in percentage points: a description without a test.
differences = cohort_differences(a, b)
plotting.plot_stat_map(
    differences.frequency.to_nifti(),
    display_mode="z",
    cut_coords=[-25, -5, 15, 35],
    title="A − B (percentage points)",
)
plt.show()
