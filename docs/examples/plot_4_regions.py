"""
In which regions are most patients lesioned?
============================================

The patients lesioned in each region of an atlas, and the share of the region that their lesions
take.
"""

import matplotlib.pyplot as plt

from lesion_dash import lesion_load, load_atlas, load_cohort, region_involvement

cohort = load_cohort("../../sample_data/cohort_a")
atlas = load_atlas("../../sample_data/atlas/synthetic_atlas.nii.gz")

# %%
# A patient counts where the lesion takes at least a tenth of the region.
involvement = region_involvement(lesion_load(cohort, atlas), least_percent=10)
rows = involvement.rows[:10][::-1]

figure, axes = plt.subplots(layout="constrained")
axes.barh([row.region for row in rows], [row.patients for row in rows])
axes.set(xlabel=f"patients of {cohort.n_patients}", title="Regions with most patients")
plt.show()
