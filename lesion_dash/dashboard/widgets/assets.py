"""Scripts and styles that stand beside the widgets."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def asset(*names: str) -> str:
    """The text of scripts or styles of this folder, one after the other.

    Widgets get text: of a path, anywidget keeps a signal for the whole class that refers to every
    widget for good (`AnyWidget.__init__` connects and never disconnects).
    """
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)
