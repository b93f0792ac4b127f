"""Lesion-symptom mapping: where damage goes with a score."""
