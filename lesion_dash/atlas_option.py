"""The atlas that `--atlas` and `--labels` give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import say, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .atlas import Atlas


def open_atlas(image: str, table: str | None) -> Atlas:
    """Load an atlas; what makes its names doubtful is said first, before any result."""
    from .atlas import doubts, load_atlas
    from .atlas_library import will_download

    if will_download(image):
        warn(f"note: {image} is downloaded now, by nilearn and into its cache")
    atlas = load_atlas(image, table)
    for doubt in doubts(atlas.notes):
        warn(f"warning: {atlas.name}: {doubt}")
    return atlas


def say_notes(notes: Sequence[str], before: str) -> None:
    """Print the notes on an atlas, but those that were a warning already."""
    from .atlas import doubts

    known = doubts(notes)
    for note in notes:
        if note not in known:
            say(f"{before}{note}")
