"""The large scripts of other packages' widgets, as they are changed here, and who sends them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

SERVED = "LESION_DASH_SCRIPTS"
"""The variable in which a server of ours tells its kernels the names it has for the scripts."""

_STATIC = Path(__file__).parent / "static"


def static_text(name: str) -> str:
    """A script or style of the dashboard.

    Widgets get it as text: of a path, anywidget keeps a signal for the whole class that refers to
    every widget for good (`AnyWidget.__init__` connects and never disconnects).
    """
    return (_STATIC / name).read_text(encoding="utf-8")


def widget_text(name: str) -> str:
    """A script or style that lies beside its widget, as text for the same reason."""
    return (Path(__file__).parent / "widgets" / name).read_text(encoding="utf-8")


_REDRAW = "updateGLVolume(){"

_NEW_ROWS = """function f(){
    let y = t.get("_dt_args");
    edition = t.get("edition");
    const now = JSON.stringify({...y, data_json: ""});
    if (o && o.dt && y.data_json && now === frame) {
        u = !0;
        o.dt.clear().rows.add(qd(y.data_json)).draw("full-hold");
        c();
        return;
    }
    frame = now;
    o && o.destroy();"""

_CHANGES = {
    # Both ask a table that was taken away for its rows, and all that is set after it is lost.
    "function m(){u||(": 'function m(){u||!o.dt||(t.set("clicked_in",edition),',
    "function c(){u=!0,": "function c(){if(!o.dt)return;u=!0,",
    # A row that is clicked in the table before is another patient, or another region.
    "let o=null,u=!1;": 'let o=null,u=!1,edition=0,frame="";',
    # Where the columns are the same, only rows are: to make the table anew takes longer.
    'function f(){o&&o.destroy();let y=t.get("_dt_args");': _NEW_ROWS,
    "p.data=qd(u)": "p.data=qd(u)",  # by this name rows are read
}


def viewer_script() -> str:
    """The script of ipyniivue, changed in one place; as it is where that place is not found."""
    source = package_text("ipyniivue", "static/widget.js")
    if source.count(_REDRAW) != 1:
        return source
    change = static_text("redraw.js")
    return source.replace(_REDRAW, f"{_REDRAW}\n{change}")


def table_script() -> str:
    """The script of itables, changed; as it is where one of the places is not found."""
    source = package_text("itables", "widget/static/widget.js")
    if any(source.count(place) != 1 for place in _CHANGES):
        return source
    for place, change in _CHANGES.items():
        source = source.replace(place, change)
    return source


def package_text(package: str, file: str) -> str:
    """A file of a package, which is not imported for it."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / file).read_text(encoding="utf-8")


_SCRIPTS: Mapping[str, Callable[[], str]] = {"viewer": viewer_script, "table": table_script}


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
