"""The buttons of a session: copy the link to it, save it as a file, open such a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import anywidget
import traitlets as t

from ..session_file import LARGEST
from .assets import asset


class SessionMenu(anywidget.AnyWidget):
    """A button and a menu in the header.

    Parameters
    ----------
    on_save : callable
    on_open : callable
        Given the name and the content of a file.
    """

    _esm = asset("menu.js", "session_menu.js")
    limit = t.Int(LARGEST).tag(sync=True)
    lacking = t.Unicode("", help="what the link does not tell, as a sentence").tag(sync=True)

    def __init__(self, on_save: Callable[[], None], on_open: Callable[[str, bytes], None]) -> None:
        super().__init__()
        self._on_save, self._on_open = on_save, on_open
        self.on_msg(self._received)

    def _received(self, _widget: Any, content: Any, buffers: Any) -> None:
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "save":
            self._on_save()
        elif kind == "open" and isinstance(content.get("name"), str):
            name = PurePath(content["name"].replace("\\", "/")).name
            # One byte more than may be, so that a file cut by the browser is refused.
            self._on_open(name, bytes(buffers[0][: LARGEST + 1]) if buffers else b"")
