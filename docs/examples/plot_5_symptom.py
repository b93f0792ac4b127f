"""
Where is damage associated with a score?
========================================

A lesion-symptom map with permutations. The naming score of the sample data depends on one stated
region; lesion volume is controlled by default.
"""

import matplotlib.pyplot as plt
from nilearn import plotting
from nilearn.image import math_img

from lesion_dash import find_symptom_clusters, load_atlas, load_cohort, map_symptom

cohort = load_cohort("../../sample_data/cohort_a")
atlas = load_atlas("../../sample_data/atlas/synthetic_atlas.nii.gz")

symptom_map = map_symptom(cohort, "naming", permutations=500)
print(f"{symptom_map.patients.size} patients, {symptom_map.indices.size:,} voxels tested")

# %%
# The clusters of voxels with a corrected p of at most 0.05, with the effect at their peak.
clusters = find_symptom_clusters(symptom_map, atlas)
print(clusters.table.T.to_string(header=False))

# %%
# The t at each tested voxel; voxels that are not tested are NaN, which nilearn draws as 0.
statistic = math_img("np.nan_to_num(t)", t=symptom_map.map("statistic").to_nifti())
plotting.plot_stat_map(
    statistic, display_mode="z", cut_coords=[-10, 0, 10, 20], cmap="RdBu_r", title="t"
)
plt.show()
