"""The file system: paths and URLs, reading, writing all or nothing, provenance."""
