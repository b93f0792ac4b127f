"""The pages in the order of their tabs. A page is a file with TITLE and build(desk)."""

from . import assign, patients, topography

PAGES = (topography, assign, patients)
