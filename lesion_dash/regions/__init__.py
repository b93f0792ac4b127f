"""Statistics in the regions of an atlas: counts, lesion load, differences, assignment."""
