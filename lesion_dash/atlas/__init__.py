"""Atlases: the region of each voxel, or its probability; label tables; published atlases."""
