"""The pages in the order of their tabs. A page is a file with TITLE and build(context)."""

from . import assign, chance, compare, inspect, patients, roi, template, topography

PAGES = (topography, compare, chance, assign, patients, roi, template, inspect)
