"""Numbers and names that everything shares: errors, grids, runs of voxels, tables. No files."""
