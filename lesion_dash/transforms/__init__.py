"""Transforms from one image space to another, their files, and resampling by them."""
