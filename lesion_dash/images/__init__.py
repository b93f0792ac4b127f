"""NIfTI images: read, checked and written as maps, masks, labels and series."""
