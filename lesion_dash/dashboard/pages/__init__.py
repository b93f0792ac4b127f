"""The pages in the order of work. A page is a file with TITLE and build(context)."""

from . import assign, chance, compare, inspect, patients, roi, symptoms, template, topography

TOOLS = (roi, template, inspect)
"""Used rarely: they stand in one menu."""

PAGES = (topography, compare, chance, symptoms, assign, patients, *TOOLS)
FIRST_TOOL = PAGES.index(TOOLS[0])
