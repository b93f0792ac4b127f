"""Widgets of the dashboard, each with its script and its style beside it."""
