"""The gate before a Voila that is started by hand; `voila.json` beside the page names it."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.identity import PasswordIdentityProvider

from .access import Access
from .gate import Gate, Refusal


class GatedLogin(PasswordIdentityProvider):
    """Voila's usual login, with the gate before all routes, static files included.

    No setting of Voila checks the Host or the Origin for all of them. But Voila asks its login for
    routes while it gathers its own, and of the routes of a Tornado application the first win.
    """

    def get_handlers(self) -> list[Any]:
        """The usual routes, once the gate is in place."""
        voila: Any = self.parent
        voila.app.add_handlers(".*", [(Gate(Access()), Refusal)])
        return super().get_handlers()
