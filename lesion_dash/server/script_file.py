"""The scripts of the widgets, to be kept by browsers."""

from __future__ import annotations

import gzip
from functools import cache

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, authenticated

from ..dashboard.scripts import served_scripts
from .notices import PlainErrors

_YEAR = 365 * 24 * 60 * 60


class ScriptFile(PlainErrors, JupyterHandler):
    """Gives out a script under its name, which no other script will ever have."""

    @authenticated
    def get(self, name: str) -> None:
        """Send it, packed where the browser can unpack it."""
        if name not in served_scripts():
            raise HTTPError(404)
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", f"private, max-age={_YEAR}, immutable")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(_packed(name))
        else:
            self.finish(served_scripts()[name].encode())

    head = get


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(served_scripts()[name].encode(), 6, mtime=0)
