"""Regions of interest: from a map by threshold and morphology, and the values in them."""
