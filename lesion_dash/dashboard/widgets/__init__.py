"""The dashboard's own widgets, each with its script and style beside it."""
