"""The pages in the order of their tabs. A page is a file with TITLE and build(desk)."""

from . import patients, topography

PAGES = (topography, patients)
