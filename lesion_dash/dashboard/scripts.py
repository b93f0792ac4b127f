"""Scripts and styles of the widgets, and which of them the server of the page sends."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

SERVED = "LESION_DASH_SCRIPTS"
"""The variable in which a server of ours tells its kernels the names it has for the scripts."""

_HERE = Path(__file__).parent


def static_text(name: str) -> str:
    """A script or style of the dashboard.

    Widgets get it as text: of a path, anywidget keeps a signal for the whole class that refers to
    every widget for good (`AnyWidget.__init__` connects and never disconnects).
    """
    return (_HERE / "static" / name).read_text(encoding="utf-8")


def widget_text(name: str) -> str:
    """A script or style that stands beside its widget; as text, see `static_text`."""
    return (_HERE / "widgets" / name).read_text(encoding="utf-8")


_VIEWER_PARTS = ("viewer_layers.js", "viewer_picture.js", "viewer.js")


def viewer_script() -> str:
    """NiiVue as it was published, and after it ours, in a scope of its own."""
    own = "\n".join(map(widget_text, _VIEWER_PARTS))
    niivue = widget_text("niivue/index.js")
    return f"{niivue}\nexport default (() => {{\n{own}\n}})();\n"


_SCRIPTS: Mapping[str, Callable[[], str]] = {
    "viewer": viewer_script,
    "table": partial(widget_text, "table.js"),
}


@cache
def served_scripts() -> Mapping[str, str]:
    """Each script by a name that is another one when the script is."""
    scripts = {kind: read() for kind, read in _SCRIPTS.items()}
    return {
        f"{kind}-{hashlib.sha256(script.encode()).hexdigest()[:16]}.js": script
        for kind, script in scripts.items()
    }


def widget_script(kind: str) -> str:
    """What a widget runs: its script, or a few lines that get it from the server of the page.

    From there a browser takes it, and keeps it for the next page. Where the page is not
    served by us, as in JupyterLab, the kernel has to send it.

    Parameters
    ----------
    kind : str
        ``viewer`` or ``table``.
    """
    names = os.environ.get(SERVED, "").split()
    name = next((name for name in names if name.startswith(f"{kind}-")), "")
    if not name:
        return _SCRIPTS[kind]()
    return static_text("served.js").replace("NAME", name)
