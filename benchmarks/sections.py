"""The parts of results.md, each written by a benchmark of its own."""

from __future__ import annotations

from pathlib import Path

CONTRAST = "# Speed and memory of a contrast"
"""Heading of the last part; what stands above it belongs to `bench_stats.py`."""


def write_contrast(text: str, file: Path) -> None:
    """Put the last part in the place of the old one."""
    stats, _ = _parts(file)
    _write(f"{stats.rstrip()}\n\n{text}" if stats else text, file)


def write_stats(text: str, file: Path) -> None:
    """Put the first part in the place of the old one."""
    _, contrast = _parts(file)
    _write(text + ("\n" + contrast if contrast else ""), file)


def _parts(file: Path) -> tuple[str, str]:
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    stats, heading, contrast = text.partition(CONTRAST)
    return stats, heading + contrast


def _write(text: str, file: Path) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)
