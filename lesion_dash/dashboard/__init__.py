"""The dashboard: what the user chose, what follows from it, and the pages that show it."""
