"""The pages in the order of their tabs. A page is a file with TITLE and build(desk)."""

from . import assign, inspect, patients, roi, template, topography

PAGES = (topography, assign, patients, roi, template, inspect)
