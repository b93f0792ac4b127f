"""Statistics at each voxel of a map or of a cohort."""
