"""Single scans: arrays made images, inspection, masks of regions, signal, registration."""
