"""
Patients and lesion volume at each voxel
========================================

The map of n, the patients lesioned at each voxel, and the mean of their total lesion volume where
at least five are lesioned.
"""

import matplotlib.pyplot as plt
from nilearn import plotting

from lesion_dash import load_cohort, volume_stats

# %%
# A cohort is a folder of masks in one space, one per patient.
cohort = load_cohort("../../sample_data/cohort_a")
stats = volume_stats(cohort, min_patients=5)
print(f"{cohort.n_patients} patients, at most {stats.n.array.max():.0f} at one voxel")

# %%
# Every map becomes a nibabel image, for nilearn and everything else. Volumes are in mm³.
cuts = [-25, -5, 15, 35]
plotting.plot_stat_map(
    stats.n.to_nifti(), display_mode="z", cut_coords=cuts, cmap="viridis", title="n (patients)"
)
plotting.plot_stat_map(
    stats.mean.to_nifti(),
    display_mode="z",
    cut_coords=cuts,
    cmap="inferno",
    title="mean volume (mm³)",
)
plt.show()
