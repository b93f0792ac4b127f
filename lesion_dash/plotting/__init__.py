"""Figures of results, drawn by nilearn and matplotlib."""
